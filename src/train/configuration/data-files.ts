/** Which files a run is trained and evaluated on: how many, and a hash of their names, so that a resumed run notices others. */
import { createHash } from 'node:crypto';
import { resolve, sep } from 'node:path';
import type { Dataset } from '../../data/dataset.ts';

/** A folder's whole path: a run can be resumed from anywhere. */
export const dataPath = (data: string): string => (data === 'fashion-mnist' ? data : resolve(data));

/** The files of one split. */
export interface DataFiles {
  readonly images: number;
  /** SHA-256 of the list of names and labels, in the order of the data set. */
  readonly sha256: string;
}

/** The files of a data set, by names relative to its folder: a folder that has moved is the same. */
export function filesOf({ length, nameOf, label }: Dataset, folder: string): DataFiles {
  const hash = createHash('sha256');
  const inside = folder.endsWith(sep) ? folder : folder + sep;
  for (let index = 0; index < length; index++) {
    const name = nameOf(index);
    const relative = name.startsWith(inside) ? name.slice(inside.length) : name;
    hash.update(`${relative.replaceAll(sep, '/')}\0${label(index)}\0`);
  }
  return { images: length, sha256: hash.digest('hex') };
}

/** In words, what differs from the files that a run began with; undefined if nothing does. */
export function differenceOf(began: DataFiles, now: DataFiles): string | undefined {
  if (began.sha256 === now.sha256) return undefined;
  return began.images === now.images
    ? `${now.images} images, as when the run began, but other files or other labels`
    : `${now.images} images; there were ${began.images} when the run began`;
}
