import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { refundAffectsPayoutMessage } from '../messages/catalogue/refund-affects-payout.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { disputedOf } from '../reservations/payment-status.ts';
import type { CapturedCharge } from './charge-record.ts';
import type { Dispute } from './dispute-row.ts';
import { financialService } from './financial-service.ts';
import { GATEWAY } from './gateway-events.ts';
import type { PayableStay } from './payable.ts';
import { IS_LIVE_REFUND, receiptsOf } from './receipts.ts';
import { bookRefunds } from './refund-booking.ts';
import { readTerms } from './terms.ts';

/**
 * A dispute is won, and its stay was cancelled while the money was with the guest's bank: the guest's refund of that money is owed
 * from now on, by the percentage that the cancellation decided (domain.md 4), less the refunds since then; goodwill is on top of
 * it. Books nothing for a stay that is not cancelled. `stepMinor`: the gateway sends back multiples of it, in minor units.
 */
export async function bookRefundOfWonDispute(
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
  const whole = financialService.refundByPercent(
    {
      base: terms.refundBase,
      tiers: terms.refundTiers,
      totalMinor: stay.totalMinor,
      capturedMinor: receipts.capturedMinor,
      refundedMinor: before.refundedMinor + receipts.disputedMinor,
      stepMinor,
    },
    cancelled.percent,
  );
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
  const message = refundAffectsPayoutMessage(stay.ownerId, { amountMinor: ownerMinor, currency: stay.currency });
  await enqueueInTransaction(tx, key, [message], { sagaId: null, reservationId: stay.reservationId });
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

/** Minor units. */
interface Before {
  /** The refunds of all charges from before the cancellation, without the guest's credit. */
  readonly refundedMinor: number;
  /** The goodwill refunds of all charges since then. */
  readonly goodwillMinor: number;
  /** The rest of the money that was paid over the balance with the charge, if it is from before the cancellation. */
  readonly creditMinor: number;
  /** The refundable rest of the charge. */
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
