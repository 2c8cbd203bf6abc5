import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { TransactionStatus } from '../../db/schema.ts';
import { openField } from '../../db/sealed-fields.ts';
import { RoomyError, required } from '../../kernel/errors.ts';
import { toMajor } from '../../kernel/money.ts';
import type { Ports } from '../ports.ts';
import { accounts, credit, debit, post } from './ledger.ts';
import { carryOver, payableOf, positionOf } from './payout-amount.ts';
import { isStayHeld, whyStayIsHeld } from './payout-hold.ts';
import { claimPayout, completePayouts, markPayoutsFailed } from './store/payouts.ts';
import { mayMove, mayMoveFrom } from './transitions.ts';

/** One bank instruction to an owner: a payout, and the others that are due to the same owner in the same currency. */
export type PayoutOrder = {
  readonly payoutIds: readonly string[];
  readonly ownerId: string;
  /** As the owner's row has it, which is sealed: this is kept with the step. `openAccount` opens it. */
  readonly account: string;
  readonly currency: string;
  readonly warnings: readonly string[];
  /** The provider pays multiples of this, in minor units. A saga that passed the step before there was one has none. */
  readonly stepMinor?: number;
};
export interface PayoutRules {
  /** The payout that the saga is about. */
  readonly payoutId: string;
  /** Others that go out with it. */
  readonly also: readonly string[];
  /** Pay the available part, as the owner owes the rest, instead of refusing (domain.md 8). */
  readonly netting: boolean;
  /** Of the owner's balance, minor units: not paid out. */
  readonly keepMinor?: number | undefined;
  /** Refuse a payout that is not due yet, instead of warning. */
  readonly strict: boolean;
}

/**
 * Checks a payout and makes the bank instruction of it. Throws `NOT_FOUND`, `NOT_A_PAYOUT`, `ALREADY_PAID`, `PAYOUT_NOT_PAYABLE` (cancelled, on its way, held, or its payment
 * is not through, or its account was changed), `PAYOUT_BEFORE_SCHEDULE`, `PAYOUT_EXCEEDS_BALANCE`.
 */
export async function assertPayable(
  db: Db,
  ports: Pick<Ports, 'amountStep'>,
  rules: PayoutRules,
  { requestedAt, sagaId }: { readonly requestedAt: Date; readonly sagaId: string },
): Promise<PayoutOrder> {
  const row = await readPayout(db, rules.payoutId);
  if (!row) throw new RoomyError('NOT_FOUND', { text: 'Transaction not found' });
  if (row.type !== 'OWNER_PAYOUT') throw new RoomyError('NOT_A_PAYOUT', { details: { type: row.type } });
  if (row.payout_saga !== sagaId) assertState(row.status);
  const refuse = (reason: string, more: object = {}) =>
    new RoomyError('PAYOUT_NOT_PAYABLE', { details: { status: row.status, reason, ...more } });
  // A payment that may still be undone must not be paid out.
  if (row.made_by_open_saga) throw refuse('PAYMENT_NOT_FINISHED');
  if (row.payout_terms?.hold) throw refuse('OWNER_ON_HOLD');
  if (row.held_because !== null && row.status !== 'PROCESSING') throw refuse(row.held_because);
  const ownerId = required(row.owner_id, 'the owner of a payout');
  const account = await openField(db, 'owner.payout_account', ownerId, row.payout_account);
  if (account === null || row.payout_account === null) throw refuse('NO_PAYOUT_ACCOUNT');
  // The money that is on its way already goes where it was sent.
  if (row.payout_account_from !== null && row.payout_account_from > requestedAt && row.status !== 'PROCESSING')
    throw refuse('PAYOUT_ACCOUNT_CHANGED', { until: row.payout_account_from.toISOString() });
  const early = row.scheduled_for !== null && row.scheduled_for > requestedAt;
  if (early && rules.strict) {
    throw new RoomyError('PAYOUT_BEFORE_SCHEDULE', { details: { scheduledFor: row.scheduled_for?.toISOString() } });
  }
  const order = {
    payoutIds: [rules.payoutId, ...rules.also],
    ownerId,
    account: row.payout_account,
    currency: row.currency,
    warnings: early ? ['BEFORE_SCHEDULE'] : [],
    stepMinor: ports.amountStep({ account }, row.currency),
  };
  await assertCovered(db, order, rules);
  return order;
}

/** The account to which an order goes, for the provider alone. Throws `PAYOUT_NOT_PAYABLE` when its owner is erased. */
export async function openAccount(
  tx: Tx,
  { ownerId, account }: Pick<PayoutOrder, 'ownerId' | 'account'>,
): Promise<string> {
  const opened = await openField(tx, 'owner.payout_account', ownerId, account);
  if (opened === null) throw new RoomyError('PAYOUT_NOT_PAYABLE', { details: { reason: 'NO_PAYOUT_ACCOUNT' } });
  return opened;
}

function assertState(status: TransactionStatus): void {
  if (status === 'COMPLETED') throw new RoomyError('ALREADY_PAID', { details: { status } });
  // A payout that failed is paid again only when a person asks for it: a new saga, a new key.
  if (!mayMoveFrom(status, 'claimPayout')) {
    throw new RoomyError('PAYOUT_NOT_PAYABLE', { details: { status } });
  }
}

const readPayout = (db: Db, id: string) =>
  db
    .selectFrom('transaction as t')
    .leftJoin('owner as o', 'o.id', 't.owner_id')
    .leftJoin('saga as s', 's.id', 't.created_by_saga')
    .select([
      't.type',
      't.status',
      't.owner_id',
      't.currency',
      't.scheduled_for',
      't.payout_saga',
      'o.payout_account',
      'o.payout_terms',
      'o.payout_account_from',
      sql<boolean>`s.id IS NOT NULL AND s.finished_at IS NULL`.as('made_by_open_saga'),
      whyStayIsHeld(sql`t.reservation_id`).as('held_because'),
    ])
    .where('t.id', '=', id)
    .executeTakeFirst();

/** An early refusal, before anything is claimed; the claim decides by the same sums under a lock. */
async function assertCovered(db: Db, order: PayoutOrder, rules: PayoutRules): Promise<void> {
  const rows = await db
    .selectFrom('transaction')
    .select('amount_minor')
    .where('id', 'in', order.payoutIds)
    .where(mayMove('claimPayout'))
    .execute();
  const grossMinor = rows.reduce((sum, row) => sum + row.amount_minor, 0);
  if (grossMinor === 0) return;
  payableOf(await positionOf(db, order), grossMinor, rules, order);
}

/** The payouts of one bank instruction and their sum, in minor units. */
export type PayoutClaim = { readonly amountMinor: number; readonly payoutIds: readonly string[] };

/**
 * Claims those of the payouts that can still be claimed and fixes the amount: on every attempt the same, because it is sent under
 * one key. The owner's debt is netted, the oldest payout first; the part that the provider cannot pay is carried over, the newest
 * first. Throws `PAYOUT_NOT_PAYABLE` and `PAYOUT_EXCEEDS_BALANCE`.
 */
export async function claimPayouts(
  tx: Tx,
  sagaId: string,
  order: PayoutOrder,
  rules: Pick<PayoutRules, 'payoutId' | 'netting' | 'keepMinor'>,
): Promise<PayoutClaim> {
  const before = await claimed(tx, sagaId);
  if (before.payoutIds.length > 0) return before;
  // One claim at a time per owner and currency: both read the same balance.
  await tx
    .selectFrom('ledger_account')
    .select('id')
    .where('id', '=', accounts.ownerPayable(order.ownerId, order.currency).id)
    .forNoKeyUpdate()
    .execute();
  const rows = await tx
    .selectFrom('transaction')
    .select(['id', 'amount_minor'])
    .where('id', 'in', order.payoutIds)
    .where(mayMove('claimPayout'))
    .where('amount_minor', '>', 0)
    .where(sql<boolean>`NOT ${isStayHeld(sql`transaction.reservation_id`)}`)
    .orderBy('created_at')
    .orderBy('id')
    .forUpdate()
    .execute();
  if (!rows.some((row) => row.id === rules.payoutId)) {
    throw new RoomyError('PAYOUT_NOT_PAYABLE', { details: { reason: 'CHANGED_MEANWHILE' } });
  }
  const grossMinor = rows.reduce((sum, row) => sum + row.amount_minor, 0);
  const { paidMinor, carriedMinor } = payableOf(await positionOf(tx, order), grossMinor, rules, order);
  const taken = await carryOver(tx, sagaId, rows, carriedMinor);
  let nettedMinor = grossMinor - carriedMinor - paidMinor;
  for (const row of taken) {
    const takenMinor = Math.min(nettedMinor, row.amount_minor);
    nettedMinor -= takenMinor;
    await claimPayout(tx, row.id, { sagaId, grossMinor: row.amount_minor, nettedMinor: takenMinor });
  }
  return { amountMinor: paidMinor, payoutIds: taken.map((row) => row.id) };
}

async function claimed(tx: Tx, sagaId: string): Promise<PayoutClaim> {
  const rows = await tx
    .selectFrom('transaction')
    .select(['id', 'settled_minor'])
    .where('payout_saga', '=', sagaId)
    .where(mayMove('completePayout'))
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  return {
    amountMinor: rows.reduce((sum, row) => sum + row.settled_minor, 0),
    payoutIds: rows.map((row) => row.id),
  };
}

interface PayoutStep {
  readonly sagaId: string;
  readonly key: string;
  readonly requestedBy: string;
}

/** The bank has paid: each payout of the instruction is completed, with a journal of its own. */
export async function recordPayouts(tx: Tx, step: PayoutStep, order: PayoutOrder, providerId: string): Promise<void> {
  const rows = await completePayouts(tx, step.sagaId, providerId);
  for (const row of rows) {
    await post(tx, {
      sagaId: step.sagaId,
      postedBy: step.requestedBy,
      effectKey: `${step.key}-${row.id}`,
      kind: 'OWNER_PAYOUT',
      purpose: 'PAYOUT',
      currency: order.currency,
      transactionId: row.id,
      reservationId: row.reservation_id,
      paymentId: row.payment_id,
      lines: [
        debit(accounts.ownerPayable(order.ownerId, order.currency), row.settled_minor),
        credit(accounts.bank(order.currency), row.settled_minor),
      ],
    });
  }
}

/**
 * The bank has not paid and will not under this key: the money stays owed, and only a person tries again (domain.md 8).
 * Answers the amount of the instruction, in minor units.
 */
export async function failPayouts(tx: Tx, sagaId: string, errorCode: string): Promise<number> {
  const { amountMinor } = await claimed(tx, sagaId);
  await markPayoutsFailed(tx, sagaId, errorCode);
  return amountMinor;
}

/** The payouts of a saga and its bank instruction, in major units, for its answer. */
export async function payoutOutcome(db: Db | Tx, sagaId: string, order: PayoutOrder) {
  const rows = await db
    .selectFrom('transaction')
    .select(['id', 'status', 'amount_minor', 'settled_minor', 'currency', 'provider_id'])
    .where('payout_saga', '=', sagaId)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  const major = (amountMinor: number) => toMajor({ amountMinor, currency: order.currency });
  const payouts = rows.map((row) => ({
    id: row.id,
    status: row.status,
    amount: major(row.amount_minor),
    amountPaid: major(row.settled_minor),
    amountNetted: major(row.amount_minor - row.settled_minor),
    currency: row.currency,
  }));
  return {
    payout: payouts.find((payout) => payout.id === order.payoutIds[0]) ?? null,
    payouts,
    instruction: {
      amount: major(rows.reduce((sum, row) => sum + row.settled_minor, 0)),
      currency: order.currency,
      providerId: rows[0]?.provider_id ?? null,
    },
    warnings: order.warnings,
  };
}
