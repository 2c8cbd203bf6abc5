import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { copyProduct, runNode, runTests } from '../setup/product-copy.ts';
import { applyPage, readPage, statedFiles } from './page.ts';

/** The page does what it says: each of its blocks is applied to a copy of the project, and nothing else. */

const PAGE = 'add-a-refund-rule.md';
const TESTS = [
  'test/http/refunds-less-a-fee.test.ts',
  'src/domain/reservations/refund-policy.test.ts',
  'test/http/income-distribution.test.ts',
  'test/architecture/schema.test.ts',
  'test/openapi/released.test.ts',
];
const WITHIN_MS = 300_000;

let home: string;
beforeAll(() => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-refund-rule-'));
});
afterAll(() => fs.rmSync(home, { recursive: true, force: true }));

it('adds a refund rule by as many files as it says, two at the most', { timeout: WITHIN_MS }, async () => {
  const copy = path.join(home, 'copy');
  copyProduct(copy);
  const [stated = 0] = statedFiles(PAGE);
  expect(stated).toBeLessThanOrEqual(2);
  expect(applyPage(copy, readPage(PAGE))).toHaveLength(stated);
  const generated = await runNode(copy, ['scripts/db/schema.ts'], {});
  expect(generated.code, generated.text).toBe(0);
  const types = fs.readFileSync(path.join(copy, 'src/db/schema.generated.ts'), 'utf8');
  expect(types).toContain('"PAID_LESS_FEE"');
  const services = { DATABASE_URL: inject('postgresUrl'), REDIS_URL: inject('redisUrl') };
  const run = await runTests(copy, TESTS, '.', services, WITHIN_MS);
  expect(run.messages).toEqual([]);
  expect(run.tests).toEqual(
    expect.arrayContaining([
      'keeps a twentieth of the price, in minor units',
      'is told to the guest',
      'can be set',
      'of 100 percent is all that is held, by every kind of rule',
    ]),
  );
});
