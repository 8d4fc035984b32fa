/** The image input of any ONNX file: its name, type, layout, size and batch size. */
import type { Preprocessing } from '../../images/preprocess.ts';
import { DeployError } from '../deploy-error.ts';
import { maxElements } from './measure-graph.ts';
import type { InferenceSession } from './runtime.ts';

/** A preprocessing whose size may be taken from the file. */
export type SizedByFile = Omit<Preprocessing, 'size'> & Partial<Pick<Preprocessing, 'size'>>;

/** Planes [n, c, h, w], or pixels [n, h, w, c]. */
export type Layout = 'nchw' | 'nhwc';

export interface FileInput {
  readonly name: string;
  /** `uint8` is not scaled: the model does that itself. */
  readonly type: 'uint8' | 'float32' | 'float16';
  readonly layout: Layout;
  /** Batch size of a file that accepts only one, the default of PyTorch's exporters. */
  readonly fixedBatch: number | undefined;
  readonly preprocessing: Preprocessing;
}

/** A string is a symbolic dimension of any size. */
export type Dimension = number | string;

/** Axes of height, width and channels after the batch axis. */
const imageAxes: Readonly<Record<Layout, readonly [number, number, number]>> = {
  nchw: [1, 2, 0],
  nhwc: [0, 1, 2],
};

/** The layouts of each type, the usual one first: where both fit a shape, the first is meant. */
const layouts: Readonly<Record<FileInput['type'], readonly Layout[]>> = {
  uint8: ['nhwc', 'nchw'],
  float32: ['nchw', 'nhwc'],
  float16: ['nchw', 'nhwc'],
};

/** Images that a file may demand at once. */
const maxFixedBatch = 1024;

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
  if (input?.isTensor && otherInputs.length === 0 && input.type in layouts && input.shape.length === 4) {
    const type = input.type as FileInput['type'];
    const [batch, ...sizes] = input.shape.map(symbolic) as [Dimension, ...Dimension[]];
    const layout = layouts[type].find((each) => acceptsImages(each, sizes, preprocessing));
    if (layout) {
      const [height, width, channels] = imageAxes[layout].map((axis) => sizes[axis] as Dimension) as [
        Dimension,
        Dimension,
        Dimension,
      ];
      if (!preprocessing.size && (typeof height === 'string' || typeof width === 'string'))
        throw new DeployError(
          `${path}: its input accepts images of any size (${received}); expected a 'size' in the preprocessing (--input-size)`,
        );
      const size = preprocessing.size ?? ([height, width] as [number, number]);
      const planes = preprocessing.channels ?? (channels === 1 ? 1 : 3);
      const fixedBatch = typeof batch === 'number' ? batch : undefined;
      checkSizes({ path, received, values: size[0] * size[1] * planes, fixedBatch });
      return {
        name: input.name,
        type,
        layout,
        fixedBatch,
        preprocessing: { ...preprocessing, size, ...(planes !== 3 && { channels: planes }) },
      };
    }
  }
  const [height, width] = preprocessing.size ?? ['height', 'width'];
  const planes = preprocessing.channels ?? 3;
  throw new DeployError(
    `${path}: expected one input of images, float32, float16 or uint8, [n, ${planes}, ${height}, ${width}] or [n, ${height}, ${width}, ${planes}], received ${received || 'none'}`,
  );
}

/** ONNX Runtime gives −1 or an empty name for a dimension that has none. */
const symbolic = (dimension: Dimension): Dimension =>
  typeof dimension === 'number' && dimension < 0 ? 'n' : dimension;

/** Whether a shape, without its batch, can be that of images in a layout. */
function acceptsImages(layout: Layout, sizes: readonly Dimension[], preprocessing: SizedByFile): boolean {
  const [height, width, channels] = imageAxes[layout].map((axis) => sizes[axis] as Dimension);
  const [expectedHeight, expectedWidth] = preprocessing.size ?? [];
  const { channels: expectedChannels } = preprocessing;
  const matches = (dimension: Dimension | undefined, expected: readonly (number | undefined)[]) =>
    typeof dimension === 'string' || expected.includes(dimension);
  return (
    matches(height, [expectedHeight ?? (height as number)]) &&
    matches(width, [expectedWidth ?? (width as number)]) &&
    matches(channels, expectedChannels === undefined ? [1, 3] : [expectedChannels])
  );
}

/** Refuses what would be allocated before the network has seen an image. */
function checkSizes({
  path,
  received,
  values,
  fixedBatch = 1,
}: {
  path: string;
  received: string;
  values: number;
  fixedBatch: number | undefined;
}): void {
  const expected = !(values > 0 && values <= maxElements)
    ? `images of at most ${maxElements} values`
    : !(fixedBatch > 0 && fixedBatch <= maxFixedBatch && fixedBatch * values <= 4 * maxElements)
      ? `batches of at most ${maxFixedBatch} images and ${4 * maxElements} values`
      : undefined;
  if (expected !== undefined) throw new DeployError(`${path}: expected ${expected}, received ${received}`);
}
