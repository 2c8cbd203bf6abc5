import { describe, expect, it } from 'vitest';
import { confirmationMessages, countNotifications, deliveryKey, rollbackMessages } from './matrix.ts';
import { templateOf } from './templates.ts';

const stay = { guestId: 'guest-1', guestHasPhone: true, ownerId: 'owner-1' };
const shape = (list: ReturnType<typeof confirmationMessages>) =>
  list.map(({ event, channel, recipientType, recipientId }) => `${event} ${channel} ${recipientType} ${recipientId}`);

describe('who gets what', () => {
  it('confirms to the guest by e-mail and SMS, and to the owner by e-mail', () => {
    expect(shape(confirmationMessages(stay))).toEqual([
      'RESERVATION_CONFIRMED EMAIL GUEST guest-1',
      'RESERVATION_CONFIRMED SMS GUEST guest-1',
      'NEW_RESERVATION EMAIL OWNER owner-1',
    ]);
  });

  it('counts a message by event and recipient, not by channel', () => {
    expect(countNotifications(confirmationMessages(stay))).toBe(2);
    expect(countNotifications(confirmationMessages({ ...stay, guestId: null }))).toBe(1);
    expect(countNotifications([])).toBe(0);
  });

  it('sends no SMS to a guest without a phone', () => {
    const list = confirmationMessages({ ...stay, guestHasPhone: false });
    expect(list.map(({ channel }) => channel)).toEqual(['EMAIL', 'EMAIL']);
    expect(countNotifications(list)).toBe(2);
  });

  it('takes back at the same addresses what it said', () => {
    expect(shape(rollbackMessages(stay))).toEqual([
      'RESERVATION_ROLLED_BACK EMAIL GUEST guest-1',
      'RESERVATION_ROLLED_BACK SMS GUEST guest-1',
      'RESERVATION_ROLLED_BACK EMAIL OWNER owner-1',
    ]);
  });

  it('gives each message of a step its own key, and a template made for its recipient', () => {
    for (const list of [confirmationMessages(stay), rollbackMessages(stay)]) {
      const keys = list.map((delivery) => deliveryKey('saga-1-8-F', delivery));
      expect(new Set(keys).size).toBe(list.length);
      expect(keys[0]).toBe('saga-1-8-F-EMAIL-GUEST');
      for (const { template, event, recipientType } of list)
        expect(templateOf(template)).toMatchObject({ event, recipientType });
    }
  });
});
