import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { unlessRefused } from '../../db/savepoint.ts';
import { type Released, tellReleased } from '../assignment/release.ts';

/**
 * Tasks that life has overtaken: OVERTAKEN, so that nobody has them from now on, nobody is looked for, and no list, alert or
 * rate counts them. The rows stay, so that it can be seen that nobody reported them, and may still be completed.
 */

/** A task as it was; times are Postgres's own text, which loses nothing. */
export type EndedTask = {
  readonly taskId: string;
  readonly assigneeId: string | null;
  readonly slotStart: string | null;
  readonly slotEnd: string | null;
  readonly acceptBy: string | null;
  readonly acceptedAt: string | null;
  readonly nextAssignAt: string | null;
  readonly assignAttempts: number;
  /** The row's since, so that what another hand did to it afterwards is seen. */
  readonly version: number;
};

/**
 * A guest who has left is neither cleaned for nor met any more: what was open of the arrival, and the meeting at the
 * departure, take nobody's time from now on, and people are told. The meeting at which the guest left is its agent's to
 * complete, who has perhaps reported the departure.
 */
export async function endTasksAtDeparture(tx: Tx, reservationId: string, leftAt: string): Promise<void> {
  const { released } = await endTasks(
    tx,
    sql`(reservation_id = ${reservationId} AND (occurrence IN ('PRE_ARRIVAL', 'ARRIVAL')
      OR occurrence = 'DEPARTURE' AND NOT ${takesPlace({ from: -12, to: 1, around: leftAt })}))`,
  );
  await tellReleased(tx, released);
}

/**
 * Nobody is sent to clean where a guest has moved in, whether before this stay or after the one that left. The meeting is
 * left to who has it while its time is near: it is taking place, and is completed afterwards; and so is the cleaning after
 * the stay before that was to begin earlier: it may be done, and not reported yet. People are not told here, as an arrival
 * may still be taken back.
 */
export async function endTasksAtArrival(tx: Tx, reservationId: string, at: Date): Promise<readonly EndedTask[]> {
  const { ended } = await endTasks(
    tx,
    sql`(reservation_id = ${reservationId}
       AND (occurrence = 'PRE_ARRIVAL' OR occurrence = 'ARRIVAL' AND NOT ${takesPlace({ from: -12, to: 12, around: at })})
      OR property_id = (SELECT property_id FROM reservation WHERE id = ${reservationId}) AND occurrence = 'POST_DEPARTURE'
       AND scheduled_at >= (SELECT check_in_date - ${LOOK_BACK_DAYS}::int FROM reservation WHERE id = ${reservationId})::timestamptz
       AND (status = 'UNASSIGNED' OR coalesce(slot_start, scheduled_at) > ${at}::timestamptz)
       AND EXISTS (SELECT FROM reservation o WHERE o.id = task.reservation_id AND o.id <> ${reservationId} AND o.status = 'CHECKED_OUT'))`,
  );
  return ended;
}
/** Older ones are found when somebody would be looked for. */
const LOOK_BACK_DAYS = 90;

/** Whether somebody has the meeting and it begins so many hours before or after an instant. */
const takesPlace = ({
  from,
  to,
  around,
}: {
  readonly from: number;
  readonly to: number;
  readonly around: Date | string;
}) =>
  sql`(status = 'ASSIGNED' AND coalesce(slot_start, scheduled_at)
    BETWEEN ${around}::timestamptz + ${from}::int * interval '1 hour' AND ${around}::timestamptz + ${to}::int * interval '1 hour')`;

async function endTasks(
  tx: Tx,
  which: RawBuilder<SqlBool>,
): Promise<{ readonly ended: readonly EndedTask[]; readonly released: readonly Released[] }> {
  const { rows } = await sql<EndedTask & Pick<Released, 'type' | 'reservationId'>>`
    WITH before AS MATERIALIZED (
      SELECT * FROM task WHERE status IN ('UNASSIGNED', 'ASSIGNED') AND ${which} ORDER BY id FOR UPDATE)
    UPDATE task t SET status = 'OVERTAKEN', assignee_id = NULL, accept_by = NULL, accepted_at = NULL, next_assign_at = NULL,
           slot_start = CASE WHEN 'scheduledDate' = ANY(t.manual_fields) THEN t.slot_start END,
           slot_end = CASE WHEN 'scheduledDate' = ANY(t.manual_fields) THEN t.slot_end END, version = t.version + 1
      FROM before WHERE before.id = t.id
    RETURNING t.id AS "taskId", before.assignee_id AS "assigneeId", before.slot_start::text AS "slotStart", before.slot_end::text AS "slotEnd",
           before.accept_by::text AS "acceptBy", before.accepted_at::text AS "acceptedAt", before.next_assign_at::text AS "nextAssignAt",
           before.assign_attempts AS "assignAttempts", t.version, t.type, t.reservation_id AS "reservationId"`.execute(
    tx,
  );
  const inOrder = rows.toSorted((a, b) => (a.taskId < b.taskId ? -1 : 1));
  return {
    ended: inOrder.map(({ type: _, reservationId: __, ...task }) => task),
    released: inOrder.flatMap(({ taskId: id, assigneeId, type, reservationId, version }) =>
      assigneeId === null ? [] : [{ id, type, assigneeId, reservationId, version }],
    ),
  };
}

/**
 * Each as it was. Who has found other work at that time meanwhile does not get it back, hears so, and somebody else is
 * looked for. What another hand changed in between is left alone; a second run finds nothing to do.
 */
export async function resumeTasks(tx: Tx, ended: readonly EndedTask[]): Promise<void> {
  for (const task of ended.toSorted((a, b) => (a.taskId < b.taskId ? -1 : 1))) {
    if (await unlessRefused(tx, 'no_double_shift', () => resume(tx, task))) continue;
    const { rows } = await sql<Released>`
      UPDATE task SET status = 'UNASSIGNED', next_assign_at = now(), version = version + 1
       WHERE id = ${task.taskId} AND ${isEnded} AND version = ${task.version}
      RETURNING id, type, ${task.assigneeId}::text AS "assigneeId", reservation_id AS "reservationId", version`.execute(
      tx,
    );
    await tellReleased(tx, rows);
  }
}

const resume = (tx: Tx, task: EndedTask) =>
  sql`
    UPDATE task SET status = CASE WHEN ${task.assigneeId}::text IS NULL THEN 'UNASSIGNED' ELSE 'ASSIGNED' END,
           assignee_id = ${task.assigneeId}, slot_start = ${task.slotStart}::timestamptz, slot_end = ${task.slotEnd}::timestamptz,
           accept_by = ${task.acceptBy}::timestamptz, accepted_at = ${task.acceptedAt}::timestamptz,
           next_assign_at = ${task.nextAssignAt}::timestamptz, assign_attempts = ${task.assignAttempts}, version = version + 1
     WHERE id = ${task.taskId} AND ${isEnded} AND version = ${task.version}`.execute(tx);

/** UNASSIGNED: by a check-in that began before there was this state. */
const isEnded = sql<boolean>`status IN ('OVERTAKEN', 'UNASSIGNED')`;
