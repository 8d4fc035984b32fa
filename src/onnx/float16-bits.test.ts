import { describe, expect, it } from 'vitest';
import { float16Bits, float16Value } from './float16-bits.ts';

describe('float16Value', () => {
  it.each([
    // IEEE 754-2008, binary16: one, the largest, the smallest normal and subnormal numbers.
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x0001, 2 ** -24],
    [0x3555, 0.333251953125],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x7e00, Number.NaN],
  ])('reads %i as %d', (bits, value) => expect(float16Value(bits)).toBe(value));

  it('is the inverse of float16Bits for all finite numbers and both infinities', () => {
    for (let bits = 0; bits < 0x10000; bits++)
      if (!Number.isNaN(float16Value(bits))) expect(float16Bits(float16Value(bits))).toBe(bits);
  });
});
