import { allocate, parseMajor, toMajor } from '../../kernel/money.ts';

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

/** The brief's FinancialService: pure functions, no I/O. */
export const financialService = {
  /**
   * Splits an amount by largest remainder
   * (domain.md 6). Amounts in and out are in major units; the parts sum exactly. Without an agent the referral share
   * is still computed (domain.md T4).
   */
  calculateIncomeDistribution(
    reservation: { readonly totalAmount: number; readonly currency?: string },
    distribution: IncomeDistribution = DEFAULT_DISTRIBUTION,
  ): DistributedIncome {
    const currency = reservation.currency ?? 'AED';
    const { amountMinor } = parseMajor(reservation.totalAmount, currency);
    const shares = [distribution.ownerIncome, distribution.roomyAgencyFee, distribution.referringAgent];
    const [owner = 0, agency = 0, referrer = 0] = allocate(amountMinor, shares.map(toBasisPoints));
    const major = (minor: number): number => toMajor({ amountMinor: minor, currency });
    return { ownerPayout: major(owner), roomyAgencyFee: major(agency), referringAgentFee: major(referrer) };
  },
};

/** Percent with two decimals at the most: hundredths of a percent are basis points. */
const toBasisPoints = (percent: number): number => parseMajor(percent, 'AED').amountMinor;
