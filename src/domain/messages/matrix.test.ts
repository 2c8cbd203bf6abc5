import { describe, expect, it } from 'vitest';
import { ALERT_SUBJECTS, alertText } from '../notifications/alerts.ts';
import { deliveryKey, type OrderedText } from '../notifications/enqueue.ts';
import { countNotifications } from './catalogue/deliveries.ts';
import { paymentConfirmedMessages } from './catalogue/payment-confirmed.ts';
import { paymentFailedMessage } from './catalogue/payment-failed.ts';
import { payoutFailedMessage } from './catalogue/payout-failed.ts';
import { payoutProcessedMessage } from './catalogue/payout-processed.ts';
import { payoutScheduledMessage } from './catalogue/payout-scheduled.ts';
import { refundAffectsPayoutMessage } from './catalogue/refund-affects-payout.ts';
import { refundProcessedMessage } from './catalogue/refund-processed.ts';
import { cancelledMessages } from './catalogue/reservation-cancelled.ts';
import { confirmationMessages } from './catalogue/reservation-confirmed.ts';
import { rollbackMessages } from './catalogue/reservation-rolled-back.ts';
import { taskAssignedMessage } from './catalogue/task-assigned.ts';
import { taskStayCancelledMessage } from './catalogue/task-stay-cancelled.ts';
import { taskWithdrawnMessage } from './catalogue/task-withdrawn.ts';
import { templateOf } from './templates.ts';

const stay = { guestId: 'guest-1', guestHasPhone: true, ownerId: 'owner-1' };
const shape = (list: readonly OrderedText[]) =>
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

describe('who hears about money', () => {
  const paid = { amountMinor: 40_000, currency: 'AED' };

  it('confirms a payment to the guest by e-mail and SMS, with what is still to pay', () => {
    const list = paymentConfirmedMessages(stay, { ...paid, outstandingMinor: 60_000, receiptId: 'transaction-1' });
    expect(shape(list)).toEqual(['PAYMENT_CONFIRMED EMAIL GUEST guest-1', 'PAYMENT_CONFIRMED SMS GUEST guest-1']);
    const params = { amountMinor: 40_000, currency: 'AED', outstandingMinor: 60_000, receiptId: 'transaction-1' };
    expect(list).toMatchObject([
      { template: 'payment-receipt.guest@1', params },
      { template: 'payment-confirmed.guest@1', params },
    ]);
    const whole = paymentConfirmedMessages(stay, { ...paid, outstandingMinor: 0, receiptId: 'transaction-1' });
    expect(whole.map(({ template }) => template)).toEqual([
      'payment-receipt.guest@1',
      'payment-confirmed-in-full.guest@1',
    ]);
  });

  it('tells a failed payment by e-mail alone, with its code and no more', () => {
    expect(paymentFailedMessage(stay, { ...paid, code: 'CARD_DECLINED' })).toMatchObject({
      event: 'PAYMENT_FAILED',
      channel: 'EMAIL',
      recipientId: 'guest-1',
      params: { ...paid, code: 'CARD_DECLINED' },
    });
  });

  it('tells the owner of payouts, scheduled and processed being two events', () => {
    const scheduled = payoutScheduledMessage('owner-1', { ...paid, scheduledFor: '2027-05-03T11:00:00.000Z' });
    const processed = payoutProcessedMessage('owner-1', { ...paid, sagaId: 'saga-1' });
    const list = [scheduled, processed, payoutFailedMessage('owner-1', paid)];
    expect(shape(list)).toEqual([
      'PAYOUT_SCHEDULED EMAIL OWNER owner-1',
      'PAYOUT_PROCESSED EMAIL OWNER owner-1',
      'PAYOUT_FAILED EMAIL OWNER owner-1',
    ]);
    expect(scheduled.params).toEqual({ ...paid, scheduledFor: '2027-05-03T11:00:00.000Z' });
  });

  it('tells the guest of a refund that went out', () => {
    expect(shape([refundProcessedMessage(stay, paid)])).toEqual(['REFUND_PROCESSED EMAIL GUEST guest-1']);
  });
});

describe('who hears of a cancellation', () => {
  const refund = { amountMinor: 50_000, excessMinor: 0, percent: 50, currency: 'AED' };

  it('is the guest by e-mail and SMS with the refund as posted, and the owner by e-mail without it', () => {
    const list = cancelledMessages(stay, refund);
    expect(shape(list)).toEqual([
      'RESERVATION_CANCELLED EMAIL GUEST guest-1',
      'RESERVATION_CANCELLED SMS GUEST guest-1',
      'RESERVATION_CANCELLED EMAIL OWNER owner-1',
    ]);
    expect(cancelledMessages(stay, { ...refund, excessMinor: 1_000 })[0]).toMatchObject({
      template: 'reservation-cancelled-with-credit.guest@1',
      params: { amountMinor: 51_000, currency: 'AED' },
    });
    expect(list.map(({ params }) => params)).toEqual([
      { amountMinor: 50_000, percent: 50, currency: 'AED' },
      { amountMinor: 50_000, percent: 50, currency: 'AED' },
      {},
    ]);
    expect(countNotifications(list)).toBe(2);
  });

  it.each([0, 100])('says that nothing is refunded when nothing is, at %i percent', (percent) => {
    const [guest] = cancelledMessages(stay, { amountMinor: 0, excessMinor: 0, percent, currency: 'AED' });
    expect(guest).toMatchObject({ template: 'reservation-cancelled-no-refund.guest@1', params: {} });
  });

  it('has a key for each message of one step, however many go to one person', () => {
    const list = [
      ...cancelledMessages(stay, refund),
      refundAffectsPayoutMessage('owner-1', { amountMinor: 35_000, currency: 'AED' }),
      ...['task-1', 'task-2'].map((taskId) => taskWithdrawnMessage('sara', taskId)),
      taskWithdrawnMessage('clara', 'task-3'),
      taskStayCancelledMessage('sara', 'task-4'),
    ];
    const keys = list.map((delivery) => deliveryKey('saga-1-6-F', delivery));
    expect(new Set(keys).size).toBe(list.length);
    expect(keys).toContain('saga-1-6-F-EMAIL-STAFF-task-2');
    for (const { template, event, recipientType } of list)
      expect(templateOf(template)).toMatchObject({ event, recipientType });
  });

  it('asks for a retry only of a saga that waits for one', () => {
    const asking = ALERT_SUBJECTS.filter((about) =>
      JSON.stringify(templateOf(alertText(about).template)).includes('Retry or resolve'),
    );
    expect(asking).toEqual(['saga']);
  });

  it('never mixes up what one person is told about one task in two steps', () => {
    const assigned = { ...taskAssignedMessage('sara'), taskId: 'task-1' };
    expect(deliveryKey('saga-1-8-F', assigned)).not.toBe(
      deliveryKey('saga-2-6-F', taskWithdrawnMessage('sara', 'task-1')),
    );
  });
});

describe('what a row holds', () => {
  it('is amounts, codes and instants, and never a name', () => {
    const amount = { amountMinor: 1, currency: 'AED' };
    const list = [
      ...paymentConfirmedMessages(stay, { ...amount, outstandingMinor: 2, receiptId: 'transaction-1' }),
      ...cancelledMessages(stay, { amountMinor: 1, excessMinor: 0, percent: 100, currency: 'AED' }),
      paymentFailedMessage(stay, { ...amount, code: 'X' }),
      payoutScheduledMessage('owner-1', { ...amount, scheduledFor: '2027-05-03T11:00:00.000Z' }),
      refundAffectsPayoutMessage('owner-1', amount),
    ];
    const names = new Set(list.flatMap(({ params }) => Object.keys(params ?? {})));
    expect([...names].sort()).toEqual([
      'amountMinor',
      'code',
      'currency',
      'outstandingMinor',
      'percent',
      'receiptId',
      'scheduledFor',
    ]);
  });
});

describe('an alert', () => {
  it.each(ALERT_SUBJECTS)('about a %s has a text of the catalogue', (about) => {
    const { event, template, recipientType } = alertText(about);
    expect(templateOf(template)).toMatchObject({ event, recipientType });
  });
});
