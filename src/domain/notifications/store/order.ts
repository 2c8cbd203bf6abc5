import { type InsertObject, type QueryCreator, type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from '../../../db/client.ts';
import type { FusedDatabase } from '../../../db/fused.ts';
import type { Database } from '../../../db/schema.ts';
import { NOTIFICATION } from '../../../kernel/ids.ts';
import { mayMove } from './states.ts';

/** New notifications. A row's `effect_key` is unique: the same order again changes nothing. */

const NEW_ID = sql`${`${NOTIFICATION}-`}::text || time_ordered_uuid()`;

const COLUMNS = [
  'id',
  'effect_key',
  'saga_id',
  'reservation_id',
  'task_id',
  'event',
  'template',
  'channel',
  'recipient_type',
  'recipient_id',
  'params',
] as const;
const MESSAGE = sql`m(id text, key text, "taskId" text, "reservationId" text, event text, template text, channel text,
  "recipientType" text, "recipientId" text, params jsonb)`;
const FIELDS = sql`m."taskId", m.event, m.template, m.channel, m."recipientType", m."recipientId", m.params`;

/** In the statement of a step: `messages` is the JSON of `OrderedMessage`s, `reservationId` an expression on `m` and `guard`. */
export const insertFromStep = (
  db: QueryCreator<FusedDatabase>,
  messages: RawBuilder<unknown>,
  reservationId: RawBuilder<unknown>,
) =>
  db
    .insertInto('notification')
    .columns([...COLUMNS])
    .expression(
      sql`SELECT m.id, m.key, guard.saga_id, ${reservationId}, ${FIELDS}
        FROM "guard" AS guard, jsonb_to_recordset(${messages}) AS ${MESSAGE}`,
    )
    .onConflict((conflict) => conflict.column('effect_key').doNothing());

/** Texts that take back what was sent, in SQL: the event, and rows of a recipient type and a template. */
export interface TakeBack {
  readonly event: RawBuilder<unknown>;
  readonly texts: RawBuilder<unknown>;
}

/** In a saga about a stay: to everybody to whom the saga's messages went, or are going, over the same channels. */
export const takeBackMessages = (db: QueryCreator<FusedDatabase>, { event, texts }: TakeBack) =>
  db
    .insertInto('notification')
    .columns([
      'id',
      'effect_key',
      'saga_id',
      'reservation_id',
      'event',
      'template',
      'channel',
      'recipient_type',
      'recipient_id',
    ])
    .expression(
      sql`SELECT ${NEW_ID}, guard.effect_key || '-' || n.channel || '-' || n.recipient_type, guard.saga_id, n.reservation_id,
          ${event}, b.template, n.channel, n.recipient_type, n.recipient_id
        FROM "guard" AS guard JOIN notification n ON n.reservation_id = guard.subject_id AND n.saga_id = guard.saga_id
          AND n.status IN ('SENDING', 'SENT', 'DELIVERED')
        JOIN ${texts} AS b(recipient_type, template) ON b.recipient_type = n.recipient_type`,
    )
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .returning(['id']);

/** Of a key that is not there yet. */
export const insertNotification = async (db: Db | Tx, row: InsertObject<Database, 'notification'>) =>
  await db.insertInto('notification').values(row).returningAll().executeTakeFirstOrThrow();

/** Answers the rows that were not there before. */
export const insertNotifications = async (db: Db | Tx, rows: readonly InsertObject<Database, 'notification'>[]) =>
  rows.length === 0
    ? []
    : await db
        .insertInto('notification')
        .values([...rows])
        .onConflict((conflict) => conflict.column('effect_key').doNothing())
        .returningAll()
        .execute();

/**
 * `insertWithdrawal` for the rows of a statement that have `id`, `version` and `reservation_id` of a task and `assignee_id`,
 * the person who lost it. The key is the one of `notifyReleased`.
 */
export const insertWithdrawals = (
  db: QueryCreator<FusedDatabase>,
  rows: RawBuilder<unknown>,
  { event, template, channel, recipientType }: Omit<TaskText, 'id' | 'taskId' | 'recipientId'>,
) =>
  db
    .insertInto('notification')
    .columns([...WITHDRAWAL_COLUMNS])
    .expression(
      sql`SELECT ${NEW_ID}, t.id || ${WITHDRAWN}::text || t.version || ${`-${channel}-${recipientType}-`}::text || t.id,
          t.reservation_id, t.id, ${event}::text, ${template}::text, ${channel}::text, ${recipientType}::text, t.assignee_id
        FROM (${rows}) AS t`,
    )
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .returning(['id']);

/** Between the id and the version of a task in the effect key of a message that it was taken from its assignee. */
export const WITHDRAWN = '-withdrawn-';
const WITHDRAWAL_COLUMNS = [
  'id',
  'effect_key',
  'reservation_id',
  'task_id',
  'event',
  'template',
  'channel',
  'recipient_type',
  'recipient_id',
] as const;

export interface TaskText {
  readonly id: string;
  readonly taskId: string;
  readonly event: string;
  readonly template: string;
  readonly channel: string;
  readonly recipientType: string;
  readonly recipientId: string;
}
/** That a task was taken from its assignee; keyed by its version, as a person may lose the same task more than once. */
export async function insertWithdrawal(tx: Tx, text: TaskText): Promise<void> {
  const { id, taskId, event, template, channel, recipientType, recipientId } = text;
  await tx
    .insertInto('notification')
    .columns([...WITHDRAWAL_COLUMNS])
    .expression(
      sql`SELECT ${id}, t.id || '-withdrawn-' || ${recipientId}::text || '-' || t.version, t.reservation_id, t.id,
          ${event}, ${template}, ${channel}, ${recipientType}, ${recipientId}
        FROM task t WHERE t.id = ${taskId}`,
    )
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .execute();
}

export interface PlannedRow {
  readonly id: string;
  readonly key: string;
  readonly reservationId: string;
  readonly event: string;
  readonly template: string;
  readonly channel: string;
  readonly recipientType: string;
  readonly recipientId: string;
  /** ISO instants. */
  readonly dueAt: string;
  readonly notAfter: string;
  readonly rule: string;
  readonly status: string;
  readonly reason: string | null;
}
/** Reminders as they are planned now. One that was attempted stays as it is. */
export async function upsertPlanned(tx: Tx, rows: readonly PlannedRow[]): Promise<void> {
  await sql`
    INSERT INTO notification AS n (id, effect_key, reservation_id, event, template, channel, recipient_type, recipient_id,
                                   due_at, not_after, due_rule, status, reason)
    SELECT id, key, "reservationId", event, template, channel, "recipientType", "recipientId", "dueAt", "notAfter", rule, status, reason
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
           AS i(id text, key text, "reservationId" text, event text, template text, channel text, "recipientType" text, "recipientId" text,
                "dueAt" timestamptz, "notAfter" timestamptz, rule text, status text, reason text)
    ON CONFLICT (effect_key) DO UPDATE
       SET due_at = excluded.due_at, not_after = excluded.not_after, due_rule = excluded.due_rule, status = excluded.status,
           reason = excluded.reason, recipient_id = excluded.recipient_id
     WHERE n.attempts = n.waits AND ${mayMove('replan', 'n')}`.execute(tx);
}

/**
 * Failed messages to guests over the other channel, once, if they have not been ordered over it anyway. `shortTexts`: the
 * text for SMS of a template that is too long for it; `events`: those that go over both channels. Answers how many.
 */
export async function insertFallbacks(
  db: Db,
  failedIds: readonly string[],
  { shortTexts, events }: { readonly shortTexts: Readonly<Record<string, string>>; readonly events: readonly string[] },
): Promise<number> {
  const { numAffectedRows } = await sql`
    INSERT INTO notification (id, effect_key, saga_id, reservation_id, task_id, event, template, channel, recipient_type, recipient_id, params,
                              not_after, fallback_of)
    SELECT ${NEW_ID}, n.effect_key || '-instead', n.saga_id, n.reservation_id, n.task_id, n.event,
           CASE n.channel WHEN 'EMAIL' THEN coalesce(${JSON.stringify(shortTexts)}::jsonb ->> n.template, n.template) ELSE n.template END,
           CASE n.channel WHEN 'SMS' THEN 'EMAIL' ELSE 'SMS' END, n.recipient_type, n.recipient_id, n.params, n.not_after, n.id
      FROM notification n
     WHERE n.id = ANY(${failedIds}::text[]) AND n.status = 'FAILED' AND n.recipient_type = 'GUEST' AND n.event = ANY(${events}::text[])
       AND n.fallback_of IS NULL AND n.resend_of IS NULL
       AND NOT EXISTS (SELECT FROM notification o WHERE o.reservation_id = n.reservation_id AND o.event = n.event
         AND o.recipient_id = n.recipient_id AND o.channel <> n.channel AND o.saga_id IS NOT DISTINCT FROM n.saga_id)
    ON CONFLICT (effect_key) DO NOTHING`.execute(db);
  return Number(numAffectedRows ?? 0n);
}

/** A message that comes closer to a digest than this goes into the one after: that one may be on its way. */
const MARGIN = sql`interval '1 minute'`;

/** Puts messages into the next digest of their recipient. Safe to run again: a digest is one by its recipient and its hour. */
export async function putIntoDigests(
  db: Db,
  notificationIds: readonly string[],
  { event, template }: { readonly event: string; readonly template: string },
): Promise<void> {
  await sql`
    WITH item AS (
      SELECT n.id, n.recipient_id, (SELECT min(at) FROM (
               SELECT ((now() + ${MARGIN}) AT TIME ZONE p.time_zone)::date + day + rule.digest_time::time AS local FROM generate_series(0, 1) day) d,
               LATERAL (SELECT d.local AT TIME ZONE p.time_zone AS at) a WHERE a.at > now() + ${MARGIN}) AS due
        FROM notification n JOIN task t ON t.id = n.task_id JOIN property p ON p.id = t.property_id, message_rule rule
       WHERE n.id = ANY(${notificationIds}::text[])),
    digest AS (
      INSERT INTO notification (id, effect_key, event, template, channel, recipient_type, recipient_id, due_at)
      SELECT DISTINCT ON (key) ${NEW_ID}, key, ${event}, ${template}, 'EMAIL', 'STAFF', recipient_id, due
        FROM (SELECT *, 'digest-' || recipient_id || '-' || extract(epoch FROM due)::bigint AS key FROM item) i
      -- So that one which is there already is returned as well.
      ON CONFLICT (effect_key) DO UPDATE SET due_at = notification.due_at
      RETURNING id, effect_key)
    UPDATE notification n SET digest_id = digest.id FROM item JOIN digest
        ON digest.effect_key = 'digest-' || item.recipient_id || '-' || extract(epoch FROM item.due)::bigint
     WHERE n.id = item.id`.execute(db);
}
