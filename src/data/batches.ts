/** Prepares batches while the engine works: a few are always in flight, and their images are decoded and distorted by other threads. */
import { isMixing, mixBatch } from '../images/augmentation/mix.ts';
import { randomFor } from '../random.ts';
import type { Batch, Replicas, TrainingBatch, TrainingBatchOptions } from './batch.ts';
import { DataError } from './data-error.ts';
import type { Dataset, EncodedImage } from './dataset.ts';
import { type EpochOrder, epochOrders } from './epoch-order.ts';
import { prepareSamples, type Sample } from './prepare-samples.ts';
import { SkippedImages } from './skipped-images.ts';
import { streamBatches } from './stream-batches.ts';

export type { Batch, Replicas, TrainingBatch, TrainingBatchOptions };

/** Batches prepared ahead of the one being used. */
const prefetch = 3;

/**
 * Batches of each replica in an epoch.
 * @throws DataError if there are fewer images than the batches of all replicas have.
 */
export function batchesInEpoch({ name, length }: Dataset, batch: number, replicas = 1): number {
  const whole = batch * replicas;
  if (length < whole)
    throw new DataError(
      replicas === 1
        ? `${name}: ${length} images do not fill one batch of ${batch}; use --batch ${length} or less, or more images`
        : `${name}: ${length} images do not fill the batches of ${batch} images of ${replicas} replicas; use a smaller --batch, fewer --replicas or more images`,
    );
  return Math.floor(length / whole);
}

const onlyReplica: Replicas = { count: 1, own: [0] };

interface IndexedSample extends Sample {
  readonly index: number;
}

/** Endless shuffled and augmented batches; images that do not fill a batch are left out of this epoch. */
export function trainingBatches(
  dataset: Dataset,
  options: TrainingBatchOptions,
): AsyncGenerator<TrainingBatch> {
  const { batch, size, augmentation, seed, sampling = 'shuffle', reuse = false, onBroken } = options;
  const { start = { epoch: 0, position: 0 }, replicas = onlyReplica } = options;
  const perEpoch = batchesInEpoch(dataset, batch, replicas.count);
  const { stream } = dataset;
  if (stream)
    return inTurns(
      replicas.own.map((replica) =>
        streamBatches({ ...dataset, stream }, { ...options, perEpoch, replica, of: replicas.count }),
      ),
    );
  const bytes = size[0] * size[1] * 3;
  const skipped = new SkippedImages(dataset, (index, error) => onBroken?.(error, index));
  const makeOrder = epochOrders(dataset, { seed, sampling });
  let known: (EpochOrder & { epoch: number }) | undefined;
  const orderOf = (epoch: number): EpochOrder => {
    if (known?.epoch !== epoch) known = { epoch, ...makeOrder(epoch) };
    return known;
  };

  const decode = ({ index }: IndexedSample) => skipped.decode(index);
  const samplesOf = async (
    places: readonly { readonly index: number; readonly slot: number }[],
  ): Promise<readonly IndexedSample[]> => {
    const found = places.map(({ index }) => dataset.encoded?.(index));
    // Waiting for what is there already would cost more than all the rest.
    const sources = found.some((source) => source instanceof Promise)
      ? await Promise.all(found)
      : (found as (EncodedImage | undefined)[]);
    return places.map(({ index, slot }, place) => ({ index, slot, source: sources[place] }));
  };

  const spare: Uint8Array[] = [];
  const make = async (
    { epoch, position, replica }: { epoch: number; position: number; replica: number },
    closed: AbortSignal,
  ): Promise<TrainingBatch> => {
    closed.throwIfAborted();
    const order = orderOf(epoch);
    const first = (position * replicas.count + replica) * batch;
    const images = spare.pop() ?? new Uint8Array(batch * bytes);
    const randomOf = ({ index, slot }: IndexedSample) => {
      const repeat = order.repeats?.[first + slot] ?? 0;
      return repeat === 0 ? randomFor(seed, epoch, index) : randomFor(seed, epoch, index, repeat);
    };
    const options = { target: images, size, augmentation, randomOf, decode, signal: closed };
    const indices = Array.from(order.indices.subarray(first, first + batch));
    let samples = await samplesOf(indices.map((index, slot) => ({ index, slot })));
    for (let tries = 1; ; tries++) {
      const failed = await prepareSamples(samples, options);
      if (failed.length === 0) break;
      for (const { sample, error } of failed) skipped.add(sample.index, error);
      if (tries === dataset.length) throw new DataError(`${dataset.name}: none of the images can be used`);
      // The next one instead.
      samples = await samplesOf(
        failed.map(({ sample: { index, slot } }) => ({ index: (index + 1) % dataset.length, slot })),
      );
      for (const { index, slot } of samples) indices[slot] = index;
    }
    const labels = new BigInt64Array(batch);
    for (let slot = 0; slot < batch; slot++) labels[slot] = BigInt(dataset.label(indices[slot] as number));
    // Each image's share is its own; an image's augmentation takes keys of three or, repeated, of four small numbers.
    const shareOf = (slot: number) => randomFor(seed, epoch, indices[slot] as number, -1 - slot);
    const mixed = isMixing(augmentation)
      ? mixBatch({ images, labels }, augmentation, { size, randomOf: shareOf })
      : undefined;
    return { images, labels, mixed, indices, epoch, position, replica };
  };

  const recycle = ({ images }: TrainingBatch) => {
    if (reuse) spare.push(images);
  };
  return inAdvance(recycle, function* () {
    for (let { epoch, position } = start; ; position++) {
      if (position >= perEpoch) {
        epoch++;
        position = 0;
      }
      const place = { epoch, position };
      for (const replica of replicas.own) yield (closed) => make({ ...place, replica }, closed);
    }
  });
}

/** A batch of each replica in turn. */
async function* inTurns(replicas: readonly AsyncGenerator<TrainingBatch>[]): AsyncGenerator<TrainingBatch> {
  try {
    for (;;) for (const batches of replicas) yield (await batches.next()).value;
  } finally {
    await Promise.all(replicas.map((batches) => batches.return(undefined)));
  }
}

type Job<T> = (closed: AbortSignal) => Promise<T>;

/**
 * Starts jobs ahead of time and yields their results in order; each is given to `onUsed` when the next is asked for. When the consumer stops or a job fails, the remaining jobs are
 * aborted, since their images are no longer needed.
 */
async function* inAdvance<T>(onUsed: (result: T) => void, jobs: () => Generator<Job<T>>): AsyncGenerator<T> {
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
      onUsed(batch);
    }
  } finally {
    closing.abort();
  }
}
