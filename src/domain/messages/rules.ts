import type { Selectable } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { Channel, MessageRuleTable } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { replanReminders } from '../reservations/store.ts';
import type { QuietHours } from './quiet-hours.ts';

/** Rules for every message: one row, read at every sending, so a change holds from the next one on. */
export interface MessageRules {
  readonly quiet: QuietHours;
  /** Hours after a departure before the guest is asked for a review. */
  readonly reviewDelayHours: number;
  /** Also when something was broken and is not mended yet. */
  readonly reviewDespiteIncident: boolean;
}
export interface MessageRuleChange {
  /** Local `HH:MM`. */
  readonly quietFrom?: string | undefined;
  readonly quietTo?: string | undefined;
  readonly lastCall?: string | undefined;
  readonly quietChannels?: Channel[] | undefined;
  readonly reviewDelayHours?: number | undefined;
  readonly reviewDespiteIncident?: boolean | undefined;
  /** Local `HH:MM` at the property. */
  readonly digestTime?: string | undefined;
}

const ruleView = (row: Selectable<MessageRuleTable>) => ({
  quietFrom: row.quiet_from,
  quietTo: row.quiet_to,
  lastCall: row.last_call,
  quietChannels: row.quiet_channels,
  reviewDelayHours: row.review_delay_hours,
  reviewDespiteIncident: row.review_despite_incident,
  digestTime: row.digest_time,
});
export type MessageRuleView = ReturnType<typeof ruleView>;

/** The rules as the API shows them; times are local `HH:MM`. */
export const readMessageRuleView = async (db: Db | Tx): Promise<MessageRuleView> =>
  ruleView(await db.selectFrom('message_rule').selectAll().executeTakeFirstOrThrow());

/** The rules as planning and delivery take them: quiet hours (domain.md 12) and reviews. */
export async function readMessageRules(db: Db | Tx): Promise<MessageRules> {
  const { quietFrom, quietTo, lastCall, quietChannels, digestTime: _, ...review } = await readMessageRuleView(db);
  return { quiet: { from: quietFrom, to: quietTo, lastCall, channels: quietChannels }, ...review };
}

/** Throws `VALIDATION_FAILED` for a last call in the quiet hours. Reminders that are planned already move along. */
export async function changeMessageRules(tx: Tx, change: MessageRuleChange, author: Author): Promise<MessageRuleView> {
  const before = await tx.selectFrom('message_rule').selectAll().forUpdate().executeTakeFirstOrThrow();
  const row = await tx
    .updateTable('message_rule')
    .set({
      quiet_from: change.quietFrom,
      quiet_to: change.quietTo,
      last_call: change.lastCall,
      quiet_channels: change.quietChannels,
      review_delay_hours: change.reviewDelayHours,
      review_despite_incident: change.reviewDespiteIncident,
      digest_time: change.digestTime,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  if (isQuiet(row.last_call, row.quiet_from, row.quiet_to)) {
    const issues = [{ path: 'lastCall', message: 'must be outside the quiet hours' }];
    throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
  }
  await replanReminders(tx, {});
  await recordChange(tx, author, {
    noun: 'notification-rules',
    id: 'notification-rules',
    event: 'NOTIFICATION_RULES_UPDATED',
    fields: fieldsOf(change),
    changes: changesOf('message_rule', before, row),
    version: 1,
  });
  return ruleView(row);
}

/** Times of one form compare as text. */
const isQuiet = (time: string, from: string, to: string): boolean =>
  from <= to ? time >= from && time < to : time >= from || time < to;
