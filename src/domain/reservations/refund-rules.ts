import type { RefundBase } from '../../db/schema.ts';

/**
 * The kinds of refund rules: `refundBase` of the terms (domain.md 4). Each has all that is known about it in one place; the
 * schema of requests, the API's description, the calculation and the guest's mail are derived from here. The CHECK on
 * `income_distribution.refund_base` gives the type, so a kind without a rule does not compile.
 */
export interface RefundRule {
  /** For the description of the API: what the percentage of a tier is taken of. Continues "`PAID`: ". */
  readonly meaning: string;
  /**
   * The refund in minor units for a percentage from 0 to 100, before it is rounded up to what the gateway can send. The caller
   * bounds it by zero and `refundableMinor`. It does not fall when the percentage rises, and at 100 it is all: so the refund of
   * a cancellation that gives everything back is calculated by the same rule.
   */
  readonly amountMinor: (money: RefundableMoney, percent: number) => number;
  /**
   * The part that a guest gets back, as the subject of "... is refunded until 25 May", by the language of the text. `percent`
   * is from 1 to 100; `print` writes a percentage with the digits of the language.
   */
  readonly guestText: Readonly<Record<'en' | 'ar', (percent: number, print: (percent: number) => string) => string>>;
}

/** Amounts of a stay in minor units. */
export interface RefundableMoney {
  readonly totalMinor: number;
  /** Paid, not refunded, and not held in a dispute. */
  readonly refundableMinor: number;
}

export const REFUND_RULES: Readonly<Record<RefundBase, RefundRule>> = {
  PAID: {
    meaning: 'the percentage of what was paid',
    amountMinor: ({ refundableMinor }, percent) => halfUp(refundableMinor, percent),
    guestText: {
      en: (percent, print) => `${print(percent)} of what you paid`,
      ar: (percent, print) => `${print(percent)} مما دفعته`,
    },
  },
  TOTAL: {
    meaning: 'what was paid, less the rest of the percentage of the price',
    // The part of the price that is kept is what halfUp leaves, so that half a minor unit falls to the guest as with PAID.
    amountMinor: ({ totalMinor, refundableMinor }, percent) =>
      refundableMinor - (totalMinor - halfUp(totalMinor, percent)),
    guestText: {
      en: (percent, print) =>
        percent === 100 ? 'all that you paid' : `what you paid less ${print(100 - percent)} of the price`,
      ar: (percent, print) => (percent === 100 ? 'كامل ما دفعته' : `ما دفعته ناقصاً ${print(100 - percent)} من السعر`),
    },
  },
};

const isRefundBase = (name: string): name is RefundBase => Object.hasOwn(REFUND_RULES, name);
export const REFUND_BASES: readonly RefundBase[] = Object.keys(REFUND_RULES).filter(isRefundBase);

/** A whole percentage of an amount, half a minor unit up. Through bigint: a product of two safe integers need not be one. */
export const halfUp = (amountMinor: number, percent: number): number =>
  Number((BigInt(amountMinor) * BigInt(percent) * 2n + 100n) / 200n);
