import { z } from '@hono/zod-openapi';
import { parsePayment } from '../../domain/finance/payment-amount.ts';
import { canonicalEmail } from '../../kernel/email.ts';
import { ID_PATTERN } from '../../kernel/ids.ts';
import { canonicalLocale } from '../../kernel/locale.ts';
import { CURRENCY_PATTERN, isCurrency } from '../../kernel/money.ts';
import { UNSEEN, withoutUnseenEnds } from '../../kernel/pasted.ts';
import { savedPhone } from '../../kernel/phone.ts';
import { canonicalTimeZone, isTimeZone } from '../../kernel/time-zone.ts';
import { noReference } from '../references.ts';

/** Fields that several resources share. Every text is bounded, every pattern linear. */

export const Id = z
  .string()
  .regex(ID_PATTERN, 'must be 1 to 64 letters, digits, _ or -, and begin with a letter or digit');
/** The id of the record that is made, if its sender chooses it. */
export const NewRecordId = noReference(Id, 'names what there is not yet');
/** Whom the body names as the one for whom the caller acts. */
export const OnBehalfId = noReference(Id, 'a note in the audit trail, by which nothing is decided (security.md Z9)');
/** Of the gateways that are configured. */
export const GatewayId = noReference(Id, 'a word of a closed list, like a status');
export const IdParam = z.strictObject({ id: Id });

/** One line that a person typed: no control characters, which could forge a mail header or a log line. */
export const line = (maxLength: number) => asLine(z.string(), maxLength);
const asLine = (text: z.ZodString, maxLength: number) =>
  text
    .min(1)
    .max(maxLength)
    .regex(/^[^\p{Cc}\u2028\u2029]*$/u, 'must not contain control characters')
    .regex(/\S/u, 'must not be blank');
/** A line that is compared with others: what was pasted with a space after it, or in another form of Unicode, is the same. */
export const label = (maxLength: number) =>
  asLine(
    z.string().overwrite((text) => withoutUnseenEnds(text).normalize('NFC')),
    maxLength,
  );
/**
 * The id or reference of somebody else's record. An invisible character would make another one of it, and a second
 * charge of a payment that was made.
 */
export const reference = (maxLength: number) =>
  label(maxLength).refine((text) => !UNSEEN.test(text), 'must not contain invisible characters');
/** Any text of several lines. */
export const prose = (maxLength: number) => z.string().max(maxLength);

/** Kept as it was written; mails go to its ASCII form (`kernel/email.ts`). */
export const Email = z
  .string()
  .max(254)
  .refine((text) => canonicalEmail(text) !== null, 'must be an email address, such as name@example.com')
  .openapi({ example: 'john.doe@example.com' });
const NO_PHONE = 'must be a phone number with its country, such as +971500000001, or one of the region of locale';
/** Kept as it was written when it has its country, else as E.164; messages go to its canonical form (`kernel/phone.ts`). */
export const Phone = z
  .string()
  .max(40)
  .refine((text) => savedPhone(text) !== null, NO_PHONE)
  .overwrite((text) => savedPhone(text) ?? text)
  .openapi({ example: '+971500000001' });
export const Locale = z
  .string()
  .max(35)
  .refine((tag) => canonicalLocale(tag) !== null, 'must be a BCP 47 language tag')
  .overwrite((tag) => canonicalLocale(tag) ?? tag);
/** The phone of somebody with a locale, whose region says where a number without a country is from: see `phoneOf`. */
export const PhoneOfLocale = z.string().max(40).openapi({ example: '+971500000001' });
interface WithPhone {
  readonly phone?: string | null | undefined;
  readonly locale?: string | null | undefined;
}
/** The two checks of a record with a `PhoneOfLocale`: `schema.refine(...hasPhone).overwrite(withSavedPhone)`. */
export const hasPhone = [
  ({ phone, locale }: WithPhone): boolean =>
    typeof phone !== 'string' || savedPhone(phone, canonicalLocale(locale ?? '')) !== null,
  { path: ['phone'], message: NO_PHONE },
] satisfies [unknown, unknown];
export const withSavedPhone = <T extends WithPhone>(record: T): T =>
  typeof record.phone === 'string'
    ? { ...record, phone: savedPhone(record.phone, canonicalLocale(record.locale ?? '')) ?? record.phone }
    : record;
export const TimeZone = z
  .string()
  .max(64)
  .refine((zone) => isTimeZone(zone), 'must be an IANA time zone, such as Asia/Dubai')
  .overwrite((zone) => canonicalTimeZone(zone) ?? zone)
  .openapi({ example: 'Asia/Dubai' });
export const GeoPoint = z.strictObject({ lat: z.number().min(-90).max(90), lng: z.number().min(-180).max(180) });

export const Currency = z
  .string()
  .regex(CURRENCY_PATTERN, 'must be three capital letters')
  .refine((code) => isCurrency(code), 'must be an ISO 4217 currency')
  .openapi({ example: 'AED' });
/** Major units; how many decimals are right depends on the currency. */
const DECIMAL = '^(?:0|[1-9]\\d{0,15})(?:\\.\\d{1,20})?$';
export const Amount = z
  .union([z.number().nonnegative(), z.string().max(40).openapi({ pattern: DECIMAL })])
  .openapi({ example: 1000 });
/** An amount that needs no record to say in which currency it is. More than zero, and bounded; its parsing throws the codes of amounts. */
export const MoneyIn = z
  .strictObject({ amount: Amount, currency: Currency })
  .transform(({ amount, currency }) => parsePayment(amount, currency));

const WALL_CLOCK = '(?:[01]\\d|2[0-3]):[0-5]\\d';
export const LocalTime = z
  .string()
  .regex(new RegExp(`^${WALL_CLOCK}$`), 'must be HH:MM')
  .openapi({ example: '15:00' });
export const CalendarDate = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, 'must be YYYY-MM-DD')
  .refine((date) => isCalendarDate(date), 'must be a real date between 2000 and 2100')
  .openapi({ format: 'date', example: '2024-02-01' });
/** An arrival that a guest announces, on the property's clock. */
export const LocalArrival = z
  .string()
  .regex(new RegExp(`^(?:\\d{4}-\\d{2}-\\d{2}T)?${WALL_CLOCK}$`), 'must be HH:MM or YYYY-MM-DDTHH:MM')
  .refine((text) => !text.includes('T') || isCalendarDate(text.slice(0, 10)), 'must be a real date');
/** Postgres takes no offset beyond 16 hours and no place on earth has one beyond 14; Temporal takes nine decimals. */
const STORED_INSTANT = /T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-](?:0\d|1[0-3]):[0-5]\d|[+-]14:00)$/;
/** Seconds that are none are left out by many programs (`OffsetDateTime` of Java, for one), as ISO 8601 allows. */
const ANY_INSTANT = new RegExp(
  `^\\d{4}-\\d{2}-\\d{2}T${WALL_CLOCK}(?::[0-5]\\d(?:\\.\\d+)?)?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)$`,
);
const NO_INSTANT = 'must be an ISO 8601 instant with an offset';
export const Instant = z
  // A missing one gets the message of any other missing field.
  .string({ error: ({ input }) => (input === undefined ? undefined : NO_INSTANT) })
  .refine((text) => ANY_INSTANT.test(text) && isDayOfMonth(text.slice(0, 10)), {
    message: NO_INSTANT,
    abort: true,
  })
  .regex(STORED_INSTANT, 'must have an offset between -14:00 and +14:00, and nine decimals of a second at the most')
  .refine((text) => isInRange(text), 'must be between 2000 and 2100')
  .openapi({ example: '2024-02-01T09:00:00Z' });
/** An end of a period; `schemas/period.ts` has the fields, `http/period.ts` the rule. */
export const InstantOrDate = z.union([Instant, CalendarDate]);

/** `true` or `false` in a query. */
export const Flag = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .openapi({ type: 'boolean' });

export const pageQuery = {
  limit: z
    .string()
    .regex(/^(?:[1-9]\d?|100)$/, 'must be a whole number from 1 to 100')
    .default('20')
    .transform(Number)
    .openapi({ type: 'integer', minimum: 1, maximum: 100, default: 20 }),
  cursor: z.string().min(1).max(1024).optional().openapi({ description: '`nextCursor` of the page before' }),
};

/** Every field may be left out, but not all of them. */
export const isChange = (change: object): boolean => Object.values(change).some((value) => value !== undefined);
export const CHANGE_NOTHING = 'must change at least one field';

/** A fixed range, so that an answer never depends on today (domain.md T9). */
const isCalendarDate = (date: string): boolean => isDayOfMonth(date) && isInRange(`${date}T00:00:00Z`);

function isDayOfMonth(date: string): boolean {
  const parsed = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(parsed.getTime()) && parsed.toISOString().slice(0, 10) === date;
}

function isInRange(instant: string): boolean {
  const year = new Date(instant).getUTCFullYear();
  return year >= 2000 && year <= 2100;
}
