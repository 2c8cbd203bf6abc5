import { sql } from 'kysely';
import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL, whileStayIs } from './define.ts';
import { planned } from './outlook.ts';

export const reviewRequest = defineMessage({
  event: 'REVIEW_REQUEST',
  cause: 'when its hour comes, after the departure',
  to: { GUEST: { channels: MAIL } },
  variables: ['guestName', ...STAY],
  isPlanned: true,
  loads: {
    // Found at the stay, or broken while it lasted.
    hasIncident: sql<boolean>`EXISTS (SELECT FROM task i WHERE i.property_id = r.property_id
        AND i.type IN ('EMERGENCY','MAINTENANCE') AND i.status IN ('UNASSIGNED','ASSIGNED','IN_PROGRESS') AND i.created_at >= r.actual_check_in_at
        AND (i.reservation_id = r.id OR i.type = 'EMERGENCY'))`,
  },
  stillTrue: whileStayIs('CHECKED_OUT'),
  notNeeded: ({ facts: { own }, conditions: { reviewDespiteIncident } }) =>
    own?.['hasIncident'] === true && !reviewDespiteIncident ? 'OPEN_INCIDENT' : null,
  forecast: planned('REVIEW_REQUEST'),
  texts: {
    'review-request.guest@1': {
      en: {
        subject: 'How was {propertyName}?',
        message: `Dear {guestName},

we hope that you liked {propertyName}. Would you tell us how it was? Just answer this message.

Reservation {reservationId}`,
      },
      ar: {
        subject: 'كيف كانت إقامتك في {propertyName}؟',
        message: `عزيزي {guestName}،

نرجو أن تكون {propertyName} قد أعجبتك. هل تخبرنا كيف كانت إقامتك؟ يكفي أن ترد على هذه الرسالة.

رقم الحجز {reservationId}`,
      },
    },
  },
});
