import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literals } from '../../db/literal.ts';
import { pause } from '../../kernel/clock.ts';
import { RoomyError, required } from '../../kernel/errors.ts';
import type { MoneyOutcome } from '../ports.ts';
import { type RefundStatus, STATUS_OF_REFUNDS } from '../reservations/payment-status.ts';
import { rederivePaymentStatus } from '../reservations/store.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { requestRecordCheck } from './gateway-events.ts';
import { accounts, credit, debit, post } from './ledger.ts';
import { requestManualRefund } from './refund-task.ts';
import { clearResend, completeRefund, markSent, noteRefusedBehind, refuseRefund } from './store/refunds.ts';

/** A refund to be sent: the charge that it goes back to, in minor units, and the people who get messages about it. */
export type RefundOrder = {
  readonly refundId: string;
  readonly reservationId: string;
  readonly guestId: string;
  readonly guestHasPhone: boolean;
  readonly ownerId: string;
  readonly paymentId: string;
  readonly gatewayId: string;
  readonly gatewayReference: string;
  readonly chargeId: string;
  readonly amountMinor: number;
  readonly currency: string;
};

/** Reads a refund that is still owed. Throws `NOT_FOUND`, and `ALREADY_PAID` when it has been sent. */
export async function readRefund(db: Db, refundId: string): Promise<RefundOrder> {
  const row = await db
    .selectFrom('transaction as t')
    .innerJoin('payment as y', 'y.id', 't.payment_id')
    .innerJoin('reservation as r', 'r.id', 't.reservation_id')
    .innerJoin('property as p', 'p.id', 'r.property_id')
    .innerJoin('guest as g', 'g.id', 'r.guest_id')
    .select([
      't.status',
      't.type',
      't.amount_minor',
      't.currency',
      'r.id as reservation_id',
      'g.id as guest_id',
      sql<boolean>`coalesce(g.phone, '') <> ''`.as('guest_has_phone'),
      sql<string>`coalesce(t.owner_id, p.owner_id)`.as('owner_id'),
      'y.id as payment_id',
      'y.gateway_id',
      'y.gateway_reference',
      'y.provider_id',
    ])
    .where('t.id', '=', refundId)
    .executeTakeFirst();
  if (row?.type !== 'REFUND') throw new RoomyError('NOT_FOUND', { text: 'Refund not found' });
  if (row.status === 'COMPLETED') throw new RoomyError('ALREADY_PAID', { details: { id: refundId } });
  return {
    refundId,
    reservationId: row.reservation_id,
    guestId: row.guest_id,
    guestHasPhone: row.guest_has_phone,
    ownerId: row.owner_id,
    paymentId: row.payment_id,
    gatewayId: row.gateway_id,
    gatewayReference: row.gateway_reference,
    chargeId: required(row.provider_id, 'the id of a captured charge'),
    amountMinor: row.amount_minor,
    currency: row.currency,
  };
}

/** SQL of transaction `t`: a refund booked from a gateway's record, or to be sent once more (`refund-task.ts`), without a saga. */
const IS_UNSENT = sql<boolean>`t.type = 'REFUND' AND t.status = 'PENDING' AND CASE WHEN coalesce(t.details ? 'sendAgain', false)
  THEN NOT EXISTS (SELECT FROM saga s WHERE s.subject_type = 'transaction' AND s.subject_id = t.id AND s.finished_at IS NULL)
  ELSE t.created_by_saga IS NULL AND NOT EXISTS (SELECT FROM saga s WHERE s.subject_type = 'transaction' AND s.subject_id = t.id) END`;

export const IS_TO_SEND = sql<boolean>`${IS_UNSENT} AND ${isNotSetAside('refunds', sql`t.id`)}`;

/** SQL: whether there is a refund for which a saga is to be started. */
export const refundsDue = sql<boolean>`EXISTS (SELECT FROM transaction t WHERE ${IS_TO_SEND})`;

/** The ids of at most `limit` refunds for which a saga is to be started, the oldest first. */
export async function unsentRefunds(db: Db, limit: number): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT t.id FROM transaction t WHERE ${IS_TO_SEND}
     ORDER BY t.created_at, t.id LIMIT ${limit}::int`.execute(db);
  return rows.map(({ id }) => id);
}

/**
 * Locks the stay of a refund and answers the version of the refund; null: it is not to be sent any more. Booking from a
 * gateway's record takes that lock too (`due-events.ts`), and may have completed the refund with money that went back otherwise.
 */
export async function lockUnsent(tx: Tx, refundId: string): Promise<{ readonly version: number } | null> {
  await sql`SELECT FROM reservation r WHERE r.id = (SELECT t.reservation_id FROM transaction t WHERE t.id = ${refundId}) FOR UPDATE`.execute(
    tx,
  );
  // A statement of its own, so that it sees the rows that were committed while the one before waited for the lock.
  const { rows } = await sql<{ version: number }>`
    SELECT t.version FROM transaction t WHERE t.id = ${refundId} AND ${IS_UNSENT}`.execute(tx);
  // A person who closes the saga that is started now has decided on the refund.
  await clearResend(tx, refundId);
  return rows[0] ?? null;
}

/**
 * PENDING while nothing can have come of it, PROCESSING as long as its outcome is not known (domain.md 9.5). Throws
 * `ALREADY_PAID` for a refund that is not owed any more: nothing may be sent for it.
 */
export async function markRefund(tx: Tx, refundId: string, inDoubt: boolean): Promise<void> {
  const isOwed = await markSent(tx, refundId, inDoubt ? 'PROCESSING' : 'PENDING');
  if (!isOwed) throw new RoomyError('ALREADY_PAID', { details: { id: refundId } });
}

export type RefundAnswer = {
  readonly done: boolean;
  readonly providerId: string | null;
  readonly reason: string | null;
};

/**
 * The gateway's answer. `goneMinor`: the part of the charge that has gone back by the gateway's own record, which is read after a
 * refusal; minor units.
 */
export type GatewayAnswer = MoneyOutcome & { readonly goneMinor?: number };

/**
 * Records the gateway's answer. A refund that it refuses for good stays owed to the guest, and a person is alerted (domain.md
 * 9.5); unless more has gone back there than our books hold: then a person has refunded the charge in the gateway's own
 * dashboard, and its record is to be booked first.
 */
export async function noteRefundAnswer(
  tx: Tx,
  { sagaId, refund }: { readonly sagaId: string; readonly refund: RefundOrder },
  answer: GatewayAnswer,
): Promise<RefundAnswer> {
  if (answer.done) return { done: true, providerId: answer.providerId, reason: null };
  const refused = { done: false, providerId: null, reason: answer.reason };
  // Paid in another way meanwhile: it must not be sent once more.
  if (!(await refuseRefund(tx, refund.refundId, answer.reason))) return refused;
  if ((answer.goneMinor ?? 0) > (await bookedAsGone(tx, refund))) {
    await noteRefusedBehind(tx, refund.refundId);
    await requestRecordCheck(tx, { ...refund, occasion: `refused-${refund.refundId}-${sagaId}` });
  } else {
    await requestManualRefund(tx, refund.refundId, sagaId);
  }
  return refused;
}

/** The part of a charge that has gone back through its gateway by our books, in minor units. */
async function bookedAsGone(tx: Tx, { reservationId, paymentId, gatewayId }: RefundOrder): Promise<number> {
  const { minor } = await tx
    .selectFrom('transaction')
    .select(sql<number>`coalesce(sum(settled_minor), 0)::bigint`.as('minor'))
    .where('reservation_id', '=', reservationId)
    .where('payment_id', '=', paymentId)
    .where('gateway_id', '=', gatewayId)
    // A dispute that is lost has a refund too, which is not the gateway's.
    .where('type', 'in', literals(['REFUND', 'DISPUTE']))
    .where('status', 'in', literals(['COMPLETED', 'PROCESSING']))
    .executeTakeFirstOrThrow();
  return minor;
}

/** The gateway has sent the money: the refund is completed, and the debt to the guest paid. After a refusal, nothing changes. */
export async function recordRefund(
  tx: Tx,
  step: { readonly sagaId: string; readonly key: string; readonly requestedBy: string },
  refund: RefundOrder,
  answer: RefundAnswer,
): Promise<void> {
  if (!answer.done) return;
  await completeRefund(tx, refund.refundId, answer.providerId);
  await post(tx, {
    sagaId: step.sagaId,
    postedBy: step.requestedBy,
    effectKey: step.key,
    kind: 'REFUND_PAID',
    purpose: 'RECEIPT',
    currency: refund.currency,
    transactionId: refund.refundId,
    reservationId: refund.reservationId,
    paymentId: refund.paymentId,
    lines: [
      debit(accounts.guestCredit(refund.guestId, refund.currency), refund.amountMinor),
      credit(accounts.gatewayClearing(refund.gatewayId, refund.currency), refund.amountMinor),
    ],
  });
  await rederivePaymentStatus(tx, refund.reservationId);
}

const POLL_EVERY_MS = 25;

/**
 * Waits until all of the refunds have ended, for `budgetMs` at most, and answers their status together (domain.md 9.5: the gateway
 * is tried inside a short budget, and the rest goes on by itself).
 */
export async function awaitRefunds(db: Db | Tx, refundIds: readonly string[], budgetMs: number): Promise<RefundStatus> {
  if (refundIds.length === 0) return 'NONE';
  for (let waitedMs = 0; ; waitedMs += POLL_EVERY_MS) {
    const { status, open } = await db
      .selectFrom('transaction as x')
      // `open` beside the status, since one that waits for a person decides the status while others are still open.
      .select([STATUS_OF_REFUNDS.as('status'), sql<boolean>`bool_or(x.status IN ('PENDING', 'PROCESSING'))`.as('open')])
      .where('x.id', 'in', refundIds)
      .executeTakeFirstOrThrow();
    if (!open || waitedMs >= budgetMs) return status;
    await pause(POLL_EVERY_MS);
  }
}
