import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literals } from '../../db/literal.ts';
import { pause } from '../../kernel/clock.ts';
import { RoomyError, required } from '../../kernel/errors.ts';
import type { MoneyOutcome } from '../ports.ts';
import { type RefundStatus, STATUS_OF_REFUNDS } from '../reservations/payment-status.ts';
import { rederivePaymentStatus } from '../reservations/store.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { askForLook } from './gateway-events.ts';
import { accounts, credit, debit, post } from './ledger.ts';
import { callForManualRefund, markBehind } from './refund-task.ts';

/** What sends a refund back: the charge that it goes to, and whom to tell. */
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

/** Of refunds `t`: booked by what a gateway told, or to be sent once more (`refund-task.ts`), and no saga is at work on it. */
const IS_UNSENT = sql<boolean>`t.type = 'REFUND' AND t.status = 'PENDING' AND CASE WHEN coalesce(t.details ? 'sendAgain', false)
  THEN NOT EXISTS (SELECT FROM saga s WHERE s.subject_type = 'transaction' AND s.subject_id = t.id AND s.finished_at IS NULL)
  ELSE t.created_by_saga IS NULL AND NOT EXISTS (SELECT FROM saga s WHERE s.subject_type = 'transaction' AND s.subject_id = t.id) END`;

/** The oldest first. */
export async function unsentRefunds(db: Db, limit: number): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT t.id FROM transaction t WHERE ${IS_UNSENT} AND ${isNotSetAside('refunds', sql`t.id`)}
     ORDER BY t.created_at, t.id LIMIT ${limit}::int`.execute(db);
  return rows.map(({ id }) => id);
}

/**
 * With its stay locked; null: it is not to be sent any more. Whoever books from a gateway's record holds that lock too
 * (`gateway-news.ts`), and may have settled it with money that went back otherwise.
 */
export async function lockUnsent(tx: Tx, refundId: string): Promise<{ readonly version: number } | null> {
  await sql`SELECT FROM reservation r WHERE r.id = (SELECT t.reservation_id FROM transaction t WHERE t.id = ${refundId}) FOR UPDATE`.execute(
    tx,
  );
  // A statement of its own, so that it sees what was committed while this one waited for the row.
  const { rows } = await sql<{ version: number }>`
    SELECT t.version FROM transaction t WHERE t.id = ${refundId} AND ${IS_UNSENT}`.execute(tx);
  // The person who closes the saga that is started now has dealt with the refund.
  await sql`UPDATE transaction SET details = details - 'sendAgain' WHERE id = ${refundId} AND details ? 'sendAgain'`.execute(
    tx,
  );
  return rows[0] ?? null;
}

/**
 * PENDING while nothing can have come of it, PROCESSING as long as its outcome is not known (domain.md 9.5). Throws
 * `ALREADY_PAID` for what is owed no more: nothing may be sent for it.
 */
export async function markRefund(tx: Tx, refundId: string, inDoubt: boolean): Promise<void> {
  const { numUpdatedRows } = await tx
    .updateTable('transaction')
    .set((eb) => ({ status: inDoubt ? 'PROCESSING' : 'PENDING', version: eb('version', '+', 1) }))
    .where('id', '=', refundId)
    .where('status', 'in', literals(OWED))
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw new RoomyError('ALREADY_PAID', { details: { id: refundId } });
}
const OWED = ['PENDING', 'PROCESSING', 'MANUAL_REQUIRED'] as const;

export type RefundAnswer = {
  readonly done: boolean;
  readonly providerId: string | null;
  readonly reason: string | null;
};

/** What the gateway said. `goneMinor`: what of the charge has gone back by its own record, asked after a refusal. */
export type GatewayAnswer = MoneyOutcome & { readonly goneMinor?: number };

/**
 * A refund that the gateway refuses for good stays owed to the guest, and a person is called; unless more has gone back
 * there than we have booked: then a person has sent it in the gateway's own dashboard, and it is booked as that.
 */
export async function noteRefundAnswer(
  tx: Tx,
  { sagaId, refund }: { readonly sagaId: string; readonly refund: RefundOrder },
  answer: GatewayAnswer,
): Promise<RefundAnswer> {
  if (answer.done) return { done: true, providerId: answer.providerId, reason: null };
  const { numUpdatedRows } = await tx
    .updateTable('transaction')
    .set((eb) => ({ status: 'MANUAL_REQUIRED', error_code: answer.reason, version: eb('version', '+', 1) }))
    .where('id', '=', refund.refundId)
    .where('status', 'in', literals(OWED))
    .executeTakeFirst();
  // Settled in another way meanwhile: nobody is to send it once more.
  if (numUpdatedRows === 0n) return { done: false, providerId: null, reason: answer.reason };
  if ((answer.goneMinor ?? 0) > (await bookedAsGone(tx, refund))) {
    await markBehind(tx, refund.refundId);
    await askForLook(tx, { ...refund, occasion: `refused-${refund.refundId}-${sagaId}` });
  } else {
    await callForManualRefund(tx, refund.refundId, sagaId);
  }
  return { done: false, providerId: null, reason: answer.reason };
}

/** What has gone back of a charge through its gateway, by our books. */
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

/** The money has gone back: the debt to the guest is settled. */
export async function recordRefund(
  tx: Tx,
  step: { readonly sagaId: string; readonly key: string; readonly requestedBy: string },
  refund: RefundOrder,
  answer: RefundAnswer,
): Promise<void> {
  if (!answer.done) return;
  await tx
    .updateTable('transaction')
    .set((eb) => ({
      status: 'COMPLETED',
      outstanding_minor: 0,
      settled_minor: refund.amountMinor,
      provider_id: answer.providerId,
      error_code: null,
      completed_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', refund.refundId)
    .execute();
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

const LOOK_EVERY_MS = 25;

/**
 * How far refunds have come, looked at until all have an end or the budget is used up (domain.md 9.5: the gateway is
 * tried inside a short budget; the rest goes on by itself).
 */
export async function awaitRefunds(db: Db | Tx, refundIds: readonly string[], budgetMs: number): Promise<RefundStatus> {
  if (refundIds.length === 0) return 'NONE';
  for (let waitedMs = 0; ; waitedMs += LOOK_EVERY_MS) {
    const { status, open } = await db
      .selectFrom('transaction as x')
      // Not only the status: one that waits for a person says nothing of the others.
      .select([STATUS_OF_REFUNDS.as('status'), sql<boolean>`bool_or(x.status IN ('PENDING', 'PROCESSING'))`.as('open')])
      .where('x.id', 'in', refundIds)
      .executeTakeFirstOrThrow();
    if (!open || waitedMs >= budgetMs) return status;
    await pause(LOOK_EVERY_MS);
  }
}
