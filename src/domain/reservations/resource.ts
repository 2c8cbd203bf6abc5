import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { ReservationStatus } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import type { Money } from '../../kernel/money.ts';
import { isBareDate } from '../../kernel/period.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { type Holder, newestInPortfolio } from '../properties/portfolio.ts';
import { actionsOf, factsOf, type StayRow, selectStays } from './actions.ts';
import { insertReservation, updateReservationRow } from './store.ts';
import { type ReservationView, reservationView } from './view.ts';

export interface ReservationFields {
  readonly propertyId: string;
  readonly guestId: string;
  readonly checkInDate: string;
  readonly checkOutDate: string;
  readonly total: Money;
  readonly referringAgentId?: string | null | undefined;
  readonly guestCount?: number | null | undefined;
  /** Local wall clock, `HH:MM` or `YYYY-MM-DDTHH:MM`. */
  readonly plannedArrival?: string | null | undefined;
  readonly plannedDeparture?: string | null | undefined;
  readonly notes?: string | null | undefined;
}
export type NewReservation = ReservationFields & { readonly id?: string | undefined };
export type ReservationChange = { readonly [K in keyof ReservationFields]?: ReservationFields[K] | undefined };
export interface ReservationFilter {
  readonly status?: ReservationStatus | undefined;
  readonly propertyId?: string | undefined;
  readonly guestId?: string | undefined;
  /** Stays with a day in `from` to `to`: dates, both included; or ISO instants, `to` not included, which stand for their day at the property. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** With the saga that is at work on it. */
export type ReservationDetail = ReservationView;

/**
 * Adds a PENDING stay, with its audit row. Throws `REFERENCE_NOT_FOUND`, and `VALIDATION_FAILED` for agreed times that do
 * not fit the dates.
 */
export async function createReservation(tx: Tx, stay: NewReservation, author: Author): Promise<ReservationDetail> {
  assertPlannedWithin(stay, stay.checkInDate, stay.checkOutDate);
  assertPlannedInOrder(stay, stay.checkInDate, stay.checkOutDate);
  await assertAgent(tx, stay.referringAgentId);
  const row = await insertReservation(tx, {
    ...columnsOf(stay),
    id: stay.id ?? newId('reservation'),
    property_id: stay.propertyId,
    guest_id: stay.guestId,
    check_in_date: stay.checkInDate,
    check_out_date: stay.checkOutDate,
    total_minor: stay.total.amountMinor,
    currency: stay.total.currency,
    created_by: author.actor,
  });
  await recordChange(tx, author, {
    noun: 'reservation',
    id: row.id,
    event: 'RESERVATION_CREATED',
    fields: fieldsOf(stay),
    changes: changesOf('reservation', null, row),
    version: row.version,
    reservationId: row.id,
  });
  return getReservation(tx, row.id);
}

/** The date, or the day at the stay's property on which the instant, less a little, falls. */
const dayAt = (text: string, less: string) =>
  isBareDate(text)
    ? sql<string>`${text}::date`
    : sql<string>`(SELECT ((${text}::timestamptz - ${less}::interval) AT TIME ZONE p.time_zone)::date
        FROM property p WHERE p.id = reservation.property_id)`;

/**
 * Keeps the planner from reading a property's stays newest first until enough of them fit: where few do, that is its whole
 * history. By the index of their ends only those that fit are read.
 */
const BY_THEIR_DAYS = sql`OFFSET 0`;

/** An agent sees the stays of a portfolio, an owner those of the owner's properties. */
export async function listReservations(
  db: Db,
  filter: ReservationFilter,
  holder: Holder,
  page: PageRequest,
): Promise<Page<ReservationDetail>> {
  const limit = page.limit + 1;
  const listed = (propertyId: RawBuilder<string>): RawBuilder<{ id: string; at: Date }> =>
    sql`(SELECT few.id, few.created_at AS at
      FROM (SELECT id, created_at FROM reservation WHERE property_id = ${propertyId} AND ${matching(filter, page)}
        ${filter.from === undefined ? sql`` : BY_THEIR_DAYS}) few
     ORDER BY few.created_at DESC, few.id DESC LIMIT ${limit}::int)`;
  const fitting = (): RawBuilder<SqlBool> => {
    if (holder !== null) return sql`reservation.id = ANY(${newestInPortfolio({ holder, at: listed, limit })})`;
    if (filter.propertyId === undefined || filter.from === undefined) return matching(filter, page);
    return sql`reservation.id = ANY(ARRAY(SELECT newest.id FROM ${listed(sql`${filter.propertyId}`)} newest))`;
  };
  const rows = await selectStays(db)
    .select(exactInstant('reservation.created_at').as('position_at'))
    .where(fitting())
    .orderBy('reservation.created_at', 'desc')
    .orderBy('reservation.id', 'desc')
    .limit(limit)
    .execute();
  return cutPage(rows, page.limit, detailOf);
}

function matching(filter: ReservationFilter, page: PageRequest): RawBuilder<SqlBool> {
  const conditions: RawBuilder<SqlBool>[] = [sql`true`];
  if (filter.status !== undefined) conditions.push(sql`reservation.status = ${literal(filter.status)}`);
  if (filter.propertyId !== undefined) conditions.push(sql`reservation.property_id = ${filter.propertyId}`);
  if (filter.guestId !== undefined) conditions.push(sql`reservation.guest_id = ${filter.guestId}`);
  if (filter.from !== undefined) conditions.push(sql`reservation.check_out_date >= ${dayAt(filter.from, '0')}`);
  if (filter.to !== undefined) conditions.push(sql`reservation.check_in_date <= ${dayAt(filter.to, '1 microsecond')}`);
  if (page.after) conditions.push(isAfter('reservation.created_at', 'reservation.id', page.after));
  return sql.join(conditions, sql` AND `);
}

/** The stay with its actions. Throws `RESERVATION_NOT_FOUND`. */
export async function getReservation(db: Db, id: string): Promise<ReservationDetail> {
  const row = await selectStays(db).where('reservation.id', '=', id).executeTakeFirst();
  if (!row) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id } });
  return detailOf(row);
}

/** The row alone: who changes a stay sees to its tasks and payouts (`stays/change-reservation.ts`). The row is locked. */
export const updateReservation = (tx: Tx, id: string, change: ReservationChange, version: number): Promise<void> =>
  updateReservationRow(tx, id, columnsOf(change), version);

/** ISO dates compare as text. */
export function assertStayOrder(checkInDate: string, checkOutDate: string): void {
  if (checkInDate < checkOutDate) return;
  throw new RoomyError('VALIDATION_FAILED', {
    details: { issues: [{ path: 'checkOutDate', message: 'must be after checkInDate' }] },
  });
}

/** A guest comes and leaves on a day of the stay; a time without a day is one of the first or of the last. */
export function assertPlannedWithin(stay: ReservationChange, from: string, to: string): void {
  for (const field of ['plannedArrival', 'plannedDeparture'] as const) {
    const planned = stay[field];
    if (!planned?.includes('T')) continue;
    const day = planned.slice(0, 10);
    if (day >= from && day <= to) continue;
    const issues = [{ path: field, message: `must be on a day from ${from} to ${to}` }];
    throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
  }
}

/** Only times with a day can be out of order, as a stay has a night: local times of one clock compare as text. */
export function assertPlannedInOrder(stay: ReservationChange, from: string, to: string): void {
  if (!stay.plannedArrival || !stay.plannedDeparture) return;
  const on = (day: string, planned: string): string => (planned.includes('T') ? planned : `${day}T${planned}`);
  if (on(from, stay.plannedArrival) < on(to, stay.plannedDeparture)) return;
  const issues = [{ path: 'plannedDeparture', message: 'must be after plannedArrival' }];
  throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
}

/** A referrer earns money, so it must be a staff member whose role is to refer. */
export async function assertAgent(tx: Tx, staffId: string | null | undefined): Promise<void> {
  if (staffId === null || staffId === undefined) return;
  const agent = await tx
    .selectFrom('staff')
    .select('id')
    .where('id', '=', staffId)
    .where('role', '=', 'AGENT')
    .executeTakeFirst();
  if (!agent) throw new RoomyError('REFERENCE_NOT_FOUND', { details: { field: 'referringAgentId' } });
}

const detailOf = (row: StayRow): ReservationDetail =>
  reservationView(row, {
    activeSagaId: row.active_saga_id,
    actions: actionsOf(factsOf(row)),
    refundStatus: row.refund_status,
  });

const columnsOf = (fields: ReservationChange) => ({
  property_id: fields.propertyId,
  guest_id: fields.guestId,
  check_in_date: fields.checkInDate,
  check_out_date: fields.checkOutDate,
  total_minor: fields.total?.amountMinor,
  currency: fields.total?.currency,
  referring_agent_id: fields.referringAgentId,
  guest_count: fields.guestCount,
  planned_arrival: fields.plannedArrival,
  planned_departure: fields.plannedDeparture,
  notes: fields.notes,
});
