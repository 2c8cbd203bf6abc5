import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { isHeldBy } from '../properties/portfolio.ts';
import { type Asked, cut, type Found, type Hit, hitOf, idsOf, ofProperty, type Scope } from './hits.ts';

/** Stays by their id, their guest, their property or a day, and the sagas of each. */

export interface StayReader extends Scope {
  /** The guests that were found; their stays are found with them. */
  readonly guestIds: readonly string[];
  /** The same of properties. */
  readonly propertyIds: readonly string[];
  /** Whether the name of a guest is shown. */
  readonly seesNames: boolean;
  /** A property's stays are told from this day on, where no period is asked for. */
  readonly today: string;
}

interface StayRow {
  readonly id: string;
  readonly status: string;
  readonly property_id: string;
  readonly property: string;
  readonly guest: string | null;
  readonly check_in_date: string;
  readonly check_out_date: string;
  readonly created_at: Date;
}

/** The latest arrivals first. */
export async function findStays(db: Db, asked: Asked, reader: StayReader): Promise<Found> {
  const { rows } = await sql<StayRow>`
    SELECT r.id, r.status, r.property_id, p.name AS property, g.name AS guest, r.check_in_date, r.check_out_date, r.created_at
      FROM reservation r JOIN property p ON p.id = r.property_id LEFT JOIN guest g ON g.id = r.guest_id
     WHERE r.id = ANY(${idsOf(candidates(asked, reader))}) AND ${isHeldBy(reader.holder, 'p')} AND ${fits(asked, 'r')}
     ORDER BY r.check_in_date DESC, r.id DESC LIMIT ${asked.limit + 1}::int`.execute(db);
  return cut(rows, asked.limit, (row) => stayHit(row, reader.seesNames));
}

const stayHit = (row: StayRow, seesNames: boolean): Hit =>
  hitOf({
    kind: 'RESERVATION',
    id: row.id,
    title: row.property,
    detail: seesNames ? row.guest : null,
    state: row.status,
    at: row.created_at.toISOString(),
    reservationId: row.id,
    propertyId: row.property_id,
    checkInDate: row.check_in_date,
    checkOutDate: row.check_out_date,
  });

const dayIn = (instant: string, less: string, zone: string): RawBuilder<string> =>
  sql`((${instant}::timestamptz - ${less}::interval) AT TIME ZONE ${zone}::text)::date`;

/** Of the property, with a day in the period. */
function fits(asked: Asked, stay: string): RawBuilder<SqlBool> {
  const { from, to, zone } = asked;
  return sql`${ofProperty(`${stay}.property_id`, asked)}
    AND ${from === undefined ? sql`true` : sql`${sql.ref(`${stay}.check_out_date`)} >= ${dayIn(from, '0', zone)}`}
    AND ${to === undefined ? sql`true` : sql`${sql.ref(`${stay}.check_in_date`)} <= ${dayIn(to, '1 microsecond', zone)}`}`;
}

function candidates(
  asked: Asked,
  { holder, guestIds, propertyIds, today }: StayReader,
): readonly RawBuilder<unknown>[] {
  const many = sql`${asked.limit + 1}::int`;
  const { id, day, from } = asked;
  const all: RawBuilder<unknown>[] = [];
  if (id !== null) all.push(sql`SELECT ${id}::text`);
  if (guestIds.length > 0)
    all.push(sql`SELECT few.id FROM unnest(${[...guestIds]}::text[]) who (id) CROSS JOIN LATERAL (
      SELECT x.id FROM reservation x JOIN property p ON p.id = x.property_id
       WHERE x.guest_id = who.id AND ${isHeldBy(holder, 'p')} AND ${fits(asked, 'x')} ORDER BY x.created_at DESC LIMIT ${many}) few`);
  if (propertyIds.length > 0)
    all.push(sql`SELECT few.id FROM unnest(${[...propertyIds]}::text[]) place (id) CROSS JOIN LATERAL (
      SELECT x.id FROM reservation x WHERE x.property_id = place.id AND ${from === undefined ? sql`x.check_out_date >= ${today}::date` : sql`true`}
         AND ${fits(asked, 'x')} ORDER BY x.check_out_date LIMIT ${many}) few`);
  if (day !== null)
    all.push(sql`SELECT few.id FROM property p CROSS JOIN LATERAL (
      SELECT a.id FROM reservation a WHERE a.property_id = p.id AND a.check_in_date = ${day.date}::date
      UNION SELECT d.id FROM reservation d WHERE d.property_id = p.id AND d.check_out_date = ${day.date}::date) few
       WHERE ${isHeldBy(holder, 'p')} AND ${ofProperty('p.id', asked)} LIMIT ${many}`);
  return all;
}

/** Sagas of one stay that a search has, at the most. */
const OF_A_STAY = 20;

/** Of each of these stays its newest sagas, those of its refunds and payouts included: the stay's id and the saga's. */
export async function sagasOfStays(db: Db, stays: readonly string[]) {
  if (stays.length === 0) return [];
  const { rows } = await sql<{ stay: string; saga: string }>`
    SELECT stay.id AS stay, few.id AS saga FROM unnest(${[...stays]}::text[]) stay (id) CROSS JOIN LATERAL (
      SELECT own.id FROM (
          SELECT o.id, o.requested_at FROM saga o WHERE o.subject_id = stay.id AND o.subject_type <> 'transaction'
          UNION SELECT o.id, o.requested_at FROM transaction x JOIN saga o ON o.subject_id = x.id AND o.subject_type = 'transaction'
                 WHERE x.reservation_id = stay.id
          UNION SELECT o.id, o.requested_at FROM transaction x JOIN saga o ON o.id = x.payout_saga WHERE x.reservation_id = stay.id) own
       ORDER BY own.requested_at DESC, own.id DESC LIMIT ${OF_A_STAY}::int) few`.execute(db);
  return rows;
}

/** The stays that these transactions are of, by the transaction's id. */
export async function staysOfTransactions(db: Db, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (ids.length === 0) return new Map();
  const { rows } = await sql<{ id: string; reservation_id: string }>`
    SELECT t.id, t.reservation_id FROM transaction t WHERE t.id = ANY(${[...ids]}::text[]) AND t.reservation_id IS NOT NULL`.execute(
    db,
  );
  return new Map(rows.map(({ id, reservation_id: stay }) => [id, stay]));
}
