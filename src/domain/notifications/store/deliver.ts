import { type Expression, type RawBuilder, sql } from 'kysely';
import type { Db } from '../../../db/client.ts';
import { retryContention } from '../../../db/errors.ts';
import { inEachPartition } from '../../../db/partitions.ts';
import type { NotificationStatus } from '../../../db/schema.ts';
import { mayMove } from './states.ts';

/** Attempts to send: claimed under a lease, settled under a fence. `notification_content` is written with the outcome. */

/**
 * Takes the rows that `due` selects and locks, for so many seconds. `due` asks for those that wait and those whose lease
 * has ended; `marked` is read with each row `n`.
 */
export const claimRows = (
  db: Db,
  due: Expression<{ readonly id: string; readonly status: NotificationStatus }>,
  { leaseSeconds, marked }: { readonly leaseSeconds: number; readonly marked: RawBuilder<boolean> },
) =>
  db
    // Materialised, so that the limit is applied once and not once per row joined to it.
    .with(
      (cte) => cte('due').materialized(),
      () => due,
    )
    .updateTable('notification as n')
    .from('due')
    .whereRef('n.id', '=', 'due.id')
    .set((eb) => ({
      status: 'SENDING',
      attempts: eb('n.attempts', '+', 1),
      lease_until: sql<Date>`now() + make_interval(secs => ${leaseSeconds})`,
    }))
    .returning([
      'n.id',
      'n.effect_key as effectKey',
      'n.event',
      'n.template',
      'n.channel',
      'n.recipient_type as recipientType',
      'n.recipient_id as recipientId',
      'n.attempts',
      'n.waits',
      sql<boolean>`due.status = 'SENDING'`.as('isTakenOver'),
      marked.as('wasSetAside'),
    ])
    .execute();

export interface SettledRow {
  readonly id: string;
  /** The fence: only the attempt that the row still names is settled. */
  readonly attempts: number;
  readonly status: NotificationStatus;
  readonly reason: string | null;
  readonly provider_id: string | null;
  /** Until when it was only put off. */
  readonly until: Date | null;
}

/**
 * Writes the outcomes of a claimed batch in one statement. Answers how many counted. Nobody else writes the content of a message whose row
 * this has: to look for it costs less than a conflict that could be met.
 */
export async function settleRows(
  db: Db,
  rows: readonly SettledRow[],
  { firstBackoffSeconds, backoffFactor }: { readonly firstBackoffSeconds: number; readonly backoffFactor: number },
): Promise<number> {
  const { rows: settled } = await retryContention(() =>
    sql`
      WITH v AS (SELECT * FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
             AS v(id text, attempts int, status text, reason text, provider_id text, until timestamptz, locale text, "wantedLocale" text,
                  version int, subject text, body text, hash text, "toldStart" text)),
      settled AS (UPDATE notification n
         SET status = v.status, reason = v.reason, provider_id = v.provider_id, lease_until = NULL,
             sent_at = CASE WHEN v.status = 'SENT' THEN now() END,
             locale = v.locale, wanted_locale = v."wantedLocale", template_version = v.version, body_hash = decode(v.hash, 'hex'),
             params = n.params || CASE WHEN v."toldStart" IS NULL THEN '{}' ELSE jsonb_build_object('toldStart', v."toldStart") END,
             waits = n.waits + (v.until IS NOT NULL)::int,
             due_at = CASE WHEN v.status <> 'QUEUED' THEN n.due_at WHEN v.until IS NOT NULL THEN v.until ELSE now() + make_interval(secs =>
               ${firstBackoffSeconds}::float8 * power(${backoffFactor}::float8, v.attempts - n.waits - 1) * (0.8 + 0.4 * random())) END
        FROM v WHERE n.id = v.id AND ${mayMove('settle', 'n')} AND n.attempts = v.attempts RETURNING n.id),
      said AS (INSERT INTO notification_content (notification_id, subject, body)
        SELECT v.id, v.subject, v.body FROM v JOIN settled USING (id) WHERE v.body IS NOT NULL
          AND NOT EXISTS (SELECT FROM notification_content c WHERE c.notification_id = ${inEachPartition(sql`v.id`)}))
      SELECT id FROM settled`.execute(db),
  );
  return settled.length;
}

/** Gives claimed rows back, with the attempt that they have not used, for so many seconds later. */
export async function handBackRows(
  db: Db,
  rows: readonly { readonly id: string; readonly attempts: number }[],
  seconds: number,
): Promise<void> {
  await sql`
    UPDATE notification n SET status = 'QUEUED', lease_until = NULL, waits = n.waits + 1, due_at = now() + ${seconds}::int * interval '1 second'
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) AS v(id text, attempts int)
     WHERE n.id = v.id AND ${mayMove('handBack', 'n')} AND n.attempts = v.attempts`.execute(db);
}
