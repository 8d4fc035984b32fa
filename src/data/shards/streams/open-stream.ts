/** Streamed shards as a data set to train on: how many images, which classes, and then one after the other. */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { replaceText } from '../../../replace-file.ts';
import { DataError } from '../../data-error.ts';
import type { Dataset } from '../../dataset.ts';
import { modelLabelsIn, readModelLabels } from '../../labels/model-labels.ts';
import { describeLocations } from '../find-shards.ts';
import { groupedImages } from '../member-groups.ts';
import { cachedIndex } from '../open-index.ts';
import { type ClassNames, classesOf, classFiles } from '../shard-classes.ts';
import { ShardError } from '../shard-error.ts';
import { StreamSource } from '../tar/byte-source.ts';
import { TarReader } from '../tar/tar-reader.ts';
import { shardBytes } from './shard-bytes.ts';
import { nameOf, type StreamShard, streamSamples } from './stream-samples.ts';

export interface OpenStreamOptions {
  readonly shards: readonly StreamShard[];
  /** A file of class names. */
  readonly classes: string | undefined;
  /** Images of an epoch, where somebody says so. */
  readonly images: number | undefined;
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** What is known of a stream without reading it again. */
const countsSchema = z.object({
  shards: z.array(z.number().int().nonnegative()),
  labels: z.record(z.string(), z.number().int().positive()),
});

type Counts = z.infer<typeof countsSchema>;

/** @throws DataError, StorageError, ShardError */
export async function openStream(source: string, options: OpenStreamOptions): Promise<Dataset> {
  const { shards } = options;
  const name = describeLocations(shards);
  const decisions: string[] = [];
  const names = await classNames(options);
  const sizes = await sizesBeside(shards);
  const stated = options.images ?? sizes?.reduce((sum, each) => sum + each, 0);
  if (options.images !== undefined && !names)
    throw new DataError(
      `${source}: says that it has ${options.images} images, but not which classes: expected classes=FILE in the list, or a ${classFiles[0]} beside the shards`,
    );
  let counts: Counts | undefined;
  if (stated === undefined || !names) {
    const counted = await countsOf(shards, options.onNotice);
    counts = counted.counts;
    decisions.push(...counted.decisions);
  }
  const length = stated ?? (counts as Counts).shards.reduce((sum, each) => sum + each, 0);
  if (length === 0) throw new DataError(`${name}: its shards hold no images`);
  const labels = Object.keys(counts?.labels ?? {});
  if (!names && labels.length === 0) throw new DataError(`${name}: none of its ${length} images has a label`);
  const found = labels.length > 0 ? classesOf(labels, { source, names, exampleOf: () => name }) : undefined;
  if (found) decisions.push(...found.decisions);
  else decisions.push(`${source}: class names from ${names?.path}`);
  const classes = found?.classes ?? names?.classes ?? [];
  const classOf = found ? (label: string) => found.classOf.get(label) : namedClass(names as ClassNames);
  const perClass = counts && Array.from(classes, () => 0);
  for (const [label, images] of Object.entries(counts?.labels ?? {})) {
    const index = classOf(label);
    if (perClass && index !== undefined) perClass[index] = (perClass[index] ?? 0) + images;
  }
  decisions.push(
    `${name}: ${shards.length === 1 ? '1 shard is' : `${shards.length} shards are`} read from the beginning, ${length} images an epoch${stated === undefined ? '' : options.images === undefined ? ' by its sizes.json' : ' by --data'}; they are shuffled by shard and in a buffer, which is less than a permutation`,
  );
  const sized = shards.map((shard, at) => ({ ...shard, images: (sizes ?? counts?.shards)?.[at] }));
  return {
    name,
    length,
    classes,
    label: () => -1,
    nameOf: (index) => `${name}, image ${index}`,
    image: () => {
      throw new DataError(
        `${name}: its images can only be read one after the other, for a training; download the shards, or give other images`,
      );
    },
    stream: {
      identity: shards.map((shard) => nameOf(shard)).join('\n'),
      perClass,
      async *read({ replica, of, ...position }) {
        const samples = streamSamples(sized, { ...position, rank: replica, world: of, images: length });
        for await (const { label, ...sample } of samples)
          yield { ...sample, label: label === undefined ? undefined : classOf(label) };
      },
    },
    report: { leftOut: [], decisions },
  };
}

/** A name, a synset, or the number of a name. */
function namedClass({ classes, classIds = [] }: ClassNames): (label: string) => number | undefined {
  const byName = new Map([...classIds.entries(), ...classes.entries()].map(([at, name]) => [name, at]));
  return (label) =>
    byName.get(label) ?? (/^\d+$/.test(label) && Number(label) < classes.length ? Number(label) : undefined);
}

/** From the file that is named, or, of addresses, from one beside the first shard. */
async function classNames({ shards, classes }: OpenStreamOptions): Promise<ClassNames | undefined> {
  if (classes !== undefined) return { path: classes, ...(await readModelLabels(classes)) };
  for (const file of classFiles) {
    const found = await textBeside(shards, file);
    if (found) return { path: found.url, ...modelLabelsIn(found.text, found.url) };
  }
  return undefined;
}

/** `sizes.json`, as for OpenCLIP: the number of images of each shard by its name. Undefined unless it has all of them. */
async function sizesBeside(shards: readonly StreamShard[]): Promise<number[] | undefined> {
  const found = await textBeside(shards, 'sizes.json');
  if (!found) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(found.text);
  } catch (error) {
    throw new DataError(`${found.url}: not JSON (${(error as Error).message})`);
  }
  const sizes = new Map(Object.entries((value ?? {}) as Record<string, unknown>));
  const counts = shards.map((shard) => Number(sizes.get(nameOf(shard)) ?? Number.NaN));
  return counts.every((count) => Number.isSafeInteger(count) && count >= 0) ? counts : undefined;
}

/** A text beside the first shard, if that has an address. Servers answer in many ways for what is not there. */
async function textBeside(
  shards: readonly StreamShard[],
  file: string,
): Promise<{ url: string; text: string } | undefined> {
  const [first] = shards;
  if (first?.kind !== 'url') return undefined;
  const url = new URL(first.location);
  url.pathname = url.pathname.replace(/[^/]*$/, file);
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
    if (response.ok && !response.headers.get('content-type')?.includes('html'))
      return { url: String(url), text: await response.text() };
    await response.body?.cancel();
  } catch {
    // The shards themselves will say what is wrong with the server.
  }
  return undefined;
}

/** The images and labels of all shards: as they were counted before, or by reading everything once. */
async function countsOf(
  shards: readonly StreamShard[],
  onNotice: OpenStreamOptions['onNotice'],
): Promise<{ counts: Counts; decisions: readonly string[] }> {
  const name = describeLocations(shards);
  const path = cachedIndex(shards.map(({ location }) => location).join('\n')).replace(/index$/, 'json');
  const before = await readFile(path, 'utf8')
    .then((text) => countsSchema.safeParse(JSON.parse(text)).data)
    .catch(() => undefined);
  if (before?.shards.length === shards.length)
    return {
      counts: before,
      decisions: [`${name}: images and labels as they were counted before, in ${path}`],
    };
  onNotice?.(
    `${name}: reading all ${shards.length} shards once, to count their images and labels; LIST|IMAGES and classes=FILE in --data save that`,
  );
  const counts = { shards: [] as number[], labels: {} as Record<string, number> };
  let bytes = 0;
  const labels = new Map<string, number>();
  for (const shard of shards) {
    const source = new StreamSource(shardBytes(shard));
    try {
      const reader = new TarReader(source, shard.location);
      let images = 0;
      for await (const { label } of groupedImages(reader, {
        name: shard.location,
        keep: async () => undefined,
      })) {
        images++;
        if (label !== undefined) labels.set(label, (labels.get(label) ?? 0) + 1);
      }
      counts.shards.push(images);
      bytes += source.position;
    } finally {
      await source.close();
    }
    if (labels.size > maxLabels)
      throw new ShardError(
        `${name}: has more than ${maxLabels} different labels; expected classes: are they captions?`,
      );
  }
  counts.labels = Object.fromEntries(labels);
  await mkdir(dirname(path), { recursive: true });
  await replaceText(path, `${JSON.stringify(counts)}\n`);
  return {
    counts,
    decisions: [
      `${name}: all of it was read once to count its images and labels (${(bytes / 1e6).toFixed(0)} MB), which is kept in ${path}; LIST|IMAGES and classes=FILE in --data save that`,
    ],
  };
}

const maxLabels = 100_000;
