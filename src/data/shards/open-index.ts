/** The index of the shards in a folder: read if it is there, else made by one pass over their headers and kept beside them. */
import { createHash } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import pLimit from 'p-limit';
import { buildIndex, imagesOf, type ShardImages } from './build-index.ts';
import { scanShard } from './scan-shard.ts';
import { ShardError } from './shard-error.ts';
import { readIndex, type ShardIndex, writeIndex } from './shard-index.ts';

export const indexName = 'inception-shards.index';

/** Shards whose headers are read at a time. */
const scannedAtOnce = 8;

export interface OpenedIndex {
  readonly index: ShardIndex;
  /** What was done besides reading it, as sentences. */
  readonly decisions: readonly string[];
}

/** Where an index is kept whose folder may not be written: with the caches of other programs. */
export const cachedIndex = (
  folder: string,
  { XDG_CACHE_HOME, HOME }: NodeJS.ProcessEnv = process.env,
): string =>
  join(
    resolve(XDG_CACHE_HOME || join(HOME || homedir(), '.cache')),
    'inception-networks',
    'shards',
    `${createHash('sha256').update(resolve(folder)).digest('hex').slice(0, 32)}.index`,
  );

/**
 * An index with at least the named shards of a folder. Shards that are not in it, or that are not as they were (size, time of
 * change), are read again.
 * @throws ShardError for a shard that is missing, or no archive
 */
export async function openIndex(
  folder: string,
  names: readonly string[],
  onNotice?: (message: string) => void,
): Promise<OpenedIndex> {
  const [beside, cached] = [join(folder, indexName), cachedIndex(folder)];
  const now = await stats(folder, names);
  const kept = [await readIndex(beside), await readIndex(cached)].flatMap((index) => index ?? []);
  const isFresh = (index: ShardIndex) => {
    const shards = new Map(index.shards.map((shard) => [shard.name, shard]));
    return (name: string) => {
      const [was, is] = [shards.get(name), now.get(name)];
      return was !== undefined && was.size === is?.size && was.mtimeMs === is.mtimeMs;
    };
  };
  const complete = kept.find((index) => names.every(isFresh(index)));
  if (complete) return { index: complete, decisions: [] };
  const before = kept.flatMap((index) => {
    const fresh = isFresh(index);
    // Of shards that this data set does not have nothing is known; whoever has them looks for himself.
    return imagesOf(index).filter(({ shard }) => !now.has(shard.name) || fresh(shard.name));
  });
  const byName = new Map(before.map((images) => [images.shard.name, images]));
  const missing = names.filter((name) => !byName.has(name));
  onNotice?.(
    `${folder}: reading the headers of ${missing.length} of ${names.length} shards, once; the next start takes a moment`,
  );
  const limit = pLimit(scannedAtOnce);
  const scanned = await Promise.all(
    missing.map((name) =>
      limit(async (): Promise<ShardImages> => {
        const { images, ...found } = await scanShard(join(folder, name));
        return { shard: { name, ...(now.get(name) as Stat), ...found }, images };
      }),
    ),
  );
  for (const images of scanned) byName.set(images.shard.name, images);
  const index = buildIndex(
    folder,
    // In one order, so that processes that read the headers at the same time write the same.
    [...byName.values()].sort((a, b) => (a.shard.name < b.shard.name ? -1 : 1)),
  );
  return { index, decisions: [await keep(index, { beside, cached, scanned: missing.length })] };
}

interface Stat {
  readonly size: number;
  readonly mtimeMs: number;
}

async function stats(folder: string, names: readonly string[]): Promise<ReadonlyMap<string, Stat>> {
  const found = new Map<string, Stat>();
  const missing: string[] = [];
  await Promise.all(
    names.map(async (name) => {
      const info = await stat(join(folder, name)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT')
          throw new ShardError(`${join(folder, name)}: cannot be read (${error.code})`);
      });
      if (!info) missing.push(name);
      else if (!info.isFile())
        throw new ShardError(`${join(folder, name)}: expected a tar archive, received no file`);
      else found.set(name, { size: info.size, mtimeMs: Math.floor(info.mtimeMs) });
    }),
  );
  const [first] = missing.sort();
  if (first !== undefined)
    throw new ShardError(
      `${join(folder, first)}: no such file${missing.length > 1 ? `, nor ${missing.length - 1} more of ${names.length} shards` : ''}`,
    );
  return found;
}

/** Kept where it can be; a sentence says where. */
async function keep(
  index: ShardIndex,
  { beside, cached, scanned }: { beside: string; cached: string; scanned: number },
): Promise<string> {
  const read = `the headers of ${scanned} ${scanned === 1 ? 'shard' : 'shards'} were read once`;
  for (const path of [beside, cached]) {
    try {
      if (path === cached) await mkdir(dirname(path), { recursive: true });
      await writeIndex(path, index);
      return `${dirname(beside)}: ${read}; where their images lie is kept in ${path}`;
    } catch {
      // The next place is tried.
    }
  }
  return `warning: ${dirname(beside)}: ${read}; where their images lie can be kept neither there nor in ${dirname(cached)}, and will be read again`;
}
