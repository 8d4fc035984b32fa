import { describe, expect, it } from 'vitest';
import { permutation, randomFor } from './random.ts';

describe('randomFor', () => {
  it('gives equal streams for equal keys and others for others', () => {
    const first = (...keys: number[]) => Array.from({ length: 4 }, randomFor(...keys));
    expect(first(1, 2, 3)).toEqual(first(1, 2, 3));
    const others = [first(1, 2, 3), first(1, 3, 2), first(2, 2, 3), first(1, 2), first(1, 2, 3, 0), first()];
    expect(new Set(others.map(String)).size).toBe(others.length);
  });

  it('is uniform over neighbouring keys', () => {
    const bins = new Array<number>(10).fill(0);
    for (let index = 0; index < 20_000; index++) {
      const bin = Math.floor(randomFor(1, 0, index)() * 10);
      bins[bin] = (bins[bin] as number) + 1;
    }
    // Five deviations of a binomial with 20,000 draws at one tenth.
    for (const count of bins) expect(Math.abs(count - 2000)).toBeLessThan(5 * Math.sqrt(1800));
  });
});

describe('permutation', () => {
  it('holds every number once and depends on the stream', () => {
    const order = permutation(1000, randomFor(3));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, index) => index));
    expect(order).not.toEqual(permutation(1000, randomFor(4)));
    expect(permutation(0, randomFor(1))).toHaveLength(0);
  });
});
