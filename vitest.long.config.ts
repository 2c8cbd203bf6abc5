import { defineConfig } from 'vitest/config';
import { reachedBy, testFiles } from './test/setup/projects.ts';

/** `npm run test:long`: in full what every run does a part of (`cases`, random books), and what takes too long for it. */
export default defineConfig({
  test: {
    include: [
      'test/history/long.ts',
      'test/integration/random-books*.test.ts',
      ...testFiles().filter((file) => reachedBy(file).has('test/setup/cases.ts')),
    ],
    env: { ROOMY_LONG: '1', ROOMY_RANDOM_CASES: '10000' },
    globalSetup: ['test/setup/global.ts'],
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 600_000,
    hookTimeout: 3_600_000,
  },
});
