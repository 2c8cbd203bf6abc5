import type { OrderedText } from '../../notifications/enqueue.ts';
import { STAY } from '../variables/stay.ts';
import { defineMessage, MAIL } from './define.ts';
import { type Amount, amountParams, toOwner } from './deliveries.ts';

export const refundAffectsPayout = defineMessage({
  event: 'REFUND_AFFECTS_PAYOUT',
  cause: 'when a refund or a dispute takes money that was the owner’s',
  to: { OWNER: { channels: MAIL, owed: true } },
  variables: ['recipientName', 'amount', ...STAY],
  example: { amountMinor: 100_000, currency: 'AED' },
  texts: {
    'refund-affects-payout.owner@1': {
      en: {
        subject: 'A refund changes your payout - {propertyName}',
        message: `Dear {recipientName},

The guest of {propertyName} from {checkInDate} is given money back. Your part of it, {amount}, is taken off this payout or the next ones.

Reservation {reservationId}`,
      },
      ar: {
        subject: 'استرداد يغيّر دفعتك - {propertyName}',
        message: `عزيزي {recipientName}،

استردّ ضيف {propertyName} ابتداءً من {checkInDate} مبلغاً. حصتك منه {amount} تُخصم من هذه الدفعة أو مما يليها.

رقم الحجز {reservationId}`,
      },
    },
  },
});

/** A message of its own beside the one of the cancellation, so its key says what it is about. */
export const refundAffectsPayoutMessage = (ownerId: string, refund: Amount): OrderedText => ({
  ...toOwner(refundAffectsPayout, 'refund-affects-payout.owner@1', ownerId, amountParams(refund)),
  occasion: 'payout',
});
