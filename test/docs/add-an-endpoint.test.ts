import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { POLICIES } from '../../src/http/policy.ts';
import { copyProduct, runTests } from '../setup/product-copy.ts';
import { applyPage, readPage, statedFiles } from './page.ts';

/** The page does what it says: each of its blocks is applied to a copy of the project, and nothing else. */

const PAGE = 'add-an-endpoint.md';
const TESTS = [
  'test/http/conflict-of-a-stay.test.ts',
  'test/http/access.test.ts',
  'test/http/strict-queries.test.ts',
  'test/openapi/document.test.ts',
  'test/openapi/released.test.ts',
  'src/http/policy.test.ts',
];
const WITHIN_MS = 300_000;

let home: string;
beforeAll(() => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-endpoint-'));
});
afterAll(() => fs.rmSync(home, { recursive: true, force: true }));

it('adds an endpoint by as many files as it says, four at the most', { timeout: WITHIN_MS }, async () => {
  const copy = path.join(home, 'copy');
  copyProduct(copy);
  const [stated = 0] = statedFiles(PAGE);
  expect(stated).toBeLessThanOrEqual(4);
  expect(applyPage(copy, readPage(PAGE))).toHaveLength(stated);
  const services = { DATABASE_URL: inject('postgresUrl'), REDIS_URL: inject('redisUrl') };
  const run = await runTests(copy, TESTS, '.', services, WITHIN_MS);
  expect(run.messages).toEqual([]);
  expect(run.tests).toContain('names the stay that is in the way, and free dates');
  // The tests that try each role on each endpoint have one more.
  const guarded = Object.values(POLICIES).filter((policy) => policy !== 'anonymous');
  expect(run.tests.filter((name) => name.endsWith('is for the roles of its policy alone'))).toHaveLength(
    guarded.length + 1,
  );
});
