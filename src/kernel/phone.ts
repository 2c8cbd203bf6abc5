import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { withoutUnseen, withoutUnseenEnds } from './pasted.ts';

/**
 * Telephone numbers as ITU-T E.164 has them, which is what Twilio takes: `+`, the country, and 15 digits at the most. What
 * people write between the digits goes, and `00` is what many dial for `+`.
 */
const SEPARATORS = /[\s().\u00a0-]/g;
const E164 = /^\+[1-9]\d{6,14}$/;
const INTERNATIONAL = /^\s*(?:[+\uff0b]|00)/;

/** Where a number without a country is from when nothing else says so: where the properties are, as for shifts. */
const DEFAULT_REGION: CountryCode = 'AE';
/** `(415) 555-2671` is how North America, and nobody else, writes. */
const NORTH_AMERICAN = /^\s*\([2-9]\d{2}\)\s*[2-9]\d{2}[-. ]\d{4}\s*$/;

/**
 * `+971 50 000-0001` is `+971500000001`; null for what cannot be called. A number without a country is one of the region of
 * the locale (`en-US`), else of what its form says, else of the United Arab Emirates, and must be in the numbering plan
 * there (libphonenumber), so that nobody is called by a guess.
 */
export function canonicalPhone(written: string, locale: string | null = null): string | null {
  const text = asTyped(written);
  if (!INTERNATIONAL.test(text)) return validNumber(text, regionOf(text, locale));
  const international = text.replace(/^\s*00/, '+');
  const digits = international.replaceAll(SEPARATORS, '');
  // Numbering plans change faster than their copies: what is as long as a number may be one.
  return validNumber(international) ?? (E164.test(digits) ? digits : null);
}

/** The number as it is kept: with its country as it was written, else as E.164, as the locale may change later. Null: no number. */
export function savedPhone(text: string, locale: string | null = null): string | null {
  const number = canonicalPhone(text, locale);
  return number !== null && INTERNATIONAL.test(asTyped(text)) ? withoutUnseenEnds(withoutUnseen(text)) : number;
}

/** Contacts of phones put marks of direction around a number, links `tel:` before it; East Asian keyboards type it wide. */
const asTyped = (text: string): string =>
  withoutUnseenEnds(withoutUnseen(text)).replace(/^tel:/i, '').normalize('NFKC');

/** Whether the number is one of its country's numbering plan (libphonenumber), and not only as long as one. */
export const isPhoneNumber = (text: string): boolean => validNumber(asTyped(text)) !== null;

function validNumber(text: string, defaultCountry?: CountryCode): string | null {
  const parsed = parsePhoneNumberFromString(text, { extract: false, ...(defaultCountry ? { defaultCountry } : {}) });
  return parsed?.isValid() ? parsed.number : null;
}

function regionOf(text: string, locale: string | null): CountryCode {
  const region = locale === null ? undefined : new Intl.Locale(locale).region;
  if (region !== undefined && isSupportedCountry(region)) return region;
  return NORTH_AMERICAN.test(text) ? 'US' : DEFAULT_REGION;
}
