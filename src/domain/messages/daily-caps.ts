import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { type MessageCaps, messageCapOf } from '../../kernel/message-caps.ts';
import { MESSAGES } from './catalogue/index.ts';
import type { ClaimedNotification, Verdict } from './delivery-rows.ts';

/**
 * How many messages one recipient gets within 24 hours over one channel (security.md Q6): what a loop of bookings and
 * cancellations costs, and what it does to a guest, has an end. Operations are not counted: alerts have a bound of their own.
 */

/** Each of these has a count of its own, so that many of one keep back no other. */
const APART: readonly string[] = MESSAGES.flatMap(({ event, countsApart }) => (countsApart ? [event] : []));
const UNCOUNTED: readonly string[] = MESSAGES.flatMap(({ event, isBounded }) => (isBounded ? [event] : []));

/**
 * For each message how many have been sent to its recipient, or are being sent by a worker that took them before. A look at three
 * days of one recipient: what was ordered earlier, such as a reminder, is not counted.
 */
export const loadTaken = (db: Db, notificationIds: readonly string[]) =>
  db
    .selectFrom('notification as n')
    .where('n.id', '=', sql<string>`ANY(${notificationIds})`)
    .select([
      'n.id',
      sql<number>`(SELECT count(*)::int FROM notification o
        WHERE o.recipient_id = n.recipient_id AND o.created_at > now() - interval '3 days'
          AND o.recipient_type = n.recipient_type AND o.channel = n.channel
          AND o.event <> ALL(${UNCOUNTED}::text[])
          AND CASE WHEN n.event = ANY(${APART}::text[]) THEN o.event = n.event ELSE o.event <> ALL(${APART}::text[]) END
          AND (o.sent_at > now() - interval '24 hours' OR (o.status = 'SENDING'
            AND o.id <> ALL(${notificationIds}::text[]) AND o.lease_until < n.lease_until)))`.as('count'),
    ])
    .execute();

/** A batch's own share of the day: asked once for each message that is about to be sent. */
export interface Day {
  /** Null: it may go. */
  refusal(row: ClaimedNotification): Verdict | null;
}
export const DAILY_LIMIT = 'DAILY_LIMIT';

/** `taken` by the id of a message, as `loadTaken` answers. */
export function createDay(caps: MessageCaps | undefined, taken: ReadonlyMap<string, { readonly count: number }>): Day {
  const passed = new Map<string, number>();
  return {
    refusal(row) {
      const cap = caps === undefined ? null : messageCapOf(caps, row.recipientType, row.channel);
      if (cap === null || UNCOUNTED.includes(row.event)) return null;
      const kind = APART.includes(row.event) ? row.event : 'others';
      const group = [row.recipientType, row.recipientId, row.channel, kind].join(' ');
      const own = passed.get(group) ?? 0;
      if ((taken.get(row.id)?.count ?? 0) + own >= cap) return { status: 'BLOCKED', reason: DAILY_LIMIT };
      passed.set(group, own + 1);
      return null;
    },
  };
}
