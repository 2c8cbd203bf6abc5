import { defineConfig } from 'vitest/config';

/** In percent, of statements, lines and functions alike: the brief's bounds, by folder. */
const atLeast = (percent: number) => ({ statements: percent, lines: percent, functions: percent });
const ERROR_PATHS =
  'src/{kernel/errors,db/errors,http/errors,sagas/orchestrator/fail,sagas/orchestrator/call,sagas/orchestrator/intervene}.ts';

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
      include: ['src/{domain,sagas,http,gateways}/**/*.ts', 'src/{kernel,db}/errors.ts'],
      thresholds: {
        'src/domain/**/*.ts': atLeast(95),
        [ERROR_PATHS]: atLeast(90),
        'src/sagas/**/*.ts': atLeast(85),
        'src/http/**/*.ts': atLeast(90),
      },
    },
  },
});
