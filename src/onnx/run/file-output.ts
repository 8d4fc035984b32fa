/** Which of an ONNX file's outputs are the scores of the classes, and their values as float32. */
import { DeployError } from '../deploy-error.ts';
import { float16Value } from '../float16-bits.ts';
import type { Dimension } from './file-input.ts';
import type { InferenceSession, Tensor } from './runtime.ts';

export interface FileOutput {
  readonly name: string;
  /** Values for each image. */
  readonly classes: number;
  /** Outputs of the same kind, which are not used: those of auxiliary classifiers. */
  readonly unused: readonly string[];
}

/** Classes at most: the largest sets of labels that networks are trained on have 21,843 and 292,000. */
export const maxClasses = 1 << 20;

/**
 * The first output that has numbers for each image: float32 or float16, [n, classes], also with two sides of one pixel, as a network
 * without a flattening has them. Others, such as the index of the best class, are not used.
 * @throws DeployError if there is none.
 */
export function outputOf(
  { outputMetadata }: Pick<InferenceSession, 'outputMetadata'>,
  { path }: { path: string },
): FileOutput {
  const fitting = outputMetadata.flatMap((output) => {
    if (!output.isTensor || !['float32', 'float16'].includes(output.type)) return [];
    const classes = classesIn(output.shape);
    return classes === undefined ? [] : [{ name: output.name, classes }];
  });
  const [scores, ...others] = fitting;
  if (!scores) {
    const received = outputMetadata
      .map((output) => (output.isTensor ? `${output.type} [${output.shape.join(', ')}]` : output.name))
      .join('; ');
    throw new DeployError(
      `${path}: expected an output float32 or float16 [n, classes], received ${received || 'none'}`,
    );
  }
  if (scores.classes > maxClasses)
    throw new DeployError(`${path}: expected at most ${maxClasses} classes, received ${scores.classes}`);
  return { ...scores, unused: others.map(({ name }) => name) };
}

/** [n, classes], [n, classes, 1, 1] or [n, 1, 1, classes]. */
function classesIn([, ...sizes]: readonly Dimension[]): number | undefined {
  if (sizes.length !== 1 && sizes.length !== 3) return undefined;
  const classes = sizes.length === 1 ? sizes : sizes.filter((size) => size !== 1);
  const [only = 1] = classes;
  return classes.length <= 1 && typeof only === 'number' && only > 0 ? only : undefined;
}

/** A float tensor's values. Before Node.js 24, float16 is represented by its 16 bits. */
export function floatsOf({ data }: Pick<Tensor, 'data'>): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof Uint16Array) return Float32Array.from(data, float16Value);
  return Float32Array.from(data as unknown as ArrayLike<number>);
}
