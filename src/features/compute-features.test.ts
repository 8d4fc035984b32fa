import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataError } from '../data/data-error.ts';
import type { Dataset } from '../data/dataset.ts';
import { standardPreprocessing } from '../images/preprocess.ts';
import { type FeatureOptions, featuresOf } from './compute-features.ts';
import { defaultFeatureCache } from './feature-cache.ts';
import { averageOverGrid, featurePredictor } from './feature-predictor.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'features-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Grey images of one pixel whose files exist, of values 10, 20, …; undefined for one that is broken. */
function images(values: readonly (number | undefined)[]): Dataset {
  const nameOf = (index: number) => join(folder, `${index}.png`);
  values.forEach((value, index) => {
    writeFileSync(nameOf(index), `${value}`);
    utimesSync(nameOf(index), 1, 1);
  });
  return {
    name: 'photos',
    length: values.length,
    classes: ['a'],
    label: () => 0,
    nameOf,
    image: (index) => {
      const value = values[index];
      if (value === undefined) throw new DataError(`${nameOf(index)}: cannot be decoded`);
      return { height: 1, width: 1, channels: 1, data: Uint8Array.of(value) };
    },
  };
}

const parts = [
  { name: 'classifier', endpoint: 'dropout', length: 1 },
  { name: 'inceptionB', endpoint: 'inceptionB', length: 2 },
];

/** A network that says the first byte of an image: once, and twice on a grid whose mean is one more. */
function network() {
  let images = 0;
  const model: FeatureOptions['model'] = {
    source: 'model',
    featuresSha256: 'a',
    precision: 'float32',
    description: {
      network: 'inception-v4',
      options: {},
      classes: [],
      preprocessing: standardPreprocessing([1, 1]),
    },
    features: async (bytes) => {
      const first = Array.from({ length: bytes.length / 3 }, (_, row) => bytes[3 * row] as number);
      images += first.length;
      return {
        dropout: { dtype: 'float32', shape: [first.length, 1, 1, 1], data: Float32Array.from(first) },
        inceptionB: {
          dtype: 'float32',
          shape: [first.length, 2, 1, 2],
          data: Float32Array.from(first.flatMap((each) => [each, each, each, each + 2])),
        },
      };
    },
  };
  return { model, computed: () => images };
}

const rowsOf = ({ parts }: Awaited<ReturnType<typeof featuresOf>>) => parts.map(({ values }) => [...values]);

describe('featuresOf', () => {
  it('averages every part over its grid, one row for an image', async () => {
    const table = await featuresOf(images([10, 20, 30]), { model: network().model, parts, batch: 2 });
    expect(rowsOf(table)).toEqual([
      [10, 20, 30],
      [10, 11, 20, 21, 30, 31],
    ]);
    expect(table).toMatchObject({ indices: [0, 1, 2], cached: 0, computed: 3 });
  });

  it('reads from the cache what is there, and computes the rest', async () => {
    const { model, computed } = network();
    const cache = join(folder, 'cache');
    const data = images([10, 20, 30]);
    await featuresOf(data, { model, parts, batch: 1, cache });
    expect(computed()).toBe(3);
    writeFileSync(data.nameOf(1), 'changed');
    const table = await featuresOf(data, { model, parts, batch: 1, cache });
    expect(computed()).toBe(4);
    expect(table).toMatchObject({ cached: 2, computed: 1 });
    expect(rowsOf(table)).toEqual([
      [10, 20, 30],
      [10, 11, 20, 21, 30, 31],
    ]);
  });

  it.each([
    ['weights', { featuresSha256: 'b' }],
    ['precision', { precision: 'bfloat16' as const }],
  ])('does not take the features of other %s', async (_, change) => {
    const { model, computed } = network();
    const options = { parts, batch: 1, cache: join(folder, 'cache') };
    await featuresOf(images([10, 20]), { ...options, model });
    await featuresOf(images([10, 20]), { ...options, model: { ...model, ...change } });
    expect(computed()).toBe(4);
  });

  it('leaves out images that cannot be used, and reports each', async () => {
    const broken: number[] = [];
    const table = await featuresOf(images([10, undefined, 30]), {
      model: network().model,
      parts: parts.slice(0, 1),
      batch: 2,
      cache: join(folder, 'cache'),
      onBroken: (index) => broken.push(index),
    });
    expect(broken).toEqual([1]);
    expect(table.indices).toEqual([0, 2]);
    expect(rowsOf(table)).toEqual([[10, 30]]);
  });

  it('keeps what was computed before an interruption', async () => {
    const { model, computed } = network();
    const cache = join(folder, 'cache');
    const stop = new AbortController();
    const data = images([10, 20, 30, 40]);
    const interrupted = featuresOf(data, {
      model,
      parts,
      batch: 1,
      cache,
      signal: stop.signal,
      onImage: ({ done }) => {
        if (done === 2) stop.abort();
      },
    });
    await expect(interrupted).rejects.toThrow('aborted');
    const before = computed();
    await featuresOf(data, { model, parts, batch: 1, cache });
    expect(computed()).toBe(before + 4 - 2);
  });

  it('computes again what a damaged file of the cache held', async () => {
    const { model } = network();
    const cache = join(folder, 'cache');
    const data = images([10, 20]);
    await featuresOf(data, { model, parts, batch: 1, cache });
    for (const name of readdirSync(cache, { recursive: true, encoding: 'utf8' }))
      if (name.endsWith('.safetensors')) writeFileSync(join(cache, name), 'cut');
    expect(await featuresOf(data, { model, parts, batch: 1, cache })).toMatchObject({ computed: 2 });
  });

  it('says once that the cache cannot be written, and goes on', async () => {
    const notices: string[] = [];
    const cache = join(folder, 'file');
    writeFileSync(cache, '');
    const table = await featuresOf(images([10, 20]), {
      model: network().model,
      parts,
      batch: 1,
      cache,
      onNotice: (line) => notices.push(line),
    });
    expect(table.computed).toBe(2);
    expect(notices).toEqual([expect.stringMatching(/^features could not be kept for the next time \(E/)]);
  });

  it('knows images that are not files by their pixels', async () => {
    const { model, computed } = network();
    const options = { model, parts, batch: 1, cache: join(folder, 'cache') };
    const named = { ...images([10, 20]), nameOf: (index: number) => `image ${index}` };
    await featuresOf(named, options);
    await featuresOf({ ...images([20, 10]), nameOf: named.nameOf }, options);
    expect(computed()).toBe(2);
  });
});

describe('averageOverGrid', () => {
  it('refuses features of another length than the part has', async () => {
    const features = async () => ({
      stem: { data: new Float32Array(8), dtype: 'float32', shape: [2, 4] } as const,
    });
    const parts = [{ name: 'classifier', endpoint: 'stem', length: 6 }];
    await expect(
      featurePredictor({ features, source: 'a.safetensors' }, { parts, batch: 2 }).predict(new Uint8Array(2)),
    ).rejects.toThrow('a.safetensors: classifier: expected 2 × 6 features, received 8');
  });

  it('leaves features without a grid as they are', () => {
    const data = Float32Array.of(1, 2);
    expect(averageOverGrid({ dtype: 'float32', shape: [1, 2], data })).toBe(data);
  });
});

describe('defaultFeatureCache', () => {
  it('stands beside the caches of other programs', () => {
    expect(defaultFeatureCache({ XDG_CACHE_HOME: '/var/cache' })).toBe(
      '/var/cache/inception-networks/features',
    );
  });
});
