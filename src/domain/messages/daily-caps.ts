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
 * For each message how many have been sent to its recipient, or are being sent by a worker that took them before, `most` at the most:
 * beyond its cap it does not matter. A look at three days of one recipient: what was ordered earlier, such as a reminder, is not counted.
 * Messages that were claimed together and count as one kind for one recipient are counted for once.
 */
export async function loadTaken(
  db: Db,
  notificationIds: readonly string[],
  most: number,
): Promise<readonly { readonly id: string; readonly count: number }[]> {
  const { rows } = await sql<{ ids: readonly string[]; count: number }>`
    WITH asked AS MATERIALIZED (
      SELECT n.recipient_id, n.recipient_type, n.channel, n.lease_until, CASE WHEN n.event = ANY(${APART}::text[]) THEN n.event END AS apart,
             array_agg(n.id) AS ids
        FROM notification n WHERE n.id = ANY(${notificationIds}::text[]) GROUP BY 1, 2, 3, 4, 5)
    SELECT a.ids, taken.count FROM asked a CROSS JOIN LATERAL (SELECT count(*)::int FROM (
      SELECT FROM notification o
       WHERE o.recipient_id = a.recipient_id AND o.created_at > now() - interval '3 days'
         AND o.recipient_type = a.recipient_type AND o.channel = a.channel
         AND o.event <> ALL(${UNCOUNTED}::text[])
         AND CASE WHEN a.apart IS NULL THEN o.event <> ALL(${APART}::text[]) ELSE o.event = a.apart END
         AND (o.sent_at > now() - interval '24 hours' OR (o.status = 'SENDING'
           AND o.id <> ALL(${notificationIds}::text[]) AND o.lease_until < a.lease_until))
       LIMIT ${most}::int) o) taken`.execute(db);
  return rows.flatMap(({ ids, count }) => ids.map((id) => ({ id, count })));
}

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
