import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSealKeeper, type SealKeeper } from '../../src/domain/audit/seals/keeper.ts';
import { createSealFiles } from '../../src/gateways/seal-files.ts';
import { API, at, type Http, startHttp } from './harness.ts';

/** `GET audit/verify` finds by the seals what the chains cannot know. */

let http: Http;
let keeper: SealKeeper;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'roomy-seals-'));
  http = await startHttp({}, (db) => {
    const seals = {
      db,
      keys: [{ kid: 'audit-1', ...generateKeyPairSync('ed25519') }],
      copy: createSealFiles(directory),
    } as const;
    keeper = createSealKeeper(seals);
    return { auditSeals: seals };
  });
  const earlier = new Date(Date.now() - 3_600_000);
  const rows = ['one', 'two'].flatMap((stream_id) => [1, 2, 3].map(() => ({ stream_id, at: earlier })));
  await http.db
    .insertInto('audit_log')
    .values(rows.map((row) => ({ ...row, event: 'X', actor: 'system', body: '{}' })))
    .execute();
  await keeper.round();
}, 60_000);
afterAll(async () => {
  await http?.stop();
  await rm(directory, { recursive: true, force: true });
});
const verify = async (query = ''): Promise<unknown> =>
  at((await http.call('GET', `${API}/audit/verify${query}`)).body, 'data');

it('agrees while nobody has touched it', async () => {
  const seals = { last: 1, broken: [], nextSeal: null };
  expect(await verify()).toEqual({ verified: 6, broken: [], complete: true, nextStream: null, seals });
  expect(await verify('?afterSeal=1')).toEqual({ verified: 0, broken: [], complete: true, nextStream: null, seals });
});

it('K6: names the seal of a tail that was cut off, whose chain is whole', async () => {
  await sql`ALTER TABLE audit_log DISABLE TRIGGER ALL`.execute(http.db);
  await sql`DELETE FROM audit_log WHERE stream_id = 'two' AND seq = 3`.execute(http.db);
  await sql`ALTER TABLE audit_log ENABLE TRIGGER ALL`.execute(http.db);
  const report = await verify();
  expect(at(report, 'broken')).toEqual([]);
  expect(at(at(report, 'seals'), 'broken')).toMatchObject([
    { no: 1, reason: 'ROWS_DIFFER', sealedRows: 6, foundRows: 5 },
  ]);
});
