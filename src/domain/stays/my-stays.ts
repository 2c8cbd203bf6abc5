import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { PaymentStatus, ReservationStatus } from '../../db/schema.ts';
import { openColumn } from '../../db/sealed-fields.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { toMajor } from '../../kernel/money.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { opensToGuest } from '../reservations/guest-link.ts';
import { amountOutstandingOf, capturedOf, refundedOf } from '../reservations/payment-status.ts';

/** The stays of one guest, for that guest: nothing of the agency, of the owner, and of anybody else's stays (security.md Z3). */

interface Row {
  readonly id: string;
  readonly status: ReservationStatus;
  readonly check_in_date: string;
  readonly check_out_date: string;
  readonly planned_arrival: string | null;
  readonly planned_departure: string | null;
  readonly guest_count: number | null;
  readonly total_minor: number;
  readonly paid_minor: number;
  readonly refunded_minor: number;
  readonly due_minor: number;
  readonly currency: string;
  readonly payment_status: PaymentStatus;
  readonly property: string;
  readonly address: string | null;
  readonly time_zone: string;
  readonly check_in_time: string;
  readonly check_out_time: string;
  readonly access_code: string | null;
  readonly opens_until: Date | null;
  readonly locale: string | null;
  readonly position_at: string;
}
export type MyStay = ReturnType<typeof viewOf>;

/** The stays of a guest, newest first. */
export async function myStays(db: Db, guestId: string, page: PageRequest): Promise<Page<MyStay>> {
  const after = page.after ? isAfter('r.created_at', 'r.id', page.after) : sql<SqlBool>`true`;
  return cutPage(await select(db, guestId, after, page.limit + 1), page.limit, viewOf);
}

/** One stay of a guest. Throws `RESERVATION_NOT_FOUND` for one that is absent or another guest's. */
export async function myStay(db: Db, guestId: string, id: string): Promise<MyStay> {
  const [row] = await select(db, guestId, sql<SqlBool>`r.id = ${id}`, 1);
  if (!row) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id } });
  return viewOf(row);
}

/**
 * The same to whoever holds the link of the stay (`reservations/guest-link.ts`), with the language of the guest. Throws `NOT_FOUND`
 * where the link does not open: the stay is another guest's by now, cancelled, absent or long over.
 */
export async function stayOfLink(
  db: Db,
  { reservationId, guestId }: { readonly reservationId: string; readonly guestId: string },
): Promise<{ readonly stay: MyStay; readonly locale: string | null }> {
  const [row] = await select(db, guestId, sql<SqlBool>`r.id = ${reservationId} AND ${opensToGuest}`, 1);
  if (!row) throw new RoomyError('NOT_FOUND');
  return { stay: viewOf(row), locale: row.locale };
}

async function select(db: Db, guestId: string, which: RawBuilder<SqlBool>, limit: number): Promise<readonly Row[]> {
  const { rows } = await sql<Row>`
    SELECT r.id, r.status, r.check_in_date, r.check_out_date, r.planned_arrival, r.planned_departure, r.guest_count, r.total_minor,
           ${capturedOf('r.id')} AS paid_minor, ${refundedOf('r.id')} AS refunded_minor,
           CASE WHEN r.status IN ('CANCELLED', 'NO_SHOW') THEN 0 ELSE ${amountOutstandingOf('r')} END AS due_minor,
           r.currency, r.payment_status, p.name AS property, p.address, p.time_zone, p.check_in_time, p.check_out_time,
           a.access_code, a.valid_until AS opens_until, g.locale, ${exactInstant('r.created_at')} AS position_at
      FROM reservation r JOIN property p ON p.id = r.property_id JOIN guest g ON g.id = r.guest_id
      LEFT JOIN amenity_grant a ON a.reservation_id = r.id AND a.status = 'ACTIVE' AND a.valid_from <= now() AND a.valid_until > now()
     WHERE r.guest_id = ${guestId} AND ${which} ORDER BY r.created_at DESC, r.id DESC LIMIT ${limit}::int`.execute(db);
  return openColumn(db, 'amenity_grant.access_code', 'access_code', rows, ({ id }) => id);
}

/** Where the guest is told the way, and where the door opens. */
const TOLD: ReadonlySet<ReservationStatus> = new Set(['CONFIRMED', 'CHECKED_IN']);

function viewOf(row: Row) {
  const major = (amountMinor: number): number => toMajor({ amountMinor, currency: row.currency });
  const opens = row.status === 'CHECKED_IN' && row.access_code !== null && row.opens_until !== null;
  return {
    id: row.id,
    status: row.status,
    property: { name: row.property, address: TOLD.has(row.status) ? row.address : null, timeZone: row.time_zone },
    checkInDate: row.check_in_date,
    checkOutDate: row.check_out_date,
    arrival: row.planned_arrival ?? row.check_in_time,
    departure: row.planned_departure ?? row.check_out_time,
    guestCount: row.guest_count,
    totalAmount: major(row.total_minor),
    paid: major(row.paid_minor),
    refunded: major(row.refunded_minor),
    due: major(row.due_minor),
    currency: row.currency,
    paymentStatus: row.payment_status,
    access: opens ? { code: row.access_code, until: row.opens_until.toISOString() } : null,
  };
}
