import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { refundAffectsPayoutMessage } from '../messages/catalogue/refund-affects-payout.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { disputedOf } from '../reservations/payment-status.ts';
import { refundOf } from '../reservations/refund-policy.ts';
import type { CapturedCharge } from './charge-record.ts';
import type { Dispute } from './dispute-row.ts';
import { IS_LIVE_REFUND, receiptsOf } from './distribution.ts';
import { GATEWAY } from './gateway-events.ts';
import type { PayableStay } from './payable.ts';
import { bookRefunds } from './refund-booking.ts';
import { readTerms } from './terms.ts';

/**
 * A stay was called off while its money was with the guest's bank, and the money is back: what its guest was to get of it
 * is owed from now on, by the percentage that was decided then (domain.md 4), less what has gone back since; goodwill is on
 * top of it. Nothing for a stay that was not called off. `stepMinor`: the gateway sends back multiples of it.
 */
export async function oweWhatCancellationOwed(
  tx: Tx,
  charge: CapturedCharge,
  stay: PayableStay,
  dispute: Dispute,
  stepMinor: number,
): Promise<void> {
  const cancelled = await cancellationOf(tx, stay.reservationId);
  if (cancelled === null) return;
  const before = await beforeCancellation(tx, charge, cancelled.at);
  const terms = await readTerms(tx, stay.termsVersion);
  const receipts = await receiptsOf(tx, stay.reservationId);
  const whole = refundOf({
    base: terms.refundBase,
    tiers: terms.refundTiers,
    totalMinor: stay.totalMinor,
    capturedMinor: receipts.capturedMinor,
    refundedMinor: before.refundedMinor + receipts.disputedMinor,
    stepMinor,
    days: 0,
    percentOverride: cancelled.percent,
  });
  const sinceMinor = receipts.refundedMinor - before.refundedMinor - before.goodwillMinor;
  const owedMinor = Math.max(0, whole.amountMinor - sinceMinor) + before.creditMinor;
  const amountMinor = Math.min(Math.ceil(owedMinor / stepMinor) * stepMinor, before.leftMinor);
  if (amountMinor <= 0) return;
  const key = `${dispute.key}-won`;
  const { ownerMinor } = await bookRefunds(tx, { sagaId: null, key, requestedBy: GATEWAY }, stay, {
    amountMinor,
    bearer: null,
    details: { origin: 'DISPUTE_WON', disputeId: dispute.id, percent: cancelled.percent },
    paymentId: charge.paymentId,
  });
  if (ownerMinor <= 0) return;
  const told = refundAffectsPayoutMessage(stay.ownerId, { amountMinor: ownerMinor, currency: stay.currency });
  await enqueueInTransaction(tx, key, [told], { sagaId: null, reservationId: stay.reservationId });
}

/** When the cancellation of the stay was asked for, and the percentage that it refunds; null: the stay is not cancelled. */
async function cancellationOf(tx: Tx, reservationId: string) {
  const { rows } = await sql<{ at: Date; percent: number }>`
    SELECT s.requested_at AS at, (p.result ->> 'percent')::int AS percent
      FROM reservation r JOIN saga s ON s.subject_type = 'reservation' AND s.subject_id = r.id AND s.name = 'cancelReservation'
      JOIN saga_step p ON p.saga_id = s.id AND p.direction = 'F' AND p.name = 'calculateRefundAmount'
      JOIN saga_step b ON b.saga_id = s.id AND b.direction = 'F' AND b.name = 'createRefundTransaction' AND b.status = 'done'
     WHERE r.id = ${reservationId} AND r.status = 'CANCELLED' ORDER BY s.requested_at DESC LIMIT 1`.execute(tx);
  return rows[0] ?? null;
}

interface Before {
  /** Of all charges, without credit: what had been refunded before the stay was called off. */
  readonly refundedMinor: number;
  /** Of all charges: goodwill that was refunded after it. */
  readonly goodwillMinor: number;
  /** Of the charge, if it is from before: what had been paid over the balance and is still there. */
  readonly creditMinor: number;
  /** Of the charge: all that can be refunded. */
  readonly leftMinor: number;
}
async function beforeCancellation(tx: Tx, { reservationId, paymentId }: CapturedCharge, at: Date): Promise<Before> {
  const { rows } = await sql<Before>`
    SELECT coalesce(sum(greatest(0, y.refunded_minor - since.minor - y.excess_minor)), 0)::bigint AS "refundedMinor",
           coalesce(sum(since.goodwill), 0)::bigint AS "goodwillMinor",
           coalesce(sum(greatest(0, y.excess_minor - y.refunded_minor)) FILTER (WHERE y.id = ${paymentId} AND y.created_at < ${at}), 0)::bigint AS "creditMinor",
           coalesce(sum(y.amount_minor - y.refunded_minor - ${disputedOf('y')}) FILTER (WHERE y.id = ${paymentId}), 0)::bigint AS "leftMinor"
      FROM payment y,
           LATERAL (SELECT coalesce(sum(t.amount_minor), 0)::bigint AS minor, coalesce(sum(t.borne_minor), 0)::bigint AS goodwill FROM transaction t
                     WHERE t.reservation_id = y.reservation_id AND t.payment_id = y.id AND t.created_at >= ${at} AND ${IS_LIVE_REFUND}) since
     WHERE y.reservation_id = ${reservationId} AND y.status = 'COMPLETED'`.execute(tx);
  return rows[0] ?? { refundedMinor: 0, goodwillMinor: 0, creditMinor: 0, leftMinor: 0 };
}
