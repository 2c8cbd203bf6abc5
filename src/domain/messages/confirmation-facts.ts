import { sql } from 'kysely';
import type { RefundBase, RefundTier } from '../../db/schema.ts';
import { savedZone } from '../../kernel/time-zone.ts';
import { refundableOfStay } from '../reservations/payment-status.ts';
import { refundSchedule } from '../reservations/refund-policy.ts';
import type { Words } from './words.ts';

/** What a confirmation tells beyond the stay's dates: the money, until when what of it comes back, where it is and whom to ask. */

/** Nothing else asks for these, and they cost a look each. */
export const IS_CONFIRMATION = sql<boolean>`n.event = 'RESERVATION_CONFIRMED'`;

interface Contact {
  readonly name: string;
  readonly phone: string | null;
  readonly email: string | null;
}

/** Of a notification `n` about the reservation `r` at the property `p`, with the terms `d` that the stay is bound to. */
export const confirmationColumns = [
  sql<string | null>`p.address`.as('address'),
  sql<number | null>`CASE WHEN ${IS_CONFIRMATION} THEN ${refundableOfStay('r.id')} END`.as('paidMinor'),
  sql<RefundBase | null>`d.refund_base`.as('refundBase'),
  sql<readonly RefundTier[] | null>`d.refund_tiers`.as('refundTiers'),
  // The first of the agents who look after the property.
  sql<Contact | null>`CASE WHEN ${IS_CONFIRMATION} THEN (
    SELECT json_build_object('name', c.name, 'phone', c.phone, 'email', c.email) FROM staff c
     WHERE c.id = ANY(p.agent_ids) AND c.active ORDER BY array_position(p.agent_ids, c.id) LIMIT 1) END`.as('contact'),
] as const;

export const contactOf = ({ contact }: { readonly contact: Contact | null }): string | null =>
  contact && [contact.name, contact.phone, contact.email].filter((part) => part !== null && part !== '').join(', ');

export interface RefundFacts {
  readonly refundBase: RefundBase | null;
  readonly refundTiers: readonly RefundTier[] | null;
  readonly totalMinor: number | null;
  readonly paidMinor: number | null;
  readonly checkInDate: string | null;
  readonly timeZone: string | null;
  /** When the message goes: what is over by then is not offered. */
  readonly dueAt: Date;
}

/**
 * `100% of what you paid is refunded until 25 May 2027, 23:59 (Gulf Standard Time); 50% of what you paid until …; nothing
 * after that`, by the terms that the stay is bound to (domain.md 4). Null where there is nothing to pay, or no terms yet.
 */
export function refundTermsOf(
  facts: RefundFacts,
  { refunds: say }: Words,
  { locale, day }: { readonly locale: string; readonly day: (date: string) => string },
): string | null {
  const { refundBase: base, refundTiers: tiers, totalMinor, paidMinor, checkInDate, timeZone, dueAt } = facts;
  if (base === null || tiers === null || checkInDate === null || timeZone === null) return null;
  if (totalMinor === null || totalMinor === 0 || paidMinor === null) return null;
  const money = { totalMinor, capturedMinor: paidMinor, refundedMinor: 0 };
  const schedule = refundSchedule({ base, tiers, ...money, checkInDate, timeZone, from: dueAt });
  const last = schedule.findLastIndex(({ percent }) => percent > 0);
  const steps = schedule.slice(0, last + 1).map(({ percent, until }, index) => {
    const what = partOf(percent, base, say, locale);
    if (until === null) return what;
    const at = Temporal.Instant.fromEpochMilliseconds(until.getTime()).toZonedDateTimeISO(savedZone(timeZone));
    const time = at.toPlainTime().toString({ smallestUnit: 'minute' });
    const moment = `${day(at.toPlainDate().toString())}${say.beside}${time}`;
    return index === 0
      ? say.first(what, `${moment} (${zoneName(until.toISOString(), locale, timeZone)})`)
      : say.further(what, moment);
  });
  return steps.length === 0 ? say.never : [...steps, say.afterwards].join(say.between);
}

function partOf(percent: number, base: RefundBase, say: Words['refunds'], locale: string): string {
  const printed = (share: number): string => percentages(locale).format(share / 100);
  if (base === 'PAID') return say.ofPaid(printed(percent));
  return percent === 100 ? say.all : say.lessPrice(printed(100 - percent));
}

const percentFormats = new Map<string, Intl.NumberFormat>();
function percentages(locale: string): Intl.NumberFormat {
  const format = percentFormats.get(locale) ?? new Intl.NumberFormat(locale, { style: 'percent' });
  percentFormats.set(locale, format);
  return format;
}

const zoneFormats = new Map<string, Intl.DateTimeFormat>();
/** What people call the clock at the property on that day: `Gulf Standard Time`, `Central European Summer Time`. `at` is an ISO instant. */
export function zoneName(at: string, locale: string, timeZone: string): string {
  const known = `${locale} ${timeZone}`;
  const format =
    zoneFormats.get(known) ??
    new Intl.DateTimeFormat(locale, { timeZone: savedZone(timeZone), timeZoneName: 'long', hour: 'numeric' });
  if (zoneFormats.size < MAX_FORMATS) zoneFormats.set(known, format);
  return format.formatToParts(new Date(at)).find(({ type }) => type === 'timeZoneName')?.value ?? timeZone;
}
/** Bounded by the zones and locales that exist. */
const MAX_FORMATS = 2_000;
