import type { RecurrenceEvery } from '../../db/schema.ts';
import { localInstant } from '../../kernel/local-time.ts';

/**
 * When recurring work is due. Pure functions of a rule, the property's calendar and a day;
 * dates are `YYYY-MM-DD` at the property, which compare as text.
 */

export type Every = RecurrenceEvery;

/** `period` counts from 0 at the anchor; of a rule by use, from 1 at the first time that the number is reached. */
export interface Period {
  readonly period: number;
  readonly dueDate: string;
  /** The last day on which it may still be done. */
  readonly lastDate: string;
}
export interface DuePeriods {
  readonly make: readonly Period[];
  /** Over before anything came of them: nobody does last month's inspection. */
  readonly skip: readonly Period[];
}

/** Tasks are made so many days ahead. */
export const HORIZON_DAYS = 14;
/** A period whose every day is taken may run on for so long. */
export const EXTENSION_DAYS = 14;
const USAGE_WINDOW_DAYS = 30;
/** Of one look; the next one goes on. */
export const MAX_PERIODS = 60;

const plus = (date: string, duration: Temporal.DurationLike): string =>
  Temporal.PlainDate.from(date).add(duration).toString();

/** Whether a rule counts stays or nights, and not days of the calendar. */
export const isByUse = (every: Every): every is { readonly stays: number } | { readonly nights: number } =>
  typeof every === 'object' && !('days' in every);

/** From the anchor each time, so that the 31st comes back after a short month. */
export function dueDateOf(every: Every, anchor: string, period: number): string {
  if (every === 'MONTHLY') return plus(anchor, { months: period });
  if (every === 'QUARTERLY') return plus(anchor, { months: 3 * period });
  if (typeof every === 'object' && 'days' in every) return plus(anchor, { days: every.days * period });
  throw new RangeError('work by use has no calendar');
}

const calendarPeriod = (every: Every, anchor: string, period: number): Period => ({
  period,
  dueDate: dueDateOf(every, anchor, period),
  lastDate: plus(dueDateOf(every, anchor, period + 1), { days: EXTENSION_DAYS - 1 }),
});

/** The period that `today` is in; 0 before the anchor. */
export function currentPeriod(every: Every, anchor: string, today: string): number {
  if (today <= anchor) return 0;
  const days = Temporal.PlainDate.from(anchor).until(today, { largestUnit: 'days' }).days;
  const months = every === 'MONTHLY' ? 1 : 3;
  let period =
    typeof every === 'object' && 'days' in every ? Math.floor(days / every.days) : Math.floor(days / (31 * months));
  // The estimate takes every month for a long one, so it lags by two months in ten years.
  while (dueDateOf(every, anchor, period + 1) <= today) period += 1;
  return period;
}

/** Whose due day it is; null: no period's, as of a rule by use. */
export function periodDueOn(every: Every, anchor: string, date: string): number | null {
  if (isByUse(every)) return null;
  const period = currentPeriod(every, anchor, date);
  return dueDateOf(every, anchor, period) === date ? period : null;
}

/** The periods of a calendar rule on a day: those that begin within the horizon and are not over. */
export function duePeriods(every: Every, anchor: string, nextPeriod: number, today: string): DuePeriods {
  const horizon = plus(today, { days: HORIZON_DAYS });
  const current = currentPeriod(every, anchor, today);
  const skip: Period[] = [];
  // The oldest of a long gap are not worth a row each; the newest are recorded.
  for (let period = Math.max(nextPeriod, current - MAX_PERIODS); period < current; period += 1) {
    skip.push(calendarPeriod(every, anchor, period));
  }
  const make: Period[] = [];
  for (let period = Math.max(nextPeriod, current); make.length < MAX_PERIODS; period += 1) {
    if (dueDateOf(every, anchor, period) > horizon) break;
    make.push(calendarPeriod(every, anchor, period));
  }
  return { make, skip };
}

/** The period of a rule by use once `used` stays or nights are over: one task, however often the number was reached. */
export function duePeriodsByUse(
  every: { readonly stays: number } | { readonly nights: number },
  used: number,
  nextPeriod: number,
  today: string,
): DuePeriods {
  const reached = Math.floor(used / ('stays' in every ? every.stays : every.nights));
  const at = (period: number): Period => ({
    period,
    dueDate: today,
    lastDate: plus(today, { days: USAGE_WINDOW_DAYS + EXTENSION_DAYS - 1 }),
  });
  if (reached < nextPeriod) return { make: [], skip: [] };
  const first = Math.max(nextPeriod, reached - MAX_PERIODS);
  return { make: [at(reached)], skip: Array.from({ length: reached - first }, (_, n) => at(first + n)) };
}

/** Nights `[from, to)`; on `to` the guest is there until `leavesAt`, local `HH:MM`. */
export interface Occupied {
  readonly from: string;
  readonly to: string;
  readonly leavesAt: string;
}
export interface Slot {
  /** Local `HH:MM`. */
  readonly localTime: string;
  readonly minutes: number;
  readonly timeZone: string;
}

/** Whether nobody sleeps there on that day, and a guest who leaves on it has gone before the work begins. */
export function isFree(date: string, { localTime, minutes }: Slot, stays: readonly Occupied[]): boolean {
  const begins = Temporal.PlainDate.from(date).toPlainDateTime(Temporal.PlainTime.from(localTime));
  const lastDate = begins.add({ minutes }).subtract({ seconds: 1 }).toPlainDate().toString();
  return stays.every(
    (stay) => (lastDate < stay.from || date >= stay.to) && !(date === stay.to && localTime < stay.leavesAt),
  );
}

export interface FoundSlot {
  readonly date: string;
  /** ISO instants in UTC. */
  readonly scheduledAt: string;
  readonly endsAt: string;
  readonly localRule: string;
}

/** The first free day of `[from, lastDate]` that has not begun yet by `now`; null when every one is taken. */
export function firstFreeSlot(
  from: string,
  lastDate: string,
  slot: Slot,
  stays: readonly Occupied[],
  now: Date,
): FoundSlot | null {
  for (let date = from; date <= lastDate; date = plus(date, { days: 1 })) {
    const found = slotOn(date, slot);
    if (Date.parse(found.scheduledAt) >= now.getTime() && isFree(date, slot, stays)) return found;
  }
  return null;
}

function slotOn(date: string, { localTime, minutes, timeZone }: Slot): FoundSlot {
  const scheduledAt = localInstant(date, localTime, timeZone);
  return {
    date,
    scheduledAt,
    endsAt: new Date(Date.parse(scheduledAt) + minutes * 60_000).toISOString(),
    localRule: `${date}T${localTime}[${timeZone}]`,
  };
}
