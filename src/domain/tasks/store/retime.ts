import { type RawBuilder, sql, type Updateable } from 'kysely';
import type { Tx } from '../../../db/client.ts';
import type { TaskPriority, TaskTable } from '../../../db/schema.ts';
import { statusLiterals } from '../transitions.ts';

/** The times of a task, and the changes that a person makes. Instants are ISO 8601. */

export interface OwnTime {
  readonly scheduledAt: string;
  readonly endsAt: string;
  readonly localRule: string;
}

/**
 * A stay's task follows the stay: by when it must be done, and its own time unless `time` is null. `agreesAgain`: what was
 * agreed for another time is agreed for this one; nobody works in the past, so what was due before now is done from the next
 * half hour on (domain.md 10, effectiveStart).
 */
export const retimeTask = (
  tx: Tx,
  id: string,
  to: { readonly mustFinishBy: string | null; readonly time: OwnTime | null; readonly agreesAgain: boolean },
) =>
  tx
    .updateTable('task')
    .set((eb) => ({
      must_finish_by: to.mustFinishBy,
      ...(to.time !== null && {
        scheduled_at: to.time.scheduledAt,
        ends_at: to.time.endsAt,
        local_rule: to.time.localRule,
        ...(to.agreesAgain && agreedFrom(to.time)),
      }),
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .where('status', 'in', statusLiterals('retime'))
    .execute();

function agreedFrom({ scheduledAt, endsAt }: OwnTime) {
  const start = sql<Date | null>`CASE WHEN ${scheduledAt}::timestamptz < now() THEN ${scheduledAt}::timestamptz
    + ceil(extract(epoch FROM now() - ${scheduledAt}::timestamptz) / 1800) * interval '30 minutes' END`;
  return {
    slot_start: start,
    slot_end: sql<Date | null>`${start} + (${endsAt}::timestamptz - ${scheduledAt}::timestamptz)`,
  };
}

/** Recurring work gives way to a stay: another time, and nobody's. The row must be locked; `version` is the new one. */
export const rescheduleTask = (tx: Tx, id: string, to: OwnTime, version: number) =>
  tx
    .updateTable('task')
    .set({
      scheduled_at: to.scheduledAt,
      ends_at: to.endsAt,
      local_rule: to.localRule,
      status: 'UNASSIGNED',
      assignee_id: null,
      slot_start: null,
      slot_end: null,
      accept_by: null,
      accepted_at: null,
      alert_level: 0,
      assign_attempts: 0,
      next_assign_at: sql<Date>`now()`,
      version,
    })
    .where('id', '=', id)
    .where('status', 'in', statusLiterals('reschedule'))
    .execute();

/** A meeting that nobody has, and that was planned for later, would have been at `at`. A time that a person has set stays. */
export const recordMeetingAt = (tx: Tx, reservationId: string, occurrence: 'ARRIVAL' | 'DEPARTURE', at: string) =>
  sql`UPDATE task SET scheduled_at = ${at}::timestamptz, ends_at = ${at}::timestamptz + (ends_at - scheduled_at), version = version + 1
       WHERE reservation_id = ${reservationId} AND occurrence = ${occurrence} AND status IN (${sql.join(statusLiterals('record'))})
         AND scheduled_at > ${at}::timestamptz AND NOT 'scheduledDate' = ANY(manual_fields)`.execute(tx);

/**
 * A person has chosen another start for a task that was just made, an ISO instant, and its length stays. It is not overdue by
 * its own time any more. Changes nothing of a task that may not be changed.
 */
export const chooseStart = (tx: Tx, id: string, start: string) =>
  tx
    .updateTable('task')
    .set((eb) => ({
      slot_start: start,
      slot_end: sql<Date>`${start}::timestamptz + (ends_at - scheduled_at)`,
      manual_fields: ['scheduledDate'],
      priority: sql<TaskPriority>`CASE WHEN priority = 'URGENT' THEN 'NORMAL' ELSE priority END`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .where('status', 'in', statusLiterals('change'))
    .execute();

/** Writes a person's change of a task, and its assignee after it. The row must be locked; the change holds its new version. */
export const changeTaskRow = (tx: Tx, id: string, change: TaskRowChange) =>
  tx
    .updateTable('task')
    .set(change)
    .where('id', '=', id)
    .where('status', 'in', statusLiterals('change'))
    .returningAll()
    .executeTakeFirstOrThrow();

export type TaskRowChange = Omit<Updateable<TaskTable>, 'status' | 'next_assign_at' | 'assign_attempts'> & {
  readonly status?: 'UNASSIGNED' | 'ASSIGNED' | undefined;
  readonly next_assign_at?: RawBuilder<Date> | null | undefined;
  readonly assign_attempts?: number | undefined;
  readonly version: number;
};
