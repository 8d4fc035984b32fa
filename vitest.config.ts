import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The examples import the package by its name.
  resolve: {
    alias: [
      {
        find: /^inception-networks\/(\w+)$/,
        replacement: new URL('src/api/$1.ts', import.meta.url).pathname,
      },
      { find: /^inception-networks$/, replacement: new URL('src/index.ts', import.meta.url).pathname },
    ],
  },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // libtorch uses every core; more test processes would only take them from one another.
    maxWorkers: 1,
    testTimeout: 120_000,
    // Real processes, servers and browsers on a shared machine: one late answer is tried again, and the report says so.
    retry: 1,
    // Features that trainings of the tests keep are not the user's.
    env: { XDG_CACHE_HOME: join(tmpdir(), 'inception-tests-cache') },
  },
});
