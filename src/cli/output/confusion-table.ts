/** The confusion matrix as a table: a row for each label, a column for each prediction, the class's own error at the end. */
import Table from 'cli-table3';
import { colours } from './colours.ts';
import { percent } from './format.ts';

/** More classes than this do not fit a terminal: then the most frequent confusions are listed. */
const widest = 20;

export function confusionTable(
  confusion: readonly (readonly number[])[],
  classes: readonly string[],
): string {
  return classes.length <= widest ? matrix(confusion, classes) : commonConfusions(confusion, classes);
}

function matrix(confusion: readonly (readonly number[])[], classes: readonly string[]): string {
  const table = new Table({
    head: ['label ╲ predicted', ...classes.map((_, index) => String(index)), 'error'],
    colAligns: ['left', ...classes.map(() => 'right' as const), 'right'],
    style: { head: [], border: [], compact: true },
  });
  confusion.forEach((row, label) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    const cells = row.map((count, guess) =>
      count === 0 ? colours.dim('·') : guess === label ? colours.green(count) : String(count),
    );
    const error = total === 0 ? '–' : percent(1 - (row[label] as number) / total);
    table.push([`${label} ${classes[label]}`, ...cells, error]);
  });
  return table.toString();
}

function commonConfusions(confusion: readonly (readonly number[])[], classes: readonly string[]): string {
  const pairs = confusion.flatMap((row, label) =>
    row.flatMap((count, guess) => (guess !== label && count > 0 ? [{ label, guess, count }] : [])),
  );
  const table = new Table({
    head: ['label', 'predicted', 'images'],
    style: { head: [], border: [], compact: true },
  });
  for (const { label, guess, count } of pairs.sort((a, b) => b.count - a.count).slice(0, widest)) {
    table.push([classes[label], classes[guess], count]);
  }
  return table.toString();
}
