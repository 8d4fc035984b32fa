/** The image input of any ONNX file: its name, size, layout and batch size. */
import type { Preprocessing } from '../../images/preprocess.ts';
import { DeployError } from '../deploy-error.ts';
import type { InferenceSession } from './runtime.ts';

/** A preprocessing whose size may be taken from the file. */
export type SizedByFile = Omit<Preprocessing, 'size'> & Partial<Pick<Preprocessing, 'size'>>;

export interface FileInput {
  readonly name: string;
  readonly type: 'uint8' | 'float32';
  /** Batch size of a file that accepts only one, the default of PyTorch's exporters. */
  readonly fixedBatch: number | undefined;
  readonly preprocessing: Preprocessing;
}

/** A string is a symbolic dimension of any size. */
type Dimension = number | string;

/** Axes of height, width and channels after the batch axis. */
const imageAxes = { uint8: [0, 1, 2], float32: [1, 2, 0] } as const;

/** The file's only input. @throws DeployError if it does not accept images. */
export function inputOf(
  { inputMetadata }: Pick<InferenceSession, 'inputMetadata'>,
  { path, preprocessing }: { path: string; preprocessing: SizedByFile },
): FileInput {
  const received = inputMetadata
    .map((entry) =>
      entry.isTensor ? `${entry.name}: ${entry.type} [${entry.shape.join(', ')}]` : entry.name,
    )
    .join('; ');
  const [input, ...otherInputs] = inputMetadata;
  if (input?.isTensor && otherInputs.length === 0 && (input.type === 'float32' || input.type === 'uint8')) {
    const [batch, ...sizes] = input.shape as readonly Dimension[];
    const [height, width, channels] = imageAxes[input.type].map((axis) => sizes[axis]);
    if (!preprocessing.size && [height, width].some((side) => typeof side === 'string'))
      throw new DeployError(
        `${path}: its input accepts images of any size (${received}); expected a 'size' in the preprocessing (--input-size)`,
      );
    const size = preprocessing.size ?? ([height, width] as [number, number]);
    const planes = preprocessing.channels ?? (channels === 1 ? 1 : 3);
    const matches = sizes.length === 3 && [height, width, channels].every(matchesSize([...size, planes]));
    if (matches)
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

/** Whether a dimension has the expected size, or is symbolic. */
const matchesSize =
  (expected: readonly number[]) =>
  (dimension: Dimension | undefined, index: number): boolean =>
    typeof dimension === 'string' || dimension === expected[index];

/** Number of outputs per image. @throws DeployError if the first output is not [n, classes]. */
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
