import { sql } from 'kysely';
import type { Db } from '../../../db/client.ts';
import { auditHashOf } from '../hash.ts';
import type { Seal } from './seal.ts';

/** The clock of a database that took over from another may be behind by less. */
const SETTLED_AFTER = sql`interval '5 seconds'`;
/** Of one seal, and those of the same moment as the last: the first one of an old trail is not as long as the trail. */
export const MAX_ROWS = 20_000;

const DIGEST = sql<string>`encode(pg_catalog.sha256(coalesce(string_agg(a.hash, ''::bytea ORDER BY a.at, a.stream_id, a.seq), ''::bytea)), 'hex')`;

export interface Bound {
  /** In UTC, to the microsecond. */
  readonly at: string;
  /** How long ago that is. */
  readonly seconds: number;
}

/**
 * No row of an earlier moment comes any more. A row has the time at which it was written, which is after its transaction has taken
 * the table's lock and not before the transaction began; who has the lock is told to everybody. Null: it cannot be told since when
 * somebody has it, as that is another account's.
 */
export async function settledBound(db: Db): Promise<Bound | null> {
  const { rows } = await sql<Bound>`
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
        extract(epoch FROM clock_timestamp() - at)::float8 AS seconds
      FROM (SELECT least(clock_timestamp(), (
          SELECT min(coalesce(s.xact_start, '-infinity')) FROM pg_locks l LEFT JOIN pg_stat_activity s ON s.pid = l.pid
           WHERE l.locktype = 'relation' AND l.relation = 'audit_log'::regclass AND l.mode = 'RowExclusiveLock'
             AND l.pid IS DISTINCT FROM pg_backend_pid())) - ${SETTLED_AFTER} AS at) bound
     WHERE isfinite(at)`.execute(db);
  return rows[0] ?? null;
}

/**
 * Number and digest of the rows written after `from` and not after `bound`; with more than `MAX_ROWS` of them, of the first `MAX_ROWS`.
 * The bound must come from an earlier statement, so that this one sees every row before it.
 */
export async function rowsBetween(db: Db, from: string, bound: string): Promise<Pick<Seal, 'to' | 'rows' | 'digest'>> {
  const { rows } = await sql<Pick<Seal, 'to' | 'rows' | 'digest'>>`
    WITH upto AS MATERIALIZED (
      SELECT coalesce((SELECT a.at FROM audit_log a WHERE a.at > ${from}::timestamptz AND a.at <= ${bound}::timestamptz
        ORDER BY a.at OFFSET ${MAX_ROWS - 1}::int LIMIT 1), ${bound}::timestamptz) AS at)
    SELECT to_char(upto.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "to", part.rows, part.digest
      FROM upto, LATERAL (SELECT count(*)::int AS rows, ${DIGEST} AS digest FROM audit_log a
        WHERE a.at > ${from}::timestamptz AND a.at <= upto.at) part`.execute(db);
  const [part] = rows;
  if (part === undefined) throw new Error('no answer about the audit trail');
  return part;
}

export interface Found {
  readonly no: number;
  readonly rows: number;
  /** The rows are those that were sealed, and each has the hash of what stands in it. */
  readonly isSame: boolean;
}

/** What stands in the trail today where each seal says what stood there. */
export async function foundOf(db: Db, seals: readonly Seal[]): Promise<ReadonlyMap<number, Found>> {
  const { rows } = await sql<Found>`
    SELECT s.no, part.rows, part.rows = s.rows AND part.digest = s.digest AND part.whole AS "isSame"
      FROM jsonb_to_recordset(${JSON.stringify(seals)}::jsonb)
          AS s (no int, "from" timestamptz, "to" timestamptz, rows int, digest text),
        LATERAL (SELECT count(*)::int AS rows, ${DIGEST} AS digest,
            coalesce(bool_and(a.hash = ${auditHashOf('a')}), true) AS whole
          FROM audit_log a WHERE a.at > s."from" AND a.at <= s."to") part`.execute(db);
  return new Map(rows.map((found) => [found.no, found]));
}

/** How long the first row after a moment has stood there; null: there is none. */
export async function secondsOfFirstAfter(db: Db, from: string): Promise<number | null> {
  const { rows } = await sql<{ seconds: number }>`
    SELECT extract(epoch FROM clock_timestamp() - at)::float8 AS seconds
      FROM audit_log WHERE at > ${from}::timestamptz ORDER BY at LIMIT 1`.execute(db);
  return rows[0]?.seconds ?? null;
}

/** Seals after the `no`th. */
export async function linesAfter(
  db: Db,
  no: number,
  limit: number,
): Promise<readonly { readonly no: number; readonly line: string }[]> {
  return await db
    .selectFrom('audit_seal')
    .select(['no', 'line'])
    .where('no', '>', no)
    .orderBy('no')
    .limit(limit)
    .execute();
}

/** The number of the newest seal; 0: there is none. */
export async function lastNo(db: Db): Promise<number> {
  const row = await db.selectFrom('audit_seal').select('no').orderBy('no', 'desc').limit(1).executeTakeFirst();
  return row?.no ?? 0;
}

/** False: another process has made one of this number, or the one before is not the newest there. */
export async function insertLine(db: Db, no: number, line: string, before: string | null): Promise<boolean> {
  const { numAffectedRows = 0n } = await sql`
    INSERT INTO audit_seal (no, line) SELECT ${no}::bigint, ${line}::text
     WHERE (SELECT s.line FROM audit_seal s ORDER BY s.no DESC LIMIT 1) IS NOT DISTINCT FROM ${before}::text
    ON CONFLICT DO NOTHING`.execute(db);
  return numAffectedRows > 0n;
}
