import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BUGS, type SeededBug } from './bugs.ts';

/**
 * `npm run test:seeded [-- B1 B9]`: plants one known bug at a time in a copy of the tree and requires the suite to turn
 * red, after it has been green without any. A suite that stays green is blind.
 */

const ROOT = path.resolve(import.meta.dirname, '../..');
const COPIED = ['src', 'migrations', 'test', 'scripts', 'package.json', 'tsconfig.json', 'vitest.config.ts'];
const SUITE_WITHIN_MS = 240_000;

const tree = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-seeded-'));
let running: ChildProcess | null = null;
process.on('exit', () => fs.rmSync(tree, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    running?.kill('SIGTERM');
    process.exit(130);
  });
}

const asked = process.argv.slice(2);
const bugs = BUGS.filter(({ id }) => asked.length === 0 || asked.includes(id));
if (bugs.length === 0) throw new Error(`no such bug: ${asked.join(', ')}`);

const failures: string[] = [];
for (const suite of new Set(bugs.map((bug) => JSON.stringify(bug.suite)))) {
  restore();
  const green = await passes(JSON.parse(suite));
  report('none', suite, green ? 'green, as it must be' : 'RED WITHOUT A BUG');
  if (!green) failures.push(`the suite ${suite} fails without a bug`);
}
for (const bug of bugs) {
  restore();
  plant(bug);
  const blind = await passes(bug.suite);
  report(bug.id, bug.what, blind ? 'GREEN: the suite is blind to it' : 'red, as it must be');
  if (blind) failures.push(`${bug.id} was not noticed`);
}
console.log(
  failures.length === 0 ? `\n${bugs.length} bugs planted, ${bugs.length} noticed` : `\n${failures.join('\n')}`,
);
process.exitCode = failures.length === 0 ? 0 : 1;

function report(id: string, what: string, outcome: string): void {
  console.log(`${id.padEnd(5)} ${outcome.padEnd(32)} ${what}`);
}

function restore(): void {
  for (const entry of COPIED) {
    fs.rmSync(path.join(tree, entry), { recursive: true, force: true });
    fs.cpSync(path.join(ROOT, entry), path.join(tree, entry), { recursive: true });
  }
  const modules = path.join(tree, 'node_modules');
  if (!fs.existsSync(modules)) fs.symlinkSync(path.join(ROOT, 'node_modules'), modules);
}

/** Throws unless each patch fits in exactly one place: a patch that no longer applies would prove nothing. */
function plant({ id, patches }: SeededBug): void {
  for (const { file, find, replace } of patches) {
    const target = path.join(tree, file);
    const parts = fs.readFileSync(target, 'utf8').split(find);
    if (parts.length !== 2) throw new Error(`${id}: its patch fits ${parts.length - 1} places of ${file}`);
    fs.writeFileSync(target, parts.join(replace));
  }
}

function passes(suite: readonly string[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const vitest = path.join(ROOT, 'node_modules/vitest/vitest.mjs');
    const child = spawn(process.execPath, [vitest, 'run', '--bail', '1', ...suite], {
      cwd: tree,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running = child;
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (said += text));
    const timer = setTimeout(() => child.kill('SIGTERM'), SUITE_WITHIN_MS);
    child.on('error', reject);
    child.on('exit', (code) => {
      clearTimeout(timer);
      running = null;
      if (!/Tests .*(passed|failed)/.test(said))
        reject(new Error(`the suite ${suite.join(' ')} ran no test:\n${said.slice(-2_000)}`));
      else resolve(code === 0);
    });
  });
}
