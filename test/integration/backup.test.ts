import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { endAccess, missingKeys, standingAccess } from '../../src/backup/after.ts';
import { relationsOf } from '../../src/backup/connection.ts';
import { assertOwnMigrations } from '../../src/backup/load.ts';
import { lookThrough } from '../../src/backup/read.ts';
import { decrypted, encrypted, type Key, newKeyPair } from '../../src/backup/seal.ts';
import { LEFT_OUT, tablesOf } from '../../src/backup/tables.ts';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { createFieldKeys } from '../../src/db/field-keys.ts';
import { makeAhead, PARTITIONED } from '../../src/db/partitions.ts';
import { loadDemo } from '../../src/demo/load.ts';
import { backUp, contentsOf, KEY, LOCK, restore, schemaOf, sequencesOf } from '../setup/backups.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { sha256, until } from '../setup/engine.ts';

/** What a backup has, and what is refused instead of being restored. A whole life: backup-life.test.ts. */

let source: TestDatabase;
let db: Db;
let backup: Buffer;
const opened: (() => Promise<void>)[] = [];
const open = (url: string): Db => {
  const made = createDb(createPool({ connectionString: url, max: 2, applicationName: 'backup-test' }));
  opened.push(() => made.destroy());
  return made;
};
async function emptyDatabase(): Promise<TestDatabase> {
  const made = await createEmptyDatabase();
  opened.push(() => made.drop());
  return made;
}
/** Values that a copy could change on its way. */
const ODD = 'tab\there, line\nbreak, \\. and \\N, "quotes", \u{1f469}\u200d\u{1f467} \u0627\u0644\u0639';
beforeAll(async () => {
  source = await createTestDatabase();
  db = createDb(createPool({ connectionString: source.url, max: 2, applicationName: 'backup-test' }));
  await loadDemo(db, new Date('2027-03-01T08:00:00Z'));
  await db
    .updateTable('guest')
    .set({ name: ODD })
    .where('id', '=', (eb) => eb.selectFrom('guest').select((one) => one.fn.min('id').as('id')))
    .execute();
  // Events up to a partition that no migration makes.
  await sql`SELECT setval('domain_event_id_seq', 6500000)`.execute(db);
  await db.connection().execute(async (one) => {
    for (const spec of PARTITIONED) await makeAhead(one, spec);
  });
  await db
    .updateTable('owner')
    .set((eb) => ({ version: eb('version', '+', 1) }))
    .execute();
  await addPhotos();
  backup = await backUp(source.url);
});

afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});
afterAll(async () => {
  await db?.destroy();
  await source?.drop();
});

/** Bytes that no compression makes less of, so that the file has several pieces. */
async function addPhotos(): Promise<void> {
  const { id } = await db.selectFrom('task').select('id').limit(1).executeTakeFirstOrThrow();
  for (let photo = 0; photo < 25; photo += 1) {
    const bytes = Buffer.concat(Array.from({ length: 1_000 }, (_, part) => sha256(`${photo} ${part}`)));
    const row = {
      task_id: id,
      id: `photo-${photo}`,
      content_type: 'image/jpeg' as const,
      bytes,
      sha256: sha256(bytes),
    };
    await db
      .insertInto('task_photo')
      .values({ ...row, uploaded_by: 'staff-1' })
      .execute();
  }
}

describe('a backup', () => {
  it('has every table, or a reason why not', async () => {
    const { rows } = await sql<{ name: string }>`
      SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`.execute(
      db,
    );
    const taken = (await tablesOf(db)).map(({ name }) => name);
    expect([...taken, ...Object.keys(LEFT_OUT)].toSorted()).toEqual(rows.map(({ name }) => name).toSorted());
  });
  it('makes the same database again: schema, rows, numbers', async () => {
    const target = await emptyDatabase();
    const { header } = await restore(target.url, backup);
    expect(header.openFrom['domain_event']).toBe('10000000');
    const restored = open(target.url);
    expect(await contentsOf(restored)).toEqual(await contentsOf(db));
    expect(await sequencesOf(restored)).toEqual(await sequencesOf(db));
    expect(await schemaOf(target.url)).toBe(await schemaOf(source.url));
    // And once more, from what was restored.
    const again = await emptyDatabase();
    await restore(again.url, await backUp(target.url));
    expect(await contentsOf(open(again.url))).toEqual(await contentsOf(db));
  });
  it('leaves out a partition that is not one yet', async () => {
    await sql`SELECT make_like('domain_event_next', 'domain_event_open')`.execute(db);
    const made = await backUp(source.url).finally(() => sql`DROP TABLE domain_event_next`.execute(db));
    const target = await emptyDatabase();
    await restore(target.url, made);
    expect(await contentsOf(open(target.url))).toEqual(await contentsOf(db));
  });
  it('is of a time when nobody changes the schema: what it waits for is in it', async () => {
    let made: Promise<Buffer> | undefined;
    await db.transaction().execute(async (tx) => {
      await sql`LOCK TABLE owner IN ACCESS EXCLUSIVE MODE`.execute(tx);
      await tx
        .updateTable('owner')
        .set((eb) => ({ version: eb('version', '+', 1) }))
        .execute();
      made = backUp(source.url);
      await until('the backup waits', async () => {
        const { rows } = await sql`
          SELECT FROM pg_stat_activity WHERE application_name = 'roomy-backup' AND datname = current_database() AND wait_event_type = 'Lock'`.execute(
          db,
        );
        return rows.length > 0 ? true : undefined;
      });
    });
    const target = await emptyDatabase();
    await restore(target.url, (await made) ?? Buffer.alloc(0));
    expect(await contentsOf(open(target.url))).toEqual(await contentsOf(db));
  });
  it('is refused of a database with a table or a column that no migration makes', async () => {
    const target = await emptyDatabase();
    await restore(target.url, backup);
    const other = open(target.url);
    await backUp(target.url);
    await sql`CREATE TABLE note_of_others (id text)`.execute(other);
    await expect(backUp(target.url)).rejects.toThrow(/has note_of_others, which no migration makes/);
    await sql`DROP TABLE note_of_others`.execute(other);
    await sql`ALTER TABLE owner ADD COLUMN note text`.execute(other);
    await expect(backUp(target.url)).rejects.toThrow(/has owner\.note, which no migration makes/);
  });
  it('opens nothing any more that was open when it was taken', async () => {
    const target = await emptyDatabase();
    await sql`INSERT INTO account (id, email, name, role, status) VALUES ('account-b', 'b@example.com', 'B', 'ADMIN', 'ACTIVE')`.execute(
      db,
    );
    await sql`INSERT INTO session (id, account_id, key_hash, method, expires_at) VALUES ('session-b', 'account-b', sha256('s'), 'LINK', now() + interval '1 day')`.execute(
      db,
    );
    await sql`INSERT INTO one_time (hash, kind, account_id, expires_at) VALUES (sha256('o'), 'LINK', 'account-b', now() + interval '1 day')`.execute(
      db,
    );
    await sql`INSERT INTO stream_ticket (hash, caller, expires_at) VALUES (sha256('t'), '{}', now() + interval '1 day')`.execute(
      db,
    );
    let ended: object = {};
    await restore(target.url, await backUp(source.url), KEY, async (tx) => {
      ended = await endAccess(tx);
    });
    expect(ended).toEqual({ sessions: 1, oneTimes: 1 });
    const restored = open(target.url);
    const { rows } = await sql`
      SELECT (SELECT count(*)::int FROM session WHERE ended_at IS NULL) AS sessions, (SELECT count(*)::int FROM stream_ticket) AS tickets,
        (SELECT count(*)::int FROM one_time WHERE consumed_at IS NULL) AS links`.execute(restored);
    expect(rows).toEqual([{ sessions: 0, tickets: 0, links: 0 }]);
    expect((await standingAccess(restored)).accounts).toBeGreaterThan(0);
  });
  it('says which keys are missing that wrap its data keys', async () => {
    const target = await emptyDatabase();
    await restore(target.url, backup);
    const restored = open(target.url);
    expect(await missingKeys(restored)).toEqual([]);
    const keys = createFieldKeys([{ kid: 'a', secret: Buffer.alloc(32, 1) }]);
    await sql`INSERT INTO data_key (id, subject, wrapped, wrapped_by)
      SELECT n, 'guest:' || n, decode(repeat('00', 60), 'hex'), CASE n WHEN '1' THEN ${keys?.current ?? ''} ELSE 'b/000000000000' END
        FROM unnest('{1,2,3}'::text[]) n`.execute(restored);
    expect(await missingKeys(restored)).toEqual([keys?.current, 'b/000000000000']);
    const pool = createPool({ connectionString: target.url, max: 1, applicationName: 'backup-test' });
    const withKeys = createDb(pool, keys);
    opened.push(() => withKeys.destroy());
    expect(await missingKeys(withKeys)).toEqual(['b/000000000000']);
  });
  it('has rows and lines as the tools of others read them', async () => {
    const text = gunzipSync(await buffer(decrypted(KEY)(Readable.from([backup])))).toString();
    expect(text).toMatch(/^roomy-backup \{"format":1,/);
    const inside = /\ntable (\{"name":"owner".*\})\n([\s\S]*?)\n\\\.\nend (\{.*\})\n/.exec(text);
    const [, table = '', rows = '', end = ''] = inside ?? [];
    expect(rows.split('\n')).toHaveLength(JSON.parse(end).rows);
    expect(rows.split('\n')[0]?.split('\t')).toHaveLength(JSON.parse(table).columns.length);
    expect(backup.includes('olga') || backup.includes('roomy-backup')).toBe(false);
  });
  it('is refused of a database without our schema, and of one that is newer than the program', async () => {
    const target = await emptyDatabase();
    await expect(backUp(target.url)).rejects.toThrow(/has no schema of ours/);
    await restore(target.url, backup);
    await sql`INSERT INTO kysely_migration VALUES ('9999_later', '2027-01-01')`.execute(open(target.url));
    await expect(backUp(target.url)).rejects.toThrow(/migration 9999_later/);
  });
});

/** The inside of the backup, changed and encrypted anew. */
async function altered(change: (text: string) => string): Promise<Buffer> {
  const text = gunzipSync(await buffer(decrypted(KEY)(Readable.from([backup])))).toString();
  const changed = change(text);
  expect(changed).not.toBe(text);
  return buffer(encrypted(LOCK)(Readable.from([gzipSync(changed)])));
}
const cut = (part: number): Buffer => backup.subarray(0, Math.floor(backup.length * part));
function flipped(part: number): Buffer {
  const copy = Buffer.from(backup);
  const at = Math.floor(copy.length * part);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
}

describe('K13: a file is refused and leaves the database empty', () => {
  let target: TestDatabase;
  let left: Db;
  beforeAll(async () => {
    target = await createEmptyDatabase();
    left = createDb(createPool({ connectionString: target.url, max: 1, applicationName: 'backup-test' }));
  });
  afterAll(async () => {
    await left?.destroy();
    await target?.drop();
  });
  it.each<readonly [string, () => Promise<Buffer> | Buffer, RegExp]>([
    ['that is empty', () => Buffer.alloc(0), /not an encrypted backup/],
    ['that is something else', () => Buffer.from('CREATE TABLE guest ();\n'.repeat(1_000)), /not an encrypted backup/],
    ['of which the beginning alone is there', () => backup.subarray(0, 60), /not an encrypted backup/],
    ['that is cut off in its first half', () => cut(0.4), /cut off or was altered \(at /],
    [
      'that is cut off in its second half',
      () => cut(0.8),
      /cut off or was altered \(at table task_photo, after row \d+ of 25\)/,
    ],
    ['that lacks its last byte', () => backup.subarray(0, -1), /cut off or was altered/],
    ['that has a byte more', () => Buffer.concat([backup, Buffer.from([0])]), /cut off or was altered/],
    ['of which a bit was changed in the middle', () => flipped(0.5), /cut off or was altered/],
    ['of which a bit was changed at the end', () => flipped(0.999), /cut off or was altered/],
    [
      'that says something else of a row',
      () => altered((text) => text.replace(/(\ntable \{"name":"guest"[\s\S]*?@)/, '$1x')),
      /table guest is not what was written/,
    ],
    [
      'that lacks a row',
      () => altered((text) => text.replace(/(\ntable \{"name":"guest",.*\n).*\n/, '$1')),
      /table guest is not what was written/,
    ],
    [
      'that lacks a table',
      () => altered((text) => text.replace(/\ntable \{"name":"guest",[\s\S]*?\nend .*(?=\n)/, '')),
      /table guest is missing/,
    ],
    [
      'that ends within rows',
      () => altered((text) => text.slice(0, text.indexOf('\ntable {"name":"guest"') + 200)),
      /ends within the rows of a table \(at table guest/,
    ],
    ['that lacks its last line', () => altered((text) => text.replace(/complete .*\n$/, '')), /has no end/],
    ['that goes on behind its end', () => altered((text) => `${text}more\n`), /more than a backup/],
    ['of a later format', () => altered((text) => text.replace('{"format":1,', '{"format":2,')), /another version/],
    [
      'of another schema',
      () => altered((text) => text.replace(/"sha256":"..../, '"sha256":"0000')),
      /migrations of the backup/,
    ],
    [
      'of a later schema',
      () => altered((text) => text.replace(/"name":"\d{4}(_\w+","sha256":"\w+"\}\])/, '"name":"9999$1')),
      /newer version/,
    ],
    [
      'with a column that is none',
      () => altered((text) => text.replace('"columns":["id",', '"columns":["id","id_2",')),
      /columns of /,
    ],
    [
      'with a statement for a name',
      () => altered((text) => text.replace('table {"name":"guest"', 'table {"name":"guest; DROP TABLE guest"')),
      /table guest is missing/,
    ],
    ['without what a row refers to', () => withoutProperties(), /foreign key|violates/],
  ])('%s', async (_, file, reason) => {
    await expect(restore(target.url, await file())).rejects.toThrow(reason);
    expect(await relationsOf(left)).toEqual([]);
  });
  it('that is whole, and of another schema: which can be said without a database', async () => {
    const other = await altered((text) => text.replace(/"sha256":"..../, '"sha256":"0000'));
    const seen = async (file: Buffer) => (await lookThrough({ from: Readable.from([file]), key: KEY })).header;
    await assertOwnMigrations(await seen(backup));
    await expect(assertOwnMigrations(await seen(other))).rejects.toThrow(/migrations of the backup/);
  });
  it('that no key opens', async () => {
    const { identity } = await newKeyPair();
    const keys: readonly Key[] = [{ identities: [identity] }, { passphrase: 'not-the-one-0123456789-0123456789' }];
    for (const key of keys) await expect(restore(target.url, backup, key)).rejects.toThrow(/No key opens the file/);
    const sealed = await backUp(source.url, { passphrase: 'a-passphrase-0123456789-0123456789' });
    for (const key of [...keys, KEY])
      await expect(restore(target.url, sealed, key)).rejects.toThrow(/No key opens the file/);
    expect(await relationsOf(left)).toEqual([]);
    // What was refused so often takes a good one.
    await restore(target.url, sealed, { passphrase: 'a-passphrase-0123456789-0123456789' });
  });
  it('where something is there already, which stays', async () => {
    const before = await contentsOf(db);
    await expect(restore(source.url, backup)).rejects.toThrow(/into an empty database, and this one has account/);
    expect(await contentsOf(db)).toEqual(before);
  });
});

/** Whole by its digests, and not what any database can have had. */
async function withoutProperties(): Promise<Buffer> {
  const target = await emptyDatabase();
  await restore(target.url, backup);
  const other = open(target.url);
  await sql`DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT conrelid::regclass AS t, conname FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 LOOP
      EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', one.t, one.conname);
    END LOOP;
  END $$`.execute(other);
  await sql`DELETE FROM property`.execute(other);
  return backUp(target.url);
}
