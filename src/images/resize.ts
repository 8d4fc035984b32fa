/**
 * Resizing that gives the very bytes of other libraries. Published accuracies belong to one resizer each, and resizers
 * disagree by up to 2.6 points. Pure; also for browsers.
 *
 * Pillow's arithmetic is that of its Resample.c up to version 12: antialiased, coefficients in 22-bit fixed point, the
 * horizontal pass first and rounded to bytes (version 13 may take the vertical one first, which moves single values). TensorFlow 1's `resize_bilinear` has no half-pixel centres and no antialiasing; its float32
 * results are rounded to bytes here.
 */
import type { Image } from './image.ts';

/** `bilinear` is sampling with half-pixel centres without antialiasing ({@link resample}), as training does. */
export const kernels = [
  'bilinear',
  'pillow-bilinear',
  'pillow-bicubic',
  'tf-bilinear',
  'tf-bilinear-corners',
] as const;
export type Kernel = (typeof kernels)[number];

/** The kernels that resize whole pixels; `bilinear` is not one of them. */
export type ResizeKernel = Exclude<Kernel, 'bilinear'>;

type Size = readonly [height: number, width: number];

/** For every output place the first input place and the weights of those from there on, `taps` each. */
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

/** Keys's cubic with a = −1/2. */
function cubic(distance: number): number {
  const a = -0.5;
  const x = Math.abs(distance);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** Bits after the point of Pillow's coefficients for bytes. */
const precision = 22;

function pillowCoefficients(input: number, output: number, { support, weight }: Filter): Coefficients {
  const scale = input / output;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const taps = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(output);
  const counts = new Int32Array(output);
  const weights = new Float64Array(output * taps);
  for (let at = 0; at < output; at++) {
    const centre = (at + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - reach + 0.5));
    const to = Math.min(input, Math.trunc(centre + reach + 0.5));
    const own = weights.subarray(at * taps, at * taps + to - from);
    let sum = 0;
    for (let tap = 0; tap < own.length; tap++) {
      own[tap] = weight((tap + from - centre + 0.5) * (1 / stretch));
      sum += own[tap] as number;
    }
    for (let tap = 0; tap < own.length; tap++) {
      const fixed = ((own[tap] as number) / (sum === 0 ? 1 : sum)) * 2 ** precision;
      own[tap] = Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
    first[at] = from;
    counts[at] = to - from;
  }
  return { first, counts, weights, taps };
}

const clip = (value: number): number => Math.min(255, Math.max(0, value));

function pillowResize(image: Image, filter: Filter, [height, width]: Size): Image {
  const { channels } = image;
  let { data } = image;
  // A pass over a side that stays as it is would change nothing; Pillow leaves it out too.
  if (width !== image.width) {
    const coefficients = pillowCoefficients(image.width, width, filter);
    const next = new Uint8Array(image.height * width * channels);
    const sums = new Float64Array(channels);
    for (let y = 0, at = 0; y < image.height; y++) {
      const row = y * image.width * channels;
      for (let x = 0; x < width; x++) {
        sums.fill(2 ** (precision - 1));
        const count = coefficients.counts[x] as number;
        let from = row + (coefficients.first[x] as number) * channels;
        for (let tap = x * coefficients.taps, end = tap + count; tap < end; tap++) {
          const weight = coefficients.weights[tap] as number;
          for (let channel = 0; channel < channels; channel++)
            sums[channel] = (sums[channel] as number) + (data[from++] as number) * weight;
        }
        for (let channel = 0; channel < channels; channel++)
          next[at++] = clip(Math.floor((sums[channel] as number) / 2 ** precision));
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
        for (let at = 0; at < rowLength; at++)
          sums[at] = (sums[at] as number) + (data[row + at] as number) * weight;
      }
      for (let at = 0; at < rowLength; at++)
        next[y * rowLength + at] = clip(Math.floor((sums[at] as number) / 2 ** precision));
    }
    data = next;
  }
  return { height, width, channels, data };
}

interface Neighbours {
  readonly lower: Int32Array;
  readonly upper: Int32Array;
  readonly share: Float32Array;
}

function tensorflowNeighbours(input: number, output: number, corners: boolean): Neighbours {
  const scale = Math.fround(corners && output > 1 ? (input - 1) / (output - 1) : input / output);
  const lower = new Int32Array(output);
  const upper = new Int32Array(output);
  const share = new Float32Array(output);
  for (let at = 0; at < output; at++) {
    const place = Math.fround(at * scale);
    lower[at] = Math.min(Math.floor(place), input - 1);
    upper[at] = Math.min(Math.floor(place) + 1, input - 1);
    share[at] = place - Math.floor(place);
  }
  return { lower, upper, share };
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
  const mix = (a: number, b: number, share: number) => Math.fround(a + Math.fround((b - a) * share));
  for (let y = 0, at = 0; y < height; y++) {
    const above = (rows.lower[y] as number) * rowLength;
    const below = (rows.upper[y] as number) * rowLength;
    const down = rows.share[y] as number;
    for (let x = 0; x < width; x++) {
      const left = (columns.lower[x] as number) * channels;
      const right = (columns.upper[x] as number) * channels;
      const across = columns.share[x] as number;
      for (let channel = 0; channel < channels; channel++) {
        const top = mix(
          data[above + left + channel] as number,
          data[above + right + channel] as number,
          across,
        );
        const bottom = mix(
          data[below + left + channel] as number,
          data[below + right + channel] as number,
          across,
        );
        result[at++] = Math.round(mix(top, bottom, down));
      }
    }
  }
  return { height, width, channels, data: result };
}
