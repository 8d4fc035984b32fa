/** How the findings of a check are worded, as text and on the page. Pure. */
import { relative } from 'node:path';
import type { LabelCheck } from './data-check.ts';

export const grouped = (value: number): string => value.toLocaleString('en-US');

/** `1 image`, `1,200 images`. */
export const counted = (count: number, what: string): string =>
  `${grouped(count)} ${what}${count === 1 ? '' : 's'}`;

/** Relative to the data set's folder; images that are no files of it keep their names. */
export function nameIn(source: string, file: string): string {
  const name = relative(source, file);
  return name.startsWith('..') ? file : name;
}

/** Who judged the labels, and for how many images it is sure of another one. */
export function describeLabels({ model, images, trainedOn, crossValidated }: LabelCheck): string {
  const found =
    images.length === 0 ? 'no other label' : `another label for ${counted(images.length, 'image')}`;
  const seen =
    trainedOn === null
      ? undefined
      : `as the folder is now, ${grouped(trainedOn)} of the images are those that ${crossValidated ? 'the network' : 'it'} was trained on`;
  if (!crossValidated)
    return `${model}${seen === undefined ? ', which was not trained on these images as far as is known,' : ''} is sure of ${found}${seen === undefined ? '' : ` (not cross-validated; ${seen}, and may be known by heart)`}`;
  const { features, folds, error, notJudged } = crossValidated;
  const alone =
    notJudged === 0
      ? ''
      : `; ${counted(notJudged, 'image')} not judged, since nothing else shows ${notJudged === 1 ? 'its class' : 'their classes'}`;
  return `cross-validated in ${folds} folds, a classifier on the features of ${features} that has not seen the image is sure of ${found} (error ${(100 * error).toFixed(2)}%${alone}${seen === undefined ? '' : `; ${seen}`})`;
}
