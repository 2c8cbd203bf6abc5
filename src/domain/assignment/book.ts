import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { newId } from '../../kernel/ids.ts';
import { taskAssignedMessage } from '../messages/catalogue/task-assigned.ts';
import { taskChangedMessage } from '../messages/catalogue/task-changed.ts';
import { assignmentMessages } from '../notifications/store/assigned.ts';
import type { Planned } from './plan.ts';
import { WITHDRAWN } from './release.ts';

/** The statement that makes a plan true, and tells of it. */

export interface Booked {
  readonly id: string;
  readonly version: number;
}

/**
 * Assigns what was planned, as far as it still holds: a person whose counter has moved since the roster was read was
 * given something else meanwhile, and gets nothing of this plan. People are locked in one order, before their tasks.
 * Answers the tasks that were assigned. `tells`: each assignee by mail, keyed by the task's version, as the same person
 * may be given a task, and lose it, more than once.
 */
export async function book(
  tx: Tx,
  planned: readonly Planned[],
  { tells }: { readonly tells: boolean },
): Promise<ReadonlySet<string>> {
  if (planned.length === 0) return new Set();
  const counted = Object.fromEntries(planned.map(({ staffId, counted }) => [staffId, counted]));
  const { event, template, channel, recipientType } = taskAssignedMessage('');
  const items = planned.map(({ task, staffId, startMs, endMs, wanted, acceptBy, explanation, ...one }) => ({
    id: task.id,
    instead: one.displaces ?? false,
    quiet: one.isToldWithOther ?? false,
    who: staffId,
    from: new Date(startMs).toISOString(),
    to: new Date(endMs).toISOString(),
    overdue: wanted.window.isOverdue,
    replyBy: acceptBy,
    why: explanation,
    message: newId('notification'),
  }));
  const instead = taskAssignedMessage('', { displaces: true });
  const moved = taskChangedMessage('', '', new Date(0));
  const messages = assignmentMessages({
    withdrawn: WITHDRAWN,
    channel,
    recipientType,
    assigned: { event, template },
    instead,
    moved,
  });
  const { rows } = await sql<{ id: string }>`
    WITH item AS (SELECT i ->> 'id' AS id, i ->> 'who' AS who, (i ->> 'from')::timestamptz AS starts, (i ->> 'to')::timestamptz AS ends,
        (i ->> 'overdue')::boolean AS overdue, (i ->> 'instead')::boolean AS instead, (i ->> 'quiet')::boolean AS quiet, (i ->> 'replyBy')::timestamptz AS reply_by, i -> 'why' AS why, i ->> 'message' AS message
      FROM few_items(${JSON.stringify(items)}::jsonb) AS i),
    mine AS MATERIALIZED (
      SELECT s.id FROM staff s WHERE s.id = ANY(${Object.keys(counted)}::text[]) AND s.active
         AND s.bookings = (${JSON.stringify(counted)}::jsonb ->> s.id)::int
       ORDER BY s.id FOR NO KEY UPDATE),
    given AS (
      UPDATE task t SET status = 'ASSIGNED', assignee_id = item.who, assign_attempts = t.assign_attempts + 1, version = t.version + 1,
          slot_start = CASE WHEN item.starts <> t.scheduled_at OR item.ends <> t.ends_at THEN item.starts END,
          slot_end = CASE WHEN item.starts <> t.scheduled_at OR item.ends <> t.ends_at THEN item.ends END,
          priority = CASE WHEN item.overdue AND NOT 'priority' = ANY(t.manual_fields) THEN 'URGENT' ELSE t.priority END,
          accept_by = item.reply_by, accepted_at = NULL, assignment_explanation = item.why
        FROM item JOIN mine ON mine.id = item.who
       WHERE t.id = item.id AND t.status = 'UNASSIGNED'
      RETURNING t.id, t.version, t.reservation_id, item.who, item.message, item.instead, item.quiet)${tells ? messages : sql``}
    SELECT id FROM given`.execute(tx);
  return new Set(rows.map(({ id }) => id));
}
