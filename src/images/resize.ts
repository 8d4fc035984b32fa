/**
 * Resizing with byte-identical results to other libraries. Published accuracies depend on one particular resizer, and resizers
 * disagree by up to 2.6 points. Pure; also for browsers.
 *
 * Pillow: the arithmetic of Resample.c up to version 12, which is antialiased, with coefficients in 22-bit fixed point; the
 * horizontal pass comes first and is rounded to bytes (version 13 may run the vertical pass first, which changes single values).
 * TensorFlow 1's `resize_bilinear` has no half-pixel centres and no antialiasing; its float32 results are rounded to bytes here.
 */
import { cropImage, type Image, type Part } from './image.ts';

/** `bilinear` samples with half-pixel centres and no antialiasing ({@link resample}), as in training. */
export const resamplingKernels = [
  'bilinear',
  'pillow-nearest',
  'pillow-box',
  'pillow-bilinear',
  'pillow-hamming',
  'pillow-bicubic',
  'pillow-lanczos',
  'tf-bilinear',
  'tf-bilinear-corners',
] as const;
/** The kernels of other libraries that images are resized with. */
export type ResamplingKernel = (typeof resamplingKernels)[number];

/** The kernels that resize whole images; `bilinear` is handled by {@link resample}. */
export type ResizeKernel = Exclude<ResamplingKernel, 'bilinear'>;

type Size = readonly [height: number, width: number];

/** What is computed of a resized image. */
export interface Resizing {
  /** Of the whole resized image. */
  readonly size: Size;
  /**
   * The rectangle of it that is computed, with the same bits as if it were cut from the whole; default: all of it. The cost
   * follows this part, whatever the image's aspect ratio.
   */
  readonly part?: Part;
}

/** The output positions `first` … `first + count − 1` of `output`, along one axis. */
interface Axis {
  readonly input: number;
  readonly output: number;
  readonly first: number;
  readonly count: number;
}

const axesOf = (image: Image, { size: [height, width], part }: Resizing): { rows: Axis; columns: Axis } => ({
  rows: { input: image.height, output: height, first: part?.top ?? 0, count: part?.height ?? height },
  columns: { input: image.width, output: width, first: part?.left ?? 0, count: part?.width ?? width },
});

/** For every output position the first input position, the number of inputs, and their weights (`taps` per output). */
interface Coefficients {
  readonly first: Int32Array;
  readonly counts: Int32Array;
  /** In fixed point. */
  readonly weights: Int32Array;
  readonly taps: number;
}

/** Resizes a whole image, or computes a part of the resized image. */
export function resize(image: Image, kernel: ResizeKernel, resizing: Resizing): Image {
  const axes = axesOf(image, resizing);
  if (kernel === 'pillow-nearest') return pillowNearest(image, axes);
  const filter = pillowFilters[kernel];
  return filter
    ? pillowResize(image, filter, axes)
    : tensorflowResize(image, { corners: kernel === 'tf-bilinear-corners', ...axes });
}

interface Filter {
  readonly support: number;
  readonly weight: (distance: number) => number;
}

const pillowFilters: Readonly<Partial<Record<ResizeKernel, Filter>>> = {
  'pillow-box': { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  'pillow-bilinear': { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  'pillow-hamming': {
    support: 1,
    weight: (x) => (Math.abs(x) < 1 ? sinc(x) * (0.54 + 0.46 * Math.cos(x * Math.PI)) : 0),
  },
  'pillow-bicubic': { support: 2, weight: cubic },
  'pillow-lanczos': { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

/** The Keys cubic kernel with a = −1/2. */
function cubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** Fraction bits of Pillow's coefficients for bytes. */
const precision = 22;

function pillowCoefficients(
  { input, output, first: offset, count }: Axis,
  { support, weight }: Filter,
): Coefficients {
  const scale = input / output;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const taps = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(count);
  const counts = new Int32Array(count);
  const weights = new Int32Array(count * taps);
  const exact = new Float64Array(taps);
  for (let index = 0; index < count; index++) {
    const centre = (offset + index + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(input, Math.trunc(centre + reach + 0.5));
    let sum = 0;
    for (let tap = 0; tap < end - start; tap++) {
      exact[tap] = weight((tap + start - centre + 0.5) * (1 / stretch));
      sum += exact[tap] as number;
    }
    for (let tap = 0; tap < end - start; tap++) {
      const fixed = ((exact[tap] as number) / (sum === 0 ? 1 : sum)) * 2 ** precision;
      weights[index * taps + tap] = Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
    first[index] = start;
    counts[index] = end - start;
  }
  return { first, counts, weights, taps };
}

const clip = (value: number): number => Math.min(255, Math.max(0, value));

/** Half a unit of the last place, so that the shift rounds. */
const half = 2 ** (precision - 1);

function pillowResize(image: Image, filter: Filter, { rows, columns }: { rows: Axis; columns: Axis }): Image {
  // A pass is skipped, as in Pillow, if the side keeps its length.
  const vertical = rows.output === rows.input ? undefined : pillowCoefficients(rows, filter);
  const horizontal = columns.output === columns.input ? undefined : pillowCoefficients(columns, filter);
  // The rows of the image that the result depends on.
  const [top, bottom] = vertical ? inputsOf(vertical) : [rows.first, rows.first + rows.count];
  const band = { top, left: 0, height: bottom - top, width: image.width };
  const narrowed = horizontal
    ? pillowColumns(image, band, horizontal)
    : cropImage(image, { ...band, left: columns.first, width: columns.count });
  return vertical ? pillowRows(narrowed, vertical, top) : narrowed;
}

/** The horizontal pass over a band of rows. */
function pillowColumns(
  { channels, width: imageWidth, data }: Image,
  { top, height }: Part,
  { first, counts, weights, taps }: Coefficients,
): Image {
  const width = first.length;
  const result = new Uint8Array(height * width * channels);
  let index = 0;
  for (let y = top; y < top + height; y++) {
    const row = y * imageWidth * channels;
    for (let x = 0; x < width; x++) {
      let source = row + (first[x] as number) * channels;
      const end = x * taps + (counts[x] as number);
      // As in Pillow, the sums fit into 32 bits. One loop for each number of channels is several times faster than a loop over them.
      if (channels === 1) {
        let grey = half;
        for (let tap = x * taps; tap < end; tap++)
          grey = (grey + Math.imul(data[source++] as number, weights[tap] as number)) | 0;
        result[index++] = clip(grey >> precision);
        continue;
      }
      let red = half;
      let green = half;
      let blue = half;
      for (let tap = x * taps; tap < end; tap++) {
        const weight = weights[tap] as number;
        red = (red + Math.imul(data[source] as number, weight)) | 0;
        green = (green + Math.imul(data[source + 1] as number, weight)) | 0;
        blue = (blue + Math.imul(data[source + 2] as number, weight)) | 0;
        source += 3;
      }
      result[index++] = clip(red >> precision);
      result[index++] = clip(green >> precision);
      result[index++] = clip(blue >> precision);
    }
  }
  return { height, width, channels, data: result };
}

/** The vertical pass over a band that begins at row `top` of the image. */
function pillowRows(
  { channels, width, data }: Image,
  { first, counts, weights, taps }: Coefficients,
  top: number,
): Image {
  const height = first.length;
  const rowLength = width * channels;
  const result = new Uint8Array(height * rowLength);
  const sums = new Int32Array(rowLength);
  for (let y = 0; y < height; y++) {
    sums.fill(half);
    for (let tap = 0; tap < (counts[y] as number); tap++) {
      const weight = weights[y * taps + tap] as number;
      const row = ((first[y] as number) - top + tap) * rowLength;
      for (let index = 0; index < rowLength; index++)
        sums[index] = (sums[index] as number) + Math.imul(data[row + index] as number, weight);
    }
    for (let index = 0; index < rowLength; index++)
      result[y * rowLength + index] = clip((sums[index] as number) >> precision);
  }
  return { height, width, channels, data: result };
}

/** The input positions from the first to behind the last that any output reads. */
function inputsOf({ first, counts }: Coefficients): readonly [first: number, end: number] {
  // Both ends grow with the output position.
  const last = first.length - 1;
  return [first[0] as number, (first[last] as number) + (counts[last] as number)];
}

/** Pillow's nearest neighbour, for which it sums the step up instead of multiplying it. */
function pillowNearest(image: Image, { rows, columns }: { rows: Axis; columns: Axis }): Image {
  const { channels, data } = image;
  const [sourceRows, sourceColumns] = [nearestPositions(rows), nearestPositions(columns)];
  const result = new Uint8Array(rows.count * columns.count * channels);
  let index = 0;
  for (const y of sourceRows)
    for (const x of sourceColumns)
      for (let channel = 0; channel < channels; channel++)
        result[index++] = data[(y * image.width + x) * channels + channel] as number;
  return { height: rows.count, width: columns.count, channels, data: result };
}

function nearestPositions({ input, output, first, count }: Axis): Int32Array {
  const positions = new Int32Array(count);
  const step = input / output;
  let position = step * 0.5;
  for (let index = 0; index < first + count; index++) {
    if (index >= first) positions[index - first] = Math.min(Math.trunc(position), input - 1);
    position += step;
  }
  return positions;
}

interface Neighbours {
  readonly lower: Int32Array;
  readonly upper: Int32Array;
  readonly upperWeight: Float32Array;
}

function tensorflowNeighbours(
  { input, output, first, count }: Axis,
  { corners }: { corners: boolean },
): Neighbours {
  const scale = Math.fround(corners && output > 1 ? (input - 1) / (output - 1) : input / output);
  const lower = new Int32Array(count);
  const upper = new Int32Array(count);
  const upperWeight = new Float32Array(count);
  for (let index = 0; index < count; index++) {
    const position = Math.fround((first + index) * scale);
    lower[index] = Math.min(Math.floor(position), input - 1);
    upper[index] = Math.min(Math.floor(position) + 1, input - 1);
    upperWeight[index] = position - Math.floor(position);
  }
  return { lower, upper, upperWeight };
}

function tensorflowResize(
  image: Image,
  { corners, ...axes }: { corners: boolean; rows: Axis; columns: Axis },
): Image {
  const { channels, data } = image;
  const [height, width] = [axes.rows.count, axes.columns.count];
  const rows = tensorflowNeighbours(axes.rows, { corners });
  const columns = tensorflowNeighbours(axes.columns, { corners });
  const result = new Uint8Array(height * width * channels);
  const rowLength = image.width * channels;
  const mix = (a: number, b: number, weight: number) => Math.fround(a + Math.fround((b - a) * weight));
  for (let y = 0, index = 0; y < height; y++) {
    const upper = (rows.lower[y] as number) * rowLength;
    const lower = (rows.upper[y] as number) * rowLength;
    const rowWeight = rows.upperWeight[y] as number;
    for (let x = 0; x < width; x++) {
      const left = (columns.lower[x] as number) * channels;
      const right = (columns.upper[x] as number) * channels;
      const columnWeight = columns.upperWeight[x] as number;
      for (let channel = 0; channel < channels; channel++) {
        const top = mix(
          data[upper + left + channel] as number,
          data[upper + right + channel] as number,
          columnWeight,
        );
        const bottom = mix(
          data[lower + left + channel] as number,
          data[lower + right + channel] as number,
          columnWeight,
        );
        result[index++] = Math.round(mix(top, bottom, rowWeight));
      }
    }
  }
  return { height, width, channels, data: result };
}
