import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Database } from '../../db/schema.ts';
import { type Author, recordAudit } from '../../domain/audit/record.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { isOfCircuit, type StuckGroup, sagasOfGroup } from '../stuck-group.ts';

/** The rows of `redrive` and `redrive_saga`: which sagas people have had tried again together, and how far that has come. */

export type RedriveRow = Selectable<Database['redrive']>;

export interface NewRedrive {
  readonly incidentId: string;
  readonly group: StuckGroup;
  readonly perSecond: number;
  readonly stopAfterErrors: number;
  readonly reason: string;
}

/** Orders the sagas that the group has now. Throws `INVALID_STATE_TRANSITION` when there is none, or one is under way. */
export async function orderRedrive(tx: Tx, order: NewRedrive, author: Author): Promise<RedriveRow> {
  const { incidentId, group, perSecond, stopAfterErrors, reason } = order;
  const row = await tx
    .insertInto('redrive')
    .values({
      id: newId('redrive'),
      incident_id: incidentId,
      ...(isOfCircuit(group)
        ? { act: null, is_undoing: null }
        : { act: group.isParked ? ('RETRY' as const) : ('RETRY_NOW' as const), is_undoing: group.isUndoing }),
      per_second: perSecond,
      stop_after_errors: stopAfterErrors,
      reason,
      ordered_by: author.actor,
      request_id: author.requestId,
    })
    .onConflict((conflict) => conflict.column('incident_id').where('ended_at', 'is', null).doNothing())
    .returningAll()
    .executeTakeFirst();
  if (!row)
    throw new RoomyError('INVALID_STATE_TRANSITION', { text: 'They are being tried again already: stop that first' });
  const { numAffectedRows = 0n } = await sql`
    INSERT INTO redrive_saga (redrive_id, no, saga_id, act, is_undoing)
    SELECT ${row.id}::text, row_number() OVER (ORDER BY g.since, g.id), g.id, CASE WHEN g.is_parked THEN 'RETRY' ELSE 'RETRY_NOW' END, g.is_undoing
      FROM (${sagasOfGroup(group)}) g`.execute(tx);
  if (numAffectedRows === 0n)
    throw new RoomyError('INVALID_STATE_TRANSITION', { text: 'No saga of it stands still any more' });
  await audit(tx, author, 'REDRIVE_ORDERED', row, { reason, sagas: Number(numAffectedRows) });
  return row;
}

/** A person ends it: those that were tried go on. Throws `INVALID_STATE_TRANSITION` when none of the incident is under way. */
export async function stopRedrive(
  tx: Tx,
  { incidentId, reason }: { readonly incidentId: string; readonly reason: string },
  author: Author,
): Promise<RedriveRow> {
  const row = await tx
    .updateTable('redrive')
    .set({ ended_at: sql<Date>`now()`, ended_as: 'STOPPED', ended_by: author.actor, end_reason: reason })
    .where('incident_id', '=', incidentId)
    .where('ended_at', 'is', null)
    .returningAll()
    .executeTakeFirst();
  if (!row) throw new RoomyError('INVALID_STATE_TRANSITION', { text: 'Nothing of it is being tried again' });
  await audit(tx, author, 'REDRIVE_STOPPED', row, { reason });
  return row;
}

/** Ends it by itself. */
export async function endRedrive(tx: Tx, redrive: RedriveRow, as: 'DONE' | 'FAILED'): Promise<void> {
  await tx
    .updateTable('redrive')
    .set({ ended_at: sql<Date>`now()`, ended_as: as })
    .where('id', '=', redrive.id)
    .execute();
  const author = { actor: redrive.ordered_by, requestId: redrive.request_id };
  await audit(tx, author, as === 'DONE' ? 'REDRIVE_DONE' : 'REDRIVE_FAILED', redrive, { reason: redrive.reason });
}

const MAX_OPEN = 50;
/** Of those that are over, with sagas that were tried and are under way still. */
const toSettle = (db: Db) =>
  db
    .selectFrom('redrive_saga as i')
    .innerJoin('redrive as r', 'r.id', 'i.redrive_id')
    .select('r.id')
    .distinct()
    .where('i.status', '=', literal('RETRIED'))
    .where('r.ended_at', 'is not', null)
    .limit(MAX_OPEN);

/** Ids of redrives that there is something to do for. */
export interface RedrivesAtHand {
  /** Their next second has come. */
  readonly due: readonly string[];
  /** They are over, with sagas that were tried and are under way still. */
  readonly toSettle: readonly string[];
}

/** One statement for both: every worker asks once a second, and there is hardly ever anything. */
export async function redrivesAtHand(db: Db): Promise<RedrivesAtHand> {
  const { rows } = await sql<{ due: string[]; settle: string[] }>`
    SELECT ARRAY(SELECT r.id FROM redrive r WHERE r.ended_at IS NULL AND r.due_at <= now() ORDER BY r.due_at LIMIT ${literal(MAX_OPEN)}) AS due,
           ARRAY(${toSettle(db)}) AS settle`.execute(db);
  return { due: rows[0]?.due ?? [], toSettle: rows[0]?.settle ?? [] };
}

/** Ids of those that are over, with sagas that were tried and are under way still. */
export async function redrivesToSettle(db: Db): Promise<readonly string[]> {
  return (await toSettle(db).execute()).map(({ id }) => id);
}

/** Takes the next second of a redrive under its row lock; undefined: another process has it, or it is not due. */
export const takeRedrive = (tx: Tx, id: string): Promise<RedriveRow | undefined> =>
  sql<RedriveRow>`
    UPDATE redrive SET due_at = now() + interval '1 second'
     WHERE id = (SELECT r.id FROM redrive r WHERE r.id = ${id} AND r.ended_at IS NULL AND r.due_at <= now() FOR UPDATE SKIP LOCKED)
    RETURNING *`
    .execute(tx)
    .then(({ rows }) => rows[0]);

/**
 * Notes of those that were tried what has become of them. One that has failed once more counts as failed, whether it waits for a person
 * again or backs off: who has ordered it wants to hear of an outage that goes on before all are at it.
 */
export async function settleTried(tx: Tx, id: string): Promise<void> {
  const { rows } = await sql<{ readonly no: number; readonly status: 'DONE' | 'FAILED'; readonly code: string | null }>`
    SELECT i.no, coalesce(again.code, s.error_code) AS code,
           CASE WHEN s.status = 'completed' OR s.status = 'resolved'
                  OR s.status = 'compensated' AND coalesce(i.is_undoing, r.is_undoing) THEN 'DONE' ELSE 'FAILED' END AS status
      FROM redrive_saga i JOIN redrive r ON r.id = i.redrive_id JOIN saga s ON s.id = i.saga_id
      LEFT JOIN LATERAL (SELECT coalesce(a.error ->> 'code', 'UNKNOWN') AS code FROM step_attempt a
         WHERE a.saga_id = s.id AND a.claimed_at >= i.at AND a.outcome IN ('retry', 'failed') ORDER BY a.claimed_at DESC LIMIT 1) again ON true
     WHERE i.redrive_id = ${id} AND i.status = 'RETRIED' AND (s.finished_at IS NOT NULL OR s.status = 'parked' OR again.code IS NOT NULL)`.execute(
    tx,
  );
  if (rows.length === 0) return;
  await sql`
    UPDATE redrive_saga i SET status = t.status, code = t.code
      FROM unnest(${rows.map(({ no }) => no)}::int[], ${rows.map(({ status }) => status)}::text[], ${rows.map(({ code }) => code)}::text[])
        AS t (no, status, code)
     WHERE i.redrive_id = ${id} AND i.no = t.no AND i.status = 'RETRIED'`.execute(tx);
}

/** Long enough to be parked again; what takes longer backs off, and goes on by itself. */
const WATCHED_MINUTES = 2;

export interface RedriveProgress {
  readonly waiting: boolean;
  /** Those that were tried a moment ago, and may still fail. */
  readonly underWay: number;
  readonly failed: number;
}
/** How far it has come. */
export async function progressOf(tx: Tx, id: string): Promise<RedriveProgress> {
  const { rows } = await sql<RedriveProgress>`
    SELECT EXISTS (SELECT FROM redrive_saga i WHERE i.redrive_id = ${id} AND i.status = 'WAITING') AS waiting,
      (SELECT count(*)::int FROM redrive_saga i WHERE i.redrive_id = ${id} AND i.status = 'RETRIED'
                 AND i.at > now() - ${WATCHED_MINUTES}::int * interval '1 minute') AS "underWay",
      (SELECT count(*)::int FROM redrive_saga i WHERE i.redrive_id = ${id} AND i.status = 'FAILED') AS failed`.execute(
    tx,
  );
  return rows[0] ?? { waiting: false, underWay: 0, failed: 0 };
}

/** Numbers of the next that wait, `limit` at the most. */
export async function nextOf(tx: Tx, id: string, limit: number): Promise<readonly number[]> {
  const rows = await tx
    .selectFrom('redrive_saga')
    .select('no')
    .where('redrive_id', '=', id)
    .where('status', '=', literal('WAITING'))
    .orderBy('no')
    .limit(limit)
    .execute();
  return rows.map(({ no }) => no);
}

export interface WaitingSaga {
  readonly sagaId: string;
  /** By how it stood when it was ordered: `RETRY` of what was parked, `RETRY_NOW` of what backed off. */
  readonly act: 'RETRY' | 'RETRY_NOW';
  /** It was written since, so that it stands elsewhere or for another reason, if it waits for a person again. */
  readonly hasMoved: boolean;
  /** It waits for a person now. */
  readonly isParked: boolean;
}
/** A saga that waits, under the lock of its row; undefined: it was tried meanwhile, or the redrive has ended. */
export async function takeWaiting(tx: Tx, redriveId: string, no: number): Promise<WaitingSaga | undefined> {
  const { rows } = await sql<WaitingSaga>`
    SELECT i.saga_id AS "sagaId", coalesce(i.act, r.act) AS act, s.updated_at > r.ordered_at AS "hasMoved",
           s.status = 'parked' AS "isParked"
      FROM redrive_saga i JOIN redrive r ON r.id = i.redrive_id AND r.ended_at IS NULL JOIN saga s ON s.id = i.saga_id
     WHERE i.redrive_id = ${redriveId} AND i.no = ${no}::int AND i.status = 'WAITING' FOR UPDATE OF i SKIP LOCKED`.execute(
    tx,
  );
  return rows[0];
}

/** Notes what came of the attempt to have it tried again. */
export async function recordTried(
  tx: Tx | Db,
  redriveId: string,
  no: number,
  { status, code }: { readonly status: 'RETRIED' | 'FAILED' | 'SKIPPED'; readonly code: string | null },
): Promise<void> {
  await tx
    .updateTable('redrive_saga')
    .set({ status, code, at: sql<Date>`clock_timestamp()` })
    .where('redrive_id', '=', redriveId)
    .where('no', '=', no)
    .where('status', '=', literal('WAITING'))
    .execute();
}

const audit = (
  tx: Tx,
  author: Author,
  event: string,
  { id, incident_id }: RedriveRow,
  details: Readonly<Record<string, string | number>>,
) =>
  recordAudit(tx, {
    streamId: `redrive:${id}`,
    event,
    ...author,
    body: { outcome: 'success', details: { id, incidentId: incident_id, ...details } },
  });
