import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { Channel } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { NOTIFICATION, newId } from '../../kernel/ids.ts';
import { type Author, recordChange } from '../audit/record.ts';
import { insertNotification } from '../notifications/store/order.ts';
import { MESSAGES } from './catalogue/index.ts';
import { channelsOf } from './matrix-table.ts';
import { keyFor, templateOf } from './templates.ts';
import { type NotificationView, notificationView } from './view.ts';

const LINKS: ReadonlySet<string> = new Set(
  MESSAGES.filter(({ variables }) => variables.includes('signInUrl') || variables.includes('invitationUrl')).map(
    ({ event }) => event,
  ),
);

/**
 * The same message once more, over the same channel or another one: a row of its own, rendered anew when it is sent,
 * because a person asked for it. One that is not true any more is skipped like any other. Throws `NOT_FOUND`,
 * `INVALID_STATE_TRANSITION` while the first is still under way and for a link to sign in, `VALIDATION_FAILED` for a channel that it does not have.
 */
export async function resendNotification(
  tx: Tx,
  id: string,
  channel: Channel | undefined,
  author: Author,
): Promise<NotificationView> {
  const before = await tx.selectFrom('notification').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  if (!before) throw new RoomyError('NOT_FOUND', { text: 'Notification not found' });
  if (before.status === 'QUEUED' || before.status === 'SENDING') {
    throw new RoomyError('INVALID_STATE_TRANSITION', { details: { currentStatus: before.status, action: 'resend' } });
  }
  // A link has bounds of its own, and whoever needs another one asks for it.
  if (LINKS.has(before.event)) {
    throw new RoomyError('INVALID_STATE_TRANSITION', { details: { event: before.event, action: 'resend' } });
  }
  const over = channel ?? before.channel;
  const key = over === before.channel ? before.template : keyFor(before.template, over);
  const template = templateOf(key);
  if (over !== before.channel && !(template && channelsOf(template).includes(over))) {
    const issues = [{ path: 'channel', message: `this message does not go by ${over}` }];
    throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
  }
  const { count } = await tx
    .selectFrom('notification')
    .where('resend_of', '=', id)
    .select(sql<number>`count(*)::int`.as('count'))
    .executeTakeFirstOrThrow();
  const row = await insertNotification(tx, {
    id: newId(NOTIFICATION),
    effect_key: `${before.effect_key}-again-${count + 1}`,
    reservation_id: before.reservation_id,
    task_id: before.task_id,
    event: before.event,
    template: key,
    channel: over,
    recipient_type: before.recipient_type,
    recipient_id: before.recipient_id,
    params: JSON.stringify(before.params),
    resend_of: id,
  });
  await recordChange(tx, author, {
    noun: 'notification',
    id,
    event: 'NOTIFICATION_RESENT',
    fields: ['channel'],
    version: count + 1,
    reservationId: before.reservation_id,
  });
  return notificationView(row);
}
