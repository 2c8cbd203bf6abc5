import type { Tx } from '../../db/client.ts';
import type { Money } from '../../kernel/money.ts';
import { accounts, credit, debit, post } from './ledger.ts';
import { insertBooked } from './store/booked.ts';

export interface OwnerCost {
  readonly ownerId: string;
  readonly taskId: string;
  readonly propertyId: string;
  /** What it was for, as it was approved. */
  readonly text: string;
  /** Absent: the owner has said yes to the estimate. */
  readonly approvalId?: string;
  readonly postedBy: string;
}

/**
 * Charges an owner with a cost that the agency has paid, such as a repair: a line on the owner's statement, taken off the next
 * payouts like any other debt of the owner (domain.md 14, 9.2). Answers the id of the transaction; once for each task, whose
 * key it has.
 */
export async function chargeOwner(
  tx: Tx,
  { amountMinor, currency }: Money,
  { ownerId, postedBy, ...details }: OwnerCost,
): Promise<string> {
  const effectKey = keyOf(details.taskId);
  const transactionId = await insertBooked(tx, {
    type: 'ADJUSTMENT',
    owner_id: ownerId,
    amount_minor: -amountMinor,
    currency,
    effect_key: effectKey,
    details: JSON.stringify({ reason: 'REPAIR', ...details }),
  });
  await post(tx, {
    sagaId: null,
    postedBy,
    effectKey,
    kind: 'ADJUSTMENT',
    purpose: 'COST',
    currency,
    transactionId,
    reservationId: null,
    paymentId: null,
    lines: [debit(accounts.ownerPayable(ownerId, currency), amountMinor), credit(accounts.bank(currency), amountMinor)],
  });
  return transactionId;
}

const keyOf = (taskId: string): string => `${taskId}-cost`;

/** Whether the cost of a task is an owner's debt. */
export const isCharged = async (tx: Tx, taskId: string): Promise<boolean> =>
  (await tx.selectFrom('transaction').select('id').where('effect_key', '=', keyOf(taskId)).executeTakeFirst()) !==
  undefined;
