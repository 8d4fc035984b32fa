/** The samples of one shard: images in the order of the plan until they fill it. */
import pLimit from 'p-limit';
import { DataError, MissingImageError, StorageError } from '../data-error.ts';
import type { Dataset } from '../dataset.ts';
import { type PackedImage, packImage, type Shrinking } from './pack-image.ts';
import { keyOf, type PackPlan } from './plan-pack.ts';
import { sampleBytes } from './write-shard.ts';

/** What a shard holds, and what was left out on the way. */
export interface ShardContent {
  /** Images of the plan that were looked at, the undecodable among them. */
  readonly taken: number;
  readonly images: number;
  readonly reencoded: number;
  /** Without the archive's end. */
  readonly bytes: number;
  readonly undecodable: readonly { readonly image: string; readonly reason: string }[];
}

interface Prepared {
  readonly index: number;
  readonly image: PackedImage | DataError;
}

/** Decoded at a time, and images held before they are written. */
const [decodedAtOnce, ahead] = [4, 16];

export interface QueueOptions {
  /** Where in the plan to begin. */
  readonly from: number;
  readonly shrinking?: Shrinking | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onImage?: (() => void) | undefined;
}

/** Images that are prepared ahead, taken one after the other. */
export class ImageQueue {
  readonly dataset: Dataset;
  readonly plan: PackPlan;
  readonly #options: QueueOptions;
  readonly #limit = pLimit(decodedAtOnce);
  readonly #pending: { index: number; image: Promise<PackedImage> }[] = [];
  #next: number;
  #held: Prepared | undefined;

  constructor(dataset: Dataset, plan: PackPlan, options: QueueOptions) {
    this.dataset = dataset;
    this.plan = plan;
    this.#options = options;
    this.#next = options.from;
    for (let count = 0; count < ahead; count++) this.#start();
  }

  #start(): void {
    const { order } = this.plan;
    if (this.#next >= order.length || this.#options.signal?.aborted) return;
    const index = order[this.#next++] as number;
    const image = this.#limit(() => packImage(this.dataset, index, this.#options.shrinking));
    // A failed image throws when it is awaited; this avoids an unhandled rejection before that.
    image.catch(() => undefined);
    this.#pending.push({ index, image });
  }

  /** The next image, undefined at the end and after a signal. @throws StorageError, MissingImageError */
  async take(): Promise<Prepared | undefined> {
    const { signal, onImage } = this.#options;
    if (signal?.aborted) return undefined;
    const held = this.#held;
    this.#held = undefined;
    if (held) return held;
    const first = this.#pending.shift();
    if (!first) return undefined;
    this.#start();
    const image = await first.image.catch((error: unknown) => {
      // What cannot be read is the disk's fault, or a person's, and may be there at the next attempt.
      if (
        !(error instanceof DataError) ||
        error instanceof StorageError ||
        error instanceof MissingImageError
      )
        throw error;
      return error;
    });
    onImage?.();
    return { index: first.index, image };
  }

  /** Gives an image back that was too large; it is the next one again. */
  putBack(image: Prepared): void {
    this.#held = image;
  }

  /** Prepares nothing more. */
  close(): void {
    this.#limit.clearQueue();
  }
}

/** Members of images until these are `maxBytes`, with one image at least; returns what they were. */
export async function* shardContent(
  queue: ImageQueue,
  maxBytes: number,
): AsyncGenerator<Uint8Array, ShardContent> {
  const { dataset, plan } = queue;
  let [taken, images, reencoded, written] = [0, 0, 0, 0];
  const undecodable: { image: string; reason: string }[] = [];
  for (let next = await queue.take(); next; next = await queue.take()) {
    const { index, image } = next;
    if (image instanceof DataError) {
      taken++;
      undecodable.push({ image: dataset.nameOf(index), reason: image.message });
      continue;
    }
    const stem = plan.memberOf(index);
    const member = stem.endsWith('.') ? stem + image.ending : stem;
    const pieces = sampleBytes(member, {
      key: keyOf(member),
      image: image.bytes,
      label: dataset.label(index),
    });
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (images > 0 && written + bytes > maxBytes) {
      queue.putBack(next);
      break;
    }
    taken++;
    images++;
    written += bytes;
    if (image.reencoded) reencoded++;
    yield* pieces;
  }
  return { taken, images, reencoded, bytes: written, undecodable };
}
