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
  /** Why it stops. */
  readonly code: string;
}

/**
 * Of one group and hour (UTC) the first goes at once. Those that follow in a quarter of an hour share the other text, if there is one:
 * it says how things stand when it goes. A saga that stops again within the hour for the same reason is told no more, unless
 * what it was gathered for was dropped, as none stood still at that moment.
 */
export async function enqueueFirstOfHour(
  tx: Tx,
  group: string,
  about: About,
  [first, further]: readonly [OrderedText, OrderedText?],
): Promise<void> {
  const key = sql<string>`${`maintenance-${group}-`}::text || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24')`;
  if (await wasTold(tx, about)) {
    if (further === undefined || !(await wasDropped(tx, key))) return;
  } else if ((await insertNotifications(tx, [rowOf(first, about, key)])).length > 0 || further === undefined) return;
  const quarter = sql<string>`${key} || '-further-' || floor(extract(minute FROM now()) / ${GATHERED_MINUTES}::int)`;
  const dueAt = sql<Date>`now() + ${GATHERED_MINUTES}::int * interval '1 minute'`;
  await insertNotifications(tx, [{ ...rowOf(further, about, quarter), due_at: dueAt }]);
}

/** The last gathered text of the hour found nobody to tell of. */
async function wasDropped(tx: Tx, key: RawBuilder<string>): Promise<boolean> {
  const { rows } = await sql<{ status: string }>`
    SELECT status FROM notification WHERE effect_key IN (SELECT ${key} || '-further-' || n FROM generate_series(0, 3) n)
     ORDER BY created_at DESC LIMIT 1`.execute(tx);
  return rows[0]?.status === 'SKIPPED';
}

/** It has stopped for this before within the hour; that it stops now is not in its trail yet. */
async function wasTold(tx: Tx, { sagaId, code }: About): Promise<boolean> {
  const stopped = await tx
    .selectFrom('audit_log')
    .select('seq')
    .where('saga_id', '=', sagaId)
    .where('event', '=', 'SAGA_PARKED')
    .where(sql<boolean>`body::jsonb #>> '{details,code}' = ${code}`)
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
