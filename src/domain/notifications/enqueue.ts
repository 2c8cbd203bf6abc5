import { type QueryCreator, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { FusedDatabase, ValueRefs } from '../../db/fused.ts';
import type { Channel, RecipientType } from '../../db/schema.ts';
import { NOTIFICATION, newId } from '../../kernel/ids.ts';
import { insertFromStep, insertNotifications } from './store/order.ts';

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
    id: newId(NOTIFICATION),
    key: deliveryKey(effectKey, delivery),
    taskId: delivery.taskId ?? null,
    reservationId: reservationId ?? null,
    params: delivery.params ?? {},
  })),
});

/** For sagas about a stay. */
export const enqueueMessages = (db: QueryCreator<FusedDatabase>, value: ValueRefs<MessageValues>) =>
  insertFromStep(db, value.json('messages'), sql`guard.subject_id`).returning([
    sql<string>`reservation_id`.as('subject_id'),
    'id',
  ]);

/** For sagas about a transaction: each message says which stay it is about, if any. */
export const enqueueMessagesAbout = (db: QueryCreator<FusedDatabase>, value: ValueRefs<MessageValues>) =>
  insertFromStep(db, value.json('messages'), sql`m."reservationId"`).returning([
    sql<string>`coalesce(reservation_id, '')`.as('subject_id'),
    'id',
  ]);

/** The same in a step that is free TypeScript, or in what a call books. */
export async function enqueueInTransaction(
  tx: Tx,
  effectKey: string,
  deliveries: readonly OrderedText[],
  about: { readonly sagaId: string | null; readonly reservationId: string | null },
): Promise<void> {
  const { messages } = orderMessages(effectKey, deliveries, about.reservationId);
  await insertNotifications(
    tx,
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
  );
}

/** `effectKey` is the step's; the result is unique per message of that step and the same on every attempt. */
export const deliveryKey = (effectKey: string, delivery: OrderedText): string =>
  [effectKey, delivery.channel, delivery.recipientType, delivery.occasion, delivery.taskId]
    .filter((part) => part !== undefined)
    .join('-');
