import { savedZone } from '../../../kernel/time-zone.ts';
import { refundSchedule } from '../../reservations/refund-policy.ts';
import { REFUND_RULES } from '../../reservations/refund-rules.ts';
import type { Facts } from '../delivery-facts.ts';
import { type Printer, zoneName } from '../print.ts';

/**
 * `100% of what you paid is refunded until 25 May 2027, 23:59 (Gulf Standard Time); 50% of what you paid until …; nothing
 * after that`, by the terms that the stay is bound to (domain.md 4). A part whose time is over when the message goes (`dueAt`) is not
 * offered. Null where there is nothing to pay, or no terms yet.
 */
export function refundTermsOf(facts: Facts, print: Printer): string | null {
  const { refundBase: base, refundTiers: tiers, totalMinor, paidMinor, checkInDate, timeZone, dueAt } = facts;
  const say = print.phrases.refunds;
  if (base === null || tiers === null || checkInDate === null || timeZone === null) return null;
  if (totalMinor === null || totalMinor === 0 || paidMinor === null) return null;
  const money = { totalMinor, capturedMinor: paidMinor, refundedMinor: 0 };
  const schedule = refundSchedule({ base, tiers, ...money, checkInDate, timeZone, from: dueAt });
  const printed = (share: number): string => percentages(print.locale).format(share / 100);
  const last = schedule.findLastIndex(({ percent }) => percent > 0);
  const steps = schedule.slice(0, last + 1).map(({ percent, until }, index) => {
    const part = REFUND_RULES[base].guestText[print.phrases.language](percent, printed);
    if (until === null) return part;
    const at = Temporal.Instant.fromEpochMilliseconds(until.getTime()).toZonedDateTimeISO(savedZone(timeZone));
    const time = at.toPlainTime().toString({ smallestUnit: 'minute' });
    const moment = `${print.day(at.toPlainDate().toString())}${say.beside}${time}`;
    return index === 0
      ? say.first(part, `${moment} (${zoneName(until.toISOString(), print.locale, timeZone)})`)
      : say.further(part, moment);
  });
  return steps.length === 0 ? say.never : [...steps, say.afterwards].join(say.between);
}

const percentFormats = new Map<string, Intl.NumberFormat>();
function percentages(locale: string): Intl.NumberFormat {
  const format = percentFormats.get(locale) ?? new Intl.NumberFormat(locale, { style: 'percent' });
  percentFormats.set(locale, format);
  return format;
}
