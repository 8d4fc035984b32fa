/** Gives a data set other classes, such as those of another split, of whose classes it may lack some. */
import { DataError } from './data-error.ts';
import { withDecisions } from './data-report.ts';
import type { Dataset } from './dataset.ts';

/** The same images, labelled with other classes: `outputs` has the new label of each class. */
export const relabelled = (
  dataset: Dataset,
  { classes, outputs }: { classes: readonly string[]; outputs: readonly number[] },
): Dataset => ({ ...dataset, classes, label: (index) => outputs[dataset.label(index)] ?? -1 });

/**
 * The data set with the labels of `classes`, matched by name. Classes without images are said in its report.
 * @throws DataError if it has a class that is not among them
 */
export function alignClasses(dataset: Dataset, classes: readonly string[]): Dataset {
  if (dataset.classes.join('\n') === classes.join('\n')) return dataset;
  const indexOf = new Map(classes.map((name, index) => [name, index]));
  const unknown = dataset.classes.filter((name) => !indexOf.has(name));
  if (unknown.length > 0)
    throw new DataError(
      `${dataset.name}: expected the classes of training (${listed(classes)}), received others too: ${listed(unknown)}`,
    );
  const outputs = dataset.classes.map((name) => indexOf.get(name) as number);
  const known = new Set(dataset.classes);
  const lacking = classes.filter((name) => !known.has(name));
  const decision = `${dataset.name}: has no images of ${lacking.length} of the ${classes.length} classes (${listed(lacking)})`;
  return withDecisions(relabelled(dataset, { classes, outputs }), [decision]);
}

const maxListed = 10;

/** The names, or the first of many. */
export const listed = (names: readonly string[]): string =>
  `${names.slice(0, maxListed).join(', ')}${names.length > maxListed ? ', …' : ''}`;
