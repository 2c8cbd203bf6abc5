import { describe, expect, it } from 'vitest';
import { planCorrection, planReminders, type ReminderRules, type StayToRemind } from './reminder-plan.ts';

const RULES: ReminderRules = {
  quiet: { from: '21:00', to: '09:00', lastCall: '20:30', channels: ['SMS'] },
  reviewDelayHours: 24,
};
const DUBAI: StayToRemind = {
  status: 'CONFIRMED',
  checkInDate: '2027-06-01',
  checkOutDate: '2027-06-04',
  plannedArrival: null,
  plannedDeparture: null,
  clock: { timeZone: 'Asia/Dubai', checkInTime: '15:00', checkOutTime: '11:00', cleaningMinutes: 120 },
  checkInReminderTime: '10:00',
  checkOutReminderTime: '18:00',
  paymentDueDays: 3,
  confirmedAt: new Date('2027-05-01T08:00:00Z'),
  checkedOutAt: null,
  guest: { hasPhone: true, timeZone: null },
};
const planOf = (change: Partial<StayToRemind> = {}, asOf?: string) => {
  const stay = { ...DUBAI, ...change };
  return planReminders(stay, RULES, asOf === undefined ? stay.confirmedAt : new Date(asOf)).map(
    ({ event, channel, dueAt, skipped }) => `${event} ${channel} ${skipped ?? dueAt.toISOString()}`,
  );
};

describe('the reminders of a stay', () => {
  it('are due on the property’s clock, the day before the arrival and on the eve of the departure', () => {
    expect(planOf()).toEqual([
      'PAYMENT_DUE EMAIL 2027-05-29T06:00:00.000Z',
      'CHECK_IN_REMINDER EMAIL 2027-05-31T06:00:00.000Z',
      'CHECK_IN_REMINDER SMS 2027-05-31T06:00:00.000Z',
      'CHECK_OUT_REMINDER EMAIL 2027-06-03T14:00:00.000Z',
      'CHECK_OUT_REMINDER SMS 2027-06-03T14:00:00.000Z',
    ]);
  });

  it('say what they are about, until when, and why then', () => {
    const [, checkIn] = planReminders(DUBAI, RULES, DUBAI.confirmedAt);
    expect(checkIn).toEqual({
      event: 'CHECK_IN_REMINDER',
      channel: 'EMAIL',
      about: '2027-06-01',
      dueAt: new Date('2027-05-31T06:00:00Z'),
      notAfter: new Date('2027-06-01T11:00:00Z'),
      rule: '2027-05-31T10:00[Asia/Dubai]',
      skipped: null,
    });
  });

  it('keep their local time over both changes of the clocks', () => {
    const clock = { ...DUBAI.clock, timeZone: 'Europe/Paris' };
    const confirmedAt = new Date('2027-01-01T00:00:00Z');
    const paris = { clock, guest: { hasPhone: false, timeZone: null }, paymentDueDays: null, confirmedAt };
    expect(planOf({ ...paris, checkInDate: '2027-03-28', checkOutDate: '2027-03-29' })).toEqual([
      'CHECK_IN_REMINDER EMAIL 2027-03-27T09:00:00.000Z',
      'CHECK_OUT_REMINDER EMAIL 2027-03-28T16:00:00.000Z',
    ]);
    expect(planOf({ ...paris, checkInDate: '2027-10-31', checkOutDate: '2027-11-01' })).toEqual([
      'CHECK_IN_REMINDER EMAIL 2027-10-30T08:00:00.000Z',
      'CHECK_OUT_REMINDER EMAIL 2027-10-31T17:00:00.000Z',
    ]);
  });

  it('go half an hour after a late booking, if two hours are left', () => {
    const late = { confirmedAt: new Date('2027-06-01T08:00:00Z') };
    expect(planOf(late)).toEqual([
      'PAYMENT_DUE EMAIL TOO_LATE',
      'CHECK_IN_REMINDER EMAIL 2027-06-01T08:30:00.000Z',
      'CHECK_IN_REMINDER SMS 2027-06-01T08:30:00.000Z',
      'CHECK_OUT_REMINDER EMAIL 2027-06-03T14:00:00.000Z',
      'CHECK_OUT_REMINDER SMS 2027-06-03T14:00:00.000Z',
    ]);
    expect(planOf({ confirmedAt: new Date('2027-06-01T09:00:00Z') })).toContain(
      'CHECK_IN_REMINDER EMAIL 2027-06-01T09:30:00.000Z',
    );
    expect(planOf({ confirmedAt: new Date('2027-06-01T09:00:01Z') })).toContain('CHECK_IN_REMINDER EMAIL TOO_LATE');
    expect(planOf({ confirmedAt: new Date('2027-06-03T14:00:01Z') })).toEqual([
      'PAYMENT_DUE EMAIL TOO_LATE',
      'CHECK_IN_REMINDER EMAIL TOO_LATE',
      'CHECK_IN_REMINDER SMS TOO_LATE',
      'CHECK_OUT_REMINDER EMAIL TOO_LATE',
      'CHECK_OUT_REMINDER SMS TOO_LATE',
    ]);
  });

  it('do not wake the guest, wherever the guest is', () => {
    const away = { guest: { hasPhone: true, timeZone: 'America/Los_Angeles' } };
    expect(planOf(away)).toEqual([
      'PAYMENT_DUE EMAIL 2027-05-29T06:00:00.000Z',
      'CHECK_IN_REMINDER EMAIL 2027-05-31T06:00:00.000Z',
      // 23:00 there: 09:00 on the next morning.
      'CHECK_IN_REMINDER SMS 2027-05-31T16:00:00.000Z',
      'CHECK_OUT_REMINDER EMAIL 2027-06-03T14:00:00.000Z',
      'CHECK_OUT_REMINDER SMS 2027-06-03T16:00:00.000Z',
    ]);
    // Booked at 20:45 for an arrival at 23:30: half an hour later nobody is to be woken, and the morning is too late.
    const tonight = { plannedArrival: '23:30', confirmedAt: new Date('2027-06-01T16:45:00Z') };
    expect(planOf(tonight)).toContain('CHECK_IN_REMINDER SMS QUIET_HOURS');
    expect(planOf(tonight)).toContain('CHECK_IN_REMINDER EMAIL 2027-06-01T17:15:00.000Z');
  });

  it('go by the hours of the property, and of the guest’s own plan', () => {
    const stay = { checkInReminderTime: '08:00', checkOutReminderTime: '19:30', paymentDueDays: null };
    expect(planOf({ ...stay, guest: { hasPhone: false, timeZone: null } })).toEqual([
      'CHECK_IN_REMINDER EMAIL 2027-05-31T04:00:00.000Z',
      'CHECK_OUT_REMINDER EMAIL 2027-06-03T15:30:00.000Z',
    ]);
    const [checkIn] = planReminders({ ...DUBAI, ...stay, plannedArrival: '20:00' }, RULES, DUBAI.confirmedAt);
    expect(checkIn?.notAfter.toISOString()).toBe('2027-06-01T16:00:00.000Z');
  });

  it('of the arrival end with it, and those of a cancelled stay at once', () => {
    expect(planOf({ status: 'CHECKED_IN' })).toEqual([
      'CHECK_OUT_REMINDER EMAIL 2027-06-03T14:00:00.000Z',
      'CHECK_OUT_REMINDER SMS 2027-06-03T14:00:00.000Z',
    ]);
    for (const status of ['PENDING', 'CANCELLED', 'NO_SHOW'] as const) expect(planOf({ status })).toEqual([]);
  });

  it('ask for a review at ten, a day or more after the guest has left', () => {
    const left = (at: string) => planOf({ status: 'CHECKED_OUT', checkedOutAt: new Date(at) });
    expect(left('2027-06-04T07:00:00Z')).toEqual(['REVIEW_REQUEST EMAIL 2027-06-06T06:00:00.000Z']);
    expect(left('2027-06-04T06:00:00Z')).toEqual(['REVIEW_REQUEST EMAIL 2027-06-05T06:00:00.000Z']);
    expect(planOf({ status: 'CHECKED_OUT' })).toEqual([]);
  });

  it('that told another time go again at once, and wake nobody', () => {
    const correctedAt = (asOf: string) =>
      planReminders(DUBAI, RULES, DUBAI.confirmedAt)
        .filter(({ event }) => event === 'CHECK_OUT_REMINDER')
        .map((reminder) => planCorrection(DUBAI, RULES, new Date(asOf), reminder))
        .map(({ channel, dueAt, skipped }) => `${channel} ${skipped ?? dueAt.toISOString()}`);
    expect(correctedAt('2027-06-03T15:00:00Z')).toEqual([
      'EMAIL 2027-06-03T15:00:00.000Z',
      'SMS 2027-06-03T15:00:00.000Z',
    ]);
    // 22:00 in Dubai: the morning is still early enough for a departure at 11:00.
    expect(correctedAt('2027-06-03T18:00:00Z')).toEqual([
      'EMAIL 2027-06-03T18:00:00.000Z',
      'SMS 2027-06-04T05:00:00.000Z',
    ]);
  });
});
