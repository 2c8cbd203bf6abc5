import { sql } from 'kysely';
import type { Db } from '../db/client.ts';
import { openFrom, PARTITIONED } from '../db/partitions.ts';
import type { Header } from './format.ts';

/** What the catalogue of Postgres says of the tables that a backup has. Names in statements come from there, never from a file. */

/** Tables whose rows a backup does not have, and why. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  process:
    'says which processes are alive, each of itself and every few seconds; it is not logged, and empty after a crash too',
};

/** What `npm run maintain` makes a partition of next; empty, and there for a moment, or until the next round after one that was killed. */
const UNFINISHED = PARTITIONED.map(({ table }) => `${table}_next`);

export interface BackedUp {
  readonly name: string;
  readonly columns: readonly string[];
  /** The statement that reads it. */
  readonly copyOut: string;
}

/**
 * With all rows of its partitions, in the order of their names. What Postgres computes is not read. Numbers of transactions (`xid8`)
 * mean nothing to another server: 0 there is one that ended long ago.
 */
export async function tablesOf(db: Db): Promise<readonly BackedUp[]> {
  const { rows } = await sql<BackedUp>`
    SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns,
        format('COPY (SELECT %s FROM %I) TO STDOUT', string_agg(
          CASE WHEN a.atttypid = 'xid8'::regtype THEN format('''0''::xid8 AS %I', a.attname) ELSE quote_ident(a.attname) END, ', ' ORDER BY a.attnum), c.relname) AS "copyOut"
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND c.relname <> ALL (${[...Object.keys(LEFT_OUT), ...UNFINISHED]}::text[])
     GROUP BY c.relname ORDER BY c.relname COLLATE "C"`.execute(db);
  return rows;
}

/** The statement that fills a table, of columns that it has. */
export async function copyInto(db: Db, table: string, columns: readonly string[]): Promise<string> {
  const { rows } = await sql<{ text: string }>`
    SELECT format('COPY %I (%s) FROM STDIN', ${table}::text, (SELECT string_agg(quote_ident(name), ', ' ORDER BY place)
      FROM unnest(${columns}::text[]) WITH ORDINALITY AS one (name, place))) AS text`.execute(db);
  return rows[0]?.text ?? '';
}

/** Numbers that were given last. Of the snapshot they know nothing: they are the same as its rows have, or higher. */
export async function sequencesOf(db: Db): Promise<Header['sequences']> {
  const { rows } = await sql<{ name: string; last: number | null }>`
    SELECT c.relname AS name, pg_sequence_last_value(c.oid)::float8 AS last FROM pg_class c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'S' ORDER BY c.relname COLLATE "C"`.execute(db);
  return rows;
}

/** The first key of the open partition, by table. */
export async function openPartitionsOf(db: Db): Promise<Header['openFrom']> {
  const known = await Promise.all(
    PARTITIONED.map(async (spec): Promise<readonly [string, string]> => [spec.table, await openFrom(db, spec)]),
  );
  return Object.fromEntries(known);
}
