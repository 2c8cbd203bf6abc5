import type { OrderedText } from '../../notifications/enqueue.ts';
import { type AccountOf, toAccount } from './account-mail.ts';
import { defineMessage, MAIL, type MessageText } from './define.ts';

const TO = { channels: MAIL, required: true, owed: true } as const;
const TEXT: MessageText = {
  en: {
    subject: 'Wrong codes at your sign-in',
    message: `Dear {accountName},

Many wrong codes of an authenticator app were given for your account. For some time no code counts; a passkey does.

If it was not you, somebody can read your mail or was at a device of yours: sign out everywhere on the page of your account, and call us at once.`,
  },
  ar: {
    subject: 'رموز خاطئة عند تسجيل الدخول',
    message: `عزيزي {accountName}،

أُدخلت رموز خاطئة كثيرة من تطبيق المصادقة لحسابك. لن يُقبل أي رمز لبعض الوقت، أما مفتاح المرور فيُقبل.

إذا لم تكن أنت، فقد يكون شخص ما قادراً على قراءة بريدك أو استخدم أحد أجهزتك: سجّل الخروج من كل الأجهزة من صفحة حسابك، واتصل بنا فوراً.`,
  },
};

export const secondFactorPaused = defineMessage({
  event: 'SECOND_FACTOR_PAUSED',
  cause: 'when ten wrong codes of a second factor were given for an account',
  to: { GUEST: TO, OWNER: TO, STAFF: TO, OPS: TO },
  variables: ['accountName'],
  // Whoever gave no code should know at once.
  atAnyHour: true,
  countsApart: true,
  texts: {
    'second-factor-paused.guest@1': TEXT,
    'second-factor-paused.owner@1': TEXT,
    'second-factor-paused.staff@1': TEXT,
    'second-factor-paused.ops@1': TEXT,
  },
});

/** To the address of the account, whoever its record is. */
export const secondFactorPausedMessage = (account: AccountOf): OrderedText =>
  toAccount(secondFactorPaused, 'second-factor-paused', account, {});
