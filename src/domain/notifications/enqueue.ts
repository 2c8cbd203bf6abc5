import { type QueryCreator, sql } from 'kysely';
import type { FusedDatabase, ValueRefs } from '../../db/fused.ts';
import { newId } from '../../kernel/ids.ts';
import { type Delivery, deliveryKey } from './matrix.ts';

/** The brief's NotificationService: orders messages in the caller's statement; a worker of its own delivers them. */

export interface OrderedMessage extends Delivery {
  readonly id: string;
  readonly key: string;
  readonly taskId: string | null;
}
export interface MessageValues {
  readonly messages: readonly OrderedMessage[];
}

export const orderMessages = (
  effectKey: string,
  deliveries: readonly (Delivery & { readonly taskId?: string })[],
): MessageValues => ({
  messages: deliveries.map(({ taskId, ...delivery }) => ({
    ...delivery,
    id: newId('notification'),
    key: taskId === undefined ? deliveryKey(effectKey, delivery) : `${deliveryKey(effectKey, delivery)}-${taskId}`,
    taskId: taskId ?? null,
  })),
});

export const enqueueMessages = (db: QueryCreator<FusedDatabase>, value: ValueRefs<MessageValues>) =>
  db
    .insertInto('notification')
    .columns([
      'id',
      'effect_key',
      'saga_id',
      'reservation_id',
      'task_id',
      'event',
      'template',
      'channel',
      'recipient_type',
      'recipient_id',
    ])
    .expression(
      sql`SELECT m.id, m.key, guard.saga_id, guard.subject_id, m."taskId", m.event, m.template, m.channel, m."recipientType", m."recipientId"
        FROM "guard" AS guard, jsonb_to_recordset(${value.json('messages')}) AS m(id text, key text, "taskId" text, event text, template text,
          channel text, "recipientType" text, "recipientId" text)`,
    )
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .returning([sql<string>`reservation_id`.as('subject_id'), 'id']);

/** What has not left yet, stays; what has, is taken back by a message of its own (features CNF-C4). */
export const withdrawMessages = (db: QueryCreator<FusedDatabase>) =>
  db
    .updateTable('notification')
    .from('guard')
    .whereRef('notification.saga_id', '=', 'guard.saga_id')
    .where('notification.status', '=', 'QUEUED')
    .set({ status: 'SKIPPED', reason: 'ROLLED_BACK' })
    .returning([sql<string>`notification.reservation_id`.as('subject_id')]);

const ROLLBACK_TEMPLATES = sql`(VALUES ('GUEST', 'reservation-rolled-back.guest@1'), ('OWNER', 'reservation-rolled-back.owner@1'))`;

export const tellRolledBack = (db: QueryCreator<FusedDatabase>) =>
  db
    .insertInto('notification')
    .columns([
      'id',
      'effect_key',
      'saga_id',
      'reservation_id',
      'event',
      'template',
      'channel',
      'recipient_type',
      'recipient_id',
    ])
    .expression(
      sql`SELECT 'notification-' || gen_random_uuid(), guard.effect_key || '-' || n.channel || '-' || n.recipient_type, guard.saga_id, n.reservation_id,
          'RESERVATION_ROLLED_BACK', b.template, n.channel, n.recipient_type, n.recipient_id
        FROM "guard" AS guard JOIN notification n ON n.saga_id = guard.saga_id AND n.status IN ('SENDING', 'SENT')
        JOIN ${ROLLBACK_TEMPLATES} AS b(recipient_type, template) ON b.recipient_type = n.recipient_type`,
    )
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .returning(['id']);
