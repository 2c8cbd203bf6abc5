import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { RedriveRow } from '../store/redrives.ts';
import { type StuckGroup, sagasOfGroup } from '../stuck-group.ts';

/** What can be tried again together, and how far that has come. */

export interface RedriveView {
  readonly id: string;
  readonly incidentId: string;
  readonly status: 'OPEN' | 'DONE' | 'STOPPED' | 'FAILED';
  readonly perSecond: number;
  readonly stopAfterErrors: number;
  /** Null: not for who reads it. */
  readonly reason: string | null;
  readonly orderedBy: string;
  readonly orderedAt: string;
  readonly endedAt: string | null;
  /** Of one that a person has stopped. */
  readonly endedBy: string | null;
  readonly endReason: string | null;
  /** How many sagas it has, and how each of them stands. */
  readonly sagas: RedriveCounts;
  /** The first five that failed. */
  readonly failures: readonly { readonly sagaId: string; readonly code: string | null }[];
}
interface RedriveCounts {
  readonly all: number;
  readonly waiting: number;
  readonly retried: number;
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
}

const MOST_SHOWN = 20;
const MOST_FAILURES = 5;

/** Of an incident, the newest first. */
export async function redrivesOf(db: Db, incidentId: string): Promise<readonly RedriveView[]> {
  const rows = await db
    .selectFrom('redrive')
    .selectAll()
    .where('incident_id', '=', incidentId)
    .orderBy('ordered_at', 'desc')
    .orderBy('id', 'desc')
    .limit(MOST_SHOWN)
    .execute();
  return Promise.all(rows.map((row) => redriveView(db, row)));
}

/** The public form of a row. */
export async function redriveView(db: Db, row: RedriveRow): Promise<RedriveView> {
  const [counts, failures] = [await countsOf(db, row.id), await failuresOf(db, row.id)];
  return {
    id: row.id,
    incidentId: row.incident_id,
    status: row.ended_as ?? 'OPEN',
    perSecond: row.per_second,
    stopAfterErrors: row.stop_after_errors,
    reason: row.reason,
    orderedBy: row.ordered_by,
    orderedAt: row.ordered_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    endedBy: row.ended_by,
    endReason: row.end_reason,
    sagas: counts,
    failures,
  };
}

async function countsOf(db: Db, redriveId: string): Promise<RedriveCounts> {
  const { rows } = await sql<RedriveCounts>`
    SELECT count(*)::int AS all, count(*) FILTER (WHERE i.status = 'WAITING')::int AS waiting,
      count(*) FILTER (WHERE i.status = 'RETRIED')::int AS retried, count(*) FILTER (WHERE i.status = 'DONE')::int AS done,
      count(*) FILTER (WHERE i.status = 'FAILED')::int AS failed, count(*) FILTER (WHERE i.status = 'SKIPPED')::int AS skipped
      FROM redrive_saga i WHERE i.redrive_id = ${redriveId}`.execute(db);
  return rows[0] ?? { all: 0, waiting: 0, retried: 0, done: 0, failed: 0, skipped: 0 };
}

async function failuresOf(db: Db, redriveId: string): Promise<RedriveView['failures']> {
  const rows = await db
    .selectFrom('redrive_saga')
    .select(['saga_id as sagaId', 'code'])
    .where('redrive_id', '=', redriveId)
    .where('status', '=', literal('FAILED'))
    .orderBy('no')
    .limit(MOST_FAILURES)
    .execute();
  return rows;
}

export interface GroupCount {
  readonly count: number;
  /** So many of them wait for a person; the others back off. */
  readonly parked: number;
  readonly since: string | null;
}
/** How many sagas of the group stand still now, and since when the first. */
export async function countGroup(db: Db, group: StuckGroup): Promise<GroupCount> {
  const { rows } = await sql<{ count: number; parked: number; since: Date | null }>`
    SELECT count(*)::int AS count, count(*) FILTER (WHERE g.is_parked)::int AS parked, min(g.since) AS since FROM (${sagasOfGroup(group)}) g`.execute(
    db,
  );
  const [row] = rows;
  return { count: row?.count ?? 0, parked: row?.parked ?? 0, since: row?.since?.toISOString() ?? null };
}
