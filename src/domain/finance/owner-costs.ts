import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { newId } from '../../kernel/ids.ts';
import type { Money } from '../../kernel/money.ts';
import { accounts, credit, debit, post } from './ledger.ts';

/**
 * What the agency has paid for an owner, such as a repair: a line on the owner's statement, taken off the next payouts
 * like anything else that an owner owes (domain.md 14, 9.2). Once by its key. Answers the id of the transaction.
 */
export async function chargeOwner(
  tx: Tx,
  { amountMinor, currency }: Money,
  order: { readonly ownerId: string; readonly taskId: string; readonly postedBy: string },
): Promise<string> {
  const transactionId = newId('transaction');
  const effectKey = `${order.taskId}-cost`;
  await tx
    .insertInto('transaction')
    .values({
      id: transactionId,
      type: 'ADJUSTMENT',
      status: 'COMPLETED',
      owner_id: order.ownerId,
      amount_minor: -amountMinor,
      settled_minor: -amountMinor,
      outstanding_minor: 0,
      currency,
      effect_key: effectKey,
      completed_at: sql<Date>`now()`,
      details: JSON.stringify({ reason: 'REPAIR', taskId: order.taskId }),
    })
    .execute();
  await post(tx, {
    sagaId: null,
    postedBy: order.postedBy,
    effectKey,
    kind: 'ADJUSTMENT',
    purpose: 'COST',
    currency,
    transactionId,
    reservationId: null,
    paymentId: null,
    lines: [
      debit(accounts.ownerPayable(order.ownerId, currency), amountMinor),
      credit(accounts.bank(currency), amountMinor),
    ],
  });
  return transactionId;
}
