import { type QueryCreator, sql } from 'kysely';
import type { Db, Tx } from '../../../db/client.ts';
import type { FusedDatabase } from '../../../db/fused.ts';
import { ACCESS_BEHIND } from '../held.ts';
import { mayMove } from './states.ts';

/** Notifications that wait: skipped, or moved to another hour; and the provider's reports on those that it took. */

/** Reminders of a stay that is called off: they were to be sent later, and have not been attempted yet. */
export const skipWaitingMessages = (db: QueryCreator<FusedDatabase>) =>
  db
    .updateTable('notification')
    .from('guard')
    .whereRef('notification.reservation_id', '=', 'guard.subject_id')
    .where(mayMove('skip'))
    .where('notification.due_at', '>', sql<Date>`now()`)
    .whereRef('notification.attempts', '=', 'notification.waits')
    .set({ status: 'SKIPPED', reason: 'RESERVATION_CANCELLED' })
    .returning(['notification.id']);

/** The door serves the guest for as long as the texts say. They may go, at an hour at which such a message may. */
export const releaseHeldMessages = (db: QueryCreator<FusedDatabase>) =>
  db
    .updateTable('notification')
    .from('guard')
    .whereRef('notification.reservation_id', '=', 'guard.subject_id')
    .where(mayMove('postpone'))
    .where('notification.reason', '=', ACCESS_BEHIND)
    .set({ due_at: sql<Date>`now()` })
    .returning([sql<string>`notification.reservation_id`.as('subject_id')]);

/**
 * A message that has not left yet, stays; one that has, is taken back by a message of its own (features CNF-C4). They are found
 * by the stay that the saga is about: messages of a saga have an index only where they are about none.
 */
export const withdrawMessages = (db: QueryCreator<FusedDatabase>) =>
  db
    .updateTable('notification')
    .from('guard')
    .whereRef('notification.reservation_id', '=', 'guard.subject_id')
    .whereRef('notification.saga_id', '=', 'guard.saga_id')
    .where(mayMove('skip'))
    .set({ status: 'SKIPPED', reason: 'ROLLED_BACK' })
    .returning([sql<string>`notification.reservation_id`.as('subject_id')]);

/** Reminders that are not in the plan any more. */
export async function skipPlanned(
  tx: Tx,
  dropped: readonly { readonly id: string; readonly reason: string }[],
): Promise<void> {
  if (dropped.length === 0) return;
  await sql`
    UPDATE notification n SET status = 'SKIPPED', reason = i ->> 'reason'
      FROM jsonb_array_elements(${JSON.stringify(dropped)}::jsonb) AS i
     WHERE n.id = i ->> 'id' AND ${mayMove('skip', 'n')} AND n.attempts = n.waits`.execute(tx);
}

/**
 * Holds messages about tasks that are to be given to somebody at once, for so many seconds. A look at the task of each, as a
 * join would begin with all messages about tasks.
 */
export async function postponeUntilGiven(tx: Tx, effectKeys: readonly string[], seconds: number): Promise<void> {
  if (effectKeys.length === 0) return;
  await sql`
    UPDATE notification n SET due_at = now() + ${seconds}::int * interval '1 second'
     WHERE n.effect_key = ANY(${effectKeys}::text[]) AND ${mayMove('postpone', 'n')}
       AND (SELECT t.status = 'UNASSIGNED' AND t.next_assign_at <= now() FROM task t WHERE t.id = n.task_id)`.execute(
    tx,
  );
}

/** The provider's report on an SMS that it took. Answers the ids that it has moved. */
export async function noteOutcome(
  db: Db,
  providerId: string,
  outcome: 'DELIVERED' | 'FAILED',
  reason: string | null,
): Promise<readonly string[]> {
  const moved = await db
    .updateTable('notification')
    .set({ status: outcome, reason, ...(outcome === 'DELIVERED' && { delivered_at: sql<Date>`now()` }) })
    .where('sms_id', '=', providerId)
    .where(mayMove(outcome === 'DELIVERED' ? 'deliver' : 'bounce'))
    .returning('id')
    .execute();
  return moved.map(({ id }) => id);
}
