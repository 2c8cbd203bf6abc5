import { z } from '@hono/zod-openapi';
import { INITIATORS } from '../../domain/finance/cancellation.ts';
import { financialService } from '../../domain/finance/financial-service.ts';
import { REFUND_STATUSES } from '../../domain/reservations/payment-status.ts';
import { isOverride } from '../step-up.ts';
import { GatewayId, Id, line, OnBehalfId, prose, reference } from './common.ts';
import { paymentMoney } from './finance-terms.ts';
import { SagaPlan } from './rehearsals.ts';

/** A gateway's token or reference; a card number is refused wherever it stands. */
const Reference = reference(255);

export const PaymentBody = paymentMoney({
  paymentMethod: line(64).optional(),
  gatewayId: GatewayId,
  gatewayReference: Reference,
  processedBy: OnBehalfId.optional().openapi({ description: 'For whom; who acts is the token’s subject' }),
  notes: prose(2000).optional(),
}).openapi('ProcessPayment');
export const PAYMENT_EXAMPLE = {
  amount: 1000,
  currency: 'AED',
  paymentMethod: 'Credit Card',
  gatewayId: 'gateway-123',
  gatewayReference: 'ref-456',
};

const money = { amount: z.number().openapi({ description: 'Major units' }), currency: z.string() };
const percent = z.number().min(0).max(100);
export const ProcessedPayment = z
  .object({
    guestPayment: z.object({ id: Id, ...money, status: z.string() }),
    ownerPayout: z
      .object({ id: Id, ...money, status: z.string(), scheduledFor: z.iso.datetime() })
      .nullable()
      .openapi({ description: 'Null when the owner’s share of this payment is nothing' }),
    agencyFee: z.object({ id: Id, ...money }).nullable(),
    referralFee: z
      .object({ id: Id, ...money, beneficiary: z.string().nullable(), retainedBy: z.string().nullable() })
      .nullable(),
    gatewayFee: z.object({ id: Id, ...money }).nullable(),
    incomeDistribution: z.object({ ownerIncome: percent, roomyAgencyFee: percent, referringAgent: percent }),
    paymentStatus: z.string(),
    amountOutstanding: z.number(),
    creditAmount: z.number().openapi({ description: 'What was paid over the balance' }),
    transactionsCreated: z.int(),
  })
  .openapi('ProcessedPayment');
const SHARES = financialService.calculateIncomeDistribution({ totalAmount: PAYMENT_EXAMPLE.amount });
export const PROCESSED_EXAMPLE = {
  success: true,
  data: {
    guestPayment: { id: 'transaction-1', amount: 1000, currency: 'AED', status: 'COMPLETED' },
    ownerPayout: {
      id: 'transaction-2',
      amount: SHARES.ownerPayout,
      currency: 'AED',
      status: 'PENDING',
      scheduledFor: '2024-02-02T11:00:00.000Z',
    },
    agencyFee: { id: 'transaction-3', amount: SHARES.roomyAgencyFee, currency: 'AED' },
    referralFee: {
      id: 'transaction-4',
      amount: SHARES.referringAgentFee,
      currency: 'AED',
      beneficiary: null,
      retainedBy: 'AGENCY',
    },
    gatewayFee: { id: 'transaction-5', amount: 29, currency: 'AED' },
    incomeDistribution: { ownerIncome: 70, roomyAgencyFee: 25, referringAgent: 5 },
    paymentStatus: 'PAID',
    amountOutstanding: 0,
    creditAmount: 0,
    transactionsCreated: 5,
  },
  message: 'Payment processed successfully',
};

export const CancelBody = z
  .strictObject({
    cancelledBy: OnBehalfId.optional().openapi({ description: 'For whom; who acts is the token’s subject' }),
    reason: line(64)
      .optional()
      .openapi({ description: 'A short reason, kept with the stay', example: 'GUEST_REQUEST' }),
    notes: prose(2000).optional(),
    initiator: z.enum(INITIATORS).optional().openapi({
      description:
        'GUEST (default) is refunded by the policy. The others give everything back: ADMIN and FINANCE only, with a reason, and over the limit after an approval',
    }),
    refundPercentOverride: z.int().min(0).max(100).optional().openapi({
      description: 'Instead of the policy; ADMIN and FINANCE only, and only with a reason',
    }),
  })
  .refine((body) => !isOverride(body) || body.reason !== undefined, {
    path: ['reason'],
    message: 'is required to override the policy',
  })
  .openapi('CancelReservation');
export const CANCEL_EXAMPLE = { cancelledBy: 'agent-1', reason: 'GUEST_REQUEST' };

const RefundDecision = z.object({
  percent,
  ...money,
  rule: z.string().openapi({ example: 'DAYS_3_TO_6' }),
  daysBeforeCheckIn: z.int(),
});
export const CancelledReservation = z
  .object({
    reservation: z.object({ id: Id, status: z.string() }),
    refund: RefundDecision.extend({
      status: z.enum(REFUND_STATUSES).optional(),
      transactionIds: z.array(z.string()).optional(),
    }),
    tasks: z.array(z.object({ id: z.string(), status: z.string() })),
    tasksInProgress: z.array(z.string()),
    warnings: z.array(z.string()),
    dryRun: z.boolean().optional(),
    plan: z.array(z.object({ step: z.string(), effect: z.string() })).optional(),
  })
  .openapi('CancelledReservation');
/** The plan of a cancellation, with the refund by its rule. */
export const CancellationPlan = SagaPlan.extend({
  reservation: z.object({ id: Id, status: z.string() }),
  refund: RefundDecision,
  tasksInProgress: z.array(z.string()),
  plan: z.array(z.object({ step: z.string(), effect: z.string() })),
});
const REFUND = financialService.calculateRefund(
  { totalAmount: PAYMENT_EXAMPLE.amount, checkInDate: '2024-02-01' },
  new Date('2024-01-28T08:00:00.000Z'),
);
export const CANCELLED_EXAMPLE = {
  success: true,
  data: {
    reservation: { id: 'reservation-1', status: 'CANCELLED' },
    refund: {
      percent: REFUND.refundPercent,
      amount: REFUND.refundAmount,
      currency: 'AED',
      rule: REFUND.rule,
      daysBeforeCheckIn: REFUND.daysBeforeCheckIn,
      status: 'COMPLETED',
      transactionIds: ['transaction-6'],
    },
    tasks: [{ id: 'task-1', status: 'CANCELLED' }],
    tasksInProgress: [],
    warnings: [],
  },
  message: 'Reservation cancelled successfully',
};

export const CancellationQuote = z
  .object({
    reservationId: Id,
    status: z.string(),
    requestedAt: z.iso.datetime(),
    timeZone: z.string(),
    paid: z.number(),
    disputed: z
      .number()
      .openapi({ description: 'Of it, what the gateway has taken for disputes: not there to be given back' }),
    currency: z.string(),
    today: RefundDecision,
    schedule: z.array(
      z.object({
        percent,
        amount: z.number(),
        until: z.iso.datetime().nullable().openapi({ description: 'The last millisecond of this bracket' }),
      }),
    ),
  })
  .openapi('CancellationQuote');

export const SettlementBody = z
  .strictObject({
    reference: reference(200).openapi({ description: 'Of the bank transfer or the like by which the money went' }),
    method: line(100).default('Bank transfer'),
    notes: prose(2000).optional(),
    alreadySent: z.boolean().optional().openapi({
      description: 'The money has gone, although the charge is disputed meanwhile: it is booked all the same',
    }),
  })
  .openapi('SettleRefund');
export const PayoutBody = z
  .strictObject({
    releasedBy: OnBehalfId.optional().openapi({ description: 'For whom; who acts is the token’s subject' }),
    netting: z
      .boolean()
      .optional()
      .openapi({ description: 'Pay what is available, as the owner owes the rest, instead of refusing' }),
    strict: z.boolean().optional().openapi({ description: 'Refuse a payout that is not due yet, instead of warning' }),
    notes: prose(2000).optional(),
  })
  .openapi('ProcessOwnerPayout');
const PaidPayout = z.object({
  id: Id,
  status: z.string(),
  ...money,
  amountPaid: z.number(),
  amountNetted: z.number(),
});
export const ProcessedPayout = z
  .object({
    payout: PaidPayout.nullable(),
    payouts: z.array(PaidPayout),
    instruction: z.object({ ...money, providerId: z.string().nullable() }),
    warnings: z.array(z.string()),
  })
  .openapi('ProcessedPayout');
