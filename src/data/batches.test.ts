import { beforeAll, describe, expect, it } from 'vitest';
import { mildDistortion } from '../images/distort.ts';
import { type TrainingBatch, trainingBatches } from './batches.ts';
import type { Dataset } from './dataset.ts';
import { openData, take } from './open-data.ts';

const options = { batch: 32, size: [28, 28] as const, distortion: mildDistortion, seed: 7 };
let data: Dataset;

beforeAll(async () => {
  data = take(await openData('fashion-mnist', 'train'), 200);
});

async function first(
  count: number,
  extra: Partial<Parameters<typeof trainingBatches>[1]> = {},
): Promise<TrainingBatch[]> {
  const batches = trainingBatches(data, { ...options, ...extra });
  const taken: TrainingBatch[] = [];
  for (let index = 0; index < count; index++) taken.push((await batches.next()).value);
  await batches.return(undefined);
  return taken;
}

describe('trainingBatches', () => {
  it('go through each epoch without repeating an image, and shuffle each anew', async () => {
    const batches = await first(12);
    expect(batches.map(({ epoch, position }) => [epoch, position])).toEqual(
      [0, 1].flatMap((epoch) => [0, 1, 2, 3, 4, 5].map((position) => [epoch, position])),
    );
    const [one, two] = [batches.slice(0, 6), batches.slice(6)].map((epoch) =>
      epoch.flatMap(({ indices }) => indices),
    );
    expect(new Set(one).size).toBe(192);
    expect(one).not.toEqual(two);
  });

  it('are the very same from any place in the middle', async () => {
    const whole = await first(10);
    const [resumed] = await first(1, { start: { epoch: 1, position: 3 } });
    expect(resumed).toEqual(whole[9]);
  });

  it('depend on the seed', async () => {
    const [one] = await first(1);
    const [other] = await first(1, { seed: 8 });
    expect(one?.indices).not.toEqual(other?.indices);
  });

  it('are refused when the data do not fill one', () => {
    expect(() => trainingBatches(data, { ...options, batch: 201 })).toThrow(
      'fashion-mnist train: 200 images do not fill one batch of 201',
    );
  });

  it('are ready when they are asked for after a pause', async () => {
    const batches = trainingBatches(data, options);
    await batches.next();
    const waits: number[] = [];
    for (let step = 0; step < 5; step++) {
      // As long as a training step might take.
      await new Promise((resolve) => setTimeout(resolve, 40));
      const begin = performance.now();
      await batches.next();
      waits.push(performance.now() - begin);
    }
    // The median: a shared machine may interrupt any one of them.
    expect(waits.sort((a, b) => a - b)[2]).toBeLessThan(10);
    await batches.return(undefined);
  });
});

describe('a loader that ends early', () => {
  /** Images that take a while, as decoded ones do. */
  function slowData(): { data: Dataset; started: () => number } {
    let started = 0;
    const data: Dataset = {
      name: 'slow',
      length: 640,
      classes: ['a', 'b'],
      label: (index) => index % 2,
      nameOf: String,
      image: async () => {
        started++;
        await new Promise((resolve) => setTimeout(resolve, 1));
        return { height: 4, width: 4, channels: 1, data: new Uint8Array(16) };
      },
    };
    return { data, started: () => started };
  }
  const pause = () => new Promise((resolve) => setTimeout(resolve, 100));

  it('reads no more images when the consumer leaves', async () => {
    const { data, started } = slowData();
    const batches = trainingBatches(data, { ...options, batch: 64 });
    await batches.next();
    await batches.return(undefined);
    const atReturn = started();
    await pause();
    expect(started()).toBe(atReturn);
  });
});
