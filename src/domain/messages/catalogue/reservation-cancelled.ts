import type { OrderedText } from '../../notifications/enqueue.ts';
import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL, MAIL_AND_SMS } from './define.ts';
import { type StayParties, toGuest, toOwner } from './deliveries.ts';

export const reservationCancelled = defineMessage({
  event: 'RESERVATION_CANCELLED',
  cause: 'when the reservation is cancelled',
  to: { GUEST: { channels: MAIL_AND_SMS, owed: true }, OWNER: { channels: MAIL } },
  variables: ['guestName', 'recipientName', 'amount', 'refundPercent', ...STAY],
  example: { amountMinor: 100_000, currency: 'AED', percent: 25 },
  texts: {
    'reservation-cancelled.guest@1': {
      en: {
        subject: 'Reservation cancelled - {propertyName}',
        message:
          'Dear {guestName}, your reservation for {propertyName} from {checkInDate} is cancelled. We refund {amount} ({refundPercent} %).',
      },
      ar: {
        subject: 'تم إلغاء الحجز - {propertyName}',
        message:
          'عزيزي {guestName}، أُلغي حجزك في {propertyName} ابتداءً من {checkInDate}. نعيد إليك {amount} ({refundPercent} ٪).',
      },
    },
    /** The guest also gets back an overpayment, so the text names no percentage: it would not explain the amount. */
    'reservation-cancelled-with-credit.guest@1': {
      en: {
        subject: 'Reservation cancelled - {propertyName}',
        message:
          'Dear {guestName}, your reservation for {propertyName} from {checkInDate} is cancelled. We refund {amount}, with what you had paid too much.',
      },
      ar: {
        subject: 'تم إلغاء الحجز - {propertyName}',
        message:
          'عزيزي {guestName}، أُلغي حجزك في {propertyName} ابتداءً من {checkInDate}. نعيد إليك {amount}، بما في ذلك ما دفعته زيادة.',
      },
    },
    /** Nothing was paid, or the terms give nothing back. */
    'reservation-cancelled-no-refund.guest@1': {
      en: {
        subject: 'Reservation cancelled - {propertyName}',
        message:
          'Dear {guestName}, your reservation for {propertyName} from {checkInDate} is cancelled. Nothing is refunded.',
      },
      ar: {
        subject: 'تم إلغاء الحجز - {propertyName}',
        message: 'عزيزي {guestName}، أُلغي حجزك في {propertyName} ابتداءً من {checkInDate}. لا يوجد مبلغ مسترد.',
      },
    },
    'reservation-cancelled.owner@1': {
      en: {
        subject: 'Reservation cancelled - {propertyName}',
        message: `Dear {recipientName},

The reservation for {propertyName} from {checkInDate} to {checkOutDate} has been cancelled. The dates are free again.

Reservation {reservationId}`,
      },
      ar: {
        subject: 'تم إلغاء الحجز - {propertyName}',
        message: `عزيزي {recipientName}،

أُلغي الحجز في {propertyName} من {checkInDate} إلى {checkOutDate}. الليالي متاحة من جديد.

رقم الحجز {reservationId}`,
      },
    },
  },
});

/** The refund of a cancellation, in minor units. */
export interface CancellationRefund {
  /** By the cancellation policy. */
  readonly amountMinor: number;
  readonly percent: number;
  /** Paid over the balance, and given back in any case. */
  readonly excessMinor: number;
  readonly currency: string;
}

function cancelledToGuest(stay: StayParties, refund: CancellationRefund): readonly OrderedText[] {
  const { amountMinor, percent, excessMinor, currency } = refund;
  if (amountMinor + excessMinor === 0) {
    return toGuest(reservationCancelled, 'reservation-cancelled-no-refund.guest@1', stay);
  }
  if (excessMinor === 0) {
    return toGuest(reservationCancelled, 'reservation-cancelled.guest@1', stay, { amountMinor, currency, percent });
  }
  const all = { amountMinor: amountMinor + excessMinor, currency };
  return toGuest(reservationCancelled, 'reservation-cancelled-with-credit.guest@1', stay, all);
}

/** To the guest, who reads the refund to the minor unit that was posted, and to the owner. No guest: the owner alone. */
export const cancelledMessages = (stay: StayParties, refund: CancellationRefund): readonly OrderedText[] => [
  ...cancelledToGuest(stay, refund),
  toOwner(reservationCancelled, 'reservation-cancelled.owner@1', stay.ownerId),
];
