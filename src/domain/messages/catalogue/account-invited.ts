import type { OrderedText } from '../../notifications/enqueue.ts';
import { type AccountLink, isLinkOpen, linkParams, toAccount } from './account-mail.ts';
import { defineMessage, MAIL, type MessageText } from './define.ts';

const TO = { channels: MAIL, required: true, owed: true } as const;
const TEXT: MessageText = {
  en: {
    subject: 'You are invited to Roomy',
    message: `Dear {accountName},

An account was made for you. Open this link to begin; it opens once, and for seven days.

{invitationUrl}

Afterwards you sign in with this e-mail address.`,
  },
  ar: {
    subject: 'دعوة إلى رومي',
    message: `عزيزي {accountName}،

أُنشئ حساب لك. افتح هذا الرابط للبدء؛ يعمل مرة واحدة ولمدة سبعة أيام.

{invitationUrl}

بعد ذلك تسجل الدخول بهذا البريد الإلكتروني.`,
  },
};

export const accountInvited = defineMessage({
  event: 'ACCOUNT_INVITED',
  cause: 'when an administrator invites somebody to sign in',
  to: { GUEST: TO, OWNER: TO, STAFF: TO, OPS: TO },
  variables: ['accountName', 'invitationUrl'],
  atAnyHour: true,
  countsApart: true,
  stillTrue: isLinkOpen,
  texts: {
    'account-invited.guest@1': TEXT,
    'account-invited.owner@1': TEXT,
    'account-invited.staff@1': TEXT,
    'account-invited.ops@1': TEXT,
  },
});

/** To the address of the account, whoever its record is. */
export const accountInvitedMessage = (link: AccountLink): OrderedText =>
  toAccount(accountInvited, 'account-invited', link.account, linkParams(link));
