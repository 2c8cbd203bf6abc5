import { describe, expect, it } from 'vitest';
import { EVENT_SOURCES } from './sources.ts';
import { eventData } from './stored.ts';

/** Events of these fields are kept for a year and more: only what comes behind them may change. */
const KEPT: Readonly<Record<string, string>> = {
  reservation: 'status paymentStatus propertyId checkInDate checkOutDate version',
  task: 'status type occurrence propertyId assigneeId startsAt endsAt version',
  transaction: 'status type amountMinor amountDueMinor outstandingMinor currency version',
  payment: 'status amountMinor currency errorCode',
  dispute: 'status paymentId providerId amountMinor currency reason respondBy version',
  property: 'readiness version',
  saga: 'status name subjectType subjectId errorCode',
  notification: 'status event channel recipientType recipientId reason taskId',
  guest: 'version',
  owner: 'version',
  staff: 'version role active',
  difference: 'status kind movement gatewayId transactionId currency version',
};

describe('the data of an event as it is kept', () => {
  it.each(EVENT_SOURCES.map(({ resource, data }) => ({ resource, fields: Object.keys(data) })))(
    'has the fields of a $resource in the order that it began with',
    ({ resource, fields }) => {
      expect(`${fields.join(' ')} `).toMatch(new RegExp(`^${KEPT[resource]} `));
    },
  );

  it('is of one list of fields for each kind of record', () => {
    const resources = EVENT_SOURCES.map(({ resource }) => resource);
    expect(new Set(resources).size).toBe(resources.length);
  });

  it('has its names again when it is read', () => {
    expect(eventData('staff', [3, 'CLEANER', true])).toEqual({ version: 3, role: 'CLEANER', active: true });
  });

  it('has no field that came after it', () => {
    expect(eventData('staff', [3, 'CLEANER'])).toEqual({ version: 3, role: 'CLEANER' });
  });

  it('is as it was where it was kept with its names', () => {
    expect(eventData('staff', { version: 3 })).toEqual({ version: 3 });
  });
});
