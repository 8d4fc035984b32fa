/** Reassessed ImageNet labels (ReaL, arXiv 2006.07159) in terms of the competing classes. */
import { DataError } from '../data/data-error.ts';
import { imagenetSynsets } from '../model/imagenet-labels.ts';
import { ClassesError, type Labelled } from './match-classes.ts';
import type { AcceptedLabels } from './score.ts';

/**
 * Maps ImageNet's numbers to the competing classes: by synset where the classes have them, and by number where there are 1,000. Labels
 * that do not compete are left out.
 * @throws ClassesError if the classes are not ImageNet's.
 */
export function acceptedLabels(
  numbersOf: (index: number) => readonly number[],
  { classes, classIds }: Labelled,
): AcceptedLabels {
  if (!classIds && classes.length !== imagenetSynsets.length)
    throw new ClassesError(
      `--real-labels: its numbers are those of ImageNet's ${imagenetSynsets.length} classes; expected a model with as many outputs or with synsets, received ${classes.length} classes`,
    );
  const places = classIds && new Map(classIds.map((id, index) => [id, index]));
  const place = (number: number) => {
    const synset = imagenetSynsets[number];
    if (synset === undefined)
      throw new DataError(`--real-labels: expected ImageNet's numbers 0 to 999, received ${number}`);
    return places ? places.get(synset) : number;
  };
  return ({ index }) => numbersOf(index).flatMap((number) => place(number) ?? []);
}
