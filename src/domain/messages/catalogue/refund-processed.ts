import type { OrderedText } from '../../notifications/enqueue.ts';
import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL } from './define.ts';
import { type Amount, amountParams, mailToGuest } from './deliveries.ts';

export const refundProcessed = defineMessage({
  event: 'REFUND_PROCESSED',
  cause: 'when a refund was sent to the guest',
  to: { GUEST: { channels: MAIL, owed: true } },
  variables: ['guestName', 'amount', ...STAY],
  example: { amountMinor: 100_000, currency: 'AED' },
  texts: {
    'refund-processed.guest@1': {
      en: {
        subject: 'Your refund is on its way - {propertyName}',
        message: `Dear {guestName},

{amount} for your stay at {propertyName} from {checkInDate} went back the way it was paid. Banks may take some days to show it.`,
      },
      ar: {
        subject: 'المبلغ المسترد في طريقه إليك - {propertyName}',
        message: `عزيزي {guestName}،

أُعيد مبلغ {amount} عن إقامتك في {propertyName} ابتداءً من {checkInDate} بالطريقة التي دُفع بها. قد يستغرق ظهوره في حسابك بضعة أيام.`,
      },
    },
  },
});

/** To the guest by e-mail; `refund` in minor units. */
export const refundProcessedMessage = ({ guestId }: { readonly guestId: string }, refund: Amount): OrderedText =>
  mailToGuest(refundProcessed, 'refund-processed.guest@1', guestId, { params: amountParams(refund) });
