import { defineConfig } from 'vitest/config';
import { PROJECTS, type ProjectName, projectOf, testFiles } from './test/setup/projects.ts';

/** In percent, of statements, lines and functions alike: the brief's bounds, by folder. */
const atLeast = (percent: number) => ({ statements: percent, lines: percent, functions: percent });
const ERROR_PATHS =
  'src/{kernel/errors,db/errors,http/errors,engine/conclude,engine/fail,engine/undo,engine/park,engine/resume,engine/reconcile,engine/runners/call}.ts';

const SERVICES = 'test/setup/global.ts';
const SETUP: Readonly<Record<ProjectName, readonly string[]>> = {
  unit: [],
  db: [SERVICES],
  faults: [SERVICES],
  browser: [SERVICES, 'test/setup/chromium.ts'],
};
const files = Map.groupBy(testFiles(), projectOf);

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: PROJECTS.map((name) => ({
      test: {
        name,
        include: files.get(name) ?? [],
        globalSetup: [...SETUP[name]],
        setupFiles: SETUP[name].includes(SERVICES) ? ['test/setup/hear-statements.ts'] : [],
        pool: 'forks',
        // Without services there is nothing that one file could leave to the next.
        isolate: name !== 'unit',
        testTimeout: 60_000,
        hookTimeout: 60_000,
      },
    })),
    coverage: {
      provider: 'v8',
      reportsDirectory: '.roomy/coverage',
      reporter: ['text-summary', 'json-summary'],
      include: ['src/{domain,sagas,engine,http,web,gateways}/**/*.ts', 'src/{kernel,db}/errors.ts'],
      thresholds: {
        'src/domain/**/*.ts': atLeast(95),
        [ERROR_PATHS]: atLeast(90),
        'src/{sagas,engine}/**/*.ts': atLeast(85),
        'src/http/**/*.ts': atLeast(90),
        'src/web/**/*.ts': atLeast(90),
      },
    },
  },
});
