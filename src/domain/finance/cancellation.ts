import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { ReservationStatus } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { exponentOf } from '../../kernel/money.ts';
import type { Ports } from '../ports.ts';
import { refusalDetails } from '../reservations/actions.ts';
import { refundSchedule } from '../reservations/refund-policy.ts';
import { refusalOfCancel } from '../reservations/refusals.ts';
import { dropAmountDue } from './amount-due.ts';
import { receiptsOf } from './distribution.ts';
import { financialService } from './financial-service.ts';
import { type Review, readPayableStay } from './payable.ts';
import { type BookedRefunds, type BookingStep, bookRefunds } from './refund-booking.ts';
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
  /** What it comes to in the end, when the open disputes of the stay are won (`dispute-won.ts`). */
  readonly wonMinor: number;
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
  const whole = wholeRefundRule(stay, order);
  const percentOverride = order.percentOverride ?? (whole === null ? undefined : 100);
  const basis = {
    base: terms.refundBase,
    tiers: terms.refundTiers,
    totalMinor: stay.totalMinor,
    capturedMinor: receipts.capturedMinor,
    stepMinor: await refundStep(db, ports, stay),
    checkInDate: stay.checkInDate,
    timeZone: stay.timeZone,
    ...(percentOverride === undefined ? {} : { percentOverride }),
  };
  // Money that a gateway has taken for an open dispute cannot be refunded.
  const held = { ...basis, refundedMinor: receipts.refundedMinor + receipts.disputedMinor };
  const decided = financialService.refundAt(held, requestedAt);
  return {
    percent: decided.percent,
    amountMinor: decided.amountMinor,
    excessMinor: receipts.excessMinor,
    wonMinor: financialService.refundAt({ ...basis, refundedMinor: receipts.refundedMinor }, requestedAt).amountMinor,
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

/** What a person gives back beyond the policy, and is more than this, needs a second person (domain.md 4). */
const OVERRIDE_LIMIT_MAJOR = 5_000;

/** Whether an amount in minor units is over the limit for one person (domain.md 4). */
export const isOverLimit = (amountMinor: number, currency: string): boolean =>
  amountMinor > OVERRIDE_LIMIT_MAJOR * 10 ** exponentOf(currency);
export const REFUND_REVIEW: Review = { score: 100, signals: [{ rule: 'REFUND_OVERRIDE', points: 100 }] };

/** Whether an override of the policy waits for a second person, by the most that it may come to (domain.md 4). */
export const needsSecondPerson = (stay: CancellableStay, order: CancellationOrder, refund: RefundDecision): boolean =>
  order.percentOverride !== null && isOverLimit(refund.wonMinor, stay.currency);

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
    const amountMinor = receipts.capturedMinor - receipts.refundedMinor - receipts.disputedMinor;
    return [{ percent: 100, amountMinor, until: null }];
  }
  return refundSchedule({
    base: terms.refundBase,
    tiers: terms.refundTiers,
    totalMinor: stay.totalMinor,
    capturedMinor: receipts.capturedMinor,
    // Money that a gateway has taken for an open dispute cannot be refunded.
    refundedMinor: receipts.refundedMinor + receipts.disputedMinor,
    stepMinor: await refundStep(db, ports, stay),
    checkInDate: stay.checkInDate,
    timeZone: stay.timeZone,
    from: requestedAt,
  });
}

/**
 * The point of no return: the refund is owed to the guest, and what the owner was to get is taken off (domain.md 9). A
 * stay that is called off owes nothing any more (domain.md 4: unpaid).
 */
export async function bookCancellation(
  tx: Tx,
  step: BookingStep,
  stay: CancellableStay,
  { amountMinor, excessMinor, percent, rule, daysBeforeCheckIn }: RefundDecision,
): Promise<BookedRefunds> {
  await dropAmountDue(tx, stay.reservationId);
  return bookRefunds(tx, step, stay, {
    amountMinor: amountMinor + excessMinor,
    bearer: null,
    details: { percent, rule, daysBeforeCheckIn },
  });
}
