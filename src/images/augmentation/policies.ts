/**
 * TrivialAugment (arXiv 2103.10158, its wide space) and RandAugment (arXiv 1909.13719) with the operations, ranges and 31 magnitudes of
 * torchvision v2.
 */
import type { Random } from '../../random.ts';
import {
  type Canvas,
  horizontalShear,
  rotationBy,
  transform,
  translationBy,
  verticalShear,
} from './affine.ts';
import {
  autoContrast,
  brightness,
  contrast,
  equalize,
  posterize,
  saturation,
  sharpness,
  solarize,
} from './tones.ts';

/** Magnitudes are numbered from 0, which changes least, to 30. */
export const magnitudes = 31;

const translate = (canvas: Canvas, x: number, y: number) =>
  transform(canvas, translationBy(Math.trunc(x), Math.trunc(y)), 'nearest');

/** What each operation does with a magnitude; 0 leaves the image as it is where the magnitude has a sign. */
export const operations = {
  identity: () => undefined,
  shearX: (canvas: Canvas, by: number) => transform(canvas, horizontalShear(by, canvas.size), 'nearest'),
  shearY: (canvas: Canvas, by: number) => transform(canvas, verticalShear(by, canvas.size), 'nearest'),
  translateX: (canvas: Canvas, by: number) => translate(canvas, by, 0),
  translateY: (canvas: Canvas, by: number) => translate(canvas, 0, by),
  rotate: (canvas: Canvas, degrees: number) => transform(canvas, rotationBy(degrees), 'nearest'),
  brightness: (canvas: Canvas, by: number) => brightness(canvas, 1 + by),
  colour: (canvas: Canvas, by: number) => saturation(canvas, 1 + by),
  contrast: (canvas: Canvas, by: number) => contrast(canvas, 1 + by),
  sharpness: (canvas: Canvas, by: number) => sharpness(canvas, 1 + by),
  posterize: (canvas: Canvas, bits: number) => posterize(canvas, bits),
  solarize: (canvas: Canvas, threshold: number) => solarize(canvas, 255 * threshold),
  autoContrast: (canvas: Canvas) => autoContrast(canvas),
  equalize: (canvas: Canvas) => equalize(canvas),
} as const;

type Name = keyof typeof operations;

interface Magnitudes {
  /** The magnitude of a number from 0 to 30. */
  readonly at: (number: number, size: Canvas['size']) => number;
  /** Whether half of the draws take the negative. */
  readonly signed: boolean;
}

/** From 0 on, either way. */
const upTo = (most: number | ((size: Canvas['size']) => number)): Magnitudes => ({
  at: (number, size) => ((typeof most === 'number' ? most : most(size)) * number) / (magnitudes - 1),
  signed: true,
});
const lessBits = (most: number): Magnitudes => ({
  at: (number) => Math.round(8 - number / ((magnitudes - 1) / most)),
  signed: false,
});
const none: Magnitudes = { at: () => 0, signed: false };
// In float32, whose products with 255 decide which values are inverted.
const threshold: Magnitudes = { at: (number) => Math.fround(1 - number / (magnitudes - 1)), signed: false };

type Space = Readonly<Record<Name, Magnitudes>>;

const unchanging = { identity: none, solarize: threshold, autoContrast: none, equalize: none };

export const wideSpace: Space = {
  ...unchanging,
  shearX: upTo(0.99),
  shearY: upTo(0.99),
  translateX: upTo(32),
  translateY: upTo(32),
  rotate: upTo(135),
  brightness: upTo(0.99),
  colour: upTo(0.99),
  contrast: upTo(0.99),
  sharpness: upTo(0.99),
  posterize: lessBits(6),
};

export const randSpace: Space = {
  ...unchanging,
  shearX: upTo(0.3),
  shearY: upTo(0.3),
  translateX: upTo(([, width]) => (150 / 331) * width),
  translateY: upTo(([height]) => (150 / 331) * height),
  rotate: upTo(30),
  brightness: upTo(0.9),
  colour: upTo(0.9),
  contrast: upTo(0.9),
  sharpness: upTo(0.9),
  posterize: lessBits(4),
};

const names = Object.keys(operations) as Name[];

const draw = (random: Random, count: number): number => Math.floor(random() * count);

/** An operation as it was drawn. */
export interface Operation {
  readonly name: Name;
  readonly magnitude: number;
}

export const applyOperation = (canvas: Canvas, { name, magnitude }: Operation): void =>
  operations[name](canvas, magnitude);

interface Drawing {
  /** Of the image that the operation is applied to. */
  readonly size: Canvas['size'];
  readonly random: Random;
}

function drawFrom(space: Space, number: number | undefined, { size, random }: Drawing): Operation {
  const name = names[draw(random, names.length)] as Name;
  const { at, signed } = space[name];
  const magnitude = at(number ?? draw(random, magnitudes), size);
  return { name, magnitude: signed && random() < 0.5 ? -magnitude : magnitude };
}

/** One operation with a random magnitude. */
export const drawTrivialAugment = (drawing: Drawing): Operation => drawFrom(wideSpace, undefined, drawing);

/** Two operations with the same magnitude, a number from 0 to 30. */
export const drawRandAugment = (number: number, drawing: Drawing): Operation[] =>
  [0, 1].map(() => drawFrom(randSpace, number, drawing));
