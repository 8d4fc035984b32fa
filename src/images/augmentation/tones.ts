/**
 * Changes of the values of pixels, in place, as torchvision v2 computes them for tensors of bytes: in float32, cut off where it cuts
 * off and rounded where it rounds.
 */
import { roundHalfEven } from '../round-half-even.ts';
import type { Canvas } from './affine.ts';

const float = Math.fround;

/** Cut off to a whole number from 0 to 255. */
const toByte = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : Math.trunc(value));

type Tables = readonly [red: Uint8Array, green: Uint8Array, blue: Uint8Array];

/** Replaces each value of a channel by that of its table. */
function lookUp(pixels: Uint8Array, [red, green, blue]: Tables): void {
  for (let index = 0; index < pixels.length; index += 3) {
    pixels[index] = red[pixels[index] as number] as number;
    pixels[index + 1] = green[pixels[index + 1] as number] as number;
    pixels[index + 2] = blue[pixels[index + 2] as number] as number;
  }
}

/** A table for each channel. */
const perChannel = (pixels: Uint8Array, tableOfChannel: (channel: number) => Uint8Array): void =>
  lookUp(pixels, [tableOfChannel(0), tableOfChannel(1), tableOfChannel(2)]);

const tableOf = (value: (from: number) => number): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, from) => toByte(value(from)));

const sameForAll = (pixels: Uint8Array, value: (from: number) => number): void => {
  const table = tableOf(value);
  lookUp(pixels, [table, table, table]);
};

export function brightness({ pixels }: Canvas, factor: number): void {
  sameForAll(pixels, (from) => float(from * float(factor)));
}

const grey = (pixels: Uint8Array, index: number): number => {
  const red = float((pixels[index] as number) * float(0.2989));
  const green = float(red + (pixels[index + 1] as number) * float(0.587));
  return Math.floor(float(green + (pixels[index + 2] as number) * float(0.114)));
};

// The second product and the sum are one fused operation.
const blend = (from: number, to: number, factor: number): number =>
  float(float(from * float(factor)) + to * float(1 - factor));

/** 0 is grey, 1 the image itself. */
export function saturation({ pixels }: Canvas, factor: number): void {
  for (let index = 0; index < pixels.length; index += 3) {
    const luma = grey(pixels, index);
    for (let channel = index; channel < index + 3; channel++)
      pixels[channel] = toByte(blend(pixels[channel] as number, luma, factor));
  }
}

/** 0 is the image's mean grey, 1 the image itself. */
export function contrast({ pixels }: Canvas, factor: number): void {
  let sum = 0;
  for (let index = 0; index < pixels.length; index += 3) sum += grey(pixels, index);
  const mean = float(sum / (pixels.length / 3));
  sameForAll(pixels, (from) => blend(from, mean, factor));
}

/** 0 is smooth, 1 the image itself; its outermost pixels stay. */
export function sharpness({ pixels, size: [height, width] }: Canvas, factor: number): void {
  if (height <= 2 || width <= 2) return;
  const source = pixels.slice();
  const [edge, middle] = [float(1 / 13), float(5 / 13)];
  const row = width * 3;
  for (let y = 1; y < height - 1; y++) {
    for (let index = y * row + 3; index < (y + 1) * row - 3; index++) {
      const value = source[index] as number;
      const above =
        (source[index - row - 3] as number) +
        (source[index - row] as number) +
        (source[index - row + 3] as number);
      const below =
        (source[index + row - 3] as number) +
        (source[index + row] as number) +
        (source[index + row + 3] as number);
      const around = above + (source[index - 3] as number) + (source[index + 3] as number) + below;
      const blurred = roundHalfEven(float(edge * around + middle * value));
      pixels[index] = toByte(float(value + float((blurred - value) * float(1 - factor))));
    }
  }
}

/** Keeps the upper bits. */
export function posterize({ pixels }: Canvas, bits: number): void {
  const mask = (0xff << (8 - bits)) & 0xff;
  sameForAll(pixels, (from) => from & mask);
}

/** Inverts what is at least as bright as the threshold, 0–255. */
export function solarize({ pixels }: Canvas, threshold: number): void {
  sameForAll(pixels, (from) => (from >= threshold ? 255 - from : from));
}

/** Stretches each channel to the whole range. */
export function autoContrast({ pixels }: Canvas): void {
  perChannel(pixels, (channel) => {
    let [least, most] = [255, 0];
    for (let index = channel; index < pixels.length; index += 3) {
      least = Math.min(least, pixels[index] as number);
      most = Math.max(most, pixels[index] as number);
    }
    if (least === most) return tableOf((from) => from);
    const scale = float((most - least) * float(1 / 255));
    return tableOf((from) => float((from - least) / scale));
  });
}

/** Makes all values of each channel about equally frequent, with Pillow's integer arithmetic. */
export function equalize({ pixels }: Canvas): void {
  perChannel(pixels, (channel) => {
    const counts = new Uint32Array(256);
    for (let index = channel; index < pixels.length; index += 3) {
      const value = pixels[index] as number;
      counts[value] = (counts[value] as number) + 1;
    }
    const brightest = counts.findLast((count) => count > 0) ?? 0;
    const step = Math.floor((pixels.length / 3 - brightest) / 255);
    if (step === 0) return tableOf((from) => from);
    let below = 0;
    return tableOf((from) => {
      const value = Math.floor((below + Math.floor(step / 2)) / step);
      below += counts[from] as number;
      return value;
    });
  });
}
