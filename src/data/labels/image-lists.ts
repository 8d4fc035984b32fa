/** Lists that go with a data set: ImageNet's blacklist, and the ReaL labels. */
import { basename } from 'node:path';
import { DataError } from '../data-error.ts';
import type { Dataset } from '../dataset.ts';
import { linesOf, readText } from './read-text.ts';

/** The number in a validation image's name: ILSVRC2012_val_00000293.JPEG is 293. */
const numberOf = (name: string): number | undefined => {
  const match = /(\d+)\.\w+$/.exec(basename(name));
  return match ? Number(match[1]) : undefined;
};

/**
 * Images to exclude: one per line, a file name or, as in ImageNet's blacklist, the number in it.
 * @throws DataError if no line matches an image.
 */
export async function readExclusions(path: string, dataset: Dataset): Promise<ReadonlySet<number>> {
  const entries = new Set(
    linesOf(await readText(path)).filter((line) => line !== '' && !line.startsWith('#')),
  );
  const excluded = new Set<number>();
  for (let index = 0; index < dataset.length; index++) {
    const name = dataset.nameOf(index);
    const number = numberOf(name);
    if (
      entries.has(name) ||
      entries.has(basename(name)) ||
      (number !== undefined && entries.has(String(number)))
    )
      excluded.add(index);
  }
  if (entries.size > 0 && excluded.size === 0)
    throw new DataError(
      `${path}: none of its ${entries.size} lines is the name or number of an image of ${dataset.name} (the first: '${[...entries][0]}')`,
    );
  return excluded;
}

/**
 * ReaL labels (arXiv 2006.07159): a JSON list of lists ordered by the validation images' numbers, or an object keyed by file
 * name. Images without labels are excluded from the score.
 */
export async function readRealLabels(
  path: string,
  dataset: Dataset,
): Promise<(index: number) => readonly number[]> {
  let value: unknown;
  try {
    value = JSON.parse(await readText(path));
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${path}: not JSON (${(error as Error).message})`);
  }
  const isLabels = (entry: unknown): entry is number[] =>
    Array.isArray(entry) && entry.every((label) => Number.isSafeInteger(label) && label >= 0);
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  const wrong = entries.find(([, labels]) => !isLabels(labels));
  if (entries.length === 0 || wrong)
    throw new DataError(
      `${path}: expected lists of label numbers, one per image${wrong ? `; '${wrong[0]}' is ${JSON.stringify(wrong[1])}` : ''}`,
    );
  const byName = new Map(entries as [string, number[]][]);
  return (index) => {
    const name = basename(dataset.nameOf(index));
    const number = numberOf(name);
    const key = Array.isArray(value) ? String(number === undefined ? index : number - 1) : name;
    const labels = byName.get(key);
    if (!labels) throw new DataError(`${path}: no labels for ${dataset.nameOf(index)}`);
    return labels;
  };
}
