import { RoomyError } from './errors.ts';

/** An amount in minor units (fils, cents); always a safe integer. */
export interface Money {
  readonly amountMinor: number;
  readonly currency: string;
}

/**
 * ISO 4217 exponents that differ from 2, written out because `Intl` reports other ones (HUF 0 where ISO says 2).
 * Source: ISO 4217 list one.
 */
const EXPONENTS: Readonly<Record<string, number>> = {
  BHD: 3,
  IQD: 3,
  JOD: 3,
  KWD: 3,
  LYD: 3,
  OMR: 3,
  TND: 3,
  BIF: 0,
  CLP: 0,
  DJF: 0,
  GNF: 0,
  ISK: 0,
  JPY: 0,
  KMF: 0,
  KRW: 0,
  PYG: 0,
  RWF: 0,
  UGX: 0,
  UYI: 0,
  VND: 0,
  VUV: 0,
  XAF: 0,
  XOF: 0,
  XPF: 0,
};

export const CURRENCY_PATTERN = /^[A-Z]{3}$/;
export const exponentOf = (currency: string): number => EXPONENTS[currency] ?? 2;

/**
 * Major units as a client writes them (`1000`, `"99.99"`) to minor units, through the decimal text, never through
 * floating point. Throws `AMOUNT_PRECISION` for more decimals than the currency has, `VALIDATION_FAILED` for what is
 * no plain decimal, is negative, or exceeds 2^53-1 minor units.
 */
export function parseMajor(amount: number | string, currency: string): Money {
  const text = typeof amount === 'number' ? (Object.is(amount, -0) ? '-0' : String(amount)) : amount;
  const match = /^(0|[1-9]\d{0,15})(?:\.(\d{1,20}))?$/.exec(text);
  if (!match) throw new RoomyError('VALIDATION_FAILED', { text: 'The amount is not a plain decimal number' });
  const [, whole = '0', fraction = ''] = match;
  const exponent = exponentOf(currency);
  const significant = fraction.replace(/0+$/, '');
  if (significant.length > exponent)
    throw new RoomyError('AMOUNT_PRECISION', { details: { currency, decimals: exponent } });
  const minor = BigInt(whole) * 10n ** BigInt(exponent) + BigInt(significant.padEnd(exponent, '0') || '0');
  if (minor > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new RoomyError('VALIDATION_FAILED', { text: 'The amount is too large' });
  }
  return { amountMinor: Number(minor), currency };
}

/** Minor units to the number that JSON answers carry. Exact to 15 digits, which the limit of `parseMajor` keeps. */
export const toMajor = ({ amountMinor, currency }: Money): number => Number(formatMajor({ amountMinor, currency }));

/** `1234.50`: every decimal of the currency, no grouping. */
export function formatMajor({ amountMinor, currency }: Money): string {
  const exponent = exponentOf(currency);
  const digits = String(Math.abs(amountMinor)).padStart(exponent + 1, '0');
  const sign = amountMinor < 0 ? '-' : '';
  if (exponent === 0) return sign + digits;
  return `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

/**
 * Splits an amount by basis points so that the parts are integers and their sum is exact: largest remainder, ties to
 * the earlier share (domain.md 6). The shares must sum to 10 000.
 */
export function allocate(amountMinor: number, basisPoints: readonly number[]): number[] {
  const total = basisPoints.reduce((sum, share) => sum + share, 0);
  if (total !== 10_000 || basisPoints.some((share) => !Number.isInteger(share) || share < 0)) {
    throw new RangeError('shares must be whole basis points that sum to 10000');
  }
  if (!Number.isSafeInteger(amountMinor) || amountMinor < 0) throw new RangeError('amount must be whole minor units');
  const amount = BigInt(amountMinor);
  const parts = basisPoints.map((share, order) => {
    const scaled = amount * BigInt(share);
    return { order, part: scaled / 10_000n, remainder: scaled % 10_000n };
  });
  let left = amount - parts.reduce((sum, { part }) => sum + part, 0n);
  for (const entry of parts.toSorted((a, b) => Number(b.remainder - a.remainder) || a.order - b.order)) {
    if (left === 0n) break;
    entry.part += 1n;
    left -= 1n;
  }
  return parts.map(({ part }) => Number(part));
}
