import { type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { type Author, recordAudit } from '../audit/record.ts';
import { exactInstant, type Page, type PageRequest } from '../paging.ts';
import { type RowSetAside, releaseFailures } from './failures.ts';
import { isSweepName, SWEEPS, type SweepName } from './names.ts';

/** What sweeps have set aside, for operators: to read, and to have tried again at once. */

export interface SweepFailureFilter {
  readonly sweep?: SweepName | undefined;
  /** ISO instants, by when it failed last: from inclusive, to exclusive. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}
export interface SweepFailureView {
  /** `<sweep>:<row>`. */
  readonly id: string;
  readonly sweep: string;
  /** What kind of row it is. */
  readonly kind: string;
  readonly rowId: string;
  readonly reason: string;
  readonly attempts: number;
  readonly firstAt: string;
  readonly lastAt: string;
  readonly nextTryAt: string;
}

/** Newest first, by when it failed last. The position's id is the view's. */
export async function listSweepFailures(
  db: Db,
  filter: SweepFailureFilter,
  page: PageRequest,
): Promise<Page<SweepFailureView>> {
  let query = db.selectFrom('sweep_failure').selectAll().select(exactInstant('last_at').as('position_at'));
  if (filter.sweep !== undefined) query = query.where('sweep', '=', literal(filter.sweep));
  if (filter.from !== undefined) query = query.where('last_at', '>=', sql<Date>`${filter.from}::timestamptz`);
  if (filter.to !== undefined) query = query.where('last_at', '<', sql<Date>`${filter.to}::timestamptz`);
  if (page.after) {
    const { sweep, rowId } = splitId(page.after.id);
    const at = sql`${page.after.at}::timestamptz`;
    query = query.where(
      filter.sweep === undefined
        ? sql<boolean>`(last_at, sweep, row_id) < (${at}, ${sweep}::text, ${rowId}::text)`
        : sql<boolean>`(last_at, row_id) < (${at}, ${rowId}::text)`,
    );
  }
  const ordered =
    filter.sweep === undefined
      ? query.orderBy('last_at', 'desc').orderBy('sweep', 'desc').orderBy('row_id', 'desc')
      : query.orderBy('last_at', 'desc').orderBy('row_id', 'desc');
  const rows = await ordered.limit(page.limit + 1).execute();
  const kept = rows.slice(0, page.limit);
  const last = rows.length > page.limit ? kept.at(-1) : undefined;
  return {
    items: kept.map((row) => ({
      id: `${row.sweep}:${row.row_id}`,
      sweep: row.sweep,
      kind: isSweepName(row.sweep) ? SWEEPS[row.sweep] : row.sweep,
      rowId: row.row_id,
      reason: row.reason,
      attempts: row.attempts,
      firstAt: row.first_at.toISOString(),
      lastAt: row.last_at.toISOString(),
      nextTryAt: row.next_try_at.toISOString(),
    })),
    next: last ? { at: last.position_at, id: `${last.sweep}:${last.row_id}` } : null,
  };
}

/** The name of a sweep holds no colon; the id of a row may. */
function splitId(id: string): { readonly sweep: string; readonly rowId: string } {
  const colon = id.indexOf(':');
  return { sweep: id.slice(0, colon), rowId: id.slice(colon + 1) };
}

export interface RetryFilter {
  readonly sweep?: SweepName | undefined;
  /** As the list names them, `<sweep>:<row>`. */
  readonly ids?: readonly string[] | undefined;
}
export interface Retried {
  /** Rows that their sweeps work on again with their next look. */
  readonly released: number;
  /** Of these: messages that had ended already, which are sent once more as messages of their own. */
  readonly messageIds: readonly string[];
  readonly more: boolean;
}

export const MAX_RETRIED = 500;

/** Has rows that were set aside tried again at once, at most `MAX_RETRIED`, those that failed last first; audited. */
export async function retrySweepFailures(
  tx: Tx,
  filter: RetryFilter,
  reason: string | undefined,
  author: Author,
): Promise<Retried> {
  const { rows } = await sql<RowSetAside>`
    SELECT f.sweep, f.row_id FROM sweep_failure f WHERE ${inFilter(filter)}
     ORDER BY f.last_at DESC, f.sweep DESC, f.row_id DESC LIMIT ${MAX_RETRIED + 1}::int FOR UPDATE SKIP LOCKED`.execute(
    tx,
  );
  const chosen = rows.slice(0, MAX_RETRIED);
  await releaseFailures(tx, chosen);
  const counts: Record<string, number> = {};
  for (const { sweep } of chosen) counts[sweep] = (counts[sweep] ?? 0) + 1;
  await recordAudit(tx, {
    streamId: 'sweep-failures',
    event: 'SWEEP_FAILURES_RETRIED',
    ...author,
    body: { outcome: 'success', details: { counts, ...(reason === undefined ? {} : { reason }) } },
  });
  return {
    released: chosen.length,
    messageIds: chosen.flatMap(({ sweep, row_id: id }) => (sweep === 'messages' ? [id] : [])),
    more: rows.length > MAX_RETRIED,
  };
}

function inFilter({ sweep, ids }: RetryFilter): RawBuilder<boolean> {
  const ofSweep = sweep === undefined ? sql`true` : sql`f.sweep = ${literal(sweep)}`;
  if (ids === undefined) return sql<boolean>`${ofSweep}`;
  const wanted = JSON.stringify(ids.map(splitId));
  return sql<boolean>`${ofSweep} AND (f.sweep, f.row_id) IN
    (SELECT w.sweep, w."rowId" FROM jsonb_to_recordset(${wanted}::jsonb) AS w(sweep text, "rowId" text))`;
}
