import { savedZone } from './time-zone.ts';

/**
 * Local dates and times of a zone, and the instants that they stand for. Local times that do not exist move forward by the
 * gap, ambiguous ones take the earlier ("compatible").
 */

/** The instant at which the property's day has this wall-clock time. */
export const localInstant = (date: string, time: string, timeZone: string): string =>
  isoInstant(localTime(date, time).toZonedDateTime(savedZone(timeZone), { disambiguation: 'compatible' }).toInstant());

/** When a guest is met: the planned time, `HH:MM` of that day or with a day of its own, or else the property's. */
export const meetingInstant = (date: string, time: string, timeZone: string): string =>
  isoInstant(
    plannedTime(time, date).toZonedDateTime(savedZone(timeZone), { disambiguation: 'compatible' }).toInstant(),
  );

/** The calendar day at the property when `at` happens. */
export const localDate = (at: Date, timeZone: string): string =>
  Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(savedZone(timeZone)).toPlainDate().toString();

/** `at` as the clock at the property shows it, `YYYY-MM-DDTHH:MM`. */
export const wallClock = (at: Date, timeZone: string): string =>
  Temporal.Instant.fromEpochMilliseconds(at.getTime())
    .toZonedDateTimeISO(savedZone(timeZone))
    .toPlainDateTime()
    .toString({ smallestUnit: 'minute' });

/** `date` is `YYYY-MM-DD`, `time` is `HH:MM`. */
export const localTime = (date: string, time: string): Temporal.PlainDateTime =>
  Temporal.PlainDate.from(date).toPlainDateTime(Temporal.PlainTime.from(time));

/** `text` is `HH:MM` of `date`, or `YYYY-MM-DDTHH:MM` with a day of its own. */
export const plannedTime = (text: string, date: string): Temporal.PlainDateTime =>
  text.includes('T') ? Temporal.PlainDateTime.from(text) : localTime(date, text);

/** ISO 8601 in UTC with milliseconds: such texts compare as the instants do. */
export const isoInstant = (instant: Temporal.Instant): string => instant.toString({ smallestUnit: 'millisecond' });
