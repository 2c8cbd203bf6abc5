import type pg from 'pg';
import type { PlannedTask } from '../src/domain/reservations/stay-plan.ts';
import { newId } from '../src/kernel/ids.ts';

/**
 * What the eight steps of confirmReservation do to the database, and what undoes it, for one saga and without guard or
 * record: the same reads, rows and constraint checks as the statements in src/domain. References to a saga stay null,
 * because the bare loop has none. Both schemas take them (`bare.ts`); if a migration asks for others, the bare loop gets a
 * copy of its own, and the reference keeps these.
 */

export const STEP_TABLE = `CREATE TABLE bench_step (
  saga_id text NOT NULL, step_no int NOT NULL, direction char(1) NOT NULL, status text NOT NULL, result jsonb,
  finished_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (saga_id, step_no, direction))`;

const query = (name: string, text: string, values: readonly unknown[]): pg.QueryConfig => ({
  name,
  text,
  values: [...values],
});

export const record = (saga: string, step: number, direction: string, status: string, result: unknown) =>
  query('record', 'INSERT INTO bench_step (saga_id, step_no, direction, status, result) VALUES ($1, $2, $3, $4, $5)', [
    saga,
    step,
    direction,
    status,
    JSON.stringify(result),
  ]);

const TAKEN = `SELECT 1 FROM reservation o WHERE o.property_id = r.property_id AND o.status IN ('CONFIRMED', 'CHECKED_IN')`;
export const validate = (stay: string, requestedAt: Date) =>
  query(
    'validate',
    `SELECT r.status, r.property_id, r.guest_id, r.check_in_date::text, r.check_out_date::text, r.currency, r.total_minor,
       p.owner_id, p.time_zone, p.check_in_time, p.check_out_time, p.cleaning_minutes, coalesce(g.phone, '') <> '' AS guest_has_phone,
       EXISTS (${TAKEN} AND o.id <> r.id AND o.stay && r.stay) AS taken,
       EXISTS (${TAKEN} AND o.check_in_date = r.check_out_date) AS next_on_check_out,
       (SELECT d.version FROM income_distribution d WHERE d.set_at <= $2 OR d.version = 1 ORDER BY d.version DESC LIMIT 1) AS distribution_version
       FROM reservation r JOIN property p ON p.id = r.property_id LEFT JOIN guest g ON g.id = r.guest_id WHERE r.id = $1`,
    [stay, requestedAt],
  );

export const confirm = (stay: string, requestedAt: Date, distributionVersion: number) =>
  query(
    'confirm',
    `UPDATE reservation SET status = 'CONFIRMED', version = version + 1, confirmed_at = $2, distribution_version = $3
      WHERE id = $1 AND status = 'PENDING' RETURNING status, version`,
    [stay, requestedAt, distributionVersion],
  );
export const unconfirm = (stay: string, version: number) =>
  query(
    'unconfirm',
    `UPDATE reservation SET status = 'PENDING', version = version + 1, confirmed_at = NULL, distribution_version = NULL
      WHERE id = $1 AND status = 'CONFIRMED' AND version = $2 RETURNING version`,
    [stay, version],
  );

const OPEN = `('UNASSIGNED', 'ASSIGNED')`;
const PREVIOUS_CLEANING = `(SELECT t.id FROM reservation p JOIN task t ON t.reservation_id = p.id
  WHERE p.property_id = r.property_id AND p.check_out_date = r.check_in_date AND p.status IN ('CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT')
    AND t.type = 'CLEANING' AND t.occurrence = 'POST_DEPARTURE' AND t.status IN ${OPEN} ORDER BY p.id LIMIT 1)`;
const retimed = (
  column: string,
): string => `${column} = CASE WHEN task.status IN ${OPEN} AND NOT 'scheduledDate' = ANY(task.manual_fields)
  THEN excluded.${column} ELSE task.${column} END`;
const insertTask = (mergeInto: string): string => `
  INSERT INTO task (id, reservation_id, property_id, type, occurrence, title, status, priority, scheduled_at, ends_at, must_finish_by,
    local_rule, merged_into_task_id, effect_key)
  SELECT $3, r.id, r.property_id, $4, $5, CASE $5 WHEN 'PRE_ARRIVAL' THEN 'Pre-arrival cleaning' WHEN 'POST_DEPARTURE' THEN 'Post-departure cleaning'
      WHEN 'ARRIVAL' THEN 'Check-in for ' || coalesce(g.name, 'guest') ELSE 'Check-out for ' || coalesce(g.name, 'guest') END,
    CASE WHEN turnover.id IS NULL THEN 'UNASSIGNED' ELSE 'MERGED' END,
    CASE WHEN $6::timestamptz < $2::timestamptz THEN 'URGENT' WHEN $8::timestamptz IS NOT NULL AND $5 = 'POST_DEPARTURE' THEN 'HIGH' ELSE 'NORMAL' END,
    $6::timestamptz, $7::timestamptz, $8::timestamptz, $9, turnover.id, $10
    FROM reservation r LEFT JOIN guest g ON g.id = r.guest_id LEFT JOIN LATERAL (SELECT ${mergeInto} AS id) turnover ON true WHERE r.id = $1
  ON CONFLICT (reservation_id, type, occurrence) WHERE status <> 'CANCELLED' DO UPDATE SET ${retimed('scheduled_at')}, ${retimed('ends_at')},
    must_finish_by = CASE WHEN task.status IN ${OPEN} THEN excluded.must_finish_by ELSE task.must_finish_by END, version = task.version + 1
  RETURNING id, status, assignee_id`;
const valuesOf = (stay: string, requestedAt: Date, task: PlannedTask, key: string): readonly unknown[] => [
  stay,
  requestedAt,
  newId('task'),
  task.type,
  task.occurrence,
  task.scheduledAt,
  task.endsAt,
  task.mustFinishBy,
  task.localRule,
  key,
];

export const stayTask = (...values: Parameters<typeof valuesOf>) =>
  query('stay-task', insertTask('NULL::text'), valuesOf(...values));
export const preArrivalCleaning = (...values: Parameters<typeof valuesOf>) =>
  query(
    'pre-arrival-cleaning',
    `WITH effect AS (${insertTask(PREVIOUS_CLEANING)}), also AS (
       UPDATE task SET must_finish_by = $8::timestamptz, priority = 'HIGH', version = task.version + 1 FROM reservation r
        WHERE r.id = $1 AND task.id = ${PREVIOUS_CLEANING} RETURNING task.id)
     SELECT * FROM effect`,
    valuesOf(...values),
  );
export const postCleaning = (...values: Parameters<typeof valuesOf>) =>
  query(
    'post-cleaning',
    `WITH effect AS (${insertTask('NULL::text')}), also AS (
       UPDATE task SET status = 'MERGED', assignee_id = NULL, merged_into_task_id = $3, version = task.version + 1
         FROM reservation r JOIN reservation n ON n.property_id = r.property_id AND n.check_in_date = r.check_out_date
        WHERE r.id = $1 AND n.status IN ('CONFIRMED', 'CHECKED_IN') AND task.reservation_id = n.id AND task.type = 'CLEANING'
          AND task.occurrence = 'PRE_ARRIVAL' AND task.status IN ${OPEN}
          AND NOT EXISTS (SELECT FROM task own WHERE own.reservation_id = r.id AND own.type = 'CLEANING' AND own.occurrence = 'POST_DEPARTURE'
            AND own.status <> 'CANCELLED') RETURNING task.id)
     SELECT * FROM effect`,
    valuesOf(...values),
  );

const WITHDRAW = `UPDATE task SET status = 'CANCELLED', merged_into_task_id = NULL, deleted_at = now(), version = version + 1
  WHERE effect_key = $1 AND status NOT IN ('CANCELLED', 'COMPLETED') RETURNING id`;
export const withdrawTask = (key: string) => query('withdraw', WITHDRAW, [key]);
export const withdrawPreArrivalCleaning = (key: string) =>
  query(
    'withdraw-pre',
    `WITH effect AS (${WITHDRAW}), also AS (
       UPDATE task SET must_finish_by = NULL, priority = 'NORMAL', version = task.version + 1 FROM task own
        WHERE own.effect_key = $1 AND task.id = own.merged_into_task_id RETURNING task.id)
     SELECT * FROM effect`,
    [key],
  );
export const withdrawPostCleaning = (key: string) =>
  query(
    'withdraw-post',
    `WITH effect AS (${WITHDRAW}), also AS (
       UPDATE task SET status = 'UNASSIGNED', merged_into_task_id = NULL, next_assign_at = now(), version = task.version + 1 FROM task own
        WHERE own.effect_key = $1 AND task.merged_into_task_id = own.id AND task.status = 'MERGED' RETURNING task.id)
     SELECT * FROM effect`,
    [key],
  );

export interface Due {
  readonly ownerId: string;
  readonly amountMinor: string;
  readonly currency: string;
  readonly distributionVersion: number;
}
export const amountDue = (stay: string, key: string, due: Due) =>
  query(
    'amount-due',
    `INSERT INTO transaction (id, type, status, reservation_id, owner_id, amount_minor, outstanding_minor, currency, distribution_version, effect_key)
     VALUES ($1, 'GUEST_PAYMENT', 'PENDING', $2, $3, $4::bigint, $4::bigint, $5, $6, $7) RETURNING id`,
    [newId('transaction'), stay, due.ownerId, due.amountMinor, due.currency, due.distributionVersion, key],
  );
export const cancelAmountDue = (key: string) =>
  query(
    'cancel-amount-due',
    `UPDATE transaction SET status = 'CANCELLED', outstanding_minor = 0, cancelled_at = now(), version = version + 1
      WHERE effect_key = $1 AND status = 'PENDING' RETURNING id`,
    [key],
  );

export interface Told {
  readonly guestId: string;
  readonly hasPhone: boolean;
  readonly ownerId: string;
}
export function notify(stay: string, key: string, { guestId, hasPhone, ownerId }: Told) {
  const message = (channel: string, recipientType: string, recipientId: string, event: string, template: string) => ({
    ...{ id: newId('notification'), key: `${key}-${channel}-${recipientType}` },
    ...{ event, template, channel, recipientType, recipientId },
  });
  const toGuest = (channel: string) =>
    message(channel, 'GUEST', guestId, 'RESERVATION_CONFIRMED', 'reservation-confirmed.guest@1');
  const messages = [
    toGuest('EMAIL'),
    ...(hasPhone ? [toGuest('SMS')] : []),
    message('EMAIL', 'OWNER', ownerId, 'NEW_RESERVATION', 'new-reservation.owner@1'),
  ];
  return query(
    'notify',
    `INSERT INTO notification (id, effect_key, reservation_id, event, template, channel, recipient_type, recipient_id)
     SELECT m.id, m.key, $1, m.event, m.template, m.channel, m."recipientType", m."recipientId"
       FROM jsonb_to_recordset($2::jsonb) AS m(id text, key text, event text, template text, channel text, "recipientType" text, "recipientId" text)
     ON CONFLICT (effect_key) DO NOTHING RETURNING id`,
    [stay, JSON.stringify(messages)],
  );
}
