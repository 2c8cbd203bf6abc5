import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { newId } from '../../kernel/ids.ts';
import { taskAssignedMessage } from '../notifications/matrix.ts';
import type { Planned } from './plan.ts';

/** The statement that makes a plan true, and what is told of it. */

export interface Booked {
  readonly id: string;
  readonly version: number;
}

/**
 * Assigns what was planned, as far as it still holds: a person whose counter has moved since the roster was read was
 * given something else meanwhile, and gets nothing of this plan. People are locked in one order, before their tasks.
 * Answers the tasks that were assigned.
 */
export async function book(tx: Tx, planned: readonly Planned[]): Promise<ReadonlyMap<string, Booked>> {
  if (planned.length === 0) return new Map();
  const counted = Object.fromEntries(planned.map(({ staffId, counted }) => [staffId, counted]));
  const items = planned.map(({ task, staffId, startMs, endMs, wanted, acceptMinutes, explanation }) => ({
    id: task.id,
    who: staffId,
    from: new Date(startMs).toISOString(),
    to: new Date(endMs).toISOString(),
    overdue: wanted.window.isOverdue,
    minutes: acceptMinutes,
    why: explanation,
  }));
  const { rows } = await sql<Booked>`
    WITH item AS (SELECT i ->> 'id' AS id, i ->> 'who' AS who, (i ->> 'from')::timestamptz AS starts, (i ->> 'to')::timestamptz AS ends,
        (i ->> 'overdue')::boolean AS overdue, (i ->> 'minutes')::int AS minutes, i -> 'why' AS why
      FROM few_items(${JSON.stringify(items)}::jsonb) AS i),
    mine AS MATERIALIZED (
      SELECT s.id FROM staff s WHERE s.id = ANY(${Object.keys(counted)}::text[]) AND s.active
         AND s.bookings = (${JSON.stringify(counted)}::jsonb ->> s.id)::int
       ORDER BY s.id FOR NO KEY UPDATE)
    UPDATE task t SET status = 'ASSIGNED', assignee_id = item.who, assign_attempts = t.assign_attempts + 1, version = t.version + 1,
        slot_start = CASE WHEN item.starts <> t.scheduled_at OR item.ends <> t.ends_at THEN item.starts END,
        slot_end = CASE WHEN item.starts <> t.scheduled_at OR item.ends <> t.ends_at THEN item.ends END,
        priority = CASE WHEN item.overdue AND NOT 'priority' = ANY(t.manual_fields) THEN 'URGENT' ELSE t.priority END,
        accept_by = now() + item.minutes * interval '1 minute', accepted_at = NULL, assignment_explanation = item.why
      FROM item JOIN mine ON mine.id = item.who
     WHERE t.id = item.id AND t.status = 'UNASSIGNED'
    RETURNING t.id, t.version`.execute(tx);
  return new Map(rows.map((row) => [row.id, row]));
}

/** To each who was given something. Keyed by the task's version: the same person may be given it, and lose it, more than once. */
export async function tellAssigned(
  tx: Tx,
  planned: readonly Planned[],
  booked: ReadonlyMap<string, Booked>,
): Promise<void> {
  const messages = planned.flatMap(({ task, staffId }) => {
    const row = booked.get(task.id);
    if (!row) return [];
    const { event, template, channel, recipientType, recipientId } = taskAssignedMessage(staffId);
    return [
      {
        id: newId('notification'),
        effect_key: `${task.id}-assigned-${staffId}-${row.version}`,
        reservation_id: task.reservation_id,
        task_id: task.id,
        event,
        template,
        channel,
        recipient_type: recipientType,
        recipient_id: recipientId,
      },
    ];
  });
  if (messages.length === 0) return;
  await tx
    .insertInto('notification')
    .values(messages)
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .execute();
}
