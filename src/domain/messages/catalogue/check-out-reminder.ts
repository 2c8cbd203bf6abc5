import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL_AND_SMS, whileStayIs } from './define.ts';
import { planned } from './outlook.ts';

export const checkOutReminder = defineMessage({
  event: 'CHECK_OUT_REMINDER',
  cause: 'when its hour comes, on the day before the departure',
  to: { GUEST: { channels: MAIL_AND_SMS, required: true } },
  variables: ['guestName', ...STAY],
  isPlanned: true,
  // A guest who arrives in the evening of the only night is not checked in yet when this goes.
  stillTrue: whileStayIs('CONFIRMED', 'CHECKED_IN'),
  forecast: planned('CHECK_OUT_REMINDER'),
  texts: {
    // Who arrives in the evening of the only night is not checked in yet when this goes.
    'check-out-reminder.guest@1': {
      en: {
        subject: 'Your departure from {propertyName}: {checkOutDate}',
        message:
          'Dear {guestName}, your stay at {propertyName} ends on {checkOutDate}. Please check out by {checkOutTime}.',
      },
      ar: {
        subject: 'مغادرتك {propertyName}: {checkOutDate}',
        message:
          'عزيزي {guestName}، تنتهي إقامتك في {propertyName} بتاريخ {checkOutDate}. نرجو تسجيل المغادرة قبل الساعة {checkOutTime}.',
      },
    },
  },
});
