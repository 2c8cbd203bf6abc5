import { type SqlBool, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import { newId } from '../../kernel/ids.ts';
import { raiseAlert } from '../notifications/alerts.ts';
import type { Charge } from '../ports.ts';
import { accounts, credit, debit, type PostedBy, post, reverseStep } from './ledger.ts';
import type { PayableStay, PaymentOrder } from './payable.ts';

/** A guest's payment: on record before the gateway is asked, booked with its answer, taken back by reversal. */

/** Who pays for what, and in which step's name it is written. */
export interface PaymentStep {
  readonly sagaId: string;
  readonly key: string;
  readonly forwardKey: string;
  readonly requestedBy: string;
}

/**
 * The claim on the gateway's reference, and the stay's amount due if nothing has made it yet (a stay may be paid before
 * it is confirmed). Broken by `one_claim` when another payment has the reference. Safe to run again.
 */
export async function claimPayment(
  tx: Tx,
  step: PaymentStep,
  stay: PayableStay,
  order: PaymentOrder & { readonly paymentMethod: string | null; readonly cardFingerprint: string | null },
): Promise<void> {
  await tx
    .insertInto('payment')
    .values({
      id: newId('payment'),
      reservation_id: stay.reservationId,
      saga_id: step.sagaId,
      gateway_id: order.gatewayId,
      gateway_reference: order.gatewayReference,
      payment_method: order.paymentMethod,
      card_fingerprint: order.cardFingerprint,
      amount_minor: order.amountMinor,
      currency: order.currency,
      status: 'PROCESSING',
      requested_by: step.requestedBy,
    })
    .onConflict((conflict) => conflict.column('saga_id').doNothing())
    .execute();
  // Money that comes in for a stay that was called off unpaid has a place, and settles nothing.
  const owesNothing = stay.outstandingMinor === 0;
  if (owesNothing && (await lockAmountDue(tx, stay.reservationId))) return;
  await tx
    .insertInto('transaction')
    .values({
      id: newId('transaction'),
      type: 'GUEST_PAYMENT',
      status: owesNothing ? 'CANCELLED' : 'PENDING',
      reservation_id: stay.reservationId,
      owner_id: stay.ownerId,
      amount_minor: stay.totalMinor,
      outstanding_minor: stay.outstandingMinor,
      currency: stay.currency,
      distribution_version: stay.termsVersion,
      created_by_saga: step.sagaId,
      cancelled_at: owesNothing ? sql<Date>`now()` : null,
    })
    .onConflict((conflict) =>
      conflict
        .column('reservation_id')
        .where(
          sql<SqlBool>`type = 'GUEST_PAYMENT' AND parent_id IS NULL AND status NOT IN ('FAILED', 'CANCELLED', 'REVERSED')`,
        )
        // The price of a stay may change until it is confirmed.
        .doUpdateSet({ amount_minor: stay.totalMinor, outstanding_minor: stay.outstandingMinor })
        .where('transaction.status', '=', literal('PENDING')),
    )
    .execute();
}

export type BookedPayment = {
  readonly paymentId: string;
  /** The transaction that the money settled: the amount due itself, or a part of it. */
  readonly guestPaymentId: string;
  readonly amountMinor: number;
  readonly feeMinor: number;
  readonly excessMinor: number;
  readonly outstandingMinor: number;
};

/** What the gateway has captured: the payment, the transaction that it settles, and the journal, in one commit. */
export async function bookPayment(
  tx: Tx,
  step: PaymentStep,
  stay: PayableStay,
  charge: Charge,
): Promise<BookedPayment> {
  const due = await lockAmountDue(tx, stay.reservationId);
  const appliedMinor = Math.min(charge.amountMinor, due?.outstanding_minor ?? 0);
  const excessMinor = charge.amountMinor - appliedMinor;
  const payment = await tx
    .updateTable('payment')
    .set({
      status: 'COMPLETED',
      provider_id: charge.providerId,
      fee_minor: charge.feeMinor,
      excess_minor: excessMinor,
      completed_at: sql<Date>`now()`,
    })
    .where('saga_id', '=', step.sagaId)
    .returningAll()
    .executeTakeFirstOrThrow();
  const outstandingMinor = (due?.outstanding_minor ?? 0) - appliedMinor;
  const gateway = {
    payment_id: payment.id,
    gateway_id: payment.gateway_id,
    gateway_reference: payment.gateway_reference,
    payment_method: payment.payment_method,
    provider_id: charge.providerId,
    settled_minor: charge.amountMinor,
    completed_at: sql<Date>`now()`,
  };
  const settles = due !== undefined && outstandingMinor === 0 && due.status === 'PENDING';
  const guestPaymentId = settles ? due.id : newId('transaction');
  if (settles) {
    await tx
      .updateTable('transaction')
      .set((eb) => ({ ...gateway, status: 'COMPLETED', outstanding_minor: 0, version: eb('version', '+', 1) }))
      .where('id', '=', due.id)
      .execute();
  } else {
    await tx
      .insertInto('transaction')
      .values({
        ...gateway,
        id: guestPaymentId,
        type: 'GUEST_PAYMENT',
        status: 'COMPLETED',
        reservation_id: stay.reservationId,
        owner_id: stay.ownerId,
        parent_id: due?.id ?? null,
        amount_minor: charge.amountMinor,
        outstanding_minor: 0,
        currency: stay.currency,
        created_by_saga: step.sagaId,
        effect_key: step.key,
      })
      .execute();
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
    await raiseAlert(tx, { about: 'saga', id: step.sagaId, ...overpaid, group: `overpaid-${stay.reservationId}` });
  }
  const { amountMinor, feeMinor } = charge;
  return { paymentId: payment.id, guestPaymentId, amountMinor, feeMinor, excessMinor, outstandingMinor };
}

const postedIn = (step: PaymentStep): PostedBy => ({ sagaId: step.sagaId, postedBy: step.requestedBy });

const lockAmountDue = (tx: Tx, reservationId: string) =>
  tx
    .selectFrom('transaction')
    .select(['id', 'status', 'amount_minor', 'outstanding_minor'])
    .where('reservation_id', '=', reservationId)
    .where('type', '=', literal('GUEST_PAYMENT'))
    .where('parent_id', 'is', null)
    .where('status', 'in', literals(['PENDING', 'COMPLETED', 'CANCELLED']))
    // A cancelled stay owes nothing any more, but late money still finds its place.
    .orderBy(sql`status = 'CANCELLED'`)
    .orderBy('created_at', 'desc')
    .limit(1)
    .forUpdate()
    .executeTakeFirst();

const setOutstanding = (tx: Tx, id: string, outstandingMinor: number) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({ outstanding_minor: outstandingMinor, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .execute();

/**
 * The gateway holds nothing of this payment any more. What had been booked is reversed and the amount due stands again;
 * what had not keeps a FAILED row (domain.md 7). Answers with the code of the failure and whether money had moved.
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
  const payment = await tx
    .updateTable('payment')
    .set({ status: booked ? 'REVERSED' : 'FAILED', error_code: code })
    .where('saga_id', '=', step.sagaId)
    .returningAll()
    .executeTakeFirstOrThrow();
  if (!booked) {
    const due = await lockAmountDue(tx, payment.reservation_id);
    await tx
      .insertInto('transaction')
      .values({
        id: newId('transaction'),
        type: 'GUEST_PAYMENT',
        status: 'FAILED',
        reservation_id: payment.reservation_id,
        parent_id: due?.id ?? null,
        amount_minor: payment.amount_minor,
        outstanding_minor: 0,
        currency: payment.currency,
        payment_id: payment.id,
        gateway_id: payment.gateway_id,
        gateway_reference: payment.gateway_reference,
        payment_method: payment.payment_method,
        error_code: code,
        created_by_saga: step.sagaId,
        effect_key: step.forwardKey,
      })
      .execute();
    return { reversed: false, code, isOutage };
  }
  await reverseStep(tx, { ...step, postedBy: step.requestedBy });
  await restoreAmountDue(tx, booked);
  return { reversed: true, code, isOutage };
}

/** The row that was settled as a whole is owed again; of a part, the amount due grows by it. */
async function restoreAmountDue(tx: Tx, booked: BookedPayment): Promise<void> {
  const appliedMinor = booked.amountMinor - booked.excessMinor;
  const part = await tx
    .selectFrom('transaction')
    .select(['id', 'parent_id'])
    .where('id', '=', booked.guestPaymentId)
    .executeTakeFirstOrThrow();
  if (part.parent_id !== null) {
    await tx
      .updateTable('transaction')
      .set((eb) => ({ outstanding_minor: eb('outstanding_minor', '+', appliedMinor), version: eb('version', '+', 1) }))
      .where('id', '=', part.parent_id)
      .execute();
    return;
  }
  if (appliedMinor === 0) return;
  await tx
    .updateTable('transaction')
    .set((eb) => ({
      status: 'PENDING',
      outstanding_minor: appliedMinor,
      settled_minor: 0,
      payment_id: null,
      gateway_id: null,
      gateway_reference: null,
      payment_method: null,
      provider_id: null,
      completed_at: null,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', part.id)
    .execute();
}
