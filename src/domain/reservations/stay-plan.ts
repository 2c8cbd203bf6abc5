import type { TaskType } from '../../db/schema.ts';
import { isoInstant, localTime, plannedTime } from '../../kernel/local-time.ts';
import { savedZone } from '../../kernel/time-zone.ts';

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
export interface PropertyTimes {
  readonly timeZone: string;
  /** Local `HH:MM`. */
  readonly checkInTime: string;
  readonly checkOutTime: string;
}
export interface PropertyClock extends PropertyTimes {
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

/** A stay with its property's clock, by the names of their columns. */
export interface StayTimeRow {
  readonly check_in_date: string;
  readonly check_out_date: string;
  readonly planned_arrival: string | null;
  readonly planned_departure: string | null;
  readonly time_zone: string;
  readonly check_in_time: string;
  readonly check_out_time: string;
}

/** The dates and agreed times of a row; dates are `YYYY-MM-DD` at the property. */
export const stayDatesOf = (row: StayTimeRow): StayDates => ({
  checkInDate: row.check_in_date,
  checkOutDate: row.check_out_date,
  plannedArrival: row.planned_arrival,
  plannedDeparture: row.planned_departure,
});

/** The time zone and usual times of a row's property, `HH:MM` local. */
export const propertyTimesOf = (row: StayTimeRow): PropertyTimes => ({
  timeZone: row.time_zone,
  checkInTime: row.check_in_time,
  checkOutTime: row.check_out_time,
});

/** `propertyTimesOf` with the minutes that a cleaning takes. */
export const propertyClockOf = (row: StayTimeRow & { readonly cleaning_minutes: number }): PropertyClock => ({
  ...propertyTimesOf(row),
  cleaningMinutes: row.cleaning_minutes,
});

/** A moment as the clock at the property shows it: `date` is `YYYY-MM-DD`, `time` is `HH:MM`, `instant` ISO 8601 in UTC. */
export interface LocalMoment {
  readonly date: string;
  readonly time: string;
  readonly instant: string;
}

/**
 * When a guest arrives and leaves: as agreed, or else at the property's own times. Tasks, door codes, texts, forecasts and
 * the days on which owners are paid all take it from here, so that they agree.
 */
export function stayTimes(
  stay: StayDates,
  clock: PropertyTimes,
): { readonly arrival: LocalMoment; readonly departure: LocalMoment } {
  const { arrival, departure } = agreedTimes(stay, clock);
  const moment = (local: Temporal.PlainDateTime): LocalMoment => {
    const at = local.toZonedDateTime(savedZone(clock.timeZone), { disambiguation: 'compatible' });
    const [date = '', time = ''] = at.toPlainDateTime().toString({ smallestUnit: 'minute' }).split('T');
    return { date, time, instant: isoInstant(at.toInstant()) };
  };
  return { arrival: moment(arrival), departure: moment(departure) };
}

const agreedTimes = (stay: StayDates, clock: PropertyTimes) => ({
  arrival: plannedTime(stay.plannedArrival ?? clock.checkInTime, stay.checkInDate),
  departure: plannedTime(stay.plannedDeparture ?? clock.checkOutTime, stay.checkOutDate),
});

const MEETING_MINUTES = 60;
export const AFTER_CHECK_OUT_SECONDS = 7_200;
/** How the local rule of a task says that it is due so long after the departure. */
export const AFTER_CHECK_OUT = `+PT${AFTER_CHECK_OUT_SECONDS}S`;

/** Local and UTC times of the tasks of a stay, by the rules of its property. Pure. */
export function planStay(stay: StayDates, clock: PropertyClock): StayPlan {
  const arrival = localTime(stay.checkInDate, clock.checkInTime);
  const { arrival: meetArrival, departure } = agreedTimes(stay, clock);
  const cleanFrom = arrival.subtract({ days: 1 });
  const checkOutAt = toInstant(departure, clock);
  const rule = (local: Temporal.PlainDateTime, note = ''): string =>
    `${local.toString({ smallestUnit: 'minute' })}[${clock.timeZone}]${note}`;
  return {
    preArrivalCleaning: {
      type: 'CLEANING',
      occurrence: 'PRE_ARRIVAL',
      ...span(toInstant(cleanFrom, clock), clock.cleaningMinutes),
      // A guest who comes sooner than usual, or later, is met then, and finds it clean.
      mustFinishBy: isoInstant(toInstant(meetArrival, clock)),
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
      localRule: rule(departure, AFTER_CHECK_OUT),
    },
  };
}

/** The cleaning after a departure as it really was, two hours later. */
export function planCleaningAfter(departedAt: string, clock: PropertyClock): PlannedTask {
  const left = Temporal.Instant.from(departedAt);
  const local = left.toZonedDateTimeISO(savedZone(clock.timeZone)).toPlainDateTime();
  return {
    type: 'CLEANING',
    occurrence: 'POST_DEPARTURE',
    ...span(left.add({ seconds: AFTER_CHECK_OUT_SECONDS }), clock.cleaningMinutes),
    mustFinishBy: null,
    localRule: `${local.toString({ smallestUnit: 'minute' })}[${clock.timeZone}]${AFTER_CHECK_OUT}`,
  };
}

/** When the cleaning before an arrival is due: the day before, at the same wall-clock time. */
export const preArrivalCleaningAt = (checkInDate: string, { checkInTime, timeZone }: PropertyClock): string =>
  isoInstant(
    localTime(checkInDate, checkInTime)
      .subtract({ days: 1 })
      .toZonedDateTime(savedZone(timeZone), { disambiguation: 'compatible' })
      .toInstant(),
  );

const toInstant = (local: Temporal.PlainDateTime, { timeZone }: PropertyClock): Temporal.Instant =>
  local.toZonedDateTime(savedZone(timeZone), { disambiguation: 'compatible' }).toInstant();

const span = (start: Temporal.Instant, minutes: number) => ({
  scheduledAt: isoInstant(start),
  endsAt: isoInstant(start.add({ minutes })),
});
