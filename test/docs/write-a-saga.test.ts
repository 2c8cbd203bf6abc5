import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { required } from '../../src/kernel/errors.ts';
import { definitionOf } from '../../src/sagas/index.ts';
import { countScenarios } from '../faults/scenarios.ts';
import { copyProduct, runNode, runTests } from '../setup/product-copy.ts';
import { applyPage, readPage, statedFiles } from './page.ts';

/** The page does what it says: each of its blocks is applied to a copy of the project, and nothing else. */

/** The newest version of the confirmation, of which the page makes the next one; the page itself has 1 and 2. */
const NEWEST = required(definitionOf('confirmReservation'), 'the confirmation').version;
const ofTheNewest = (page: string): string =>
  page
    .replaceAll('confirm-reservation/v2', `confirm-reservation/v${NEWEST + 1}`)
    .replaceAll('confirm-reservation/v1', `confirm-reservation/v${NEWEST}`)
    .replaceAll('confirmReservationV1', `confirmReservationV${NEWEST}`)
    .replace('+  version: 2,', `+  version: ${NEWEST + 1},`)
    .replace('-  version: 1,', `-  version: ${NEWEST},`);
const [NEW_SAGA = '', NEW_VERSION = ''] = readPage('write-a-saga.md').split('## Change a saga');
const [STEP_FILES = 0, SAGA_FILES = 0] = statedFiles('write-a-saga.md');
const MATRIX = ['test/faults/every-saga-1.test.ts', 'test/faults/every-saga-2.test.ts'];
const WITHIN_MS = 600_000;

let home: string;
beforeAll(() => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-page-'));
});
afterAll(() => fs.rmSync(home, { recursive: true, force: true }));

/** Applies the blocks to a copy of its own and locks the plans as the page says. Answers the copy and the files by hand. */
async function follow(name: string, page: string) {
  const copy = path.join(home, name);
  copyProduct(copy);
  const files = applyPage(copy, page);
  const locked = await runNode(copy, ['scripts/plans-lock.ts'], {});
  expect(locked.text).toMatch(/^added: /);
  expect(locked.code).toBe(0);
  return { copy, files };
}
/** The lock is that of the copy's definitions, and is written as the formatter leaves it. */
async function expectLocked(copy: string): Promise<void> {
  const plans = await runTests(copy, ['test/architecture/plans.test.ts'], '.', services());
  expect(plans.messages).toEqual([]);
  expect(plans.passed).toBeGreaterThan(8);
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
    await expectLocked(copy);
  });

  it('adds a step to the confirmation by as many files as it says, three at the most', {
    timeout: WITHIN_MS,
  }, async () => {
    const { copy, files } = await follow('new-version', ofTheNewest(NEW_VERSION));
    expect(STEP_FILES).toBeLessThanOrEqual(3);
    expect(files).toHaveLength(STEP_FILES);
    const run = await runTests(
      copy,
      MATRIX,
      `confirmReservation@${NEWEST + 1} .*(countTasks|nothing fails)`,
      services(),
      WITHIN_MS,
    );
    expect(run.messages).toEqual([]);
    expect(run.passed).toBeGreaterThan(8);
    await expectLocked(copy);
  });
});
