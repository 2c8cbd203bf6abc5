import { endOfDay, isBareDate, startOfDay } from '../../kernel/period.ts';
import type { Wanted } from './hits.ts';

const NAME = /^\S+$/;
const CODE = /^[A-Za-z][A-Za-z0-9_.-]{2,99}$/;
const NUMBER = /^\+?[\d\s()./-]+$/;
/** Fewer digits are the beginning of too many numbers. */
const MIN_DIGITS = 5;

/** Reads the typed text in every way that fits it. `zone`: the time zone in which a typed date is a day. */
export function readWanted(typed: string, zone: string): Wanted {
  const text = typed.trim().replace(/\s+/g, ' ');
  const isDate: boolean = isBareDate(text);
  const digits = NUMBER.test(text) && !isDate ? text.replace(/\D/g, '').replace(/^0+/, '') : '';
  return {
    text,
    id: NAME.test(text) ? text : null,
    codes: CODE.test(text) ? [...new Set([text, text.toUpperCase()])] : [],
    digits: digits.length >= MIN_DIGITS ? digits : null,
    day: isDate ? dayOf(text, zone) : null,
  };
}

/** Null for what looks like a day and is none. */
function dayOf(date: string, zone: string): Wanted['day'] {
  try {
    return { date, from: startOfDay(date, zone).toString(), to: endOfDay(date, zone).toString() };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
