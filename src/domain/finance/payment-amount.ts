import { RoomyError } from '../../kernel/errors.ts';
import { exponentOf, isCurrency, type Money } from '../../kernel/money.ts';
import type { Ports } from '../ports.ts';

/** The largest payment and the largest ledger entry, in minor units of any currency (security.md M1). */
export const MAX_PAYMENT_MINOR = 100_000_000_000;
const PLAIN = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?$/;
/** Longer than any real amount; a bound on the work. */
const MAX_TEXT = 60;

/**
 * Parses an amount in major units as the client wrote it, through its decimal text and never through floating point (domain.md
 * 7), into minor units. Throws `CURRENCY_INVALID`, `AMOUNT_INVALID` (no plain decimal: exponent, NaN, text),
 * `AMOUNT_NOT_POSITIVE` (negative, zero, minus zero), `AMOUNT_PRECISION`, `AMOUNT_TOO_LARGE`.
 */
export function parsePayment(amount: unknown, currency: unknown): Money {
  if (typeof currency !== 'string' || !isCurrency(currency)) throw new RoomyError('CURRENCY_INVALID');
  const match = PLAIN.exec(textOf(amount));
  if (!match) throw new RoomyError('AMOUNT_INVALID');
  const [, sign = '', whole = '0', fraction = ''] = match;
  const exponent = exponentOf(currency);
  const significant = fraction.replace(/0+$/, '');
  if (sign === '-' || (/^0+$/.test(whole) && significant === '')) throw new RoomyError('AMOUNT_NOT_POSITIVE');
  if (significant.length > exponent)
    throw new RoomyError('AMOUNT_PRECISION', { details: { currency, decimals: exponent } });
  const minor = BigInt(whole) * 10n ** BigInt(exponent) + BigInt(significant.padEnd(exponent, '0') || '0');
  if (minor > BigInt(MAX_PAYMENT_MINOR)) throw new RoomyError('AMOUNT_TOO_LARGE');
  return { amountMinor: Number(minor), currency };
}

/** Throws `AMOUNT_PRECISION` for an amount that the gateway cannot take, before it is asked: Stripe takes KWD with two decimals. */
export function assertTaken(
  ports: Pick<Ports, 'amountStep'>,
  { amountMinor, currency, gatewayId }: Money & { readonly gatewayId: string },
): void {
  const step = ports.amountStep({ gatewayId }, currency);
  if (amountMinor % step === 0) return;
  const decimals = Math.max(0, exponentOf(currency) - Math.round(Math.log10(step)));
  throw new RoomyError('AMOUNT_PRECISION', {
    text: `The gateway takes ${currency} with ${decimals} decimals`,
    details: { currency, gatewayId, decimals },
  });
}

function textOf(amount: unknown): string {
  if (typeof amount === 'string') return amount.length > MAX_TEXT ? '' : amount;
  if (typeof amount !== 'number') return '';
  return Object.is(amount, -0) ? '-0' : String(amount);
}
