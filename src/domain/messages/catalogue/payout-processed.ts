import type { MessageParams, OrderedText } from '../../notifications/enqueue.ts';
import { defineMessage, MAIL } from './define.ts';
import { type Amount, amountParams, toOwner } from './deliveries.ts';

export const payoutProcessed = defineMessage({
  event: 'PAYOUT_PROCESSED',
  cause: 'when the owner is paid out',
  to: { OWNER: { channels: MAIL, required: true, owed: true } },
  variables: ['recipientName', 'amount', 'payoutStays', 'payoutDeductions'],
  example: { amountMinor: 100_000, currency: 'AED' },
  forecast: {
    on: 'PAYOUT',
    // The share of the owner in a cancelled stay is still paid out.
    deliveries: ({ willBePaid, isPayoutOpen, ownerId }) =>
      willBePaid || isPayoutOpen ? [processedToOwner(ownerId)] : [],
  },
  texts: {
    'payout-processed.owner@1': {
      en: {
        subject: 'Payout processed - {amount}',
        message: `Dear {recipientName},

We have paid {amount} to your account.

For: {payoutStays|your stays}
Kept back for what you owed: {payoutDeductions|nothing}`,
      },
      ar: {
        subject: 'تم تحويل دفعتك - {amount}',
        message: `عزيزي {recipientName}،

حوّلنا مبلغ {amount} إلى حسابك.

عن: {payoutStays|إقاماتك}
المخصوم مما عليك: {payoutDeductions|لا شيء}`,
      },
    },
  },
});

const processedToOwner = (ownerId: string, params: MessageParams = {}): OrderedText =>
  toOwner(payoutProcessed, 'payout-processed.owner@1', ownerId, params);

/** `sagaId`: of the bank instruction, whose stays the message lists. */
export const payoutProcessedMessage = (ownerId: string, payout: Amount & { readonly sagaId: string }): OrderedText =>
  processedToOwner(ownerId, { ...amountParams(payout), sagaId: payout.sagaId });
