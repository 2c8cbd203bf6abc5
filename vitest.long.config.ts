import { defineConfig } from 'vitest/config';

/** `npm run test:long`: what takes too long for every run. */
export default defineConfig({
  test: {
    include: ['test/history/long.ts'],
    globalSetup: ['test/setup/global.ts'],
    pool: 'forks',
    maxWorkers: 1,
    hookTimeout: 3_600_000,
  },
});
