import { z } from '@hono/zod-openapi';

export const APPROVAL_KINDS = [
  'PAYMENT_REVIEW',
  'REFUND_OVERRIDE',
  'GOODWILL',
  'OWNER_CHARGE',
  'PAYOUT_ACCOUNT',
] as const;
export const APPROVAL_STATES = ['PENDING', 'APPROVED', 'DECLINED', 'EXPIRED', 'WITHDRAWN'] as const;

export const Approval = z
  .object({
    id: z.string(),
    kind: z.enum(APPROVAL_KINDS),
    status: z.enum(APPROVAL_STATES).openapi({
      description: '`EXPIRED` counts as a no. `WITHDRAWN`: nothing waits for it any more',
    }),
    asked: z.string().openapi({
      description: 'What is asked, and for a charge what is booked',
      example: 'Refund AED 6000.00 of stay reservation-1 as goodwill: No hot water',
    }),
    amount: z.number().nullable().openapi({ description: 'Major units; null: it is not about an amount' }),
    currency: z.string().nullable(),
    subjectType: z.enum(['saga', 'task', 'owner']),
    subjectId: z
      .string()
      .openapi({ description: 'What waits: a saga, the cost of a task, or the account of an owner' }),
    sagaExecutionId: z.string().nullable(),
    reservationId: z.string().nullable(),
    propertyId: z.string().nullable(),
    ownerId: z.string().nullable(),
    askedBy: z.string().openapi({ description: 'May not decide' }),
    askedAt: z.iso.datetime(),
    expiresAt: z.iso.datetime(),
    decidedBy: z.string().nullable(),
    decidedAt: z.iso.datetime().nullable(),
    reason: z.string().nullable(),
    version: z.int(),
  })
  .openapi('Approval');
