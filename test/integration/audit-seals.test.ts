import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDb, createPool } from '../../src/db/client.ts';
import { recordAudit } from '../../src/domain/audit/record.ts';
import type { BrokenSeal } from '../../src/domain/audit/seals/compare.ts';
import { createSealKeeper, type SealKeeper } from '../../src/domain/audit/seals/keeper.ts';
import { type SealKey, sealLine } from '../../src/domain/audit/seals/seal.ts';
import { createSealFiles } from '../../src/gateways/seal-files.ts';
import { createSimulatedDatabase, type SimulatedDatabase } from '../setup/database.ts';

/**
 * Somebody who is the owner of the database, and can switch triggers off and compute every hash anew, changes the audit trail. What
 * was sealed tells it: within so many rounds of the watchdog as there are in a minute.
 */
const ROUNDS_A_MINUTE = 6;
const keyOf = (kid: string): SealKey => ({ kid, ...generateKeyPairSync('ed25519') });
const KEY = keyOf('audit-1');

let database: SimulatedDatabase;
let db: ReturnType<typeof createDb>;
let directory: string;
let keeper: SealKeeper;
const open = (...keys: [SealKey, ...SealKey[]]): SealKeeper => openAt(directory, ...keys);
const openAt = (home: string, ...keys: [SealKey, ...SealKey[]]): SealKeeper =>
  createSealKeeper({ db, keys, copy: createSealFiles(home) }, () => database.clock.now());

beforeAll(async () => {
  database = await createSimulatedDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 4, applicationName: 'test' }));
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'roomy-seals-'));
  keeper = open(KEY);
});
afterEach(async () => {
  await asOwner(`TRUNCATE audit_log, audit_seal; ${await readFile(HASH, 'utf8')}`);
  await rm(directory, { recursive: true, force: true });
});

const HASH = path.join(import.meta.dirname, '../../migrations/0070_audit_hash_inline.sql');
const write = (streamId: string, event = 'thing.changed'): Promise<void> =>
  db
    .transaction()
    .execute((tx) => recordAudit(tx, { streamId, event, actor: 'somebody', body: { outcome: 'success' } }));
/** Rows of three streams in each of so many minutes, sealed. */
async function live(minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    for (const stream of ['saga-1', 'saga-2', 'guest:1']) await write(stream);
    await pass(60);
    expect((await keeper.round()).broken).toEqual([]);
  }
}
const pass = (seconds: number): Promise<void> =>
  database.clock.moveTo(new Date(database.clock.now().getTime() + seconds * 1_000));
const asOwner = (change: string): Promise<unknown> =>
  sql.raw(`SET session_replication_role = replica; ${change}; SET session_replication_role = DEFAULT`).execute(db);
/** All hashes of the chains, worked out anew after a change: they agree with one another again. */
const REHASH = `DO $$ DECLARE r audit_log; before bytea; stream text := ''; BEGIN
  FOR r IN SELECT * FROM audit_log ORDER BY stream_id, seq LOOP
    IF r.stream_id <> stream THEN before := sha256(convert_to('genesis:' || r.stream_id, 'UTF8')); stream := r.stream_id; END IF;
    r.prev_hash := before; before := audit_hash(r);
    UPDATE audit_log SET prev_hash = r.prev_hash, hash = before WHERE stream_id = r.stream_id AND seq = r.seq;
  END LOOP; END $$`;
async function minute(of: SealKeeper = keeper): Promise<readonly BrokenSeal[]> {
  let broken: readonly BrokenSeal[] = [];
  for (let round = 0; round < ROUNDS_A_MINUTE; round += 1) {
    await pass(10);
    ({ broken } = await of.round());
  }
  return broken;
}
const reasons = (broken: readonly BrokenSeal[]) => [...new Set(broken.map(({ reason }) => reason))];

const ATTACKS: Readonly<Record<string, string>> = {
  'an edited row': `UPDATE audit_log SET actor = 'nobody' WHERE stream_id = 'saga-1' AND seq = 2; ${REHASH}`,
  'an edited row whose hash was left, where the function of the hash was changed': `UPDATE audit_log SET actor = 'nobody' WHERE seq = 2;
    CREATE OR REPLACE FUNCTION audit_hash(a audit_log) RETURNS bytea LANGUAGE sql STABLE AS 'SELECT a.hash'`,
  'an edit of the newest row of a stream, with its hash': `UPDATE audit_log SET actor = 'nobody' WHERE stream_id = 'saga-1' AND seq = 5; ${REHASH}`,
  'a removed tail': `DELETE FROM audit_log WHERE stream_id = 'saga-2' AND seq > 3`,
  'a removed stream': `DELETE FROM audit_log WHERE stream_id = 'guest:1'`,
  'a removed row in the middle, the rest moved up': `DELETE FROM audit_log WHERE stream_id = 'saga-1' AND seq = 2;
    UPDATE audit_log SET seq = seq - 1 WHERE stream_id = 'saga-1' AND seq > 2; ${REHASH}`,
  'the last minutes of everything removed': `DELETE FROM audit_log WHERE at > (SELECT max(at) FROM audit_log) - interval '3 minutes'`,
  'the last minutes of everything removed, with their seals': `DELETE FROM audit_log WHERE at > (SELECT max(at) FROM audit_log) - interval '3 minutes';
    DELETE FROM audit_seal WHERE no > 2`,
  'everything removed': 'TRUNCATE audit_log, audit_seal',
  'a row of a day before, added now': `INSERT INTO audit_log (stream_id, seq, at, event, actor, body, prev_hash, hash)
    SELECT 'saga-9', 1, min(at) + interval '1 second', 'thing.made', 'nobody', '{}', '', '' FROM audit_log; ${REHASH}`,
  'a row that was moved to another time': `UPDATE audit_log SET at = at + interval '1 minute' WHERE stream_id = 'saga-1' AND seq = 1; ${REHASH}`,
  'a seal of a key that is not ours': `UPDATE audit_seal SET line = replace(line, '"signature":"', '"signature":"AAAA') WHERE no = 3`,
  'a seal that was removed': 'DELETE FROM audit_seal WHERE no = 2',
};

describe('what was sealed', () => {
  it('agrees for ever, whoever looks, and by a key that no longer signs', async () => {
    await live(5);
    expect(await minute()).toEqual([]);
    const next = open(keyOf('audit-2'), KEY);
    expect(await minute(next)).toEqual([]);
    await write('saga-1');
    expect(await minute(next)).toEqual([]);
    await rm(directory, { recursive: true });
    expect(await minute(open(KEY))).toMatchObject([{ reason: 'FORGED' }]);
  });

  it.each(Object.entries(ATTACKS))('K6: tells of %s', async (_name, change) => {
    await live(5);
    await asOwner(change);
    expect(await minute()).not.toEqual([]);
    // Another process takes the watch over, with its own copy only.
    const other = open(KEY);
    expect(await minute(other)).not.toEqual([]);
  });

  it('tells of what was removed before the last quarter of an hour', async () => {
    await live(25);
    await asOwner(`DELETE FROM audit_log WHERE stream_id = 'saga-1' AND seq = 25`);
    await asOwner(`DELETE FROM audit_log WHERE stream_id = 'saga-2' AND seq = 1`);
    const broken = await minute();
    expect(broken.map(({ no }) => no).toSorted((a, b) => a - b)).toEqual([1, 25]);
    expect(broken[0]).toMatchObject({ reason: 'ROWS_DIFFER', sealedRows: 3, foundRows: 2 });
  });

  it('is as it was again, once the row is back', async () => {
    await live(3);
    await asOwner(`UPDATE audit_log SET actor = 'nobody' WHERE stream_id = 'saga-1' AND seq = 2; ${REHASH}`);
    expect(reasons(await minute())).toEqual(['ROWS_DIFFER']);
    await asOwner(`UPDATE audit_log SET actor = 'somebody' WHERE stream_id = 'saga-1' AND seq = 2; ${REHASH}`);
    expect(await minute()).toEqual([]);
  });

  it('stays broken, however much has been sealed since, and each is told once', async () => {
    await live(3);
    await asOwner(`DELETE FROM audit_log WHERE stream_id = 'saga-1' AND seq = 2`);
    await minute();
    const foundAt = (await keeper.round()).newest;
    for (let n = 0; n < 20; n += 1) {
      await write('saga-2');
      await pass(60);
      const seen = await keeper.round();
      expect(seen.broken.map(({ no, reason }) => [no, reason])).toEqual([[2, 'ROWS_DIFFER']]);
      expect(seen.newest).toEqual(foundAt);
    }
  });

  it('is known to a process that takes the watch over, if only it has been alive', async () => {
    const home = await mkdtemp(path.join(tmpdir(), 'roomy-seals-'));
    const other = openAt(home, KEY);
    await live(3);
    await other.keepUp();
    await asOwner(`DELETE FROM audit_log WHERE at > (SELECT max(at) FROM audit_log) - interval '90 seconds';
      DELETE FROM audit_seal WHERE no > 1`);
    expect((await minute(other)).map(({ no }) => no)).toContain(3);
    // And nothing is sealed over it.
    expect((await db.selectFrom('audit_seal').select('no').execute()).map(({ no }) => no)).toEqual([1]);
    await rm(home, { recursive: true });
  });

  it('goes on from a restored backup with a new copy', async () => {
    await live(4);
    await asOwner(`DELETE FROM audit_log WHERE at > (SELECT max(at) FROM audit_log) - interval '90 seconds';
      DELETE FROM audit_seal WHERE no > 2`);
    expect(await minute()).not.toEqual([]);
    await rm(directory, { recursive: true });
    const anew = open(KEY);
    expect(await minute(anew)).toEqual([]);
    await write('saga-1');
    expect(await minute(anew)).toEqual([]);
    await pass(60);
    await anew.round();
    expect((await db.selectFrom('audit_seal').select('no').execute()).length).toBeGreaterThan(2);
  });

  it('is not continued over a forged one', async () => {
    await live(2);
    const forged = sealLine(
      { no: 3, from: 'x', to: 'y', rows: 0, digest: '0'.repeat(64), previous: null },
      keyOf('audit-1'),
    );
    await db.insertInto('audit_seal').values({ no: 3, line: forged }).execute();
    expect(reasons(await minute())).toEqual(['FORGED']);
    expect((await db.selectFrom('audit_seal').select('no').execute()).length).toBe(3);
  });
});

describe('the copy', () => {
  const files = async (): Promise<string[]> => (await readdir(directory)).map((name) => path.join(directory, name));

  it('is made up for from the database, by another process or after a crash', async () => {
    await live(4);
    const [file = ''] = await files();
    const whole = await readFile(file, 'utf8');
    await rm(file);
    expect(await minute(open(KEY))).toEqual([]);
    expect((await readFile(file, 'utf8')).startsWith(whole)).toBe(true);
    // A power cut in the middle of a line.
    await writeFile(file, whole.slice(0, -40));
    expect(await minute(open(KEY))).toEqual([]);
    const lines = (await readFile(file, 'utf8')).split('\n').filter(Boolean);
    expect(lines.length).toBeGreaterThan(whole.split('\n').length - 1);
  });

  it('goes on behind a file that has been begun and has nothing in it', async () => {
    await live(3);
    await writeFile(path.join(directory, 'seals-000002.jsonl'), '');
    await write('saga-1');
    const next = open(KEY);
    expect(await minute(next)).toEqual([]);
    const [file = ''] = await files();
    expect((await readFile(file, 'utf8')).match(/"no":1,/g)).toHaveLength(1);
    expect((await next.round()).unsealedSeconds).toBeLessThan(60);
  });

  it.each([
    ['a line that was changed', (text: string) => text.replace('"rows":3', '"rows":2')],
    ['a line that was taken out', (text: string) => text.split('\n').toSpliced(1, 1).join('\n')],
  ])('tells of %s', async (_name, change) => {
    await live(4);
    const [file = ''] = await files();
    await writeFile(file, change(await readFile(file, 'utf8')));
    expect(await minute(open(KEY))).not.toEqual([]);
  });

  it('that cannot be written stops the round, and nothing is lost by it', async () => {
    await live(2);
    const [file = ''] = await files();
    const there = await readFile(file, 'utf8');
    await rm(directory, { recursive: true });
    await writeFile(directory, 'a file where the directory was');
    await expect(keeper.round()).rejects.toThrow(/ENOTDIR|EEXIST/);
    await rm(directory);
    expect(await minute()).toEqual([]);
    const [again = ''] = await files();
    expect((await readFile(again, 'utf8')).startsWith(there)).toBe(true);
  });
});

it('seals nothing that an open transaction may still add to, and says so', async () => {
  for (const stream of ['saga-1', 'saga-2']) await write(stream);
  await db.transaction().execute(async (tx) => {
    await recordAudit(tx, { streamId: 'saga-3', event: 'thing.changed', actor: 'x', body: { outcome: 'success' } });
    await pass(400);
    expect((await keeper.round()).unsealedSeconds).toBeGreaterThan(300);
  });
  await pass(60);
  expect((await keeper.round()).unsealedSeconds).toBeLessThan(120);
  expect(await minute()).toEqual([]);
});

it('is not held up by who only reads, and tells of who holds the table although nothing waits', async () => {
  await live(2);
  await db.transaction().execute(async (tx) => {
    await sql`SELECT count(*) FROM audit_log`.execute(tx);
    await pass(400);
    expect((await keeper.round()).unsealedSeconds).toBeLessThan(60);
  });
  await db.transaction().execute(async (tx) => {
    await sql`LOCK TABLE audit_log IN ROW EXCLUSIVE MODE`.execute(tx);
    await pass(400);
    expect((await keeper.round()).unsealedSeconds).toBeGreaterThan(300);
  });
});
