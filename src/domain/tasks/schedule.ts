import type { TaskType } from '../../db/schema.ts';

/**
 * When a stay's four tasks are due (domain.md 10). Pure functions of the stay and its property's wall clock; local
 * times that do not exist move forward by the gap, ambiguous ones take the earlier ("compatible").
 */

export interface StayDates {
  readonly checkInDate: string;
  readonly checkOutDate: string;
  /** Local `HH:MM`, or `YYYY-MM-DDTHH:MM`; null: the property's own time. */
  readonly plannedArrival: string | null;
  readonly plannedDeparture: string | null;
}
export interface PropertyClock {
  readonly timeZone: string;
  /** Local `HH:MM`. */
  readonly checkInTime: string;
  readonly checkOutTime: string;
  readonly cleaningMinutes: number;
}

export type StayOccurrence = 'PRE_ARRIVAL' | 'ARRIVAL' | 'DEPARTURE' | 'POST_DEPARTURE';

/** Instants are ISO 8601 in UTC. */
export interface PlannedTask {
  readonly type: TaskType;
  readonly occurrence: StayOccurrence;
  readonly scheduledAt: string;
  readonly endsAt: string;
  readonly mustFinishBy: string | null;
  /** How `scheduledAt` came about, so that changed zone rules can re-derive it. */
  readonly localRule: string;
}
export interface StayPlan {
  readonly preArrivalCleaning: PlannedTask;
  readonly checkIn: PlannedTask;
  readonly checkOut: PlannedTask;
  readonly postDepartureCleaning: PlannedTask;
}

const MEETING_MINUTES = 60;
const AFTER_CHECK_OUT_SECONDS = 7_200;

export function planStay(stay: StayDates, clock: PropertyClock): StayPlan {
  const arrival = localTime(stay.checkInDate, clock.checkInTime);
  const meetArrival = planned(stay.plannedArrival, stay.checkInDate) ?? arrival;
  const departure =
    planned(stay.plannedDeparture, stay.checkOutDate) ?? localTime(stay.checkOutDate, clock.checkOutTime);
  const cleanFrom = arrival.subtract({ days: 1 });
  const checkInAt = toInstant(arrival, clock);
  const checkOutAt = toInstant(departure, clock);
  const rule = (local: Temporal.PlainDateTime, note = ''): string =>
    `${local.toString({ smallestUnit: 'minute' })}[${clock.timeZone}]${note}`;
  return {
    preArrivalCleaning: {
      type: 'CLEANING',
      occurrence: 'PRE_ARRIVAL',
      ...span(toInstant(cleanFrom, clock), clock.cleaningMinutes),
      mustFinishBy: iso(checkInAt),
      localRule: rule(cleanFrom),
    },
    checkIn: {
      type: 'CHECK_IN',
      occurrence: 'ARRIVAL',
      ...span(toInstant(meetArrival, clock), MEETING_MINUTES),
      mustFinishBy: null,
      localRule: rule(meetArrival),
    },
    checkOut: {
      type: 'CHECK_OUT',
      occurrence: 'DEPARTURE',
      ...span(checkOutAt, MEETING_MINUTES),
      mustFinishBy: null,
      localRule: rule(departure),
    },
    postDepartureCleaning: {
      type: 'CLEANING',
      occurrence: 'POST_DEPARTURE',
      // Elapsed time, not wall clock: two hours are two hours on the night when clocks change.
      ...span(checkOutAt.add({ seconds: AFTER_CHECK_OUT_SECONDS }), clock.cleaningMinutes),
      mustFinishBy: null,
      localRule: rule(departure, `+PT${AFTER_CHECK_OUT_SECONDS}S`),
    },
  };
}

/** The instant at which the property's day has this wall-clock time. */
export const localInstant = (date: string, time: string, timeZone: string): string =>
  iso(localTime(date, time).toZonedDateTime(timeZone, { disambiguation: 'compatible' }).toInstant());

/** The calendar day at the property when `at` happens. */
export const localDate = (at: Date, timeZone: string): string =>
  Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(timeZone).toPlainDate().toString();

const localTime = (date: string, time: string): Temporal.PlainDateTime =>
  Temporal.PlainDate.from(date).toPlainDateTime(Temporal.PlainTime.from(time));

function planned(text: string | null, date: string): Temporal.PlainDateTime | null {
  if (text === null) return null;
  return text.includes('T') ? Temporal.PlainDateTime.from(text) : localTime(date, text);
}

const toInstant = (local: Temporal.PlainDateTime, { timeZone }: PropertyClock): Temporal.Instant =>
  local.toZonedDateTime(timeZone, { disambiguation: 'compatible' }).toInstant();

const iso = (instant: Temporal.Instant): string => instant.toString({ smallestUnit: 'millisecond' });

const span = (start: Temporal.Instant, minutes: number) => ({
  scheduledAt: iso(start),
  endsAt: iso(start.add({ minutes })),
});
