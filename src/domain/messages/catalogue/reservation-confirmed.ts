import type { OrderedText } from '../../notifications/enqueue.ts';
import { amountOutstandingOf } from '../../reservations/payment-status.ts';
import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL_AND_SMS, whileStayIs } from './define.ts';
import { byMail, type StayParties, toGuest } from './deliveries.ts';
import { newReservationMessage } from './new-reservation.ts';

const DETAILS = {
  en: {
    subject: 'Reservation Confirmed - {propertyName}',
    message: `Dear {guestName}, your reservation for {propertyName} is confirmed for {checkInDate}.

Arrival: {checkInDate}, from {arrivalTime}
Departure: {checkOutDate}, until {departureTime}
Address: {address}

Price: {price}
Paid: {paid}
Still to pay: {outstanding}

If you cancel: {refundTerms}

Questions: {contact|just answer this message}
Reservation: {reservationId}`,
  },
  ar: {
    subject: 'تم تأكيد الحجز - {propertyName}',
    message: `عزيزي {guestName}، تم تأكيد حجزك في {propertyName} بتاريخ {checkInDate}.

الوصول: {checkInDate}، من الساعة {arrivalTime}
المغادرة: {checkOutDate}، حتى الساعة {departureTime}
العنوان: {address}

السعر: {price}
المدفوع: {paid}
المبلغ المتبقي: {outstanding}

عند الإلغاء: {refundTerms}

للاستفسار: {contact|يكفي الرد على هذه الرسالة}
رقم الحجز: {reservationId}`,
  },
};

export const reservationConfirmed = defineMessage({
  event: 'RESERVATION_CONFIRMED',
  cause: 'when the reservation is confirmed',
  to: { GUEST: { channels: MAIL_AND_SMS, required: true, owed: true } },
  variables: [
    'guestName',
    'arrivalTime',
    'departureTime',
    'address',
    'price',
    'paid',
    'outstanding',
    'refundTerms',
    'contact',
    'stayUrl',
    ...STAY,
  ],
  example: { outstandingMinor: 60_000, currency: 'AED' },
  loads: { outstandingMinor: amountOutstandingOf('r') },
  stillTrue: whileStayIs('CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT'),
  forecast: { on: 'CONFIRM', deliveries: (stay) => (stay.status === 'PENDING' ? confirmedToGuest(stay) : []) },
  texts: {
    /** The brief's own text. */
    'reservation-confirmed.guest@1': {
      en: {
        subject: 'Reservation Confirmed - {propertyName}',
        message: 'Dear {guestName}, your reservation for {propertyName} is confirmed for {checkInDate}.',
      },
      ar: {
        subject: 'تم تأكيد الحجز - {propertyName}',
        message: 'عزيزي {guestName}، تم تأكيد حجزك في {propertyName} بتاريخ {checkInDate}.',
      },
    },
    /** The brief's sentence, and the details that a guest looks up later. */
    'reservation-confirmed-details.guest@1': {
      smsText: 'reservation-confirmed.guest@1',
      savedBefore: 'reservation-confirmed.guest@1',
      ...DETAILS,
    },
    /** The same, with the link to the page of the stay. */
    'reservation-confirmed-details.guest@2': {
      smsText: 'reservation-confirmed.guest@1',
      savedBefore: 'reservation-confirmed-details.guest@1',
      en: { ...DETAILS.en, message: `${DETAILS.en.message}\n\nYour stay online: {stayUrl}` },
      ar: { ...DETAILS.ar, message: `${DETAILS.ar.message}\n\nإقامتك على الإنترنت: {stayUrl}` },
    },
  },
});

const confirmedToGuest = (stay: StayParties): readonly OrderedText[] =>
  byMail(
    reservationConfirmed,
    'reservation-confirmed-details.guest@2',
    toGuest(reservationConfirmed, 'reservation-confirmed.guest@1', stay),
  );

/** A confirmed reservation: to the guest by e-mail and, with a phone, by SMS; to the owner by e-mail. */
export const confirmationMessages = (stay: StayParties): readonly OrderedText[] => [
  ...confirmedToGuest(stay),
  newReservationMessage(stay.ownerId),
];
