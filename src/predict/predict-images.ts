/**
 * Predicts images: views of each image are packed into full batches for every member of an ensemble, and averaged. Images are decoded
 * and resized while the engine computes.
 */
import pLimit from 'p-limit';
import type { Dataset } from '../data/dataset.ts';
import { readViews } from '../data/read-view.ts';
import { SkippedImages } from '../data/skipped-images.ts';
import type { Views } from '../images/crops.ts';
import { imageChannels, inputBytes, type Preprocessing } from '../images/preprocess.ts';

/** Anything that turns a batch of images into probabilities. */
export interface Predictor {
  /** Images per call. */
  readonly batch: number;
  readonly classes: number;
  /** Maps [batch, height, width, channels] to probabilities [batch, classes]. */
  predict(images: Uint8Array): Promise<Float32Array>;
}

/** One model of an ensemble; a single model is an ensemble of one. */
export interface Member {
  readonly predictor: Predictor;
  readonly preprocessing: Preprocessing;
  /**
   * This member's output for each class of the result; default: the same index. Outputs that are left out do not compete: the
   * others' probabilities are scaled to a sum of one, as if the softmax were over them alone.
   */
  readonly outputs?: readonly number[];
}

/** By what and how images are predicted. */
export interface PredictOptions {
  readonly members: readonly Member[];
  readonly views: Views;
  /** Images to predict, in this order. Default: all. */
  readonly indices?: Iterable<number>;
  /** Called for an image that cannot be used, which is then skipped; without it the error is thrown. */
  readonly onBroken?: (index: number, error: Error) => void;
  readonly signal?: AbortSignal;
}

/** One image with its probabilities. */
export interface PredictedImage {
  readonly index: number;
  /** Mean over the crops, then over the members. */
  readonly probabilities: Float64Array;
  /** Number of views computed for it. */
  readonly views: number;
}

/** Images decoded concurrently: keeps sharp's threads busy and bounds the decoded images in memory. */
const concurrentDecodes = 4;

interface Entry {
  readonly index: number;
  readonly sums: Float64Array;
  readonly views: number;
  remaining: number;
}

/** Predicts images in order. Stops early if the signal is aborted. @throws ChannelsError for a network that images do not fit. */
export async function* predictImages(
  dataset: Dataset,
  { members, views, indices = range(dataset.length), onBroken, signal }: PredictOptions,
): AsyncGenerator<PredictedImage> {
  const [first] = members;
  if (!first) throw new Error('an ensemble has at least one member');
  // Before any image: it would count as broken otherwise.
  for (const { preprocessing } of members) imageChannels(preprocessing);
  const classes = first.outputs?.length ?? first.predictor.classes;
  const packers = members.map((member) => new Packer(member, members.length));
  const waiting: Entry[] = [];
  const finished = function* (): Generator<PredictedImage> {
    while (waiting[0]?.remaining === 0) {
      const { index, sums, views: count } = waiting.shift() as Entry;
      yield { index, probabilities: sums, views: count };
    }
  };
  const networks = members.map(({ preprocessing }) => preprocessing);
  const read = (index: number) => readViews(dataset, index, { networks, views });
  for await (const { index, value: memberViewLists } of inAdvance(dataset, indices, {
    read,
    onBroken,
    signal,
  })) {
    const count = memberViewLists.reduce((sum, each) => sum + each.length, 0);
    const entry: Entry = { index, sums: new Float64Array(classes), views: count, remaining: count };
    waiting.push(entry);
    for (const [memberIndex, packer] of packers.entries()) {
      const memberViews = memberViewLists[memberIndex] as (typeof memberViewLists)[number];
      const weights = memberViews.reduce((sum, { weight }) => sum + weight, 0);
      for (const view of memberViews) await packer.add(view.write, { entry, weight: view.weight / weights });
    }
    yield* finished();
  }
  if (signal?.aborted) return;
  for (const packer of packers) await packer.flush();
  yield* finished();
}

function* range(length: number): Generator<number> {
  for (let index = 0; index < length; index++) yield index;
}

interface Reading<T> {
  readonly read: (index: number) => Promise<T>;
  readonly onBroken: PredictOptions['onBroken'] | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Reads images in order, a few ahead. */
async function* inAdvance<T>(
  dataset: Dataset,
  indices: Iterable<number>,
  { read, onBroken, signal }: Reading<T>,
): AsyncGenerator<{ index: number; value: T }> {
  const limit = pLimit(concurrentDecodes);
  const skipped = new SkippedImages(dataset, onBroken);
  const source = indices[Symbol.iterator]();
  const pending: { index: number; value: Promise<T> }[] = [];
  const startNext = () => {
    const next = source.next();
    if (next.done) return;
    const value = limit(read, next.value);
    // A failed image throws when it is awaited; this avoids an unhandled rejection before that.
    value.catch(() => undefined);
    pending.push({ index: next.value, value });
  };
  try {
    for (let count = 0; count < 4 * concurrentDecodes; count++) startNext();
    while (pending.length > 0 && !signal?.aborted) {
      const { index, value } = pending.shift() as (typeof pending)[number];
      startNext();
      // Only reading is tried: an error of whoever consumes this is not about the image.
      const result = await value.then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
      if ('value' in result) yield { index, value: result.value };
      else if (onBroken) skipped.add(index, result.error);
      else throw result.error;
    }
  } finally {
    limit.clearQueue();
  }
}

interface Slot {
  readonly entry: Entry;
  /** Weight of this view in its member's mean. */
  readonly weight: number;
}

/** Fills one member's batches; while one is being predicted, the next is filled. */
class Packer {
  readonly #member: Member;
  readonly #members: number;
  readonly #bytes: number;
  #images: Uint8Array;
  #slots: Slot[] = [];
  #running: Promise<void> = Promise.resolve();

  constructor(member: Member, members: number) {
    this.#member = member;
    this.#members = members;
    this.#bytes = inputBytes(member.preprocessing);
    this.#images = new Uint8Array(member.predictor.batch * this.#bytes);
  }

  async add(write: (target: Uint8Array, offset: number) => void, slot: Slot): Promise<void> {
    write(this.#images, this.#slots.length * this.#bytes);
    this.#slots.push(slot);
    if (this.#slots.length < this.#member.predictor.batch) return;
    await this.#running;
    this.#running = this.#predict();
    this.#running.catch(() => undefined);
  }

  /** Predicts an incomplete last batch, filled up with its first image: for a black one a network may have no number. */
  async flush(): Promise<void> {
    await this.#running;
    if (this.#slots.length === 0) return;
    for (let at = this.#slots.length * this.#bytes; at < this.#images.length; at += this.#bytes)
      this.#images.copyWithin(at, 0, this.#bytes);
    await this.#predict();
  }

  async #predict(): Promise<void> {
    const { predictor, outputs } = this.#member;
    const [images, slots] = [this.#images, this.#slots];
    this.#images = new Uint8Array(images.length);
    this.#slots = [];
    const probabilities = await predictor.predict(images);
    const restricted = outputs !== undefined && outputs.length < predictor.classes;
    slots.forEach(({ entry, weight: viewWeight }, row) => {
      const first = row * predictor.classes;
      const total = restricted
        ? outputs.reduce((sum, output) => sum + (probabilities[first + output] as number), 0)
        : 1;
      const weight = viewWeight / this.#members / (total || 1);
      for (let label = 0; label < entry.sums.length; label++) {
        const output = first + (outputs?.[label] ?? label);
        entry.sums[label] = (entry.sums[label] as number) + (probabilities[output] as number) * weight;
      }
      entry.remaining--;
    });
  }
}
