import { exponentOf, formatMajor, type Money } from '../../kernel/money.ts';
import { savedZone } from '../../kernel/time-zone.ts';
import type { LocalMoment, stayTimes } from '../reservations/stay-plan.ts';
import { formatLocaleOf, languageOf } from './locales.ts';
import { ARABIC, ENGLISH, type Phrases } from './phrases.ts';

/** How values look in a text: days, moments, times of a stay and amounts, in the language of the text. */

export interface Printer {
  /** BCP 47, for formatters. */
  readonly locale: string;
  readonly phrases: Phrases;
  /** Address of the API as people reach it; null: links cannot be made. */
  readonly publicUrl: string | null;
  /** The agreed arrival and departure; null: the message is about no stay. */
  readonly times: ReturnType<typeof stayTimes> | null;
  /** `1 June 2027` of an ISO date. */
  readonly day: (date: string) => string;
  /** `Monday 31 May 2027 at 15:00 (Asia/Dubai)` at the property, or at the agency; null without an instant or a zone. */
  readonly moment: (at: Date | null) => string | null;
  /** `15:00 (Asia/Dubai)`, with its day where that is not `beside`, the day that the text names already. */
  readonly wallClock: (at: LocalMoment | undefined, beside: string | null) => string | null;
  /** The same with the zone's own name, `15:00 (Gulf Standard Time)`. */
  readonly spokenClock: (at: LocalMoment | undefined, beside: string | null) => string | null;
  /** Null where one of the two is not known. */
  readonly money: (amountMinor: number | null, currency: string | null) => string | null;
}

/** For a text in `textLocale` to somebody who reads `wanted`, about something in `timeZone` (IANA). */
export function printerFor(
  textLocale: string,
  { locale: wanted, timeZone }: { readonly locale: string | null; readonly timeZone: string | null },
  { publicUrl, times }: Pick<Printer, 'publicUrl' | 'times'>,
): Printer {
  const locale = formatLocaleOf(textLocale, wanted);
  const day = (date: string): string => formatDay(date, locale);
  const clockIn = (at: LocalMoment, beside: string | null, zone: string | null): string =>
    `${at.date === beside ? '' : `${day(at.date)}, `}${at.time} (${zone})`;
  return {
    locale,
    phrases: languageOf(textLocale) === 'ar' ? ARABIC : ENGLISH,
    publicUrl,
    times,
    day,
    moment: (at) => (at === null || timeZone === null ? null : `${formatMoment(at, locale, timeZone)} (${timeZone})`),
    wallClock: (at, beside) => (at === undefined ? null : clockIn(at, beside, timeZone)),
    spokenClock: (at, beside) =>
      at === undefined ? null : clockIn(at, beside, timeZone === null ? null : zoneName(at.instant, locale, timeZone)),
    money: (amountMinor, currency) =>
      amountMinor === null || currency === null ? null : formatMoney({ amountMinor, currency }, locale),
  };
}

/** `AED 1,000.00` by our own ISO exponents; with the digits and the order of another language in that. */
export function formatMoney({ amountMinor, currency }: Money, locale: string): string {
  const digits = exponentOf(currency);
  const known = `${locale} ${digits}`;
  const format =
    amounts.get(known) ??
    new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  amounts.set(known, format);
  // As decimal text: nothing goes through floating point.
  const amount = format.format(formatMajor({ amountMinor, currency }) as Intl.StringNumericLiteral);
  return languageOf(locale) === 'en' ? `${currency} ${amount}` : `${amount} ${currency}`;
}
const amounts = new Map<string, Intl.NumberFormat>();

/** Building a formatter costs a hundred times its use. Bounded by the zones and English locales that exist. */
const formatters = new Map<string, Intl.DateTimeFormat>();
const MAX_FORMATS = 2_000;
function formatter(locale: string, timeZone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale} ${timeZone} ${options.timeStyle ?? ''} ${options.timeZoneName ?? ''}`;
  const known = formatters.get(key);
  if (known) return known;
  const made = new Intl.DateTimeFormat(locale, { ...options, timeZone: savedZone(timeZone) });
  if (formatters.size < MAX_FORMATS) formatters.set(key, made);
  return made;
}

/** `date` is a calendar day at the property, not an instant: formatted without moving it through a zone. */
export const formatDay = (date: string, locale: string): string =>
  formatter(locale, 'UTC', { dateStyle: 'long' }).format(new Date(`${date}T00:00:00Z`));
/** An instant on the clock of `timeZone` (IANA): `Monday 31 May 2027 at 15:00`. */
export const formatMoment = (at: Date, locale: string, timeZone: string): string =>
  formatter(locale, timeZone, { dateStyle: 'full', timeStyle: 'short' }).format(at);

/** The clock's own name at the property on that day: `Gulf Standard Time`, `Central European Summer Time`. `at` is an ISO instant. */
export const zoneName = (at: string, locale: string, timeZone: string): string =>
  formatter(locale, timeZone, { timeZoneName: 'long', hour: 'numeric' })
    .formatToParts(new Date(at))
    .find(({ type }) => type === 'timeZoneName')?.value ?? timeZone;
