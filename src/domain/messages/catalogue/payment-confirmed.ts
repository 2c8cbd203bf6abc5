import type { OrderedText } from '../../notifications/enqueue.ts';
import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL_AND_SMS } from './define.ts';
import { type Amount, amountParams, byMail, type StayParties, toGuest } from './deliveries.ts';

export const paymentConfirmed = defineMessage({
  event: 'PAYMENT_CONFIRMED',
  cause: 'when the guest pays; here in one sum',
  to: { GUEST: { channels: MAIL_AND_SMS, required: true, owed: true } },
  variables: ['guestName', 'amount', 'outstanding', 'receiptId', ...STAY],
  example: { amountMinor: 100_000, currency: 'AED', outstandingMinor: 60_000, receiptId: 'transaction-1' },
  forecast: { on: 'PAYMENT', deliveries: (stay) => (stay.willBePaid ? confirmedInFull(stay) : []) },
  texts: {
    'payment-confirmed.guest@1': {
      en: {
        subject: 'Payment received - {propertyName}',
        message:
          'Dear {guestName}, we received {amount} for your stay at {propertyName} from {checkInDate}. Still to pay: {outstanding}.',
      },
      ar: {
        subject: 'تم استلام الدفعة - {propertyName}',
        message:
          'عزيزي {guestName}، استلمنا {amount} عن إقامتك في {propertyName} ابتداءً من {checkInDate}. المبلغ المتبقي: {outstanding}.',
      },
    },
    'payment-confirmed-in-full.guest@1': {
      en: {
        subject: 'Payment received - {propertyName}',
        message:
          'Dear {guestName}, we received {amount} for your stay at {propertyName} from {checkInDate}. It is paid in full.',
      },
      ar: {
        subject: 'تم استلام الدفعة - {propertyName}',
        message:
          'عزيزي {guestName}، استلمنا {amount} عن إقامتك في {propertyName} ابتداءً من {checkInDate}. المبلغ مدفوع بالكامل.',
      },
    },
    'payment-receipt.guest@1': {
      smsText: 'payment-confirmed.guest@1',
      en: {
        subject: 'Payment received - {propertyName}',
        message: `Dear {guestName},

We received your payment for {propertyName}. Thank you.

Received: {amount}
Still to pay: {outstanding}
Stay: {checkInDate} to {checkOutDate}
Receipt: {receiptId}

Reservation {reservationId}`,
      },
      ar: {
        subject: 'تم استلام الدفعة - {propertyName}',
        message: `عزيزي {guestName}،

استلمنا دفعتك عن إقامتك في {propertyName}. شكراً لك.

المبلغ المستلم: {amount}
المبلغ المتبقي: {outstanding}
الإقامة: {checkInDate} إلى {checkOutDate}
رقم الإيصال: {receiptId}

رقم الحجز {reservationId}`,
      },
    },
  },
});

const confirmedInFull = (stay: StayParties): readonly OrderedText[] =>
  toGuest(paymentConfirmed, 'payment-confirmed-in-full.guest@1', stay);

/** A receipt by mail; an SMS has no room for one. `receiptId`: of the GUEST_PAYMENT. */
export const paymentConfirmedMessages = (
  stay: StayParties,
  paid: Amount & { readonly outstandingMinor: number; readonly receiptId: string },
): readonly OrderedText[] => {
  const { outstandingMinor, receiptId } = paid;
  const short = outstandingMinor === 0 ? 'payment-confirmed-in-full.guest@1' : 'payment-confirmed.guest@1';
  const params = { ...amountParams(paid), outstandingMinor, receiptId };
  return byMail(paymentConfirmed, 'payment-receipt.guest@1', toGuest(paymentConfirmed, short, stay, params));
};
