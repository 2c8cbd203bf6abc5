import { describe, expect, it } from 'vitest';
import { isReversed, resolveAsOf, resolvePeriod } from './period.ts';

describe('a period', () => {
  it.each([
    // zone, date, first instant, first instant after it
    ['Asia/Dubai', '2024-02-01', '2024-01-31T20:00:00Z', '2024-02-01T20:00:00Z'],
    ['Europe/Paris', '2024-03-31', '2024-03-30T23:00:00Z', '2024-03-31T22:00:00Z'],
    ['Europe/Paris', '2024-10-27', '2024-10-26T22:00:00Z', '2024-10-27T23:00:00Z'],
    // The clock springs from midnight to one: the day begins at one.
    ['Africa/Cairo', '2024-04-26', '2024-04-25T22:00:00Z', '2024-04-26T21:00:00Z'],
    ['America/Los_Angeles', '2024-11-03', '2024-11-03T07:00:00Z', '2024-11-04T08:00:00Z'],
    ['UTC', '2024-02-29', '2024-02-29T00:00:00Z', '2024-03-01T00:00:00Z'],
  ])('in %s from and to %s is the whole local day', (zone, date, from, to) => {
    expect(resolvePeriod({ from: date, to: date }, zone)).toEqual({ from, to });
  });

  it('leaves an instant an instant, whatever the zone and however it is written, also beside a date', () => {
    const instant = '2024-02-01T13:00:00.123456+04:00';
    const same = '2024-02-01T09:00:00.123456Z';
    expect(resolvePeriod({ from: instant, to: instant }, 'Asia/Dubai')).toEqual({ from: same, to: same });
    expect(resolvePeriod({ from: instant, to: '2024-02-01' }, 'Asia/Dubai')).toEqual({
      from: same,
      to: '2024-02-01T20:00:00Z',
    });
    expect(resolvePeriod({ to: '2024-02-01' }, 'UTC')).toEqual({ to: '2024-02-02T00:00:00Z' });
    expect(resolvePeriod({}, 'UTC')).toEqual({});
  });

  it('as of a date ends with it', () => {
    expect(resolveAsOf('2024-02-01', 'Asia/Dubai')).toBe('2024-02-01T19:59:59.999999Z');
    expect(resolveAsOf('2024-02-01T10:00:00Z', 'Asia/Dubai')).toBe('2024-02-01T10:00:00Z');
  });

  it('ends before it begins only when it does', () => {
    const reversed = (from: string | undefined, to: string | undefined): boolean =>
      isReversed({ from, to }, resolvePeriod({ from, to }, 'Asia/Dubai'));
    expect(reversed('2024-02-01', '2024-02-01')).toBe(false);
    expect(reversed('2024-02-02', '2024-02-01')).toBe(true);
    expect(reversed('2024-02-01T20:00:00Z', '2024-02-01')).toBe(true);
    expect(reversed('2024-02-01T19:59:59.999Z', '2024-02-01')).toBe(false);
    expect(reversed('2024-02-01T20:00:00Z', '2024-02-01T20:00:00Z')).toBe(false);
    expect(reversed('2024-02-02', '2024-02-01T20:00:00Z')).toBe(false);
    expect(reversed('2024-02-02', '2024-02-01T19:00:00Z')).toBe(true);
    expect(reversed('2024-02-02', undefined)).toBe(false);
  });
});
