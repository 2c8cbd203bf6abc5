import { parsePhoneNumberFromString } from 'libphonenumber-js/max';

/**
 * Telephone numbers as ITU-T E.164 has them, which is what Twilio takes: `+`, the country, and 15 digits at the most. What
 * people write between the digits goes, and `00` is what many dial for `+`.
 */
const SEPARATORS = /[\s().\u00a0-]/g;
const E164 = /^\+[1-9]\d{6,14}$/;

/** `+971 50 000-0001` is `+971500000001`; null for what cannot be called from abroad. */
export function canonicalPhone(text: string): string | null {
  const digits = text.replaceAll(SEPARATORS, '').replace(/^00/, '+');
  return E164.test(digits) ? digits : null;
}

/** Whether the number is one of its country's numbering plan (libphonenumber), and not only as long as one. */
export const isPhoneNumber = (text: string): boolean => parsePhoneNumberFromString(text)?.isValid() ?? false;
