import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import type { Json } from '../../db/schema.ts';
import { newId } from '../../kernel/ids.ts';
import { rederivePaymentStatus } from '../reservations/store.ts';
import { GATEWAY } from './gateway-events.ts';
import { type Account, accounts, credit, debit, post } from './ledger.ts';
import { bookRefunds, type RefundedStay } from './refund-booking.ts';
import { refundSeenTo } from './refund-task.ts';

/** Money of a charge that a guest has back already, without a refund of ours: booked as what it is. */
export interface MoneyBack {
  readonly paymentId: string;
  readonly amountMinor: number;
  /** Where the money had been until then. */
  readonly from: Account;
  /** The provider's own id of the refund; null: it made none. */
  readonly providerId: string | null;
  /** Null: no refund of this gateway's own record. */
  readonly gatewayId: string | null;
  readonly gatewayReference: string;
  /** Unique for what happened; journals and rows get keys of their own from it. */
  readonly effectKey: string;
  readonly details: Readonly<Record<string, Json>>;
}
export interface BookedBack {
  /** Below the amount, where more has gone back than was captured. */
  readonly bookedMinor: number;
  /** What the owner gives back. */
  readonly ownerMinor: number;
  readonly refundIds: readonly string[];
}

interface Refund {
  readonly id: string;
  readonly amount_minor: number;
}

/**
 * First it settles refunds of the same charge that are owed and that no saga is about to send, the oldest first: a guest
 * who was owed 400 and has got 400 is owed nothing. The rest is a refund of its own, borne by the split like that of a
 * cancellation. Under the lock of the stay; no saga of it, and none of its refunds, may be open.
 */
export async function bookMoneyBack(tx: Tx, stay: RefundedStay, back: MoneyBack): Promise<BookedBack> {
  let leftMinor = back.amountMinor;
  const settled: string[] = [];
  for (const owed of await owedRefunds(tx, stay.reservationId, back.paymentId)) {
    if (leftMinor === 0) break;
    const partMinor = Math.min(leftMinor, owed.amount_minor);
    leftMinor -= partMinor;
    settled.push(partMinor === owed.amount_minor ? owed.id : await splitOff(tx, owed, partMinor));
    if (partMinor === owed.amount_minor) await refundSeenTo(tx, owed.id);
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

/** Booked, and not gone: what a gateway has refused, and what a closed saga has left behind. */
const owedRefunds = (tx: Tx, reservationId: string, paymentId: string): Promise<readonly Refund[]> =>
  tx
    .selectFrom('transaction')
    .select(['id', 'amount_minor'])
    .where('reservation_id', '=', reservationId)
    .where('payment_id', '=', paymentId)
    .where('type', '=', literal('REFUND'))
    .where('status', 'in', literals(['PENDING', 'PROCESSING', 'MANUAL_REQUIRED']))
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

/** A part of what is owed has gone: that part becomes a row of its own, the rest stays owed. */
async function splitOff(tx: Tx, owed: Refund, partMinor: number): Promise<string> {
  const id = newId('transaction');
  await sql`
    INSERT INTO transaction (id, type, status, reservation_id, owner_id, parent_id, amount_minor, outstanding_minor, currency,
      distribution_version, payment_id, gateway_id, gateway_reference, borne_by, borne_minor, created_by_saga, created_at, details)
    SELECT ${id}, type, status, reservation_id, owner_id, id, ${partMinor}, ${partMinor}, currency,
      distribution_version, payment_id, gateway_id, gateway_reference, borne_by, least(borne_minor, ${partMinor}::bigint), created_by_saga, created_at, details
      FROM transaction WHERE id = ${owed.id}`.execute(tx);
  await tx
    .updateTable('transaction')
    .set((eb) => ({
      amount_minor: owed.amount_minor - partMinor,
      outstanding_minor: owed.amount_minor - partMinor,
      borne_minor: sql<number>`borne_minor - least(borne_minor, ${partMinor}::bigint)`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', owed.id)
    .execute();
  return id;
}

/** The guest has it: the debt to the guest is settled. */
async function settle(tx: Tx, stay: RefundedStay, back: MoneyBack, refundId: string): Promise<void> {
  const { amount_minor: amountMinor } = await tx
    .updateTable('transaction')
    .set((eb) => ({
      status: 'COMPLETED',
      outstanding_minor: 0,
      settled_minor: eb.ref('amount_minor'),
      provider_id: back.providerId,
      gateway_id: back.gatewayId,
      gateway_reference: back.gatewayReference,
      error_code: null,
      completed_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', refundId)
    .returning('amount_minor')
    .executeTakeFirstOrThrow();
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
