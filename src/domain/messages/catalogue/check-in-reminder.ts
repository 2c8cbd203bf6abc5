import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL_AND_SMS, whileStayIs } from './define.ts';
import { planned } from './outlook.ts';

export const checkInReminder = defineMessage({
  event: 'CHECK_IN_REMINDER',
  cause: 'when its hour comes, on the day before the arrival',
  to: { GUEST: { channels: MAIL_AND_SMS, required: true } },
  variables: ['guestName', ...STAY],
  isPlanned: true,
  stillTrue: whileStayIs('CONFIRMED'),
  forecast: planned('CHECK_IN_REMINDER'),
  texts: {
    'check-in-reminder.guest@1': {
      en: {
        subject: 'Your arrival at {propertyName}: {checkInDate}',
        message:
          'Dear {guestName}, your stay at {propertyName} begins on {checkInDate}. You can check in from {checkInTime}.',
      },
      ar: {
        subject: 'وصولك إلى {propertyName}: {checkInDate}',
        message:
          'عزيزي {guestName}، تبدأ إقامتك في {propertyName} بتاريخ {checkInDate}. يمكنك تسجيل الوصول من الساعة {checkInTime}.',
      },
    },
  },
});
