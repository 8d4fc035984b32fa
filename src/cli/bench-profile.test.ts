import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { dividedCores } from './bench-profile.ts';

describe('the processes of a profile', () => {
  it('have their part of the cores each, or the threads that were asked for', () => {
    const cores = availableParallelism();
    expect(dividedCores({ processes: 2 }, 'train')).toMatchObject({
      threads: Math.max(1, Math.floor(cores / 2)),
    });
    expect(dividedCores({ processes: 4096 }, 'train')).toMatchObject({ threads: 1 });
    expect(dividedCores({ processes: 2, threads: 3 }, 'train')).toMatchObject({ threads: 3 });
    expect(dividedCores({}, 'train')).toEqual({});
  });

  it('are refused where they have nothing to share', () => {
    expect(() => dividedCores({ processes: 2 }, 'infer')).toThrow(
      '--processes: has no effect on inference; expected --for train as well, or none',
    );
    expect(() => dividedCores({ reduce: 'bfloat16' }, 'train')).toThrow(
      '--reduce: has no effect on one process; expected --processes 2 or more as well',
    );
  });
});
