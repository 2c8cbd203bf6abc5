import type { OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL } from './define.ts';
import { toOwner } from './deliveries.ts';

/** Goes to the address that the owner had before it was changed, if it was changed of late (`variables/people.ts`). */
export const payoutAccountChanged = defineMessage({
  event: 'PAYOUT_ACCOUNT_CHANGED',
  cause: 'when the account is changed to which an owner is paid out, or the change is refused',
  // A safeguard that somebody may switch off is none.
  to: { OWNER: { channels: MAIL, required: true, owed: true } },
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
    'payout-account-put-back.owner@1': {
      en: {
        subject: 'Your payouts go to your account of before',
        message: `Dear {recipientName},

We have not accepted the other account for your payouts. They go to the account of before, as if it had never been changed.

If the other account is yours, call us.`,
      },
      ar: {
        subject: 'دفعاتك تُحوَّل إلى حسابك السابق',
        message: `عزيزي {recipientName}،

لم نقبل الحساب الآخر لدفعاتك. تُحوَّل الدفعات إلى الحساب السابق كأنه لم يتغير.

إذا كان الحساب الآخر حسابك، فاتصل بنا.`,
      },
    },
    'payout-account-refused.owner@1': {
      en: {
        subject: 'We need an account for your payouts',
        message: `Dear {recipientName},

We have not accepted the other account for your payouts, and there was none before. We pay nothing out until we have one.

Call us, please.`,
      },
      ar: {
        subject: 'نحتاج إلى حساب لدفعاتك',
        message: `عزيزي {recipientName}،

لم نقبل الحساب الآخر لدفعاتك، ولم يكن هناك حساب قبله. لن نحوّل أي مبلغ حتى يكون لدينا حساب.

نرجو أن تتصل بنا.`,
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

/** To the owner: a second person has refused the account. `isBack`: the one of before is in force again. `occasion`: the question. */
export const payoutAccountRefusedMessage = (ownerId: string, isBack: boolean, occasion: string): OrderedText => ({
  ...toOwner(
    payoutAccountChanged,
    isBack ? 'payout-account-put-back.owner@1' : 'payout-account-refused.owner@1',
    ownerId,
    { address: 'former' },
  ),
  occasion,
});
