import { type RawBuilder, sql } from 'kysely';
import { literals } from '../../db/literal.ts';
import type { PaymentRowStatus, TransactionStatus } from '../../db/schema.ts';

interface Move<Status> {
  readonly from: readonly [Status, ...Status[]];
  readonly to: readonly [Status, ...Status[]];
}

/** A refund in one of these is still owed to the guest (domain.md 9.5). */
const OWED = ['PENDING', 'PROCESSING', 'MANUAL_REQUIRED'] as const satisfies readonly TransactionStatus[];

/**
 * The changes that a row of `transaction` may undergo: in which statuses each may be made, and to which it leads (domain.md 7,
 * 8, 9). Every statement of `store/` that changes a row takes its statuses from here, and changes no row in any other. A
 * change whose `to` repeats `from` keeps the status and changes the amounts or the time.
 */
export const TRANSACTION_MOVES = {
  // GUEST_PAYMENT: the amount due of a stay, and each payment of it.
  /** The price of a stay changes before it is paid. */
  repriceDue: { from: ['PENDING'], to: ['PENDING'] },
  cancelDue: { from: ['PENDING'], to: ['CANCELLED'] },
  /** One payment covers it as a whole. */
  settleDue: { from: ['PENDING'], to: ['COMPLETED'] },
  /** A part is paid, or a part payment is reversed; money that comes late is booked under a row that is closed. */
  changeOutstanding: { from: ['PENDING', 'COMPLETED', 'CANCELLED'], to: ['PENDING', 'COMPLETED', 'CANCELLED'] },
  /** The payment that had settled it has been reversed: it is due again. */
  reopenDue: { from: ['REVERSED'], to: ['PENDING'] },

  // OWNER_PAYOUT. FAILED: the bank did not pay, and a person decides whether to try again.
  reschedulePayout: { from: ['PENDING'], to: ['PENDING'] },
  /** A refund or a cost takes a part of it, or all. */
  reducePayout: { from: ['PENDING', 'FAILED'], to: ['PENDING', 'FAILED', 'CANCELLED'] },
  /** The payment that it came from is undone. */
  cancelPayout: { from: ['PENDING'], to: ['CANCELLED'] },
  /** A saga takes it into its bank instruction. */
  claimPayout: { from: ['PENDING', 'FAILED'], to: ['PROCESSING'] },
  completePayout: { from: ['PROCESSING'], to: ['COMPLETED'] },
  failPayout: { from: ['PROCESSING'], to: ['FAILED'] },
  /** The bank has sent it back. */
  returnPayout: { from: ['COMPLETED'], to: ['FAILED'] },

  // REFUND. PROCESSING: its outcome at the gateway is not known. MANUAL_REQUIRED: the gateway refused, a person sends it.
  sendRefund: { from: OWED, to: ['PENDING', 'PROCESSING'] },
  refuseRefund: { from: OWED, to: ['MANUAL_REQUIRED'] },
  completeRefund: { from: OWED, to: ['COMPLETED'] },
  /** A part of it has been paid, and becomes a row of its own. */
  splitRefund: { from: OWED, to: OWED },
  /** A person has sent the money another way. */
  settleRefundByHand: { from: ['MANUAL_REQUIRED'], to: ['COMPLETED'] },
  /** It was refused because our books lacked earlier refunds of the charge; these are booked now. */
  resendRefund: { from: ['MANUAL_REQUIRED'], to: ['PENDING'] },
  /** The gateway has the money back. */
  returnRefund: { from: ['COMPLETED'], to: ['MANUAL_REQUIRED'] },

  // DISPUTE (`store/disputes.ts` explains the statuses).
  /** The disputed amount changes before any money is taken. */
  changeDispute: { from: ['PENDING'], to: ['PENDING'] },
  withdrawDispute: { from: ['PENDING'], to: ['PROCESSING'] },
  closeDispute: { from: ['PENDING'], to: ['CANCELLED'] },
  loseDispute: { from: ['PROCESSING'], to: ['COMPLETED'] },
  /** A part of the lost money had been refunded before, and is a cost. */
  reduceLostDispute: { from: ['COMPLETED'], to: ['COMPLETED'] },
  winDispute: { from: ['PROCESSING'], to: ['REVERSED'] },

  // Rows of any type that own a journal of a step that is undone.
  reverse: { from: ['COMPLETED'], to: ['REVERSED'] },
} as const satisfies Readonly<Record<string, Move<TransactionStatus>>>;
export type TransactionMove = keyof typeof TRANSACTION_MOVES;

/** The same of a row of `payment`, which is one charge at a gateway. */
export const PAYMENT_MOVES = {
  complete: { from: ['PROCESSING'], to: ['COMPLETED'] },
  /** The gateway has captured nothing. */
  fail: { from: ['PROCESSING'], to: ['FAILED'] },
  /** The gateway had captured it, and holds nothing of it any more. */
  reverse: { from: ['COMPLETED'], to: ['REVERSED'] },
  refund: { from: ['COMPLETED'], to: ['COMPLETED'] },
  correctFee: { from: ['COMPLETED'], to: ['COMPLETED'] },
} as const satisfies Readonly<Record<string, Move<PaymentRowStatus>>>;
export type PaymentMove = keyof typeof PAYMENT_MOVES;

type SingleResult<Moves extends Readonly<Record<string, Move<string>>>> = {
  [M in keyof Moves]: Moves[M]['to'] extends readonly [string] ? M : never;
}[keyof Moves];

/** The status that a change leads to, of a change that leads to one only. */
export const resultOf = <M extends SingleResult<typeof TRANSACTION_MOVES>>(
  move: M,
): (typeof TRANSACTION_MOVES)[M]['to'][0] => TRANSACTION_MOVES[move].to[0];

/** The status of a payment after a change. */
export const paymentResultOf = <M extends PaymentMove>(move: M): (typeof PAYMENT_MOVES)[M]['to'][0] =>
  PAYMENT_MOVES[move].to[0];

/** Whether a transaction that was read, and is locked, may be changed so. */
export const mayMoveFrom = (status: TransactionStatus, move: TransactionMove): boolean =>
  fromOf(TRANSACTION_MOVES[move]).includes(status);

/**
 * The condition of a statement that a transaction may be changed so. `status`: SQL of the column. Its constants stand in the
 * text of the statement, so that partial indexes serve it (`db/literal.ts`).
 */
export const mayMove = (move: TransactionMove, status: RawBuilder<unknown> = STATUS): RawBuilder<boolean> =>
  isOneOf(fromOf(TRANSACTION_MOVES[move]), status);

/** The same for a row of `payment`. */
export const mayMovePayment = (move: PaymentMove): RawBuilder<boolean> => isOneOf(fromOf(PAYMENT_MOVES[move]), STATUS);

const STATUS = sql`status`;
/** The statuses of a payment are among those of a transaction. */
const fromOf = ({ from }: Move<TransactionStatus>): readonly TransactionStatus[] => from;

function isOneOf(statuses: readonly TransactionStatus[], status: RawBuilder<unknown>): RawBuilder<boolean> {
  const constants = literals<TransactionStatus>(statuses);
  return statuses.length === 1
    ? sql<boolean>`${status} = ${constants[0]}`
    : sql<boolean>`${status} IN (${sql.join(constants)})`;
}
