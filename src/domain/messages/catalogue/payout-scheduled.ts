import type { MessageParams, OrderedText } from '../../notifications/enqueue.ts';
import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL } from './define.ts';
import { type Amount, amountParams, toOwner } from './deliveries.ts';

export const payoutScheduled = defineMessage({
  event: 'PAYOUT_SCHEDULED',
  cause: 'when the guest pays; here in one sum',
  to: { OWNER: { channels: MAIL } },
  variables: ['recipientName', 'amount', 'scheduledFor', ...STAY],
  example: { amountMinor: 100_000, currency: 'AED', scheduledFor: '2027-06-14T20:00:00Z' },
  forecast: { on: 'PAYMENT', deliveries: ({ willBePaid, ownerId }) => (willBePaid ? [scheduledToOwner(ownerId)] : []) },
  texts: {
    'payout-scheduled.owner@1': {
      en: {
        subject: 'Payout scheduled - {propertyName}',
        message: `Dear {recipientName},

A guest has paid for a stay at {propertyName}.

Your payout: {amount}
Scheduled for: {scheduledFor}
Stay: {checkInDate} to {checkOutDate}

Reservation {reservationId}`,
      },
      ar: {
        subject: 'تمت جدولة دفعتك - {propertyName}',
        message: `عزيزي {recipientName}،

دفع أحد الضيوف قيمة إقامة في {propertyName}.

دفعتك: {amount}
موعدها: {scheduledFor}
الإقامة: من {checkInDate} إلى {checkOutDate}

رقم الحجز {reservationId}`,
      },
    },
  },
});

const scheduledToOwner = (ownerId: string, params: MessageParams = {}): OrderedText =>
  toOwner(payoutScheduled, 'payout-scheduled.owner@1', ownerId, params);

/** `scheduledFor`: an ISO instant. */
export const payoutScheduledMessage = (
  ownerId: string,
  payout: Amount & { readonly scheduledFor: string },
): OrderedText => scheduledToOwner(ownerId, { ...amountParams(payout), scheduledFor: payout.scheduledFor });
