import { RoomyError } from '../../kernel/errors.ts';
import { exponentOf } from '../../kernel/money.ts';

/**
 * Stripe's minor units, where they are not ISO 4217's: ISK and UGX have no decimals, yet are sent with two that are
 * always 00; MGA has two by ISO and none at Stripe. Source: docs.stripe.com/currencies.
 */
const STRIPE_EXPONENTS: Readonly<Record<string, number>> = { ISK: 2, UGX: 2, MGA: 0 };
const shiftOf = (currency: string): number =>
  (STRIPE_EXPONENTS[currency] ?? exponentOf(currency)) - exponentOf(currency);

/** Throws `AMOUNT_PRECISION`: of three decimals Stripe takes the last only as 0. */
export function toStripe(amountMinor: number, currency: string): number {
  const shift = shiftOf(currency);
  const amount = shift >= 0 ? amountMinor * 10 ** shift : amountMinor / 10 ** -shift;
  const step = exponentOf(currency) === 3 ? 10 : 1;
  if (Number.isSafeInteger(amount) && amount % step === 0) return amount;
  throw new RoomyError('AMOUNT_PRECISION', {
    details: { currency, gatewayId: 'stripe' },
    text: 'The gateway does not take so many decimals of this currency',
  });
}

/** Null for an amount that has no whole number of ISO's minor units. */
export function fromStripe(amount: number, currency: string): number | null {
  const shift = shiftOf(currency);
  const amountMinor = shift >= 0 ? amount / 10 ** shift : amount * 10 ** -shift;
  return Number.isSafeInteger(amountMinor) ? amountMinor : null;
}

export interface SettledFee {
  /** Of the charge, in its own currency and Stripe's units. */
  readonly chargeAmount: number;
  readonly chargeCurrency: string;
  /** Of the balance transaction, in the currency that Stripe settles in. */
  readonly amount: number;
  readonly fee: number;
  readonly currency: string;
}

/**
 * A fee in minor units of the charge's currency, half up. Stripe takes it in the settlement currency; what it is in the
 * charge's follows from the two amounts of the same money.
 */
export function feeFromStripe({ chargeAmount, chargeCurrency, amount, fee, currency }: SettledFee): number {
  const converted = currency !== chargeCurrency && amount !== 0;
  const [numerator, denominator] = converted ? [BigInt(fee) * BigInt(chargeAmount), BigInt(amount)] : [BigInt(fee), 1n];
  const shift = shiftOf(chargeCurrency);
  const up = shift < 0 ? 10n ** BigInt(-shift) : 1n;
  const down = shift > 0 ? 10n ** BigInt(shift) : 1n;
  return Number((2n * numerator * up + denominator * down) / (2n * denominator * down));
}
