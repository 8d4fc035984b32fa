/** How images are given to an ONNX file, whoever wrote it: its input, its size, and how many it takes at a time. */
import type { Preprocessing } from '../../images/preprocess.ts';
import { DeployError } from '../deploy-error.ts';
import type { InferenceSession } from './runtime.ts';

/** A preprocessing whose size may be the file's. */
export type SizedByFile = Omit<Preprocessing, 'size'> & Partial<Pick<Preprocessing, 'size'>>;

export interface FileInput {
  readonly name: string;
  readonly type: 'uint8' | 'float32';
  /** Of a file that takes one number of images only, as PyTorch writes it unless told otherwise. */
  readonly fixedBatch: number | undefined;
  readonly preprocessing: Preprocessing;
}

/** A name stands for any number. */
type Dimension = number | string;

/** Where height, width and channels stand behind the batch. */
const places = { uint8: [0, 1, 2], float32: [1, 2, 0] } as const;

/** The file's only input. @throws DeployError when it is not one that images can be given to. */
export function inputOf(
  { inputMetadata }: Pick<InferenceSession, 'inputMetadata'>,
  { path, preprocessing }: { path: string; preprocessing: SizedByFile },
): FileInput {
  const received = inputMetadata
    .map((each) => (each.isTensor ? `${each.name}: ${each.type} [${each.shape.join(', ')}]` : each.name))
    .join('; ');
  const [input, ...others] = inputMetadata;
  if (input?.isTensor && others.length === 0 && (input.type === 'float32' || input.type === 'uint8')) {
    const [batch, ...sizes] = input.shape as readonly Dimension[];
    const [height, width, channels] = places[input.type].map((place) => sizes[place]);
    if (!preprocessing.size && [height, width].some((side) => typeof side === 'string'))
      throw new DeployError(
        `${path}: its input takes images of any size (${received}); expected a 'size' with the preprocessing (--input-size)`,
      );
    const size = preprocessing.size ?? ([height, width] as [number, number]);
    const planes = preprocessing.channels ?? (channels === 1 ? 1 : 3);
    const fits = sizes.length === 3 && [height, width, channels].every(isAnyOf([...size, planes]));
    if (fits)
      return {
        name: input.name,
        type: input.type,
        fixedBatch: typeof batch === 'number' ? batch : undefined,
        preprocessing: { ...preprocessing, size, ...(planes === 1 && { channels: planes }) },
      };
  }
  const [height, width] = preprocessing.size ?? ['height', 'width'];
  const planes = preprocessing.channels ?? 3;
  throw new DeployError(
    `${path}: expected one input, float32 [n, ${planes}, ${height}, ${width}] or uint8 [n, ${height}, ${width}, ${planes}], received ${received || 'none'}`,
  );
}

/** Whether a dimension is the one at its place, or any. */
const isAnyOf =
  (expected: readonly number[]) =>
  (dimension: Dimension | undefined, place: number): boolean =>
    typeof dimension === 'string' || dimension === expected[place];

/** Outputs of one image. @throws DeployError when the first output is not [n, classes]. */
export function classesOf(
  { outputMetadata }: Pick<InferenceSession, 'outputMetadata'>,
  { path }: { path: string },
): number {
  const [output] = outputMetadata;
  if (output?.isTensor && output.type === 'float32' && output.shape.length === 2) {
    const classes = output.shape[1];
    if (typeof classes === 'number') return classes;
  }
  const received = output?.isTensor ? `${output.type} [${output.shape.join(', ')}]` : 'none';
  throw new DeployError(`${path}: expected an output float32 [n, classes], received ${received}`);
}
