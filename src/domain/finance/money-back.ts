import type { Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Json } from '../../db/schema.ts';
import { rederivePaymentStatus } from '../reservations/store.ts';
import { GATEWAY } from './gateway-events.ts';
import { type Account, accounts, credit, debit, post } from './ledger.ts';
import { bookRefunds, type RefundedStay } from './refund-booking.ts';
import { closeRefundTask } from './refund-task.ts';
import { completeRefund, splitRefund } from './store/refunds.ts';
import { mayMove } from './transitions.ts';

/** Money of a charge that has gone back to the guest already, without a refund that this system has sent. Minor units. */
export interface MoneyBack {
  readonly paymentId: string;
  readonly amountMinor: number;
  /** The account that it has left. */
  readonly from: Account;
  /** The provider's own id of the refund; null: it made none. */
  readonly providerId: string | null;
  /** Null: no refund of this gateway's own record. */
  readonly gatewayId: string | null;
  readonly gatewayReference: string;
  /** Unique for this return; the keys of its journals and rows begin with it. */
  readonly effectKey: string;
  readonly details: Readonly<Record<string, Json>>;
}
export interface BookedBack {
  /** Below the amount, where more has gone back than was captured. */
  readonly bookedMinor: number;
  /** The owner's part of the new refunds. */
  readonly ownerMinor: number;
  readonly refundIds: readonly string[];
}

interface Refund {
  readonly id: string;
  readonly amount_minor: number;
}

/**
 * Books money that has gone back. It first completes refunds of the same charge that are owed and that no saga is about to send,
 * the oldest first: a guest who was owed 400 and has received 400 is owed nothing. The rest becomes a refund of its own, borne by
 * the split like that of a cancellation (domain.md 9). Under the lock of the stay; no saga of it, and none of its refunds, may
 * be open.
 */
export async function bookMoneyBack(tx: Tx, stay: RefundedStay, back: MoneyBack): Promise<BookedBack> {
  let leftMinor = back.amountMinor;
  const settled: string[] = [];
  for (const owed of await owedRefunds(tx, stay.reservationId, back.paymentId)) {
    if (leftMinor === 0) break;
    const partMinor = Math.min(leftMinor, owed.amount_minor);
    leftMinor -= partMinor;
    settled.push(partMinor === owed.amount_minor ? owed.id : await splitRefund(tx, owed, partMinor));
    if (partMinor === owed.amount_minor) await closeRefundTask(tx, owed.id);
  }
  const refundableMinor = Math.min(leftMinor, await unrefundedOf(tx, back.paymentId));
  const step = { sagaId: null, key: back.effectKey, requestedBy: GATEWAY };
  const booked =
    refundableMinor === 0
      ? { refundIds: [], ownerMinor: 0 }
      : await bookRefunds(tx, step, stay, {
          amountMinor: refundableMinor,
          bearer: null,
          details: back.details,
          paymentId: back.paymentId,
        });
  const refundIds = [...settled, ...booked.refundIds];
  for (const id of refundIds) await settle(tx, stay, back, id);
  await rederivePaymentStatus(tx, stay.reservationId);
  return { bookedMinor: back.amountMinor - leftMinor + refundableMinor, ownerMinor: booked.ownerMinor, refundIds };
}

/** Refunds that are booked and have not been paid: refused by the gateway, or left behind by a saga that is closed. */
const owedRefunds = (tx: Tx, reservationId: string, paymentId: string): Promise<readonly Refund[]> =>
  tx
    .selectFrom('transaction')
    .select(['id', 'amount_minor'])
    .where('reservation_id', '=', reservationId)
    .where('payment_id', '=', paymentId)
    .where('type', '=', literal('REFUND'))
    .where(mayMove('completeRefund'))
    .orderBy('created_at')
    .orderBy('id')
    .forUpdate()
    .execute();

async function unrefundedOf(tx: Tx, paymentId: string): Promise<number> {
  const { left } = await tx
    .selectFrom('payment')
    .select((eb) => eb('amount_minor', '-', eb.ref('refunded_minor')).as('left'))
    .where('id', '=', paymentId)
    .executeTakeFirstOrThrow();
  return left;
}

/** Completes a refund and posts that the debt to the guest is paid. */
async function settle(tx: Tx, stay: RefundedStay, back: MoneyBack, refundId: string): Promise<void> {
  const { amount_minor: amountMinor } = await completeRefund(tx, refundId, back.providerId, {
    gateway_id: back.gatewayId,
    gateway_reference: back.gatewayReference,
  });
  await post(tx, {
    sagaId: null,
    postedBy: GATEWAY,
    effectKey: `${back.effectKey}-paid-${refundId}`,
    kind: 'REFUND_PAID',
    purpose: 'RECEIPT',
    currency: stay.currency,
    transactionId: refundId,
    reservationId: stay.reservationId,
    paymentId: back.paymentId,
    lines: [debit(accounts.guestCredit(stay.guestId, stay.currency), amountMinor), credit(back.from, amountMinor)],
  });
}
