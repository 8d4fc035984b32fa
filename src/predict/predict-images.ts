/**
 * Images become probabilities: views of each image, packed into full batches for every member of an ensemble, and
 * averaged. Images are decoded and resized while the engine computes.
 */
import pLimit from 'p-limit';
import type { Dataset } from '../data/dataset.ts';
import { type Views, viewsOf } from '../images/crops.ts';
import type { Image } from '../images/image.ts';
import { inputBytes, type Preprocessing } from '../images/preprocess.ts';

/** Anything that turns a batch of images into probabilities. */
export interface Predictor {
  /** Images in one call. */
  readonly batch: number;
  readonly classes: number;
  /** From [batch, height, width, channels] to probabilities [batch, classes]. */
  predict(images: Uint8Array): Promise<Float32Array>;
}

/** One model of an ensemble; a single model is an ensemble of one. */
export interface Member {
  readonly predictor: Predictor;
  readonly preprocessing: Preprocessing;
  /** For each class of the result this member's output; left out, they are the same. */
  readonly outputs?: readonly number[];
}

/** By what and how images are predicted. */
export interface PredictOptions {
  readonly members: readonly Member[];
  readonly views: Views;
  /** Images to predict, in this order. Default: all. */
  readonly indices?: Iterable<number>;
  /** An image that cannot be decoded is left out and told here; without it the error is thrown. */
  readonly onBroken?: (index: number, error: Error) => void;
  readonly signal?: AbortSignal;
}

/** One image with its probabilities. */
export interface PredictedImage {
  readonly index: number;
  /** Mean over the crops and then over the members. */
  readonly probabilities: Float64Array;
  /** Views that the engines computed for it. */
  readonly views: number;
}

/** Images being decoded at a time: sharp's threads, and a bound on decoded images in memory. */
const decoding = 4;

interface Entry {
  readonly index: number;
  readonly sums: Float64Array;
  readonly views: number;
  remaining: number;
}

/** Predicts images one after the other, in order. Stops early when the signal is aborted. */
export async function* predictImages(
  dataset: Dataset,
  { members, views, indices = range(dataset.length), onBroken, signal }: PredictOptions,
): AsyncGenerator<PredictedImage> {
  const [first] = members;
  if (!first) throw new Error('an ensemble has at least one member');
  const classes = first.outputs?.length ?? first.predictor.classes;
  const packers = members.map((member) => new Packer(member, members.length));
  const waiting: Entry[] = [];
  const finished = function* (): Generator<PredictedImage> {
    while (waiting[0]?.remaining === 0) {
      const { index, sums, views: count } = waiting.shift() as Entry;
      yield { index, probabilities: sums, views: count };
    }
  };
  for await (const { index, image } of decoded(dataset, indices, { onBroken, signal })) {
    const own = members.map(({ preprocessing }) => viewsOf(image, preprocessing, views));
    const count = own.reduce((sum, each) => sum + each.length, 0);
    const entry: Entry = { index, sums: new Float64Array(classes), views: count, remaining: count };
    waiting.push(entry);
    for (const [place, packer] of packers.entries()) {
      const memberViews = own[place] as (typeof own)[number];
      const weights = memberViews.reduce((sum, { weight }) => sum + weight, 0);
      for (const view of memberViews) await packer.add(view.write, { entry, share: view.weight / weights });
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

/** Images in order, a few decoded ahead. */
async function* decoded(
  dataset: Dataset,
  indices: Iterable<number>,
  { onBroken, signal }: { onBroken: PredictOptions['onBroken'] | undefined; signal: AbortSignal | undefined },
): AsyncGenerator<{ index: number; image: Image }> {
  const limit = pLimit(decoding);
  const source = indices[Symbol.iterator]();
  const ahead: { index: number; image: Promise<Image> }[] = [];
  const startNext = () => {
    const next = source.next();
    if (next.done) return;
    const image = limit(async () => dataset.image(next.value));
    // Its error is thrown where the image is asked for.
    image.catch(() => undefined);
    ahead.push({ index: next.value, image });
  };
  try {
    for (let count = 0; count < 4 * decoding; count++) startNext();
    while (ahead.length > 0 && !signal?.aborted) {
      const { index, image } = ahead.shift() as (typeof ahead)[number];
      startNext();
      try {
        yield { index, image: await image };
      } catch (error) {
        if (!onBroken) throw error;
        onBroken(index, error as Error);
      }
    }
  } finally {
    limit.clearQueue();
  }
}

interface Place {
  readonly entry: Entry;
  /** Of this view in its member's mean. */
  readonly share: number;
}

/** Fills one member's batches; while one is predicted the next one is filled. */
class Packer {
  readonly #member: Member;
  readonly #members: number;
  readonly #bytes: number;
  #images: Uint8Array;
  #places: Place[] = [];
  #running: Promise<void> = Promise.resolve();

  constructor(member: Member, members: number) {
    this.#member = member;
    this.#members = members;
    this.#bytes = inputBytes(member.preprocessing);
    this.#images = new Uint8Array(member.predictor.batch * this.#bytes);
  }

  async add(write: (target: Uint8Array, offset: number) => void, place: Place): Promise<void> {
    write(this.#images, this.#places.length * this.#bytes);
    this.#places.push(place);
    if (this.#places.length < this.#member.predictor.batch) return;
    await this.#running;
    this.#running = this.#predict();
    this.#running.catch(() => undefined);
  }

  /** Predicts what does not fill a batch. */
  async flush(): Promise<void> {
    await this.#running;
    if (this.#places.length > 0) await this.#predict();
  }

  async #predict(): Promise<void> {
    const { predictor, outputs } = this.#member;
    const [images, places] = [this.#images, this.#places];
    this.#images = new Uint8Array(images.length);
    this.#places = [];
    const probabilities = await predictor.predict(images);
    places.forEach(({ entry, share }, row) => {
      const weight = share / this.#members;
      for (let label = 0; label < entry.sums.length; label++) {
        const output = row * predictor.classes + (outputs?.[label] ?? label);
        entry.sums[label] = (entry.sums[label] as number) + (probabilities[output] as number) * weight;
      }
      entry.remaining--;
    });
  }
}
