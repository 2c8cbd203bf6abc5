import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { countScenarios } from '../faults/scenarios.ts';
import { copyProduct, runNode, runTests } from '../setup/product-copy.ts';
import { applyPage, readPage, statedFiles } from './page.ts';

/** The page does what it says: each of its blocks is applied to a copy of the project, and nothing else. */

const [NEW_SAGA = '', NEW_VERSION = ''] = readPage('write-a-saga.md').split('## Change a saga');
const [STEP_FILES = 0, SAGA_FILES = 0] = statedFiles('write-a-saga.md');
const MATRIX = ['test/faults/every-saga-1.test.ts', 'test/faults/every-saga-2.test.ts'];
const LOCK = 'src/sagas/plans.lock.json';
const WITHIN_MS = 600_000;

let home: string;
beforeAll(() => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-page-'));
});
afterAll(() => fs.rmSync(home, { recursive: true, force: true }));

/** Applies the blocks to a copy of its own and locks the plans as the page says. Answers the copy and the files that it took. */
async function follow(name: string, page: string) {
  const copy = path.join(home, name);
  copyProduct(copy);
  const files = applyPage(copy, page);
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
  it('adds a saga by as many files as it says, four at the most, and the fault matrix takes it up', {
    timeout: WITHIN_MS,
  }, async () => {
    const { copy, files } = await follow('new-saga', NEW_SAGA);
    expect(SAGA_FILES).toBeLessThanOrEqual(4);
    // The fixture is one of them, although it stands under `test`.
    expect(files).toHaveLength(SAGA_FILES);
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

  it('adds a step to the confirmation by as many files as it says, three at the most', {
    timeout: WITHIN_MS,
  }, async () => {
    const { copy, files } = await follow('new-version', NEW_VERSION);
    expect(STEP_FILES).toBeLessThanOrEqual(3);
    expect(files).toHaveLength(STEP_FILES);
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
