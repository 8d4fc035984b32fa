import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    // libtorch uses every core; more test processes would only take them from one another.
    maxWorkers: 1,
    testTimeout: 120_000,
  },
});
