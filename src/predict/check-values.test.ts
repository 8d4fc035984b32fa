import { describe, expect, it } from 'vitest';
import { problemWith } from './check-values.ts';

const { NaN: none, POSITIVE_INFINITY: infinite } = Number;

describe('problemWith', () => {
  it('has nothing to say of numbers, nor of a class whose logit makes it impossible', () => {
    expect(problemWith(Float32Array.of(-3, 1e30, -infinite), { outputs: 3, kind: 'logits' })).toBeUndefined();
    expect(problemWith(Float32Array.of(0, 1, 0.5), { outputs: 3, kind: 'probabilities' })).toBeUndefined();
    expect(problemWith(Float32Array.of(-3, 7), { outputs: 1, kind: 'features' })).toBeUndefined();
  });

  it('says which image has how many values that are no numbers', () => {
    const values = Float32Array.of(1, 2, 3, 4, none, none);
    expect(problemWith(values, { outputs: 3, kind: 'logits' })).toBe(
      '2 of the 3 logits of image 2 of 2 are not numbers, the first is NaN',
    );
  });

  it.each([
    ['logits', infinite],
    ['features', -infinite],
    ['probabilities', -0.5],
    ['probabilities', 11],
    ['probabilities', none],
  ] as const)('refuses among %s %d', (kind, value) => {
    expect(problemWith(Float32Array.of(0.5, value), { outputs: 2, kind })).toContain(`the first is ${value}`);
  });
});
