/** Writes a data set as shards, in one pass and bounded memory; a pack that was ended goes on with the next shard. */
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../../errors.ts';
import { removeIncomplete, replaceText } from '../../replace-file.ts';
import { alignClasses } from '../align-classes.ts';
import { DataError } from '../data-error.ts';
import { describeReport } from '../data-report.ts';
import type { Dataset, Split } from '../dataset.ts';
import { modelLabelsIn } from '../labels/model-labels.ts';
import { findSource } from '../sources/find-source.ts';
import type { Shrinking } from './pack-image.ts';
import { type PackRecord, readPackRecord, writePackRecord } from './pack-record.ts';
import { planPack } from './plan-pack.ts';
import { ImageQueue, type ShardContent, shardContent } from './shard-content.ts';
import { writeShard } from './write-shard.ts';

export interface PackOptions {
  /** `shards/train-{}.tar`, or with `{split}` for every split: `shards/{split}-{}.tar`. */
  readonly output: string;
  /** Only this split. */
  readonly split?: Split | undefined;
  /** Of a shard. */
  readonly maxBytes: number;
  readonly seed: number;
  readonly shrinking?: Shrinking | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onNotice?: ((line: string) => void) | undefined;
  /** Called before a split is written: how many images it has, and how many are written already. */
  readonly onStart?: ((split: { name: string; images: number; done: number }) => void) | undefined;
  readonly onImage?: (() => void) | undefined;
}

/** What was written of a split. */
export interface PackedSplit {
  readonly name: string;
  readonly shards: PackRecord['shards'];
  readonly images: number;
  readonly reencoded: number;
  readonly undecodable: PackRecord['undecodable'];
}

const splitWord = (split: Split): string => (split === 'validation' ? 'val' : split);

/**
 * Packs a data set, or its splits. What is there already is kept; a finished pack is left as it is.
 * @throws UsageError, DataError; StorageError where an image cannot be read
 */
export async function packData(source: string, options: PackOptions): Promise<PackedSplit[]> {
  const found = await findSource(source);
  const { output, split, onNotice } = options;
  checkOutput(output, { source, splits: found.splits, split });
  const parts: readonly (Split | 'all')[] =
    split !== undefined ? [split] : found.splits.length > 0 ? found.splits : ['all'];
  const folder = dirname(output);
  await mkdir(folder, { recursive: true });
  const packed: PackedSplit[] = [];
  let classes: Pick<Dataset, 'classes' | 'classIds'> | undefined;
  for (const part of parts) {
    const opened = await found.open(part, { fewestClasses: 1 });
    classes ??= opened;
    const dataset = alignClasses(opened, classes);
    if (packed.length === 0) {
      for (const line of describeReport({ ...opened, report: found.report })) onNotice?.(line);
      await writeClasses(folder, classes);
    }
    for (const line of describeReport(dataset)) onNotice?.(line);
    const name = part === 'all' ? output : output.replaceAll('{split}', splitWord(part));
    packed.push(await packSplit(dataset, name, options));
    if (options.signal?.aborted) break;
  }
  return packed;
}

function checkOutput(
  output: string,
  { source, splits, split }: { source: string; splits: readonly Split[]; split: Split | undefined },
): void {
  const refuse = (problem: string) => {
    throw new UsageError(`--output: ${problem}; received '${output}'`);
  };
  const name = basename(output);
  if (!/^[^{}]*\{\}[^{}]*\.tar$/.test(name.replaceAll('{split}', 's')) || /[{}]/.test(dirname(output)))
    refuse("expected a name with {} for the shard's number that ends in .tar, such as 'shards/train-{}.tar'");
  if (split !== undefined && !splits.includes(split))
    throw new UsageError(
      `--split: ${source} has ${splits.length === 0 ? 'no splits' : `the splits ${splits.map(splitWord).join(', ')}`}, received '${splitWord(split)}'`,
    );
  const several = split === undefined && splits.length > 1;
  if (several && !name.includes('{split}'))
    refuse(
      `${source} has the splits ${splits.map(splitWord).join(', ')}: expected {split} in the name, such as 'shards/{split}-{}.tar', or one of them in --split`,
    );
  if (splits.length === 0 && name.includes('{split}')) refuse(`${source} has no splits to name by {split}`);
}

/** Their order, which the labels are numbers of. @throws DataError where other classes are written there */
async function writeClasses(
  folder: string,
  { classes, classIds }: Pick<Dataset, 'classes' | 'classIds'>,
): Promise<void> {
  const lines = `${classes.map((name, index) => (classIds ? `${classIds[index]} ${name}` : name)).join('\n')}\n`;
  const same = (text: string) => {
    const read = modelLabelsIn(text, 'classes');
    return read.classes.join('\0') === classes.join('\0') && read.classIds?.join() === classIds?.join();
  };
  // Some names are no lines: JSON holds them all.
  const [file, text] = isRead(lines, same)
    ? ['classes.txt', lines]
    : [
        'classes.json',
        `${JSON.stringify(classes.map((name, index) => (classIds ? [classIds[index], name] : name)))}\n`,
      ];
  const path = join(folder, file);
  const before = await readFile(path, 'utf8').catch(() => undefined);
  if (before !== undefined && !isRead(before, same))
    throw new DataError(
      `${path}: has other classes; expected those of this pack: write it to a folder of its own`,
    );
  if (before === undefined) await replaceText(path, text);
}

function isRead(text: string, same: (text: string) => boolean): boolean {
  try {
    return same(text);
  } catch {
    return false;
  }
}

async function packSplit(dataset: Dataset, output: string, options: PackOptions): Promise<PackedSplit> {
  const { maxBytes, seed, shrinking, signal, onNotice, onStart } = options;
  const plan = planPack(dataset, seed);
  const begun: PackRecord = {
    format: 1,
    sha256: plan.sha256,
    images: dataset.length,
    options: {
      maxBytes,
      seed,
      shorterSide: shrinking?.shorterSide ?? null,
      quality: shrinking?.quality ?? null,
    },
    position: 0,
    shards: [],
    reencoded: 0,
    undecodable: [],
  };
  const recordPath = output.replace('{}', 'pack').replace(/\.tar$/, '.json');
  const nameOf = (shard: number) => basename(output).replace('{}', String(shard).padStart(6, '0'));
  let record = await goOn(recordPath, { begun, output, nameOf });
  if (record.position > 0)
    onNotice?.(
      `${output}: ${record.shards.length} shards with ${record.position} images are there, and are kept`,
    );
  const [renamed] = plan.renamed;
  if (renamed)
    onNotice?.(
      `${output}: ${plan.renamed.length} of the names cannot be keys of samples (a dot within, or the same but for the ending), and are written so that they can be read back: '${renamed.path}' as '${renamed.member}'`,
    );
  onStart?.({ name: dataset.name, images: dataset.length, done: record.position });
  const images = new ImageQueue(dataset, plan, { ...options, from: record.position });
  try {
    while (record.position < dataset.length) {
      const name = nameOf(record.shards.length);
      const content = shardContent(images, maxBytes);
      const first = await content.next();
      // Every image that was left cannot be decoded, or nothing is wanted any more.
      if (first.done) {
        if (signal?.aborted) break;
        record = added(record, first.value);
      } else {
        const written = await writeShard(join(dirname(output), name), resumed(first.value, content), signal);
        if (!written) break;
        record = added(record, written, name);
      }
      await writePackRecord(recordPath, record);
    }
  } finally {
    images.close();
  }
  const count = record.shards.reduce((sum, shard) => sum + shard.images, 0);
  if (count === 0 && record.position === dataset.length)
    throw new DataError(
      `${dataset.name}: none of its ${dataset.length} images can be packed (${record.undecodable[0]?.reason})`,
    );
  const { shards, reencoded, undecodable } = record;
  return { name: dataset.name, shards, images: count, reencoded, undecodable };
}

/** The record of a pack that was ended, or a new one. @throws DataError for shards of something else */
async function goOn(
  path: string,
  { begun, output, nameOf }: { begun: PackRecord; output: string; nameOf: (shard: number) => string },
): Promise<PackRecord> {
  const folder = dirname(output);
  const record = await readPackRecord(path);
  if (!record) {
    const first = join(folder, nameOf(0));
    if (await stat(first).catch(() => undefined))
      throw new DataError(
        `${first}: is there already, and no ${basename(path)} says of what; remove the shards, or write others`,
      );
    await writePackRecord(path, begun);
    return begun;
  }
  const differs = (reason: string) =>
    new DataError(`${path}: the shards there are of ${reason}; remove them, or write to another folder`);
  if (record.sha256 !== begun.sha256) throw differs('other images or labels');
  for (const [name, value] of Object.entries(begun.options))
    if (record.options[name as keyof typeof record.options] !== value)
      throw differs(
        `another ${optionNames[name as keyof typeof optionNames]} (${record.options[name as keyof typeof record.options] ?? 'none'})`,
      );
  const there = new Set(await readdir(folder));
  const missing = record.shards.find(({ name }) => !there.has(name));
  if (missing) throw new DataError(`${join(folder, missing.name)}: no such file, but ${path} lists it`);
  const next = nameOf(record.shards.length);
  await removeIncomplete(folder, (name) => name === next);
  return record;
}

const optionNames = {
  maxBytes: '--size',
  seed: '--seed',
  shorterSide: '--shorter-side',
  quality: '--quality',
};

const added = (record: PackRecord, content: ShardContent, name?: string): PackRecord => ({
  ...record,
  position: record.position + content.taken,
  shards:
    name === undefined
      ? record.shards
      : [...record.shards, { name, images: content.images, bytes: content.bytes }],
  reencoded: record.reencoded + content.reencoded,
  undecodable: [...record.undecodable, ...content.undecodable],
});

/** A generator whose first value was taken. */
async function* resumed<Value, Result>(
  first: Value,
  rest: AsyncGenerator<Value, Result>,
): AsyncGenerator<Value, Result> {
  yield first;
  return yield* rest;
}
