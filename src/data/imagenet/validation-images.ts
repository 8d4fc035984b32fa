/**
 * ImageNet's validation images as they are distributed: 50,000 files in one folder, `ILSVRC2012_val_00000001.JPEG`, with their labels in one of
 * several files, of which each counts the classes in its own way.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../data-error.ts';
import { withDecisions } from '../data-report.ts';
import type { Dataset } from '../dataset.ts';
import { openLabelledFolder } from '../folders/image-folder.ts';
import { listFolder } from '../folders/scan-folder.ts';
import { linesOf, readText } from '../labels/read-text.ts';
import { findSynsetNames, isSynset, nameLists } from './synset-names.ts';

/** Files of labels, and what their labels are. */
const labelFiles: readonly (readonly [file: string, labels: 'synsets' | 'sorted' | 'devkit'])[] = [
  ['LOC_val_solution.csv', 'synsets'],
  ['imagenet_2012_validation_synset_labels.txt', 'synsets'],
  // Caffe's: places from 0 among the sorted synsets.
  ['val.txt', 'sorted'],
  // The devkit's own numbers from 1, which are in no order of names.
  ['ILSVRC2012_validation_ground_truth.txt', 'devkit'],
];

/** The devkit's order as text: `n02119789 1 kit_fox`. */
const devkitOrder = 'map_clsloc.txt';

const imagenetClasses = 1000;

/** Whether a folder holds nothing but these images. */
export async function isValidationFolder(folder: string): Promise<boolean> {
  const listing = await listFolder(folder).catch(() => undefined);
  return (
    listing !== undefined &&
    listing.images.length > 0 &&
    listing.images.every((name) => /^ILSVRC2012_val_\d{8}\.jpe?g$/i.test(name))
  );
}

/** With synsets for classes. @throws DataError saying what is missing */
export async function openValidationImages(folder: string, beside: readonly string[]): Promise<Dataset> {
  const found = await findLabels(beside);
  if (!found)
    throw new DataError(
      `${folder}: holds ImageNet's validation images, whose labels are in a file of their own; expected one of ${labelFiles.map(([file]) => file).join(', ')} in ${beside.join(' or ')}`,
    );
  const { path, labels } = found;
  const dataset = await openLabelledFolder(folder, path);
  const synsets =
    labels === 'synsets'
      ? dataset.classes
      : labels === 'sorted'
        ? await bySortedPlace(dataset.classes, { path, beside })
        : await byDevkit(dataset.classes, { path, beside });
  const wrong = synsets.find((synset) => !isSynset(synset));
  if (wrong !== undefined)
    throw new DataError(`${path}: expected synsets such as n01440764, received '${wrong.slice(0, 80)}'`);
  return withDecisions({ ...dataset, classes: synsets }, [
    `${folder}: labels from ${path}${labels === 'synsets' ? '' : labels === 'sorted' ? ', places from 0 among the sorted synsets' : `, numbers of the devkit, in the order of ${devkitOrder}`}`,
  ]);
}

async function findLabels(folders: readonly string[]) {
  for (const [file, labels] of labelFiles)
    for (const folder of folders) {
      const path = join(folder, file);
      if (await stat(path).catch(() => undefined)) return { path, labels };
    }
  return undefined;
}

interface Numbers {
  readonly path: string;
  readonly beside: readonly string[];
}

async function bySortedPlace(numbers: readonly string[], { path, beside }: Numbers): Promise<string[]> {
  // All of WordNet has no places; of a part of the classes the places are not those of the file.
  const lists = nameLists.filter((list) => list !== 'words.txt');
  const list = await findSynsetNames(beside, lists);
  const sorted = [...(list?.names.keys() ?? [])].sort();
  if (sorted.length !== imagenetClasses)
    throw new DataError(
      `${path}: its labels are places among ImageNet's ${imagenetClasses} synsets; expected a list of them (${lists.join(', ')}) in ${beside.join(' or ')}${list ? `, received ${sorted.length} in ${list.path}` : ''}`,
    );
  return numbers.map((number) => nth(sorted, Number(number), { number, path }));
}

async function byDevkit(numbers: readonly string[], { path, beside }: Numbers): Promise<string[]> {
  let order: string | undefined;
  for (const folder of beside) {
    const place = join(folder, devkitOrder);
    if (order === undefined && (await stat(place).catch(() => undefined))) order = place;
  }
  if (order === undefined)
    throw new DataError(
      `${path}: its labels are the devkit's own numbers, whose synsets are in meta.mat, which is not read, and not in the order of names; expected ${devkitOrder} ('n02119789 1 kit_fox') beside it, or LOC_val_solution.csv or imagenet_2012_validation_synset_labels.txt`,
    );
  const synsets: string[] = [];
  for (const line of linesOf(await readText(order))) {
    const [, synset, number] = /^(n\d{8})\s+(\d+)\b/.exec(line) ?? [];
    if (synset === undefined)
      throw new DataError(
        `${order}: expected lines such as 'n02119789 1 kit_fox', received '${line.slice(0, 80)}'`,
      );
    synsets[Number(number) - 1] = synset;
  }
  return numbers.map((number) => nth(synsets, Number(number) - 1, { number, path }));
}

function nth(synsets: readonly string[], place: number, { number, path }: { number: string; path: string }) {
  const synset = synsets[place];
  if (synset === undefined)
    throw new DataError(`${path}: the label '${number}' is no number of one of ${synsets.length} synsets`);
  return synset;
}
