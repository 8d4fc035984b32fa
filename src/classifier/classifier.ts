/** The library's prediction API: any MODEL and images in, labels with probabilities out. */
import { decodeImage } from '../data/decode.ts';
import { findImages } from '../data/folders/find-images.ts';
import { readInput } from '../data/read-view.ts';
import type { Views } from '../images/crops.ts';
import type { Image } from '../images/image.ts';
import { inputBytes, type Preprocessing, preprocess } from '../images/preprocess.ts';
import { type ModelDescription, ModelError } from '../model/description.ts';
import type { Notices } from '../model/model-file.ts';
import { predictImages } from '../predict/predict-images.ts';
import { type Classifications, rank } from './classification.ts';
import { type PredictedFiles, type PredictFilesOptions, predictFiles } from './files/predict-files.ts';
import type { RunningModel } from './open-models.ts';
import type { ImagePredictor, ModelOverrides } from './predicting-model.ts';
import type { Runtime, RuntimeOptions } from './runtime.ts';

/** How a model is opened for classification. */
export interface ClassifierOptions extends ModelOverrides, RuntimeOptions, Notices {
  /** Batch size. Default 16. */
  readonly batch?: number;
}

/** An image file or its bytes (JPEG, PNG, WebP, GIF, TIFF or AVIF), or decoded pixels. */
export type ImageSource = string | Uint8Array | Image;

/** How images are classified. */
export interface ClassifyOptions {
  /** Number of labels. Default 5. */
  readonly top?: number;
  /** Crops per image, whose probabilities are averaged. Default: the single crop. */
  readonly views?: Views;
}

/** A model that is open for classification. */
export interface Classifier {
  /** The label of every output. */
  readonly classes: readonly string[];
  readonly preprocessing: Preprocessing;
  /** The whole description; undefined for .onnx files from other tools. */
  readonly description: ModelDescription | undefined;
  /** The runtime, and why it was chosen. */
  readonly runtime: Runtime;
  /** What was loaded: `runs/photos/model.safetensors`, `hub:timm/inception_v4.tf_in1k`, `photos.onnx`. */
  readonly source: string;
  /** For `predictImages` and `score`: preprocessed bytes in, probabilities out. */
  readonly predictor: ImagePredictor;
  /**
   * The most probable labels of one image, most probable first.
   * @throws DataError if it cannot be decoded, ModelError if the network has no classifier, UsageError for a `top` below 1.
   */
  classify(image: ImageSource, options?: ClassifyOptions): Promise<Classifications>;
  /** Classifies several images in batches; results are in the same order. */
  classify(images: readonly ImageSource[], options?: ClassifyOptions): Promise<readonly Classifications[]>;
  /**
   * Writes the most probable labels of any number of images to a `.csv`, `.jsonl` or `.parquet` file, as `inception predict` does.
   * `images` are files, folders and patterns (`photos/**\/*.jpg`). An image that cannot be decoded has no row and is in the result.
   * @throws ModelError if the network has no classifier; UsageError or PredictionsError if the file exists and is not continued.
   */
  predictFiles(images: readonly string[], options: PredictFilesOptions): Promise<PredictedFiles>;
  /** Frees the memory. Call it once at the end: ONNX Runtime should not be opened and released repeatedly. */
  close(): Promise<void>;
  /** `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Opens a run folder, a `.safetensors`, `.pth`, `.h5` or TensorFlow file, a TensorFlow.js model, `hub:owner/name` or an `.onnx` file for
 * classification.
 *
 * ```ts
 * const classifier = await loadClassifier('runs/photos');
 * const [best] = await classifier.classify('cat.jpg');
 * console.log(best.label, best.probability);
 * await classifier.close();
 * ```
 *
 * Weights are computed by libtorch, and where that is not installed by ONNX Runtime; `runtime` says which it was. An .onnx file
 * is validated before ONNX Runtime loads it: files that refer to other files, or have non-standard operators, are refused.
 * @throws ModelError, WeightsError, HubError or DeployError saying what is wrong with which file; UsageError for options that
 * this model cannot follow; EngineUnavailableError where libtorch was asked for and is not there.
 */
export async function loadClassifier(model: string, options: ClassifierOptions = {}): Promise<Classifier> {
  const { classes, classIds, preprocessing, probabilities, batch = 16, ...rest } = options;
  const overrides = {
    ...(classes && { classes }),
    ...(classIds && { classIds }),
    ...(preprocessing && { preprocessing }),
    ...(probabilities !== undefined && { probabilities }),
  };
  const { openModels } = await import('./open-models.ts');
  const open = await openModels([model], { ...rest, batch, compiledBatch: 1, overridesOf: () => overrides });
  return classifierOf(open.models[0] as RunningModel, open.close);
}

const singleCrop: Views = { crops: 1 };

function classifierOf(model: RunningModel, close: () => Promise<void>): Classifier {
  const { description, source, runtime, predictor } = model;
  const { classes, classIds, preprocessing, network } = description;
  const refuse = () => {
    throw new ModelError(`${source}: the network has no classifier and therefore no labels`);
  };
  const classifyOne = async (image: ImageSource, top: number) => {
    const bytes = await inputOf(image, preprocessing);
    return rank(await predictor.predict(bytes), { classes, classIds, top });
  };
  const classifyAll = async (sources: readonly ImageSource[], { top, views }: Required<ClassifyOptions>) => {
    const images = {
      name: 'images',
      length: sources.length,
      classes,
      label: () => 0,
      nameOf: (index: number) => `image ${index}`,
      image: (index: number) => imageOf(sources[index] as ImageSource),
    };
    // Avoids padding a few images to a full batch.
    const viewCount = sources.length * views.crops * (views.flip ? 2 : 1);
    const batch = Math.min(predictor.batch, viewCount);
    const members = [{ predictor: { ...predictor, batch }, preprocessing }];
    const results: Classifications[] = [];
    for await (const { probabilities } of predictImages(images, { members, views }))
      results.push(rank(probabilities, { classes, classIds, top }));
    return results;
  };
  async function classify(image: ImageSource, options?: ClassifyOptions): Promise<Classifications>;
  async function classify(
    images: readonly ImageSource[],
    options?: ClassifyOptions,
  ): Promise<readonly Classifications[]>;
  async function classify(
    images: ImageSource | readonly ImageSource[],
    { top = 5, views = singleCrop }: ClassifyOptions = {},
  ): Promise<Classifications | readonly Classifications[]> {
    if (classes.length === 0) refuse();
    if (isList(images)) return classifyAll(images, { top, views });
    if (views === singleCrop) return classifyOne(images, top);
    return (await classifyAll([images], { top, views }))[0] as Classifications;
  }
  return {
    classes,
    preprocessing,
    description: network === undefined ? undefined : (description as ModelDescription),
    runtime,
    source,
    predictor,
    classify,
    predictFiles: async (images, options) => predictFiles(model, await findImages(images), options),
    close,
    [Symbol.asyncDispose]: close,
  };
}

const isList = (images: ImageSource | readonly ImageSource[]): images is readonly ImageSource[] =>
  Array.isArray(images);

async function inputOf(image: ImageSource, preprocessing: Preprocessing): Promise<Uint8Array> {
  if (typeof image === 'string' || image instanceof Uint8Array) return readInput(image, preprocessing);
  const bytes = new Uint8Array(inputBytes(preprocessing));
  preprocess(image, preprocessing, bytes);
  return bytes;
}

const imageOf = (image: ImageSource): Promise<Image> | Image =>
  typeof image === 'string' || image instanceof Uint8Array ? decodeImage(image) : image;
