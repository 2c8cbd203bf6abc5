import { sql } from 'kysely';
import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL, whileStayIs } from './define.ts';
import { planned } from './outlook.ts';

/** The payment of the stay that is not over. */
const PAYMENT = sql`transaction x WHERE x.reservation_id = n.reservation_id AND x.type = 'GUEST_PAYMENT' AND x.parent_id IS NULL
  AND x.status NOT IN ('FAILED','CANCELLED','REVERSED')`;

export const paymentDue = defineMessage({
  event: 'PAYMENT_DUE',
  cause: 'when its hour comes, so many days before the arrival',
  to: { GUEST: { channels: MAIL } },
  variables: ['guestName', 'outstanding', ...STAY],
  example: { outstandingMinor: 60_000, currency: 'AED' },
  isPlanned: true,
  loads: {
    // Owed now: the message was ordered weeks ago.
    outstandingMinor: sql<number | null>`(SELECT x.outstanding_minor FROM ${PAYMENT})`,
    isPaid: sql<boolean>`NOT EXISTS (SELECT FROM ${PAYMENT} AND x.outstanding_minor > 0)`,
  },
  stillTrue: whileStayIs('CONFIRMED'),
  notNeeded: ({ facts: { own } }) => (own?.['isPaid'] === true ? 'PAID' : null),
  forecast: planned('PAYMENT_DUE'),
  texts: {
    'payment-due.guest@1': {
      en: {
        subject: 'Still to pay for {propertyName}: {outstanding}',
        message: `Dear {guestName},

your stay at {propertyName} begins on {checkInDate}. {outstanding} is still to be paid.

Reservation {reservationId}`,
      },
      ar: {
        subject: 'مبلغ متبقٍ لإقامتك في {propertyName}: {outstanding}',
        message: `عزيزي {guestName}،

تبدأ إقامتك في {propertyName} بتاريخ {checkInDate}. ما زال المبلغ {outstanding} مستحقاً.

رقم الحجز {reservationId}`,
      },
    },
  },
});
