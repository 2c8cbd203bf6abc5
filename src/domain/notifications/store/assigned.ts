import { type RawBuilder, sql } from 'kysely';
import { mayMove } from './states.ts';

export interface AssignmentTexts {
  /** Between the id and the version of a task in the effect key of a withdrawal. */
  readonly withdrawn: string;
  readonly channel: string;
  readonly recipientType: string;
  readonly assigned: { readonly event: string; readonly template: string };
  /** Of an emergency, instead of other work. */
  readonly instead: { readonly template: string };
  /** The same person at another time. */
  readonly moved: { readonly event: string; readonly template: string };
}

/**
 * Expressions for the statement that gives tasks to people, after its `given` (id, version, reservation_id, who, message,
 * instead, quiet). A task that was released and is given to the same person again before the withdrawal was sent makes one
 * message about the new time, not two that disagree; a person who did not answer is asked again, and not notified of a new
 * time. The withdrawal is found by its key: `IS TRUE` keeps the index of all that a person was ever sent out of it.
 */
export const assignmentMessages = ({
  withdrawn,
  channel,
  recipientType,
  assigned,
  instead,
  moved,
}: AssignmentTexts): RawBuilder<unknown> => sql`, again AS (
      UPDATE notification n SET status = 'SKIPPED', reason = 'RESCHEDULED' FROM given
       WHERE n.effect_key = given.id || ${withdrawn}::text || (given.version - 1) || '-' || ${channel}::text || '-' || ${recipientType}::text || '-' || given.id
         AND (n.recipient_id = given.who) IS TRUE AND ${mayMove('skip', 'n')}
      RETURNING n.task_id AS id, EXISTS (SELECT FROM task_refusal f WHERE f.task_id = given.id AND f.staff_id = given.who) AS silent),
    notified AS (
      INSERT INTO notification (id, effect_key, reservation_id, task_id, event, template, channel, recipient_type, recipient_id)
      SELECT given.message, given.id || '-assigned-' || given.who || '-' || given.version, given.reservation_id, given.id,
             CASE WHEN given.instead OR again.id IS NULL OR again.silent THEN ${assigned.event}::text ELSE ${moved.event}::text END,
             CASE WHEN given.instead THEN ${instead.template}::text WHEN again.id IS NULL OR again.silent THEN ${assigned.template}::text ELSE ${moved.template}::text END, ${channel}::text, ${recipientType}::text, given.who FROM given LEFT JOIN again ON again.id = given.id WHERE NOT given.quiet
      ON CONFLICT (effect_key) DO NOTHING)`;

/**
 * The same for tasks that nobody has ever had: there is no withdrawal to look for. An update that finds nothing still runs the
 * triggers of its table, which is a tenth of the whole statement.
 */
export const firstMessages = ({
  channel,
  recipientType,
  assigned,
  instead,
}: Omit<AssignmentTexts, 'withdrawn' | 'moved'>): RawBuilder<unknown> => sql`, notified AS (
      INSERT INTO notification (id, effect_key, reservation_id, task_id, event, template, channel, recipient_type, recipient_id)
      SELECT given.message, given.id || '-assigned-' || given.who || '-' || given.version, given.reservation_id, given.id, ${assigned.event}::text,
             CASE WHEN given.instead THEN ${instead.template}::text ELSE ${assigned.template}::text END, ${channel}::text, ${recipientType}::text, given.who FROM given WHERE NOT given.quiet
      ON CONFLICT (effect_key) DO NOTHING)`;
