import { type Insertable, type InsertObject, type QueryCreator, sql, type Updateable } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { FusedDatabase, ValueRefs } from '../../db/fused.ts';
import { literal, literals } from '../../db/literal.ts';
import type { Database, ReservationTable } from '../../db/schema.ts';
import { resultOf, type StatusChange, statusesBefore } from './state-machine.ts';

/**
 * The only statements that write `reservation`. A status changes only where `TRANSITIONS` of the state machine permits it:
 * the statements take the statuses that they begin in from there, and change no row in any other.
 */

const before = (action: StatusChange) => literals(statusesBefore(action));

/** A new stay, PENDING unless the row says otherwise. */
export const insertReservation = (tx: Tx, row: InsertObject<Database, 'reservation'>) =>
  tx.insertInto('reservation').values(row).returningAll().executeTakeFirstOrThrow();

/** Changes the fields of a stay other than its status. The row must be locked; `version` is the new one. */
export async function updateReservationRow(
  tx: Tx,
  id: string,
  change: Omit<Updateable<ReservationTable>, 'status' | 'payment_status'>,
  version: number,
): Promise<void> {
  await tx
    .updateTable('reservation')
    .set({ ...change, version })
    .where('id', '=', id)
    .execute();
}

export interface ConfirmValues {
  readonly distributionVersion: number;
}

/** PENDING to CONFIRMED: the exclusion constraint decides here whether the dates are free. Fused with its step. */
export const confirm = (db: QueryCreator<FusedDatabase>, value: ValueRefs<ConfirmValues>) =>
  db
    .updateTable('reservation')
    .from('guard')
    .whereRef('reservation.id', '=', 'guard.subject_id')
    .where('reservation.status', 'in', before('confirm'))
    .set((eb) => ({
      status: resultOf('confirm'),
      version: eb('reservation.version', '+', 1),
      confirmed_at: eb.ref('guard.requested_at'),
      distribution_version: value.number('distributionVersion'),
      // A free stay is paid with its confirmation, as in `payment_status_of`.
      payment_status: sql`CASE WHEN reservation.total_minor = 0 AND reservation.payment_status = 'UNPAID' THEN 'PAID' ELSE reservation.payment_status END`,
    }))
    .returning(['reservation.id as subject_id', 'reservation.status', 'reservation.version']);

export interface UnconfirmValues {
  /** As the confirmation left it: a row that moved on since is not ours to revert (domain.md 2). */
  readonly version: number;
}

/** Undoes a confirmation: CONFIRMED to PENDING, if the version is still the one that the confirmation wrote. */
export const unconfirm = (db: QueryCreator<FusedDatabase>, value: ValueRefs<UnconfirmValues>) =>
  db
    .updateTable('reservation')
    .from('guard')
    .whereRef('reservation.id', '=', 'guard.subject_id')
    .where('reservation.status', '=', literal(resultOf('confirm')))
    .where('reservation.version', '=', value.number('version'))
    .set((eb) => ({
      status: 'PENDING',
      version: eb('reservation.version', '+', 1),
      confirmed_at: sql<null>`NULL::timestamptz`,
      distribution_version: sql<null>`NULL::int`,
      payment_status: sql`CASE WHEN reservation.total_minor = 0 AND reservation.payment_status = 'PAID' THEN 'UNPAID' ELSE reservation.payment_status END`,
    }))
    .returning(['reservation.id as subject_id', 'reservation.version']);

export interface CancelValues {
  readonly reason: string | null;
}

/** PENDING or CONFIRMED to CANCELLED: the dates are free with this commit. */
export const cancel = (db: QueryCreator<FusedDatabase>, value: ValueRefs<CancelValues>) =>
  db
    .updateTable('reservation')
    .from('guard')
    .whereRef('reservation.id', '=', 'guard.subject_id')
    .where('reservation.status', 'in', before('cancel'))
    .set((eb) => ({
      status: resultOf('cancel'),
      version: eb('reservation.version', '+', 1),
      cancelled_at: eb.ref('guard.requested_at'),
      cancel_reason: sql<string | null>`${value.text('reason')}`,
    }))
    .returning(['reservation.id as subject_id', 'reservation.status', 'reservation.version']);

export interface VisitValues {
  /** ISO instant. */
  readonly actualAt: string;
}

/** CONFIRMED to CHECKED_IN. */
export const checkIn = (db: QueryCreator<FusedDatabase>, value: ValueRefs<VisitValues>) =>
  db
    .updateTable('reservation')
    .from('guard')
    .whereRef('reservation.id', '=', 'guard.subject_id')
    .where('reservation.status', 'in', before('check-in'))
    .set((eb) => ({
      status: resultOf('check-in'),
      version: eb('reservation.version', '+', 1),
      actual_check_in_at: value.instant('actualAt'),
    }))
    .returning(['reservation.id as subject_id', 'reservation.status', 'reservation.version']);

/** Back to CONFIRMED, if nobody has changed the stay since. */
export const undoCheckIn = (db: QueryCreator<FusedDatabase>, value: ValueRefs<UnconfirmValues>) =>
  db
    .updateTable('reservation')
    .from('guard')
    .whereRef('reservation.id', '=', 'guard.subject_id')
    .where('reservation.status', '=', literal(resultOf('check-in')))
    .where('reservation.version', '=', value.number('version'))
    .set((eb) => ({
      status: 'CONFIRMED',
      version: eb('reservation.version', '+', 1),
      actual_check_in_at: sql<null>`NULL::timestamptz`,
    }))
    .returning(['reservation.id as subject_id', 'reservation.version']);

export interface CheckOutValues extends VisitValues {
  /** Null: the guest stayed as long as was booked. */
  readonly departureDate: string | null;
}

/** CHECKED_IN to CHECKED_OUT: nights that are left are free with this commit. */
export const checkOut = (db: QueryCreator<FusedDatabase>, value: ValueRefs<CheckOutValues>) =>
  db
    .updateTable('reservation')
    .from('guard')
    .whereRef('reservation.id', '=', 'guard.subject_id')
    .where('reservation.status', 'in', before('check-out'))
    .set((eb) => ({
      status: resultOf('check-out'),
      version: eb('reservation.version', '+', 1),
      actual_check_out_at: value.instant('actualAt'),
      departure_date: sql<string | null>`${value.text('departureDate')}::date`,
    }))
    .returning(['reservation.id as subject_id', 'reservation.status', 'reservation.version']);

/** Back to CHECKED_IN, if nobody has changed the stay since; the nights may be somebody else's by now. */
export const undoCheckOut = (db: QueryCreator<FusedDatabase>, value: ValueRefs<UnconfirmValues>) =>
  db
    .updateTable('reservation')
    .from('guard')
    .whereRef('reservation.id', '=', 'guard.subject_id')
    .where('reservation.status', '=', literal(resultOf('check-out')))
    .where('reservation.version', '=', value.number('version'))
    .set((eb) => ({
      status: 'CHECKED_IN',
      version: eb('reservation.version', '+', 1),
      actual_check_out_at: sql<null>`NULL::timestamptz`,
      departure_date: sql<null>`NULL::date`,
    }))
    .returning(['reservation.id as subject_id', 'reservation.version']);

/** Takes nights from the calendar. The constraint that guards stays guards it as well: `no_double_booking`. */
export const insertBlock = (
  tx: Tx,
  block: Pick<Insertable<ReservationTable>, 'id' | 'property_id' | 'check_in_date' | 'check_out_date' | 'created_by'>,
) =>
  tx
    .insertInto('reservation')
    .values({
      ...block,
      kind: 'MAINTENANCE_BLOCK',
      guest_id: null,
      total_minor: 0,
      currency: 'AED',
      status: resultOf('confirm'),
    })
    .returning(['id', 'version'])
    .executeTakeFirstOrThrow();

/** A repair is done: its days are free with this commit. False when they were already. */
export async function releaseBlock(tx: Tx, reservationId: string): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('reservation')
    .set((eb) => ({ status: resultOf('cancel'), version: eb('version', '+', 1), cancelled_at: sql<Date>`now()` }))
    .where('id', '=', reservationId)
    .where('kind', '=', 'MAINTENANCE_BLOCK')
    .where('status', '=', literal('CONFIRMED'))
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** The stay's payment status as its payments make it. */
export const derivePaymentStatus = (db: QueryCreator<FusedDatabase>) =>
  db
    .updateTable('reservation')
    .from('guard')
    .innerJoin('reservation as prior', 'prior.id', 'guard.subject_id')
    .whereRef('reservation.id', '=', 'guard.subject_id')
    .set((eb) => ({
      payment_status: sql`payment_status_of(reservation.id)`,
      version: eb('reservation.version', '+', 1),
    }))
    .returning([
      'reservation.id as subject_id',
      'reservation.payment_status as paymentStatus',
      'reservation.version',
      'prior.payment_status as before',
    ]);

export interface RestoreStatusValues {
  readonly version: number;
  readonly before: string;
}
/** Back to what it was, unless the stay has moved on (domain.md 2). */
export const restorePaymentStatus = (db: QueryCreator<FusedDatabase>, value: ValueRefs<RestoreStatusValues>) =>
  db
    .updateTable('reservation')
    .from('guard')
    .whereRef('reservation.id', '=', 'guard.subject_id')
    .where('reservation.version', '=', value.number('version'))
    .set((eb) => ({
      payment_status: sql`${value.text('before')}`,
      version: eb('reservation.version', '+', 1),
    }))
    .returning(['reservation.id as subject_id', 'reservation.version']);

/** The same in a step that is a transaction of its own. */
export const rederivePaymentStatus = (tx: Tx, reservationId: string) =>
  tx
    .updateTable('reservation')
    .set({ payment_status: sql`payment_status_of(${reservationId})` })
    .where('id', '=', reservationId)
    .execute();

/** Notes that the reminders of these stays are planned for the versions that they have; the plan itself is in `messages/reminders.ts`. */
export async function markReminded(tx: Tx, ids: readonly string[]): Promise<void> {
  await sql`UPDATE reservation SET reminded_version = version WHERE id = ANY(${ids}::text[])`.execute(tx);
}

/** Asks for the reminders of these stays, or of all, to be planned anew. */
export async function replanReminders(
  tx: Tx,
  of: { readonly propertyId?: string; readonly guestId?: string },
): Promise<void> {
  let stays = tx
    .updateTable('reservation')
    .set({ reminded_version: null })
    .where('status', 'in', literals(['CONFIRMED', 'CHECKED_IN']));
  if (of.propertyId !== undefined) stays = stays.where('property_id', '=', of.propertyId);
  if (of.guestId !== undefined) stays = stays.where('guest_id', '=', of.guestId);
  await stays.execute();
}
