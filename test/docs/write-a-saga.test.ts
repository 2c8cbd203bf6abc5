import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { countScenarios } from '../faults/scenarios.ts';
import { copyProduct, runNode, runTests } from '../setup/product-copy.ts';

/** The page does what it says: each of its blocks is applied to a copy of the project, and nothing else. */

const PAGE = fs.readFileSync(path.join(import.meta.dirname, '../../docs/write-a-saga.md'), 'utf8');
const [NEW_SAGA = '', NEW_VERSION = ''] = PAGE.split('## Change a saga');
const MATRIX = ['test/faults/every-saga-1.test.ts', 'test/faults/every-saga-2.test.ts'];
const LOCK = 'src/sagas/plans.lock.json';
const WITHIN_MS = 600_000;

interface Block {
  readonly kind: string;
  readonly file: string;
  readonly from: string | undefined;
  readonly text: string;
}
const blocksOf = (page: string): readonly Block[] =>
  [...page.matchAll(/^```(ts|diff) file=(\S+)(?: from=(\S+))?\n([\s\S]*?)^```$/gm)].map(
    ([, kind = '', file = '', from, text = '']) => ({ kind, file, from, text }),
  );

/** The text of a block without and with its change. */
function sidesOf(diff: string): readonly [string, string] {
  const lines = diff.split('\n').slice(0, -1);
  const side = (mark: string): string =>
    lines
      .filter((line) => line.startsWith(' ') || line.startsWith(mark))
      .map((line) => `${line.slice(1)}\n`)
      .join('');
  return [side('-'), side('+')];
}

function apply(copy: string, blocks: readonly Block[]): readonly string[] {
  for (const { kind, file, from, text } of blocks) {
    const target = path.join(copy, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    if (from !== undefined) fs.copyFileSync(path.join(copy, from), target);
    if (kind === 'ts') {
      fs.writeFileSync(target, text);
      continue;
    }
    const [before, after] = sidesOf(text);
    const pieces = fs.readFileSync(target, 'utf8').split(before);
    if (pieces.length !== 2) throw new Error(`${file}: "${before}" stands there ${pieces.length - 1} times`);
    fs.writeFileSync(target, pieces.join(after));
  }
  return [...new Set(blocks.map(({ file }) => file))];
}

let home: string;
beforeAll(() => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-page-'));
});
afterAll(() => fs.rmSync(home, { recursive: true, force: true }));

/** Applies the blocks to a copy of its own and locks the plans as the page says. Answers the copy and the files that it took. */
async function follow(name: string, page: string) {
  const copy = path.join(home, name);
  copyProduct(copy);
  const files = apply(copy, blocksOf(page));
  const locked = await runNode(copy, ['scripts/plans-lock.ts'], {});
  expect(locked.text).toMatch(/^added: /);
  expect(locked.code).toBe(0);
  return { copy, files: [...files, LOCK] };
}
const services = () => ({ DATABASE_URL: inject('postgresUrl'), REDIS_URL: inject('redisUrl') });
async function definitionIn(copy: string, file: string, name: string) {
  const module = (await import(path.join(copy, file))) as Readonly<
    Record<string, Parameters<typeof countScenarios>[0]>
  >;
  const definition = module[name];
  if (!definition) throw new Error(`${file} exports no ${name}`);
  return definition;
}

describe('the page about writing a saga', () => {
  it('adds a saga by at most four files, and the fault matrix takes it up', { timeout: WITHIN_MS }, async () => {
    const { copy, files } = await follow('new-saga', NEW_SAGA);
    expect(files.length).toBeLessThanOrEqual(4);
    const definition = await definitionIn(copy, 'src/sagas/request-deposit/v1.ts', 'requestDeposit');
    const run = await runTests(copy, MATRIX, 'requestDeposit@1', services(), WITHIN_MS);
    expect(run.messages).toEqual([]);
    // And the two tests that look at the whole.
    expect(run.passed).toBe(countScenarios(definition) + 2);
    const plans = await runTests(copy, ['test/architecture/plans.test.ts'], 'are the locked ones', {
      ...services(),
    });
    expect(plans).toMatchObject({ failed: 0, passed: 1 });
  });

  it('adds a step to the confirmation by at most three files', { timeout: WITHIN_MS }, async () => {
    const { copy, files } = await follow('new-version', NEW_VERSION);
    expect(files.length).toBeLessThanOrEqual(3);
    const run = await runTests(
      copy,
      MATRIX,
      'confirmReservation@2 .*(countTasks|nothing fails)',
      services(),
      WITHIN_MS,
    );
    expect(run.messages).toEqual([]);
    expect(run.passed).toBeGreaterThan(8);
  });
});
