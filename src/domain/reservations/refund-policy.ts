import type { RefundBase, RefundTier } from '../../db/schema.ts';
import { savedZone } from '../../kernel/time-zone.ts';
import { REFUND_RULES } from './refund-rules.ts';

/** Refund rules, exact (domain.md 4). Pure: what is decided depends on the frozen time of the request alone. */

/**
 * Whole calendar days at the property between the request and the day of check-in. Time of day does not count, and so
 * no clock change can.
 */
export function daysBeforeCheckIn(requestedAt: Date, checkInDate: string, timeZone: string): number {
  const today = Temporal.Instant.fromEpochMilliseconds(requestedAt.getTime())
    .toZonedDateTimeISO(savedZone(timeZone))
    .toPlainDate();
  return today.until(Temporal.PlainDate.from(checkInDate), { largestUnit: 'day' }).days;
}

export interface RefundTerms {
  readonly base: RefundBase;
  /** Descending by days. */
  readonly tiers: readonly RefundTier[];
}
/** The brief's own. */
export const DEFAULT_REFUND_TERMS: RefundTerms = {
  base: 'PAID',
  tiers: [
    { days: 7, percent: 100 },
    { days: 3, percent: 50 },
    { days: 1, percent: 25 },
  ],
};
export interface RefundBasis extends RefundTerms {
  readonly totalMinor: number;
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  /** The gateway sends back multiples of this, in minor units; default 1. */
  readonly stepMinor?: number;
}
export interface RefundAmount {
  readonly percent: number;
  readonly amountMinor: number;
  readonly rule: string;
}

/**
 * How much comes back for a number of days; half up in minor units and up to what the gateway can send, in the guest's
 * favour, never above what is held.
 */
export function refundOf(
  basis: RefundBasis & { readonly days: number; readonly percentOverride?: number },
): RefundAmount {
  if (basis.percentOverride !== undefined) {
    const percent = basis.percentOverride;
    return { percent, amountMinor: amountFor(basis, percent), rule: 'OVERRIDE' };
  }
  const tier = basis.tiers.findIndex(({ days }) => basis.days >= days);
  const percent = basis.tiers[tier]?.percent ?? 0;
  return { percent, amountMinor: amountFor(basis, percent), rule: ruleName(basis.tiers, tier) };
}

function amountFor(basis: RefundBasis, percent: number): number {
  const { base, totalMinor, capturedMinor, refundedMinor, stepMinor = 1 } = basis;
  const refundable = capturedMinor - refundedMinor;
  const exactMinor = Math.max(0, REFUND_RULES[base].amountMinor({ totalMinor, refundableMinor: refundable }, percent));
  return Math.min(refundable, Math.ceil(exactMinor / stepMinor) * stepMinor);
}

/** `DAYS_7_PLUS`, `DAYS_3_TO_6`, `DAYS_1_TO_2`, `DAY_OF_CHECK_IN` with the brief's tiers. */
function ruleName(tiers: readonly RefundTier[], tier: number): string {
  const at = tiers[tier];
  if (!at) return belowTiers(tiers.at(-1));
  const before = tiers[tier - 1];
  if (!before) return `DAYS_${at.days}_PLUS`;
  return before.days - 1 === at.days ? `DAYS_${at.days}` : `DAYS_${at.days}_TO_${before.days - 1}`;
}

/** Fewer days than every tier asks for. */
function belowTiers(last: RefundTier | undefined): string {
  if (!last) return 'NO_REFUND';
  if (last.days === 0) return 'AFTER_CHECK_IN_DAY';
  return last.days === 1 ? 'DAY_OF_CHECK_IN' : `DAYS_UNDER_${last.days}`;
}

export interface ScheduledRefund {
  readonly percent: number;
  readonly amountMinor: number;
  /** The last millisecond at which this is what comes back; null: from then on for good. */
  readonly until: Date | null;
}

/** What a guest would get back from `from` on; tiers whose time is over are left out. */
export function refundSchedule(
  basis: RefundBasis & { readonly checkInDate: string; readonly timeZone: string; readonly from: Date },
): readonly ScheduledRefund[] {
  const steps = basis.tiers.map(({ days, percent }) => ({
    percent,
    amountMinor: amountFor(basis, percent),
    until: lastMoment(basis.checkInDate, days, basis.timeZone),
  }));
  const open = steps.filter(({ until }) => until >= basis.from);
  return [...open, { percent: 0, amountMinor: amountFor(basis, 0), until: null }];
}

/** The end of the local day that is `days` before check-in. */
function lastMoment(checkInDate: string, days: number, timeZone: string): Date {
  const next = Temporal.PlainDate.from(checkInDate).subtract({ days }).add({ days: 1 });
  return new Date(next.toZonedDateTime({ timeZone: savedZone(timeZone) }).epochMilliseconds - 1);
}
