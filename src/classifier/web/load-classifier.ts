/** The library's classifier in a page: an .onnx file on ONNX Runtime's WebAssembly. Pure of Node.js. */
import type { Image } from '../../images/image.ts';
import { inputBytes, type Preprocessing, preprocess } from '../../images/preprocess.ts';
import { type ModelDescription, ModelError } from '../../model/description.ts';
import { DeployError } from '../../onnx/deploy-error.ts';
import { describedBy, statedSoftmax } from '../../onnx/model-metadata.ts';
import { measureGraph } from '../../onnx/run/measure-graph.ts';
import { readGraph } from '../../onnx/run/read-graph.ts';
import { type OnnxSession, predictorOf } from '../../onnx/run/session-predictor.ts';
import { softmaxOutputs } from '../../onnx/run/softmax-outputs.ts';
import { validateModel } from '../../onnx/run/validate-model.ts';
import { labelsFor, preprocessingFor } from '../apply-overrides.ts';
import { type Classifications, rank } from '../classification.ts';
import type { ModelOverrides } from '../predicting-model.ts';
import { decodeImage } from './decode-image.ts';

/** An .onnx file: its URL, its bytes, or a file that the user chose. */
export type WebModelSource = string | URL | Blob | Uint8Array;

/** An image's URL, a file or its bytes (JPEG, PNG, WebP), or decoded pixels. */
export type WebImageSource = string | URL | Blob | Uint8Array | Image;

/** The module `onnxruntime-web`, of which there are several builds. */
export interface WebRuntime {
  /** Creates sessions. */
  readonly InferenceSession: { create(model: Uint8Array, options?: object): Promise<unknown> };
  /** Creates tensors. */
  readonly Tensor: new (
    ...args: never[]
  ) => unknown;
}

/** How a model is opened in a page. */
export interface WebClassifierOptions extends ModelOverrides {
  /** ONNX Runtime. Default: `await import('onnxruntime-web/wasm')`. */
  readonly runtime?: WebRuntime;
  /** ONNX Runtime's backends, in order of preference. Default `['wasm']`; `webgpu` needs `onnxruntime-web/webgpu` as `runtime`. */
  readonly executionProviders?: readonly string[];
  /** Called with what is decided on opening, such as labels for a file without any. */
  readonly onNotice?: (line: string) => void;
}

/** A model that is open for classification in a page. */
export interface WebClassifier {
  /** The label of every output. */
  readonly classes: readonly string[];
  readonly preprocessing: Preprocessing;
  /** The whole description; undefined for .onnx files from other tools. */
  readonly description: ModelDescription | undefined;
  /** What was loaded: the URL or the file's name. */
  readonly source: string;
  /**
   * The most probable labels of an image, most probable first. `top` is their number, default 5.
   * @throws DataError if the image cannot be decoded, UsageError for a `top` below 1.
   */
  classify(image: WebImageSource, options?: { readonly top?: number }): Promise<Classifications>;
  /** Maps preprocessed bytes [n, height, width, channels] to probabilities, float32 [n, classes]. */
  predict(images: Uint8Array): Promise<Float32Array>;
  /** Frees the memory. */
  close(): Promise<void>;
}

/**
 * Opens an .onnx file, as `inception export` writes it, in a page or a worker of one. The preprocessing is the code of training, so
 * that the probabilities are those of Node.js.
 *
 * ```ts
 * import { loadClassifier } from 'inception-networks/web'; // npm install onnxruntime-web
 *
 * const classifier = await loadClassifier('/photos.onnx');
 * const [best] = await classifier.classify(file); // a File, a Blob, a URL, bytes or pixels
 * ```
 *
 * The file is validated before ONNX Runtime loads it.
 * @throws DeployError if it cannot be fetched, read or run, or ONNX Runtime is missing; ModelError for labels that do not fit.
 */
export async function loadClassifier(
  model: WebModelSource,
  { runtime, executionProviders = ['wasm'], onNotice, ...overrides }: WebClassifierOptions = {},
): Promise<WebClassifier> {
  const source = nameOf(model);
  const bytes = new Uint8Array(await (await blobOf(model)).arrayBuffer());
  const { metadata } = validateModel(bytes, source);
  const description = describedBy(metadata, source);
  if (description?.classes.length === 0)
    throw new ModelError(`${source}: the network has no classifier and therefore no labels`);
  const graph = readGraph(bytes, source);
  const size = overrides.preprocessing?.size ?? description?.preprocessing.size;
  measureGraph(graph, { path: source, size });
  const { InferenceSession, Tensor } = runtime ?? (await importRuntime());
  let session: OnnxSession['session'];
  try {
    const options = { executionProviders, graphOptimizationLevel: 'all', logSeverityLevel: 3 };
    session = (await InferenceSession.create(bytes, options)) as OnnxSession['session'];
  } catch (error) {
    throw new DeployError(`${source}: ONNX Runtime cannot load it: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const predictor = predictorOf(
    { session, Tensor: Tensor as unknown as OnnxSession['Tensor'] },
    {
      path: source,
      preprocessing: preprocessingFor(source, { ...description?.preprocessing, ...overrides.preprocessing }),
      softmax: overrides.probabilities ?? statedSoftmax(metadata),
      softmaxOutputs: softmaxOutputs(graph),
      onNotice,
    },
  );
  const { preprocessing } = predictor;
  const { classes, classIds } = labelsFor(description, {
    overrides,
    source,
    outputs: predictor.classes,
    onNotice,
  });
  return {
    classes,
    preprocessing,
    description,
    source,
    predict: predictor.predict,
    close: predictor.release,
    classify: async (image, { top = 5 } = {}) => {
      const input = new Uint8Array(inputBytes(preprocessing));
      preprocess(isPixels(image) ? image : await decodeImage(await blobOf(image)), preprocessing, input);
      return rank(await predictor.predict(input), { classes, classIds, top });
    },
  };
}

async function importRuntime(): Promise<WebRuntime> {
  try {
    return (await import('onnxruntime-web/wasm')) as WebRuntime;
  } catch (error) {
    throw new DeployError(
      `ONNX Runtime cannot be loaded (${(error as Error).message}); install it with 'npm install onnxruntime-web', or pass 'runtime'`,
      { cause: error },
    );
  }
}

const isPixels = (image: WebImageSource): image is Image => typeof image === 'object' && 'channels' in image;

function nameOf(model: WebModelSource): string {
  if (typeof model === 'string') return model;
  if (model instanceof URL) return model.href;
  return model instanceof Blob && 'name' in model ? String(model.name) : 'the model';
}

/** @throws DeployError if it cannot be fetched. */
async function blobOf(source: string | URL | Blob | Uint8Array): Promise<Blob> {
  if (source instanceof Blob) return source;
  if (source instanceof Uint8Array) return new Blob([source as Uint8Array<ArrayBuffer>]);
  let response: Response;
  try {
    response = await fetch(source);
  } catch (error) {
    throw new DeployError(`${source}: cannot be fetched (${(error as Error).message})`, { cause: error });
  }
  if (!response.ok) throw new DeployError(`${source}: the server responded ${response.status}`);
  return response.blob();
}
