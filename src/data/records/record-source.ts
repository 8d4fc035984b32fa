/** TFRecord files as a form of data sets: an index makes each image a read at its place. */

import { basename, dirname, join } from 'node:path';
import { addUpLeftOut } from '../data-report.ts';
import type { Dataset, Split } from '../dataset.ts';
import { decodeImage } from '../decode.ts';
import { readMember } from '../read-image-file.ts';
import type { Source } from '../sources/source.ts';
import { ofEncoded } from '../splits/identical-files.ts';
import { describeFiles, findRecords } from './find-records.ts';
import { classesOf, type RecordClasses } from './record-classes.ts';
import { RecordError } from './record-error.ts';
import { type IndexedFile, openRecordFiles, pathAt } from './record-index.ts';

/** Undefined for what is neither a record file nor a folder of them. @throws RecordError */
export async function recordSource(source: string): Promise<Source | undefined> {
  const found = await findRecords(source);
  if (!found) return undefined;
  const { splits, others, decisions } = found;
  const filesOf = (split: Split | 'all') => splits[split] ?? [];
  return {
    kind: 'TFRecord files',
    name: source,
    splits: (['train', 'validation', 'test'] as const).filter((split) => splits[split] !== undefined),
    nameOf: (split) => describeFiles(filesOf(split)),
    expected: (split) => `record files called ${split}-00000-of-00010`,
    async open(split, { fewestClasses }) {
      const dataset = await openRecords(filesOf(split));
      if (dataset.classes.length < fewestClasses)
        throw new RecordError(
          `${dataset.name}: expected images of at least ${fewestClasses} classes, received only '${dataset.classes[0]}', and with one class there is nothing to tell apart`,
        );
      return dataset;
    },
    report: {
      leftOut:
        others.length === 0
          ? []
          : [
              {
                what: 'record files beside those of the splits',
                count: others.length,
                examples: others.slice(0, 3).map((path) => basename(path)),
              },
            ],
      decisions,
    },
    fingerprints: ofEncoded,
  };
}

/** The labelled images of some record files, in the order of the files and of the records in them. @throws RecordError */
export async function openRecords(paths: readonly string[]): Promise<Dataset> {
  const folders = [...new Set(paths.map((path) => dirname(path)))];
  const files: (IndexedFile & { readonly path: string })[] = [];
  const decisions: string[] = [];
  for (const folder of folders) {
    const names = paths.filter((path) => dirname(path) === folder).map((path) => basename(path));
    const opened = await openRecordFiles(folder, names);
    for (const file of opened.files) files.push({ ...file, path: join(folder, file.name) });
    decisions.push(...opened.decisions);
  }
  const name = describeFiles(paths);
  const classes = await classesOf(
    files.flatMap(({ labels }) => labels),
    { source: name, folders: [...folders, ...folders.map((folder) => dirname(folder))] },
  );
  const lost = files.flatMap((file) =>
    file.lost
      ? [
          `warning: ${file.path}: ${file.lost.reason}: its last ${file.lost.bytes} bytes cannot be read, and the images in them are left out`,
        ]
      : [],
  );
  return {
    ...recordImages(files, classes),
    name,
    report: {
      leftOut: addUpLeftOut(files.flatMap(({ leftOut }) => leftOut)),
      decisions: [...decisions, ...lost, ...classes.decisions],
    },
  };
}

function recordImages(
  files: readonly (IndexedFile & { readonly path: string })[],
  { classes, classIds, classOf }: RecordClasses,
): Omit<Dataset, 'name'> {
  const begins: number[] = [];
  let length = 0;
  for (const { images } of files) {
    begins.push(length);
    length += images;
  }
  const at = (index: number): [IndexedFile & { readonly path: string }, number] => {
    // The last file that begins at or before it.
    let [low, high] = [0, begins.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((begins[middle] as number) <= index) low = middle;
      else high = middle - 1;
    }
    return [files[low] as (typeof files)[number], index - (begins[low] as number)];
  };
  const encoded = (index: number) => {
    const [{ path, offsets, lengths }, image] = at(index);
    return { file: path, offset: offsets[image] as number, length: lengths[image] as number };
  };
  const nameOf = (index: number): string => {
    const [file, image] = at(index);
    return `${file.name}/${pathAt(file, image)}`;
  };
  return {
    length,
    classes,
    ...(classIds && { classIds }),
    label: (index) => {
      const [file, image] = at(index);
      return classOf.get(file.classLabels[image] as number) as number;
    },
    image: async (index) => decodeImage(await readMember(encoded(index)), { name: nameOf(index) }),
    encoded,
    nameOf,
    // Images without a name of their own are known by their place.
    pathOf: (index) => {
      const [file, image] = at(index);
      const path = pathAt(file, image);
      return path.startsWith('#') ? `${file.name}/${path}` : path;
    },
  };
}
