import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { newId } from '../../kernel/ids.ts';
import { taskAssignedMessage, taskChangedMessage } from '../messages/matrix.ts';
import { assignments } from '../tasks/store/assign.ts';
import type { Planned } from './plan.ts';
import { WITHDRAWN } from './release.ts';

/** The statement that makes a plan true, and tells of it. */

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
  // Released and given to the same person again before that was told: one message about the new time, not two that
  // disagree. Who did not answer is asked again, and not told of a new time.
  const told = sql`, again AS (
      UPDATE notification n SET status = 'SKIPPED', reason = 'RESCHEDULED' FROM given
       WHERE n.effect_key = given.id || ${WITHDRAWN}::text || (given.version - 1) || '-' || ${channel}::text || '-' || ${recipientType}::text || '-' || given.id
         AND n.recipient_id = given.who AND n.status = 'QUEUED'
      RETURNING n.task_id AS id, EXISTS (SELECT FROM task_refusal f WHERE f.task_id = given.id AND f.staff_id = given.who) AS silent),
    told AS (
      INSERT INTO notification (id, effect_key, reservation_id, task_id, event, template, channel, recipient_type, recipient_id)
      SELECT given.message, given.id || '-assigned-' || given.who || '-' || given.version, given.reservation_id, given.id,
             CASE WHEN given.instead OR again.id IS NULL OR again.silent THEN ${event}::text ELSE ${moved.event}::text END,
             CASE WHEN given.instead THEN ${instead.template}::text WHEN again.id IS NULL OR again.silent THEN ${template}::text ELSE ${moved.template}::text END, ${channel}::text, ${recipientType}::text, given.who FROM given LEFT JOIN again ON again.id = given.id WHERE NOT given.quiet
      ON CONFLICT (effect_key) DO NOTHING)`;
  const { rows } = await sql<{ id: string }>`
    WITH ${assignments(items, counted)}${tells ? told : sql``}
    SELECT id FROM given`.execute(tx);
  return new Set(rows.map(({ id }) => id));
}
