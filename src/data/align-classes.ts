/** Gives a data set other classes, such as those of another split, of whose classes it may lack some. */
import { DataError } from './data-error.ts';
import { withDecisions } from './data-report.ts';
import type { Dataset } from './dataset.ts';

/** The same images, labelled with other classes: `outputs` has the new label of each class. */
export const relabelled = (
  { classIds: _, ...dataset }: Dataset,
  {
    classes,
    classIds,
    outputs,
  }: {
    classes: readonly string[];
    classIds?: readonly string[] | undefined;
    outputs: readonly number[];
  },
): Dataset => ({
  ...dataset,
  classes,
  ...(classIds && { classIds }),
  label: (index) => outputs[dataset.label(index)] ?? -1,
});

/**
 * The data set with the labels of `classes`, matched by identifier where both have them, else by name. Classes without images are said
 * in its report.
 * @throws DataError if it has a class that is not among them
 */
export function alignClasses(
  dataset: Dataset,
  { classes, classIds }: { classes: readonly string[]; classIds?: readonly string[] | undefined },
): Dataset {
  if (dataset.classes.join('\n') === classes.join('\n')) return dataset;
  const [own, those] =
    dataset.classIds && classIds ? [dataset.classIds, classIds] : [dataset.classes, classes];
  const indexOf = new Map(those.map((name, index) => [name, index]));
  const unknown = own.filter((name) => !indexOf.has(name));
  if (unknown.length > 0)
    throw new DataError(
      `${dataset.name}: expected the classes of training (${listed(those)}), received others too: ${listed(unknown)}`,
    );
  const outputs = own.map((name) => indexOf.get(name) as number);
  const known = new Set(outputs);
  const lacking = classes.filter((_, index) => !known.has(index));
  const decision = `${dataset.name}: has no images of ${lacking.length} of the ${classes.length} classes (${listed(lacking)})`;
  const aligned = relabelled(dataset, { classes, classIds, outputs });
  return lacking.length === 0 ? aligned : withDecisions(aligned, [decision]);
}

const maxListed = 10;

/** The names, or the first of many. */
export const listed = (names: readonly string[]): string =>
  `${names.slice(0, maxListed).join(', ')}${names.length > maxListed ? ', …' : ''}`;
