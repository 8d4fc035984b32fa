import { describe, expect, it } from 'vitest';
import { readFixture } from '../../test/golden/fixture.ts';
import { type ClassScore, type ConfusedPair, classScores, worstClasses } from './class-scores.ts';

interface Case {
  readonly name: string;
  readonly labels: readonly number[];
  readonly predicted: readonly number[];
  readonly balancedAccuracy: number;
  readonly macroF1: number;
  readonly perClass: readonly (Pick<ClassScore, 'class' | 'images' | 'precision' | 'recall' | 'f1'> &
    object)[];
}

const { cases } = readFixture<{ cases: readonly Case[] }>('class-scores/scores.json');

const pairs = ({ labels, predicted }: Pick<Case, 'labels' | 'predicted'>): ConfusedPair[] =>
  labels.map((label, index) => [label, predicted[index] as number, 1]);

describe('classScores', () => {
  it.each(cases.map((each) => [each.name, each] as const))('equals scikit-learn: %s', (_, expected) => {
    const { balancedAccuracy, macroF1, perClass } = classScores(pairs(expected));
    expect(balancedAccuracy).toBeCloseTo(expected.balancedAccuracy, 12);
    expect(macroF1).toBeCloseTo(expected.macroF1, 12);
    const close = (value: number | null) => (value === null ? null : expect.closeTo(value, 12));
    expect(perClass).toMatchObject(
      expected.perClass.map(({ precision, recall, f1, ...rest }) => ({
        ...rest,
        precision: close(precision),
        recall: close(recall),
        f1: close(f1),
      })),
    );
  });

  it('says of a class that is never predicted that its precision is not defined, and of one without images its recall', () => {
    const { perClass, balancedAccuracy } = classScores([
      [0, 0, 3],
      [1, 0, 1],
      [0, 2, 1],
    ]);
    expect(perClass).toEqual([
      { class: 0, images: 4, predicted: 4, precision: 0.75, recall: 0.75, f1: 0.75 },
      { class: 1, images: 1, predicted: 0, precision: null, recall: 0, f1: 0 },
      { class: 2, images: 0, predicted: 1, precision: 0, recall: null, f1: 0 },
    ]);
    expect(balancedAccuracy).toBe(0.375);
  });

  it('takes as much memory as pairs occur, whatever the number of classes', () => {
    expect(classScores([[21_840, 7, 1]]).perClass.map((each) => each.class)).toEqual([7, 21_840]);
  });
});

describe('worstClasses', () => {
  it('orders by F1, then by number of images', () => {
    const { perClass } = classScores([
      [0, 0, 5],
      [1, 2, 1],
      [2, 1, 3],
      [3, 3, 1],
      [3, 0, 1],
    ]);
    expect(worstClasses(perClass, 3).map((each) => each.class)).toEqual([2, 1, 3]);
  });
});
