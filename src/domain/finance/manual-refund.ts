import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { type Author, recordAudit } from '../audit/record.ts';
import { refundProcessedMessage } from '../messages/catalogue/refund-processed.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { disputedOf } from '../reservations/payment-status.ts';
import { rederivePaymentStatus } from '../reservations/store.ts';
import { accounts, credit, debit, post } from './ledger.ts';
import { readRefund } from './refund.ts';
import { refundSeenTo } from './refund-task.ts';

/** What a gateway refuses for good, a person sends back another way (domain.md 9.5). */

export interface ManualSettlement {
  /** Of the bank transfer or the like, for whoever looks for it later. */
  readonly reference: string;
  readonly method: string;
  readonly notes: string | null;
  /** It has gone already, whatever has come up meanwhile. */
  readonly alreadySent: boolean;
}

/**
 * Books what a person has sent back. Throws `NOT_FOUND`, `ALREADY_PAID`, and `INVALID_STATE_TRANSITION` for a refund
 * that the gateway may still carry out, or of a charge with an open dispute unless the money has gone already.
 */
export async function settleRefund(
  tx: Tx,
  refundId: string,
  { reference, method, notes, alreadySent }: ManualSettlement,
  author: Author,
): Promise<void> {
  const refund = await readRefund(tx, refundId);
  const settled = await tx
    .updateTable('transaction')
    .set((eb) => ({
      status: 'COMPLETED',
      outstanding_minor: 0,
      settled_minor: eb.ref('amount_minor'),
      // It left from the bank: the gateway's record will never hold it, and its news are not about it.
      gateway_id: null,
      provider_id: null,
      gateway_reference: reference,
      payment_method: method,
      error_code: null,
      completed_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', refundId)
    .where('status', '=', literal('MANUAL_REQUIRED'))
    // The bank may give the guest the same money: whether it is owed still is decided with the dispute.
    .where((eb) =>
      eb.or([
        sql<boolean>`${alreadySent}`,
        eb.not(
          eb.exists(
            eb
              .selectFrom('payment as y')
              .select('y.id')
              .where('y.id', '=', refund.paymentId)
              .where(sql<boolean>`${disputedOf('y')} > 0`),
          ),
        ),
      ]),
    )
    .returning(['version'])
    .executeTakeFirst();
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
  await refundSeenTo(tx, refundId);
  const told = [refundProcessedMessage(refund, refund)];
  await enqueueInTransaction(tx, effectKey, told, { sagaId: null, reservationId: refund.reservationId });
  await recordAudit(tx, {
    streamId: `transaction:${refundId}`,
    event: 'REFUND_SETTLED_BY_HAND',
    actor: author.actor,
    requestId: author.requestId,
    ip: author.ip ?? null,
    reservationId: refund.reservationId,
    body: { outcome: 'success', details: { id: refundId, reference, method, notes } },
  });
}

/** The row as it stands now: another request may have been faster. */
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
