/**
 * The views of an image that an evaluation averages over: one crop, AlexNet's 10, or GoogLeNet's 12 and 144 (arXiv 1409.4842,
 * section 7), with the sizes for a 224-pixel network scaled to the network's input size.
 */

import { coveringSize, resizeAny, writeInput } from './geometry.ts';
import { cropImage, type Image, type Part } from './image.ts';
import {
  describeKernel,
  describeProtocol,
  describeScaling,
  imageChannels,
  type Preprocessing,
  singleCrop,
} from './preprocess.ts';
import type { ResamplingKernel } from './resize.ts';

export const cropCounts = [1, 10, 12, 144] as const;
/** How many crops of an image are averaged: 1, 10, 12 or the 144 of the paper. */
export type CropCount = (typeof cropCounts)[number];

/** Which views of an image are predicted and averaged. */
export interface Views {
  readonly crops: CropCount;
  /** Adds the mirrored view to a single crop; larger counts include mirrored views already. */
  readonly flip?: boolean;
}

/** One view of an image. */
export interface View {
  /** Number of the protocol's crops that this view stands for; on a square image the left, centre and right squares coincide. */
  readonly weight: number;
  /** Writes [height, width, channels] into `target` at `offset`. */
  write(target: Uint8Array, offset: number): void;
}

/** GoogLeNet's shorter sides for a network of 224 pixels. */
const scales = [256, 288, 320, 352] as const;
const referenceSide = 224;

/** The views of an image, in the protocol's order. An image is resized when the first view of a scale is written. */
export function viewsOf(image: Image, preprocessing: Preprocessing, { crops, flip = false }: Views): View[] {
  const channels = imageChannels(preprocessing);
  const mirrors = crops > 1 || flip ? [false, true] : [false];
  const withMirrors = (source: () => Image, weight: number): View[] =>
    mirrors.map((mirrored) => ({
      weight,
      write: (target, offset) => writeInput(source(), { channels, flip: mirrored }, target, offset),
    }));
  if (crops === 1)
    return withMirrors(
      once(() => singleCrop(image, preprocessing)),
      1,
    );
  return (crops === 144 ? scales : scales.slice(0, 1)).flatMap((scale) => {
    const square = preprocessing.size.map((side) => Math.round((side * scale) / referenceSide)) as [
      number,
      number,
    ];
    const size = coveringSize(image, square);
    const squareOf = squaresFrom(image, { kernel: preprocessing.kernel, size, square });
    return squaresIn(size, square, crops).flatMap(({ part, weight }) => {
      const inner = once(() => squareOf(part));
      const cuts = fiveCuts(square, preprocessing.size).map((corner) =>
        once(() => cropImage(inner(), corner)),
      );
      const resized = once(() => resizeAny(inner(), preprocessing.kernel, { size: preprocessing.size }));
      return [...cuts, ...(crops === 10 ? [] : [resized])].flatMap((source) => withMirrors(source, weight));
    });
  });
}

/** Cuts squares from the image resized to `size`. The overlapping squares of usual shapes share one resized image. */
function squaresFrom(
  image: Image,
  {
    kernel,
    size,
    square,
  }: { kernel: ResamplingKernel; size: readonly [number, number]; square: readonly [number, number] },
): (part: Part) => Image {
  // Of a very long image, the parts outside the squares are not computed: they may be a thousand times larger.
  if (size[0] * size[1] > 3 * square[0] * square[1])
    return (part) => resizeAny(image, kernel, { size, part });
  const whole = once(() => resizeAny(image, kernel, { size }));
  return (part) => cropImage(whole(), part);
}

/** Left, centre and right (or top, centre and bottom) squares, or only the centre. Squares that coincide are merged. */
function squaresIn(
  [height, width]: readonly [number, number],
  square: readonly [number, number],
  crops: CropCount,
): { part: Part; weight: number }[] {
  const free: [number, number] = [height - square[0], width - square[1]];
  const fractions = crops === 144 ? [0, 0.5, 1] : [0.5];
  const squares = new Map<string, { part: Part; weight: number }>();
  for (const fraction of fractions) {
    const [top, left] = free.map((pixels) => Math.floor(pixels * fraction)) as [number, number];
    const previous = squares.get(`${top} ${left}`);
    const part = { top, left, height: square[0], width: square[1] };
    squares.set(`${top} ${left}`, { part, weight: (previous?.weight ?? 0) + 1 });
  }
  return [...squares.values()];
}

/** The four corners and the centre. */
function fiveCuts([height, width]: readonly [number, number], size: readonly [number, number]): Part[] {
  const [bottom, right] = [height - size[0], width - size[1]];
  const offsets = [
    [0, 0],
    [0, right],
    [bottom, 0],
    [bottom, right],
    [Math.floor(bottom / 2), Math.floor(right / 2)],
  ] as const;
  return offsets.map(([top, left]) => ({ top, left, height: size[0], width: size[1] }));
}

function once<T>(make: () => T): () => T {
  let cached: { value: T } | undefined;
  return () => {
    cached ??= { value: make() };
    return cached.value;
  };
}

/** Describes the protocol in words, to be printed with every result. */
export function describeViews(preprocessing: Preprocessing, { crops, flip = false }: Views): string {
  if (crops === 1)
    return `${describeProtocol(preprocessing)}${flip ? ', averaged with its mirror image' : ''}`;
  const used = crops === 144 ? scales : scales.slice(0, 1);
  const sides = used.map((scale) => Math.round((preprocessing.size[0] * scale) / referenceSide)).join(', ');
  const squares = crops === 144 ? '3 squares' : 'the central square';
  const cuts = crops === 10 ? '4 corners and centre' : '4 corners, centre and the whole square';
  return `${crops} crops: shorter side ${sides}, ${squares}, ${cuts} at ${preprocessing.size.join('×')}, mirrored (${describeKernel(preprocessing.kernel)}), ${describeScaling(preprocessing)}`;
}
