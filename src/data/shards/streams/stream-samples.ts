/**
 * The images of an epoch of streamed shards for one process: several shards are read at a time, in turns, and what comes goes through
 * a shuffle buffer. The order follows from (seed, epoch) and the shards, not from how fast they come.
 */
import { randomFor } from '../../../random.ts';
import { DataError } from '../../data-error.ts';
import { describeLocations, type Shard } from '../find-shards.ts';
import { groupedImages } from '../member-groups.ts';
import { ShardError } from '../shard-error.ts';
import { StreamSource } from '../tar/byte-source.ts';
import { TarReader } from '../tar/tar-reader.ts';
import { lanesOf, type Turn } from './lanes.ts';
import { type BytesOptions, shardBytes } from './shard-bytes.ts';
import { type Needed, neededAfter, shuffled } from './shuffle-buffer.ts';

/** A shard with the number of its images, where that is known. */
export interface StreamShard extends Shard {
  readonly images?: number | undefined;
}

/** An image as it comes. */
export interface StreamSample {
  /** `train-0003.tar/cat/1.jpg` */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** As written; undefined without one. */
  readonly label: string | undefined;
}

export interface StreamOptions extends BytesOptions {
  readonly seed: number;
  /** From 0. */
  readonly epoch: number;
  /** Images of all processes in an epoch; what does not divide among them is left out. */
  readonly images: number;
  /** Images of this epoch that this process has had already. */
  readonly given?: number;
  readonly rank?: number;
  readonly world?: number;
  /** Shards that are read at a time. Default 16. */
  readonly readers?: number;
  /** Images in the shuffle buffer. Default 1,000. */
  readonly buffer?: number;
  readonly onNotice?: ((message: string) => void) | undefined;
}

export const usualBuffer = 1000;
/** A batch of 256 then has images of about 19 shards; of 4 readers, of 9. */
export const usualReaders = 16;

/** Samples that each reader reads ahead. */
const ahead = 4;

/** Shards that may be damaged before a training ends: part of what it should learn from would be missing. */
const damagedFraction = 0.01;

/** @throws DataError, StorageError, or the signal's reason */
export async function* streamSamples(
  shards: readonly StreamShard[],
  options: StreamOptions,
): AsyncGenerator<StreamSample> {
  const { seed, epoch, images, rank = 0, world = 1, buffer = usualBuffer } = options;
  // Several readers of a shard would all read the whole of it: only where there are fewer shards than processes.
  const { readers: wanted = usualReaders } = options;
  const readers = Math.max(1, Math.min(wanted, Math.floor(shards.length / world)));
  const { given = 0, onNotice } = options;
  const total = Math.floor(images / world);
  const random = () => randomFor(seed, epoch, rank, -2);
  const needed = neededAfter(given, { size: buffer, total, random: random() });
  const lanes = lanesOf({ shards: shards.length, lanes: world * readers, seed, epoch });
  const own = lanes.slice(rank * readers, (rank + 1) * readers);
  const passing = { shards: 0, images: 0 };
  const tell = () => {
    if (given > 0 && passing.images > 0)
      onNotice?.(
        `${describeLocations(shards)}: went on after ${given} images of epoch ${epoch + 1}: ${passing.shards} shards were not read, and ${passing.images} images passed over without being decoded`,
      );
    passing.images = 0;
  };
  const merged = takeTurns(shards, { ...options, readers, lanes: own, total, needed, passing });
  let out = 0;
  for await (const sample of shuffled(merged, { size: buffer, random: random() })) {
    if (out++ < given) continue;
    if (out === given + 1) tell();
    yield sample as StreamSample;
  }
}

interface TurnOptions extends StreamOptions {
  readonly lanes: readonly Turn[][];
  readonly total: number;
  readonly needed: Needed;
  /** Counts what was not read. */
  readonly passing: { shards: number; images: number };
}

/** One image of each reader in turn, until there are `total`; undefined for those that are not needed. */
async function* takeTurns(
  shards: readonly StreamShard[],
  options: TurnOptions,
): AsyncGenerator<StreamSample | undefined> {
  const { lanes, total, needed, onNotice } = options;
  const name = describeLocations(shards);
  const damaged = { count: 0 };
  let number = 0;
  for (let round = 0; number < total; round++) {
    const before = number;
    let readers = lanes.map(
      (turns, lane) => new Reader(shards, turns, { ...options, lane, damaged, isFirst: round === 0 }),
    );
    const all = readers;
    try {
      while (readers.length > 0 && number < total) {
        const ended = new Set<Reader>();
        for (const reader of readers) {
          if (number === total) break;
          const { done, value } = await reader.next(needed.has(number), number);
          if (done) {
            ended.add(reader);
            continue;
          }
          number++;
          yield value;
        }
        readers = readers.filter((reader) => !ended.has(reader));
      }
    } finally {
      await Promise.all(all.map((reader) => reader.close()));
    }
    if (number === before) throw new DataError(`${name}: its shards hold no images`);
    if (number < total)
      onNotice?.(
        `${name}: the shards of this process hold ${number} images, and an epoch has ${total}: ${total - number} come again in epoch ${options.epoch + 1}`,
      );
  }
}

interface ReaderOptions extends TurnOptions {
  /** Which of the process's readers it is. */
  readonly lane: number;
  readonly damaged: { count: number };
  /** Whether the epoch's images come for the first time. */
  readonly isFirst: boolean;
}

/** Reads the shards of one lane, one after the other. */
class Reader {
  readonly #samples: AsyncGenerator<StreamSample | undefined>;
  readonly #queue: Promise<IteratorResult<StreamSample | undefined>>[] = [];
  readonly #closing = new AbortController();
  #isWanted = true;
  readonly #options: ReaderOptions;

  constructor(shards: readonly StreamShard[], turns: readonly Turn[], options: ReaderOptions) {
    this.#options = options;
    const { signal } = options;
    const both = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
    this.#samples = this.#read(shards, turns, both);
  }

  /** `number` counts the images of the process. */
  async next(isWanted: boolean, number: number): Promise<IteratorResult<StreamSample | undefined>> {
    const { given = 0, buffer = usualBuffer } = this.#options;
    // From here on everything is wanted.
    if (number >= given + buffer || given === 0) {
      while (this.#queue.length < ahead) this.#ask(true);
    } else if (this.#queue.length === 0) this.#ask(isWanted);
    return this.#queue.shift() as Promise<IteratorResult<StreamSample | undefined>>;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#samples.return(undefined).catch(() => undefined);
  }

  #ask(isWanted: boolean): void {
    this.#isWanted = isWanted;
    const next = this.#samples.next();
    // It is awaited in its turn.
    next.catch(() => undefined);
    this.#queue.push(next);
  }

  async *#read(
    shards: readonly StreamShard[],
    turns: readonly Turn[],
    signal: AbortSignal,
  ): AsyncGenerator<StreamSample | undefined> {
    const { needed, passing, readers = usualReaders, lane, isFirst, onNotice, damaged } = this.#options;
    let count = 0;
    for (const { shard: index, share, of } of turns) {
      const shard = shards[index] as StreamShard;
      const { images } = shard;
      const own = images === undefined ? undefined : Math.floor((images - share + of - 1) / of);
      // Readers that have ended only make the numbers of others smaller.
      if (isFirst && own !== undefined && readers * (count + own) + lane < needed.first) {
        passing.shards++;
        count += own;
        for (let passed = 0; passed < own; passed++) yield undefined;
        continue;
      }
      try {
        for await (const sample of this.#samplesOf(shard, { share, of, signal })) {
          count++;
          if (!sample) passing.images++;
          yield sample;
        }
      } catch (error) {
        if (!(error instanceof ShardError)) throw error;
        damaged.count++;
        if (damaged.count > Math.max(1, shards.length * damagedFraction))
          throw new DataError(
            `${error.message}; ${damaged.count} of ${shards.length} shards are damaged: restore them, or leave them out`,
            { cause: error },
          );
        onNotice?.(`${error.message}; the rest of this shard is left out`);
      }
    }
  }

  async *#samplesOf(
    shard: StreamShard,
    { share, of, signal }: { share: number; of: number; signal: AbortSignal },
  ): AsyncGenerator<StreamSample | undefined> {
    const { location } = shard;
    const { onNotice } = this.#options;
    const source = new StreamSource(shardBytes(shard, { ...this.#options, signal, onRetry: onNotice }));
    const reader = new TarReader(source, location);
    const name = nameOf(shard);
    let at = 0;
    try {
      const grouped = groupedImages(reader, {
        name: location,
        keep: async (member) =>
          at++ % of === share
            ? // A copy: what comes next may take its place.
              { bytes: this.#isWanted ? (await reader.bytes(member)).slice() : undefined }
            : undefined,
      });
      for await (const { path, label, kept } of grouped) {
        if (!kept) continue;
        yield kept.bytes && { name: `${name}/${path}`, bytes: kept.bytes, label };
      }
    } finally {
      await source.close();
    }
  }
}

/** Its file's name, for messages; of a command the name in it. */
export function nameOf({ kind, location }: Shard): string {
  if (kind === 'pipe') return /[^\s'"/]+\.tar\b/i.exec(location)?.[0] ?? location;
  return location.split(/[?#]/)[0]?.split(/[/\\]/).at(-1) ?? location;
}
