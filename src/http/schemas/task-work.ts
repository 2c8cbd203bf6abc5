import { z } from '@hono/zod-openapi';
import { filtersBy, noReference } from '../references.ts';
import { Amount, Currency, Id, Instant, OnBehalfId, prose } from './common.ts';
import { periodFields } from './period.ts';
import { Estimate, ItemId, Task } from './tasks.ts';

const photoIds = z.array(noReference(Id, 'of a photo of this task, among which alone it is looked for')).max(30);

export const StartBody = z
  .strictObject({
    startedAt: Instant.optional().openapi({
      description:
        'When it really was begun, for a phone that was offline. What cannot be is brought to the nearest time that can: not after now, nor before the task was made, its guest had left, or half a day before it was agreed for',
    }),
  })
  .openapi('StartTask');
export const START_EXAMPLE = {};

export const CompleteBody = z
  .strictObject({
    completedBy: OnBehalfId.optional().openapi({ description: 'For whom; who acts is the token’s subject' }),
    notes: prose(2000).optional(),
    minutes: z.int().min(0).max(1440).optional().openapi({ description: 'Of work; without it, since the start' }),
    completedAt: Instant.optional().openapi({
      description: 'When it really was done, for a phone that was offline; not in the future',
    }),
    checklist: z
      .array(
        z.strictObject({ id: ItemId, done: z.boolean(), note: prose(500).optional(), photoIds: photoIds.optional() }),
      )
      .max(100)
      .optional(),
    photos: photoIds.optional(),
    outcome: z.enum(['PASSED', 'FAILED']).optional().openapi({ description: 'Of an inspection, and required there' }),
    findings: z
      .array(
        z.strictObject({
          description: prose(1000).min(1),
          severity: z.enum(['MINOR', 'SEVERE']),
          photoIds: photoIds.optional(),
          estimate: Estimate.optional(),
        }),
      )
      .max(20)
      .optional()
      .openapi({ description: 'Damage and what else must be repaired: a maintenance task each' }),
    cost: z
      .strictObject({ amount: Amount, currency: Currency, chargeOwner: z.boolean().default(false) })
      .optional()
      .openapi({ description: 'Of a repair' }),
  })
  .openapi('CompleteTask');
export const COMPLETE_EXAMPLE = { notes: 'All clean', minutes: 95 };

const NextAction = z.object({
  action: z.string().openapi({ example: 'PROPERTY_CLEAN' }),
  subjectId: z.string().openapi({ description: 'Of the task, property, saga or person that it was done to' }),
});
export const CompletedTask = Task.extend({ nextActions: z.array(NextAction) }).openapi('CompletedTask');

export const ChargeBody = z
  .strictObject({ amount: Amount, currency: Currency })
  .openapi('ChargeTask', { description: 'What a completed repair has cost' });
export const CHARGE_EXAMPLE = { amount: 120.5, currency: 'AED' };
export const TaskCharge = z
  .object({
    action: z.enum(['OWNER_CHARGED', 'CHARGE_NEEDS_APPROVAL']),
    subjectId: z.string().openapi({ description: 'Of the transaction, or of the approval that it waits for' }),
    amount: z.number().openapi({ description: 'Major units' }),
    currency: z.string(),
  })
  .openapi('TaskCharge');

export const PhotoParams = z.strictObject({ id: Id, photoId: Id });
export const Photo = z.object({ id: z.string(), taskId: z.string(), href: z.string() }).openapi('TaskPhoto');

export const StatisticsQuery = z.strictObject({
  /** Default: the last 30 days. */
  ...periodFields('Had to be done'),
  propertyId: filtersBy(Id, 'property').optional(),
});
const counts = z.record(z.string(), z.int());
export const Statistics = z
  .object({
    from: z.string(),
    to: z.string(),
    total: z.int(),
    byStatus: counts,
    byType: counts,
    byAssignee: z.array(z.object({ assigneeId: z.string().nullable(), total: z.int(), completed: z.int() })),
    overdue: z.int(),
    averageMinutes: z.number().nullable(),
    completionRate: z.object({
      onTime: z.int(),
      due: z.int(),
      rate: z.number().nullable().openapi({
        description:
          'On time / due: what is completed, or past its deadline by now; CANCELLED, MERGED and OVERTAKEN are not due',
      }),
    }),
  })
  .openapi('TaskStatistics');
