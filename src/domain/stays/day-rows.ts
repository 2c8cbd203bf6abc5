import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { PaymentStatus, Readiness, ReservationStatus, TaskStatus, TaskType } from '../../db/schema.ts';
import { isStaffOf } from '../people/reach.ts';
import { type Holder, isHeldBy } from '../properties/portfolio.ts';
import { amountOutstandingOf } from '../reservations/payment-status.ts';

/** The rows of a day: a statement for the stays, one for their tasks and one for the people, however many there are. */

export interface DayAsked {
  /** `YYYY-MM-DD`, at each property its own day. */
  readonly date: string;
  readonly propertyId?: string | undefined;
  /** Whose properties are asked for. */
  readonly holder: Holder;
  /** So many properties, behind the one that is named; absent: all. The counts are of all. */
  readonly limit?: number | undefined;
  readonly after?: string | undefined;
  /** By which is told who should have left. */
  readonly now: Date;
}

export interface DayStayRow {
  readonly id: string;
  readonly kind: string;
  readonly status: ReservationStatus;
  readonly property_id: string;
  readonly property: string;
  readonly readiness: Readiness;
  readonly inspection_required: boolean;
  readonly time_zone: string;
  readonly check_in_time: string;
  readonly check_out_time: string;
  readonly check_in_date: string;
  readonly check_out_date: string;
  readonly planned_arrival: string | null;
  readonly planned_departure: string | null;
  readonly actual_check_in_at: Date | null;
  readonly actual_check_out_at: Date | null;
  readonly guest_id: string | null;
  readonly guest_name: string | null;
  readonly guest_count: number | null;
  readonly payment_status: PaymentStatus;
  readonly outstanding_minor: number;
  readonly currency: string;
  readonly arrives: boolean;
  readonly departs: boolean;
}

/** Stays of one answer, at the most. */
export const MAX_STAYS_OF_DAY = 2_000;

const departureOf = (stay: string): RawBuilder<string> =>
  sql`coalesce(${sql.ref(`${stay}.departure_date`)}, ${sql.ref(`${stay}.check_out_date`)})`;
/** A block of the calendar is nobody's stay. */
const isStay = (stay: string): RawBuilder<SqlBool> => sql`${sql.ref(`${stay}.kind`)} <> 'MAINTENANCE_BLOCK'`;
const TAKEN = sql`('CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT')`;

/**
 * Who arrives, leaves or is in the house on that day, by property and id; one more than an answer has. Of each property three looks by
 * its own indexes; nights of two stays never overlap, so who is in the house is the one who came last. Who should have left before and
 * has not is in the house, too.
 */
export async function readDayStays(
  db: Db,
  { date, propertyId, holder, now }: DayAsked,
): Promise<readonly DayStayRow[]> {
  const day = sql`${date}::date`;
  const isAsked = propertyId === undefined ? sql`true` : sql`p.id = ${propertyId}`;
  const { rows } = await sql<DayStayRow>`
    WITH around AS MATERIALIZED (
      SELECT few.id FROM property p CROSS JOIN LATERAL (
          SELECT a.id FROM reservation a WHERE a.property_id = p.id AND a.check_in_date = ${day} AND ${isStay('a')}
             AND a.status IN ('PENDING', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT')
          UNION SELECT d.id FROM reservation d WHERE d.property_id = p.id AND ${departureOf('d')} = ${day} AND ${isStay('d')}
             AND d.status IN ${TAKEN}
          UNION SELECT h.id FROM (SELECT i.id, ${departureOf('i')} AS until FROM reservation i WHERE i.property_id = p.id
                AND i.check_in_date < ${day} AND ${isStay('i')} AND i.status IN ${TAKEN} ORDER BY i.check_in_date DESC LIMIT 1) h
           WHERE h.until > ${day}) few
       WHERE ${isHeldBy(holder, 'p')} AND ${isAsked}
      UNION SELECT late.id FROM reservation late JOIN property p ON p.id = late.property_id
       WHERE late.status = ${literal('CHECKED_IN')} AND ${departureOf('late')} < ${day}
         AND ${day} <= (${now}::timestamptz AT TIME ZONE p.time_zone)::date AND ${isHeldBy(holder, 'p')} AND ${isAsked})
    SELECT r.id, r.kind, r.status, r.property_id, p.name AS property, p.readiness, p.inspection_required, p.time_zone, p.check_in_time,
           p.check_out_time, r.check_in_date, r.check_out_date, r.planned_arrival, r.planned_departure, r.actual_check_in_at,
           r.actual_check_out_at, r.guest_id, g.name AS guest_name, r.guest_count, r.payment_status,
           ${amountOutstandingOf('r')} AS outstanding_minor, r.currency,
           r.check_in_date = ${day} AS arrives, ${departureOf('r')} = ${day} AS departs
      FROM around JOIN reservation r ON r.id = around.id JOIN property p ON p.id = r.property_id LEFT JOIN guest g ON g.id = r.guest_id
     ORDER BY p.name, p.id, r.id LIMIT ${MAX_STAYS_OF_DAY + 1}::int`.execute(db);
  return rows;
}

export interface DayTaskRow {
  readonly id: string;
  readonly reservation_id: string;
  readonly type: TaskType;
  readonly occurrence: string;
  readonly status: TaskStatus;
  readonly assignee_id: string | null;
  readonly starts_at: Date;
  readonly ends_at: Date;
  readonly deadline: Date;
  /** The task that does its work as well; null: it is its own. */
  readonly merged_into: string | null;
  /** It begins on that day at its property. */
  readonly is_of_day: boolean;
}

/** Those tasks of these stays that the day shows, and the cleaning before each arrival, which says whether that is done. One that was merged has the state, the person and the times of the one that does its work. */
export async function readDayTasks(
  db: Db,
  date: string,
  stays: readonly Pick<DayStayRow, 'id' | 'arrives' | 'departs'>[],
  onlyType: TaskType | undefined,
): Promise<readonly DayTaskRow[]> {
  if (stays.length === 0) return [];
  const isOfDay = sql`(coalesce(w.slot_start, w.scheduled_at) AT TIME ZONE p.time_zone)::date = ${date}::date`;
  const [ids, arrive, depart] = [stays.map(({ id }) => id), stays.map((s) => s.arrives), stays.map((s) => s.departs)];
  const { rows } = await sql<DayTaskRow>`
    SELECT t.id, t.reservation_id, t.type, t.occurrence, w.status, w.assignee_id, coalesce(w.slot_start, w.scheduled_at) AS starts_at,
           coalesce(w.slot_end, w.ends_at) AS ends_at, coalesce(t.must_finish_by, w.must_finish_by, w.slot_end, w.ends_at) AS deadline,
           t.merged_into_task_id AS merged_into,
           ${isOfDay} AS is_of_day
      FROM unnest(${ids}::text[], ${arrive}::bool[], ${depart}::bool[]) AS s (id, arrives, departs)
      JOIN task t ON t.reservation_id = s.id JOIN task w ON w.id = coalesce(t.merged_into_task_id, t.id) JOIN property p ON p.id = t.property_id
     WHERE t.deleted_at IS NULL AND t.status NOT IN ('CANCELLED', 'OVERTAKEN')
       AND ${onlyType === undefined ? sql`true` : sql`t.type = ${literal(onlyType)}`}
       AND (t.occurrence = 'PRE_ARRIVAL' OR (s.arrives AND t.occurrence = 'ARRIVAL')
         OR (s.departs AND t.occurrence IN ('DEPARTURE', 'POST_DEPARTURE')) OR ${isOfDay})
     ORDER BY starts_at, t.id`.execute(db);
  return rows;
}

/** The names of members of staff, by id; of an agent, those of the portfolio. */
export async function namesOfStaff(
  db: Db,
  ids: readonly string[],
  agentId: string | null,
): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('staff')
    .select(['id', 'name'])
    .where('id', '=', sql<string>`ANY(${[...ids]}::text[])`)
    .where(isStaffOf(agentId))
    .execute();
  return new Map(rows.map(({ id, name }) => [id, name]));
}
