/**
 * Prepares batches while the engine works. The main thread is idle during a step, sharp decodes on threads of its own, and a few
 * batches are always in flight.
 */
import pLimit from 'p-limit';
import { augment } from '../images/augment.ts';
import { isMixing, type MixedLabels, mixBatch } from '../images/augmentation/mix.ts';
import type { Augmentation } from '../images/augmentation.ts';
import type { Image } from '../images/image.ts';
import { randomFor } from '../random.ts';
import { DataError } from './data-error.ts';
import type { Dataset } from './dataset.ts';
import { type EpochOrder, epochOrders, type Sampling } from './epoch-order.ts';
import { SkippedImages } from './skipped-images.ts';

export interface Batch {
  /** [n, height, width, 3] */
  readonly images: Uint8Array;
  /** [n] */
  readonly labels: BigInt64Array;
  /** Where images are mixed: the labels of the other images. */
  readonly mixed: MixedLabels | undefined;
  /** Indices into the data set. */
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
  readonly augmentation: Augmentation;
  readonly seed: number;
  /** Default 'shuffle'. */
  readonly sampling?: Sampling;
  /** Where to begin; a resumed training run sees exactly the batches that it would have seen. */
  readonly start?: { readonly epoch: number; readonly position: number };
  /** Called once for every image that cannot be used; another image replaces it. */
  readonly onBroken?: (error: Error, index: number) => void;
}

/** Batches prepared ahead of the one being used. */
const prefetch = 3;

/** Images decoded concurrently: keeps sharp's threads busy and bounds the decoded images in memory. */
const concurrentDecodes = 4;

/** @throws DataError if there are fewer images than one batch has. */
export function batchesInEpoch({ name, length }: Dataset, batch: number): number {
  if (length < batch)
    throw new DataError(
      `${name}: ${length} images do not fill one batch of ${batch}; use --batch ${length} or less, or more images`,
    );
  return Math.floor(length / batch);
}

/** Endless shuffled and augmented batches; images that do not fill a batch are left out of this epoch. */
export function trainingBatches(
  dataset: Dataset,
  options: TrainingBatchOptions,
): AsyncGenerator<TrainingBatch> {
  const { batch, size, augmentation, seed, sampling = 'shuffle', onBroken } = options;
  const { start = { epoch: 0, position: 0 } } = options;
  const perEpoch = batchesInEpoch(dataset, batch);
  const limit = pLimit(concurrentDecodes);
  const bytes = size[0] * size[1] * 3;
  const skipped = new SkippedImages(dataset, (index, error) => onBroken?.(error, index));
  const makeOrder = epochOrders(dataset, { seed, sampling });
  let known: (EpochOrder & { epoch: number }) | undefined;
  const orderOf = (epoch: number): EpochOrder => {
    if (known?.epoch !== epoch) known = { epoch, ...makeOrder(epoch) };
    return known;
  };

  const readableImage = async (start: number): Promise<{ image: Image; index: number }> => {
    for (let step = 0; step < dataset.length; step++) {
      const index = (start + step) % dataset.length;
      const image = await skipped.read(index);
      if (image) return { image, index };
    }
    throw new DataError(`${dataset.name}: none of the images can be used`);
  };

  const make = async (
    { epoch, position }: { epoch: number; position: number },
    closed: AbortSignal,
  ): Promise<TrainingBatch> => {
    const order = orderOf(epoch);
    const chosen = order.indices.subarray(position * batch, (position + 1) * batch);
    const images = new Uint8Array(batch * bytes);
    const labels = new BigInt64Array(batch);
    const indices = await Promise.all(
      Array.from(chosen, (preferred, slot) =>
        limit(async () => {
          closed.throwIfAborted();
          const { image, index } = await readableImage(preferred);
          const repeat = order.repeats?.[position * batch + slot] ?? 0;
          const random = repeat === 0 ? randomFor(seed, epoch, index) : randomFor(seed, epoch, index, repeat);
          augment(image, { augmentation, size, random }, images, slot * bytes);
          labels[slot] = BigInt(dataset.label(index));
          return index;
        }),
      ),
    );
    // Each image's share is its own; an image's augmentation takes keys of three or, repeated, of four small numbers.
    const randomOf = (slot: number) => randomFor(seed, epoch, indices[slot] as number, -1 - slot);
    const mixed = isMixing(augmentation)
      ? mixBatch({ images, labels }, augmentation, { size, randomOf })
      : undefined;
    return { images, labels, mixed, indices, epoch, position };
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
 * Starts jobs ahead of time and yields their results in order. When the consumer stops or a job fails, the remaining jobs are
 * aborted, since their images are no longer needed.
 */
async function* inAdvance<T>(jobs: () => Generator<Job<T>>): AsyncGenerator<T> {
  const closing = new AbortController();
  const waiting: Promise<T>[] = [];
  const startNext = (source: Generator<Job<T>>) => {
    const next = source.next();
    if (next.done) return;
    // One turn of the event loop later, so that the consumer can first pass its batch to the engine.
    const job = new Promise((resolve) => setImmediate(resolve)).then(() => next.value(closing.signal));
    // A failed job rejects when its batch is awaited; this avoids an unhandled rejection before that.
    job.catch(() => undefined);
    waiting.push(job);
  };
  const source = jobs();
  try {
    for (let count = 0; count < prefetch; count++) startNext(source);
    while (waiting.length > 0) {
      const batch = await (waiting.shift() as Promise<T>);
      startNext(source);
      yield batch;
    }
  } finally {
    closing.abort();
  }
}
