import type { OrderedText } from '../../notifications/enqueue.ts';
import { type AccountLink, isLinkOpen, linkParams, toAccount } from './account-mail.ts';
import { defineMessage, MAIL, type MessageText } from './define.ts';

const TO = { channels: MAIL, required: true, owed: true } as const;
const TEXT: MessageText = {
  en: {
    subject: 'Your link to sign in',
    message: `Dear {accountName},

Here is your link to sign in. It opens once, and for 15 minutes.

{signInUrl}

If you did not ask for it, you need do nothing.`,
  },
  ar: {
    subject: 'رابط تسجيل الدخول',
    message: `عزيزي {accountName}،

هذا رابط تسجيل دخولك. يعمل مرة واحدة ولمدة 15 دقيقة.

{signInUrl}

إن لم تطلبه فلا حاجة إلى أي إجراء.`,
  },
};

export const signInLink = defineMessage({
  event: 'SIGN_IN_LINK',
  cause: 'when somebody with an account asks to sign in',
  to: { GUEST: TO, OWNER: TO, STAFF: TO, OPS: TO },
  variables: ['accountName', 'signInUrl'],
  atAnyHour: true,
  isBounded: true,
  stillTrue: isLinkOpen,
  texts: {
    'sign-in-link.guest@1': TEXT,
    'sign-in-link.owner@1': TEXT,
    'sign-in-link.staff@1': TEXT,
    'sign-in-link.ops@1': TEXT,
  },
});

/** To the address of the account, whoever its record is. */
export const signInLinkMessage = (link: AccountLink): OrderedText =>
  toAccount(signInLink, 'sign-in-link', link.account, linkParams(link));
