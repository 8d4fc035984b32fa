/**
 * Resizing with byte-identical results to other libraries. Published accuracies depend on one particular resizer, and resizers
 * disagree by up to 2.6 points. Pure; also for browsers.
 *
 * Pillow: the arithmetic of Resample.c up to version 12, which is antialiased, with coefficients in 22-bit fixed point; the
 * horizontal pass comes first and is rounded to bytes (version 13 may run the vertical pass first, which changes single values).
 * TensorFlow 1's `resize_bilinear` has no half-pixel centres and no antialiasing; its float32 results are rounded to bytes here.
 */
import type { Image } from './image.ts';

/** `bilinear` samples with half-pixel centres and no antialiasing ({@link resample}), as in training. */
export const resamplingKernels = [
  'bilinear',
  'pillow-bilinear',
  'pillow-bicubic',
  'tf-bilinear',
  'tf-bilinear-corners',
] as const;
/** The kernels of other libraries that images are resized with. */
export type ResamplingKernel = (typeof resamplingKernels)[number];

/** The kernels that resize whole images; `bilinear` is handled by {@link resample}. */
export type ResizeKernel = Exclude<ResamplingKernel, 'bilinear'>;

type Size = readonly [height: number, width: number];

/** For every output position the first input position, the number of inputs, and their weights (`taps` per output). */
interface Coefficients {
  readonly first: Int32Array;
  readonly counts: Int32Array;
  readonly weights: Float64Array;
  readonly taps: number;
}

/** Resizes a whole image. */
export function resize(image: Image, kernel: ResizeKernel, [height, width]: Size): Image {
  const filter = pillowFilters[kernel];
  if (filter) return pillowResize(image, filter, [height, width]);
  return tensorflowResize(image, { corners: kernel === 'tf-bilinear-corners', size: [height, width] });
}

interface Filter {
  readonly support: number;
  readonly weight: (distance: number) => number;
}

const pillowFilters: Readonly<Partial<Record<ResizeKernel, Filter>>> = {
  'pillow-bilinear': { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  'pillow-bicubic': { support: 2, weight: cubic },
};

/** The Keys cubic kernel with a = −1/2. */
function cubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** Fraction bits of Pillow's coefficients for bytes. */
const precision = 22;

function pillowCoefficients(input: number, output: number, { support, weight }: Filter): Coefficients {
  const scale = input / output;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const taps = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(output);
  const counts = new Int32Array(output);
  const weights = new Float64Array(output * taps);
  for (let index = 0; index < output; index++) {
    const centre = (index + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(input, Math.trunc(centre + reach + 0.5));
    const current = weights.subarray(index * taps, index * taps + end - start);
    let sum = 0;
    for (let tap = 0; tap < current.length; tap++) {
      current[tap] = weight((tap + start - centre + 0.5) * (1 / stretch));
      sum += current[tap] as number;
    }
    for (let tap = 0; tap < current.length; tap++) {
      const fixed = ((current[tap] as number) / (sum === 0 ? 1 : sum)) * 2 ** precision;
      current[tap] = Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
    first[index] = start;
    counts[index] = end - start;
  }
  return { first, counts, weights, taps };
}

const clip = (value: number): number => Math.min(255, Math.max(0, value));

function pillowResize(image: Image, filter: Filter, [height, width]: Size): Image {
  const { channels } = image;
  let { data } = image;
  // A pass is skipped, as in Pillow, if the side keeps its length.
  if (width !== image.width) {
    const coefficients = pillowCoefficients(image.width, width, filter);
    const next = new Uint8Array(image.height * width * channels);
    const sums = new Float64Array(channels);
    for (let y = 0, index = 0; y < image.height; y++) {
      const row = y * image.width * channels;
      for (let x = 0; x < width; x++) {
        sums.fill(2 ** (precision - 1));
        const count = coefficients.counts[x] as number;
        let source = row + (coefficients.first[x] as number) * channels;
        for (let tap = x * coefficients.taps, end = tap + count; tap < end; tap++) {
          const weight = coefficients.weights[tap] as number;
          for (let channel = 0; channel < channels; channel++)
            sums[channel] = (sums[channel] as number) + (data[source++] as number) * weight;
        }
        for (let channel = 0; channel < channels; channel++)
          next[index++] = clip(Math.floor((sums[channel] as number) / 2 ** precision));
      }
    }
    data = next;
  }
  if (height !== image.height) {
    const coefficients = pillowCoefficients(image.height, height, filter);
    const rowLength = width * channels;
    const next = new Uint8Array(height * rowLength);
    const sums = new Float64Array(rowLength);
    for (let y = 0; y < height; y++) {
      sums.fill(2 ** (precision - 1));
      const first = coefficients.first[y] as number;
      for (let tap = 0; tap < (coefficients.counts[y] as number); tap++) {
        const weight = coefficients.weights[y * coefficients.taps + tap] as number;
        const row = (first + tap) * rowLength;
        for (let index = 0; index < rowLength; index++)
          sums[index] = (sums[index] as number) + (data[row + index] as number) * weight;
      }
      for (let index = 0; index < rowLength; index++)
        next[y * rowLength + index] = clip(Math.floor((sums[index] as number) / 2 ** precision));
    }
    data = next;
  }
  return { height, width, channels, data };
}

interface Neighbours {
  readonly lower: Int32Array;
  readonly upper: Int32Array;
  readonly upperWeight: Float32Array;
}

function tensorflowNeighbours(input: number, output: number, corners: boolean): Neighbours {
  const scale = Math.fround(corners && output > 1 ? (input - 1) / (output - 1) : input / output);
  const lower = new Int32Array(output);
  const upper = new Int32Array(output);
  const upperWeight = new Float32Array(output);
  for (let index = 0; index < output; index++) {
    const position = Math.fround(index * scale);
    lower[index] = Math.min(Math.floor(position), input - 1);
    upper[index] = Math.min(Math.floor(position) + 1, input - 1);
    upperWeight[index] = position - Math.floor(position);
  }
  return { lower, upper, upperWeight };
}

function tensorflowResize(
  image: Image,
  { corners, size: [height, width] }: { corners: boolean; size: Size },
): Image {
  const { channels, data } = image;
  const rows = tensorflowNeighbours(image.height, height, corners);
  const columns = tensorflowNeighbours(image.width, width, corners);
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
