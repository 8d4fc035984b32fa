/** Precision, recall and F1 of each class as a table; of many classes those that are told worst. */
import Table from 'cli-table3';
import { type ClassScores, worstClasses } from '../../evaluate/class-scores.ts';
import { grouped, percent } from './format.ts';

/** More do not fit a terminal. */
const maxClasses = 20;

/** Returns the table, with a line below it for what it cannot show. */
export function classScoresTable({ perClass }: ClassScores, classes: readonly string[]): string {
  const shown = perClass.length <= maxClasses ? perClass : worstClasses(perClass, maxClasses);
  const table = new Table({
    head: ['class', 'images', 'predicted', 'precision', 'recall', 'F1'],
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [], compact: true },
  });
  const share = (fraction: number | null) => (fraction === null ? '–' : percent(fraction));
  for (const each of shown) {
    const { images, predicted, precision, recall, f1 } = each;
    const name = `${each.class} ${classes[each.class]}`;
    table.push([name, grouped(images), grouped(predicted), share(precision), share(recall), percent(f1)]);
  }
  const notes = [
    perClass.length > shown.length &&
      `the ${shown.length} classes with the lowest F1 of ${grouped(perClass.length)}; --json has all`,
    undefinedNote(
      perClass.filter(({ precision }) => precision === null).length,
      'never predicted: no precision (–)',
    ),
    undefinedNote(
      perClass.filter(({ recall }) => recall === null).length,
      'without images: no recall (–), and no part in balanced accuracy',
    ),
    undefinedNote(classes.length - perClass.length, 'neither with images nor predicted, and in no mean'),
  ].filter((note) => typeof note === 'string');
  return [table.toString(), ...notes].join('\n');
}

const undefinedNote = (count: number, what: string): string | undefined =>
  count === 0 ? undefined : `${grouped(count)} ${count === 1 ? 'class' : 'classes'} ${what}`;
