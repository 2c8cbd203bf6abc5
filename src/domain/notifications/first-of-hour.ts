import { type RawBuilder, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { NOTIFICATION, newId } from '../../kernel/ids.ts';
import type { OrderedText } from './enqueue.ts';
import { insertNotifications } from './store/order.ts';

/** Those that follow are gathered for this long. */
const GATHERED_MINUTES = 15;

interface About {
  readonly sagaId: string;
  readonly reservationId: string;
}

/**
 * Of one group and hour (UTC) the first goes at once. Those that follow in a quarter of an hour share the other text, if there is one:
 * it says how things stand when it goes. A saga that stops again within the hour is told no more.
 */
export async function enqueueFirstOfHour(
  tx: Tx,
  group: string,
  about: About,
  [first, further]: readonly [OrderedText, OrderedText?],
): Promise<void> {
  if (await wasTold(tx, about)) return;
  const key = sql<string>`${`maintenance-${group}-`}::text || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24')`;
  const told = await insertNotifications(tx, [rowOf(first, about, key)]);
  if (told.length > 0 || further === undefined) return;
  const quarter = sql<string>`${key} || '-further-' || floor(extract(minute FROM now()) / ${GATHERED_MINUTES}::int)`;
  const dueAt = sql<Date>`now() + ${GATHERED_MINUTES}::int * interval '1 minute'`;
  await insertNotifications(tx, [{ ...rowOf(further, about, quarter), due_at: dueAt }]);
}

/** It has stopped before within the hour; that it stops now is not in its trail yet. */
async function wasTold(tx: Tx, { sagaId }: About): Promise<boolean> {
  const stopped = await tx
    .selectFrom('audit_log')
    .select('seq')
    .where('saga_id', '=', sagaId)
    .where('event', '=', 'SAGA_PARKED')
    .where('at', '>=', sql<Date>`date_trunc('hour', now(), 'UTC')`)
    .limit(1)
    .executeTakeFirst();
  return stopped !== undefined;
}

const rowOf = (text: OrderedText, { sagaId, reservationId }: About, key: RawBuilder<string>) => ({
  id: newId(NOTIFICATION),
  effect_key: key,
  saga_id: sagaId,
  reservation_id: reservationId,
  event: text.event,
  template: text.template,
  channel: text.channel,
  recipient_type: text.recipientType,
  recipient_id: text.recipientId,
  params: JSON.stringify(text.params ?? {}),
});
