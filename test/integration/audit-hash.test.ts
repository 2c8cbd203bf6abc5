import { createHash } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';

/** What a row of the audit trail is hashed to, worked out here anew: rows that are years old have to agree with it still. */

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

type Column =
  | 'stream_id'
  | 'seq'
  | 'micros'
  | 'event'
  | 'ends'
  | 'actor'
  | 'saga_id'
  | 'reservation_id'
  | 'request_id'
  | 'body';
type Row = Readonly<Record<Column, string | null>> & { readonly hash: Buffer; readonly prev_hash: Buffer };
const HASHED = [
  'stream_id',
  'seq',
  'micros',
  'event',
  'ends',
  'actor',
  'saga_id',
  'reservation_id',
  'request_id',
  'body',
] as const satisfies readonly Column[];

const sha256 = (bytes: string | Buffer): Buffer => createHash('sha256').update(bytes).digest();
/** Each column by itself, so that none can lend a character to its neighbour; '=' tells '' from null. */
const hashOf = (row: Row): Buffer =>
  sha256(Buffer.concat([row.prev_hash, ...HASHED.map((name) => sha256(row[name] === null ? '' : `=${row[name]}`))]));

describe('the hash of a row of the audit trail', () => {
  it('is that of the row before and of each column, with null, nothing, other scripts and moments before 1970', async () => {
    await client.query(`
      INSERT INTO audit_log (stream_id, at, event, ends, actor, saga_id, reservation_id, request_id, body) VALUES
        ('a', '2026-11-30 12:00:00.123456+00', 'E', false, 'somebody', NULL, NULL, NULL, '{}'),
        ('a', '2026-11-30 12:00:00.000001+02', 'E', true, '', '', '', '', '{"name":"Zoë عمر 🏠"}'),
        ('a', '1969-12-31 23:59:59.999999+00', '', false, '=', '=', NULL, '', ''),
        ('b', '9999-01-01 00:00:00+00', 'E', false, 'x', NULL, 'r', NULL, '=')`);
    const { rows } = await client.query<Row>(`
      SELECT stream_id, seq::text, (extract(epoch FROM at) * 1000000)::bigint::text AS micros, event, ends::text, actor, saga_id,
             reservation_id, request_id, body, hash, prev_hash
        FROM audit_log WHERE stream_id IN ('a', 'b') ORDER BY stream_id, seq`);
    expect(rows.map(({ stream_id, seq }) => `${stream_id}${seq}`)).toEqual(['a1', 'a2', 'a3', 'b1']);
    expect(rows.map(({ hash }) => hash.toString('hex'))).toEqual(rows.map((row) => hashOf(row).toString('hex')));
    expect(rows[0]?.prev_hash).toEqual(sha256('genesis:a'));
    expect(rows[1]?.prev_hash).toEqual(rows[0]?.hash);
  });
});
