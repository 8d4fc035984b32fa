import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { chooseBatch } from './choose-batch.ts';

/** A model that takes `msFor(count)` milliseconds for a batch. */
function modelOf(msFor: (count: number) => number) {
  const counts = new Set<number>();
  const run = async (count: number) => {
    counts.add(count);
    await new Promise((resolve) => setTimeout(resolve, msFor(count)));
  };
  return { run, counts };
}

describe('the chosen batch size', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const choose = async (msFor: (count: number) => number, fixed?: number) => {
    const { run, counts } = modelOf(msFor);
    const chosen = chooseBatch(run, { fixed });
    await vi.runAllTimersAsync();
    return { batch: await chosen, counts };
  };

  it('is one if time grows in proportion to the batch', async () => {
    expect(await choose((count) => 100 * count)).toMatchObject({ batch: 1 });
  });

  it('is the maximum if a batch takes as long as one image', async () => {
    expect(await choose(() => 10)).toMatchObject({ batch: 16 });
  });

  it('is the largest that takes hardly longer than one image, with every smaller size warmed up', async () => {
    const { batch, counts } = await choose((count) => 200 + count);
    expect(batch).toBe(16);
    expect(await choose((count) => 20 * Math.max(4, count))).toMatchObject({ batch: 4 });
    expect(await choose((count) => 95 + 5 * count)).toMatchObject({ batch: 2 });
    for (let count = 1; count <= 16; count++) expect(counts).toContain(count);
  });

  it('is the fixed one, not measured, if given', async () => {
    const { batch, counts } = await choose((count) => 100 * count, 3);
    expect([batch, [...counts]]).toEqual([3, [1, 2, 3]]);
  });
});
