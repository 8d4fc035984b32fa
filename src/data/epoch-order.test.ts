import { describe, expect, it } from 'vitest';
import { permutation, randomFor } from '../random.ts';
import { epochOrders } from './epoch-order.ts';

/** 20 images of class 0, 3 of class 1, 2 of class 3, none of class 2. */
const labels = [...Array(20).fill(0), 1, 1, 1, 3, 3] as readonly number[];
const dataset = {
  length: labels.length,
  classes: ['a', 'b', 'c', 'd'],
  label: (index: number) => labels[index] as number,
};

describe('epochOrders', () => {
  it('shuffles each image once', () => {
    const { indices, repeats } = epochOrders(dataset, { seed: 7, sampling: 'shuffle' })(2);
    expect(indices).toEqual(permutation(25, randomFor(7, 2)));
    expect(repeats).toBeUndefined();
  });

  it('draws each class equally often, and its images as equally as that allows', () => {
    const orderOf = epochOrders(dataset, { seed: 7, sampling: 'balanced' });
    for (const epoch of [0, 1, 2]) {
      const { indices } = orderOf(epoch);
      expect(indices).toHaveLength(25);
      const times = new Map<number, number>();
      for (const index of indices) times.set(index, (times.get(index) ?? 0) + 1);
      const perClass = [0, 1, 2, 3].map((label) => {
        const counts = [...times].filter(([index]) => labels[index] === label).map(([, count]) => count);
        return { draws: counts.reduce((sum, count) => sum + count, 0), counts };
      });
      expect(perClass.map(({ draws }) => draws).sort((a, b) => a - b)).toEqual([0, 8, 8, 9]);
      for (const { counts } of perClass.filter(({ draws }) => draws > 0))
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    }
  });

  it('numbers the repetitions of an image, so that each is augmented anew', () => {
    const { indices, repeats } = epochOrders(dataset, { seed: 7, sampling: 'balanced' })(0);
    const draws = Array.from(indices, (index, place) => `${index} ${repeats?.[place]}`);
    expect(new Set(draws).size).toBe(25);
    const owl = [...indices].flatMap((index, place) => (index === 23 ? [repeats?.[place]] : [])).sort();
    expect(owl).toEqual(owl.map((_, repeat) => repeat));
  });

  it('depends on seed and epoch alone', () => {
    const make = (seed: number) => epochOrders(dataset, { seed, sampling: 'balanced' });
    expect(make(7)(3)).toEqual(make(7)(3));
    expect(make(7)(3).indices).not.toEqual(make(7)(4).indices);
    expect(make(7)(3).indices).not.toEqual(make(8)(3).indices);
  });
});
