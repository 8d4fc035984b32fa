/**
 * Which record files `--data` names, and of which split each is: a folder with `train-00000-of-01024` and `validation-00000-of-00128`, or with
 * folders `train` and `validation` of such files, a pattern such as `train-?????-of-01024`, or one file.
 */
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DataError } from '../data-error.ts';
import type { Split } from '../dataset.ts';
import { expandGlob, isGlob } from '../folders/expand-glob.ts';
import { splitNames } from '../folders/find-splits.ts';
import { countClassFolders } from '../folders/scan-folder.ts';
import { expandBraces } from '../shards/expand-braces.ts';
import { describeLocations } from '../shards/find-shards.ts';
import { RecordError } from './record-error.ts';
import { compressionOf, headerBytes, recordLength } from './record-reader.ts';

export interface FoundRecords {
  /** Whole paths, sorted, by split; `all` where no file says its split. */
  readonly splits: { readonly [S in Split | 'all']?: readonly string[] };
  /** Files of no split, beside others that have one. */
  readonly others: readonly string[];
  /** What is missing of sets whose names say how many files they have, where only a part was asked for. */
  readonly decisions: readonly string[];
}

/** `train-00000-of-01024`, `train.tfrecord-00000-of-00010`, `flowers.tfrecords` */
const numbered = /^(.*)-(\d{1,6})-of-(\d{1,6})$/;
const isNamedSo = (name: string): boolean =>
  !name.startsWith('.') && (numbered.test(name) || /\.(tfrecords?|tfrec)$/i.test(name));

/** Undefined for what is no record file and no folder of them. @throws RecordError for files of a folder that are missing */
export async function findRecords(source: string): Promise<FoundRecords | undefined> {
  const info = await stat(source).catch(() => undefined);
  if (info?.isDirectory()) return findInFolder(source);
  if (info?.isFile()) return (await isRecordFile(source)) ? divided([resolve(source)], source) : undefined;
  if (!isGlob(source)) return undefined;
  const expanded = expandBraces(source) ?? [];
  const found = await Promise.all(expanded.map((name) => (isGlob(name) ? expandGlob(name) : [name])));
  const paths = found.flat().map((path) => resolve(path));
  if (paths.length === 0 || !paths.every((path) => isNamedSo(basename(path)))) return undefined;
  return divided(paths, source);
}

async function findInFolder(folder: string): Promise<FoundRecords | undefined> {
  const folders = [folder, ...splitFolders.map((name) => join(folder, name))];
  const paths = (await Promise.all(folders.map(recordsIn))).flat();
  const [first] = paths;
  // Checkpoints of language models are numbered in the same way.
  if (first === undefined || !(await isRecordFile(first))) return undefined;
  for (const each of folders)
    if ((await countClassFolders(each, { atMost: 1 }).catch(() => 0)) > 0) return undefined;
  const missing = missingFiles(paths);
  if (missing.length > 0)
    throw new RecordError(
      `${folder}: ${missing.join('; ')}; restore them, or name what is there: --data '${folder}/*-of-*'`,
    );
  return divided(paths, folder);
}

const splitFolders = Object.values(splitNames).flat();

async function recordsIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory() && isNamedSo(entry.name))
    .map(({ name }) => resolve(folder, name))
    .sort();
}

/** Whether a file begins as one of records, or is compressed and called so. */
async function isRecordFile(path: string): Promise<boolean> {
  const file = await open(path).catch(() => undefined);
  if (!file) throw new DataError(`${path}: cannot be opened`);
  try {
    const head = new Uint8Array(headerBytes);
    const { bytesRead } = await file.read(head, { position: 0 });
    if (bytesRead < headerBytes) return false;
    return (
      recordLength(head) !== undefined || (isNamedSo(basename(path)) && compressionOf(head) !== undefined)
    );
  } finally {
    await file.close();
  }
}

/** `3 of the 1024 files train-00000-of-01024 … are not there (train-00005-of-01024, …)` */
function missingFiles(paths: readonly string[]): string[] {
  const sets = new Map<string, Set<number>>();
  for (const path of paths) {
    const [, prefix, number, count] = numbered.exec(path) ?? [];
    if (count === undefined) continue;
    const key = `${prefix}\0${count}`;
    sets.set(key, (sets.get(key) ?? new Set()).add(Number(number)));
  }
  return [...sets].flatMap(([key, numbers]) => {
    const [prefix = '', count = ''] = key.split('\0');
    const nameOf = (number: number) =>
      `${basename(prefix)}-${String(number).padStart(Math.max(5, count.length), '0')}-of-${count}`;
    const missing = Array.from({ length: Number(count) }, (_, number) => number).filter(
      (number) => !numbers.has(number),
    );
    const [first] = missing;
    if (first === undefined) return [];
    return [
      `${missing.length} of the ${Number(count)} files ${basename(prefix)}-…-of-${count} ${missing.length === 1 ? 'is' : 'are'} not there (${nameOf(first)}${missing.length > 1 ? ', …' : ''})`,
    ];
  });
}

const splitByWord = new Map(
  (Object.entries(splitNames) as [Split, readonly string[]][]).flatMap(([split, names]) =>
    names.map((name) => [name, split] as const),
  ),
);

/** By a word of its file's name, else by its folder's name. */
const splitOf = (path: string): Split | undefined =>
  [
    ...basename(path)
      .toLowerCase()
      .split(/[-_.]+/),
    basename(dirname(path)).toLowerCase(),
  ].flatMap((word) => splitByWord.get(word) ?? [])[0];

function divided(paths: readonly string[], source: string): FoundRecords {
  const splits: { [S in Split | 'all']?: string[] } = {};
  const others: string[] = [];
  const found = paths.map((path) => [path, splitOf(path)] as const);
  // A pattern that names the files of one split is a set of its own.
  const isDivided = new Set(found.map(([, split]) => split)).size > 1;
  for (const [path, split] of found) {
    if (split === undefined && isDivided) others.push(path);
    else {
      const files = splits[isDivided && split ? split : 'all'] ?? [];
      files.push(path);
      splits[isDivided && split ? split : 'all'] = files;
    }
  }
  const missing = missingFiles(paths);
  return { splits, others, decisions: missing.map((each) => `warning: ${source}: ${each}`) };
}

/** Many names as one: `train-*-of-01024`. */
export const describeFiles = (paths: readonly string[]): string =>
  describeLocations(paths.map((location) => ({ kind: 'file', location })));
