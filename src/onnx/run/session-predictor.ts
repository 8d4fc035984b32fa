/**
 * Predictions with a session of ONNX Runtime, in Node.js or a browser: images as bytes in, probabilities out, whatever the file's input and
 * output are. Pure.
 */
import { inputBytes, type Preprocessing } from '../../images/preprocess.ts';
import { problemWith } from '../../predict/check-values.ts';
import type { Predictor } from '../../predict/predict-images.ts';
import { DeployError } from '../deploy-error.ts';
import { float16Bits } from '../float16-bits.ts';
import { classActivationName, featuresName } from '../model-metadata.ts';
import { type FileInput, inputOf, type SizedByFile } from './file-input.ts';
import { floatsOf, outputOf } from './file-output.ts';
import { planesOf, probabilitiesOf, scaledPixels, scaledPlanes } from './image-tensors.ts';
import type { InferenceSession, Tensor } from './runtime.ts';

export interface OnnxPredictor extends Predictor {
  /** As requested, with the file's size if none was given. */
  readonly preprocessing: Preprocessing;
  /** The model's outputs, [n, classes]: logits or probabilities. Images are bytes [n, height, width, channels]. */
  outputs(images: Uint8Array): Promise<Float32Array>;
  /** Maps bytes [n, height, width, channels], n ≥ 1, to probabilities [n, classes]. */
  predict(images: Uint8Array): Promise<Float32Array>;
  /**
   * What each cell of the last grid adds to each class's logit, for one image; undefined for files without that output.
   * @throws DeployError as `outputs`
   */
  readonly classActivation: ((image: Uint8Array) => Promise<ClassActivation>) | undefined;
  /** Any output of the file by its name, for one image. @throws DeployError if ONNX Runtime fails */
  output(image: Uint8Array, name: string): Promise<OnnxOutput>;
  /** What the classifier reads; undefined for files without that output. */
  readonly features: OnnxFeatures | undefined;
  /** Releases the session. Should not be repeated many times in one process. */
  release(): Promise<void>;
}

export interface OnnxOutput {
  readonly dims: readonly number[];
  readonly values: Float32Array;
}

export interface ClassActivation {
  readonly height: number;
  readonly width: number;
  /** [classes, height, width] */
  readonly values: Float32Array;
}

/** Of files that were exported with their features. */
export interface OnnxFeatures {
  /** Values for an image. */
  readonly length: number;
  /** Maps bytes [n, height, width, channels] to features, float32 [n, length]. @throws DeployError as `outputs` */
  compute(images: Uint8Array): Promise<Float32Array>;
}

export interface SessionPredictorOptions {
  /** Where the model is from, for messages. */
  readonly path: string;
  readonly preprocessing: SizedByFile;
  /** Whether the file's output is already probabilities. Default: whether it is one of `softmaxOutputs`. */
  readonly softmax?: boolean | undefined;
  /** Values of the graph that a softmax gives. */
  readonly softmaxOutputs?: ReadonlySet<string>;
  /** Batch size in evaluation. Default 16. */
  readonly batch?: number | undefined;
  /** Called with what was chosen in the user's place. */
  readonly onNotice?: ((line: string) => void) | undefined;
}

/** What is used of ONNX Runtime, which has more than one package. */
export interface OnnxSession {
  readonly session: Pick<InferenceSession, 'inputMetadata' | 'outputMetadata' | 'run' | 'release'>;
  readonly Tensor: new (
    type: FileInput['type'],
    values: Uint8Array | Float32Array | Uint16Array,
    dims: readonly number[],
  ) => unknown;
}

/**
 * Predictions with a session of a validated model.
 * @throws DeployError if it does not take images and give scores, and, at each call, if ONNX Runtime fails or the scores are no numbers
 */
export function predictorOf(
  { session, Tensor }: OnnxSession,
  options: SessionPredictorOptions,
): OnnxPredictor {
  const { path, softmaxOutputs = new Set(), batch = 16 } = options;
  const input = inputOf(session, options);
  const { fixedBatch, preprocessing } = input;
  const [height, width] = preprocessing.size;
  const channels = preprocessing.channels ?? 3;
  const pixels = inputBytes(preprocessing);
  const { name: outputName, classes, unused } = outputOf(session, options);
  const others = unused.filter((name) => name !== featuresName);
  if (others.length > 0)
    options.onNotice?.(`${path}: its output '${outputName}' is used, and not ${others.join(', ')}`);
  const { softmax = softmaxOutputs.has(outputName) } = options;
  if (options.softmax === undefined && softmax)
    options.onNotice?.(
      `${path}: its output '${outputName}' comes from a softmax and is taken for probabilities`,
    );
  const runFor = async (images: Uint8Array, name: string): Promise<Tensor> => {
    const count = images.length / pixels;
    const dims =
      input.layout === 'nhwc' ? [count, height, width, channels] : [count, channels, height, width];
    const tensor = new Tensor(input.type, valuesFor(input, images), dims) as Tensor;
    try {
      return (await session.run({ [input.name]: tensor }, [name]))[name] as Tensor;
    } catch (error) {
      throw new DeployError(`${path}: ONNX Runtime cannot run it: ${(error as Error).message}`, {
        cause: error,
      });
    }
  };
  const run = async (images: Uint8Array): Promise<Float32Array> => {
    const count = images.length / pixels;
    const values = floatsOf(await runFor(images, outputName));
    if (values.length !== count * classes)
      throw new DeployError(
        `${path}: expected ${count} × ${classes} outputs, as the file says, received ${values.length}`,
      );
    const problem = problemWith(values, { outputs: classes, kind: softmax ? 'probabilities' : 'logits' });
    if (problem !== undefined) throw new DeployError(`${path}: ${problem}${softmax ? adviceOnLogits : ''}`);
    return values;
  };
  const outputs = async (images: Uint8Array): Promise<Float32Array> => {
    const count = images.length / pixels;
    if (!Number.isInteger(count) || count === 0) {
      throw new DeployError(
        `${path}: expected images of n × ${[height, width, channels].join('×')} bytes, received ${images.length}`,
      );
    }
    if (fixedBatch === undefined || count === fixedBatch) return run(images);
    const values = new Float32Array(count * classes);
    for (let start = 0; start < count; start += fixedBatch) {
      const rows = Math.min(fixedBatch, count - start);
      const part = new Uint8Array(fixedBatch * pixels);
      part.set(images.subarray(start * pixels, (start + rows) * pixels));
      // The last batch is padded with its first image: for a black one a network may have no number.
      for (let row = rows; row < fixedBatch; row++) part.copyWithin(row * pixels, 0, pixels);
      values.set((await run(part)).subarray(0, rows * classes), start * classes);
    }
    return values;
  };
  return {
    batch,
    classes,
    preprocessing,
    outputs,
    output: async (image, name) => {
      const tensor = await runFor(image, name);
      return { dims: tensor.dims, values: floatsOf(tensor) };
    },
    predict: async (images) => {
      const values = await outputs(images);
      if (softmax) return values;
      const probabilities = probabilitiesOf(values, classes);
      // Logits that are all −∞ have no softmax.
      const problem = problemWith(probabilities, { outputs: classes, kind: 'probabilities' });
      if (problem !== undefined) throw new DeployError(`${path}: ${problem}`);
      return probabilities;
    },
    classActivation: session.outputMetadata.some(({ name }) => name === classActivationName)
      ? async (image) => {
          const tensor = await runFor(image, classActivationName);
          const [, count = 0, rows = 0, columns = 0] = tensor.dims;
          const values = floatsOf(tensor);
          const whole = count === classes && values.length === classes * rows * columns;
          if (whole && values.every(Number.isFinite)) return { height: rows, width: columns, values };
          throw new DeployError(
            `${path}: expected ${classActivationName} [1, ${classes}, h, w] of numbers, received [${tensor.dims.join(', ')}]`,
          );
        }
      : undefined,
    features: featuresIn(session.outputMetadata, async (images, length) => {
      const count = images.length / pixels;
      const values = floatsOf(await runFor(images, featuresName));
      const problem =
        values.length === count * length
          ? problemWith(values, { outputs: length, kind: 'features' })
          : `expected ${count} × ${length} features, as the file says, received ${values.length}`;
      if (problem !== undefined) throw new DeployError(`${path}: ${problem}`);
      return values;
    }),
    release: () => session.release(),
  };
}

function featuresIn(
  outputs: OnnxSession['session']['outputMetadata'],
  compute: (images: Uint8Array, length: number) => Promise<Float32Array>,
): OnnxFeatures | undefined {
  const output = outputs.find(({ name }) => name === featuresName);
  const [, length, ...sides] = output?.isTensor ? output.shape : [];
  if (typeof length !== 'number' || sides.length > 0) return undefined;
  return { length, compute: (images) => compute(images, length) };
}

const adviceOnLogits =
  '; the file, or --probabilities, says that its outputs are probabilities: without that they are taken for logits';

/** The images in the model's own type and layout. */
function valuesFor(
  { type, layout, preprocessing }: FileInput,
  images: Uint8Array,
): Uint8Array | Float32Array | Uint16Array {
  if (type === 'uint8') return layout === 'nhwc' ? images : planesOf(images, preprocessing);
  const scaled = (layout === 'nhwc' ? scaledPixels : scaledPlanes)(images, preprocessing);
  return type === 'float16' ? Uint16Array.from(scaled, float16Bits) : scaled;
}
