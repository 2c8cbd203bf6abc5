import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { POLICIES } from '../../src/http/policy.ts';
import { copyProduct, runTests } from '../setup/product-copy.ts';
import { applyPage, readPage, statedFiles } from './page.ts';

/** The page does what it says: each of its blocks is applied to a copy of the project, and nothing else. */

const PAGE = 'add-an-endpoint.md';
const [READS = '', CHANGES = ''] = readPage(PAGE).split('## An endpoint that changes something');
const TESTS = [
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

it.each([
  ['reads', READS, ['test/http/conflict-of-a-stay.test.ts'], 'names the stay that is in the way, and free dates'],
  [
    'changes something',
    CHANGES,
    [
      'test/http/readiness-of-a-property.test.ts',
      'test/http/idempotency.test.ts',
      'test/http/lost-rights.test.ts',
      'test/http/plain-failures.test.ts',
      'test/openapi/mutations.test.ts',
    ],
    'sets the readiness, once for each Idempotency-Key',
  ],
] as const)(
  'adds an endpoint that %s by as many files as it says, four at the most',
  {
    timeout: WITHIN_MS,
  },
  async (name, part, tests, title) => {
    const copy = path.join(home, name.replaceAll(' ', '-'));
    copyProduct(copy);
    const [stated = 0] = statedFiles(PAGE);
    expect(stated).toBeLessThanOrEqual(4);
    expect(applyPage(copy, part)).toHaveLength(stated);
    const services = { DATABASE_URL: inject('postgresUrl'), REDIS_URL: inject('redisUrl') };
    const run = await runTests(copy, [...tests, ...TESTS], '.', services, WITHIN_MS);
    expect(run.messages).toEqual([]);
    expect(run.tests).toContain(title);
    // The tests that try each role on each endpoint have one more.
    const guarded = Object.values(POLICIES).filter((policy) => policy !== 'anonymous');
    expect(run.tests.filter((name) => name.endsWith('is for the roles of its policy alone'))).toHaveLength(
      guarded.length + 1,
    );
  },
);
