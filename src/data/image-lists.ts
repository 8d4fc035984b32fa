/** Lists about the images of a data set: ImageNet's labels by synset, its blacklist, and the ReaL labels. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { DataError } from './data-error.ts';
import type { Dataset } from './dataset.ts';

const lines = (text: string): string[] =>
  text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

async function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new DataError(`${path}: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}`);
  });
}

/** The number in a validation image's name: ILSVRC2012_val_00000293.JPEG is 293. */
const numberOf = (name: string): number | undefined => {
  const match = /(\d+)\.\w+$/.exec(basename(name));
  return match ? Number(match[1]) : undefined;
};

/**
 * Images to be left out: one for each line, a file's name or, as in ImageNet's blacklist, the number in it.
 * @throws DataError if not one line fits an image.
 */
export async function readExclusions(path: string, dataset: Dataset): Promise<ReadonlySet<number>> {
  const wanted = new Set(lines(await read(path)));
  const left = new Set<number>();
  for (let index = 0; index < dataset.length; index++) {
    const name = dataset.nameOf(index);
    const number = numberOf(name);
    if (
      wanted.has(name) ||
      wanted.has(basename(name)) ||
      (number !== undefined && wanted.has(String(number)))
    )
      left.add(index);
  }
  if (wanted.size > 0 && left.size === 0)
    throw new DataError(
      `${path}: none of its ${wanted.size} lines is the name, or the number, of an image of ${dataset.name} (the first: '${[...wanted][0]}')`,
    );
  return left;
}

/**
 * ReaL labels (arXiv 2006.07159): a JSON list of lists in the order of the validation images' numbers, or an object by
 * file name. An image without labels does not count.
 */
export async function readRealLabels(
  path: string,
  dataset: Dataset,
): Promise<(index: number) => readonly number[]> {
  let value: unknown;
  try {
    value = JSON.parse(await read(path));
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${path}: not JSON (${(error as Error).message})`);
  }
  const isLabels = (each: unknown): each is number[] =>
    Array.isArray(each) && each.every((label) => Number.isSafeInteger(label) && label >= 0);
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  const wrong = entries.find(([, each]) => !isLabels(each));
  if (entries.length === 0 || wrong)
    throw new DataError(
      `${path}: expected lists of label numbers, one for each image${wrong ? `; '${wrong[0]}' is ${JSON.stringify(wrong[1])}` : ''}`,
    );
  const byName = new Map(entries as [string, number[]][]);
  return (index) => {
    const name = basename(dataset.nameOf(index));
    const number = numberOf(name);
    const place = Array.isArray(value) ? String(number === undefined ? index : number - 1) : name;
    const labels = byName.get(place);
    if (!labels) throw new DataError(`${path}: there are no labels for ${dataset.nameOf(index)}`);
    return labels;
  };
}

/**
 * The label of every file of a flat folder: a line for each file in the order of their names, or lines of file and label,
 * separated by a space or a comma, as in ImageNet's `LOC_val_solution.csv`.
 */
export async function readLabels(path: string, files: readonly string[]): Promise<readonly string[]> {
  const all = lines(await read(path)).filter((line) => !/^ImageId,/.test(line));
  const pairs = all.map((line) => line.split(/[\s,]+/));
  if (pairs.every((words) => words.length === 1)) {
    if (all.length !== files.length)
      throw new DataError(`${path}: ${all.length} labels for ${files.length} images`);
    return all;
  }
  const stem = (name: string) => basename(name).replace(/\.\w+$/, '');
  const byFile = new Map(pairs.map(([file = '', label = '']) => [stem(file), label]));
  return files.map((file) => {
    const label = byFile.get(stem(file));
    if (label === undefined) throw new DataError(`${path}: there is no label for ${file}`);
    return label;
  });
}
