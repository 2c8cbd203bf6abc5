import type { OrderedText } from '../../notifications/enqueue.ts';
import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL, whileStayIs } from './define.ts';
import { toOwner } from './deliveries.ts';

/** An owner learns nothing about the guest. */
export const newReservation = defineMessage({
  event: 'NEW_RESERVATION',
  cause: 'when the reservation is confirmed',
  to: { OWNER: { channels: MAIL, required: true } },
  variables: ['recipientName', 'ownerShare', ...STAY],
  stillTrue: whileStayIs('CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT'),
  forecast: {
    on: 'CONFIRM',
    deliveries: ({ status, ownerId }) => (status === 'PENDING' ? [newReservationMessage(ownerId)] : []),
  },
  texts: {
    'new-reservation.owner@1': {
      en: {
        subject: 'New reservation - {propertyName}',
        message: `Dear {recipientName},

{propertyName} has a new confirmed reservation.

Arrival: {checkInDate}, from {checkInTime}
Departure: {checkOutDate}, until {checkOutTime}
Your expected share: {ownerShare|will follow}

Reservation {reservationId}`,
      },
      ar: {
        subject: 'حجز جديد - {propertyName}',
        message: `عزيزي {recipientName}،

لديك حجز مؤكد جديد في {propertyName}.

الوصول: {checkInDate}، من الساعة {checkInTime}
المغادرة: {checkOutDate}، حتى الساعة {checkOutTime}
حصتك المتوقعة: {ownerShare|تُحدَّد لاحقاً}

رقم الحجز {reservationId}`,
      },
    },
  },
});

/** To the owner, about the stay of the row. */
export const newReservationMessage = (ownerId: string): OrderedText =>
  toOwner(newReservation, 'new-reservation.owner@1', ownerId);
