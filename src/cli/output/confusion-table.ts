/** The confusion matrix as a table: rows are labels, columns predictions; the last column is the class's error. */
import Table from 'cli-table3';
import type { ConfusedPair } from '../../evaluate/class-scores.ts';
import { colours } from './colours.ts';
import { percent } from './format.ts';

/** More classes do not fit a terminal: the most frequent confusions are listed instead. */
const maxClasses = 20;

export function confusionTable(confusion: readonly ConfusedPair[], classes: readonly string[]): string {
  return classes.length <= maxClasses ? matrix(confusion, classes) : commonConfusions(confusion, classes);
}

function matrix(confusion: readonly ConfusedPair[], classes: readonly string[]): string {
  const table = new Table({
    head: ['label ╲ predicted', ...classes.map((_, index) => String(index)), 'error'],
    colAligns: ['left', ...classes.map(() => 'right' as const), 'right'],
    style: { head: [], border: [], compact: true },
  });
  const rows = classes.map(() => classes.map(() => 0));
  for (const [label, predicted, images] of confusion) {
    const row = rows[label];
    if (row) row[predicted] = images;
  }
  rows.forEach((row, label) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    const cells = row.map((count, guess) =>
      count === 0 ? colours.dim('·') : guess === label ? colours.green(count) : String(count),
    );
    const error = total === 0 ? '–' : percent(1 - (row[label] as number) / total);
    table.push([`${label} ${classes[label]}`, ...cells, error]);
  });
  return table.toString();
}

function commonConfusions(confusion: readonly ConfusedPair[], classes: readonly string[]): string {
  const pairs = confusion
    .filter(([label, predicted]) => predicted !== label)
    .sort(([, , a], [, , b]) => b - a)
    .slice(0, maxClasses);
  // Names may occur twice, such as ImageNet's two cranes.
  const nameOf = (index: number) => `${index} ${classes[index]}`;
  const table = new Table({
    head: ['label', 'predicted', 'images'],
    style: { head: [], border: [], compact: true },
  });
  for (const [label, predicted, images] of pairs) table.push([nameOf(label), nameOf(predicted), images]);
  return table.toString();
}
