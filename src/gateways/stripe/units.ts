import { RoomyError } from '../../kernel/errors.ts';
import { exponentOf } from '../../kernel/money.ts';

/**
 * Stripe's minor units, where they are not ISO 4217's: ISK and UGX have no decimals, yet are sent with two that are
 * always 00; MGA has two by ISO and none at Stripe. Source: docs.stripe.com/currencies.
 */
const STRIPE_EXPONENTS: Readonly<Record<string, number>> = { ISK: 2, UGX: 2, MGA: 0 };
const shiftOf = (currency: string): number =>
  (STRIPE_EXPONENTS[currency] ?? exponentOf(currency)) - exponentOf(currency);

/**
 * The least part of an amount, in our minor units, that Stripe takes: of three decimals the last only as 0, of MGA whole
 * ones (docs.stripe.com/currencies).
 */
export function stepOf(currency: string): number {
  const shift = shiftOf(currency);
  if (shift < 0) return 10 ** -shift;
  return exponentOf(currency) === 3 ? 10 : 1;
}

/** Whether Stripe can express the amount. */
export const isTaken = (amountMinor: number, currency: string): boolean =>
  amountMinor % stepOf(currency) === 0 && Number.isSafeInteger(amountMinor * 10 ** Math.max(0, shiftOf(currency)));

/** Throws `AMOUNT_PRECISION` for what is not taken. */
export function toStripe(amountMinor: number, currency: string): number {
  if (isTaken(amountMinor, currency)) return Math.round(amountMinor * 10 ** shiftOf(currency));
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
