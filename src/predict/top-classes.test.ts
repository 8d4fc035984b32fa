import { expect, it } from 'vitest';
import { topClasses } from './top-classes.ts';

it('gives the most probable classes of a row, ties by label', () => {
  const values = Float32Array.of(9, 9, 9, 9, 0.1, 0.4, 0.1, 0.4);
  expect(topClasses(values, { row: 1, classes: 4, k: 3 }).map(({ label }) => label)).toEqual([1, 3, 0]);
  expect(topClasses(values, { row: 1, classes: 4, k: 9 }).map(({ label }) => label)).toEqual([1, 3, 0, 2]);
  expect(topClasses(values, { row: 1, classes: 4, k: 0 })).toEqual([]);
});
