import { parseMajor, toMajor } from '../../kernel/money.ts';
import {
  DEFAULT_REFUND_TERMS,
  daysBeforeCheckIn,
  type RefundAmount,
  type RefundBasis,
  type RefundTerms,
  refundOf,
  refundSchedule,
  type ScheduledRefund,
} from '../reservations/refund-policy.ts';
import { basisPointsOf, type Received, type Shares, type ShareTerms, splitGatewayFee, targetShares } from './shares.ts';

/** Shares in percent. */
export interface IncomeDistribution {
  readonly ownerIncome: number;
  readonly roomyAgencyFee: number;
  readonly referringAgent: number;
}
export const DEFAULT_DISTRIBUTION: IncomeDistribution = { ownerIncome: 70, roomyAgencyFee: 25, referringAgent: 5 };

/** Major units. */
export interface DistributedIncome {
  readonly ownerPayout: number;
  readonly roomyAgencyFee: number;
  readonly referringAgentFee: number;
}

/** Amounts in major units; currency AED and zone Asia/Dubai by default. */
export interface RefundableReservation {
  readonly totalAmount: number;
  /** The paid part of it; default: all of it. */
  readonly paidAmount?: number;
  readonly refundedAmount?: number;
  readonly currency?: string;
  /** `YYYY-MM-DD` at the property. */
  readonly checkInDate: string;
  readonly timeZone?: string;
}
/** `refundAmount` in major units; `rule` as in `RefundAmount`. */
export interface CalculatedRefund {
  readonly refundPercent: number;
  readonly refundAmount: number;
  readonly rule: string;
  readonly daysBeforeCheckIn: number;
}

/** A refund by a stay's terms, in minor units; `percentOverride` takes the place of their tiers. */
export type CancellationBasis = RefundBasis & {
  /** `YYYY-MM-DD` at the property. */
  readonly checkInDate: string;
  readonly timeZone: string;
  readonly percentOverride?: number;
};

/**
 * FinancialService: every calculation of shares and refunds, as pure functions without I/O. Sagas and routes calculate in minor
 * units; `calculateIncomeDistribution` and `calculateRefund` are the same rules in major units.
 */
export const financialService = {
  /** Each party's part of a stay's net receipts, in minor units; the parts sum exactly (domain.md 6). */
  distribute: (terms: ShareTerms, received: Received): Shares => targetShares(terms, received),

  /** Each party's part of a gateway's fee, in minor units (domain.md 9). */
  shareGatewayFee: (terms: ShareTerms, feeMinor: number, hasAgent: boolean): Shares =>
    splitGatewayFee(terms, feeMinor, hasAgent),

  /** The refund of a cancellation requested at `requestedAt`, in minor units, by whole days at the property (domain.md 4). */
  refundAt(basis: CancellationBasis, requestedAt: Date): RefundAmount & { readonly days: number } {
    const days = daysBeforeCheckIn(requestedAt, basis.checkInDate, basis.timeZone);
    return { ...refundOf({ ...basis, days }), days };
  },

  /** The refund of a percentage that was decided before, in minor units (domain.md 4). */
  refundByPercent: (basis: RefundBasis, percent: number): RefundAmount =>
    refundOf({ ...basis, days: 0, percentOverride: percent }),

  /**
   * The refund at each time from `from` on, in minor units, the first to come first (domain.md 4); tiers that are over are left
   * out. With `percentOverride` it is one refund for good.
   */
  refundSchedule(basis: CancellationBasis, from: Date): readonly ScheduledRefund[] {
    if (basis.percentOverride === undefined) return refundSchedule({ ...basis, from });
    const { percent, amountMinor } = financialService.refundByPercent(basis, basis.percentOverride);
    return [{ percent, amountMinor, until: null }];
  },

  /**
   * Splits an amount in major units by largest remainder (domain.md 6); the parts sum exactly. Without an agent the referral
   * share is still computed (domain.md T4). Throws `RangeError` when the shares do not sum to 100 percent, and
   * `AMOUNT_PRECISION` for an amount with more decimals than its currency has.
   */
  calculateIncomeDistribution(
    reservation: { readonly totalAmount: number; readonly currency?: string },
    distribution: IncomeDistribution = DEFAULT_DISTRIBUTION,
  ): DistributedIncome {
    const currency = reservation.currency ?? 'AED';
    const { amountMinor } = parseMajor(reservation.totalAmount, currency);
    const terms = termsOf(distribution);
    const received = { ...NOTHING_REFUNDED, capturedMinor: amountMinor };
    const { ownerMinor, agencyMinor, referralMinor } = financialService.distribute(terms, received);
    const major = (minor: number): number => toMajor({ amountMinor: minor, currency });
    return {
      ownerPayout: major(ownerMinor),
      roomyAgencyFee: major(agencyMinor),
      referringAgentFee: major(referralMinor),
    };
  },

  /**
   * The refund of a guest who cancels at `requestedAt`, in major units, by whole calendar days at the property (domain.md 4).
   * Throws `AMOUNT_PRECISION` for an amount with more decimals than its currency has.
   */
  calculateRefund(
    reservation: RefundableReservation,
    requestedAt: Date,
    policy: RefundTerms = DEFAULT_REFUND_TERMS,
  ): CalculatedRefund {
    const { totalAmount, currency = 'AED', timeZone = 'Asia/Dubai' } = reservation;
    const minor = (amount: number): number => parseMajor(amount, currency).amountMinor;
    const basis = {
      ...policy,
      totalMinor: minor(totalAmount),
      capturedMinor: minor(reservation.paidAmount ?? totalAmount),
      refundedMinor: minor(reservation.refundedAmount ?? 0),
      checkInDate: reservation.checkInDate,
      timeZone,
    };
    const { percent, amountMinor, rule, days } = financialService.refundAt(basis, requestedAt);
    return {
      refundPercent: percent,
      refundAmount: toMajor({ amountMinor, currency }),
      rule,
      daysBeforeCheckIn: days,
    };
  },
};

const NOTHING_REFUNDED = { refundedMinor: 0, hasAgent: false, borneByAgencyMinor: 0, borneByOwnerMinor: 0 };

/** Throws `RangeError` when the shares do not sum to 100 percent. */
function termsOf({ ownerIncome, roomyAgencyFee, referringAgent }: IncomeDistribution): ShareTerms {
  const [ownerBp, agencyBp, referrerBp] = [
    basisPointsOf(ownerIncome),
    basisPointsOf(roomyAgencyFee),
    basisPointsOf(referringAgent),
  ] as const;
  if (ownerBp + agencyBp + referrerBp !== 10_000) throw new RangeError('shares must sum to 100 percent');
  return {
    ownerBp,
    agencyBp,
    referrerBp,
    unassignedReferral: 'RETAIN',
    gatewayFeeBearer: 'AGENCY',
    agencyFeeRefundable: true,
  };
}
