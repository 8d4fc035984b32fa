/** Predictions by ONNX Runtime: images as bytes in, probabilities out, whatever the file's own input and output are. */
import type { Preprocessing } from '../../images/preprocess.ts';
import type { Predictor } from '../../predict/predict-images.ts';
import { DeployError } from '../deploy-error.ts';
import { classesOf, inputOf, type SizedByFile } from './file-input.ts';
import { probabilitiesOf, scaledPlanes } from './image-tensors.ts';
import { loadRuntime, openSession, type SessionOptions, type Tensor } from './runtime.ts';

export { probabilitiesOf, scaledPlanes };

export interface OnnxPredictor extends Predictor {
  /** As asked for, with the file's size where none was. */
  readonly preprocessing: Preprocessing;
  /** What the model gives, [n, classes]: logits, or probabilities. Images are bytes [n, height, width, channels]. */
  outputs(images: Uint8Array): Promise<Float32Array>;
  /** From bytes [n, height, width, channels], for any n of at least 1, to probabilities [n, classes]. */
  predict(images: Uint8Array): Promise<Float32Array>;
  /** Gives the session back. Not to be done over and over in one process. */
  release(): Promise<void>;
}

export interface PredictorOptions extends SessionOptions {
  readonly path: string;
  readonly preprocessing: SizedByFile;
  /** Whether the file's output are probabilities already. */
  readonly softmax: boolean;
  /** Images that an evaluation gives at a time. Default 16. */
  readonly batch?: number | undefined;
}

/** Opens a model's bytes, which have been walked, for prediction. @throws DeployError */
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
    for (let from = 0; from < count; from += fixedBatch) {
      const rows = Math.min(fixedBatch, count - from);
      // The last ones are filled up with black images.
      const part = new Uint8Array(fixedBatch * pixels);
      part.set(images.subarray(from * pixels, (from + rows) * pixels));
      values.set((await run(part)).subarray(0, rows * classes), from * classes);
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
