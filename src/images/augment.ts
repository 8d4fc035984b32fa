/** Random augmentation of training images. */

import { nothingLeft } from '../option.ts';
import { type Random, uniform } from '../random.ts';
import { flipVertically, rotationBy, transform } from './augmentation/affine.ts';
import { randAugment, trivialAugment } from './augmentation/policies.ts';
import type { Augmentation } from './augmentation.ts';
import { type Box, type Image, resample } from './image.ts';

export interface AugmentOptions {
  readonly augmentation: Augmentation;
  readonly size: readonly [height: number, width: number];
  readonly random: Random;
}

/** Writes the augmented image, [height, width, 3], into `target` at `offset`. */
export function augment(
  image: Image,
  { augmentation, size, random }: AugmentOptions,
  target: Uint8Array,
  offset = 0,
): void {
  const { area, aspect, shift, flip, colour, erase: erased, ...others } = augmentation;
  // Mixing needs the other images of the batch, and is done there.
  const { verticalFlip, rotation, trivialAugment: trivial, randAugment: strength, ...mixing } = others;
  const { mixup, cutMix, ...unapplied } = mixing;
  nothingLeft(unapplied);
  const box = shifted(randomBox(image, { area, aspect }, random), shift, random);
  resample(image, { box, size, flip: flip && random() < 0.5 }, target, offset);
  const pixels = target.subarray(offset, offset + size[0] * size[1] * 3);
  const canvas = { pixels, size };
  if (verticalFlip && random() < 0.5) flipVertically(canvas);
  if (rotation > 0) transform(canvas, rotationBy(uniform(random, -rotation, rotation)), 'bilinear');
  if (trivial) trivialAugment(canvas, random);
  if (strength !== null) randAugment(canvas, strength, random);
  if (colour) distortColour(pixels, random);
  if (erased > 0 && random() < erased) erase(pixels, size, random);
}

/** Tries ten times for a crop that fits, as TensorFlow's sample_distorted_bounding_box does; then keeps the whole image. */
function randomBox(
  { height, width }: Image,
  { area, aspect }: Pick<Augmentation, 'area' | 'aspect'>,
  random: Random,
): Box {
  if (area) {
    for (let attempt = 0; attempt < 10; attempt++) {
      const pixels = height * width * uniform(random, ...area);
      const ratio = Math.exp(uniform(random, Math.log(aspect[0]), Math.log(aspect[1])));
      const cropWidth = Math.sqrt(pixels * ratio);
      const cropHeight = Math.sqrt(pixels / ratio);
      if (cropWidth > width || cropHeight > height) continue;
      const top = uniform(random, 0, height - cropHeight);
      const left = uniform(random, 0, width - cropWidth);
      return { top, left, height: cropHeight, width: cropWidth };
    }
  }
  return { top: 0, left: 0, height, width };
}

function shifted(box: Box, maxShift: number, random: Random): Box {
  if (maxShift === 0) return box;
  const step = () => Math.floor(uniform(random, -maxShift, maxShift + 1));
  return { ...box, top: box.top + step(), left: box.left + step() };
}

/**
 * Brightness, saturation and hue are one linear map of (r, g, b); contrast scales the result about its mean. Saturation blends
 * with luma and hue rotates the YIQ plane, where TensorFlow converts to HSV: the same ranges at a tenth of the cost.
 */
function distortColour(pixels: Uint8Array, random: Random): void {
  const brightness = uniform(random, -32, 32);
  const saturation = uniform(random, 0.5, 1.5);
  const angle = 2 * Math.PI * uniform(random, -0.2, 0.2);
  const contrast = uniform(random, 0.5, 1.5);
  const cos = saturation * Math.cos(angle);
  const sin = saturation * Math.sin(angle);
  // RGB → YIQ, rotated and scaled in the IQ plane, → RGB.
  const map = (fromI: number, fromQ: number) => [
    0.299 + 0.596 * (cos * fromI + sin * fromQ) + 0.211 * (cos * fromQ - sin * fromI),
    0.587 - 0.274 * (cos * fromI + sin * fromQ) - 0.523 * (cos * fromQ - sin * fromI),
    0.114 - 0.322 * (cos * fromI + sin * fromQ) + 0.312 * (cos * fromQ - sin * fromI),
  ];
  const [red, green, blue] = [map(0.956, 0.621), map(-0.272, -0.647), map(-1.106, 1.703)] as [
    number[],
    number[],
    number[],
  ];
  const means = [0, 0, 0];
  const count = pixels.length / 3;
  for (let index = 0; index < pixels.length; index++)
    means[index % 3] = (means[index % 3] as number) + (pixels[index] as number) / count;
  const rows = [red, green, blue].map((row) => {
    const [r, g, b] = row as [number, number, number];
    const mean = r * (means[0] as number) + g * (means[1] as number) + b * (means[2] as number) + brightness;
    return [r * contrast, g * contrast, b * contrast, (brightness - mean) * contrast + mean] as const;
  });
  const [[rr, rg, rb, r0], [gr, gg, gb, g0], [br, bg, bb, b0]] = rows as unknown as [Row, Row, Row];
  for (let index = 0; index < pixels.length; index += 3) {
    const r = pixels[index] as number;
    const g = pixels[index + 1] as number;
    const b = pixels[index + 2] as number;
    pixels[index] = toByte(rr * r + rg * g + rb * b + r0);
    pixels[index + 1] = toByte(gr * r + gg * g + gb * b + g0);
    pixels[index + 2] = toByte(br * r + bg * g + bb * b + b0);
  }
}

type Row = readonly [number, number, number, number];

const toByte = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value + 0.5);

function erase(pixels: Uint8Array, [height, width]: readonly [number, number], random: Random): void {
  const area = height * width * uniform(random, 0.02, 0.2);
  const ratio = Math.exp(uniform(random, Math.log(0.3), Math.log(1 / 0.3)));
  const rows = Math.min(height, Math.max(1, Math.round(Math.sqrt(area * ratio))));
  const columns = Math.min(width, Math.max(1, Math.round(Math.sqrt(area / ratio))));
  const top = Math.floor(uniform(random, 0, height - rows + 1));
  const left = Math.floor(uniform(random, 0, width - columns + 1));
  for (let y = top; y < top + rows; y++) {
    for (let index = (y * width + left) * 3; index < (y * width + left + columns) * 3; index += 3) {
      const grey = random() * 256;
      pixels[index] = grey;
      pixels[index + 1] = grey;
      pixels[index + 2] = grey;
    }
  }
}
