import { type QueryCreator, type RawBuilder, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { FusedDatabase, ValueRefs } from '../../db/fused.ts';
import { literal } from '../../db/literal.ts';
import type { Channel, RecipientType } from '../../db/schema.ts';
import { newId } from '../../kernel/ids.ts';

/** The brief's NotificationService: orders messages in the caller's statement; a worker of its own delivers them. */

/** Ids, codes and amounts in minor units; never a name. */
export type MessageParams = Readonly<Record<string, string | number>>;

/** A text for one recipient. Which there are, and what they say, is the catalogue's (`domain/messages`). */
export interface OrderedText {
  readonly event: string;
  readonly template: string;
  readonly channel: Channel;
  readonly recipientType: RecipientType;
  readonly recipientId: string;
  readonly params?: MessageParams;
  readonly taskId?: string;
  /** Tells apart two messages of one step to the same recipient. */
  readonly occasion?: string;
}

export interface OrderedMessage extends Omit<OrderedText, 'taskId' | 'params'> {
  readonly id: string;
  readonly key: string;
  readonly taskId: string | null;
  /** Null: the saga's own subject is the stay. */
  readonly reservationId: string | null;
  readonly params: MessageParams;
}
export interface MessageValues {
  readonly messages: readonly OrderedMessage[];
}

/** `reservationId` where the saga is about something else than a stay; null: about no stay at all. */
export const orderMessages = (
  effectKey: string,
  deliveries: readonly OrderedText[],
  reservationId?: string | null,
): MessageValues => ({
  messages: deliveries.map((delivery) => ({
    ...delivery,
    id: newId('notification'),
    key: deliveryKey(effectKey, delivery),
    taskId: delivery.taskId ?? null,
    reservationId: reservationId ?? null,
    params: delivery.params ?? {},
  })),
});

const COLUMNS = [
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
  'params',
] as const;
const MESSAGE = sql`m(id text, key text, "taskId" text, "reservationId" text, event text, template text, channel text,
  "recipientType" text, "recipientId" text, params jsonb)`;
const FIELDS = sql`m."taskId", m.event, m.template, m.channel, m."recipientType", m."recipientId", m.params`;

/** For sagas about a stay. */
export const enqueueMessages = (db: QueryCreator<FusedDatabase>, value: ValueRefs<MessageValues>) =>
  db
    .insertInto('notification')
    .columns([...COLUMNS])
    .expression(
      sql`SELECT m.id, m.key, guard.saga_id, guard.subject_id, ${FIELDS}
        FROM "guard" AS guard, jsonb_to_recordset(${value.json('messages')}) AS ${MESSAGE}`,
    )
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .returning([sql<string>`reservation_id`.as('subject_id'), 'id']);

/** For sagas about a transaction: each message says which stay it is about, if any. */
export const enqueueMessagesAbout = (db: QueryCreator<FusedDatabase>, value: ValueRefs<MessageValues>) =>
  db
    .insertInto('notification')
    .columns([...COLUMNS])
    .expression(
      sql`SELECT m.id, m.key, guard.saga_id, m."reservationId", ${FIELDS}
        FROM "guard" AS guard, jsonb_to_recordset(${value.json('messages')}) AS ${MESSAGE}`,
    )
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .returning([sql<string>`coalesce(reservation_id, '')`.as('subject_id'), 'id']);

/** The same in a step that is free TypeScript, or in what a call books. */
export async function enqueueInTransaction(
  tx: Tx,
  effectKey: string,
  deliveries: readonly OrderedText[],
  about: { readonly sagaId: string | null; readonly reservationId: string | null },
): Promise<void> {
  const { messages } = orderMessages(effectKey, deliveries, about.reservationId);
  if (messages.length === 0) return;
  await tx
    .insertInto('notification')
    .values(
      messages.map((message) => ({
        id: message.id,
        effect_key: message.key,
        saga_id: about.sagaId,
        reservation_id: message.reservationId,
        task_id: message.taskId,
        event: message.event,
        template: message.template,
        channel: message.channel,
        recipient_type: message.recipientType,
        recipient_id: message.recipientId,
        params: JSON.stringify(message.params),
      })),
    )
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .execute();
}

/** Reminders of a stay that is called off: what was to be sent later, and has not been sent yet. */
export const skipWaitingMessages = (db: QueryCreator<FusedDatabase>) =>
  db
    .updateTable('notification')
    .from('guard')
    .whereRef('notification.reservation_id', '=', 'guard.subject_id')
    .where('notification.status', '=', literal('QUEUED'))
    .where('notification.due_at', '>', sql<Date>`now()`)
    .whereRef('notification.attempts', '=', 'notification.waits')
    .set({ status: 'SKIPPED', reason: 'RESERVATION_CANCELLED' })
    .returning(['notification.id']);

/** Why a text that tells a guest of a departure waits: the code of the door ends before it. */
export const ACCESS_BEHIND = 'ACCESS_BEHIND';

/** The door serves the guest for as long as the texts say. They may go, at an hour at which such a message may. */
export const releaseHeldMessages = (db: QueryCreator<FusedDatabase>) =>
  db
    .updateTable('notification')
    .from('guard')
    .whereRef('notification.reservation_id', '=', 'guard.subject_id')
    .where('notification.status', '=', literal('QUEUED'))
    .where('notification.reason', '=', ACCESS_BEHIND)
    .set({ due_at: sql<Date>`now()` })
    .returning([sql<string>`notification.reservation_id`.as('subject_id')]);

/** What has not left yet, stays; what has, is taken back by a message of its own (features CNF-C4). */
export const withdrawMessages = (db: QueryCreator<FusedDatabase>) =>
  db
    .updateTable('notification')
    .from('guard')
    .whereRef('notification.saga_id', '=', 'guard.saga_id')
    .where('notification.status', '=', literal('QUEUED'))
    .set({ status: 'SKIPPED', reason: 'ROLLED_BACK' })
    .returning([sql<string>`notification.reservation_id`.as('subject_id')]);

/** Texts that take back what was sent, in SQL: the event, and rows of a recipient type and a template. */
export interface TakeBack {
  readonly event: RawBuilder<unknown>;
  readonly texts: RawBuilder<unknown>;
}

/** To everybody to whom the saga's messages went, or are going, over the same channels. */
export const takeBackMessages = (db: QueryCreator<FusedDatabase>, { event, texts }: TakeBack) =>
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
          ${event}, b.template, n.channel, n.recipient_type, n.recipient_id
        FROM "guard" AS guard JOIN notification n ON n.saga_id = guard.saga_id AND n.status IN ('SENDING', 'SENT', 'DELIVERED')
        JOIN ${texts} AS b(recipient_type, template) ON b.recipient_type = n.recipient_type`,
    )
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .returning(['id']);

/** `effectKey` is the step's; the result is unique per message of that step and the same on every attempt. */
export const deliveryKey = (effectKey: string, delivery: OrderedText): string =>
  [effectKey, delivery.channel, delivery.recipientType, delivery.occasion, delivery.taskId]
    .filter((part) => part !== undefined)
    .join('-');
