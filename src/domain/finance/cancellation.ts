import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { ReservationStatus } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { formatMajor, toMajor } from '../../kernel/money.ts';
import { isOver, limitsAt } from '../approvals/limits.ts';
import { assertNoQuestion, type OpenQuestion, type Review, type SagaQuestion } from '../approvals/of-saga.ts';
import type { Ports } from '../ports.ts';
import { refusalDetails } from '../reservations/actions.ts';
import { refusalOfCancel } from '../reservations/refusals.ts';
import { type CancellationBasis, financialService } from './financial-service.ts';
import { givenBeyond } from './given-beyond.ts';
import { readPayableStay } from './payable.ts';
import { receiptsOf, type StayReceipts } from './receipts.ts';
import { type BookedRefunds, type BookingStep, bookRefunds } from './refund-booking.ts';
import { dropAmountDue } from './store/amount-due.ts';
import { readTerms } from './terms.ts';

/** The parties that may cancel a stay; a cancellation by any other than the guest refunds everything (domain.md 4). */
export const INITIATORS = ['GUEST', 'HOST', 'AGENCY', 'SYSTEM'] as const;
export type Initiator = (typeof INITIATORS)[number];

/** The facts of a stay that its cancellation depends on: ids, dates and pinned terms. */
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

/**
 * Reads a stay that may be cancelled. Throws `RESERVATION_NOT_FOUND`, `RESERVATION_IN_HOUSE`, `INVALID_STATE_TRANSITION` with the
 * actions that are possible.
 */
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
  /** Decided by a person with the permission, who gave a reason; null: the policy decides. */
  readonly percentOverride: number | null;
}
export type RefundDecision = {
  readonly percent: number;
  /** Minor units, by the policy; the excess over the balance is refunded on top. */
  readonly amountMinor: number;
  readonly excessMinor: number;
  /** The amount in the end, if the open disputes of the stay are won (`dispute-won.ts`). */
  readonly wonMinor: number;
  /** What the policy alone would come to then. A saga that decided before it was kept has none. */
  readonly policyMinor?: number;
  readonly rule: string;
  readonly daysBeforeCheckIn: number;
};

export interface RefundFacts {
  /** Of the money that can be refunded now. */
  readonly basis: CancellationBasis;
  readonly receipts: StayReceipts;
}

/**
 * Reads the basis of a stay's refund: its receipts in minor units and its pinned terms. Until a stay is confirmed everything is
 * refunded (domain.md 4). Money that a gateway has taken for an open dispute cannot be refunded.
 */
export async function readRefundFacts(
  db: Db | Tx,
  ports: Pick<Ports, 'amountStep'>,
  stay: CancellableStay,
): Promise<RefundFacts> {
  const terms = await readTerms(db, stay.termsVersion);
  const receipts = await receiptsOf(db, stay.reservationId);
  const basis = {
    base: terms.refundBase,
    tiers: terms.refundTiers,
    totalMinor: stay.totalMinor,
    capturedMinor: receipts.capturedMinor,
    refundedMinor: receipts.refundedMinor + receipts.disputedMinor,
    stepMinor: await refundStep(db, ports, stay),
    checkInDate: stay.checkInDate,
    timeZone: stay.timeZone,
    ...(stay.status === 'PENDING' && { percentOverride: 100 }),
  };
  return { basis, receipts };
}

/**
 * Decides the refund of a cancellation: a pure function of the stay, its receipts, its pinned terms and the frozen time of the
 * request (domain.md 4).
 */
export async function decideRefund(
  db: Db | Tx,
  ports: Pick<Ports, 'amountStep'>,
  stay: CancellableStay,
  order: CancellationOrder,
  requestedAt: Date,
): Promise<RefundDecision> {
  const { basis, receipts } = await readRefundFacts(db, ports, stay);
  const whole = wholeRefundRule(stay, order);
  const percentOverride = order.percentOverride ?? (whole === null ? undefined : 100);
  const decidedBy = { ...basis, ...(percentOverride !== undefined && { percentOverride }) };
  const decided = financialService.refundAt(decidedBy, requestedAt);
  const wonBy = { refundedMinor: receipts.refundedMinor };
  const won = financialService.refundAt({ ...decidedBy, ...wonBy }, requestedAt);
  const policy = financialService.refundAt({ ...basis, ...wonBy }, requestedAt);
  return {
    percent: decided.percent,
    amountMinor: decided.amountMinor,
    excessMinor: receipts.excessMinor,
    wonMinor: won.amountMinor,
    policyMinor: policy.amountMinor,
    rule: order.percentOverride === null ? (whole ?? decided.rule) : decided.rule,
    daysBeforeCheckIn: decided.days,
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

export const REFUND_REVIEW: Review = { score: 100, signals: [{ rule: 'REFUND_OVERRIDE', points: 100 }] };

/** The part of a refund, in minor units, that a cancellation gives beyond the policy. Pure. */
const beyondPolicy = ({ wonMinor, policyMinor = wonMinor }: RefundDecision): number =>
  Math.max(0, wonMinor - policyMinor);

/**
 * What a second person is asked before a cancellation gives more than the policy: by a percentage that a person has set, or because
 * somebody else than the guest is said to cancel. Null: nobody is asked, as it gives no more, or not more than one person may
 * decide, by the most that it may come to and together with what was given beyond the policy before (domain.md 4). Major units in
 * words, minor units in the question.
 */
export async function overrideQuestion(
  db: Db,
  stay: CancellableStay,
  order: CancellationOrder,
  refund: RefundDecision,
  requestedAt: Date,
): Promise<SagaQuestion | null> {
  if (beyondPolicy(refund) === 0) return null;
  const { currency, reservationId, propertyId } = stay;
  const { wonMinor: amountMinor, policyMinor = amountMinor } = refund;
  const { overrideMinor } = await limitsAt(db, requestedAt);
  const givenMinor = await givenBeyond(db, reservationId, currency);
  if (!isOver(overrideMinor, givenMinor + amountMinor, currency)) return null;
  const major = (minor: number): string => `${currency} ${formatMajor({ amountMinor: minor, currency })}`;
  const before = givenMinor > 0 ? `; ${major(givenMinor)} were given beyond it before` : '';
  const asked = `Refund ${major(amountMinor)} of stay ${reservationId}, cancelled by ${order.initiator}; the policy gives ${major(policyMinor)}${before}`;
  return { kind: 'REFUND_OVERRIDE', asked, amountMinor, currency, propertyId };
}

/**
 * While a question about the stay's money is open, only a cancellation that touches no money goes ahead. Throws
 * `SAGA_IN_PROGRESS`.
 */
export async function assertMoneyIsFree(db: Db, reservationId: string, open: OpenQuestion | null): Promise<void> {
  if (open === null) return;
  const { capturedMinor, excessMinor } = await receiptsOf(db, reservationId);
  if (capturedMinor + excessMinor > 0) assertNoQuestion(open);
}

/**
 * The point of no return: the refund is owed to the guest, and the owner's part is taken off the payouts to come (domain.md 9). A
 * cancelled stay owes nothing any more (domain.md 4: unpaid).
 */
export async function bookCancellation(
  tx: Tx,
  step: BookingStep,
  stay: CancellableStay,
  refund: RefundDecision,
): Promise<BookedRefunds> {
  const { amountMinor, excessMinor, percent, rule, daysBeforeCheckIn } = refund;
  const beyondMinor = beyondPolicy(refund);
  await dropAmountDue(tx, stay.reservationId);
  return bookRefunds(tx, step, stay, {
    amountMinor: amountMinor + excessMinor,
    bearer: null,
    details: {
      ...{ percent, rule, daysBeforeCheckIn },
      ...(beyondMinor > 0 && { beyondPolicy: toMajor({ amountMinor: beyondMinor, currency: stay.currency }) }),
    },
  });
}
