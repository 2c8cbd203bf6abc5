import { type QueryCreator, sql } from 'kysely';
import type { FusedDatabase } from '../../../db/fused.ts';
import type { OrderedText } from '../../notifications/enqueue.ts';
import { takeBackMessages } from '../../notifications/store/order.ts';
import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL, MAIL_AND_SMS, whileStayIs } from './define.ts';
import { type StayParties, toGuest, toOwner } from './deliveries.ts';

export const reservationRolledBack = defineMessage({
  event: 'RESERVATION_ROLLED_BACK',
  cause: 'when a confirmation of which somebody was notified is undone',
  to: { GUEST: { channels: MAIL_AND_SMS, owed: true }, OWNER: { channels: MAIL } },
  variables: ['recipientName', ...STAY],
  // A stay that has been confirmed again meanwhile is not "no longer confirmed".
  stillTrue: whileStayIs('PENDING', 'CANCELLED'),
  texts: {
    'reservation-rolled-back.guest@1': {
      en: {
        subject: 'Your reservation is not confirmed - {propertyName}',
        message:
          'Dear {recipientName|Guest}, we told you that your reservation for {propertyName} from {checkInDate} is confirmed. ' +
          'It is not confirmed any more, and we are sorry. We will contact you about what happens next.',
      },
      ar: {
        subject: 'حجزك غير مؤكد - {propertyName}',
        message:
          'عزيزي {recipientName|الضيف}، أبلغناك بأن حجزك في {propertyName} ابتداءً من {checkInDate} مؤكد. ' +
          'لم يعد الحجز مؤكداً ونعتذر عن ذلك. سنتواصل معك بشأن الخطوة التالية.',
      },
    },
    'reservation-rolled-back.owner@1': {
      en: {
        subject: 'Reservation withdrawn - {propertyName}',
        message: `Dear {recipientName},

The reservation for {propertyName} from {checkInDate} to {checkOutDate}, which we announced to you, is not confirmed any more. The dates are free again.

Reservation {reservationId}`,
      },
      ar: {
        subject: 'سُحب الحجز - {propertyName}',
        message: `عزيزي {recipientName}،

الحجز الذي أبلغناك به في {propertyName} من {checkInDate} إلى {checkOutDate} لم يعد مؤكداً. الليالي متاحة من جديد.

رقم الحجز {reservationId}`,
      },
    },
  },
});

/** Takes the messages of a confirmation back; only where those had been committed. */
export const rollbackMessages = (stay: StayParties): readonly OrderedText[] => [
  ...toGuest(reservationRolledBack, 'reservation-rolled-back.guest@1', stay),
  toOwner(reservationRolledBack, 'reservation-rolled-back.owner@1', stay.ownerId),
];

/** The same to those to whom the messages of the saga have gone, in the statement that undoes the step. */
export const notifyRolledBack = (db: QueryCreator<FusedDatabase>) =>
  takeBackMessages(db, {
    event: sql`'RESERVATION_ROLLED_BACK'`,
    texts: sql`(VALUES ('GUEST', 'reservation-rolled-back.guest@1'), ('OWNER', 'reservation-rolled-back.owner@1'))`,
  });
