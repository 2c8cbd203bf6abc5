import { defineConfig } from 'vitest/config';

/** `npm run fuzz` (scripts/fuzz.ts), which says seed and number by the environment. */
export default defineConfig({
  test: {
    include: ['test/fuzz/long.ts'],
    globalSetup: ['test/setup/global.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 7_200_000,
    hookTimeout: 3_600_000,
    disableConsoleIntercept: true,
  },
});
