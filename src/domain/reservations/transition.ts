import { type QueryCreator, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { FusedDatabase, ValueRefs } from '../../db/fused.ts';
import { literal, literals } from '../../db/literal.ts';

/** The only statements that write a reservation's status, each from one state to one other. */

export interface ConfirmValues {
  readonly distributionVersion: number;
}

/** PENDING to CONFIRMED: the exclusion constraint decides here whether the dates are free. */
export const confirm = (db: QueryCreator<FusedDatabase>, value: ValueRefs<ConfirmValues>) =>
  db
    .updateTable('reservation')
    .from('guard')
    .whereRef('reservation.id', '=', 'guard.subject_id')
    .where('reservation.status', '=', literal('PENDING'))
    .set((eb) => ({
      status: 'CONFIRMED',
      version: eb('reservation.version', '+', 1),
      confirmed_at: eb.ref('guard.requested_at'),
      distribution_version: value.number('distributionVersion'),
      // What costs nothing is paid with that, as `payment_status_of` says of a confirmed stay.
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
    .where('reservation.status', '=', literal('CONFIRMED'))
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
    .where('reservation.status', 'in', literals(['PENDING', 'CONFIRMED']))
    .set((eb) => ({
      status: 'CANCELLED',
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
    .where('reservation.status', '=', literal('CONFIRMED'))
    .set((eb) => ({
      status: 'CHECKED_IN',
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
    .where('reservation.status', '=', literal('CHECKED_IN'))
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
    .where('reservation.status', '=', literal('CHECKED_IN'))
    .set((eb) => ({
      status: 'CHECKED_OUT',
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
    .where('reservation.status', '=', literal('CHECKED_OUT'))
    .where('reservation.version', '=', value.number('version'))
    .set((eb) => ({
      status: 'CHECKED_IN',
      version: eb('reservation.version', '+', 1),
      actual_check_out_at: sql<null>`NULL::timestamptz`,
      departure_date: sql<null>`NULL::date`,
    }))
    .returning(['reservation.id as subject_id', 'reservation.version']);

/** A repair is done: its days are free with this commit. False when they were already. */
export async function releaseBlock(tx: Tx, reservationId: string): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('reservation')
    .set((eb) => ({ status: 'CANCELLED', version: eb('version', '+', 1), cancelled_at: sql<Date>`now()` }))
    .where('id', '=', reservationId)
    .where('kind', '=', 'MAINTENANCE_BLOCK')
    .where('status', '=', literal('CONFIRMED'))
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}
