import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterMinutesAwake } from '../messages/quiet-hours.ts';
import { answerDeadline, type Question } from './answer-deadline.ts';

const NIGHT = { from: '21:00', to: '07:00' };
const question = (values: Partial<Question>): Question => ({
  askedMs: Date.parse('2027-05-31T16:50:00Z'),
  type: 'CLEANING',
  startMs: Date.parse('2027-06-05T08:00:00Z'),
  timeZone: 'Asia/Dubai',
  acceptMinutes: 30,
  emergencyAcceptMinutes: 15,
  quiet: NIGHT,
  ...values,
});

describe('the time to answer', () => {
  it.each([
    ['by day', '2027-05-31T12:30:00.000Z', { askedMs: Date.parse('2027-05-31T12:00:00Z') }],
    ['asked ten minutes before the night', '2027-06-01T03:20:00.000Z', { askedMs: Date.parse('2027-05-31T16:50:00Z') }],
    ['asked at night', '2027-06-01T03:30:00.000Z', { askedMs: Date.parse('2027-05-31T20:00:00Z') }],
    ['asked as the night ends', '2027-06-01T03:30:00.000Z', { askedMs: Date.parse('2027-06-01T03:00:00Z') }],
    ['that ends as the night begins', '2027-05-31T17:00:00.000Z', { acceptMinutes: 10 }],
    ['over two nights', '2027-06-02T03:20:00.000Z', { acceptMinutes: 14 * 60 + 30 }],
    ['without a night', '2027-05-31T17:20:00.000Z', { quiet: { from: '00:00', to: '00:00' } }],
    [
      'of an emergency, at night',
      '2027-05-31T20:15:00.000Z',
      { type: 'EMERGENCY', askedMs: Date.parse('2027-05-31T20:00:00Z') },
    ],
    [
      'of a task that begins before the night is over',
      '2027-06-01T02:00:00.000Z',
      { startMs: Date.parse('2027-06-01T02:00:00Z') },
    ],
    [
      'of a task that begins sooner than that',
      '2027-05-31T14:00:00.000Z',
      {
        askedMs: Date.parse('2027-05-31T12:00:00Z'),
        startMs: Date.parse('2027-05-31T14:00:00Z'),
        acceptMinutes: 240,
      },
    ],
    [
      'of a task that has begun, with hours to answer',
      '2027-05-31T17:20:00.000Z',
      { startMs: Date.parse('2027-05-31T16:00:00Z'), acceptMinutes: 240 },
    ],
    ['of a task that has begun', '2027-05-31T17:20:00.000Z', { startMs: Date.parse('2027-05-31T16:00:00Z') }],
  ] as const)('%s', (_name, expected, values) => {
    // Asked at 16:50 UTC unless said otherwise, when it is 20:50 in Dubai.
    expect(answerDeadline(question(values))).toBe(expected);
  });

  it('is none where nobody is asked', () => {
    expect(answerDeadline(question({ acceptMinutes: null }))).toBeNull();
  });

  it('on the nights on which the clock is changed is as long as they are', () => {
    const berlin = (at: string) => afterMinutesAwake(new Date(at), 30, NIGHT, 'Europe/Berlin').toISOString();
    // 20:45 there; 07:15 the next morning, after a night of nine and of eleven hours.
    expect(berlin('2027-03-27T19:45:00Z')).toBe('2027-03-28T05:15:00.000Z');
    expect(berlin('2027-10-30T18:45:00Z')).toBe('2027-10-31T06:15:00.000Z');
  });
});

const ZONES = [
  'Asia/Dubai',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'America/Santiago',
  'Pacific/Chatham',
  'Africa/Cairo',
];
/** Around the changes of the clock of these zones, and any other day. */
const DAYS = [
  '2027-01-10',
  '2027-03-13',
  '2027-03-27',
  '2027-04-03',
  '2027-04-29',
  '2027-09-04',
  '2027-09-25',
  '2027-10-02',
  '2027-10-28',
  '2027-10-30',
  '2027-11-06',
];
const MINUTE = 60_000;

it('counts every minute outside the night, and none within, whatever the zone and the day', () => {
  const hour = (min: number, max: number) =>
    fc
      .record({ h: fc.integer({ min, max }), m: fc.integer({ min: 0, max: 59 }) })
      .map(({ h, m }) => `${String(h).padStart(2, '0')}:${String(m).padStart(2, '0')}`);
  const asked = fc.record({
    timeZone: fc.constantFrom(...ZONES),
    day: fc.constantFrom(...DAYS),
    minute: fc.integer({ min: 0, max: 2 * 1440 }),
    minutes: fc.integer({ min: 1, max: 1_200 }),
    from: hour(20, 22),
    to: hour(5, 9),
  });
  fc.assert(
    fc.property(asked, ({ timeZone, day, minute, minutes, from, to }) => {
      const startMs = Date.parse(`${day}T00:00:00Z`) + minute * MINUTE;
      const isAwake = (atMs: number): boolean => {
        const time = Temporal.Instant.fromEpochMilliseconds(atMs)
          .toZonedDateTimeISO(timeZone)
          .toPlainTime()
          .toString()
          .slice(0, 5);
        return time >= to && time < from;
      };
      let endMs = startMs;
      for (let left = minutes; left > 0; endMs += MINUTE) if (isAwake(endMs)) left -= 1;
      expect(afterMinutesAwake(new Date(startMs), minutes, { from, to }, timeZone).getTime()).toBe(endMs);
    }),
    { numRuns: 150 },
  );
});

it('moves on with the question, is never sooner than its minutes, and ends for any night', () => {
  const time = fc
    .integer({ min: 0, max: 1439 })
    .map((n) => `${String(Math.floor(n / 60)).padStart(2, '0')}:${String(n % 60).padStart(2, '0')}`);
  const asked = fc.record({
    timeZone: fc.constantFrom(...ZONES),
    day: fc.constantFrom(...DAYS),
    minute: fc.integer({ min: 0, max: 2 * 1440 }),
    minutes: fc.integer({ min: 1, max: 10_080 }),
    later: fc.integer({ min: 0, max: 600 }),
    from: time,
    to: time,
  });
  fc.assert(
    fc.property(asked, ({ timeZone, day, minute, minutes, later, from, to }) => {
      const startMs = Date.parse(`${day}T00:00:00Z`) + minute * MINUTE;
      const from1 = afterMinutesAwake(new Date(startMs), minutes, { from, to }, timeZone).getTime();
      const from2 = afterMinutesAwake(new Date(startMs + later * MINUTE), minutes, { from, to }, timeZone).getTime();
      expect(from1).toBeGreaterThanOrEqual(startMs + minutes * MINUTE);
      expect(from2).toBeGreaterThanOrEqual(from1);
    }),
    { numRuns: 200 },
  );
});
