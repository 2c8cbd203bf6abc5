import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import type { TransactionType } from '../../db/schema.ts';
import { RoomyError, required } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { disputedOf } from '../reservations/payment-status.ts';
import { propertyTimesOf, stayDatesOf, stayTimes } from '../reservations/stay-plan.ts';
import { financialService } from './financial-service.ts';
import { accounts, credit, debit, type JournalLine, post, postedShares, reverseStep } from './ledger.ts';
import type { PayableStay } from './payable.ts';
import type { BookedPayment, PaymentStep } from './payment.ts';
import { payoutDueAt } from './payout-schedule.ts';
import { readTerms } from './terms.ts';

/**
 * Who gets what of a payment. The cumulative rule (domain.md 6): what each party should have of all that a stay has
 * received, less what is posted already, so that any sequence of payments ends where one would. Differences are signed.
 */
export type Distribution = {
  readonly termsVersion: number;
  /** In percent, as the brief writes them. */
  readonly incomeDistribution: {
    readonly ownerIncome: number;
    readonly roomyAgencyFee: number;
    readonly referringAgent: number;
  };
  readonly ownerMinor: number;
  readonly agencyMinor: number;
  readonly referralMinor: number;
  /** Who bears what of the gateway's fee. */
  readonly fee: { readonly ownerMinor: number; readonly agencyMinor: number; readonly referralMinor: number };
  readonly scheduledFor: string;
};

/** What a stay has received, as the split counts it: without what went over the balance. */
export interface Receipts {
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  /** Of what was refunded, what one party bears alone. */
  readonly borneByAgencyMinor: number;
  readonly borneByOwnerMinor: number;
}

/** Sums the payments and refunds of a stay, in minor units, as the split counts them (domain.md 6). */
export async function receiptsOf(
  db: Db | Tx,
  reservationId: string,
): Promise<Receipts & { readonly excessMinor: number; readonly disputedMinor: number }> {
  // The excess is the guest's own money: of its charge it is given back first, and it is no part of the split.
  const { rows } = await sql<ReceiptsRow>`
    SELECT m.captured, m.refunded, m.excess, m.captured - m.refunded + m.excess - m.refundable AS disputed, b.agency, b.owner
      FROM (SELECT coalesce(sum(amount_minor - excess_minor), 0)::bigint AS captured,
                   coalesce(sum(greatest(0, refunded_minor - excess_minor)), 0)::bigint AS refunded,
                   coalesce(sum(least(refundable, greatest(0, excess_minor - refunded_minor))), 0)::bigint AS excess,
                   coalesce(sum(refundable), 0)::bigint AS refundable
              FROM (SELECT y.*, greatest(0, y.amount_minor - y.refunded_minor - ${disputedOf('y')}) AS refundable FROM payment y
                     WHERE y.reservation_id = ${reservationId} AND y.status = 'COMPLETED') p) m,
           (SELECT ${borneBy('AGENCY')} AS agency, ${borneBy('OWNER')} AS owner
              FROM transaction t WHERE t.reservation_id = ${reservationId} AND ${IS_LIVE_REFUND}) b`.execute(db);
  const { captured, refunded, excess, disputed, agency, owner } = rows[0] ?? NOTHING;
  return {
    capturedMinor: captured,
    refundedMinor: refunded,
    excessMinor: excess,
    disputedMinor: disputed,
    borneByAgencyMinor: agency,
    borneByOwnerMinor: owner,
  };
}
interface ReceiptsRow {
  readonly captured: number;
  readonly refunded: number;
  readonly excess: number;
  readonly disputed: number;
  readonly agency: number;
  readonly owner: number;
}
const NOTHING: ReceiptsRow = { captured: 0, refunded: 0, excess: 0, disputed: 0, agency: 0, owner: 0 };

/** Of refunds `t`: what a party bears alone, in minor units. */
export const borneBy = (bearer: 'AGENCY' | 'OWNER') =>
  sql<number>`coalesce(sum(t.borne_minor) FILTER (WHERE t.borne_by = ${literal(bearer)}), 0)::bigint`;
/** Transactions `t` that are refunds and owed or paid. */
export const IS_LIVE_REFUND = sql<boolean>`t.type = 'REFUND' AND t.status NOT IN ('FAILED', 'CANCELLED', 'REVERSED')`;

/**
 * Calculates the signed share of each party in one payment and the day of the payout, by the terms that the stay has
 * pinned (domain.md 6, 8). Writes nothing.
 */
export async function planDistribution(
  db: Db,
  stay: PayableStay,
  payment: BookedPayment,
  requestedAt: Date,
): Promise<Distribution> {
  const terms = await readTerms(db, stay.termsVersion);
  const hasAgent = stay.referringAgentId !== null;
  const target = financialService.distribute(terms, { ...(await receiptsOf(db, stay.reservationId)), hasAgent });
  const posted = await postedShares(db, stay.reservationId);
  const at = await payoutMoments(db, stay.reservationId);
  return {
    termsVersion: terms.version,
    incomeDistribution: {
      ownerIncome: terms.ownerBp / 100,
      roomyAgencyFee: terms.agencyBp / 100,
      referringAgent: terms.referrerBp / 100,
    },
    ownerMinor: target.ownerMinor - posted.ownerMinor,
    agencyMinor: target.agencyMinor - posted.agencyMinor,
    referralMinor: target.referralMinor - posted.referralMinor,
    fee: { ...financialService.shareGatewayFee(terms, payment.feeMinor, hasAgent) },
    scheduledFor: payoutDueAt(at.policy ?? terms.payoutPolicy, { ...at, paidAt: requestedAt }).toISOString(),
  };
}

/** The local moments that an owner's policy counts from. */
async function payoutMoments(db: Db | Tx, reservationId: string) {
  const row = await db
    .selectFrom('reservation as r')
    .innerJoin('property as p', 'p.id', 'r.property_id')
    .innerJoin('owner as o', 'o.id', 'p.owner_id')
    .select([
      'r.check_in_date',
      'r.check_out_date',
      'r.planned_arrival',
      'r.planned_departure',
      'p.time_zone',
      'p.check_in_time',
      'p.check_out_time',
      sql<string | null>`o.payout_terms ->> 'policy'`.as('policy'),
    ])
    .where('r.id', '=', reservationId)
    .executeTakeFirstOrThrow();
  const { arrival, departure } = stayTimes(stayDatesOf(row), propertyTimesOf(row));
  return {
    policy: row.policy,
    timeZone: row.time_zone,
    checkInAt: new Date(arrival.instant),
    checkOutAt: new Date(departure.instant),
  };
}

/**
 * The arrival or departure has another time: what is still to be paid out of a stay's payments falls due by it, as a payment
 * of now would (domain.md 8).
 */
export async function reschedulePayouts(tx: Tx, reservationId: string): Promise<void> {
  const open = await tx
    .selectFrom('transaction as t')
    .innerJoin('payment as y', 'y.id', 't.payment_id')
    .innerJoin('saga as s', 's.id', 'y.saga_id')
    // Whose it is: the property may have been sold since.
    .innerJoin('owner as o', 'o.id', 't.owner_id')
    .select(['t.id', 't.scheduled_for', 't.distribution_version', 's.requested_at'])
    .select(sql<string | null>`o.payout_terms ->> 'policy'`.as('own_policy'))
    .where('t.reservation_id', '=', reservationId)
    .where('t.type', '=', literal('OWNER_PAYOUT'))
    .where('t.status', '=', literal('PENDING'))
    .whereRef('t.created_by_saga', '=', 'y.saga_id')
    .forUpdate('t')
    .execute();
  if (open.length === 0) return;
  const at = await payoutMoments(tx, reservationId);
  for (const { id, scheduled_for, distribution_version, requested_at, own_policy } of open) {
    const policy =
      own_policy ?? (await readTerms(tx, required(distribution_version, 'the terms of a payout'))).payoutPolicy;
    const due = payoutDueAt(policy, { ...at, paidAt: requested_at });
    if (due.getTime() === scheduled_for?.getTime()) continue;
    await tx
      .updateTable('transaction')
      .set((eb) => ({ scheduled_for: due, version: eb('version', '+', 1) }))
      .where('id', '=', id)
      .execute();
  }
}

/** Null where the share is nothing. `takenMinor`: by how much other payouts of the stay were reduced. */
export type BookedShare = {
  readonly transactionId: string | null;
  readonly amountMinor: number;
  readonly takenMinor: number;
};

interface Share {
  readonly type: TransactionType;
  readonly effectKey: string;
  readonly amountMinor: number;
  readonly lines: readonly JournalLine[];
}
export interface DistributionContext {
  readonly step: PaymentStep;
  readonly stay: PayableStay;
  readonly payment: BookedPayment;
}

const postedIn = ({ step, stay, payment }: DistributionContext) => ({
  sagaId: step.sagaId,
  postedBy: step.requestedBy,
  currency: stay.currency,
  reservationId: stay.reservationId,
  paymentId: payment.paymentId,
});

async function insertTransaction(
  tx: Tx,
  { step, stay, payment }: DistributionContext,
  share: Pick<Share, 'type' | 'effectKey' | 'amountMinor'>,
  more: { readonly beneficiary?: string | null; readonly scheduledFor?: string },
): Promise<string> {
  const id = newId('transaction');
  const pending = more.scheduledFor !== undefined;
  await tx
    .insertInto('transaction')
    .values({
      id,
      type: share.type,
      status: pending ? 'PENDING' : 'COMPLETED',
      reservation_id: stay.reservationId,
      owner_id: stay.ownerId,
      parent_id: payment.guestPaymentId,
      amount_minor: share.amountMinor,
      outstanding_minor: pending ? share.amountMinor : 0,
      settled_minor: pending ? 0 : share.amountMinor,
      currency: stay.currency,
      distribution_version: stay.termsVersion,
      payment_id: payment.paymentId,
      beneficiary_id: more.beneficiary ?? null,
      retained_by: more.beneficiary === null ? 'AGENCY' : null,
      scheduled_for: more.scheduledFor ?? null,
      created_by_saga: step.sagaId,
      effect_key: share.effectKey,
      completed_at: pending ? null : sql<Date>`now()`,
    })
    .execute();
  return id;
}

/**
 * The owner's share, owed from now on, and the payout that is to bring it (domain.md 8). What the owner bears of the
 * gateway's fee is not paid out. A share below zero corrects what is already on its way.
 */
export async function bookOwnerShare(tx: Tx, context: DistributionContext, plan: Distribution): Promise<BookedShare> {
  const { step, stay } = context;
  const amountMinor = plan.ownerMinor - plan.fee.ownerMinor;
  const share = { type: 'OWNER_PAYOUT', effectKey: step.key, amountMinor } as const;
  const transactionId =
    amountMinor > 0 ? await insertTransaction(tx, context, share, { scheduledFor: plan.scheduledFor }) : null;
  const takenMinor = amountMinor < 0 ? -amountMinor - (await reducePayouts(tx, stay.reservationId, -amountMinor)) : 0;
  await post(tx, {
    ...postedIn(context),
    effectKey: step.key,
    kind: 'OWNER_SHARE',
    purpose: 'DISTRIBUTION',
    transactionId,
    lines: [
      debit(accounts.guestCredit(stay.guestId, stay.currency), plan.ownerMinor),
      credit(accounts.ownerPayable(stay.ownerId, stay.currency), plan.ownerMinor),
    ],
  });
  return { transactionId, amountMinor, takenMinor };
}

/** The share is reversed; a payout that is under way already cannot be taken back here. */
export async function undoOwnerShare(
  tx: Tx,
  context: DistributionContext,
  plan: Distribution,
  booked: BookedShare | undefined,
): Promise<void> {
  const { step } = context;
  await reverseStep(tx, { ...step, postedBy: step.requestedBy });
  if (booked === undefined) return;
  if (booked.takenMinor > 0) {
    // What had been taken off other payouts is owed again.
    const owed = { type: 'OWNER_PAYOUT', effectKey: step.key, amountMinor: booked.takenMinor } as const;
    await insertTransaction(tx, context, owed, { scheduledFor: plan.scheduledFor });
  }
  if (booked.transactionId === null) return;
  const cancelled = await tx
    .updateTable('transaction')
    .set((eb) => ({
      status: 'CANCELLED',
      outstanding_minor: 0,
      cancelled_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', booked.transactionId)
    .where('status', '=', literal('PENDING'))
    .executeTakeFirst();
  if (cancelled.numUpdatedRows === 0n) throw new RoomyError('SUPERSEDED', { details: { id: booked.transactionId } });
}

/** Takes so much off what is still to be paid out for a stay, newest first; answers with what is left to take. */
export async function reducePayouts(tx: Tx, reservationId: string, amountMinor: number): Promise<number> {
  const open = await tx
    .selectFrom('transaction')
    .select(['id', 'amount_minor'])
    .where('reservation_id', '=', reservationId)
    .where('type', '=', literal('OWNER_PAYOUT'))
    // One that failed waits for a person, and is owed like the others (domain.md 8).
    .where('status', 'in', literals(['PENDING', 'FAILED']))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .forUpdate()
    .execute();
  let leftMinor = amountMinor;
  for (const payout of open) {
    const takenMinor = Math.min(leftMinor, payout.amount_minor);
    if (takenMinor === 0) break;
    const restMinor = payout.amount_minor - takenMinor;
    leftMinor -= takenMinor;
    await tx
      .updateTable('transaction')
      .set((eb) => ({
        outstanding_minor: restMinor,
        version: eb('version', '+', 1),
        ...(restMinor === 0
          ? { status: 'CANCELLED' as const, cancelled_at: sql<Date>`now()` }
          : { amount_minor: restMinor }),
      }))
      .where('id', '=', payout.id)
      .execute();
  }
  return leftMinor;
}

export type BookedFees = {
  readonly agencyFeeId: string | null;
  readonly agencyFeeMinor: number;
  readonly referralFeeId: string | null;
  readonly referralFeeMinor: number;
  readonly gatewayFeeId: string | null;
};

/** The agency's fee, the referral (an agent's, or retained: domain.md T4), and what the gateway kept. */
export async function bookFees(tx: Tx, context: DistributionContext, plan: Distribution): Promise<BookedFees> {
  const { step, stay } = context;
  const guest = accounts.guestCredit(stay.guestId, stay.currency);
  const agencyFeeId = await bookShare(tx, context, 'DISTRIBUTION', {
    type: 'AGENCY_FEE',
    effectKey: step.key,
    amountMinor: plan.agencyMinor,
    lines: [debit(guest, plan.agencyMinor), credit(accounts.agencyFee(stay.currency), plan.agencyMinor)],
  });
  const agent = accounts.referral(stay.referringAgentId, stay.currency);
  const referralFeeId = await bookShare(
    tx,
    context,
    'DISTRIBUTION',
    {
      type: 'REFERRAL_FEE',
      effectKey: `${step.key}-referral`,
      amountMinor: plan.referralMinor,
      lines: [debit(guest, plan.referralMinor), credit(agent, plan.referralMinor)],
    },
    { beneficiary: stay.referringAgentId },
  );
  const gatewayFeeId = await bookGatewayFee(tx, context, plan);
  return {
    agencyFeeId,
    agencyFeeMinor: plan.agencyMinor,
    referralFeeId,
    referralFeeMinor: plan.referralMinor,
    gatewayFeeId,
  };
}

async function bookGatewayFee(tx: Tx, context: DistributionContext, { fee }: Distribution): Promise<string | null> {
  const { step, stay, payment } = context;
  const { gateway_id } = await tx
    .selectFrom('payment')
    .select('gateway_id')
    .where('id', '=', payment.paymentId)
    .executeTakeFirstOrThrow();
  const feeMinor = fee.ownerMinor + fee.agencyMinor + fee.referralMinor;
  return bookShare(tx, context, 'FEE', {
    type: 'GATEWAY_FEE',
    effectKey: `${step.key}-gateway`,
    amountMinor: feeMinor,
    lines: [
      debit(accounts.gatewayFee(stay.currency), fee.agencyMinor),
      debit(accounts.ownerPayable(stay.ownerId, stay.currency), fee.ownerMinor),
      debit(accounts.referral(stay.referringAgentId, stay.currency), fee.referralMinor),
      credit(accounts.gatewayClearing(gateway_id, stay.currency), feeMinor),
    ],
  });
}

async function bookShare(
  tx: Tx,
  context: DistributionContext,
  purpose: 'DISTRIBUTION' | 'FEE',
  share: Share,
  more: { readonly beneficiary?: string | null } = {},
): Promise<string | null> {
  if (share.amountMinor === 0) return null;
  const transactionId = await insertTransaction(tx, context, share, more);
  const kind = share.type === 'AGENCY_FEE' || share.type === 'REFERRAL_FEE' ? share.type : 'GATEWAY_FEE';
  await post(tx, {
    ...postedIn(context),
    effectKey: share.effectKey,
    kind,
    purpose,
    transactionId,
    lines: share.lines,
  });
  return transactionId;
}
