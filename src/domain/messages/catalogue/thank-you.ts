import type { OrderedText } from '../../notifications/enqueue.ts';
import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL, whileStayIs } from './define.ts';
import { type StayParties, toGuest } from './deliveries.ts';

export const thankYou = defineMessage({
  event: 'THANK_YOU',
  cause: 'when the guest is checked out',
  to: { GUEST: { channels: MAIL, required: true } },
  variables: ['guestName', ...STAY],
  stillTrue: whileStayIs('CHECKED_OUT'),
  forecast: {
    on: 'CHECK_OUT',
    deliveries: (stay) => (['PENDING', 'CONFIRMED', 'CHECKED_IN'].includes(stay.status) ? thankYouMessages(stay) : []),
  },
  texts: {
    'thank-you.guest@1': {
      en: {
        subject: 'Thank you for staying at {propertyName}',
        message: `Dear {guestName},

Thank you for staying at {propertyName}. We hope that you liked it, and that we shall see you again.

Reservation {reservationId}`,
      },
      ar: {
        subject: 'شكراً لإقامتك في {propertyName}',
        message: `عزيزي {guestName}،

شكراً لإقامتك في {propertyName}. نرجو أن تكون قد نالت رضاك، ونتطلع إلى لقائك مجدداً.

رقم الحجز {reservationId}`,
      },
    },
  },
});

/** E-mail only. */
export const thankYouMessages = (stay: StayParties): readonly OrderedText[] =>
  toGuest(thankYou, 'thank-you.guest@1', { ...stay, guestHasPhone: false });
