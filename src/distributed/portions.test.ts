import { describe, expect, it } from 'vitest';
import { inPortions } from './portions.ts';

const items = Array.from({ length: 11 }, (_, index) => index);

describe('inPortions', () => {
  it('gives each item to one process, and every process the same number of portions', async () => {
    const taken = await Promise.all(
      [0, 1, 2].map(async (rank) => {
        const portions: (readonly number[])[] = [];
        const gather = async <T>(value: T) => [value];
        const group = { rank, size: 3, gather };
        for await (const [own] of inPortions(items, { group, portion: 2 }, async (own) => own))
          portions.push(own as readonly number[]);
        return portions;
      }),
    );
    expect(taken).toEqual([
      [
        [0, 3],
        [6, 9],
      ],
      [
        [1, 4],
        [7, 10],
      ],
      [[2, 5], [8]],
    ]);
  });

  it('is one portion for a process alone', async () => {
    const group = { rank: 0, size: 1, gather: async <T>(value: T) => [value] };
    const results: unknown[] = [];
    for await (const result of inPortions(items, { group, portion: 2 }, async (own) => own.length))
      results.push(result);
    expect(results).toEqual([[11]]);
  });
});
