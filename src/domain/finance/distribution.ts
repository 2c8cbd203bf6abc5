import type { Db, Tx } from '../../db/client.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { financialService } from './financial-service.ts';
import { accounts, credit, debit, type JournalLine, post, postedShares, reverseStep } from './ledger.ts';
import type { PayableStay } from './payable.ts';
import type { BookedPayment, PaymentStep } from './payment.ts';
import { payoutDueAt } from './payout-schedule.ts';
import { payoutMoments, reducePayouts } from './planned-payouts.ts';
import { receiptsOf } from './receipts.ts';
import { type BookedRow, insertBooked } from './store/booked.ts';
import { cancelPayout, insertPayout } from './store/payouts.ts';
import { readTerms } from './terms.ts';

/**
 * How a payment is divided, by the cumulative rule (domain.md 6): each party's share of all receipts of the stay, less its share
 * that is posted already, so that any sequence of payments ends with the shares of one payment of the same sum. Shares are
 * signed minor units; `scheduledFor` is an ISO instant.
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
  /** How the gateway's fee is borne. */
  readonly fee: { readonly ownerMinor: number; readonly agencyMinor: number; readonly referralMinor: number };
  readonly scheduledFor: string;
};

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

/**
 * A booked share in minor units. `transactionId`: null when the share is not above zero. `takenMinor`: by how much other payouts
 * of the stay were reduced.
 */
export type BookedShare = {
  readonly transactionId: string | null;
  readonly amountMinor: number;
  readonly takenMinor: number;
};

interface Share {
  readonly type: Extract<BookedRow['type'], 'AGENCY_FEE' | 'REFERRAL_FEE' | 'GATEWAY_FEE'>;
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

/** The columns that all transactions of a payment's distribution share. */
const ofPayment = ({ step, stay, payment }: DistributionContext) => ({
  reservation_id: stay.reservationId,
  owner_id: stay.ownerId,
  parent_id: payment.guestPaymentId,
  currency: stay.currency,
  distribution_version: stay.termsVersion,
  payment_id: payment.paymentId,
  created_by_saga: step.sagaId,
});

const insertOwnerPayout = (tx: Tx, context: DistributionContext, plan: Distribution, amountMinor: number) =>
  insertPayout(tx, {
    ...ofPayment(context),
    amount_minor: amountMinor,
    scheduled_for: plan.scheduledFor,
    effect_key: context.step.key,
  });

/**
 * Books the owner's share, which is owed from now on, and makes the payout that brings it (domain.md 8). The owner's part of the
 * gateway's fee is not paid out. A share below zero is taken off the other payouts of the stay.
 */
export async function bookOwnerShare(tx: Tx, context: DistributionContext, plan: Distribution): Promise<BookedShare> {
  const { step, stay } = context;
  const amountMinor = plan.ownerMinor - plan.fee.ownerMinor;
  const transactionId = amountMinor > 0 ? await insertOwnerPayout(tx, context, plan, amountMinor) : null;
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

/**
 * Reverses the share and cancels its payout. Throws `SUPERSEDED` when the payout is on its way already, since it cannot be taken
 * back here.
 */
export async function undoOwnerShare(
  tx: Tx,
  context: DistributionContext,
  plan: Distribution,
  booked: BookedShare | undefined,
): Promise<void> {
  const { step } = context;
  await reverseStep(tx, { ...step, postedBy: step.requestedBy });
  if (booked === undefined) return;
  // The part that had been taken off other payouts is owed again.
  if (booked.takenMinor > 0) await insertOwnerPayout(tx, context, plan, booked.takenMinor);
  if (booked.transactionId !== null && !(await cancelPayout(tx, booked.transactionId))) {
    throw new RoomyError('SUPERSEDED', { details: { id: booked.transactionId } });
  }
}

/** The transactions of the fees, null where a fee is zero; amounts in signed minor units. */
export type BookedFees = {
  readonly agencyFeeId: string | null;
  readonly agencyFeeMinor: number;
  readonly referralFeeId: string | null;
  readonly referralFeeMinor: number;
  readonly gatewayFeeId: string | null;
};

/** Books the agency's fee, the referral fee (an agent's, or retained: domain.md T4) and the gateway's fee. */
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
    { beneficiary_id: stay.referringAgentId, retained_by: stay.referringAgentId === null ? 'AGENCY' : null },
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
  receiver: Pick<BookedRow, 'beneficiary_id' | 'retained_by'> = {},
): Promise<string | null> {
  if (share.amountMinor === 0) return null;
  const transactionId = await insertBooked(tx, {
    ...ofPayment(context),
    ...receiver,
    type: share.type,
    amount_minor: share.amountMinor,
    effect_key: share.effectKey,
  });
  await post(tx, {
    ...postedIn(context),
    effectKey: share.effectKey,
    kind: share.type,
    purpose,
    transactionId,
    lines: share.lines,
  });
  return transactionId;
}
