import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { unlessRefused } from '../../db/savepoint.ts';
import { notifyReleased } from '../assignment/release.ts';
import { lookAgainFor, type Released } from '../tasks/store/assign.ts';
import { type EndedTask, overtakeTasks, resumeAsNobodys, resumeTask } from '../tasks/store/finish.ts';

/**
 * Tasks that an arrival or a departure ends: OVERTAKEN, so that they have no assignee from now on, none is looked for, and no
 * list, alert or rate counts them. The rows stay to show that nobody reported them, and may still be completed.
 */

/**
 * A guest who has left is neither cleaned for nor met any more: what was open of the arrival, and the meeting at the
 * departure, take nobody's time from now on, and each assignee gets a message. The meeting at which the guest left is its agent's to
 * complete, who has perhaps reported the departure.
 */
export async function endTasksAtDeparture(tx: Tx, reservationId: string, leftAt: string): Promise<void> {
  const { released } = await endTasks(
    tx,
    sql`(reservation_id = ${reservationId} AND (occurrence IN ('PRE_ARRIVAL', 'ARRIVAL')
      OR occurrence = 'DEPARTURE' AND NOT ${takesPlace({ from: -12, to: 1, around: leftAt })}))`,
  );
  await notifyReleased(tx, released);
}

/**
 * Nobody is sent to clean where a guest has moved in, whether before this stay or after the one that left. The meeting is
 * left to who has it while its time is near: it is taking place, and is completed afterwards; and so is the cleaning after
 * the stay before that was to begin earlier: it may be done, and not reported yet. No messages are sent here, as an arrival
 * may still be taken back.
 */
export async function endTasksAtArrival(tx: Tx, reservationId: string, at: Date): Promise<readonly EndedTask[]> {
  const { ended } = await endTasks(
    tx,
    sql`id = ANY(ARRAY(${ofStayOrCleaning(reservationId)})) AND (reservation_id = ${reservationId}
       AND (occurrence = 'PRE_ARRIVAL' OR occurrence = 'ARRIVAL' AND NOT ${takesPlace({ from: -12, to: 12, around: at })})
      OR occurrence = 'POST_DEPARTURE' AND (status = 'UNASSIGNED' OR coalesce(slot_start, scheduled_at) > ${at}::timestamptz)
       AND EXISTS (SELECT FROM reservation o WHERE o.id = task.reservation_id AND o.id <> ${reservationId} AND o.status = 'CHECKED_OUT'))`,
  );
  return ended;
}
/** Older ones are found when somebody would be looked for. */
const LOOK_BACK_DAYS = 90;
/**
 * Tasks of the stay, and cleanings of its property that somebody may still be sent to. The fence is for the planner: an index that
 * has `occurrence` somewhere would be read as a whole, which is all tasks that there ever were.
 */
const ofStayOrCleaning = (reservationId: string): RawBuilder<unknown> => sql`
  SELECT own.id FROM task own WHERE own.reservation_id = ${reservationId} UNION ALL
  SELECT near.id FROM (SELECT t.id, t.occurrence, t.status FROM reservation r JOIN task t ON t.property_id = r.property_id
      AND t.scheduled_at >= (r.check_in_date - ${LOOK_BACK_DAYS}::int)::timestamptz WHERE r.id = ${reservationId} OFFSET 0) near
   WHERE near.occurrence = 'POST_DEPARTURE' AND near.status IN ('UNASSIGNED', 'ASSIGNED')`;

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
  const inOrder = await overtakeTasks(tx, which);
  await lookAgainFor(
    tx,
    inOrder.flatMap(({ assigneeId }) => assigneeId ?? []),
  );
  return {
    ended: inOrder.map(({ type: _, reservationId: __, ...task }) => task),
    released: inOrder.flatMap(({ taskId: id, assigneeId, type, reservationId, version }) =>
      assigneeId === null ? [] : [{ id, type, assigneeId, reservationId, version }],
    ),
  };
}

/**
 * Undoes the ending: each task is as it was. A person who has other work at that time by now does not get it back and is
 * notified, and somebody else is looked for. A task that another act has changed meanwhile stays; a second run changes nothing.
 */
export async function resumeTasks(tx: Tx, ended: readonly EndedTask[]): Promise<void> {
  for (const task of ended.toSorted((a, b) => (a.taskId < b.taskId ? -1 : 1))) {
    if (await unlessRefused(tx, 'no_double_shift', () => resumeTask(tx, task))) continue;
    const resumed = await resumeAsNobodys(tx, task);
    const { assigneeId } = task;
    if (assigneeId !== null)
      await notifyReleased(
        tx,
        resumed.map((row) => ({ ...row, assigneeId })),
      );
  }
}
