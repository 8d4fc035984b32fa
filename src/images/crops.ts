/**
 * The views of one image that an evaluation averages over: one crop, AlexNet's 10, or GoogLeNet's 12 and 144
 * (arXiv 1409.4842, section 7), with the sizes for a 224-pixel network scaled to the network's own.
 */
import type { Image } from './image.ts';
import {
  coveringSize,
  cut,
  describeKernel,
  describeProtocol,
  describeScaling,
  type Part,
  type Preprocessing,
  resizeAny,
  singleCrop,
  writeInput,
} from './preprocess.ts';

export const cropCounts = [1, 10, 12, 144] as const;
export type CropCount = (typeof cropCounts)[number];

export interface Views {
  readonly crops: CropCount;
  /** Adds the mirrored view to a single crop; more crops hold theirs already. */
  readonly flip?: boolean;
}

/** One view of an image. */
export interface View {
  /** How many crops of the protocol this view is; on a square image its left, centre and right squares are one. */
  readonly weight: number;
  /** Writes [height, width, channels] to `target` from `offset`. */
  write(target: Uint8Array, offset: number): void;
}

/** GoogLeNet's shorter sides for a network of 224 pixels. */
const scales = [256, 288, 320, 352] as const;
const referenceSide = 224;

/** The views of an image, in the protocol's order. Resizing happens when the first view of a scale is written. */
export function viewsOf(image: Image, how: Preprocessing, { crops, flip = false }: Views): View[] {
  const channels = how.channels ?? 3;
  const mirrors = crops > 1 || flip ? [false, true] : [false];
  const both = (source: () => Image, weight: number): View[] =>
    mirrors.map((mirrored) => ({
      weight,
      write: (target, offset) => writeInput(source(), { channels, flip: mirrored }, target, offset),
    }));
  if (crops === 1)
    return both(
      once(() => singleCrop(image, how)),
      1,
    );
  return (crops === 144 ? scales : scales.slice(0, 1)).flatMap((scale) => {
    const square = how.size.map((side) => Math.round((side * scale) / referenceSide)) as [number, number];
    const size = coveringSize(image, square);
    const whole = once(() => resizeAny(image, how.kernel, size));
    return squaresIn(size, square, crops).flatMap(({ part, weight }) => {
      const inner = once(() => cut(whole(), part));
      const cuts = fiveCuts(square, how.size).map((each) => once(() => cut(inner(), each)));
      const resized = once(() => resizeAny(inner(), how.kernel, how.size));
      return [...cuts, ...(crops === 10 ? [] : [resized])].flatMap((source) => both(source, weight));
    });
  });
}

/** Left, centre and right (or top, centre and bottom); fewer crops take the centre. Equal ones are one, with its weight. */
function squaresIn(
  [height, width]: readonly [number, number],
  square: readonly [number, number],
  crops: CropCount,
): { part: Part; weight: number }[] {
  const free: [number, number] = [height - square[0], width - square[1]];
  const places = crops === 144 ? [0, 0.5, 1] : [0.5];
  const found = new Map<string, { part: Part; weight: number }>();
  for (const place of places) {
    const [top, left] = free.map((pixels) => Math.floor(pixels * place)) as [number, number];
    const known = found.get(`${top} ${left}`);
    const part = { top, left, height: square[0], width: square[1] };
    found.set(`${top} ${left}`, { part, weight: (known?.weight ?? 0) + 1 });
  }
  return [...found.values()];
}

/** The four corners and the centre. */
function fiveCuts([height, width]: readonly [number, number], size: readonly [number, number]): Part[] {
  const [down, across] = [height - size[0], width - size[1]];
  const places = [
    [0, 0],
    [0, across],
    [down, 0],
    [down, across],
    [Math.floor(down / 2), Math.floor(across / 2)],
  ] as const;
  return places.map(([top, left]) => ({ top, left, height: size[0], width: size[1] }));
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** The protocol in words, to be printed with every result. */
export function describeViews(how: Preprocessing, { crops, flip = false }: Views): string {
  if (crops === 1) return `${describeProtocol(how)}${flip ? ', averaged with its mirror image' : ''}`;
  const used = crops === 144 ? scales : scales.slice(0, 1);
  const sides = used.map((scale) => Math.round((how.size[0] * scale) / referenceSide)).join(', ');
  const squares = crops === 144 ? '3 squares' : 'the central square';
  const cuts = crops === 10 ? '4 corners and centre' : '4 corners, centre and the whole square';
  return `${crops} crops: shorter side ${sides}, ${squares}, ${cuts} at ${how.size.join('×')}, mirrored (${describeKernel(how.kernel)}), ${describeScaling(how)}`;
}
