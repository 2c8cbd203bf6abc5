import type { OrderedText } from '../../notifications/enqueue.ts';
import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL_AND_SMS, whileStayIs } from './define.ts';
import { type StayParties, toGuest } from './deliveries.ts';

export const welcome = defineMessage({
  event: 'WELCOME',
  cause: 'when the guest is checked in',
  to: { GUEST: { channels: MAIL_AND_SMS, owed: true } },
  variables: ['guestName', 'accessCode', ...STAY],
  stillTrue: whileStayIs('CHECKED_IN'),
  // It opens a door.
  atAnyHour: true,
  forecast: {
    on: 'CHECK_IN',
    deliveries: (stay) =>
      stay.status === 'PENDING' || stay.status === 'CONFIRMED' ? welcomeMessages(stay, stay.hasDevice) : [],
  },
  texts: {
    'welcome.guest@1': {
      en: {
        subject: 'Welcome to {propertyName}',
        message:
          'Dear {guestName}, welcome to {propertyName}. Your door code is {accessCode}. It works until you leave: {checkOutDate}, {checkOutTime}.',
      },
      ar: {
        subject: 'أهلاً بك في {propertyName}',
        message:
          'عزيزي {guestName}، أهلاً بك في {propertyName}. رمز الباب هو {accessCode}. يعمل الرمز حتى مغادرتك: {checkOutDate}، {checkOutTime}.',
      },
    },
    'welcome-without-code.guest@1': {
      en: {
        subject: 'Welcome to {propertyName}',
        message:
          'Dear {guestName}, welcome to {propertyName}. We wish you a pleasant stay, until {checkOutDate}, {checkOutTime}.',
      },
      ar: {
        subject: 'أهلاً بك في {propertyName}',
        message:
          'عزيزي {guestName}، أهلاً بك في {propertyName}. نتمنى لك إقامة طيبة حتى {checkOutDate}، {checkOutTime}.',
      },
    },
  },
});

/** With the code that opens the door, where there is one; the message waits for it rather than go without. */
export const welcomeMessages = (stay: StayParties, hasCode: boolean): readonly OrderedText[] =>
  toGuest(welcome, hasCode ? 'welcome.guest@1' : 'welcome-without-code.guest@1', stay);
