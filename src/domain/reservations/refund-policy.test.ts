import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cases } from '../../../test/setup/cases.ts';
import {
  DEFAULT_REFUND_TERMS,
  daysBeforeCheckIn,
  type RefundBasis,
  refundOf,
  refundSchedule,
} from './refund-policy.ts';
import { REFUND_BASES } from './refund-rules.ts';

const RUNS = { numRuns: cases(10_000) };
const DAY_MS = 86_400_000;
const ZONES = ['Asia/Dubai', 'Europe/Paris', 'Pacific/Kiritimati', 'Pacific/Pago_Pago'] as const;
const zone = fc.constantFrom(...ZONES, 'Africa/Cairo', 'America/Sao_Paulo', 'Australia/Lord_Howe');

const basis = (amountMinor: number, terms = DEFAULT_REFUND_TERMS): RefundBasis => ({
  ...terms,
  totalMinor: amountMinor,
  capturedMinor: amountMinor,
  refundedMinor: 0,
});
const percentAt = (at: Date, checkInDate: string, timeZone: string): number =>
  refundOf({ ...basis(100), days: daysBeforeCheckIn(at, checkInDate, timeZone) }).percent;

/** The local date by another road than ours. */
const localDay = (at: Date, timeZone: string): number => {
  const format = new Intl.DateTimeFormat('en-US', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' });
  const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(part['year'] ?? 0, (part['month'] ?? 0) - 1, part['day'] ?? 0) / DAY_MS;
};

describe('the days before check-in', () => {
  it.each([
    ['2024-02-03T19:59:59.999Z', 7, 100],
    ['2024-02-03T20:00:00.000Z', 6, 50],
    ['2024-02-07T19:59:59.999Z', 3, 50],
    ['2024-02-07T20:00:00.000Z', 2, 25],
    ['2024-02-09T19:59:59.999Z', 1, 25],
    ['2024-02-09T20:00:00.000Z', 0, 0],
    ['2024-02-10T19:59:59.999Z', 0, 0],
    ['2024-02-12T08:00:00.000Z', -2, 0],
  ])('at %s of a check-in on 2024-02-10 in Dubai are %i: %i %', (at, days, percent) => {
    expect(daysBeforeCheckIn(new Date(at), '2024-02-10', 'Asia/Dubai')).toBe(days);
    expect(percentAt(new Date(at), '2024-02-10', 'Asia/Dubai')).toBe(percent);
  });

  // The last millisecond of the third, then of the second day before; offsets looked up, not computed.
  it.each([
    ['Europe/Paris', '2024-04-03', '2024-03-31T21:59:59.999Z', '2024-04-01T21:59:59.999Z'],
    ['Europe/Paris', '2024-04-02', '2024-03-30T22:59:59.999Z', '2024-03-31T21:59:59.999Z'],
    ['Europe/Paris', '2024-10-30', '2024-10-27T22:59:59.999Z', '2024-10-28T22:59:59.999Z'],
    ['Europe/Paris', '2024-10-29', '2024-10-26T21:59:59.999Z', '2024-10-27T22:59:59.999Z'],
    ['Asia/Dubai', '2024-04-03', '2024-03-31T19:59:59.999Z', '2024-04-01T19:59:59.999Z'],
    ['Pacific/Kiritimati', '2024-04-03', '2024-03-31T09:59:59.999Z', '2024-04-01T09:59:59.999Z'],
    ['Pacific/Pago_Pago', '2024-04-03', '2024-04-01T10:59:59.999Z', '2024-04-02T10:59:59.999Z'],
  ])('turn at midnight of %s, to the millisecond, before %s', (timeZone, checkIn, third, second) => {
    const later = (at: string): Date => new Date(Date.parse(at) + 1);
    expect(daysBeforeCheckIn(new Date(third), checkIn, timeZone)).toBe(3);
    expect(daysBeforeCheckIn(later(third), checkIn, timeZone)).toBe(2);
    expect(daysBeforeCheckIn(new Date(second), checkIn, timeZone)).toBe(2);
    expect(daysBeforeCheckIn(later(second), checkIn, timeZone)).toBe(1);
    expect([percentAt(new Date(third), checkIn, timeZone), percentAt(later(third), checkIn, timeZone)]).toEqual([
      50, 25,
    ]);
  });

  it('are the difference of local dates, whatever the clocks do', () => {
    const instant = fc.date({ min: new Date('2023-01-01'), max: new Date('2026-12-31'), noInvalidDate: true });
    fc.assert(
      fc.property(instant, fc.integer({ min: -40, max: 400 }), zone, (at, ahead, timeZone) => {
        const checkIn = new Date((localDay(at, timeZone) + ahead) * DAY_MS).toISOString().slice(0, 10);
        expect(daysBeforeCheckIn(at, checkIn, timeZone)).toBe(ahead);
      }),
      RUNS,
    );
  });
});

describe('a refund', () => {
  it.each([
    [3_333, 4, 1_667],
    [3_333, 1, 833],
    [1, 4, 1],
    [1, 1, 0],
    [100_000, 7, 100_000],
    [100_000, 6, 50_000],
    [100_000, 0, 0],
  ])('of %i minor units at %i days is %i, half up', (paidMinor, days, amountMinor) => {
    expect(refundOf({ ...basis(paidMinor), days }).amountMinor).toBe(amountMinor);
  });

  it.each([
    [30, 'DAYS_7_PLUS'],
    [7, 'DAYS_7_PLUS'],
    [6, 'DAYS_3_TO_6'],
    [3, 'DAYS_3_TO_6'],
    [2, 'DAYS_1_TO_2'],
    [1, 'DAYS_1_TO_2'],
    [0, 'DAY_OF_CHECK_IN'],
    [-3, 'DAY_OF_CHECK_IN'],
  ])('at %i days is by %s', (days, rule) => {
    expect(refundOf({ ...basis(100), days }).rule).toBe(rule);
  });

  it.each([
    [[], 30, 'NO_REFUND'],
    [[14], 13, 'DAYS_UNDER_14'],
    [[14, 13], 13, 'DAYS_13'],
    [[2, 0], 0, 'DAYS_0_TO_1'],
    [[2, 0], -1, 'AFTER_CHECK_IN_DAY'],
  ])('by tiers from %j days on names its rule at %i days: %s', (from, days, rule) => {
    const tiers = from.map((least) => ({ days: least, percent: 10 }));
    expect(refundOf({ ...basis(100, { base: 'PAID', tiers }), days }).rule).toBe(rule);
  });

  it('that a person decides is by the override', () => {
    expect(refundOf({ ...basis(1_000), days: 0, percentOverride: 80 })).toEqual({
      percent: 80,
      amountMinor: 800,
      rule: 'OVERRIDE',
    });
  });

  it('counts what is paid, or what is owed, as the terms say', () => {
    const half = { totalMinor: 100_000, capturedMinor: 30_000, refundedMinor: 0, days: 4 };
    expect(refundOf({ ...DEFAULT_REFUND_TERMS, ...half }).amountMinor).toBe(15_000);
    expect(refundOf({ ...DEFAULT_REFUND_TERMS, ...half, base: 'TOTAL' }).amountMinor).toBe(0);
    const most = { ...half, capturedMinor: 80_000 };
    expect(refundOf({ ...DEFAULT_REFUND_TERMS, ...most, base: 'TOTAL' }).amountMinor).toBe(30_000);
    expect(refundOf({ ...DEFAULT_REFUND_TERMS, ...most, refundedMinor: 20_000 }).amountMinor).toBe(30_000);
  });

  const money = fc.integer({ min: 0, max: 100_000_000_000 });
  const tiers = fc
    .uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 6 })
    .chain((days) =>
      fc.tuple(
        fc.constant(days),
        fc.array(fc.integer({ min: 0, max: 100 }), { minLength: days.length, maxLength: days.length }),
      ),
    )
    .map(([days, percents]) => {
      const falling = percents.toSorted((a, b) => b - a);
      return days.toSorted((a, b) => b - a).map((least, index) => ({ days: least, percent: falling[index] ?? 0 }));
    });
  const bases = fc.record({
    base: fc.constantFrom(...REFUND_BASES),
    tiers,
    amounts: fc.tuple(money, money, money),
  });
  const basisOf = ({ amounts, ...terms }: typeof bases extends fc.Arbitrary<infer T> ? T : never): RefundBasis => {
    const [refundedMinor = 0, capturedMinor = 0, totalMinor = 0] = amounts.toSorted((a, b) => a - b);
    return { ...terms, refundedMinor, capturedMinor, totalMinor };
  };

  it('never falls with more days, never is below zero or above what is held', () => {
    fc.assert(
      fc.property(bases, fc.integer({ min: -5, max: 70 }), fc.integer({ min: 0, max: 70 }), (given, days, more) => {
        const of = basisOf(given);
        const { amountMinor } = refundOf({ ...of, days });
        expect(amountMinor).toBeGreaterThanOrEqual(0);
        expect(amountMinor).toBeLessThanOrEqual(of.capturedMinor - of.refundedMinor);
        expect(refundOf({ ...of, days: days + more }).amountMinor).toBeGreaterThanOrEqual(amountMinor);
      }),
      RUNS,
    );
  });

  it('of 100 percent is all that is held, by every kind of rule', () => {
    fc.assert(
      fc.property(bases, (given) => {
        const of = basisOf(given);
        const { amountMinor } = refundOf({ ...of, days: 0, percentOverride: 100 });
        expect(amountMinor).toBe(of.capturedMinor - of.refundedMinor);
      }),
      RUNS,
    );
  });

  it('is the same by PAID and TOTAL when all is paid', () => {
    fc.assert(
      fc.property(money, tiers, fc.integer({ min: -5, max: 70 }), (amountMinor, own, days) => {
        const by = (base: 'PAID' | 'TOTAL') => refundOf({ ...basis(amountMinor, { base, tiers: own }), days });
        expect(by('TOTAL')).toEqual(by('PAID'));
      }),
      RUNS,
    );
  });
});

describe('the schedule of refunds', () => {
  const dubai = { ...basis(100_000), checkInDate: '2024-02-10', timeZone: 'Asia/Dubai' };

  it('names the last millisecond of each tier', () => {
    expect(refundSchedule({ ...dubai, from: new Date('2024-01-15T10:00:00Z') })).toEqual([
      { percent: 100, amountMinor: 100_000, until: new Date('2024-02-03T19:59:59.999Z') },
      { percent: 50, amountMinor: 50_000, until: new Date('2024-02-07T19:59:59.999Z') },
      { percent: 25, amountMinor: 25_000, until: new Date('2024-02-09T19:59:59.999Z') },
      { percent: 0, amountMinor: 0, until: null },
    ]);
  });

  it('leaves out what is over', () => {
    const percentsFrom = (from: string) =>
      refundSchedule({ ...dubai, from: new Date(from) }).map(({ percent }) => percent);
    expect(percentsFrom('2024-02-03T19:59:59.999Z')).toEqual([100, 50, 25, 0]);
    expect(percentsFrom('2024-02-03T20:00:00Z')).toEqual([50, 25, 0]);
    expect(percentsFrom('2024-02-20T00:00:00Z')).toEqual([0]);
  });

  it('agrees with the refund, at the last millisecond and at the next', () => {
    const day = fc.integer({ min: 0, max: 1_400 }).map((n) => new Date(Date.UTC(2023, 0, 1) + n * DAY_MS));
    fc.assert(
      fc.property(day, zone, (date, timeZone) => {
        const checkInDate = date.toISOString().slice(0, 10);
        const from = new Date(date.getTime() - 30 * DAY_MS);
        const schedule = refundSchedule({ ...basis(100), checkInDate, timeZone, from });
        for (const [index, { percent, until }] of schedule.entries()) {
          if (until === null) continue;
          expect(percentAt(until, checkInDate, timeZone)).toBe(percent);
          expect(percentAt(new Date(until.getTime() + 1), checkInDate, timeZone)).toBe(schedule[index + 1]?.percent);
        }
      }),
      RUNS,
    );
  });
});
