import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** A copy of the product in which a test may change the source, and the run of tests there. */

const ROOT = path.join(import.meta.dirname, '../..');
const COPIED = [
  'src',
  'migrations',
  'test',
  'scripts',
  'bench',
  'docs/domain.md',
  'docs/openapi',
  'CHANGELOG.md',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
];
const RUN_WITHIN_MS = 180_000;

/** `to` does not exist yet. The packages are shared with the product. */
export function copyProduct(to: string): void {
  fs.mkdirSync(to);
  for (const name of COPIED) fs.cpSync(path.join(ROOT, name), path.join(to, name), { recursive: true });
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(to, 'node_modules'));
}

export type Services = Readonly<Record<'DATABASE_URL' | 'REDIS_URL', string>>;

export interface TestRun {
  readonly failed: number;
  readonly passed: number;
  readonly seconds: number;
  /** The names of the tests that passed. */
  readonly tests: readonly string[];
  /** The messages of the failing tests. */
  readonly messages: readonly string[];
}
interface Report {
  readonly numFailedTests: number;
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly title: string;
      readonly status: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

/** Runs the tests of `files` whose names match `tests`. Throws when a file cannot be loaded, which would prove nothing. */
export async function runTests(
  copy: string,
  files: readonly string[],
  tests: string,
  services: Services,
  withinMs = RUN_WITHIN_MS,
): Promise<TestRun> {
  const report = path.join(copy, 'report.json');
  fs.rmSync(report, { force: true });
  const started = performance.now();
  const args = ['run', ...files, '-t', tests, '--reporter=json', `--outputFile=${report}`];
  const output = await runNode(copy, [path.join(ROOT, 'node_modules/vitest/vitest.mjs'), ...args], services, withinMs);
  if (!fs.existsSync(report)) throw new Error(`the tests did not run:\n${output.text}`);
  const { numFailedTests, numPassedTests, testResults } = JSON.parse(fs.readFileSync(report, 'utf8')) as Report;
  const broken = testResults.find(({ assertionResults }) => assertionResults.length === 0);
  if (broken) throw new Error(`a file of tests could not be loaded: ${broken.message}`);
  return {
    failed: numFailedTests,
    passed: numPassedTests,
    seconds: (performance.now() - started) / 1_000,
    tests: testResults.flatMap(({ assertionResults }) =>
      assertionResults.filter(({ status }) => status === 'passed').map(({ title }) => title),
    ),
    messages: testResults.flatMap((result) => result.assertionResults.flatMap((test) => test.failureMessages ?? [])),
  };
}

/** Runs a program of the copy under this Node; the tests' own environment stays out of it. */
export async function runNode(
  copy: string,
  args: readonly string[],
  services: Partial<Services>,
  withinMs = RUN_WITHIN_MS,
): Promise<{ readonly code: number | null; readonly text: string }> {
  const output: Buffer[] = [];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')));
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(process.execPath, [...args], {
      cwd: copy,
      env: { ...env, ...services },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: withinMs,
    });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk));
    child.once('error', reject);
    child.once('exit', resolve);
  });
  return { code, text: Buffer.concat(output).toString() };
}
