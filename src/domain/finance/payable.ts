import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literals } from '../../db/literal.ts';
import type { PaymentStatus, ReservationStatus } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { formatMajor, toMajor } from '../../kernel/money.ts';
import { savedZone } from '../../kernel/time-zone.ts';
import type { SagaQuestion } from '../approvals/of-saga.ts';
import { refusalDetails } from '../reservations/actions.ts';
import { boundTermsOf } from '../reservations/bound-terms.ts';
import { refusalOfPayment } from '../reservations/refusals.ts';

/** The facts of a stay that a payment depends on: ids, amounts in minor units and pinned terms, never a name. */
export type PayableStay = {
  readonly reservationId: string;
  readonly propertyId: string;
  readonly ownerId: string;
  readonly guestId: string;
  readonly guestHasPhone: boolean;
  readonly referringAgentId: string | null;
  readonly currency: string;
  readonly totalMinor: number;
  /** Captured and not refunded, without the excess over the balance. */
  readonly paidMinor: number;
  readonly outstandingMinor: number;
  /** The terms that the stay is, or is about to be, bound to. */
  readonly termsVersion: number;
};

export interface PaymentOrder {
  readonly reservationId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly gatewayId: string;
  readonly gatewayReference: string;
  /** The gateway has captured it already, by its own event: it is booked in any state of the stay (domain.md 7). */
  readonly captured: boolean;
}

interface Row {
  readonly status: ReservationStatus;
  readonly payment_status: PaymentStatus;
  readonly property_id: string;
  readonly time_zone: string;
  readonly owner_id: string;
  readonly guest_id: string | null;
  readonly guest_has_phone: boolean;
  readonly referring_agent_id: string | null;
  readonly currency: string;
  readonly total_minor: number;
  readonly paid_minor: number;
  readonly excess_minor: number;
  readonly terms_version: number;
}

/** SQL: the owner who holds the share of stay `r`; when a property is sold, the money of its stays stays with the seller. */
const CREDITED_OWNER = sql`(SELECT a.party_id FROM ledger_tx x JOIN ledger_entry e ON e.tx_id = x.id JOIN ledger_account a ON a.id = e.account_id
  WHERE x.reservation_id = r.id AND x.purpose = 'DISTRIBUTION' AND a.kind = 'OWNER_PAYABLE' ORDER BY x.created_at, x.id LIMIT 1)`;

/** Reads ids, balances in minor units and pinned terms of a stay. Throws `RESERVATION_NOT_FOUND`. */
export async function readPayableStay(
  db: Db,
  reservationId: string,
  requestedAt: Date,
): Promise<PayableStay & { readonly status: ReservationStatus; readonly timeZone: string }> {
  const { rows } = await sql<Row>`
    SELECT r.status, r.payment_status, r.property_id, p.time_zone, coalesce(${CREDITED_OWNER}, p.owner_id) AS owner_id, r.guest_id, coalesce(g.phone, '') <> '' AS guest_has_phone,
      r.referring_agent_id, r.currency, r.total_minor, m.paid_minor, m.excess_minor,
      ${boundTermsOf(sql`${requestedAt}::timestamptz`)} AS terms_version
      FROM reservation r JOIN property p ON p.id = r.property_id LEFT JOIN guest g ON g.id = r.guest_id,
      LATERAL (SELECT coalesce(sum(y.amount_minor - y.excess_minor), 0)::bigint AS paid_minor, coalesce(sum(y.excess_minor), 0)::bigint AS excess_minor
                 FROM payment y WHERE y.reservation_id = r.id AND y.status = 'COMPLETED') m
     WHERE r.id = ${reservationId}`.execute(db);
  const [row] = rows;
  if (!row || row.guest_id === null) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id: reservationId } });
  return {
    reservationId,
    status: row.status,
    timeZone: row.time_zone,
    propertyId: row.property_id,
    ownerId: row.owner_id,
    guestId: row.guest_id,
    guestHasPhone: row.guest_has_phone,
    referringAgentId: row.referring_agent_id,
    currency: row.currency,
    totalMinor: row.total_minor,
    paidMinor: row.paid_minor,
    // A cancelled stay owes nothing: money that still comes in is the guest's own.
    outstandingMinor: row.status === 'CANCELLED' ? 0 : Math.max(0, row.total_minor - row.paid_minor),
    termsVersion: row.terms_version,
  };
}

/**
 * Refuses a payment that cannot be made, before the gateway is asked (domain.md 7). Money that the gateway holds already is never
 * refused: the excess over the balance becomes the guest's credit. Throws `RESERVATION_NOT_FOUND`, `CURRENCY_MISMATCH`,
 * `GATEWAY_REFERENCE_REUSED`, `ALREADY_PAID`, `PAYMENT_EXCEEDS_BALANCE`, and `RESERVATION_NOT_PAYABLE`.
 */
export async function assertPayable(
  db: Db,
  order: PaymentOrder,
  requestedAt: Date,
  sagaId: string,
): Promise<PayableStay> {
  const { status, timeZone, ...stay } = await readPayableStay(db, order.reservationId, requestedAt);
  if (order.currency !== stay.currency) {
    throw new RoomyError('CURRENCY_MISMATCH', { details: { currency: stay.currency } });
  }
  await assertReferenceIsFree(db, order, sagaId);
  if (order.captured) return stay;
  const refusal = refusalOfPayment({ status, ...stay });
  if (refusal === 'ALREADY_PAID' || refusal === 'PAYMENT_EXCEEDS_BALANCE') {
    throw new RoomyError(refusal, { details: { outstanding: 0, currency: stay.currency } });
  }
  if (refusal !== null) {
    throw new RoomyError(refusal, { details: await refusalDetails(db, order.reservationId, 'payment') });
  }
  // The payout is planned in the property's zone: a payment whose payout cannot be planned is not charged either.
  savedZone(timeZone);
  if (order.amountMinor > stay.outstandingMinor) {
    const outstanding = toMajor({ amountMinor: stay.outstandingMinor, currency: stay.currency });
    throw new RoomyError('PAYMENT_EXCEEDS_BALANCE', { details: { outstanding, currency: stay.currency } });
  }
  return stay;
}

/** An early refusal; the guarantee is the unique index `one_claim`. */
async function assertReferenceIsFree(db: Db, order: PaymentOrder, sagaId: string): Promise<void> {
  const other = await findPayment(db, order);
  if (other && other.saga_id !== sagaId) throw referenceReused(order);
}

/** The refusal of a gateway reference that belongs to another payment. */
export const referenceReused = ({ gatewayId, gatewayReference }: PaymentOrder): RoomyError =>
  new RoomyError('GATEWAY_REFERENCE_REUSED', { details: { gatewayId, gatewayReference } });

/** The live payment under a gateway's reference, whichever stay it is for. */
export function findPayment(
  db: Db,
  { gatewayId, gatewayReference }: Pick<PaymentOrder, 'gatewayId' | 'gatewayReference'>,
) {
  return db
    .selectFrom('payment')
    .select(['saga_id', 'reservation_id', 'amount_minor', 'currency', 'status'])
    .where('gateway_id', '=', gatewayId)
    .where('gateway_reference', '=', gatewayReference)
    .where('status', 'not in', literals(['FAILED', 'CANCELLED', 'REVERSED']))
    .executeTakeFirst();
}

/** What a second person is asked about a payment that looks odd. */
export const paymentQuestion = (
  { reservationId, propertyId }: PayableStay,
  { amountMinor, currency }: Pick<PaymentOrder, 'amountMinor' | 'currency'>,
  signals: readonly { readonly rule: string }[],
): SagaQuestion => ({
  kind: 'PAYMENT_REVIEW',
  asked: `Charge ${currency} ${formatMajor({ amountMinor, currency })} for stay ${reservationId}, which looks odd: ${signals.map(({ rule }) => rule).join(', ')}`,
  amountMinor,
  currency,
  propertyId,
});
