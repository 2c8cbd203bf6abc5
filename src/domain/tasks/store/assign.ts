import { type RawBuilder, sql } from 'kysely';
import type { Tx } from '../../../db/client.ts';
import { batchLimit } from '../../../db/literal.ts';
import type { TaskType } from '../../../db/schema.ts';
import { required } from '../../../kernel/errors.ts';
import { statusLiterals } from '../transitions.ts';

/** The assignee of a task, and when the assignment sweep looks for one. */

/** One task of a plan; instants are ISO 8601. */
export interface PlannedAssignment {
  readonly id: string;
  /** In place of other work of theirs (`displace`); its message says so. */
  readonly instead: boolean;
  /** The message about the other work names this one as well. */
  readonly quiet: boolean;
  readonly who: string;
  readonly from: string;
  readonly to: string;
  readonly overdue: boolean;
  readonly replyBy: string | null;
  readonly why: unknown;
  /** The id that a message about it is to have. */
  readonly message: string;
}
export interface AssignmentValues {
  /** JSON of `PlannedAssignment`s. */
  readonly items: string;
  /** The ids of those who get them. */
  readonly people: readonly string[];
  /** JSON: by person, how many bookings the plan was made with. */
  readonly counts: string;
}

/**
 * The common table expressions that make a plan true; `given` has the rows that were assigned: `id, version,
 * reservation_id, who, message, instead, quiet`. Who has another number of bookings
 * than the plan was made with gets nothing. People are locked in the order of their ids, before their tasks. The tasks are found by
 * their keys: `IS TRUE` keeps the index of all unassigned tasks out of it, which would be read once for each item.
 */
export const assignments = (
  value: (key: keyof AssignmentValues) => RawBuilder<unknown>,
) => sql`item AS (SELECT i ->> 'id' AS id, i ->> 'who' AS who, (i ->> 'from')::timestamptz AS starts, (i ->> 'to')::timestamptz AS ends,
        (i ->> 'overdue')::boolean AS overdue, (i ->> 'instead')::boolean AS instead, (i ->> 'quiet')::boolean AS quiet, (i ->> 'replyBy')::timestamptz AS reply_by, i -> 'why' AS why, i ->> 'message' AS message
      FROM few_items(${value('items')}::jsonb) AS i),
    mine AS MATERIALIZED (
      SELECT s.id FROM staff s WHERE s.id = ANY(${value('people')}::text[]) AND s.active
         AND s.bookings = (${value('counts')}::jsonb ->> s.id)::int
       ORDER BY s.id FOR NO KEY UPDATE),
    given AS (
      UPDATE task t SET status = 'ASSIGNED', assignee_id = item.who, assign_attempts = t.assign_attempts + 1, version = t.version + 1,
          slot_start = CASE WHEN item.starts <> t.scheduled_at OR item.ends <> t.ends_at THEN item.starts END,
          slot_end = CASE WHEN item.starts <> t.scheduled_at OR item.ends <> t.ends_at THEN item.ends END,
          priority = CASE WHEN item.overdue AND NOT 'priority' = ANY(t.manual_fields) THEN 'URGENT' ELSE t.priority END,
          accept_by = item.reply_by, accepted_at = NULL, assignment_explanation = item.why
        FROM item JOIN mine ON mine.id = item.who
       WHERE t.id = item.id AND (t.status IN (${sql.join(statusLiterals('assign'))})) IS TRUE
      RETURNING t.id, t.version, t.reservation_id, item.who, item.message, item.instead, item.quiet)`;

/** Tasks that were taken from people. */
export interface Released {
  readonly id: string;
  readonly type: TaskType;
  /** The person who had it. */
  readonly assigneeId: string;
  readonly reservationId: string | null;
  readonly version: number;
}

/**
 * ASSIGNED tasks among these go back to UNASSIGNED, and somebody is looked for at once, except for the office's own; what is
 * under way or over stays. The agreed time goes with the person, unless a person had set it.
 */
export async function releaseTasks(tx: Tx, taskIds: readonly string[]): Promise<readonly Released[]> {
  if (taskIds.length === 0) return [];
  const { rows } = await sql<Released>`
    UPDATE task t SET status = 'UNASSIGNED', assignee_id = NULL, accept_by = NULL, accepted_at = NULL, version = t.version + 1,
           ${KEPT_SLOT},
           next_assign_at = CASE WHEN t.type <> 'FINANCE' THEN now() END, assign_attempts = 0
      FROM task before WHERE before.id = t.id AND t.id = ANY(${taskIds}::text[]) AND t.status IN (${sql.join(statusLiterals('release'))})
    RETURNING t.id, t.type, before.assignee_id AS "assigneeId", t.reservation_id AS "reservationId", t.version`.execute(
    tx,
  );
  return rows;
}

/** Of a task `t` that nobody has any more: only a time that a person has set stays. */
export const KEPT_SLOT = sql`slot_start = CASE WHEN 'scheduledDate' = ANY(t.manual_fields) THEN t.slot_start END,
           slot_end = CASE WHEN 'scheduledDate' = ANY(t.manual_fields) THEN t.slot_end END`;

/** The row must be locked and ASSIGNED. */
export const acceptOffer = (tx: Tx, id: string, version: number) =>
  tx
    .updateTable('task')
    .set({ accepted_at: sql<Date>`now()`, version })
    .where('id', '=', id)
    .where('status', 'in', statusLiterals('accept'))
    .returningAll()
    .executeTakeFirstOrThrow();

/** Notes that these give way to an emergency, once; answers how many did. They are released afterwards. */
export async function markDisplaced(
  tx: Tx,
  taskIds: readonly string[],
  by: { readonly emergencyId: string; readonly staffId: string },
): Promise<number> {
  const { numAffectedRows } = await sql`
    UPDATE task SET displaced_by = ${by.emergencyId} WHERE id = ANY(${taskIds}::text[]) AND displaced_by IS NULL
       AND status IN (${sql.join(statusLiterals('displace'))}) AND assignee_id = ${by.staffId}`.execute(tx);
  return Number(numAffectedRows);
}

/** The assignee comes at another time than the task's own; ISO instants. Answers the new version. */
export async function agreeOnTime(
  tx: Tx,
  id: string,
  { start, end }: { readonly start: string; readonly end: string },
): Promise<number> {
  const { rows } = await sql<{ version: number }>`
    UPDATE task SET version = version + 1, slot_start = nullif(${start}::timestamptz, scheduled_at),
           slot_end = CASE WHEN scheduled_at <> ${start}::timestamptz THEN ${end}::timestamptz END
     WHERE id = ${id} AND status IN (${sql.join(statusLiterals('agree'))}) RETURNING version`.execute(tx);
  return required(rows[0], 'a task that somebody has').version;
}

/** Due again in a second: it was not these tasks' fault. */
export async function postponeTasks(tx: Tx, taskIds: readonly string[]): Promise<void> {
  await sql`
    UPDATE task SET next_assign_at = now() + interval '1 second'
     WHERE id = ANY(${taskIds}::text[]) AND status IN (${sql.join(statusLiterals('schedule'))})`.execute(tx);
}

/**
 * These people have time again: tasks that nobody could take while they were busy are due now, and not after the pause of a
 * task that nobody can take. Those that somebody is at work on are left to that pause.
 */
export async function lookAgainFor(tx: Tx, people: readonly string[]): Promise<void> {
  if (people.length === 0) return;
  await sql`
    UPDATE task SET next_assign_at = now() WHERE id IN (
      SELECT id FROM task WHERE status = 'UNASSIGNED' AND next_assign_at > now()
         AND assignment_explanation #> '{excluded,BUSY}' ?| ${people}::text[]
       ORDER BY next_assign_at LIMIT ${batchLimit(LOOKED_AT_AGAIN)} FOR UPDATE SKIP LOCKED)`.execute(tx);
}
const LOOKED_AT_AGAIN = 100;

/** Nobody could be found: notes when they are looked at next (an ISO instant), the level of the last alert about them, and why. */
export async function noteNobodyFound(
  tx: Tx,
  items: readonly { readonly id: string; readonly next: string; readonly why: unknown; readonly level: number }[],
): Promise<void> {
  await sql`
    UPDATE task t SET assign_attempts = t.assign_attempts + 1, next_assign_at = (i ->> 'next')::timestamptz,
           alert_level = (i ->> 'level')::int, assignment_explanation = i -> 'why'
      FROM few_items(${JSON.stringify(items)}::jsonb) AS i
     WHERE t.id = i ->> 'id' AND t.status IN (${sql.join(statusLiterals('schedule'))})`.execute(tx);
}

/** The guest has left: a cleaner may be looked for. */
export async function lookForCleanerNow(tx: Tx, reservationId: string): Promise<void> {
  await tx
    .updateTable('task')
    .set((eb) => ({ next_assign_at: sql<Date>`now()`, version: eb('version', '+', 1) }))
    .where('reservation_id', '=', reservationId)
    .where('occurrence', '=', 'POST_DEPARTURE')
    .where('status', 'in', statusLiterals('schedule'))
    .execute();
}

/** The owner has said yes to a repair: somebody is looked for. The row must be locked; `version` is the new one. */
export async function approveTask(tx: Tx, id: string, version: number): Promise<void> {
  await tx
    .updateTable('task')
    .set({ approval: 'APPROVED', next_assign_at: sql<Date>`now()`, version })
    .where('id', '=', id)
    .where('status', 'in', statusLiterals('schedule'))
    .execute();
}
