import { describe, expect, it } from 'vitest';
import { DataError } from '../data/data-error.ts';
import type { Dataset } from '../data/dataset.ts';
import { standardPreprocessing } from '../images/preprocess.ts';
import { type Member, predictImages } from './predict-images.ts';

/** Ten grey images, each of one brightness: 0, 10, … 90; the label is 1 from 50 on. */
function brightness(broken: readonly number[] = []): { data: Dataset; started: () => number } {
  let started = 0;
  const data: Dataset = {
    name: 'brightness',
    length: 10,
    classes: ['dark', 'bright'],
    label: (index) => (index >= 5 ? 1 : 0),
    nameOf: (index) => `${index}.png`,
    image: async (index) => {
      started++;
      // Later images are ready earlier.
      await new Promise((resolve) => setTimeout(resolve, 10 - index));
      if (broken.includes(index)) throw new DataError(`${index}.png is broken`);
      return { height: 4, width: 6, channels: 1, data: new Uint8Array(24).fill(index * 10) };
    },
  };
  return { data, started: () => started };
}

/** Says 'bright' by the first pixel's hundredths, and counts its calls. */
function reader(batch: number, { reversed = false } = {}): Member & { calls: () => number } {
  let calls = 0;
  const predict = async (images: Uint8Array) => {
    calls++;
    const bytes = images.length / batch;
    return Float32Array.from({ length: batch * 2 }, (_, at) => {
      const bright = (images[Math.floor(at / 2) * bytes] as number) / 100;
      return at % 2 === (reversed ? 0 : 1) ? bright : 1 - bright;
    });
  };
  return {
    predictor: { batch, classes: 2, predict },
    preprocessing: standardPreprocessing([4, 4], { crop: 1 }),
    ...(reversed && { outputs: [1, 0] }),
    calls: () => calls,
  };
}

describe('predictImages', () => {
  it('gives every image once, in order, from full batches', async () => {
    const member = reader(4);
    const found = [];
    for await (const each of predictImages(brightness().data, { members: [member], views: { crops: 1 } }))
      found.push([each.index, +(each.probabilities[1] as number).toFixed(3), each.views]);
    expect(found).toEqual(Array.from({ length: 10 }, (_, index) => [index, index / 10, 1]));
    expect(member.calls()).toBe(3);
  });

  it('packs the crops of several images into one batch and averages them', async () => {
    const member = reader(32);
    const found = [];
    // 6×4 images: 12 views of the middle square each, 120 in all.
    for await (const each of predictImages(brightness().data, { members: [member], views: { crops: 12 } }))
      found.push(+(each.probabilities[1] as number).toFixed(3));
    expect(found).toEqual(Array.from({ length: 10 }, (_, index) => index / 10));
    expect(member.calls()).toBe(Math.ceil(120 / 32));
  });

  it('averages an ensemble whose members have other orders of labels and other batches', async () => {
    const members = [reader(3), reader(5, { reversed: true })];
    const found = [];
    for await (const each of predictImages(brightness().data, { members, views: { crops: 1, flip: true } }))
      found.push([each.index, +(each.probabilities[1] as number).toFixed(3), each.views]);
    expect(found).toEqual(Array.from({ length: 10 }, (_, index) => [index, index / 10, 4]));
  });

  it('lets only the chosen outputs compete, with probabilities that add up to one', async () => {
    const { predictor, preprocessing } = reader(4);
    const predict = async (images: Uint8Array) => {
      const two = await predictor.predict(images);
      // A third output takes half of everything.
      return Float32Array.from({ length: 12 }, (_, at) =>
        at % 3 === 2 ? 0.5 : (two[Math.floor(at / 3) * 2 + (at % 3)] as number) / 2,
      );
    };
    const members = [{ predictor: { batch: 4, classes: 3, predict }, preprocessing, outputs: [1, 0] }];
    const found = [];
    for await (const { probabilities } of predictImages(brightness().data, { members, views: { crops: 1 } }))
      found.push([...probabilities].map((value) => +value.toFixed(3)));
    expect(found).toEqual(Array.from({ length: 10 }, (_, index) => [index / 10, (10 - index) / 10]));
  });

  it('leaves out what cannot be decoded and says so, or throws', async () => {
    const told: string[] = [];
    const found = [];
    const options = { members: [reader(4)], views: { crops: 1 } } as const;
    for await (const { index } of predictImages(brightness([2, 7]).data, {
      ...options,
      onBroken: (index, error) => told.push(`${index}: ${error.message}`),
    }))
      found.push(index);
    expect(found).toEqual([0, 1, 3, 4, 5, 6, 8, 9]);
    expect(told).toEqual(['2: 2.png is broken', '7: 7.png is broken']);
    const strict = async () => {
      for await (const _ of predictImages(brightness([2]).data, options));
    };
    await expect(strict()).rejects.toThrow('2.png is broken');
  });

  it('predicts chosen images only, and stops when it is told to', async () => {
    const chosen = [];
    const members = [reader(1)];
    for await (const { index } of predictImages(brightness().data, {
      members,
      views: { crops: 1 },
      indices: [7, 1],
    }))
      chosen.push(index);
    expect(chosen).toEqual([7, 1]);
    const interruption = new AbortController();
    const seen = [];
    const { signal } = interruption;
    for await (const { index } of predictImages(brightness().data, {
      members,
      views: { crops: 1 },
      signal,
    })) {
      seen.push(index);
      interruption.abort();
    }
    expect(seen.length).toBeLessThan(4);
  });
});
