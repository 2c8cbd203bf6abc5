import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { newId } from '../../kernel/ids.ts';
import { type SystemAlertParams, systemAlertAbout } from './matrix.ts';

/** Alerts of one group share one message an hour. */
export async function raiseSystemAlert(db: Db, group: string, params: SystemAlertParams): Promise<void> {
  const { event, template, channel, recipientType, recipientId } = systemAlertAbout(params);
  await db
    .insertInto('notification')
    .values({
      id: newId('notification'),
      effect_key: sql<string>`${`alert-${group}-`}::text || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24')`,
      event,
      template,
      channel,
      recipient_type: recipientType,
      recipient_id: recipientId,
      params: JSON.stringify(params),
    })
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .execute();
}
