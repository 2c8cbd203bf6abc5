import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { MATRIX } from './matrix-table.ts';
import { SHORT } from './templates.ts';

/** What goes to guests over both channels: one may stand in for the other. */
const BOTH = MATRIX.filter(({ recipientType, channels }) => recipientType === 'GUEST' && channels.length > 1).map(
  ({ event }) => event,
);

/**
 * Messages that could not be sent go over the other channel, once, if they have not been ordered over it anyway (domain.md
 * 12). Answers how many.
 */
export async function fallBack(db: Db, failedIds: readonly string[]): Promise<number> {
  if (failedIds.length === 0) return 0;
  const { numAffectedRows } = await sql`
    INSERT INTO notification (id, effect_key, saga_id, reservation_id, task_id, event, template, channel, recipient_type, recipient_id, params,
                              not_after, fallback_of)
    SELECT 'notification-' || gen_random_uuid(), n.effect_key || '-instead', n.saga_id, n.reservation_id, n.task_id, n.event,
           CASE n.channel WHEN 'EMAIL' THEN coalesce(${JSON.stringify(SHORT)}::jsonb ->> n.template, n.template) ELSE n.template END,
           CASE n.channel WHEN 'SMS' THEN 'EMAIL' ELSE 'SMS' END, n.recipient_type, n.recipient_id, n.params, n.not_after, n.id
      FROM notification n
     WHERE n.id = ANY(${failedIds}::text[]) AND n.status = 'FAILED' AND n.recipient_type = 'GUEST' AND n.event = ANY(${BOTH}::text[])
       AND n.fallback_of IS NULL AND n.resend_of IS NULL
       AND NOT EXISTS (SELECT FROM notification o WHERE o.reservation_id = n.reservation_id AND o.event = n.event
         AND o.recipient_id = n.recipient_id AND o.channel <> n.channel AND o.saga_id IS NOT DISTINCT FROM n.saga_id)
    ON CONFLICT (effect_key) DO NOTHING`.execute(db);
  return Number(numAffectedRows ?? 0n);
}
