import { describe, expect, it } from 'vitest';
import { threadsFor } from './threads.ts';

const underTorchrun = { TORCHELASTIC_RUN_ID: 'none', OMP_NUM_THREADS: '1' };

describe('the threads of a process', () => {
  it.each([
    ['are what --threads says', underTorchrun, { cores: 8, localSize: 2, asked: 3 }, 3, '--threads'],
    ['are OMP_NUM_THREADS', { OMP_NUM_THREADS: '6' }, { cores: 8, localSize: 2 }, 6, 'OMP_NUM_THREADS'],
    ['are the first of a list', { OMP_NUM_THREADS: '4,2' }, { cores: 8, localSize: 1 }, 4, 'OMP_NUM_THREADS'],
    ['are all cores for one process', { OMP_NUM_THREADS: 'x' }, { cores: 8, localSize: 1 }, 8, 'all cores'],
    [
      'are a share of the cores',
      {},
      { cores: 8, localSize: 3 },
      2,
      '2 of 8 cores for each of 3 processes on this machine',
    ],
    [
      'are at least one',
      {},
      { cores: 2, localSize: 4 },
      1,
      '1 of 2 cores for each of 4 processes on this machine',
    ],
    [
      "are not torchrun's one",
      underTorchrun,
      { cores: 8, localSize: 2 },
      4,
      "4 of 8 cores for each of 2 processes on this machine; OMP_NUM_THREADS=1 is torchrun's own",
    ],
    [
      'are 1 under torchrun if it starts one',
      underTorchrun,
      { cores: 8, localSize: 1 },
      1,
      'OMP_NUM_THREADS',
    ],
  ])('%s', (_, env, machine, threads, reason) => {
    expect(threadsFor(env, machine)).toEqual({ threads, reason });
  });
});
