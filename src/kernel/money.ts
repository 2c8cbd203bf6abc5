import { RoomyError } from './errors.ts';

/** An amount in minor units (fils, cents); always a safe integer. */
export interface Money {
  readonly amountMinor: number;
  readonly currency: string;
}

/**
 * The currencies of ISO 4217 list one by their exponent, written out because `Intl` reports other exponents (HUF 0 where
 * ISO says 2) and knows currencies that are long gone. Without what is no money to pay with (gold, XDR, test codes); with
 * ANG and BGN, which bookings may still carry.
 */
const CODES: readonly (readonly [exponent: number, codes: string])[] = [
  [0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'],
  [
    2,
    'AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW ' +
      'CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ' +
      'ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV ' +
      'MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD ' +
      'SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG',
  ],
  [3, 'BHD IQD JOD KWD LYD OMR TND'],
  [4, 'CLF UYW'],
];
const EXPONENTS: ReadonlyMap<string, number> = new Map(
  CODES.flatMap(([exponent, codes]) => codes.split(' ').map((code) => [code, exponent] as const)),
);

export const CURRENCY_PATTERN = /^[A-Z]{3}$/;
/** As ISO 4217 writes it: three capital letters, in use. */
export const isCurrency = (code: string): boolean => EXPONENTS.has(code);
export const exponentOf = (currency: string): number => EXPONENTS.get(currency) ?? 2;

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

/**
 * The same for what answers carry as a number again: an amount whose number would be read back as another one (some of 16
 * digits and more) is refused like one that is too large, and never rounded.
 */
export function parseAnswerable(amount: number | string, currency: string): Money {
  const money = parseMajor(amount, currency);
  const back = parseMajor(toMajor(money), currency);
  if (back.amountMinor === money.amountMinor) return money;
  throw new RoomyError('VALIDATION_FAILED', { text: 'The amount is too large' });
}

/** Minor units to the number that JSON answers carry. Exact to 15 digits; `parseAnswerable` refuses what is not. */
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
  if (basisPoints.reduce((sum, share) => sum + share, 0) !== 10_000) {
    throw new RangeError('shares must be whole basis points that sum to 10000');
  }
  return allocateByWeight(amountMinor, basisPoints);
}

/** The same by any whole weights that are not all zero. Throws `RangeError` for what is no amount or no weights. */
export function allocateByWeight(amountMinor: number, weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total <= 0 || weights.some((weight) => !Number.isSafeInteger(weight) || weight < 0)) {
    throw new RangeError('weights must be whole, not negative, and not all zero');
  }
  if (!Number.isSafeInteger(amountMinor) || amountMinor < 0) throw new RangeError('amount must be whole minor units');
  const amount = BigInt(amountMinor);
  const whole = BigInt(total);
  const parts = weights.map((weight, order) => {
    const scaled = amount * BigInt(weight);
    return { order, part: scaled / whole, remainder: scaled % whole };
  });
  let left = amount - parts.reduce((sum, { part }) => sum + part, 0n);
  for (const entry of parts.toSorted((a, b) => Number(b.remainder - a.remainder) || a.order - b.order)) {
    if (left === 0n) break;
    entry.part += 1n;
    left -= 1n;
  }
  return parts.map(({ part }) => Number(part));
}
