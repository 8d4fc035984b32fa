/** How values are stored in 8 bits: the range of each, and the step and zero point that follow from it. */

import type { CalibrationMethod, Range } from './range-finding.ts';

/** A value in 8 bits: (byte − zeroPoint) · scale. */
export interface Quantisation {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** What makes a model an int8 model: the ranges of its activations, and how they were found. */
export interface Int8Ranges {
  readonly method: CalibrationMethod;
  /** Where the images came from, and how many there were. */
  readonly data: string;
  readonly images: number;
  /** [low, high] of every value that is stored in 8 bits, by its name (`graph/value-names.ts`); all others are float32. */
  readonly ranges: Readonly<Record<string, readonly [low: number, high: number]>>;
}

/** Scale and zero point for uint8. */
export function quantisationOf({ low, high }: Range): Quantisation {
  const scale = Math.fround((high - low) / 255);
  // A value that is always zero.
  if (scale === 0) return { scale: 1, zeroPoint: 0 };
  return { scale, zeroPoint: Math.min(Math.max(Math.round(-low / scale), 0), 255) };
}
