import { type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { batchLimit, literal } from '../../db/literal.ts';
import type { Database } from '../../db/schema.ts';
import { KINDS_FOR_FINANCE } from './kinds.ts';

/**
 * What is to be told of incidents, and to whom: an outbox of its own, so that telling needs neither workers nor queues. The only
 * statements that write `incident_notice`.
 */

export const NOTICE_TARGETS = ['OPS', 'FINANCE', 'WEBHOOK'] as const;
export type NoticeTarget = (typeof NOTICE_TARGETS)[number];
export type NoticeKind = Database['incident_notice']['what'] extends infer W ? Extract<W, string> : never;

/**
 * Who has only the mail must never believe that all is well when it is not: after a mail that said "over", one that it is back goes
 * at once. What goes on and off is kept quiet by its "over", of which so many go in this time; until the next one may go, it is still
 * told as begun. Programs hear of every change.
 */
const QUIET_MINUTES = 30;
const OVERS_OF_CRITICAL = 3;
const OVERS_OF_WARNING = 1;
/** Nobody wants to hear of it after this. */
const GIVEN_UP_HOURS = 24;
/** Until others may tell what somebody has begun to tell. */
const LEASE_SECONDS = 60;
const FIRST_PAUSE_SECONDS = 10;
const MAX_PAUSE_SECONDS = 300;
const MAX_POWER = 6;

/** Of muted incidents nothing is told but to programs that they are over, of those of money FINANCE is told too, and of an end whoever was told of the beginning. */
export async function orderNotices(
  tx: Tx,
  what: 'OPENED' | 'CLOSED',
  ids: readonly string[],
  targets: readonly NoticeTarget[],
): Promise<void> {
  if (ids.length === 0 || targets.length === 0) return;
  await sql`
    INSERT INTO incident_notice (incident_id, what, target, due_at)
    SELECT i.id, ${what}, t.target, greatest(now(), CASE WHEN t.target <> 'WEBHOOK' THEN ${what === 'OPENED' ? LAST_TOLD_BEGUN : OVER_TOO_OFTEN}
             + ${QUIET_MINUTES}::int * interval '1 minute' END)
      FROM incident i CROSS JOIN unnest(${targets}::text[]) AS t(target)
     WHERE i.id = ANY(${ids}::text[]) AND (coalesce(i.muted_until <= now(), true) OR ${what} = 'CLOSED' AND t.target = 'WEBHOOK')
       AND (t.target <> 'FINANCE' OR i.area = 'MONEY') AND (t.target = 'FINANCE' OR i.kind <> ALL (${KINDS_FOR_FINANCE}::text[]))
       AND (${what} = 'OPENED' OR EXISTS (SELECT FROM incident_notice n WHERE n.incident_id = i.id AND n.target = t.target AND n.what = 'OPENED'))`.execute(
    tx,
  );
}

const TOLD = sql`FROM incident_notice n WHERE n.incident_id = i.id AND n.target = t.target AND n.told AND n.what`;
/** When it was told as begun, if nothing was told of it since. */
const LAST_TOLD_BEGUN = sql`(SELECT CASE WHEN n.what = 'OPENED' THEN n.ended_at END ${TOLD} <> 'DIGEST' ORDER BY n.id DESC LIMIT 1)`;
/** When the first of the latest "over" was told, of as many as may go in the time. */
const OVER_TOO_OFTEN = sql`(SELECT n.ended_at ${TOLD} = 'CLOSED' ORDER BY n.id DESC LIMIT 1
             OFFSET CASE i.severity WHEN 'CRITICAL' THEN ${OVERS_OF_CRITICAL}::int ELSE ${OVERS_OF_WARNING}::int END - 1)`;

/**
 * What began and was over before anybody could be told of it is not told; nor that what is over again began. That it is over is told
 * to whom it was last told as begun.
 */
async function dropWhatIsOver(db: Db): Promise<void> {
  await sql`
    UPDATE incident_notice n SET ended_at = now(), last_error = 'OVER'
      FROM incident i WHERE n.ended_at IS NULL AND n.incident_id = i.id AND CASE n.what
        WHEN 'OPENED' THEN i.closed_at IS NOT NULL
        ELSE i.closed_at IS NULL AND n.target <> 'WEBHOOK' OR EXISTS (SELECT FROM incident_notice o WHERE o.incident_id = i.id AND o.target = n.target
               AND o.what = 'OPENED' AND o.ended_at IS NULL AND o.id < n.id)
             AND (n.target = 'WEBHOOK' OR coalesce((SELECT l.what <> 'OPENED' FROM incident_notice l WHERE l.incident_id = i.id AND l.target = n.target
                    AND l.told ORDER BY l.id DESC LIMIT 1), true)) END`.execute(db);
}

/** Everything that is open is to be told once more. */
export async function orderDigest(db: Db, targets: readonly NoticeTarget[]): Promise<void> {
  const mailed = targets.filter((target) => target !== 'WEBHOOK');
  if (mailed.length === 0) return;
  await db
    .insertInto('incident_notice')
    .values(mailed.map((target) => ({ what: 'DIGEST' as const, target })))
    .execute();
}

/** One thing to be told. */
export interface Notice {
  readonly id: number;
  readonly incidentId: string | null;
  readonly what: NoticeKind;
}

/** Takes what is to be told to one target now, of each incident in order; nobody else takes it for a minute. */
export async function claimNotices(db: Db, target: NoticeTarget, limit: number): Promise<readonly Notice[]> {
  await dropWhatIsOver(db);
  const { rows } = await sql<Notice>`
    WITH taken AS (
      SELECT n.id FROM incident_notice n WHERE n.ended_at IS NULL AND n.target = ${literal(target)} AND n.due_at <= now()
         AND NOT EXISTS (SELECT FROM incident_notice e WHERE e.incident_id = n.incident_id AND e.target = n.target AND e.ended_at IS NULL AND e.id < n.id)
       ORDER BY n.id LIMIT ${batchLimit(limit)} FOR UPDATE SKIP LOCKED)
    UPDATE incident_notice n SET attempts = n.attempts + 1, due_at = now() + ${LEASE_SECONDS}::int * interval '1 second'
      FROM taken WHERE n.id = taken.id RETURNING n.id, n.incident_id AS "incidentId", n.what`.execute(db);
  return rows.toSorted((a, b) => a.id - b.id);
}

/** They were told, all together. */
export const noticesTold = (db: Db, ids: readonly number[]): Promise<void> =>
  change(db, ids, sql`told = true, ended_at = now(), last_error = NULL`);

/** They were not: `error` is a code. After a day they are given up. */
export const noticesFailed = (db: Db, ids: readonly number[], error: string): Promise<void> =>
  change(
    db,
    ids,
    sql`last_error = ${error.slice(0, 100)},
      ended_at = CASE WHEN created_at < now() - ${GIVEN_UP_HOURS}::int * interval '1 hour' THEN now() END,
      due_at = now() + least(${MAX_PAUSE_SECONDS}::int, ${FIRST_PAUSE_SECONDS}::int * power(2, least(attempts, ${MAX_POWER}::int))) * interval '1 second'`,
  );

async function change(db: Db, ids: readonly number[], set: RawBuilder<unknown>): Promise<void> {
  if (ids.length === 0) return;
  await sql`UPDATE incident_notice SET ${set} WHERE id = ANY(${ids}::bigint[]) AND ended_at IS NULL`.execute(db);
}

/** What of an incident was told, and what is still to be. */
export interface NoticeView {
  readonly what: NoticeKind;
  readonly target: NoticeTarget;
  readonly toldAt: string | null;
  readonly attempts: number;
  readonly lastError: string | null;
}
const MAX_SHOWN = 50;

/** The latest fifty, the oldest of them first. */
export async function noticesOf(db: Db, incidentId: string): Promise<readonly NoticeView[]> {
  const rows = await db
    .selectFrom('incident_notice')
    .select(['what', 'target', 'told', 'ended_at', 'attempts', 'last_error'])
    .where('incident_id', '=', incidentId)
    .orderBy('id', 'desc')
    .limit(MAX_SHOWN)
    .execute();
  return rows.toReversed().map(({ what, target, told, ended_at, attempts, last_error }) => ({
    what,
    target,
    toldAt: told ? (ended_at?.toISOString() ?? null) : null,
    attempts,
    lastError: last_error,
  }));
}

/** Deletes some that ended so many days ago, of incidents that are over for as long, and of digests; answers how many. */
export async function pruneNotices(db: Db, days: number, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    DELETE FROM incident_notice WHERE id IN (
      SELECT n.id FROM incident_notice n LEFT JOIN incident i ON i.id = n.incident_id
       WHERE n.ended_at < now() - ${days}::int * interval '1 day'
         AND (n.incident_id IS NULL OR i.closed_at < now() - ${days}::int * interval '1 day') ORDER BY n.id LIMIT ${limit}::int)`.execute(
    db,
  );
  return Number(numAffectedRows ?? 0n);
}
