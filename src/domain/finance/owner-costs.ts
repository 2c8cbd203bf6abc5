import type { Tx } from '../../db/client.ts';
import type { Money } from '../../kernel/money.ts';
import { accounts, credit, debit, post } from './ledger.ts';
import { insertBooked } from './store/booked.ts';

/**
 * Charges an owner with a cost that the agency has paid, such as a repair: a line on the owner's statement, taken off the next
 * payouts like any other debt of the owner (domain.md 14, 9.2). Answers the id of the transaction; once for each task, whose
 * key it has.
 */
export async function chargeOwner(
  tx: Tx,
  { amountMinor, currency }: Money,
  order: { readonly ownerId: string; readonly taskId: string; readonly postedBy: string },
): Promise<string> {
  const effectKey = `${order.taskId}-cost`;
  const transactionId = await insertBooked(tx, {
    type: 'ADJUSTMENT',
    owner_id: order.ownerId,
    amount_minor: -amountMinor,
    currency,
    effect_key: effectKey,
    details: JSON.stringify({ reason: 'REPAIR', taskId: order.taskId }),
  });
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
