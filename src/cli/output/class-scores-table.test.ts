import { describe, expect, it } from 'vitest';
import { type ConfusedPair, classScores } from '../../evaluate/class-scores.ts';
import { classScoresTable } from './class-scores-table.ts';

describe('classScoresTable', () => {
  it('shows each class and says which figures are not defined, and why', () => {
    const scores = classScores([
      [0, 0, 3],
      [1, 0, 1],
      [0, 2, 1],
    ]);
    const lines = classScoresTable(scores, ['cat', 'dog', 'fox', 'owl']).split('\n');
    expect(lines.map((line) => line.replaceAll(/[│\s]+/g, ' ').trim())).toEqual([
      expect.stringContaining('─'),
      'class images predicted precision recall F1',
      expect.stringContaining('─'),
      '0 cat 4 4 75.00% 75.00% 75.00%',
      '1 dog 1 0 – 0.00% 0.00%',
      '2 fox 0 1 0.00% – 0.00%',
      expect.stringContaining('─'),
      '1 class never predicted: no precision (–)',
      '1 class without images: no recall (–), and no part in balanced accuracy',
      '1 class neither with images nor predicted, and in no mean',
    ]);
  });

  it('shows the twenty worst of many classes and says so', () => {
    const confusion = Array.from({ length: 1000 }, (_, index): ConfusedPair => [index, index, 1]);
    confusion.push([7, 8, 3]);
    const classes = confusion.map((_, index) => `class ${index}`).slice(0, 1000);
    const text = classScoresTable(classScores(confusion), classes);
    expect(text.split('\n').slice(3, 5)).toEqual([
      expect.stringContaining('7 class 7'),
      expect.stringContaining('8 class 8'),
    ]);
    expect(text).toContain('\nthe 20 classes with the lowest F1 of 1,000; --json has all');
  });
});
