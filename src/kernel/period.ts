import { savedZone } from './time-zone.ts';

/**
 * The one rule for the ends of a period that people name: an instant is an instant; a bare date is the whole day on a
 * zone's clock, 23 to 25 hours of it, whichever end it stands at.
 */

/** ISO instants, `Z`: `from` is part of the period, `to` is not. */
export interface Period {
  readonly from?: string;
  readonly to?: string;
}
export interface AskedPeriod {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

const BARE_DATE = /^\d{4}-\d{2}-\d{2}$/;
export const isBareDate = (text: string | undefined): text is string => text !== undefined && BARE_DATE.test(text);

/** The first moment of a day; where the clock springs over midnight, the first that there is. */
export const startOfDay = (date: string, zone: string): Temporal.Instant =>
  Temporal.PlainDate.from(date).toZonedDateTime(savedZone(zone)).toInstant();

/** The first moment that is not part of the day any more. */
export const endOfDay = (date: string, zone: string): Temporal.Instant =>
  startOfDay(Temporal.PlainDate.from(date).add({ days: 1 }).toString(), zone);

/** Throws `RangeError` for what is neither a date nor an instant. */
export function resolvePeriod({ from, to }: AskedPeriod, zone: string): Period {
  return {
    ...(from === undefined ? {} : { from: momentOf(from, zone, startOfDay) }),
    ...(to === undefined ? {} : { to: momentOf(to, zone, endOfDay) }),
  };
}

/** The last moment that counts for "as of": an instant itself, of a date the day's last microsecond. */
export const resolveAsOf = (asOf: string, zone: string): string =>
  momentOf(asOf, zone, (date) => endOfDay(date, zone).subtract({ microseconds: 1 }));

function momentOf(text: string, zone: string, ofDay: (date: string, zone: string) => Temporal.Instant): string {
  const instant = isBareDate(text) ? ofDay(text, zone) : Temporal.Instant.from(text);
  return instant.toString();
}

/** `from` is after `to`. The moment after a day is after it; the moment at which an instant ends is not. */
export function isReversed(asked: AskedPeriod, { from, to }: Period): boolean {
  if (from === undefined || to === undefined) return false;
  const order = Temporal.Instant.compare(Temporal.Instant.from(from), Temporal.Instant.from(to));
  return isBareDate(asked.to) ? order >= 0 : order > 0;
}
