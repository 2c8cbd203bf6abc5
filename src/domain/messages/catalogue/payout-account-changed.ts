import type { OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL } from './define.ts';
import { toOwner } from './deliveries.ts';

/** Goes to the address that the owner had before it was changed, if it was changed of late (`variables/people.ts`). */
export const payoutAccountChanged = defineMessage({
  event: 'PAYOUT_ACCOUNT_CHANGED',
  cause: 'when the account is changed to which an owner is paid out',
  to: { OWNER: { channels: MAIL, owed: true } },
  variables: ['recipientName', 'scheduledFor'],
  example: { scheduledFor: '2027-06-14T20:00:00Z' },
  // Whoever did not want it should know at once.
  atAnyHour: true,
  countsApart: true,
  texts: {
    'payout-account-changed.owner@1': {
      en: {
        subject: 'Another account for your payouts',
        message: `Dear {recipientName},

The account to which we pay you has been changed. Payouts go to the new one from {scheduledFor} at the latest.

If it was not you who asked for this, call us at once.`,
      },
      ar: {
        subject: 'حساب جديد لدفعاتك',
        message: `عزيزي {recipientName}،

تم تغيير الحساب الذي ندفع إليه. تُحوَّل الدفعات إلى الحساب الجديد اعتباراً من {scheduledFor} على أبعد تقدير.

إذا لم تكن أنت من طلب ذلك، فاتصل بنا فوراً.`,
      },
    },
  },
});

/** To the owner; from `from` on, an ISO instant, payouts go to the new account. `occasion`: the version of the owner. */
export const payoutAccountChangedMessage = (ownerId: string, from: string, occasion: string): OrderedText => ({
  ...toOwner(payoutAccountChanged, 'payout-account-changed.owner@1', ownerId, {
    scheduledFor: from,
    address: 'former',
  }),
  occasion,
});
