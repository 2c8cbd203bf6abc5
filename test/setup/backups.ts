import { createHash } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { sql } from 'kysely';
import pg from 'pg';
import { schemaSql } from '../../scripts/db/schema-sql.ts';
import { type RestoreParts, restoreBackup } from '../../src/backup/load.ts';
import { type Key, type Lock, newKeyPair } from '../../src/backup/seal.ts';
import { LEFT_OUT } from '../../src/backup/tables.ts';
import { writeBackup } from '../../src/backup/write.ts';
import type { Db } from '../../src/db/client.ts';

/** Backups in memory, and what a database has, to be compared with another one. */

const pair = await newKeyPair();
export const LOCK: Lock = { recipients: [pair.recipient] };
export const KEY: Key = { identities: [pair.identity] };

export async function backUp(databaseUrl: string, lock: Lock = LOCK): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const to = new Writable({
    write: (piece: Buffer, _encoding, done) => {
      pieces.push(piece);
      done();
    },
  });
  await writeBackup({ databaseUrl, lock, to });
  return Buffer.concat(pieces);
}

export const restore = (databaseUrl: string, backup: Buffer, key: Key = KEY, before?: RestoreParts['before']) =>
  restoreBackup({
    databaseUrl,
    from: Readable.from(inPieces(backup), { objectMode: false }),
    key,
    ...(before && { before }),
  });

function* inPieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
}

/** A digest of all rows by table, in whatever order they stand; without what means nothing to another server. */
export async function contentsOf(db: Db): Promise<Readonly<Record<string, string>>> {
  const { rows: tables } = await sql<{ name: string; columns: string[] }>`
    SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attname) AS columns
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid <> 'xid8'::regtype
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
     GROUP BY 1 ORDER BY 1`.execute(db);
  const contents: Record<string, string> = {};
  for (const { name, columns } of tables) {
    if (name in LEFT_OUT) continue;
    const { rows } = await sql<{ row: string }>`
      SELECT ROW(${sql.join(columns.map((column) => sql.ref(column)))})::text AS row FROM ${sql.table(name)} ORDER BY 1`.execute(
      db,
    );
    const hash = createHash('sha256').update(rows.map(({ row }) => row).join('\n'));
    contents[name] = `${rows.length} ${hash.digest('hex')}`;
  }
  return contents;
}

/** The schema as one script, triggers and constraints included, with how they are switched. */
export async function schemaOf(databaseUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const switched = await client.query(
      `SELECT tgrelid::regclass::text AS t, tgname::text, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
       UNION ALL SELECT conrelid::regclass::text, conname::text, convalidated::text FROM pg_constraint WHERE conrelid <> 0 ORDER BY 1, 2, 3`,
    );
    return `${await schemaSql(client)}\n${switched.rows.map((row) => Object.values(row).join(' ')).join('\n')}`;
  } finally {
    await client.end();
  }
}

export async function sequencesOf(db: Db): Promise<unknown> {
  const { rows } = await sql`SELECT sequencename, last_value FROM pg_sequences ORDER BY 1`.execute(db);
  return rows;
}
