/** Which files a run is trained and evaluated on: how many, and a hash of their names, so that a resumed run notices others. */
import { createHash } from 'node:crypto';
import { sep } from 'node:path';
import type { Dataset } from '../../data/dataset.ts';

/** The files of one split. */
export interface DataFiles {
  readonly images: number;
  /** SHA-256 of the list of names and labels, in the order of the data set. */
  readonly sha256: string;
}

/** The files of a data set, by names relative to its folder: a folder that has moved is the same. */
export function filesOf({ length, nameOf, pathOf, label, stream }: Dataset, folder: string): DataFiles {
  const hash = createHash('sha256');
  if (stream) return { images: length, sha256: hash.update(stream.identity).digest('hex') };
  const inside = folder.endsWith(sep) ? folder : folder + sep;
  const relative = (name: string) =>
    (name.startsWith(inside) ? name.slice(inside.length) : name).replaceAll(sep, '/');
  let lines: string[] = [];
  for (let index = 0; index < length; index++) {
    lines.push(`${pathOf?.(index) ?? relative(nameOf(index))}\0${label(index)}\0`);
    // A million small updates take longer than the hash.
    if (lines.length < 1000 && index + 1 < length) continue;
    hash.update(lines.join(''));
    lines = [];
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
