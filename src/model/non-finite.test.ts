import { expect, it } from 'vitest';
import { nonFinite } from './non-finite.ts';

it('names the first value that is not a finite number', () => {
  expect(nonFinite('x', Float32Array.of(1, -3.4e38, 0, -0, 1e-45))).toBeUndefined();
  expect(nonFinite('x', new Float32Array())).toBeUndefined();
  expect(nonFinite('x', Float32Array.of(1, Number.NaN, Number.POSITIVE_INFINITY))).toBe(
    "'x' holds NaN (element 1 of 3)",
  );
  expect(nonFinite('stem/beta', Float32Array.of(1, 2, Number.NEGATIVE_INFINITY))).toBe(
    "'stem/beta' holds -Infinity (element 2 of 3)",
  );
});
