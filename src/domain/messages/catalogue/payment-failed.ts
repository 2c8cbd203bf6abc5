import type { OrderedText } from '../../notifications/enqueue.ts';
import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL } from './define.ts';
import { type Amount, amountParams, mailToGuest } from './deliveries.ts';

export const paymentFailed = defineMessage({
  event: 'PAYMENT_FAILED',
  cause: 'when a payment of the guest fails',
  to: { GUEST: { channels: MAIL, owed: true } },
  variables: ['guestName', 'amount', 'failureReason', ...STAY],
  example: { amountMinor: 100_000, currency: 'AED', code: 'CARD_DECLINED' },
  texts: {
    'payment-failed.guest@1': {
      en: {
        subject: 'Your payment did not go through - {propertyName}',
        message: `Dear {guestName},

Your payment of {amount} for {propertyName} from {checkInDate} did not go through: {failureReason}.

Nothing was charged, or what was charged has been given back. You can try again, or use another way to pay.`,
      },
      ar: {
        subject: 'لم تتم عملية الدفع - {propertyName}',
        message: `عزيزي {guestName}،

لم تتم دفعتك بمبلغ {amount} لإقامتك في {propertyName} ابتداءً من {checkInDate}: {failureReason}.

لم يُخصم أي مبلغ، أو أُعيد ما خُصم. يمكنك المحاولة مرة أخرى أو استخدام وسيلة دفع أخرى.`,
      },
    },
  },
});

/** E-mail only: an SMS about money that did not move helps nobody. */
export const paymentFailedMessage = (
  { guestId }: { readonly guestId: string },
  failed: Amount & { readonly code: string },
): OrderedText =>
  mailToGuest(paymentFailed, 'payment-failed.guest@1', guestId, {
    params: { ...amountParams(failed), code: failed.code },
  });
