import { describe, expect, it } from 'vitest';
import { largestDifference } from './compare-sides.ts';
import { median, pairedRatio, quantile, summarise } from './statistics.ts';

describe('summarise', () => {
  it('returns median, interpolated quartiles and minimum', () => {
    expect(summarise([4, 1, 3, 2])).toEqual({ median: 2.5, low: 1.75, high: 3.25, min: 1, count: 4 });
    expect(summarise([7])).toEqual({ median: 7, low: 7, high: 7, min: 7, count: 1 });
  });

  it('does not modify its input', () => {
    const values = [3, 1, 2];
    expect(median(values)).toBe(2);
    expect(quantile(values, 1)).toBe(3);
    expect(values).toEqual([3, 1, 2]);
  });

  it('refuses an empty list', () => {
    expect(() => summarise([])).toThrow('no times were measured');
  });
});

describe('pairedRatio', () => {
  it('is not affected by a round in which the whole machine was slow', () => {
    expect(pairedRatio([10, 100, 10], [15, 150, 15])).toBe(1.5);
  });

  it('refuses lists of different length', () => {
    expect(() => pairedRatio([1, 2], [1])).toThrow('rounds do not pair: 2 of ours, 1 of theirs');
  });
});

describe('largestDifference', () => {
  it('is relative to the largest expected value', () => {
    expect(largestDifference([1, -4], [1, -3])).toBe(0.25);
  });

  it('is infinite for different lengths, empty lists and values that are not numbers', () => {
    expect(largestDifference([1], [1, 2])).toBe(Number.POSITIVE_INFINITY);
    expect(largestDifference([], [])).toBe(Number.POSITIVE_INFINITY);
    expect(largestDifference([1], [Number.NaN])).toBe(Number.POSITIVE_INFINITY);
  });
});
