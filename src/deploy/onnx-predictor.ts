/** Predictions by ONNX Runtime: pictures as bytes in, probabilities out, whatever the file's own input and output are. */
import type { Preprocessing } from '../data/preprocess.ts';
import type { Predictor } from '../evaluate/predict.ts';
import { DeployError } from './deploy-error.ts';
import { probabilitiesOf, scaledPlanes } from './image-tensors.ts';
import {
  type InferenceSession,
  loadRuntime,
  openSession,
  type SessionOptions,
  type Tensor,
} from './runtime.ts';

export { probabilitiesOf, scaledPlanes };

export interface OnnxPredictor extends Predictor {
  /** What the model gives, [n, classes]: logits, or probabilities. Images are bytes [n, height, width, channels]. */
  outputs(images: Uint8Array): Promise<Float32Array>;
  /** From bytes [n, height, width, channels], for any n of at least 1, to probabilities [n, classes]. */
  predict(images: Uint8Array): Promise<Float32Array>;
  /** Gives the session back. Not to be done over and over in one process. */
  release(): Promise<void>;
}

export interface PredictorOptions extends SessionOptions {
  readonly path: string;
  readonly preprocessing: Preprocessing;
  /** Whether the file's output are probabilities already. */
  readonly softmax: boolean;
  /** Pictures that an evaluation gives at a time. Default 16. */
  readonly batch?: number | undefined;
}

/** Opens a model's bytes, which have been walked, for prediction. @throws DeployError */
export async function openOnnxPredictor(
  model: Uint8Array,
  options: PredictorOptions,
): Promise<OnnxPredictor> {
  const session = await openSession(model, options);
  const { Tensor } = await loadRuntime();
  const { preprocessing, softmax, batch = 16 } = options;
  const input = inputOf(session, options);
  const [height, width] = preprocessing.size;
  const channels = preprocessing.channels ?? 3;
  const pixels = height * width * channels;
  const outputName = session.outputNames[0] as string;
  const classes = classesOf(session, options.path);
  const outputs = async (images: Uint8Array): Promise<Float32Array> => {
    const count = images.length / pixels;
    if (!Number.isInteger(count) || count === 0) {
      throw new DeployError(
        `${options.path}: expected images of n × ${[height, width, channels].join('×')} bytes, received ${images.length}`,
      );
    }
    const tensor: Tensor =
      input.type === 'uint8'
        ? new Tensor('uint8', images, [count, height, width, channels])
        : new Tensor('float32', scaledPlanes(images, preprocessing), [count, channels, height, width]);
    const results = await session.run({ [input.name]: tensor });
    return (results[outputName] as Tensor).data as Float32Array;
  };
  return {
    batch,
    classes,
    outputs,
    predict: async (images) => {
      const values = await outputs(images);
      return softmax ? values : probabilitiesOf(values, classes);
    },
    release: () => session.release(),
  };
}

/** The file's only input, which has to be one that pictures can be given to. */
function inputOf(
  session: InferenceSession,
  { path, preprocessing }: PredictorOptions,
): { name: string; type: 'uint8' | 'float32' } {
  const [input, ...others] = session.inputMetadata;
  const [height, width] = preprocessing.size;
  const channels = preprocessing.channels ?? 3;
  const accepted = { uint8: [height, width, channels], float32: [channels, height, width] };
  if (input?.isTensor && others.length === 0 && (input.type === 'uint8' || input.type === 'float32')) {
    const [, ...sizes] = input.shape;
    const free = input.shape.length === 4 && typeof input.shape[0] === 'string';
    if (free && sizes.join() === accepted[input.type].join()) return { name: input.name, type: input.type };
  }
  const received = session.inputMetadata.map((each) =>
    each.isTensor ? `${each.name}: ${each.type} [${each.shape.join(', ')}]` : each.name,
  );
  throw new DeployError(
    `${path}: expected one input, float32 [n, ${accepted.float32.join(', ')}] or uint8 [n, ${accepted.uint8.join(', ')}], received ${received.join('; ') || 'none'}`,
  );
}

function classesOf(session: InferenceSession, path: string): number {
  const [output] = session.outputMetadata;
  if (output?.isTensor && output.type === 'float32' && output.shape.length === 2) {
    const classes = output.shape[1];
    if (typeof classes === 'number') return classes;
  }
  const received = output?.isTensor ? `${output.type} [${output.shape.join(', ')}]` : 'none';
  throw new DeployError(`${path}: expected an output float32 [n, classes], received ${received}`);
}
