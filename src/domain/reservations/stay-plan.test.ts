import { describe, expect, it } from 'vitest';
import { localDate, meetingInstant } from '../../kernel/local-time.ts';
import { planCleaningAfter, planStay } from './stay-plan.ts';

const clock = { timeZone: 'Asia/Dubai', checkInTime: '15:00', checkOutTime: '11:00', cleaningMinutes: 120 };
const stay = { checkInDate: '2024-02-01', checkOutDate: '2024-02-03', plannedArrival: null, plannedDeparture: null };

describe('the four tasks of a stay', () => {
  it('are due at the local times of the property', () => {
    const plan = planStay(stay, clock);
    expect(plan.preArrivalCleaning.scheduledAt).toBe('2024-01-31T11:00:00.000Z');
    expect(plan.preArrivalCleaning.endsAt).toBe('2024-01-31T13:00:00.000Z');
    expect(plan.preArrivalCleaning.mustFinishBy).toBe('2024-02-01T11:00:00.000Z');
    expect(plan.checkIn.scheduledAt).toBe('2024-02-01T11:00:00.000Z');
    expect(plan.checkOut.scheduledAt).toBe('2024-02-03T07:00:00.000Z');
    expect(plan.postDepartureCleaning.scheduledAt).toBe('2024-02-03T09:00:00.000Z');
  });

  it('cleans one calendar day before at the same wall time, although the clocks change that night', () => {
    const plan = planStay(
      { ...stay, checkInDate: '2024-03-31', checkOutDate: '2024-04-02' },
      { ...clock, timeZone: 'Europe/Paris' },
    );
    expect(plan.checkIn.scheduledAt).toBe('2024-03-31T13:00:00.000Z');
    expect(plan.preArrivalCleaning.scheduledAt).toBe('2024-03-30T14:00:00.000Z');
  });

  it('cleans two elapsed hours after the check-out, across a change of the clocks', () => {
    const plan = planStay(
      { ...stay, checkInDate: '2024-10-25', checkOutDate: '2024-10-27' },
      { ...clock, timeZone: 'Europe/Paris', checkOutTime: '01:30' },
    );
    expect(plan.checkOut.scheduledAt).toBe('2024-10-26T23:30:00.000Z');
    expect(plan.postDepartureCleaning.scheduledAt).toBe('2024-10-27T01:30:00.000Z');
  });

  it.each([
    ['Europe/Paris', '2024-03-31', '02:30', '2024-03-31T01:30:00.000Z'],
    ['Europe/Paris', '2024-10-27', '02:30', '2024-10-27T00:30:00.000Z'],
    ['Africa/Cairo', '2024-04-26', '00:30', '2024-04-25T22:30:00.000Z'],
  ])('resolves %s %s %s as domain.md 10 says', (timeZone, checkInDate, checkInTime, instant) => {
    const plan = planStay({ ...stay, checkInDate, checkOutDate: '2024-12-01' }, { ...clock, timeZone, checkInTime });
    expect(plan.checkIn.scheduledAt).toBe(instant);
  });

  it('meets the guest at the planned arrival and departure', () => {
    const plan = planStay({ ...stay, plannedArrival: '2024-02-02T01:15', plannedDeparture: '09:00' }, clock);
    expect(plan.checkIn.scheduledAt).toBe('2024-02-01T21:15:00.000Z');
    expect(plan.checkOut.scheduledAt).toBe('2024-02-03T05:00:00.000Z');
    expect(plan.postDepartureCleaning.scheduledAt).toBe('2024-02-03T07:00:00.000Z');
    expect(plan.preArrivalCleaning.scheduledAt).toBe('2024-01-31T11:00:00.000Z');
    expect(plan.preArrivalCleaning.mustFinishBy).toBe(plan.checkIn.scheduledAt);
  });

  it('has been cleaned when the guest comes sooner than usual', () => {
    const { preArrivalCleaning } = planStay({ ...stay, plannedArrival: '12:00' }, clock);
    expect(preArrivalCleaning).toMatchObject({
      scheduledAt: '2024-01-31T11:00:00.000Z',
      mustFinishBy: '2024-02-01T08:00:00.000Z',
    });
    expect(meetingInstant('2024-02-01', '12:00', 'Asia/Dubai')).toBe(preArrivalCleaning.mustFinishBy);
    expect(meetingInstant('2024-02-01', '2024-02-02T01:15', 'Asia/Dubai')).toBe('2024-02-01T21:15:00.000Z');
  });
});

describe('localDate', () => {
  it('is the calendar day at the property', () => {
    expect(localDate(new Date('2024-02-03T19:59:59.999Z'), 'Asia/Dubai')).toBe('2024-02-03');
    expect(localDate(new Date('2024-02-03T20:00:00.000Z'), 'Asia/Dubai')).toBe('2024-02-04');
  });
});

describe('the cleaning after a departure as it was', () => {
  it('is two elapsed hours later, also on the night when clocks change', () => {
    const paris = { ...clock, timeZone: 'Europe/Paris' };
    const cleaning = planCleaningAfter('2024-03-31T00:30:00.000Z', paris);
    expect(cleaning).toMatchObject({
      scheduledAt: '2024-03-31T02:30:00.000Z',
      localRule: '2024-03-31T01:30[Europe/Paris]+PT7200S',
    });
  });
});
