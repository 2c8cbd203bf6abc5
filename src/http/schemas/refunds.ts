import { z } from '@hono/zod-openapi';
import { REFUND_BEARERS } from '../../domain/finance/goodwill.ts';
import { REFUND_STATUSES } from '../../domain/reservations/payment-status.ts';
import { Id, line, OnBehalfId, prose } from './common.ts';
import { unparsedAmount } from './finance-terms.ts';

const bearer = z.enum(REFUND_BEARERS);

export const RefundBody = z
  .strictObject({
    amount: unparsedAmount('Major units, more than zero, no more than has been captured and not refunded', 100),
    currency: z.string().optional().openapi({ description: 'The reservation’s, if it is given', example: 'AED' }),
    reason: line(200).openapi({ description: 'Kept with the refund and in the audit log', example: 'No hot water' }),
    bearer: bearer.optional().openapi({
      description:
        'Who bears what had been divided: SPLIT (default) everybody by the split of the stay, as in a cancellation; AGENCY or OWNER that party alone. A guest’s credit goes back first, and nobody bears it',
    }),
    refundedBy: OnBehalfId.optional().openapi({ description: 'For whom; who acts is the token’s subject' }),
    notes: prose(2000).optional(),
  })
  .openapi('RefundReservation');
export const REFUND_EXAMPLE = { amount: 100, reason: 'No hot water', bearer: 'AGENCY' };

export const StartedRefund = z
  .object({
    reservation: z.object({ id: Id }),
    refund: z.object({
      amount: z.number().openapi({ description: 'Major units' }),
      currency: z.string(),
      reason: z.string(),
      bearer,
      fromCredit: z.number().openapi({ description: 'Of the amount, what was the guest’s own credit' }),
      takenFromOwner: z
        .number()
        .openapi({ description: 'Of the owner’s share: off open payouts, or owed from now on' }),
      status: z.enum(REFUND_STATUSES),
      transactionIds: z.array(z.string()),
    }),
  })
  .openapi('StartedRefund');
