import { type RawBuilder, sql } from 'kysely';
import { pause } from '../kernel/clock.ts';
import { NOTIFICATION } from '../kernel/ids.ts';
import type { Db } from './client.ts';
import type { Database } from './schema.ts';

/**
 * Tables that are cut by time, along keys that grow with time (migration 0048). Each has an open partition at its end, which
 * takes whatever comes: no row is refused for want of a partition, whether this runs or not. Before anything reaches the
 * open one it is closed at the end of a period, empty, and another one is opened behind it.
 */
export type PartitionedTable = Numbered | Dated;

interface Numbered {
  readonly table: keyof Database & string;
  readonly key: string;
  /** Keys of one partition. */
  readonly size: number;
}
interface Dated {
  readonly table: keyof Database & string;
  readonly key: string;
  /** What stands before the UUID of version 7; a partition holds the keys of a year. */
  readonly prefix: string;
}

const SIZE = 2_000_000;
export const PARTITIONED: readonly PartitionedTable[] = [
  { table: 'domain_event', key: 'id', size: SIZE },
  { table: 'dev_mail', key: 'id', size: SIZE },
  { table: 'saga_step', key: 'saga_id', prefix: 'saga-' },
  { table: 'step_attempt', key: 'saga_id', prefix: 'saga-' },
  { table: 'notification_content', key: 'notification_id', prefix: `${NOTIFICATION}-` },
];

/**
 * SQL: `key = <this>`, for a text key of a partitioned table whose value comes up while the statement runs, in a statement that
 * locks rows. It is looked for by the index of each partition. After a plain `=` the server chooses the partition, and Postgres 18
 * may crash, or read another one, when a row that it locks was changed meanwhile (guarantees.md 2.4).
 */
export const inEachPartition = (key: RawBuilder<unknown>) => sql`ANY (array_append('{}'::text[], ${key}))`;

export interface Partition {
  readonly name: string;
  /** The first key, and the first one behind it; null: there is none. */
  readonly low: string | null;
  readonly high: string | null;
  /** On disk, with its indexes. */
  readonly bytes: number;
}

/** In the order of their keys; the one of all other keys first. */
export async function partitionsOf(db: Db, table: string): Promise<readonly Partition[]> {
  const { rows } = await sql<Partition>`
    SELECT c.relname AS name, bound[1] AS low, bound[2] AS high, pg_total_relation_size(c.oid) AS bytes
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      LEFT JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \\(''?(.+?)''?\\) TO \\(''?(.+?)''?\\)$') AS bound ON true
     WHERE i.inhparent = ${table}::regclass
     ORDER BY bound[1] IS NOT NULL AND bound[1] <> 'MINVALUE', length(bound[1]), bound[1]`.execute(db);
  const bounded = (key: string | null): string | null => (key === 'MINVALUE' || key === 'MAXVALUE' ? null : key);
  return rows.map(({ low, high, ...row }) => ({ ...row, low: bounded(low), high: bounded(high) }));
}

/** Where partitions begin and end. */
interface Grid {
  /** So many boundaries behind a key. */
  readonly boundaryAfter: (key: string, periods: number) => string;
  readonly nameFrom: (low: string) => string;
  readonly isBefore: (a: string, b: string) => boolean;
}

const gridOf = (spec: PartitionedTable): Grid =>
  'size' in spec
    ? {
        boundaryAfter: (key, periods) => String((Math.floor(Number(key) / spec.size) + periods) * spec.size),
        nameFrom: (low) => low,
        isBefore: (a, b) => Number(a) < Number(b),
      }
    : {
        boundaryAfter: (key, periods) => keyAt(spec.prefix, Date.UTC(yearOf(spec.prefix, key) + periods)),
        nameFrom: (low) => String(yearOf(spec.prefix, low)),
        isBefore: (a, b) => a < b,
      };

const MS_DIGITS = 12;
/** How a key begins that is made at this instant. */
export function keyAt(prefix: string, ms: number): string {
  const digits = ms.toString(16).padStart(MS_DIGITS, '0');
  return `${prefix}${digits.slice(0, 8)}-${digits.slice(8)}`;
}
const yearOf = (prefix: string, key: string): number =>
  new Date(Number.parseInt(key.slice(prefix.length).replace('-', '').slice(0, MS_DIGITS), 16)).getUTCFullYear();

/** Whole partitions that are kept ready behind the one that takes rows now. */
const AHEAD = 1;

/**
 * Sees to it that partitions are ready behind the newest key; answers the names of those that were made. `db` is one
 * connection. What one that was killed has left is taken up or taken back.
 */
export async function makeAhead(db: Db, spec: PartitionedTable): Promise<readonly string[]> {
  const grid = gridOf(spec);
  const { table } = spec;
  await briefly(db, sql`SELECT forget_close(${table})`);
  const wanted = grid.boundaryAfter(await newestKey(db, spec), 1 + AHEAD);
  const made: string[] = [];
  for (;;) {
    const low = await openFrom(db, spec);
    if (!grid.isBefore(low, wanted)) return made;
    const name = `${table}_from_${grid.nameFrom(low)}`;
    const isEmpty = await hasNoRows(db, spec, low);
    // With rows in it, it ends where none will come before it has ended.
    await closeAt(db, spec, { name, low, until: isEmpty ? grid.boundaryAfter(low, 1) : wanted, isEmpty });
    made.push(name);
  }
}

/** The first key of the open partition. */
export async function openFrom(db: Db, { table }: PartitionedTable): Promise<string> {
  const low = (await partitionsOf(db, table)).find(({ name }) => name === `${table}_open`)?.low;
  if (low === undefined || low === null) throw new Error(`${table} has no open partition`);
  return low;
}

/** Partitions of a table that nobody uses yet, up to where the open one is to begin. As a part of a transaction. */
export async function makeUntil(tx: Db, spec: PartitionedTable, until: string): Promise<void> {
  const grid = gridOf(spec);
  for (let low = await openFrom(tx, spec); grid.isBefore(low, until); low = await openFrom(tx, spec)) {
    const { table } = spec;
    await sql`SELECT make_like(${`${table}_next`}, ${`${table}_open`})`.execute(tx);
    const name = `${table}_from_${grid.nameFrom(low)}`;
    await sql`SELECT close_partition(${table}, ${grid.boundaryAfter(low, 1)}, ${name})`.execute(tx);
  }
}

/** The number that was given last, or the key that would be made now by the clock of the database. */
async function newestKey(db: Db, spec: PartitionedTable): Promise<string> {
  const { rows } = await sql<{ last: number; ms: number }>`
    SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(${spec.table}, ${spec.key})::regclass), 0) AS last,
      extract(epoch FROM now())::float8 * 1000 AS ms`.execute(db);
  const { last = 0, ms = 0 } = rows[0] ?? {};
  return 'size' in spec ? String(last) : keyAt(spec.prefix, Math.floor(ms));
}

async function hasNoRows(db: Db, { table, key }: PartitionedTable, low: string): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`
    SELECT EXISTS (SELECT FROM ${sql.table(`${table}_open`)} WHERE ${sql.ref(key)} >= ${low}) AS found`.execute(db);
  return !rows[0]?.found;
}

interface Closing {
  /** Of the partition once it is closed. */
  readonly name: string;
  readonly low: string;
  readonly until: string;
  readonly isEmpty: boolean;
}

async function closeAt(
  db: Db,
  { table, key }: PartitionedTable,
  { name, low, until, isEmpty }: Closing,
): Promise<void> {
  await sql`SELECT make_like(${`${table}_next`}, ${`${table}_open`})`.execute(db);
  if (!isEmpty) await announce(db, { table, key, low, until });
  await briefly(db, sql`SELECT close_partition(${table}, ${until}, ${name})`);
}

/**
 * Has the server know that all rows come before `until`, so that nobody waits for it to look at them. From the announcement
 * on, rows from there on would be refused: it is a period away at the least, and is taken back by whatever comes next.
 */
async function announce(
  db: Db,
  { table, key, low, until }: Pick<PartitionedTable, 'table' | 'key'> & Pick<Closing, 'low' | 'until'>,
): Promise<void> {
  await briefly(db, sql`SELECT announce_close(${table}, ${key}, ${low}, ${until})`);
  try {
    await limited(db, 0, sql`SELECT validate_close(${table})`);
  } catch (error) {
    await briefly(db, sql`SELECT forget_close(${table})`);
    throw error;
  }
}

/** With all of its rows. */
export const dropPartition = (db: Db, table: string, name: string): Promise<unknown> =>
  briefly(db, sql`SELECT drop_partition(${table}, ${name})`);

const WITH_ANALYZE_ONLY = 180_000;

/**
 * Takes statistics of the table as a whole, which autovacuum takes of its partitions alone. Where the server can, not of its
 * partitions: one that is known to be empty would be read as a whole by statements that are planned before it fills.
 */
export async function analyze(db: Db, table: string): Promise<void> {
  const { rows } = await sql<{ version: number }>`SELECT current_setting('server_version_num')::int AS version`.execute(
    db,
  );
  const only = (rows[0]?.version ?? 0) >= WITH_ANALYZE_ONLY ? sql`ONLY` : sql``;
  await limited(db, 0, sql`ANALYZE ${only} ${sql.table(table)}`);
}

/** Of a statement that holds a lock which others need, with its wait for the lock. */
const BRIEF_MS = 50;
const ATTEMPTS = 400;
const PAUSE_MS = 100;
/** A lock that was not to be had, a deadlock, the time limit of a statement. */
const TRY_AGAIN = new Set(['55P03', '40P01', '57014']);

/** What keeps others waiting gives up soon, and tries again for a minute; an attempt that fails leaves nothing behind. */
async function briefly(db: Db, work: RawBuilder<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await limited(db, BRIEF_MS, work);
      return;
    } catch (error) {
      const code = error instanceof Error ? (error as { readonly code?: unknown }).code : undefined;
      if (attempt === ATTEMPTS || typeof code !== 'string' || !TRY_AGAIN.has(code)) throw error;
      await pause(PAUSE_MS);
    }
  }
}

/** 0: without a limit. */
async function limited(db: Db, ms: number, work: RawBuilder<unknown>): Promise<void> {
  await sql`SELECT set_config('statement_timeout', ${String(ms)}, false)`.execute(db);
  try {
    await work.execute(db);
  } finally {
    await sql`RESET statement_timeout`.execute(db);
  }
}
