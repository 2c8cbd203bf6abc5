import { z } from '@hono/zod-openapi';
import { Flag } from './common.ts';
import { one } from './envelope.ts';

/** The plan of a saga that was not started (`rehearsal.ts`). */

export const DryRunQuery = z.strictObject({
  dryRun: Flag.optional().openapi({ description: '`true`: what would happen; nothing is written' }),
});

const ExistingId = z.string().nullable().openapi({ description: 'Null: it is new, and gets its id with the act' });
const Rule = z
  .object({
    name: z.string(),
    version: z.int().nullable().openapi({ description: 'Of the terms that the stay has' }),
    percent: z.number().nullable(),
    payoutPolicy: z.string().nullable(),
    bornBy: z.string().nullable(),
  })
  .nullable()
  .openapi({ description: 'Why the amount is what it is; null: it follows no rule' });
const value = z.union([z.string(), z.number(), z.boolean()]).nullable();
const text = z.string().nullable();
const instant = z.iso.datetime().nullable();

const Booking = z.object({
  kind: z.literal('BOOKING'),
  party: z.string().openapi({ description: 'Whose account it is', example: 'OWNER_PAYABLE' }),
  partyId: text,
  what: z.string().openapi({ example: 'OWNER_SHARE' }),
  amount: z.number().openapi({ description: 'By how much more the party has; negative: less' }),
  currency: z.string(),
  rule: Rule,
});
const PlannedTransaction = z.object({
  kind: z.literal('TRANSACTION'),
  id: ExistingId,
  type: text,
  status: text.openapi({ description: 'As it is now; null: it is new' }),
  becomes: text,
  amount: z.number(),
  outstanding: z.number(),
  currency: z.string(),
  ownerId: text,
  scheduledFor: instant,
  rule: Rule,
});

export const SagaPlan = z.object({
  dryRun: z.literal(true),
  steps: z.array(
    z.object({
      saga: z.string(),
      step: z.string(),
      kind: z.enum(['read', 'statement', 'tx', 'call', 'wait']),
      outcome: z.enum(['done', 'waits-for-person', 'open']).openapi({
        description: 'As far as it would come by itself; `open`: behind a step that waits for a person',
      }),
    }),
  ),
  changes: z.array(
    z.object({
      resource: z.enum(['reservation', 'property', 'payment', 'access']),
      id: ExistingId,
      field: z.string(),
      from: value,
      to: value,
    }),
  ),
  tasks: z.array(
    z.object({
      change: z.enum(['MADE', 'MOVED', 'DROPPED', 'CHANGED']),
      id: ExistingId,
      type: text,
      occurrence: text,
      status: text.openapi({ description: 'As it is now; null: it is new' }),
      becomes: text,
      assigneeId: text,
      startsAt: instant,
      endsAt: instant,
      mustFinishBy: instant,
    }),
  ),
  money: z.array(z.discriminatedUnion('kind', [Booking, PlannedTransaction])),
  messages: z.array(
    z.object({
      change: z.enum(['ORDERED', 'WITHDRAWN', 'MOVED']),
      id: ExistingId,
      event: text,
      template: text,
      channel: text,
      recipientType: text,
      recipientId: text,
      dueAt: instant,
      reason: text.openapi({ description: 'Why it is withdrawn' }),
      words: z.object({ locale: z.string(), subject: text, text: z.string() }).nullable().openapi({
        description:
          'As it would read now, without codes and links. Null: it is withdrawn, its text lacks something yet, or the caller may not read messages',
      }),
    }),
  ),
  calls: z.array(
    z.object({
      to: z.string().openapi({ description: 'The gateway or the device' }),
      act: z.string().openapi({ example: 'charge' }),
      amount: z.number().nullable(),
      currency: text,
      about: text.openapi({ description: 'The end of the reference or account' }),
    }),
  ),
  warnings: z.array(z.string()).openapi({ example: ['CARD_NOT_ASKED'] }),
});

/**
 * A media type of its own, so that who asks for no plan never gets one: a client that is generated from the document has one form
 * for each answer, and would have two to tell apart where both were declared as its content.
 */
export const PLAN_TYPE = 'application/vnd.roomy.plan+json';
/** Where the document has it. */
export const PLANNED = 'x-dry-run';

/** The answer of a route that can be rehearsed, with what it answers to `dryRun`. */
export const withPlan = <Answer extends object>(outcome: Answer, plan: z.ZodType = SagaPlan) => ({
  ...outcome,
  [PLANNED]: { [PLAN_TYPE]: { schema: one(plan) } },
});
