/** Features of a data set: read from the cache, computed where they are not there, and kept. */
import type { Dataset } from '../data/dataset.ts';
import { predictImages } from '../predict/predict-images.ts';
import { imageKey, keyOf, PartCache } from './feature-cache.ts';
import type { FeatureModel } from './feature-model.ts';
import { featurePredictor } from './feature-predictor.ts';
import type { Part } from './parts.ts';

export interface FeatureOptions {
  readonly model: Pick<FeatureModel, 'description' | 'source' | 'features' | 'featuresSha256' | 'precision'>;
  readonly parts: readonly Part[];
  /** Images per batch. Default 16. */
  readonly batch?: number;
  /** The cache's folder; undefined to compute everything. */
  readonly cache?: string | undefined;
  /** Called for an image that cannot be used, which then has no row; without it the error is thrown. */
  readonly onBroken?: (index: number, error: Error) => void;
  /** Called for every image that is computed. */
  readonly onImage?: (progress: { readonly done: number; readonly total: number }) => void;
  /** Called with what could not be done, once. */
  readonly onNotice?: ((line: string) => void) | undefined;
  /** Aborting keeps what has been computed in the cache. */
  readonly signal?: AbortSignal;
}

/** The features of one part of a network. */
export interface PartFeatures {
  readonly part: Part;
  /** [images, part.length] */
  readonly values: Float32Array;
}

/** Features of the images of a data set, a row for each. */
export interface FeatureTable {
  /** The images' indices in the data set, in its order; images that cannot be used are left out. */
  readonly indices: readonly number[];
  /** In the order of the parts asked for. */
  readonly parts: readonly PartFeatures[];
  /** How many images were in the cache already. */
  readonly cached: number;
  /** How many were computed, in how many seconds. */
  readonly computed: number;
  readonly seconds: number;
}

/** Rows of a shard: few enough that an interruption loses little, many enough that ten thousand images are ten files. */
const shardRows = 1024;

/** @throws the errors of the data, the model or the engine; of the signal if it is aborted. */
export async function featuresOf(dataset: Dataset, options: FeatureOptions): Promise<FeatureTable> {
  const { model, parts, batch = 16, cache, onBroken, onImage, onNotice, signal } = options;
  const begin = performance.now();
  const { preprocessing } = model.description;
  const key = keyOf({ ...model, preprocessing });
  const caches =
    cache === undefined ? [] : await Promise.all(parts.map((part) => PartCache.open(cache, { key, part })));
  const keys = new Map<number, string>();
  if (cache !== undefined)
    for (let index = 0; index < dataset.length; index++) {
      const image = await imageKey(dataset, index);
      if (image !== undefined) keys.set(index, image);
    }
  const isCached = (index: number) => {
    const image = keys.get(index);
    return image !== undefined && caches.every((each) => each.has(image));
  };
  const all = Array.from({ length: dataset.length }, (_, index) => index);
  const missing = all.filter((index) => caches.length === 0 || !isCached(index));
  const isMissing = new Set(missing);
  const computed = new Map<number, Float32Array>();
  const shards = new ShardWriter({ parts, caches, onNotice });
  const predicted = predictImages(dataset, {
    members: [{ predictor: featurePredictor(model, { parts, batch }), preprocessing }],
    views: { crops: 1 },
    indices: missing,
    ...(onBroken && { onBroken }),
    ...(signal && { signal }),
  });
  try {
    if (missing.length > 0)
      for await (const { index, probabilities } of predicted) {
        const row = Float32Array.from(probabilities);
        computed.set(index, row);
        const image = keys.get(index);
        if (image !== undefined) await shards.add(image, row);
        onImage?.({ done: computed.size, total: missing.length });
      }
  } finally {
    await shards.flush();
  }
  signal?.throwIfAborted();
  const indices = all.filter((index) => computed.has(index) || !isMissing.has(index));
  const values = parts.map(({ length }) => new Float32Array(indices.length * length));
  for (const [which, { length }] of parts.entries()) {
    const target = values[which] as Float32Array;
    const offset = parts.slice(0, which).reduce((sum, part) => sum + part.length, 0);
    const cachedRows: { image: string; row: number }[] = [];
    for (const [row, index] of indices.entries()) {
      const found = computed.get(index);
      if (found) target.set(found.subarray(offset, offset + length), row * length);
      else cachedRows.push({ image: keys.get(index) as string, row });
    }
    await caches[which]?.read(cachedRows, target);
  }
  return {
    indices,
    parts: parts.map((part, which) => ({ part, values: values[which] as Float32Array })),
    cached: dataset.length - missing.length,
    computed: computed.size,
    seconds: (performance.now() - begin) / 1000,
  };
}

/** Collects rows and writes them a shard at a time. A disk that does not take them is said, and costs the next pass only. */
class ShardWriter {
  readonly #parts: readonly Part[];
  readonly #caches: readonly PartCache[];
  readonly #onNotice: ((line: string) => void) | undefined;
  #images: string[] = [];
  #rows: Float32Array[] = [];
  #failed = false;

  constructor({
    parts,
    caches,
    onNotice,
  }: {
    parts: readonly Part[];
    caches: readonly PartCache[];
    onNotice: ((line: string) => void) | undefined;
  }) {
    this.#parts = parts;
    this.#caches = caches;
    this.#onNotice = onNotice;
  }

  async add(image: string, row: Float32Array): Promise<void> {
    this.#images.push(image);
    this.#rows.push(row);
    if (this.#images.length >= shardRows) await this.flush();
  }

  async flush(): Promise<void> {
    const [images, rows] = [this.#images, this.#rows];
    this.#images = [];
    this.#rows = [];
    if (this.#failed || images.length === 0) return;
    try {
      let offset = 0;
      for (const [which, { length }] of this.#parts.entries()) {
        const values = new Float32Array(rows.length * length);
        for (const [at, row] of rows.entries())
          values.set(row.subarray(offset, offset + length), at * length);
        await this.#caches[which]?.write(images, values);
        offset += length;
      }
    } catch (error) {
      this.#failed = true;
      this.#onNotice?.(`features could not be kept for the next time (${(error as Error).message})`);
    }
  }
}
