import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecurrenceEvery } from '../../db/schema.ts';
import {
  currentPeriod,
  dueDateOf,
  duePeriods,
  duePeriodsByUse,
  EXTENSION_DAYS,
  firstFreeSlot,
  HORIZON_DAYS,
  isFree,
  type Occupied,
} from './recurrence.ts';

const date = fc
  .integer({ min: 0, max: 3_000 })
  .map((days) => Temporal.PlainDate.from('2024-01-01').add({ days }).toString());
const every: fc.Arbitrary<RecurrenceEvery> = fc.oneof(
  fc.constantFrom('MONTHLY' as const, 'QUARTERLY' as const),
  fc.integer({ min: 1, max: 400 }).map((days) => ({ days })),
);
const later = (from: string, days: number): string => Temporal.PlainDate.from(from).add({ days }).toString();
const SLOT = { localTime: '11:00', minutes: 60, timeZone: 'Asia/Dubai' };
const LONG_AGO = new Date(0);

describe('the periods of a rule', () => {
  it('clamp to the end of a short month, and come back after it', () => {
    const days = [0, 1, 2, 3].map((period) => dueDateOf('MONTHLY', '2024-01-31', period));
    expect(days).toEqual(['2024-01-31', '2024-02-29', '2024-03-31', '2024-04-30']);
    expect(dueDateOf('QUARTERLY', '2024-11-30', 1)).toBe('2025-02-28');
    expect(dueDateOf({ days: 10 }, '2024-02-25', 1)).toBe('2024-03-06');
    expect(() => dueDateOf({ stays: 3 }, '2024-01-01', 1)).toThrow(RangeError);
  });

  it('each day is in exactly one', () => {
    fc.assert(
      fc.property(every, date, date, (rule, anchor, today) => {
        const period = currentPeriod(rule, anchor, today);
        expect(period >= 0).toBe(true);
        expect(period === 0 || dueDateOf(rule, anchor, period) <= today).toBe(true);
        expect(dueDateOf(rule, anchor, period + 1) > today).toBe(true);
      }),
    );
  });

  it('are asked for once and in order, and only those that are over are skipped', () => {
    fc.assert(
      fc.property(every, date, date, fc.integer({ min: 0, max: 30 }), (rule, anchor, today, next) => {
        const { make, skip } = duePeriods(rule, anchor, next, today);
        const asked = [...skip, ...make].map(({ period }) => period);
        expect(asked).toEqual(asked.map((_period, n) => (asked[0] ?? 0) + n));
        for (const { period } of skip) expect(dueDateOf(rule, anchor, period + 1) <= today).toBe(true);
        for (const { period, dueDate, lastDate } of make) {
          expect(period).toBeGreaterThanOrEqual(next);
          expect(dueDate <= later(today, HORIZON_DAYS)).toBe(true);
          expect(lastDate).toBe(later(dueDateOf(rule, anchor, period + 1), EXTENSION_DAYS - 1));
        }
      }),
    );
  });

  it('never burst after a gap: of a monthly rule at most the current and the next one', () => {
    fc.assert(
      fc.property(date, fc.integer({ min: 0, max: 2_000 }), (anchor, days) => {
        expect(duePeriods('MONTHLY', anchor, 0, later(anchor, days)).make.length).toBeLessThanOrEqual(2);
      }),
    );
  });

  it('by use are one task, however often the number was reached', () => {
    const periods = (used: number, next: number) => {
      const { make, skip } = duePeriodsByUse({ stays: 5 }, used, next, '2024-03-01');
      return [make.map(({ period }) => period), skip.map(({ period }) => period)];
    };
    expect(periods(4, 1)).toEqual([[], []]);
    expect(periods(5, 1)).toEqual([[1], []]);
    expect(periods(9, 2)).toEqual([[], []]);
    expect(periods(17, 1)).toEqual([[3], [1, 2]]);
    expect(duePeriodsByUse({ nights: 30 }, 61, 1, '2024-03-01').make[0]?.period).toBe(2);
  });
});

describe('a free day', () => {
  const stay: Occupied = { from: '2024-02-01', to: '2024-02-03', leavesAt: '11:00' };

  it('is none of the nights, and the day of departure only once the guest has gone', () => {
    const free = (day: string, localTime = '11:00', minutes = 60): boolean =>
      isFree(day, { ...SLOT, localTime, minutes }, [stay]);
    expect(['2024-01-31', '2024-02-01', '2024-02-02', '2024-02-03'].map((day) => free(day))).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect(free('2024-02-03', '10:59')).toBe(false);
    // Past midnight into the day of arrival.
    expect(free('2024-01-31', '23:30', 30)).toBe(true);
    expect(free('2024-01-31', '23:30', 31)).toBe(false);
  });

  it('is the first one that there is, and never inside a stay', () => {
    const stays = fc.array(
      fc
        .record({ start: fc.integer({ min: 0, max: 40 }), nights: fc.integer({ min: 1, max: 9 }) })
        .map(({ start, nights }) => ({
          from: later('2024-02-01', start),
          to: later('2024-02-01', start + nights),
          leavesAt: '11:00',
        })),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(stays, (taken) => {
        const found = firstFreeSlot('2024-02-01', '2024-03-10', SLOT, taken, LONG_AGO);
        const last = found?.date ?? later('2024-03-10', 1);
        for (let day = '2024-02-01'; day < last; day = later(day, 1)) expect(isFree(day, SLOT, taken)).toBe(false);
        if (found) expect(taken.some(({ from, to }) => from <= found.date && found.date < to)).toBe(false);
      }),
    );
  });

  it.each([
    ['Asia/Dubai', '2024-03-31', '00:30', '2024-03-30T20:30:00.000Z'],
    ['Europe/Paris', '2024-03-31', '02:30', '2024-03-31T01:30:00.000Z'],
    ['Europe/Paris', '2024-10-27', '02:30', '2024-10-27T00:30:00.000Z'],
    ['Africa/Cairo', '2024-04-26', '00:30', '2024-04-25T22:30:00.000Z'],
  ])('begins on the clock of %s on %s at %s', (timeZone, day, localTime, instant) => {
    const slot = { localTime, minutes: 60, timeZone };
    expect(firstFreeSlot(day, day, slot, [], LONG_AGO)?.scheduledAt).toBe(instant);
  });

  it('is not one whose hour has passed', () => {
    const now = new Date('2024-02-01T07:00:01Z');
    expect(firstFreeSlot('2024-02-01', '2024-02-05', SLOT, [], now)?.date).toBe('2024-02-02');
    expect(firstFreeSlot('2024-02-01', '2024-02-01', SLOT, [], now)).toBeNull();
  });
});
