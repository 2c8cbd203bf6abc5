import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DayStay, planDay } from './day.ts';
import { DAY_ZONES, type DayZones } from './places.ts';

/** The day at any moment, on any clock: midnight, the nights when clocks change, zones a day apart. */

const ZONES = [
  'Asia/Dubai',
  'Europe/Paris',
  'America/Los_Angeles',
  'Pacific/Kiritimati',
  'Pacific/Pago_Pago',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Africa/Cairo',
];
const zonesOf = (n: number): DayZones => {
  const zone = (k: number): string => ZONES[(n + k) % ZONES.length] ?? 'UTC';
  return { 'property-3': zone(0), 'property-4': zone(1), 'property-5': zone(2), 'property-6': zone(3) };
};
const localOf = (instant: string | Date, zone: string): Temporal.ZonedDateTime =>
  Temporal.Instant.from(typeof instant === 'string' ? instant : instant.toISOString()).toZonedDateTimeISO(zone);
const dateOf = (instant: string | Date, zone: string): string => localOf(instant, zone).toPlainDate().toString();
const agreedAt = (date: string, agreed: string | null, usual: string, zone: string): string => {
  const text = agreed ?? usual;
  const local = text.includes('T') ? text : `${date}T${text}`;
  return Temporal.PlainDateTime.from(local).toZonedDateTime(zone).toInstant().toString();
};

function assertDay(now: Date, zones: DayZones): void {
  const day = planDay(now, zones);
  const at = now.toISOString();
  const stay = (id: string): DayStay => {
    const found = day.stays.find((one) => one.id === `reservation-${id}`);
    if (found === undefined) throw new Error(id);
    return found;
  };
  for (const one of day.stays) expect(one.checkInDate < one.checkOutDate).toBe(true);
  for (const id of ['arriving', 'turnover-in']) {
    const { propertyId, checkInDate, checkOutDate, plannedArrival } = stay(id);
    expect(checkInDate).toBe(dateOf(now, zones[propertyId]));
    const arrival = agreedAt(checkInDate, plannedArrival, '15:00', zones[propertyId]);
    expect(Date.parse(arrival)).toBeGreaterThan(now.getTime());
    expect(dateOf(arrival, zones[propertyId]) < checkOutDate).toBe(true);
  }
  for (const id of ['leaving', 'turnover-out']) {
    const { propertyId, checkOutDate, plannedDeparture } = stay(id);
    const today = dateOf(now, zones[propertyId]);
    expect(checkOutDate).toBe(today);
    expect(dateOf(agreedAt(today, plannedDeparture, '11:00', zones[propertyId]), zones[propertyId])).toBe(today);
  }
  const inHouse = stay('in-house');
  const here = dateOf(now, zones['property-6']);
  expect(inHouse.checkInDate < here && here < inHouse.checkOutDate).toBe(true);
  for (const arrived of Object.values(day.arrivedAt)) expect(Date.parse(arrived)).toBeLessThan(now.getTime());
  expect(Date.parse(day.leftAt)).toBeLessThanOrEqual(now.getTime());
  expect(dateOf(day.leftAt, zones['property-4'])).toBe(dateOf(now, zones['property-4']));
  // Two hours after the departure and two hours long, it is over before the next guest comes.
  const next = stay('turnover-in');
  const nextAt = agreedAt(next.checkInDate, next.plannedArrival, '15:00', zones['property-4']);
  expect(Date.parse(nextAt) - Date.parse(day.leftAt)).toBeGreaterThanOrEqual(4 * 3_600_000);
  expect(dateOf(day.cleaningAt, zones['property-3'])).toBe(dateOf(now, zones['property-3']));
  expect(dateOf(day.repairAt, zones['property-5'])).toBe(dateOf(now, zones['property-5']));
  expect(Date.parse(day.boilerAt)).toBeGreaterThan(Date.parse(at));
}

describe("the demo's day", () => {
  it.each([
    ['23:50 in Dubai', '2026-11-28T19:50:00Z'],
    ['00:10 in Dubai', '2026-11-28T20:10:00Z'],
    ['23:30 in Dubai', '2026-11-28T19:30:00Z'],
    ['midnight in Dubai', '2026-11-28T20:00:00Z'],
    ['23:50 in Paris', '2026-11-28T22:50:00Z'],
    ['the hour that Paris leaves out', '2027-03-28T01:05:00Z'],
    ['the hour that Paris has twice', '2027-10-31T00:40:00Z'],
    ['the turn of the year', '2026-12-31T20:10:00Z'],
    ['29 February', '2028-02-28T20:10:00Z'],
  ])('has each kind of stay at %s', (_, now) => {
    assertDay(new Date(now), DAY_ZONES);
  });

  it('has them at any minute in any zones', () => {
    const minute = fc.integer({ min: Date.UTC(2026, 0, 1) / 60_000, max: Date.UTC(2029, 0, 1) / 60_000 });
    fc.assert(
      fc.property(minute, fc.nat({ max: ZONES.length - 1 }), (at, n) => assertDay(new Date(at * 60_000), zonesOf(n))),
      { numRuns: 500 },
    );
  });

  it('is the same whenever it is planned from the same moment', () => {
    const now = new Date('2026-11-28T09:13:14.156Z');
    expect(planDay(now)).toEqual(planDay(new Date(now)));
  });
});
