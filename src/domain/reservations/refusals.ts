import type { Readiness, ReservationStatus, StayCheck } from '../../db/schema.ts';
import type { ErrorCode } from '../../kernel/errors.ts';
import { localDate } from '../../kernel/local-time.ts';
import { type OfferedAction, refusalOfStatus } from './state-machine.ts';

/**
 * Why an action on a stay is refused: each rule once, for the step that refuses and for what the stay offers. Pure
 * functions of what was read; null or nothing: accepted.
 */

/** Which nights are free is the property's calendar to say. */
export const refusalOfConfirm = (stay: { readonly status: ReservationStatus; readonly taken: boolean }) =>
  refusalOfStatus(stay.status, 'confirm') ?? (stay.taken ? 'RESERVATION_CONFLICT' : null);

/** The code by which a cancellation is refused in this status; null when it is allowed. */
export const refusalOfCancel = (stay: { readonly status: ReservationStatus }) => refusalOfStatus(stay.status, 'cancel');

/** `outstandingMinor`: the unpaid part, by the sum of the payments. A free stay is paid with its confirmation. */
export function refusalOfPayment(stay: {
  readonly status: ReservationStatus;
  readonly totalMinor: number;
  readonly outstandingMinor: number;
}) {
  const byStatus = refusalOfStatus(stay.status, 'payment');
  if (byStatus !== null || stay.outstandingMinor > 0) return byStatus;
  return stay.status === 'PENDING' && stay.totalMinor === 0 ? 'PAYMENT_EXCEEDS_BALANCE' : 'ALREADY_PAID';
}

/** `NOTHING_TO_REFUND`, or null when minor units are left to give back. */
export const refusalOfRefund = (stay: { readonly refundableMinor: number }) =>
  stay.refundableMinor > 0 ? null : 'NOTHING_TO_REFUND';

/** The facts of a stay that an arrival or a departure is checked against. */
export interface VisitState {
  readonly check_in_date: string;
  readonly actual_check_in_at: Date | null;
  /** Of the amount due, in minor units. */
  readonly outstanding_minor: number;
  readonly time_zone: string;
  readonly readiness: Readiness;
  readonly inspection_required: boolean;
  /** These refuse; the others warn. */
  readonly strict_checks: readonly StayCheck[];
  /** Another stay whose guest is in the property. */
  readonly occupied_by: string | null;
}

/** In the order in which they refuse. */
export function failedChecks(stay: VisitState, action: 'check-in' | 'check-out', at: Date): readonly StayCheck[] {
  const isArrival = action === 'check-in';
  const isReady =
    stay.occupied_by === null &&
    (stay.readiness === 'INSPECTED' || (stay.readiness === 'CLEAN' && !stay.inspection_required));
  return [
    ...(isArrival && localDate(at, stay.time_zone) < stay.check_in_date ? (['CHECK_IN_TOO_EARLY'] as const) : []),
    ...(stay.outstanding_minor > 0 ? (['BALANCE_DUE'] as const) : []),
    ...(isArrival && !isReady ? (['PROPERTY_NOT_READY'] as const) : []),
  ];
}

/** Of the failed checks, those that refuse. `strict`: all of them, whatever the property says. */
export const refusedChecks = (stay: VisitState, failed: readonly StayCheck[], strict: boolean): readonly StayCheck[] =>
  failed.filter((check) => strict || stay.strict_checks.includes(check));

/** Nobody leaves before having come. */
export const leavesBeforeArrival = (stay: VisitState, at: Date): boolean =>
  stay.actual_check_in_at !== null && at < stay.actual_check_in_at;

function refusalOfVisit(
  stay: VisitState & { readonly status: ReservationStatus },
  action: 'check-in' | 'check-out',
  now: Date,
): ErrorCode | null {
  const byStatus = refusalOfStatus(stay.status, action);
  if (byStatus !== null) return byStatus;
  if (action === 'check-out' && leavesBeforeArrival(stay, now)) return 'VALIDATION_FAILED';
  return refusedChecks(stay, failedChecks(stay, action, now), false)[0] ?? null;
}

/** The facts of a stay that decide about its actions. */
export interface ActionFacts extends VisitState {
  readonly status: ReservationStatus;
  /** A saga is at work on the stay, or parked. */
  readonly isBusy: boolean;
  /** It still holds the stay's money: it keeps out what only needs that (guarantees.md G7). */
  readonly isMoneyBusy: boolean;
  /** A repair's block in the calendar: no guest's stay, and changed by its task alone. */
  readonly isBlock: boolean;
  readonly taken: boolean;
  readonly totalMinor: number;
  readonly outstandingMinor: number;
  /** Captured and not refunded, credit included. */
  readonly refundableMinor: number;
  readonly now: Date;
}

/** The code with which the action's endpoint would refuse it now, asked without options; null: it would be accepted. */
export function refusalOfAction(action: OfferedAction, facts: ActionFacts): ErrorCode | null {
  const isKeptOut = action === 'payment' || action === 'refunds' ? facts.isMoneyBusy : facts.isBusy;
  if (isKeptOut) return 'SAGA_IN_PROGRESS';
  if (facts.isBlock) return 'RESERVATION_NOT_FOUND';
  switch (action) {
    case 'confirm':
      return refusalOfConfirm(facts);
    case 'cancel':
      return refusalOfCancel(facts);
    case 'payment':
      return refusalOfPayment(facts);
    case 'refunds':
      return refusalOfRefund(facts);
    default:
      return refusalOfVisit(facts, action, facts.now);
  }
}
