/** Rows by hand: the rule is small enough to be read off. */
import { describe, expect, it } from 'vitest';
import { keptRows, withKeptRows } from './kept-classes.ts';

describe('keptRows', () => {
  it('finds classes of the same label, wherever they stand', () =>
    expect(keptRows(['owl', 'emu', 'cat'], { classes: ['cat', 'dog', 'owl'] })).toEqual([2, undefined, 0]));

  it('finds classes by the data set’s identifiers too', () =>
    expect(
      keptRows(['n01440764', 'n00000000'], {
        classes: ['goldfish', 'tench'],
        classIds: ['n01443537', 'n01440764'],
      }),
    ).toEqual([1, undefined]));

  it('leaves out a label that stands for two classes, as crane does in ImageNet', () =>
    expect(keptRows(['crane'], { classes: ['crane', 'cat', 'crane'] })).toEqual([undefined]));
});

describe('withKeptRows', () => {
  const rows = [2, undefined, 0];

  it('puts rows of a weight over the new ones', () =>
    expect(
      withKeptRows(Float32Array.of(7, 7, 8, 8, 9, 9), {
        trained: Float32Array.of(1, 2, 3, 4, 5, 6),
        rows,
        shape: [3, 2],
      }),
    ).toEqual(Float32Array.of(5, 6, 8, 8, 1, 2)));

  it('puts values of a bias over the new ones', () =>
    expect(
      withKeptRows(Float32Array.of(0, 0, 0), { trained: Float32Array.of(1, 2, 3), rows, shape: [3] }),
    ).toEqual(Float32Array.of(3, 0, 1)));
});
