import { savedZone } from '../kernel/time-zone.ts';
import { DAY_ZONES, type DayPropertyId, type DayZones } from './places.ts';

/**
 * The demo's day: what is going on at its properties when they are loaded, each on its own clock. A pure function of that
 * moment, so that the program that carries it out (`scripts/demo-day.ts`) plans the same again after an interruption.
 */

/** The three stays whose guests have come already. */
export type Visit = 'leaving' | 'turnover' | 'inHouse';

export interface DayStay {
  readonly id: string;
  readonly propertyId: DayPropertyId;
  readonly guestId: string;
  /** `YYYY-MM-DD`, days at the property. */
  readonly checkInDate: string;
  readonly checkOutDate: string;
  /** As agreed, `HH:MM` or `YYYY-MM-DDTHH:MM`; null: at the property's own time. */
  readonly plannedArrival: string | null;
  readonly plannedDeparture: string | null;
  readonly totalMinor: number;
  readonly currency: 'AED' | 'EUR';
  readonly referringAgentId: string | null;
}

/** Instants are ISO 8601 in UTC. */
export interface DemoDay {
  readonly stays: readonly DayStay[];
  readonly arrivedAt: Readonly<Record<Visit, string>>;
  /** By rule: the day before the arrival. */
  readonly cleanedAt: Readonly<Record<Visit, string>>;
  /** When the guest of the turnover left. */
  readonly leftAt: string;
  /** Today, however late it is. */
  readonly cleaningAt: string;
  readonly repairAt: string;
  /** A repair that the owner is asked about. */
  readonly boilerAt: string;
}

/** The properties' own times, which are the usual ones. */
const CHECK_IN = '15:00';
const CHECK_OUT = '11:00';
const LAST_START = '23:30';

export function planDay(now: Date, zones: DayZones = DAY_ZONES): DemoDay {
  const villa = placeAt('property-3', now, zones);
  const tower = placeAt('property-4', now, zones);
  const loft = placeAt('property-5', now, zones);
  const marais = placeAt('property-6', now, zones);
  return {
    stays: [
      stayOf('reservation-arriving', villa, [0, 4], {
        guestId: 'guest-4',
        totalMinor: 320_000,
        referringAgentId: 'agent-1',
        plannedArrival: agreed(villa, notBefore(villa, CHECK_IN, 4), CHECK_IN),
      }),
      stayOf('reservation-leaving', loft, [-3, 0], {
        guestId: 'guest-8',
        totalMinor: 180_000,
        plannedDeparture: agreed(loft, stillToday(loft, notBefore(loft, CHECK_OUT, 1)), CHECK_OUT),
      }),
      stayOf('reservation-turnover-out', tower, [-4, 0], { guestId: 'guest-6', totalMinor: 240_000 }),
      stayOf('reservation-turnover-in', tower, [0, 3], {
        guestId: 'guest-7',
        totalMinor: 165_000,
        plannedArrival: agreed(tower, notBefore(tower, CHECK_IN, 5), CHECK_IN),
      }),
      stayOf('reservation-in-house', marais, [-2, 3], { guestId: 'guest-10', totalMinor: 125_000, currency: 'EUR' }),
      stayOf('reservation-next-week', loft, [7, 10], { guestId: 'guest-9', totalMinor: 210_000 }),
      stayOf('reservation-waiting', villa, [5, 9], { guestId: 'guest-5', totalMinor: 640_000 }),
      stayOf('reservation-cancelled', loft, [20, 23], { guestId: 'guest-7', totalMinor: 90_000 }),
    ],
    arrivedAt: {
      leaving: iso(onDay(loft, -3, '16:20')),
      turnover: iso(onDay(tower, -4, '15:40')),
      inHouse: iso(onDay(marais, -2, '17:05')),
    },
    cleanedAt: {
      leaving: iso(onDay(loft, -4, CHECK_IN)),
      turnover: iso(onDay(tower, -5, CHECK_IN)),
      inHouse: iso(onDay(marais, -3, CHECK_IN)),
    },
    // Half an hour ago, but not before the day has begun.
    leftAt: iso(later(tower.now.subtract({ minutes: 30 }), tower.now.startOfDay())),
    cleaningAt: iso(stillToday(villa, notBefore(villa, '09:00', 0))),
    repairAt: iso(stillToday(loft, notBefore(loft, '10:00', 1))),
    boilerAt: iso(onDay(villa, 2, '10:00')),
  };
}

interface Place {
  readonly propertyId: DayPropertyId;
  readonly now: Temporal.ZonedDateTime;
}
const placeAt = (propertyId: DayPropertyId, now: Date, zones: DayZones): Place => ({
  propertyId,
  now: Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(savedZone(zones[propertyId])),
});

const onDay = ({ now }: Place, days: number, time: string): Temporal.ZonedDateTime =>
  now
    .toPlainDate()
    .add({ days })
    .toZonedDateTime({ timeZone: savedZone(now.timeZoneId), plainTime: time });

const later = (a: Temporal.ZonedDateTime, b: Temporal.ZonedDateTime): Temporal.ZonedDateTime =>
  Temporal.ZonedDateTime.compare(a, b) < 0 ? b : a;

/** Today at that time or, where it is later, the first half hour that is so many hours away. */
const notBefore = (place: Place, time: string, hours: number): Temporal.ZonedDateTime =>
  later(
    onDay(place, 0, time),
    place.now.add({ hours }).round({ smallestUnit: 'minute', roundingIncrement: 30, roundingMode: 'ceil' }),
  );

const stillToday = (place: Place, at: Temporal.ZonedDateTime): Temporal.ZonedDateTime =>
  at.toPlainDate().equals(place.now.toPlainDate()) ? at : onDay(place, 0, LAST_START);

/** Null for the usual time of that day; a guest who comes after midnight says on which day. */
function agreed({ now }: Place, at: Temporal.ZonedDateTime, usual: string): string | null {
  const time = at.toPlainTime().toString({ smallestUnit: 'minute' });
  if (!at.toPlainDate().equals(now.toPlainDate())) return `${at.toPlainDate()}T${time}`;
  return time === usual ? null : time;
}

type Terms = Pick<DayStay, 'guestId' | 'totalMinor'> & Partial<DayStay>;
function stayOf(id: string, { propertyId, now }: Place, [from, to]: readonly [number, number], terms: Terms): DayStay {
  const day = (days: number): string => now.toPlainDate().add({ days }).toString();
  return {
    id,
    propertyId,
    checkInDate: day(from),
    checkOutDate: day(to),
    plannedArrival: null,
    plannedDeparture: null,
    currency: 'AED',
    referringAgentId: null,
    ...terms,
  };
}

const iso = (at: Temporal.ZonedDateTime): string => at.toInstant().toString({ smallestUnit: 'millisecond' });
