import { allocate, parseMajor, toMajor } from '../../kernel/money.ts';
import { DEFAULT_REFUND_TERMS, daysBeforeCheckIn, type RefundTerms, refundOf } from '../reservations/refund-policy.ts';
import { basisPointsOf } from './shares.ts';

/** Shares in percent, as the brief writes them. */
export interface IncomeDistribution {
  readonly ownerIncome: number;
  readonly roomyAgencyFee: number;
  readonly referringAgent: number;
}
export const DEFAULT_DISTRIBUTION: IncomeDistribution = { ownerIncome: 70, roomyAgencyFee: 25, referringAgent: 5 };

export interface DistributedIncome {
  readonly ownerPayout: number;
  readonly roomyAgencyFee: number;
  readonly referringAgentFee: number;
}

export interface RefundableReservation {
  readonly totalAmount: number;
  /** What has been paid; default: all of it. */
  readonly paidAmount?: number;
  readonly refundedAmount?: number;
  readonly currency?: string;
  /** `YYYY-MM-DD` at the property. */
  readonly checkInDate: string;
  readonly timeZone?: string;
}
export interface CalculatedRefund {
  readonly refundPercent: number;
  readonly refundAmount: number;
  readonly rule: string;
  readonly daysBeforeCheckIn: number;
}

/** The brief's FinancialService: pure functions, no I/O. Amounts in and out are in major units. */
export const financialService = {
  /**
   * Splits an amount by largest remainder (domain.md 6); the parts sum exactly. Without an agent the referral share is
   * still computed (domain.md T4).
   */
  calculateIncomeDistribution(
    reservation: { readonly totalAmount: number; readonly currency?: string },
    distribution: IncomeDistribution = DEFAULT_DISTRIBUTION,
  ): DistributedIncome {
    const currency = reservation.currency ?? 'AED';
    const { amountMinor } = parseMajor(reservation.totalAmount, currency);
    const shares = [distribution.ownerIncome, distribution.roomyAgencyFee, distribution.referringAgent];
    const [owner = 0, agency = 0, referrer = 0] = allocate(amountMinor, shares.map(basisPointsOf));
    const major = (minor: number): number => toMajor({ amountMinor: minor, currency });
    return { ownerPayout: major(owner), roomyAgencyFee: major(agency), referringAgentFee: major(referrer) };
  },

  /** What a guest who cancels at `requestedAt` gets back, by whole calendar days at the property (domain.md 4). */
  calculateRefund(
    reservation: RefundableReservation,
    requestedAt: Date,
    policy: RefundTerms = DEFAULT_REFUND_TERMS,
  ): CalculatedRefund {
    const { totalAmount, currency = 'AED', timeZone = 'Asia/Dubai' } = reservation;
    const minor = (amount: number): number => parseMajor(amount, currency).amountMinor;
    const days = daysBeforeCheckIn(requestedAt, reservation.checkInDate, timeZone);
    const { percent, amountMinor, rule } = refundOf({
      ...policy,
      totalMinor: minor(totalAmount),
      capturedMinor: minor(reservation.paidAmount ?? totalAmount),
      refundedMinor: minor(reservation.refundedAmount ?? 0),
      days,
    });
    return {
      refundPercent: percent,
      refundAmount: toMajor({ amountMinor, currency }),
      rule,
      daysBeforeCheckIn: days,
    };
  },
};
