import { savedZone } from '../../../kernel/time-zone.ts';
import { refundSchedule } from '../../reservations/refund-policy.ts';
import type { Facts } from '../delivery-facts.ts';
import type { Phrases } from '../phrases.ts';
import { type Printer, zoneName } from '../print.ts';

type RefundBase = NonNullable<Facts['refundBase']>;

/**
 * `100% of what you paid is refunded until 25 May 2027, 23:59 (Gulf Standard Time); 50% of what you paid until …; nothing
 * after that`, by the terms that the stay is bound to (domain.md 4). What is over when the message goes (`dueAt`) is not
 * offered. Null where there is nothing to pay, or no terms yet.
 */
export function refundTermsOf(facts: Facts, print: Printer): string | null {
  const { refundBase: base, refundTiers: tiers, totalMinor, paidMinor, checkInDate, timeZone, dueAt } = facts;
  const say = print.phrases.refunds;
  if (base === null || tiers === null || checkInDate === null || timeZone === null) return null;
  if (totalMinor === null || totalMinor === 0 || paidMinor === null) return null;
  const money = { totalMinor, capturedMinor: paidMinor, refundedMinor: 0 };
  const schedule = refundSchedule({ base, tiers, ...money, checkInDate, timeZone, from: dueAt });
  const last = schedule.findLastIndex(({ percent }) => percent > 0);
  const steps = schedule.slice(0, last + 1).map(({ percent, until }, index) => {
    const what = partOf(percent, base, say, print.locale);
    if (until === null) return what;
    const at = Temporal.Instant.fromEpochMilliseconds(until.getTime()).toZonedDateTimeISO(savedZone(timeZone));
    const time = at.toPlainTime().toString({ smallestUnit: 'minute' });
    const moment = `${print.day(at.toPlainDate().toString())}${say.beside}${time}`;
    return index === 0
      ? say.first(what, `${moment} (${zoneName(until.toISOString(), print.locale, timeZone)})`)
      : say.further(what, moment);
  });
  return steps.length === 0 ? say.never : [...steps, say.afterwards].join(say.between);
}

function partOf(percent: number, base: RefundBase, say: Phrases['refunds'], locale: string): string {
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
