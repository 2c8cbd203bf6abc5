import { defineConfig } from 'vitest/config';

/** `npm run test:long`: what takes too long for every run. */
export default defineConfig({
  test: {
    include: ['test/history/long.ts', 'test/integration/random-books*.test.ts'],
    env: { ROOMY_RANDOM_CASES: '10000' },
    globalSetup: ['test/setup/global.ts'],
    pool: 'forks',
    maxWorkers: 1,
    hookTimeout: 3_600_000,
  },
});
