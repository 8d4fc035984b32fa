/**
 * Random augmentation of training images, in two halves: what is drawn from the random stream, as plain data that does not depend on
 * the image, and what is done with it. The second half also exists in native/images/, with the same bits.
 */

import { nothingLeft } from '../option.ts';
import { type Random, randomFor, uniform } from '../random.ts';
import { flipVertically, rotationBy, transform } from './augmentation/affine.ts';
import {
  applyOperation,
  drawRandAugment,
  drawTrivialAugment,
  type Operation,
} from './augmentation/policies.ts';
import type { Augmentation } from './augmentation.ts';
import { type Box, type Image, resample } from './image.ts';

type Size = readonly [height: number, width: number];

export interface AugmentOptions {
  readonly augmentation: Augmentation;
  readonly size: Size;
  readonly random: Random;
}

/** What will be done with an image of any size. */
export interface Distortion {
  /** Crops to try, four values each ({@link cropValues}); the first that fits is taken, the whole image if none does. */
  readonly crops: readonly number[];
  /** In pixels of the image. */
  readonly shift: readonly [down: number, right: number];
  readonly flip: boolean;
  readonly verticalFlip: boolean;
  /** In degrees. */
  readonly rotation: number;
  readonly operations: readonly Operation[];
  readonly colour: Colour | undefined;
  readonly erase: Erased | undefined;
}

/** Of one crop: the fraction of the area, width / height, and where it lies between the top and the bottom, left and right, 0–1. */
export const cropValues = 4;

/** As many as TensorFlow's sample_distorted_bounding_box is asked for in TF-Slim's preprocessing. */
const cropTries = 10;

/** A linear map of (r, g, b), brightness, and contrast, which scales the result about its mean. */
export interface Colour {
  /** Nine factors, by rows. */
  readonly map: readonly number[];
  readonly brightness: number;
  readonly contrast: number;
}

/** A rectangle that is covered with grey noise. */
export interface Erased {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
  /** Key of the noise's random stream. */
  readonly noise: number;
}

/**
 * What draws an image's distortion from its random stream; `size` is that of the result. Made once for many images, whose drawing is
 * work of the main thread.
 */
export function distortionsOf({
  augmentation,
  size,
}: Omit<AugmentOptions, 'random'>): (random: Random) => Distortion {
  const { area, aspect, shift, flip, colour, erase, ...others } = augmentation;
  // Mixing needs the other images of the batch, and is done there.
  const { verticalFlip, rotation, trivialAugment, randAugment, ...mixing } = others;
  const { mixup, cutMix, ...unapplied } = mixing;
  nothingLeft(unapplied);
  const logAspect = [Math.log(aspect[0]), Math.log(aspect[1])] as const;
  const operationsFor = (random: Random): readonly Operation[] => [
    ...(trivialAugment ? [drawTrivialAugment({ size, random })] : []),
    ...(randAugment === null ? [] : drawRandAugment(randAugment, { size, random })),
  ];
  const hasOperations = trivialAugment || randAugment !== null;
  // Fields in the order in which they are drawn.
  return (random) => ({
    crops: area ? drawCrops({ area, logAspect }, random) : [],
    shift:
      shift === 0
        ? unshifted
        : [Math.floor(uniform(random, -shift, shift + 1)), Math.floor(uniform(random, -shift, shift + 1))],
    flip: flip && random() < 0.5,
    verticalFlip: verticalFlip && random() < 0.5,
    rotation: rotation > 0 ? uniform(random, -rotation, rotation) : 0,
    operations: hasOperations ? operationsFor(random) : noOperations,
    colour: colour ? drawColour(random) : undefined,
    erase: erase > 0 && random() < erase ? drawErased(size, random) : undefined,
  });
}

const unshifted = [0, 0] as const;
const noOperations: readonly Operation[] = [];

/** All tries at once: which of them is the first that fits depends on the image, and what is drawn after them must not. */
function drawCrops(
  { area, logAspect }: { area: readonly [number, number]; logAspect: readonly [number, number] },
  random: Random,
): readonly number[] {
  // Not a typed array, which costs the garbage collector more than all that is drawn.
  const crops: number[] = [];
  for (let attempt = 0; attempt < cropTries; attempt++) {
    const fraction = uniform(random, area[0], area[1]);
    const ratio = Math.exp(uniform(random, logAspect[0], logAspect[1]));
    crops.push(fraction, ratio, random(), random());
  }
  return crops;
}

/**
 * Saturation blends with luma and hue rotates the YIQ plane, where TensorFlow converts to HSV: the same ranges at a tenth of the
 * cost. Together they are one linear map.
 */
function drawColour(random: Random): Colour {
  const brightness = uniform(random, -32, 32);
  const saturation = uniform(random, 0.5, 1.5);
  const angle = 2 * Math.PI * uniform(random, -0.2, 0.2);
  const contrast = uniform(random, 0.5, 1.5);
  const cos = saturation * Math.cos(angle);
  const sin = saturation * Math.sin(angle);
  // RGB → YIQ, rotated and scaled in the IQ plane, → RGB.
  const row = (fromI: number, fromQ: number) => [
    0.299 + 0.596 * (cos * fromI + sin * fromQ) + 0.211 * (cos * fromQ - sin * fromI),
    0.587 - 0.274 * (cos * fromI + sin * fromQ) - 0.523 * (cos * fromQ - sin * fromI),
    0.114 - 0.322 * (cos * fromI + sin * fromQ) + 0.312 * (cos * fromQ - sin * fromI),
  ];
  return {
    map: [...row(0.956, 0.621), ...row(-0.272, -0.647), ...row(-1.106, 1.703)],
    brightness,
    contrast,
  };
}

function drawErased([height, width]: Size, random: Random): Erased {
  const area = height * width * uniform(random, 0.02, 0.2);
  const ratio = Math.exp(uniform(random, Math.log(0.3), Math.log(1 / 0.3)));
  const rows = Math.min(height, Math.max(1, Math.round(Math.sqrt(area * ratio))));
  const columns = Math.min(width, Math.max(1, Math.round(Math.sqrt(area / ratio))));
  return {
    top: Math.floor(uniform(random, 0, height - rows + 1)),
    left: Math.floor(uniform(random, 0, width - columns + 1)),
    height: rows,
    width: columns,
    noise: Math.floor(random() * 0x1_0000_0000),
  };
}

/** Draws and writes the augmented image, [height, width, 3], into `target` at `offset`. */
export function augment(image: Image, options: AugmentOptions, target: Uint8Array, offset = 0): void {
  distort(image, { distortion: distortionsOf(options)(options.random), size: options.size }, target, offset);
}

/** Writes the distorted image, [height, width, 3], into `target` at `offset`. */
export function distort(
  image: Image,
  { distortion, size }: { readonly distortion: Distortion; readonly size: Size },
  target: Uint8Array,
  offset = 0,
): void {
  const box = cropOf(image, distortion);
  resample(image, { box, size, flip: distortion.flip }, target, offset);
  const canvas = { pixels: target.subarray(offset, offset + size[0] * size[1] * 3), size };
  if (distortion.verticalFlip) flipVertically(canvas);
  changePixels(canvas, distortion);
}

/** What is done after cropping and mirroring, in place. */
export function changePixels(
  canvas: { readonly pixels: Uint8Array; readonly size: Size },
  { rotation, operations, colour, erase }: Pick<Distortion, 'rotation' | 'operations' | 'colour' | 'erase'>,
): void {
  if (rotation !== 0) transform(canvas, rotationBy(rotation), 'bilinear');
  for (const operation of operations) applyOperation(canvas, operation);
  if (colour) changeColour(canvas.pixels, colour);
  if (erase) eraseRectangle(canvas.pixels, canvas.size[1], erase);
}

/** The box of the image that is taken. */
function cropOf({ height, width }: Pick<Image, 'height' | 'width'>, { crops, shift }: Distortion): Box {
  const [down, right] = shift;
  for (let at = 0; at < crops.length; at += cropValues) {
    const [area, ratio, top, left] = crops.slice(at, at + cropValues) as unknown as Crop;
    const pixels = height * width * area;
    const cropWidth = Math.sqrt(pixels * ratio);
    const cropHeight = Math.sqrt(pixels / ratio);
    if (cropWidth > width || cropHeight > height) continue;
    return {
      top: (height - cropHeight) * top + down,
      left: (width - cropWidth) * left + right,
      height: cropHeight,
      width: cropWidth,
    };
  }
  return { top: down, left: right, height, width };
}

type Crop = readonly [area: number, ratio: number, top: number, left: number];

/** Factors are in units of 2⁻¹², so that they fit into 16 bits: integers, for the same reason as in {@link resample}. */
const unit = 1 << 12;

const toUnits = (value: number): number => Math.floor(value * unit + 0.5);

function changeColour(pixels: Uint8Array, { map, brightness, contrast }: Colour): void {
  const sums = [0, 0, 0];
  for (let index = 0; index < pixels.length; index += 3)
    for (let channel = 0; channel < 3; channel++)
      sums[channel] = (sums[channel] as number) + (pixels[index + channel] as number);
  const [red, green, blue] = sums.map((sum) => sum / (pixels.length / 3)) as [number, number, number];
  const rows = [0, 3, 6].map((row) => {
    const [r, g, b] = map.slice(row, row + 3) as [number, number, number];
    const mean = r * red + g * green + b * blue + brightness;
    const offset = (brightness - mean) * contrast + mean;
    return [toUnits(r * contrast), toUnits(g * contrast), toUnits(b * contrast), toUnits(offset) + unit / 2];
  });
  const [[rr, rg, rb, r0], [gr, gg, gb, g0], [br, bg, bb, b0]] = rows as unknown as [Row, Row, Row];
  for (let index = 0; index < pixels.length; index += 3) {
    const r = pixels[index] as number;
    const g = pixels[index + 1] as number;
    const b = pixels[index + 2] as number;
    pixels[index] = toByte((rr * r + rg * g + rb * b + r0) >> 12);
    pixels[index + 1] = toByte((gr * r + gg * g + gb * b + g0) >> 12);
    pixels[index + 2] = toByte((br * r + bg * g + bb * b + b0) >> 12);
  }
}

type Row = readonly [number, number, number, number];

const toByte = (value: number): number => Math.min(255, Math.max(0, value));

function eraseRectangle(
  pixels: Uint8Array,
  rowLength: number,
  { top, left, height, width, noise }: Erased,
): void {
  const random = randomFor(noise);
  for (let y = top; y < top + height; y++) {
    for (let index = (y * rowLength + left) * 3; index < (y * rowLength + left + width) * 3; index += 3) {
      const grey = random() * 256;
      pixels[index] = grey;
      pixels[index + 1] = grey;
      pixels[index + 2] = grey;
    }
  }
}
