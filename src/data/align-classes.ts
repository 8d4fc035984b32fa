/** Gives a data set the classes of another one: a split that lacks images of some class keeps the other's numbers. */
import { DataError } from './data-error.ts';
import type { Dataset } from './dataset.ts';

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
  const labels = dataset.classes.map((name) => indexOf.get(name) as number);
  const known = new Set(dataset.classes);
  const lacking = classes.filter((name) => !known.has(name));
  const decision = `${dataset.name}: has no images of ${lacking.length} of the ${classes.length} classes (${listed(lacking)})`;
  const { leftOut = [], decisions = [] } = dataset.report ?? {};
  return {
    ...dataset,
    classes,
    label: (index) => labels[dataset.label(index)] as number,
    report: { leftOut, decisions: [...decisions, decision] },
  };
}

const maxListed = 10;

const listed = (names: readonly string[]): string =>
  `${names.slice(0, maxListed).join(', ')}${names.length > maxListed ? ', …' : ''}`;
