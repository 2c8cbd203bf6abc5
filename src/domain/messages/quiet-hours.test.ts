import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outsideQuietHours, type QuietHours } from './quiet-hours.ts';

const QUIET: QuietHours = { from: '21:00', to: '09:00', lastCall: '20:30', channels: ['SMS'] };
const at = (text: string): Date => new Date(text);
const when = (
  due: string,
  options: { zone?: string; notBefore?: string; notAfter?: string; quiet?: QuietHours } = {},
) =>
  outsideQuietHours(at(due), options.quiet ?? QUIET, {
    channel: 'SMS',
    timeZone: options.zone ?? 'Asia/Dubai',
    notBefore: at(options.notBefore ?? '2027-01-01T00:00:00Z'),
    notAfter: options.notAfter === undefined ? null : at(options.notAfter),
  })?.toISOString() ?? null;

describe('the quiet hours', () => {
  it.each([
    ['by day: at once', '2027-05-31T06:00:00Z', '2027-05-31T06:00:00.000Z'],
    ['at nine sharp: at once', '2027-05-31T05:00:00Z', '2027-05-31T05:00:00.000Z'],
    ['at nine in the evening: the next morning', '2027-05-31T17:00:00Z', '2027-06-01T05:00:00.000Z'],
    ['a minute before: at once', '2027-05-31T16:59:00Z', '2027-05-31T16:59:00.000Z'],
    ['after midnight: the same morning', '2027-05-30T22:00:00Z', '2027-05-31T05:00:00.000Z'],
  ])('%s', (_name, due, expected) => {
    expect(when(due)).toBe(expected);
  });

  it('go by the clock of the recipient', () => {
    // 18:00 in Dubai is 23:00 in Tokyo.
    expect(when('2027-05-31T14:00:00Z', { zone: 'Asia/Tokyo' })).toBe('2027-06-01T00:00:00.000Z');
    expect(when('2027-05-31T14:00:00Z', { zone: 'Asia/Dubai' })).toBe('2027-05-31T14:00:00.000Z');
  });

  it('send before them what is worth nothing in the morning, and nothing where that has passed', () => {
    const tonight = { notAfter: '2027-05-31T20:00:00Z' };
    expect(when('2027-05-31T17:30:00Z', tonight)).toBe('2027-05-31T16:30:00.000Z');
    expect(when('2027-05-31T17:30:00Z', { ...tonight, notBefore: '2027-05-31T17:00:00Z' })).toBeNull();
    // Due at two in the morning for an arrival at six: the evening before.
    expect(when('2027-05-30T22:00:00Z', { notAfter: '2027-05-31T02:00:00Z' })).toBe('2027-05-30T16:30:00.000Z');
  });

  it('end at nine by the clock on the mornings when the clocks change', () => {
    // Paris: forward on 2027-03-28, back on 2027-10-31.
    expect(when('2027-03-27T22:00:00Z', { zone: 'Europe/Paris' })).toBe('2027-03-28T07:00:00.000Z');
    expect(when('2027-10-30T22:00:00Z', { zone: 'Europe/Paris' })).toBe('2027-10-31T08:00:00.000Z');
  });

  it('may lie within one day, or not be at all', () => {
    const siesta = { ...QUIET, from: '13:00', to: '16:00', lastCall: '12:30' };
    expect(when('2027-05-31T10:00:00Z', { quiet: siesta })).toBe('2027-05-31T12:00:00.000Z');
    expect(when('2027-05-31T10:00:00Z', { quiet: siesta, notAfter: '2027-05-31T11:00:00Z' })).toBe(
      '2027-05-31T08:30:00.000Z',
    );
    expect(when('2027-05-31T18:00:00Z', { quiet: { ...QUIET, from: '09:00' } })).toBe('2027-05-31T18:00:00.000Z');
    expect(when('2027-05-31T18:00:00Z', { quiet: { ...QUIET, channels: [] } })).toBe('2027-05-31T18:00:00.000Z');
  });

  it('never let a message through that would wake somebody, nor later than it is worth something', () => {
    const zones = fc.constantFrom(
      'Asia/Dubai',
      'Europe/Paris',
      'America/St_Johns',
      'Pacific/Kiritimati',
      'Africa/Cairo',
    );
    const moment = fc.date({ min: at('2027-01-01'), max: at('2028-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(zones, moment, fc.integer({ min: 0, max: 48 * 60 }), (timeZone, due, minutes) => {
        const notAfter = new Date(due.getTime() + minutes * 60_000);
        const goes = outsideQuietHours(due, QUIET, { channel: 'SMS', timeZone, notBefore: at('2026-12-30'), notAfter });
        if (goes === null) return;
        const { hour } = Temporal.Instant.fromEpochMilliseconds(goes.getTime()).toZonedDateTimeISO(timeZone);
        expect(hour).toBeGreaterThanOrEqual(9);
        expect(hour).toBeLessThan(21);
        expect(goes.getTime()).toBeLessThanOrEqual(notAfter.getTime());
      }),
    );
  });
});
