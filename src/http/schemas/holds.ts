import { z } from '@hono/zod-openapi';
import { line, pageQuery } from './common.ts';

export const HOLD_SCOPES = ['ALL', 'NAME', 'STEP', 'GATEWAY', 'SAGA'] as const;
const STATES = ['OPEN', 'RELEASED'] as const;

const scope = z.enum(HOLD_SCOPES).openapi({
  description:
    '`ALL`: every saga. `NAME`: the sagas of a name. `STEP`: a step of a name. `GATEWAY`: the steps that speak to another system. `SAGA`: one execution',
});

export const Hold = z
  .object({
    id: z.string(),
    scope,
    subject: z
      .string()
      .openapi({ description: 'What is paused, as it was named', example: 'executeRefund.refundAtGateway' }),
    status: z.enum(STATES),
    reason: z.string().nullable().openapi({
      description: 'Null for operators who did not write it, where it is about one saga or about money',
    }),
    heldBy: z.string(),
    heldAt: z.iso.datetime(),
    releasedBy: z.string().nullable(),
    releasedAt: z.iso.datetime().nullable(),
    releaseReason: z.string().nullable(),
    version: z.int(),
  })
  .openapi('Hold');
export const HoldQuery = z.strictObject({
  status: z.enum(STATES).optional(),
  scope: scope.optional(),
  ...pageQuery,
});
export const NewHold = z
  .strictObject({
    scope,
    subject: line(200).optional().openapi({
      description:
        'Of `NAME` a saga, such as `checkOut`; of `STEP` a saga and a step, such as `processPayment.createGuestPaymentTransaction`; of `GATEWAY` the id of a gateway, `bank` (payouts) or `devices`; of `SAGA` the id of an execution. `ALL` has none',
    }),
    reason: line(500).openapi({ example: 'The provider is being moved tonight' }),
  })
  .openapi('NewHold');
export const HoldRelease = z
  .strictObject({ reason: line(500).openapi({ example: 'The provider is back' }) })
  .openapi('HoldRelease');
