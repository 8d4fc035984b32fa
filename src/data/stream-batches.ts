/** Batches of a stream: its images in the order in which they come, a few batches ahead. */
import { isMixing, mixBatch } from '../images/augmentation/mix.ts';
import type { Image } from '../images/image.ts';
import { randomFor } from '../random.ts';
import type { TrainingBatch, TrainingBatchOptions } from './batch.ts';
import { DataError, StorageError } from './data-error.ts';
import type { Dataset, ImageStream, StreamedImage } from './dataset.ts';
import { decodeImage } from './decode.ts';
import { prepareSamples, type Sample } from './prepare-samples.ts';

/** A data set that is a stream. */
export type StreamedDataset = Pick<Dataset, 'name' | 'classes'> & { readonly stream: ImageStream };

interface Place {
  readonly epoch: number;
  readonly position: number;
}

/** Prepared ahead of the one being used. */
const prefetch = 3;

/** Which of how many replicas of a training the batches are for. */
interface OfReplica {
  readonly replica: number;
  readonly of: number;
}

/**
 * Endless batches. In place of an image that cannot be used another one of its batch is taken, distorted in another way, so that every process has
 * the same number of batches.
 */
export async function* streamBatches(
  { name, stream }: StreamedDataset,
  { perEpoch, replica, of, ...options }: TrainingBatchOptions & OfReplica & { readonly perEpoch: number },
): AsyncGenerator<TrainingBatch> {
  const { start = { epoch: 0, position: 0 }, seed, batch, onNotice } = options;
  const closing = new AbortController();
  const { signal } = closing;
  const fetched = async function* (): AsyncGenerator<Place & { images: readonly StreamedImage[] }> {
    for (let { epoch, position } = start; ; epoch++, position = 0) {
      const images = stream.read({ seed, epoch, given: position * batch, replica, of, signal, onNotice });
      try {
        for (; position < perEpoch; position++) {
          const taken: StreamedImage[] = [];
          while (taken.length < batch) {
            const { done, value } = await images.next();
            if (done) throw new DataError(`${name}: ended in the middle of an epoch`);
            taken.push(value);
          }
          yield { epoch, position, images: taken };
        }
      } finally {
        await images.return(undefined);
      }
    }
  };
  const batches = fetched();
  const waiting: Promise<TrainingBatch>[] = [];
  const startNext = () => {
    // Calls of a generator are answered in their order.
    const job = batches.next().then(({ value }) => prepare(name, value, { ...options, replica, signal }));
    job.catch(() => undefined);
    waiting.push(job);
  };
  try {
    for (let count = 0; count < prefetch; count++) startNext();
    for (;;) {
      const ready = await (waiting.shift() as Promise<TrainingBatch>);
      startNext();
      yield ready;
    }
  } finally {
    closing.abort();
    await Promise.allSettled(waiting);
    await batches.return(undefined).catch(() => undefined);
  }
}

async function prepare(
  name: string,
  { epoch, position, images: streamed }: Place & { images: readonly StreamedImage[] },
  options: TrainingBatchOptions & Pick<OfReplica, 'replica'> & { signal: AbortSignal },
): Promise<TrainingBatch> {
  const { batch, size, augmentation, seed, replica, onBroken, signal } = options;
  const images = new Uint8Array(batch * size[0] * size[1] * 3);
  // Keys of five small numbers: those of an image, of a slot and of mixing are different. The first replica's are those of a training
  // that has one.
  const random = (slot: number, use: number) =>
    replica === 0
      ? randomFor(seed, epoch, position, slot, use)
      : randomFor(seed, epoch, position, slot, use, replica);
  /** Which of the streamed images is in each slot. */
  const taken = streamed.map((_, slot) => slot);
  const broken = new Set<number>();
  const imageOf = (slot: number) => streamed[taken[slot] as number] as StreamedImage;
  const sampleOf = (slot: number): Sample => {
    const { label, bytes } = imageOf(slot);
    return { slot, source: label === undefined ? undefined : { bytes } };
  };
  const preparation = {
    ...{ target: images, size, augmentation, signal },
    decode: ({ slot }: Sample) => decode(imageOf(slot)),
    randomOf: ({ slot }: Sample) => random(slot, 0),
  };
  for (let slots = [...taken]; slots.length > 0; ) {
    const failed = await prepareSamples(slots.map(sampleOf), preparation);
    for (const { sample, error } of failed) {
      if (!(error instanceof DataError) || error instanceof StorageError) throw error;
      const index = taken[sample.slot] as number;
      if (!broken.has(index)) onBroken?.(error, position * batch + index, streamed[index]?.name);
      broken.add(index);
    }
    if (broken.size === batch)
      throw new DataError(`${name}: none of the ${batch} images of a batch can be used`);
    slots = failed.map(({ sample }) => sample.slot);
    for (const slot of slots)
      while (broken.has(taken[slot] as number)) taken[slot] = ((taken[slot] as number) + 1) % batch;
  }
  const labels = BigInt64Array.from(taken, (index) => BigInt(streamed[index]?.label as number));
  const mixed = isMixing(augmentation)
    ? mixBatch({ images, labels }, augmentation, { size, randomOf: (slot) => random(slot, 1) })
    : undefined;
  const indices = taken.map((index) => position * batch + index);
  return { images, labels, mixed, indices, epoch, position, replica };
}

/** @throws DataError naming the image */
async function decode({ name, bytes, label }: StreamedImage): Promise<Image> {
  if (label === undefined) throw new DataError(`${name}: has no label, or none of the classes`);
  return decodeImage(bytes, { name });
}
