import type { OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL } from './define.ts';
import { type Amount, amountParams, toOwner } from './deliveries.ts';

export const payoutFailed = defineMessage({
  event: 'PAYOUT_FAILED',
  cause: 'when the bank refuses a payout',
  to: { OWNER: { channels: MAIL, owed: true } },
  variables: ['recipientName', 'amount'],
  example: { amountMinor: 100_000, currency: 'AED' },
  texts: {
    'payout-failed.owner@1': {
      en: {
        subject: 'Your payout could not be made',
        message: `Dear {recipientName},

Your bank refused a payout of {amount}. The money stays owed to you; please check your account details with us.`,
      },
      ar: {
        subject: 'تعذّر تحويل دفعتك',
        message: `عزيزي {recipientName}،

رفض مصرفك تحويل مبلغ {amount}. يبقى المبلغ مستحقاً لك؛ نرجو مراجعة بيانات حسابك معنا.`,
      },
    },
  },
});

/** To the owner; `payout` in minor units. */
export const payoutFailedMessage = (ownerId: string, payout: Amount): OrderedText =>
  toOwner(payoutFailed, 'payout-failed.owner@1', ownerId, amountParams(payout));
