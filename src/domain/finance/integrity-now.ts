import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { raiseAlert } from '../notifications/alerts.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { inScope, type Scope, sweepBatch } from '../sweeps/isolate.ts';
import {
  checkIntegrity,
  checkRows,
  checkShares,
  createBook,
  type Difference,
  type IntegrityReport,
  scopeOf,
} from './integrity.ts';
import { SUM_CHECKS } from './integrity-checks.ts';
import { belongingsOf, IS_AT_REST, type Mark, markOf } from './integrity-marks.ts';

/**
 * The check of integrity at the cost of the changes: triggers mark the changed rows, and only these are checked; every night, and
 * on request, everything is checked. A mark is removed once its row agrees and no saga is at work on it, so a row that does not
 * agree is reported until it does.
 */

export interface IntegrityNow extends IntegrityReport {
  /** Whether everything was checked now. */
  readonly full: boolean;
  /** When everything was last checked; ISO instant. */
  readonly lastFullAt: string;
  /** The stays that were checked now, a thousand at the most; null: all of them. */
  readonly lookedAt: readonly string[] | null;
  /** Marks that were left for the sweep, should very many have come since its last round. */
  readonly waiting: number;
}

const AT_ONCE = 500;
/** Marks that one request checks; the sweep removes them every minute. */
const MAX_MARKS = 10_000;
const MAX_NAMED_STAYS = 1_000;

/** Checks the marked rows, or everything when `full`, when that has never been done, or when a change has marked everything. */
export async function integrityNow(db: Db, full: boolean): Promise<IntegrityNow> {
  const last = await lastPass(db);
  if (full || last === null || (await isAllMarked(db))) {
    const report = await passFully(db);
    return { ...report, full: true, lastFullAt: report.at, lookedAt: null, waiting: 0 };
  }
  return reading(db, async (tx) => {
    const { rows } = await sql<Mark & { n: number }>`
      SELECT kind, ref, count(*) OVER ()::int AS n FROM (SELECT DISTINCT kind, ref FROM integrity_mark WHERE kind <> 'all') m
       ORDER BY kind, ref LIMIT ${MAX_MARKS}::int`.execute(tx);
    const book = createBook();
    const checked = { journals: 0, payments: 0, transactions: 0, stays: 0 };
    const stays = new Set<string>();
    let scope = await scopeOf(tx, NOTHING);
    for (let from = 0; from < rows.length; from += AT_ONCE) {
      const { stays: some, parts } = await belongingsOf(tx, rows.slice(from, from + AT_ONCE));
      for (const id of some) stays.add(id);
      await checkRows(tx, parts, book);
      await checkShares(tx, parts.reservation, book);
      scope = await scopeOf(tx, parts);
      for (const noun of COUNTED) checked[noun] += scope.checked[noun];
    }
    for (const name of SUM_CHECKS) book.note(name, last.sums[name]?.length ?? 0, last.sums[name] ?? []);
    return {
      ...scope,
      ...unique(book.result()),
      checked,
      full: false,
      lastFullAt: last.at.toISOString(),
      lookedAt: [...stays].toSorted().slice(0, MAX_NAMED_STAYS),
      waiting: Math.max(0, (rows[0]?.n ?? 0) - rows.length),
    };
  });
}
const NOTHING = { reservation: [], transaction: [], ledger_tx: [], saga: [] };
const COUNTED = ['journals', 'payments', 'transactions', 'stays'] as const;

type Findings = Pick<IntegrityReport, 'ok' | 'differenceCount' | 'counts' | 'differences'>;

/** Two marks may lead to the same row, in two pieces. */
function unique({ differences, counts, ...found }: Findings): Findings {
  const once = [...new Map(differences.map((one) => [`${one.check} ${one.ref}`, one])).values()];
  if (once.length === differences.length) return { ...found, differences, counts };
  const fewer = { ...counts };
  for (const name of Object.keys(counts)) {
    const double =
      differences.filter(({ check }) => check === name).length - once.filter(({ check }) => check === name).length;
    fewer[name] = (counts[name] ?? 0) - double;
  }
  return {
    ...found,
    differences: once,
    counts: fewer,
    differenceCount: Object.values(fewer).reduce((a, b) => a + b, 0),
  };
}

const reading = <T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> =>
  db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work);

interface Pass {
  readonly at: Date;
  readonly sums: Readonly<Record<string, readonly Difference[]>>;
}
async function lastPass(db: Db): Promise<Pass | null> {
  const { rows } = await sql<Pass>`SELECT at, sums FROM integrity_pass ORDER BY id DESC LIMIT 1`.execute(db);
  return rows[0] ?? null;
}

/** A change has marked everything, because so many rows depend on it. */
async function isAllMarked(db: Db): Promise<boolean> {
  const { rows } = await sql<{ marked: boolean }>`
    SELECT EXISTS (SELECT FROM integrity_mark WHERE kind = 'all') AS marked`.execute(db);
  return rows[0]?.marked === true;
}

/** Passes that are kept. */
const KEPT = 100;

/** Checks everything, records the pass, and marks the rows that differ, so that they are checked again until they agree. */
export async function passFully(db: Db): Promise<IntegrityReport> {
  const { rows: all } = await sql<{ id: string }>`SELECT id::text AS id FROM integrity_mark WHERE kind = 'all'`.execute(
    db,
  );
  const report = await checkIntegrity(db);
  const sums: Record<string, Difference[]> = {};
  for (const one of report.differences)
    if (SUM_CHECKS.some((name) => name === one.check)) sums[one.check] = [...(sums[one.check] ?? []), one];
  const marks = report.differences.flatMap(({ check, ref }) => markOf(check, ref) ?? []);
  await db.transaction().execute(async (tx) => {
    await sql`INSERT INTO integrity_pass (at, difference_count, sums)
      VALUES (${report.at}::timestamptz, ${report.differenceCount}, ${JSON.stringify(sums)}::jsonb)`.execute(tx);
    await sql`DELETE FROM integrity_pass WHERE id <= (SELECT max(id) - ${KEPT}::int FROM integrity_pass)`.execute(tx);
    await sql`DELETE FROM integrity_mark WHERE id = ANY(${all.map(({ id }) => id)}::bigint[])`.execute(tx);
    await sql`INSERT INTO integrity_mark (kind, ref)
      SELECT DISTINCT m.kind, m.ref FROM jsonb_to_recordset(${JSON.stringify(marks)}::jsonb) AS m(kind text, ref text)
       WHERE NOT EXISTS (SELECT FROM integrity_mark x WHERE x.kind = m.kind AND x.ref = m.ref)`.execute(tx);
  });
  return report;
}

/**
 * Checks everything once a day, in UTC, and at once after a change that marked everything; raises an alert when anything differs.
 * Answers whether it did.
 */
export async function passNightly(db: Db): Promise<boolean> {
  const { rows } = await sql<{ done: boolean }>`
    SELECT coalesce((SELECT at FROM integrity_pass ORDER BY id DESC LIMIT 1) >= date_trunc('day', now(), 'UTC'), false) AS done`.execute(
    db,
  );
  if (rows[0]?.done === true && !(await isAllMarked(db))) return false;
  const { differenceCount, differences } = await passFully(db);
  if (differenceCount > 0) {
    const id = differences[0]?.ref ?? '';
    const alert = { about: 'integrity', id, source: 'integrity', step: null, code: 'MONEY_DIFFERS' } as const;
    await raiseAlert(db, { ...alert, group: 'integrity' });
  }
  return true;
}

const ROW_ID = sql`m.kind || ' ' || m.ref`;

/** So many marks are taken up at once: a stay leaves some twenty, which are a handful of rows. */
const MARKS_AT_ONCE = 2_000;

/** A marked row with its marks of one batch, as ids in text. */
interface MarkedRow extends Mark {
  readonly id: string;
  readonly marks: readonly string[];
  readonly last: string;
}

/**
 * Removes the marks of rows that agree; answers how many rows it has checked. Goes on after the mark `after`, an id in text, in
 * the order in which the marks were made: a batch reads its own marks only, however many there are.
 */
export async function verifyMarked(db: Db, place: { after: string }): Promise<number> {
  const from = place.after;
  const due = (scope: Scope) => sql<MarkedRow>`
    SELECT m.kind, m.ref, ${ROW_ID} AS id, array_agg(m.id::text) AS marks, max(m.id)::text AS last FROM (
      SELECT m.id, m.kind, m.ref FROM integrity_mark m
       WHERE m.kind <> 'all' AND m.id > ${from}::bigint AND ${IS_AT_REST} AND ${inScope(scope, ROW_ID)}
         AND ${isNotSetAside('integrity', ROW_ID)} ORDER BY m.id LIMIT ${scope.limit}::int) m
     GROUP BY m.kind, m.ref ORDER BY min(m.id)`;
  return sweepBatch({
    db,
    sweep: 'integrity',
    limit: MARKS_AT_ONCE,
    run: async (scope) => {
      const { rows } = await due(scope).execute(db);
      await settle(db, rows);
      for (const { last } of rows) if (BigInt(last) > BigInt(place.after)) place.after = last;
      return rows.map(({ id }) => id);
    },
    due: async (limit) => (await due({ limit, ids: null }).execute(db)).rows.map(({ id }) => id),
  });
}

/** By halves, until a row that does not agree is alone and keeps its marks. */
async function settle(db: Db, rows: readonly MarkedRow[]): Promise<void> {
  if ((await takeOff(db, rows)) || rows.length <= 1) return;
  const middle = Math.ceil(rows.length / 2);
  await settle(db, rows.slice(0, middle));
  await settle(db, rows.slice(middle));
}

/** False, and nothing changes, when any of the rows does not agree. Changes since then have marks of their own. */
async function takeOff(db: Db, rows: readonly MarkedRow[]): Promise<boolean> {
  if (rows.length === 0) return true;
  const marks = rows.flatMap((row) => row.marks);
  const seen = await reading(db, async (tx) => {
    const resting = await sql<{ id: string }>`
      SELECT m.id::text AS id FROM integrity_mark m WHERE m.id = ANY(${marks}::bigint[]) AND ${IS_AT_REST}`.execute(tx);
    const { parts } = await belongingsOf(tx, rows);
    const book = createBook();
    await checkRows(tx, parts, book);
    await checkShares(tx, parts.reservation, book);
    return book.result().ok ? resting.rows.map(({ id }) => id) : null;
  });
  if (seen === null) return false;
  await sql`DELETE FROM integrity_mark WHERE id = ANY(${seen}::bigint[])`.execute(db);
  return true;
}
