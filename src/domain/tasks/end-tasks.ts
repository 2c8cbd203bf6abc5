import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { unlessRefused } from '../../db/savepoint.ts';
import { required } from '../../kernel/errors.ts';
import { type Released, releaseTasks, tellReleased } from './release.ts';

/**
 * Tasks of a stay that have been overtaken: nobody has them from now on, and nobody is looked for. The rows stay, so that
 * it can be seen that nobody reported them.
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
    reservationId,
    sql`(occurrence IN ('PRE_ARRIVAL', 'ARRIVAL')
      OR occurrence = 'DEPARTURE' AND NOT ${takesPlace({ from: -12, to: 1, around: leftAt })})`,
  );
  await tellReleased(tx, released);
}

/**
 * Nobody is sent to clean where a guest has moved in. The meeting is left to who has it while its time is near: it is
 * taking place, and is completed afterwards. People are not told here, as an arrival may still be taken back.
 */
export async function endTasksAtArrival(tx: Tx, reservationId: string, at: Date): Promise<readonly EndedTask[]> {
  const { ended } = await endTasks(
    tx,
    reservationId,
    sql`(occurrence = 'PRE_ARRIVAL' OR occurrence = 'ARRIVAL' AND NOT ${takesPlace({ from: -12, to: 12, around: at })})`,
  );
  return ended;
}

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
  reservationId: string,
  which: RawBuilder<SqlBool>,
): Promise<{ readonly ended: readonly EndedTask[]; readonly released: readonly Released[] }> {
  const { rows } = await sql<Omit<EndedTask, 'version'>>`
    SELECT id AS "taskId", assignee_id AS "assigneeId", slot_start::text AS "slotStart", slot_end::text AS "slotEnd",
           accept_by::text AS "acceptBy", accepted_at::text AS "acceptedAt", next_assign_at::text AS "nextAssignAt",
           assign_attempts AS "assignAttempts"
      FROM task WHERE reservation_id = ${reservationId} AND status IN ('UNASSIGNED', 'ASSIGNED') AND ${which}
     ORDER BY id FOR UPDATE`.execute(tx);
  const ids = rows.map(({ taskId }) => taskId);
  if (ids.length === 0) return { ended: [], released: [] };
  const released = await releaseTasks(tx, ids);
  const now = await tx
    .updateTable('task')
    .set((eb) => ({ next_assign_at: null, version: eb('version', '+', 1) }))
    .where('id', 'in', ids)
    .returning(['id', 'version'])
    .execute();
  const versions = new Map(now.map(({ id, version }) => [id, version]));
  const ended = rows.map((row) => ({ ...row, version: required(versions.get(row.taskId), 'an ended task') }));
  return { ended, released };
}

/**
 * Each as it was. Who has found other work at that time meanwhile does not get it back, hears so, and somebody else is
 * looked for. What another hand changed in between is left alone; a second run finds nothing to do.
 */
export async function resumeTasks(tx: Tx, ended: readonly EndedTask[]): Promise<void> {
  for (const task of ended.toSorted((a, b) => (a.taskId < b.taskId ? -1 : 1))) {
    if (await unlessRefused(tx, 'no_double_shift', () => resume(tx, task))) continue;
    const { rows } = await sql<Released>`
      UPDATE task SET next_assign_at = now(), version = version + 1
       WHERE id = ${task.taskId} AND status = 'UNASSIGNED' AND version = ${task.version}
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
     WHERE id = ${task.taskId} AND status = 'UNASSIGNED' AND version = ${task.version}`.execute(tx);
