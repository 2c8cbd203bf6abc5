import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { raiseAlert } from '../notifications/alerts.ts';
import type { Charge } from '../ports.ts';
import { accounts, credit, debit, type PostedBy, post, reverseStep } from './ledger.ts';
import type { PayableStay, PaymentOrder } from './payable.ts';
import { ensureAmountDue, insertCancelledDue, lockAmountDue } from './store/amount-due.ts';
import {
  addOutstanding,
  insertFailedPayment,
  insertGuestPayment,
  reopenAmountDue,
  setOutstanding,
  settleAmountDue,
} from './store/guest-payments.ts';
import { completePayment, endPayment, insertPayment } from './store/payments.ts';
import { mayMoveFrom } from './transitions.ts';

/** A guest's payment: recorded before the gateway is asked, booked with its answer, taken back by reversal (domain.md 7). */

/** The step in whose name a payment is written. */
export interface PaymentStep {
  readonly sagaId: string;
  readonly key: string;
  readonly forwardKey: string;
  readonly requestedBy: string;
}

/**
 * Claims the gateway's reference, and makes the amount due of the stay if there is none yet: a stay may be paid before it is
 * confirmed. Broken by `one_claim` when another payment has the reference. Safe to run again.
 */
export async function claimPayment(
  tx: Tx,
  step: PaymentStep,
  stay: PayableStay,
  order: PaymentOrder & { readonly paymentMethod: string | null; readonly cardFingerprint: string | null },
): Promise<void> {
  await insertPayment(tx, {
    reservation_id: stay.reservationId,
    saga_id: step.sagaId,
    gateway_id: order.gatewayId,
    gateway_reference: order.gatewayReference,
    payment_method: order.paymentMethod,
    card_fingerprint: order.cardFingerprint,
    amount_minor: order.amountMinor,
    currency: order.currency,
    requested_by: step.requestedBy,
  });
  const due = {
    reservation_id: stay.reservationId,
    owner_id: stay.ownerId,
    amount_minor: stay.totalMinor,
    currency: stay.currency,
    distribution_version: stay.termsVersion,
    created_by_saga: step.sagaId,
  };
  if (stay.outstandingMinor !== 0) {
    await ensureAmountDue(tx, { ...due, outstanding_minor: stay.outstandingMinor });
    return;
  }
  // Money that comes in for a stay that was cancelled unpaid needs a row, and settles nothing.
  if (!(await lockAmountDue(tx, stay.reservationId))) await insertCancelledDue(tx, due);
}

/** A captured payment, in minor units. */
export type BookedPayment = {
  readonly paymentId: string;
  /** The transaction that the money settled: the amount due itself, or a part of it. */
  readonly guestPaymentId: string;
  readonly amountMinor: number;
  readonly feeMinor: number;
  readonly excessMinor: number;
  readonly outstandingMinor: number;
};

/**
 * Books a captured charge: the payment, the transaction that it settles, and the journal, in one commit. Money over the balance is
 * the guest's credit, and alerts a person (domain.md 7).
 */
export async function bookPayment(
  tx: Tx,
  step: PaymentStep,
  stay: PayableStay,
  charge: Charge,
): Promise<BookedPayment> {
  const due = await lockAmountDue(tx, stay.reservationId);
  const appliedMinor = Math.min(charge.amountMinor, due?.outstanding_minor ?? 0);
  const excessMinor = charge.amountMinor - appliedMinor;
  const payment = await completePayment(tx, step.sagaId, { ...charge, excessMinor });
  const outstandingMinor = (due?.outstanding_minor ?? 0) - appliedMinor;
  const receipt = {
    payment_id: payment.id,
    gateway_id: payment.gateway_id,
    gateway_reference: payment.gateway_reference,
    payment_method: payment.payment_method,
    provider_id: charge.providerId,
    settled_minor: charge.amountMinor,
  };
  let guestPaymentId: string;
  if (due !== undefined && outstandingMinor === 0 && mayMoveFrom(due.status, 'settleDue')) {
    guestPaymentId = due.id;
    await settleAmountDue(tx, due.id, receipt);
  } else {
    guestPaymentId = await insertGuestPayment(tx, {
      ...receipt,
      reservation_id: stay.reservationId,
      owner_id: stay.ownerId,
      parent_id: due?.id ?? null,
      amount_minor: charge.amountMinor,
      currency: stay.currency,
      created_by_saga: step.sagaId,
      effect_key: step.key,
    });
    if (due) await setOutstanding(tx, due.id, outstandingMinor);
  }
  await post(tx, {
    ...postedIn(step),
    effectKey: step.key,
    kind: 'GUEST_PAYMENT',
    purpose: 'RECEIPT',
    currency: stay.currency,
    transactionId: guestPaymentId,
    reservationId: stay.reservationId,
    paymentId: payment.id,
    lines: [
      debit(accounts.gatewayClearing(payment.gateway_id, stay.currency), charge.amountMinor),
      credit(accounts.guestCredit(stay.guestId, stay.currency), charge.amountMinor),
    ],
  });
  if (excessMinor > 0) {
    const overpaid = { source: 'processPayment', step: null, code: 'OVERPAID' } as const;
    const { reservationId } = stay;
    await raiseAlert(tx, { about: 'reservation', id: reservationId, ...overpaid, group: `overpaid-${reservationId}` });
  }
  const { amountMinor, feeMinor } = charge;
  return { paymentId: payment.id, guestPaymentId, amountMinor, feeMinor, excessMinor, outstandingMinor };
}

const postedIn = (step: PaymentStep): PostedBy => ({ sagaId: step.sagaId, postedBy: step.requestedBy });

/**
 * The gateway holds nothing of this payment any more. If it was booked, it is reversed and the amount due stands again; if not, a
 * FAILED row keeps it (domain.md 7). Answers the code of the failure, whether a booking was reversed, and whether the failure was
 * an outage of the gateway.
 */
export async function takeBackPayment(
  tx: Tx,
  step: PaymentStep,
  booked: BookedPayment | undefined,
): Promise<{ readonly reversed: boolean; readonly code: string; readonly isOutage: boolean }> {
  const failure = await tx
    .selectFrom('saga')
    .select(['error_code', sql<string | null>`error_detail -> 'details' ->> 'gatewayError'`.as('gateway_error')])
    .where('id', '=', step.sagaId)
    .executeTakeFirstOrThrow();
  const code = failure.gateway_error ?? failure.error_code ?? 'STEP_FAILED';
  const isOutage = failure.error_code === 'GATEWAY_UNAVAILABLE' || failure.error_code === 'STEP_TIMEOUT';
  const payment = await endPayment(tx, step.sagaId, booked ? 'reverse' : 'fail', code);
  if (!booked) {
    const due = await lockAmountDue(tx, payment.reservation_id);
    await insertFailedPayment(tx, {
      reservation_id: payment.reservation_id,
      parent_id: due?.id ?? null,
      amount_minor: payment.amount_minor,
      currency: payment.currency,
      payment_id: payment.id,
      gateway_id: payment.gateway_id,
      gateway_reference: payment.gateway_reference,
      payment_method: payment.payment_method,
      error_code: code,
      created_by_saga: step.sagaId,
      effect_key: step.forwardKey,
    });
    return { reversed: false, code, isOutage };
  }
  await reverseStep(tx, { ...step, postedBy: step.requestedBy });
  await restoreAmountDue(tx, booked);
  return { reversed: true, code, isOutage };
}

/** The amount due that was settled as a whole is due again; of a part payment, the amount due grows by it. */
async function restoreAmountDue(tx: Tx, booked: BookedPayment): Promise<void> {
  const appliedMinor = booked.amountMinor - booked.excessMinor;
  const part = await tx
    .selectFrom('transaction')
    .select(['id', 'parent_id'])
    .where('id', '=', booked.guestPaymentId)
    .executeTakeFirstOrThrow();
  if (part.parent_id !== null) await addOutstanding(tx, part.parent_id, appliedMinor);
  else if (appliedMinor > 0) await reopenAmountDue(tx, part.id, appliedMinor);
}
