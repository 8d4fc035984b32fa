/** Predictions with ONNX Runtime: images as bytes in, probabilities out, whatever the file's input and output are. */
import type { Preprocessing } from '../../images/preprocess.ts';
import type { Predictor } from '../../predict/predict-images.ts';
import { DeployError } from '../deploy-error.ts';
import { classesOf, inputOf, type SizedByFile } from './file-input.ts';
import { probabilitiesOf, scaledPlanes } from './image-tensors.ts';
import { loadRuntime, openSession, type SessionOptions, type Tensor } from './runtime.ts';

export { probabilitiesOf, scaledPlanes };

export interface OnnxPredictor extends Predictor {
  /** As requested, with the file's size if none was given. */
  readonly preprocessing: Preprocessing;
  /** The model's outputs, [n, classes]: logits or probabilities. Images are bytes [n, height, width, channels]. */
  outputs(images: Uint8Array): Promise<Float32Array>;
  /** Maps bytes [n, height, width, channels], n ≥ 1, to probabilities [n, classes]. */
  predict(images: Uint8Array): Promise<Float32Array>;
  /** Releases the session. Should not be repeated many times in one process. */
  release(): Promise<void>;
}

export interface PredictorOptions extends SessionOptions {
  readonly path: string;
  readonly preprocessing: SizedByFile;
  /** Whether the file's output is already probabilities. */
  readonly softmax: boolean;
  /** Batch size in evaluation. Default 16. */
  readonly batch?: number | undefined;
}

/** Opens a validated model for prediction. @throws DeployError */
export async function openOnnxPredictor(
  model: Uint8Array,
  options: PredictorOptions,
): Promise<OnnxPredictor> {
  const session = await openSession(model, options);
  const { Tensor } = await loadRuntime();
  const { softmax, batch = 16 } = options;
  const { name, type, fixedBatch, preprocessing } = inputOf(session, options);
  const [height, width] = preprocessing.size;
  const channels = preprocessing.channels ?? 3;
  const pixels = height * width * channels;
  const outputName = session.outputNames[0] as string;
  const classes = classesOf(session, options);
  const run = async (images: Uint8Array): Promise<Float32Array> => {
    const count = images.length / pixels;
    const tensor: Tensor =
      type === 'uint8'
        ? new Tensor('uint8', images, [count, height, width, channels])
        : new Tensor('float32', scaledPlanes(images, preprocessing), [count, channels, height, width]);
    const results = await session.run({ [name]: tensor });
    return (results[outputName] as Tensor).data as Float32Array;
  };
  const outputs = async (images: Uint8Array): Promise<Float32Array> => {
    const count = images.length / pixels;
    if (!Number.isInteger(count) || count === 0) {
      throw new DeployError(
        `${options.path}: expected images of n × ${[height, width, channels].join('×')} bytes, received ${images.length}`,
      );
    }
    if (fixedBatch === undefined || count === fixedBatch) return run(images);
    const values = new Float32Array(count * classes);
    for (let start = 0; start < count; start += fixedBatch) {
      const rows = Math.min(fixedBatch, count - start);
      // The last batch is padded with black images.
      const part = new Uint8Array(fixedBatch * pixels);
      part.set(images.subarray(start * pixels, (start + rows) * pixels));
      values.set((await run(part)).subarray(0, rows * classes), start * classes);
    }
    return values;
  };
  return {
    batch,
    classes,
    preprocessing,
    outputs,
    predict: async (images) => {
      const values = await outputs(images);
      return softmax ? values : probabilitiesOf(values, classes);
    },
    release: () => session.release(),
  };
}
