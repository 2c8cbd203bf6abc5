import { defineConfig } from 'vitest/config';

/** In percent, of statements, lines and functions alike: the brief's bounds, by folder. */
const atLeast = (percent: number) => ({ statements: percent, lines: percent, functions: percent });
const ERROR_PATHS =
  'src/{kernel/errors,db/errors,http/errors,engine/conclude,engine/fail,engine/undo,engine/park,engine/resume,engine/reconcile,engine/runners/call}.ts';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['test/seeded/**', 'node_modules/**'],
    globalSetup: ['test/setup/global.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: {
      provider: 'v8',
      reportsDirectory: '.roomy/coverage',
      reporter: ['text-summary', 'json-summary'],
      include: ['src/{domain,sagas,engine,http,gateways}/**/*.ts', 'src/{kernel,db}/errors.ts'],
      thresholds: {
        'src/domain/**/*.ts': atLeast(95),
        [ERROR_PATHS]: atLeast(90),
        'src/{sagas,engine}/**/*.ts': atLeast(85),
        'src/http/**/*.ts': atLeast(90),
      },
    },
  },
});
