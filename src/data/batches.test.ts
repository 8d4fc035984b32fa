import { beforeAll, describe, expect, it } from 'vitest';
import { mildAugmentation } from '../images/augmentation.ts';
import { type TrainingBatch, trainingBatches } from './batches.ts';
import type { Dataset } from './dataset.ts';
import { openData } from './open-data.ts';
import { subset } from './selection.ts';

const options = { batch: 32, size: [28, 28] as const, augmentation: mildAugmentation, seed: 7 };
let data: Dataset;

beforeAll(async () => {
  data = subset(await openData('fashion-mnist', 'train'), 200);
});

async function first(
  count: number,
  extra: Partial<Parameters<typeof trainingBatches>[1]> = {},
): Promise<TrainingBatch[]> {
  const batches = trainingBatches(data, { ...options, ...extra });
  const collected: TrainingBatch[] = [];
  for (let index = 0; index < count; index++) collected.push((await batches.next()).value);
  await batches.return(undefined);
  return collected;
}

describe('trainingBatches', () => {
  it('cover each epoch without repeating an image, in a new order each time', async () => {
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

  it('are identical when resumed in the middle', async () => {
    const whole = await first(10);
    const [resumed] = await first(1, { start: { epoch: 1, position: 3 } });
    expect(resumed).toEqual(whole[9]);
  });

  it('are the same where their memory is used again', async () => {
    const whole = await first(7);
    const batches = trainingBatches(data, { ...options, reuse: true });
    const memory = new Set<ArrayBufferLike>();
    for (const { images } of whole) {
      const { value } = await batches.next();
      expect(value.images).toEqual(images);
      memory.add(value.images.buffer);
    }
    expect(memory.size).toBeLessThan(whole.length);
    await batches.return(undefined);
  });

  it('mix images where that is asked for, and go on with the same mixtures', async () => {
    const [plain] = await first(1);
    const augmentation = { ...mildAugmentation, mixup: 0.4, cutMix: 1 };
    const mixed = await first(8, { augmentation });
    expect([plain?.mixed, mixed[0]?.indices]).toEqual([undefined, plain?.indices]);
    expect(mixed[0]?.images).not.toEqual(plain?.images);
    const shares = [...(mixed[0]?.mixed?.labelShare ?? [])];
    expect(shares).toHaveLength(32);
    expect(shares.every((share) => share >= 0.5 && share <= 1)).toBe(true);
    expect(new Set(shares).size).toBeGreaterThan(20);
    const [resumed] = await first(1, { augmentation, start: { epoch: 1, position: 1 } });
    expect(resumed).toEqual(mixed[7]);
  });

  it('depend on the seed', async () => {
    const [one] = await first(1);
    const [reseeded] = await first(1, { seed: 8 });
    expect(one?.indices).not.toEqual(reseeded?.indices);
  });

  it('are refused when the data set is smaller than a batch', () => {
    expect(() => trainingBatches(data, { ...options, batch: 201 })).toThrow(
      'fashion-mnist train: 200 images do not fill one batch of 201',
    );
  });
});

describe('a loader', () => {
  /** A data set whose images take time, like decoded ones. */
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

  it('prepares the next batch before it is wanted', async () => {
    const { data, started } = slowData();
    const batches = trainingBatches(data, { ...options, batch: 64 });
    await batches.next();
    await expect.poll(started).toBeGreaterThanOrEqual(2 * 64);
    await batches.return(undefined);
  });

  it('that is closed early reads no more images', async () => {
    const { data, started } = slowData();
    const batches = trainingBatches(data, { ...options, batch: 64 });
    await batches.next();
    await batches.return(undefined);
    const atReturn = started();
    await pause();
    expect(started()).toBe(atReturn);
  });
});

describe('the batches of several replicas', () => {
  const of = (own: readonly number[], count = 3) => ({ replicas: { count, own } });

  it('have each image of an epoch once together, whatever process has which replica', async () => {
    const perEpoch = Math.floor(200 / (3 * 32));
    const together = await first(perEpoch * 3, of([0, 1, 2]));
    const images = together.flatMap(({ indices }) => indices);
    expect(new Set(images).size).toBe(perEpoch * 3 * 32);
    const [two, one] = [await first(perEpoch * 2, of([0, 2])), await first(perEpoch, of([1]))];
    const key = ({ epoch, position, replica, indices }: TrainingBatch) =>
      JSON.stringify([epoch, position, replica, indices]);
    expect([...two, ...one].map(key).sort()).toEqual(together.map(key).sort());
    const second = (batches: readonly TrainingBatch[]) =>
      batches.find(({ replica }) => replica === 1)?.images;
    expect(second(one)).toEqual(second(together));
  });

  it('come in the order of positions, each replica in turn', async () => {
    const batches = await first(5, of([0, 2]));
    expect(batches.map(({ epoch, position, replica }) => [epoch, position, replica])).toEqual([
      [0, 0, 0],
      [0, 0, 2],
      [0, 1, 0],
      [0, 1, 2],
      [1, 0, 0],
    ]);
  });

  it('are the batches of a larger one, cut', async () => {
    const whole = await first(2, { batch: 96 });
    const cut = await first(6, of([0, 1, 2]));
    expect(cut.flatMap(({ indices }) => indices)).toEqual(whole.flatMap(({ indices }) => indices));
  });

  it('are refused where the images do not fill them', async () => {
    expect(() => trainingBatches(data, { ...options, ...of([0], 7) })).toThrow(
      '200 images do not fill the batches of 32 images of 7 replicas; use a smaller --batch, fewer --replicas or more images',
    );
  });
});
