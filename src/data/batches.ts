/**
 * Images become batches while the engine works: its thread leaves the main thread idle during a step, sharp decodes on
 * threads of its own, and a few batches are always under way.
 */
import pLimit from 'p-limit';
import { type Distortion, distort } from '../images/distort.ts';
import type { Image } from '../images/image.ts';
import { permutation, randomFor } from '../random.ts';
import { DataError } from './data-error.ts';
import type { Dataset } from './dataset.ts';

export interface Batch {
  /** [n, height, width, 3] */
  readonly images: Uint8Array;
  /** [n] */
  readonly labels: BigInt64Array;
  /** Images of the dataset. */
  readonly indices: readonly number[];
}

export interface TrainingBatch extends Batch {
  /** From 0. */
  readonly epoch: number;
  /** From 0 in each epoch. */
  readonly position: number;
}

export interface TrainingBatchOptions {
  readonly batch: number;
  readonly size: readonly [height: number, width: number];
  readonly distortion: Distortion;
  readonly seed: number;
  /** Where to begin; a resumed training sees the very batches that it would have seen. */
  readonly start?: { readonly epoch: number; readonly position: number };
  /** Called once for every image that cannot be decoded; another one takes its place. */
  readonly onBroken?: (error: Error) => void;
}

/** Batches that are under way ahead of the one that is asked for. */
const ahead = 3;

/** Images being decoded at a time: sharp's threads, and a bound on decoded images in memory. */
const decoding = 4;

export const batchesInEpoch = (dataset: Dataset, batch: number): number => Math.floor(dataset.length / batch);

/** Endless shuffled and distorted batches; what does not fill a batch is left to another epoch's shuffle. */
export function trainingBatches(
  dataset: Dataset,
  options: TrainingBatchOptions,
): AsyncGenerator<TrainingBatch> {
  const { batch, size, distortion, seed, start = { epoch: 0, position: 0 }, onBroken } = options;
  const perEpoch = batchesInEpoch(dataset, batch);
  if (perEpoch === 0) {
    throw new DataError(`${dataset.name}: ${dataset.length} images do not fill one batch of ${batch}`);
  }
  const limit = pLimit(decoding);
  const bytes = size[0] * size[1] * 3;
  const broken = new Set<number>();
  let order: { epoch: number; indices: Uint32Array } | undefined;
  const orderOf = (epoch: number): Uint32Array => {
    if (order?.epoch !== epoch)
      order = { epoch, indices: permutation(dataset.length, randomFor(seed, epoch)) };
    return order.indices;
  };

  const soundImage = async (wanted: number): Promise<{ image: Image; index: number }> => {
    for (let step = 0; step < dataset.length; step++) {
      const index = (wanted + step) % dataset.length;
      if (broken.has(index)) continue;
      try {
        return { image: await dataset.image(index), index };
      } catch (error) {
        if (!broken.has(index)) onBroken?.(error as Error);
        broken.add(index);
      }
    }
    throw new DataError(`${dataset.name}: not one image can be decoded`);
  };

  const make = async (
    { epoch, position }: { epoch: number; position: number },
    closed: AbortSignal,
  ): Promise<TrainingBatch> => {
    const wanted = orderOf(epoch).subarray(position * batch, (position + 1) * batch);
    const images = new Uint8Array(batch * bytes);
    const labels = new BigInt64Array(batch);
    const indices = await Promise.all(
      Array.from(wanted, (each, slot) =>
        limit(async () => {
          closed.throwIfAborted();
          const { image, index } = await soundImage(each);
          const random = randomFor(seed, epoch, index);
          distort(image, { distortion, size, random }, images, slot * bytes);
          labels[slot] = BigInt(dataset.label(index));
          return index;
        }),
      ),
    );
    return { images, labels, indices, epoch, position };
  };

  return inAdvance(function* () {
    for (let { epoch, position } = start; ; position++) {
      if (position >= perEpoch) {
        epoch++;
        position = 0;
      }
      yield (closed) => make({ epoch, position }, closed);
    }
  });
}

type Job<T> = (closed: AbortSignal) => Promise<T>;

/**
 * Starts jobs before they are asked for, and gives their results in order. When the consumer leaves or a job fails, the
 * others are told to stop: nobody waits for their images.
 */
async function* inAdvance<T>(jobs: () => Generator<Job<T>>): AsyncGenerator<T> {
  const closing = new AbortController();
  const waiting: Promise<T>[] = [];
  const startNext = (source: Generator<Job<T>>) => {
    const next = source.next();
    if (next.done) return;
    // A turn of the event loop later, so that whoever waits for a batch can give it to the engine first.
    const job = new Promise((resolve) => setImmediate(resolve)).then(() => next.value(closing.signal));
    // Its error is thrown where the batch is asked for; until then nobody listens.
    job.catch(() => undefined);
    waiting.push(job);
  };
  const source = jobs();
  try {
    for (let count = 0; count < ahead; count++) startNext(source);
    while (waiting.length > 0) {
      const batch = await (waiting.shift() as Promise<T>);
      startNext(source);
      yield batch;
    }
  } finally {
    closing.abort();
  }
}
