import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// The examples import the package by its name.
const resolve = {
  alias: [
    {
      find: /^inception-networks\/(\w+)$/,
      replacement: new URL('src/api/$1.ts', import.meta.url).pathname,
    },
    { find: /^inception-networks$/, replacement: new URL('src/index.ts', import.meta.url).pathname },
  ],
};

/** Features that trainings of the tests keep are not the user's. */
const env = {
  XDG_CACHE_HOME: join(tmpdir(), 'inception-tests-cache'),
  // Threads that wait for each other sleep: spinning, they take the processor from the one that they wait for.
  OMP_WAIT_POLICY: 'passive',
};

/** Ends what hangs. No measure of speed: a busy machine may take many times as long as an idle one. */
const limits = {
  testTimeout: 600_000,
  hookTimeout: 600_000,
  expect: { poll: { timeout: 300_000 } },
};

/** Tests of wall-clock or processor time, and those whose browsers, servers and benches use every core themselves. */
const alone = [
  'src/bench/**/*.test.ts',
  'src/compile/compile.test.ts',
  'src/data/batches.test.ts',
  'src/engine/torch.test.ts',
  'src/server/**/*.test.ts',
  'test/browser/**/*.test.ts',
  'test/package.test.ts',
  'test/serve-command.test.ts',
];

export default defineConfig({
  test: {
    projects: [
      {
        resolve,
        test: {
          name: 'side by side',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: alone,
          // For what asks for no number of threads; an engine asks for one for each core.
          maxWorkers: 2,
          env: { ...env, OMP_NUM_THREADS: '1' },
          ...limits,
          sequence: { groupOrder: 0 },
        },
      },
      {
        resolve,
        test: {
          name: 'alone',
          include: alone,
          maxWorkers: 1,
          env,
          ...limits,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
