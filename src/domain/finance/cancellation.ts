import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { ReservationStatus } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { exponentOf } from '../../kernel/money.ts';
import type { Ports } from '../ports.ts';
import { refusalDetails } from '../reservations/actions.ts';
import { rederivePaymentStatus } from '../reservations/payment-status.ts';
import { refusalOfCancel } from '../reservations/refusals.ts';
import { dropAmountDue } from './amount-due.ts';
import { receiptsOf, reducePayouts } from './distribution.ts';
import { accounts, credit, debit, post, postedShares } from './ledger.ts';
import { readPayableStay } from './payable.ts';
import { daysBeforeCheckIn, refundOf, refundSchedule } from './refund-policy.ts';
import { targetShares } from './shares.ts';
import { readTerms } from './terms.ts';

/** Who calls a stay off; anybody but the guest gives everything back (domain.md 4). */
export const INITIATORS = ['GUEST', 'HOST', 'AGENCY', 'SYSTEM'] as const;
export type Initiator = (typeof INITIATORS)[number];

/** What a cancellation needs to know of a stay: ids, dates and pinned terms. */
export type CancellableStay = {
  readonly reservationId: string;
  readonly status: ReservationStatus;
  readonly propertyId: string;
  readonly ownerId: string;
  readonly guestId: string;
  readonly guestHasPhone: boolean;
  readonly referringAgentId: string | null;
  readonly currency: string;
  readonly totalMinor: number;
  readonly checkInDate: string;
  readonly timeZone: string;
  readonly termsVersion: number;
};

/** Throws `RESERVATION_NOT_FOUND`, `RESERVATION_IN_HOUSE`, `INVALID_STATE_TRANSITION`. */
export async function assertCancellable(db: Db, reservationId: string, requestedAt: Date): Promise<CancellableStay> {
  const stay = await readPayableStay(db, reservationId, requestedAt);
  const refusal = refusalOfCancel(stay);
  if (refusal !== null) {
    const details = await refusalDetails(db, reservationId, 'cancel');
    const hint = refusal === 'RESERVATION_IN_HOUSE' ? { hint: 'check-out' } : {};
    throw new RoomyError(refusal, { details: { ...details, ...hint } });
  }
  const { check_in_date, time_zone } = await db
    .selectFrom('reservation as r')
    .innerJoin('property as p', 'p.id', 'r.property_id')
    .select(['r.check_in_date', 'p.time_zone'])
    .where('r.id', '=', reservationId)
    .executeTakeFirstOrThrow();
  return {
    reservationId,
    status: stay.status,
    propertyId: stay.propertyId,
    ownerId: stay.ownerId,
    guestId: stay.guestId,
    guestHasPhone: stay.guestHasPhone,
    referringAgentId: stay.referringAgentId,
    currency: stay.currency,
    totalMinor: stay.totalMinor,
    checkInDate: check_in_date,
    timeZone: time_zone,
    termsVersion: stay.termsVersion,
  };
}

export interface CancellationOrder {
  readonly initiator: Initiator;
  /** By a person with the right to, who gave a reason; null: the policy decides. */
  readonly percentOverride: number | null;
}
export type RefundDecision = {
  readonly percent: number;
  /** By the policy; what was paid over the balance comes back on top. */
  readonly amountMinor: number;
  readonly excessMinor: number;
  readonly rule: string;
  readonly daysBeforeCheckIn: number;
};

/** A pure function of the stay, its receipts, its pinned terms and the frozen time of the request (domain.md 4). */
export async function decideRefund(
  db: Db | Tx,
  ports: Pick<Ports, 'amountStep'>,
  stay: CancellableStay,
  order: CancellationOrder,
  requestedAt: Date,
): Promise<RefundDecision> {
  const terms = await readTerms(db, stay.termsVersion);
  const receipts = await receiptsOf(db, stay.reservationId);
  const days = daysBeforeCheckIn(requestedAt, stay.checkInDate, stay.timeZone);
  const whole = wholeRefundRule(stay, order);
  const percentOverride = order.percentOverride ?? (whole === null ? undefined : 100);
  const decided = refundOf({
    base: terms.refundBase,
    tiers: terms.refundTiers,
    totalMinor: stay.totalMinor,
    capturedMinor: receipts.capturedMinor,
    refundedMinor: receipts.refundedMinor,
    stepMinor: await refundStep(db, ports, stay),
    days,
    ...(percentOverride === undefined ? {} : { percentOverride }),
  });
  return {
    percent: decided.percent,
    amountMinor: decided.amountMinor,
    excessMinor: receipts.excessMinor,
    rule: order.percentOverride === null ? (whole ?? decided.rule) : decided.rule,
    daysBeforeCheckIn: days,
  };
}

/** The largest of the steps in which the gateways of a stay's payments send money back. */
async function refundStep(
  db: Db | Tx,
  ports: Pick<Ports, 'amountStep'>,
  { reservationId, currency }: CancellableStay,
): Promise<number> {
  const paidAt = await db
    .selectFrom('payment')
    .select('gateway_id')
    .distinct()
    .where('reservation_id', '=', reservationId)
    .where('status', '=', literal('COMPLETED'))
    .execute();
  return Math.max(1, ...paidAt.map((row) => ports.amountStep({ gatewayId: row.gateway_id }, currency)));
}

function wholeRefundRule(stay: CancellableStay, { initiator }: CancellationOrder): string | null {
  if (stay.status === 'PENDING') return 'NOT_CONFIRMED';
  return initiator === 'GUEST' ? null : `${initiator}_INITIATED`;
}

/** An override that gives back more than this needs a second person (domain.md 4). */
const OVERRIDE_LIMIT_MAJOR = 5_000;
export const needsSecondPerson = (stay: CancellableStay, order: CancellationOrder, refund: RefundDecision): boolean =>
  order.percentOverride !== null && refund.amountMinor > OVERRIDE_LIMIT_MAJOR * 10 ** exponentOf(stay.currency);

/** What a guest would get back at each moment from now on. */
export async function quoteSchedule(
  db: Db,
  ports: Pick<Ports, 'amountStep'>,
  stay: CancellableStay,
  requestedAt: Date,
) {
  const terms = await readTerms(db, stay.termsVersion);
  const receipts = await receiptsOf(db, stay.reservationId);
  // Nothing has been promised yet: until it is confirmed, everything comes back at any time.
  if (stay.status === 'PENDING') {
    return [{ percent: 100, amountMinor: receipts.capturedMinor - receipts.refundedMinor, until: null }];
  }
  return refundSchedule({
    base: terms.refundBase,
    tiers: terms.refundTiers,
    totalMinor: stay.totalMinor,
    capturedMinor: receipts.capturedMinor,
    refundedMinor: receipts.refundedMinor,
    stepMinor: await refundStep(db, ports, stay),
    checkInDate: stay.checkInDate,
    timeZone: stay.timeZone,
    from: requestedAt,
  });
}

interface CancelStep {
  readonly sagaId: string;
  readonly key: string;
  readonly requestedBy: string;
}
export type BookedRefunds = {
  readonly refundIds: readonly string[];
  /** What the owner gives back: taken off payouts that are on their way, or owed from now on. */
  readonly ownerMinor: number;
  readonly owedByOwnerMinor: number;
};

/**
 * The point of no return: the refund is owed to the guest. One REFUND for each charge that it is to go back to, the
 * newest first, each with its own journal; what the owner was to get is taken off (domain.md 9).
 */
export async function bookRefunds(
  tx: Tx,
  step: CancelStep,
  stay: CancellableStay,
  refund: RefundDecision,
): Promise<BookedRefunds> {
  const charges = await tx
    .selectFrom('payment')
    .selectAll()
    .where('reservation_id', '=', stay.reservationId)
    .where('status', '=', literal('COMPLETED'))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .forUpdate()
    .execute();
  const before = await postedShares(tx, stay.reservationId);
  let leftMinor = refund.amountMinor + refund.excessMinor;
  let excessLeftMinor = refund.excessMinor;
  const refundIds: string[] = [];
  for (const charge of charges) {
    const amountMinor = Math.min(leftMinor, charge.amount_minor - charge.refunded_minor);
    if (amountMinor === 0) continue;
    leftMinor -= amountMinor;
    // The guest's own excess, which was never distributed, goes back first: so counts `receiptsOf`.
    const excessMinor = Math.min(excessLeftMinor, amountMinor);
    excessLeftMinor -= excessMinor;
    const distributedMinor = amountMinor - excessMinor;
    refundIds.push(
      await bookRefund(tx, step, stay, refund, { charge, amountMinor, distributedMinor, no: refundIds.length + 1 }),
    );
  }
  // A stay that is called off owes nothing any more (domain.md 4: unpaid).
  await dropAmountDue(tx, stay.reservationId);
  const after = await postedShares(tx, stay.reservationId);
  const ownerMinor = before.ownerMinor - after.ownerMinor;
  const owedByOwnerMinor = ownerMinor > 0 ? await reducePayouts(tx, stay.reservationId, ownerMinor) : 0;
  await rederivePaymentStatus(tx, stay.reservationId);
  return { refundIds, ownerMinor, owedByOwnerMinor };
}

interface ChargeToRefund {
  readonly charge: { readonly id: string; readonly gateway_id: string; readonly gateway_reference: string };
  readonly amountMinor: number;
  readonly distributedMinor: number;
  readonly no: number;
}

async function bookRefund(
  tx: Tx,
  step: CancelStep,
  stay: CancellableStay,
  refund: RefundDecision,
  { charge, amountMinor, distributedMinor, no }: ChargeToRefund,
): Promise<string> {
  const id = newId('transaction');
  const effectKey = `${step.key}-${no}`;
  await tx
    .updateTable('payment')
    .set((eb) => ({ refunded_minor: eb('refunded_minor', '+', amountMinor) }))
    .where('id', '=', charge.id)
    .execute();
  await tx
    .insertInto('transaction')
    .values({
      id,
      type: 'REFUND',
      status: 'PENDING',
      reservation_id: stay.reservationId,
      owner_id: stay.ownerId,
      amount_minor: amountMinor,
      outstanding_minor: amountMinor,
      currency: stay.currency,
      payment_id: charge.id,
      gateway_id: charge.gateway_id,
      gateway_reference: charge.gateway_reference,
      distribution_version: stay.termsVersion,
      created_by_saga: step.sagaId,
      effect_key: effectKey,
      details: JSON.stringify({
        percent: refund.percent,
        rule: refund.rule,
        daysBeforeCheckIn: refund.daysBeforeCheckIn,
      }),
    })
    .execute();
  // Cumulative, like every payment: what each should have now, less what each has.
  const terms = await readTerms(tx, stay.termsVersion);
  const receipts = await receiptsOf(tx, stay.reservationId);
  const target = targetShares(terms, { ...receipts, hasAgent: stay.referringAgentId !== null });
  const posted = await postedShares(tx, stay.reservationId);
  await post(tx, {
    sagaId: step.sagaId,
    postedBy: step.requestedBy,
    effectKey,
    kind: 'REFUND',
    purpose: 'DISTRIBUTION',
    currency: stay.currency,
    transactionId: id,
    reservationId: stay.reservationId,
    paymentId: charge.id,
    lines: [
      debit(accounts.ownerPayable(stay.ownerId, stay.currency), posted.ownerMinor - target.ownerMinor),
      debit(accounts.agencyFee(stay.currency), posted.agencyMinor - target.agencyMinor),
      debit(accounts.referral(stay.referringAgentId, stay.currency), posted.referralMinor - target.referralMinor),
      credit(accounts.guestCredit(stay.guestId, stay.currency), distributedMinor),
    ],
  });
  return id;
}
