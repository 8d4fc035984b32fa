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

export const describeLabels = ({ model, images, trainedOn }: LabelCheck): string => {
  const about = `not cross-validated${trainedOn === null ? '' : `; as the folder is now, ${grouped(trainedOn)} of the images are those that it was trained on, and may be learnt by heart`}`;
  const found =
    images.length === 0 ? 'no other label' : `another label for ${counted(images.length, 'image')}`;
  return `${model} is sure of ${found} (${about})`;
};
