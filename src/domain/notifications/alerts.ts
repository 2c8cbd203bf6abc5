import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { newId } from '../../kernel/ids.ts';
import type { OrderedText } from './enqueue.ts';

/** Alerts of one group share one message an hour (features ERR-4). */
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

/** Params of its row: `SystemAlertParams`. */
export const systemAlertMessage = (): OrderedText => ({
  event: 'SYSTEM_ALERT',
  template: 'system-alert.ops@1',
  channel: 'EMAIL',
  recipientType: 'OPS',
  recipientId: 'ops',
});
/** What can be done about it is told by what it is about: a saga, a refund, a task, or something else of that name. */
export const systemAlertAbout = ({ sagaId, code }: SystemAlertParams): OrderedText => {
  if (code === 'MANUAL_REQUIRED') return { ...systemAlertMessage(), template: 'refund-alert.ops@1' };
  if (sagaId.startsWith('saga-')) return systemAlertMessage();
  return sagaId.startsWith('task-') ? taskAlertMessage() : { ...systemAlertMessage(), template: 'notice-alert.ops@1' };
};
/** The same about a task, whose id stands in `sagaId`. */
export const taskAlertMessage = (): OrderedText => ({ ...systemAlertMessage(), template: 'task-alert.ops@1' });
export interface SystemAlertParams {
  readonly sagaName: string;
  readonly step: string | null;
  readonly code: string;
  readonly sagaId: string;
}
