import type { OrderedText } from '../../notifications/enqueue.ts';
import { type AccountOf, toAccount } from './account-mail.ts';
import { defineMessage, MAIL, type MessageText } from './define.ts';

const TO = { channels: MAIL, required: true, owed: true } as const;
const FORMER: MessageText = {
  en: {
    subject: 'Your e-mail address was changed',
    message: `Dear {accountName},

An administrator has changed the address with which you sign in: it is not this one any more. Links that were sent here do not open, and you were signed out everywhere.

If you did not ask for this, call us at once.`,
  },
  ar: {
    subject: 'تم تغيير بريدك الإلكتروني',
    message: `عزيزي {accountName}،

غيّر أحد المسؤولين البريد الإلكتروني الذي تسجل الدخول به، ولم يعد هذا البريد صالحاً لذلك. لا تعمل الروابط التي أُرسلت إليه، وتم تسجيل خروجك من كل الأجهزة.

إذا لم تكن أنت من طلب ذلك، فاتصل بنا فوراً.`,
  },
};
const NEW: MessageText = {
  en: {
    subject: 'You sign in with this e-mail address now',
    message: `Dear {accountName},

An administrator has changed the address with which you sign in to Roomy: from now on it is this one. You were signed out everywhere.

If you did not ask for this, call us at once.`,
  },
  ar: {
    subject: 'تسجل الدخول الآن بهذا البريد الإلكتروني',
    message: `عزيزي {accountName}،

غيّر أحد المسؤولين البريد الإلكتروني الذي تسجل الدخول به إلى رومي: من الآن فصاعداً هو هذا البريد. تم تسجيل خروجك من كل الأجهزة.

إذا لم تكن أنت من طلب ذلك، فاتصل بنا فوراً.`,
  },
};

export const accountEmailChanged = defineMessage({
  event: 'ACCOUNT_EMAIL_CHANGED',
  cause: 'when an administrator gives an account another e-mail address: to the one before, and to the new one',
  to: { GUEST: TO, OWNER: TO, STAFF: TO, OPS: TO },
  variables: ['accountName'],
  // Whoever did not want it should know at once, and many other messages must not keep it back.
  atAnyHour: true,
  countsApart: true,
  texts: {
    'account-email-before.guest@1': FORMER,
    'account-email-before.owner@1': FORMER,
    'account-email-before.staff@1': FORMER,
    'account-email-before.ops@1': FORMER,
    'account-email-changed.guest@1': NEW,
    'account-email-changed.owner@1': NEW,
    'account-email-changed.staff@1': NEW,
    'account-email-changed.ops@1': NEW,
  },
});

/** Two addresses, sealed for the account: that of the row is another one by the time of a second change. */
export const accountEmailChangedMessages = (
  account: AccountOf,
  sealed: { readonly former: string; readonly current: string },
): readonly OrderedText[] => [
  {
    ...toAccount(accountEmailChanged, 'account-email-before', account, { sealedAddress: sealed.former }),
    occasion: 'former',
  },
  {
    ...toAccount(accountEmailChanged, 'account-email-changed', account, { sealedAddress: sealed.current }),
    occasion: 'current',
  },
];
