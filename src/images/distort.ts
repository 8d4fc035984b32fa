/** The random distortions of training images. */

import { type Random, uniform } from '../random.ts';
import { type Box, type Image, resample } from './image.ts';

export interface Distortion {
  /** Share of the image's area that a random crop keeps, [least, most]; null takes the whole image. */
  readonly area: readonly [number, number] | null;
  /** Width by height of that crop, [least, most]. */
  readonly aspect: readonly [number, number];
  /** Moves the image by up to this many of its own pixels each way, with black coming in. */
  readonly shift: number;
  /** Mirrors every second image. */
  readonly flip: boolean;
  /** Brightness ±32/255, contrast and saturation 0.5–1.5, hue ±0.2 of the circle. */
  readonly colour: boolean;
  /** Probability that a rectangle of 2–20% of the area is painted over with noise (arXiv 1708.04896). */
  readonly erase: number;
}

/** The paper's, with arXiv 1409.4842's crops. */
export const paperDistortion: Distortion = {
  area: [0.08, 1],
  aspect: [3 / 4, 4 / 3],
  shift: 0,
  flip: true,
  colour: true,
  erase: 0,
};

/** For small images of centred objects. */
export const mildDistortion: Distortion = {
  area: null,
  aspect: [1, 1],
  shift: 2,
  flip: true,
  colour: false,
  erase: 0,
};

export interface Distorting {
  readonly distortion: Distortion;
  readonly size: readonly [height: number, width: number];
  readonly random: Random;
}

/** Writes the distorted image, [height, width, 3], to `target` from `offset`. */
export function distort(
  image: Image,
  { distortion, size, random }: Distorting,
  target: Uint8Array,
  offset = 0,
): void {
  const box = shifted(randomBox(image, distortion, random), distortion.shift, random);
  const flip = distortion.flip && random() < 0.5;
  resample(image, { box, size, flip }, target, offset);
  const pixels = target.subarray(offset, offset + size[0] * size[1] * 3);
  if (distortion.colour) distortColour(pixels, random);
  if (distortion.erase > 0 && random() < distortion.erase) erase(pixels, size, random);
}

/** Ten tries for a crop that fits, as in TensorFlow's sample_distorted_bounding_box; then the whole image. */
function randomBox({ height, width }: Image, { area, aspect }: Distortion, random: Random): Box {
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

function shifted(box: Box, most: number, random: Random): Box {
  if (most === 0) return box;
  const step = () => Math.floor(uniform(random, -most, most + 1));
  return { ...box, top: box.top + step(), left: box.left + step() };
}

/**
 * Brightness, saturation and hue are one linear map of (r, g, b), contrast stretches it about its mean. Saturation mixes
 * with luma and hue turns the YIQ plane, where TensorFlow goes through HSV: the ranges are the same, the cost a tenth.
 */
function distortColour(pixels: Uint8Array, random: Random): void {
  const brightness = uniform(random, -32, 32);
  const saturation = uniform(random, 0.5, 1.5);
  const angle = 2 * Math.PI * uniform(random, -0.2, 0.2);
  const contrast = uniform(random, 0.5, 1.5);
  const cos = saturation * Math.cos(angle);
  const sin = saturation * Math.sin(angle);
  // RGB → YIQ, turned and scaled in the IQ plane, → RGB.
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
  for (let at = 0; at < pixels.length; at++)
    means[at % 3] = (means[at % 3] as number) + (pixels[at] as number) / count;
  const rows = [red, green, blue].map((row) => {
    const [r, g, b] = row as [number, number, number];
    const mean = r * (means[0] as number) + g * (means[1] as number) + b * (means[2] as number) + brightness;
    return [r * contrast, g * contrast, b * contrast, (brightness - mean) * contrast + mean] as const;
  });
  const [[rr, rg, rb, r0], [gr, gg, gb, g0], [br, bg, bb, b0]] = rows as unknown as [Row, Row, Row];
  for (let at = 0; at < pixels.length; at += 3) {
    const r = pixels[at] as number;
    const g = pixels[at + 1] as number;
    const b = pixels[at + 2] as number;
    pixels[at] = toByte(rr * r + rg * g + rb * b + r0);
    pixels[at + 1] = toByte(gr * r + gg * g + gb * b + g0);
    pixels[at + 2] = toByte(br * r + bg * g + bb * b + b0);
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
    for (let at = (y * width + left) * 3; at < (y * width + left + columns) * 3; at += 3) {
      const grey = random() * 256;
      pixels[at] = grey;
      pixels[at + 1] = grey;
      pixels[at + 2] = grey;
    }
  }
}
