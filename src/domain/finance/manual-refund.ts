import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { type Author, recordAudit } from '../audit/record.ts';
import { refundProcessedMessage } from '../messages/catalogue/refund-processed.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { disputedOf } from '../reservations/payment-status.ts';
import { rederivePaymentStatus } from '../reservations/store.ts';
import { accounts, credit, debit, post } from './ledger.ts';
import { readRefund } from './refund.ts';
import { closeRefundTask } from './refund-task.ts';
import { settleRefundByHand } from './store/refunds.ts';

/** A refund that a gateway refuses for good is sent by a person another way (domain.md 9.5). */

export interface ManualSettlement {
  /** The reference of the bank transfer or the like, by which it can be found later. */
  readonly reference: string;
  readonly method: string;
  readonly notes: string | null;
  /** The money has left already, so it is booked even if its charge is disputed meanwhile. */
  readonly alreadySent: boolean;
}

/**
 * Books a refund that a person has sent, tells the guest, and closes the task. Throws `NOT_FOUND`, `ALREADY_PAID`, and
 * `INVALID_STATE_TRANSITION` for a refund that the gateway may still carry out, or of a charge with an open dispute unless the
 * money has left already.
 */
export async function settleRefund(
  tx: Tx,
  refundId: string,
  { reference, method, notes, alreadySent }: ManualSettlement,
  author: Author,
): Promise<void> {
  const refund = await readRefund(tx, refundId);
  // The bank may give the guest the same money: the dispute decides whether it is still owed.
  const isDisputed = sql<boolean>`(NOT ${alreadySent}::boolean AND EXISTS (SELECT FROM payment y WHERE y.id = ${refund.paymentId} AND ${disputedOf('y')} > 0))`;
  const settled = await settleRefundByHand(tx, refundId, { reference, method }, isDisputed);
  if (!settled) throw await refusal(tx, refundId);
  const effectKey = `manual-${refundId}-${settled.version}`;
  await post(tx, {
    sagaId: null,
    postedBy: author.actor,
    effectKey,
    kind: 'REFUND_PAID',
    purpose: 'RECEIPT',
    currency: refund.currency,
    transactionId: refundId,
    reservationId: refund.reservationId,
    paymentId: refund.paymentId,
    lines: [
      debit(accounts.guestCredit(refund.guestId, refund.currency), refund.amountMinor),
      credit(accounts.bank(refund.currency), refund.amountMinor),
    ],
  });
  await rederivePaymentStatus(tx, refund.reservationId);
  await closeRefundTask(tx, refundId);
  const messages = [refundProcessedMessage(refund, refund)];
  await enqueueInTransaction(tx, effectKey, messages, { sagaId: null, reservationId: refund.reservationId });
  await recordAudit(tx, {
    streamId: `transaction:${refundId}`,
    event: 'REFUND_SETTLED_BY_HAND',
    ...author,
    reservationId: refund.reservationId,
    body: { outcome: 'success', details: { id: refundId, reference, method, notes } },
  });
}

/** By the row as it is now: another request may have been faster. */
async function refusal(tx: Tx, refundId: string): Promise<RoomyError> {
  const { status } = await tx
    .selectFrom('transaction')
    .select('status')
    .where('id', '=', refundId)
    .executeTakeFirstOrThrow();
  const isDisputed = status === 'MANUAL_REQUIRED' ? { reason: 'DISPUTED' } : {};
  return new RoomyError(status === 'COMPLETED' ? 'ALREADY_PAID' : 'INVALID_STATE_TRANSITION', {
    details: { status, ...isDisputed },
  });
}
