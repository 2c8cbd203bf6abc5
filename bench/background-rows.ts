import type pg from 'pg';
import { planStay, propertyClockOf, type StayTimeRow, stayDatesOf } from '../src/domain/reservations/stay-plan.ts';
import { stayId } from './seed.ts';

/** Rows that are due, as confirmations make them: the four tasks of each stay, or a mail to each stay's guest. */

export const TASKS_OF_A_STAY = 4;
const STAYS_AT_ONCE = 2_500;

type StayRow = StayTimeRow & {
  readonly id: string;
  readonly property_id: string;
  readonly cleaning_minutes: number;
};

/** `rows` tasks of the stays from the `from / 4`th on. */
export async function orderTasks(pool: pg.Pool, from: number, rows: number): Promise<void> {
  const end = Math.ceil((from + rows) / TASKS_OF_A_STAY);
  for (let at = Math.floor(from / TASKS_OF_A_STAY); at < end; at += STAYS_AT_ONCE) {
    const ids = Array.from({ length: Math.min(STAYS_AT_ONCE, end - at) }, (_, n) => stayId('confirm', at + n));
    const { rows: stays } = await pool.query<StayRow>(STAYS, [ids]);
    await pool.query(TASKS, [JSON.stringify(stays.flatMap(tasksOf))]);
  }
}

function tasksOf(stay: StayRow) {
  const plan = planStay(stayDatesOf(stay), propertyClockOf(stay));
  return [plan.preArrivalCleaning, plan.checkIn, plan.checkOut, plan.postDepartureCleaning].map((task) => ({
    ...task,
    id: `${stay.id}-${task.occurrence}`,
    stay: stay.id,
    property: stay.property_id,
  }));
}

/** `rows` mails to guests of stays, in turns. */
export async function orderMessages(pool: pg.Pool, from: number, rows: number): Promise<void> {
  await pool.query(MESSAGES, [from, rows]);
}

const STAYS = `SELECT r.id, r.property_id, r.check_in_date::text, r.check_out_date::text, r.planned_arrival, r.planned_departure,
  p.time_zone, p.check_in_time, p.check_out_time, p.cleaning_minutes
  FROM reservation r JOIN property p ON p.id = r.property_id WHERE r.id = ANY($1)`;
const TASKS = `INSERT INTO task (id, reservation_id, property_id, type, occurrence, title, status, scheduled_at, ends_at, must_finish_by, local_rule, effect_key)
  SELECT id, stay, property, type, occurrence, 'Bench', 'UNASSIGNED', "scheduledAt", "endsAt", "mustFinishBy", "localRule", id
    FROM jsonb_to_recordset($1::jsonb) AS t(id text, stay text, property text, type text, occurrence text, "scheduledAt" timestamptz,
      "endsAt" timestamptz, "mustFinishBy" timestamptz, "localRule" text)`;
const MESSAGES = `INSERT INTO notification (id, effect_key, reservation_id, event, template, channel, recipient_type, recipient_id)
  SELECT 'n-' || n, 'key-' || n, r.id, 'RESERVATION_CONFIRMED', 'reservation-confirmed.guest@1', 'EMAIL', 'GUEST', r.guest_id
    FROM generate_series($1::int, $1::int + $2::int - 1) n
    JOIN reservation r ON r.id = 'confirm-' || n % (SELECT count(*) FROM reservation)`;
