import { z } from '@hono/zod-openapi';
import { TIMELINE_KINDS, type TimelineKind } from '../../domain/stays/timeline-places.ts';
import { Approval } from './approvals.ts';
import { Flag, pageQuery } from './common.ts';
import { AuditRow, Notification, Transaction } from './records.ts';
import { Execution, Step } from './sagas.ts';
import { Assignment, Task } from './tasks.ts';

const Cause = z
  .object({ kind: z.enum(TIMELINE_KINDS), id: z.string() })
  .nullable()
  .openapi({ description: 'The entry of this list that it follows from; null: none that the caller sees' });

function entry(kind: TimelineKind, details: z.ZodType) {
  const name = kind.charAt(0).toUpperCase() + kind.slice(1);
  return z
    .object({
      at: z.iso.datetime(),
      kind: z.literal(kind),
      id: z.string().openapi({ description: 'Unique among the entries of its kind' }),
      sentence: z.string().openapi({ description: 'In English' }),
      cause: Cause,
      details,
    })
    .openapi(`Timeline${name}`);
}

const Rule = z
  .object({
    name: z.string().openapi({ description: 'A share, or the rule of a refund', example: 'DAYS_1_TO_3' }),
    version: z.int().nullable().openapi({ description: 'Of the terms that the stay has' }),
    percent: z.number().nullable(),
    payoutPolicy: z.string().nullable(),
    bornBy: z.string().nullable().openapi({ description: 'Who bears a fee of the gateway' }),
  })
  .nullable()
  .openapi({ description: 'Why the amount is what it is; null: it follows no rule' });

export const TimelineEntry = z
  .discriminatedUnion('kind', [
    entry(
      'request',
      z.object({
        requestId: z.string().nullable(),
        actor: z.string(),
        onBehalfOf: z.string().nullable(),
        saga: z.string(),
      }),
    ),
    entry('saga', Execution),
    entry('step', Step.extend({ saga: z.string(), sagaExecutionId: z.string() })),
    entry(
      'outcome',
      z.object({
        saga: z.string(),
        status: z.string(),
        error: z.object({ code: z.string(), details: z.unknown() }).nullable(),
        stepsCompleted: z.int(),
        totalSteps: z.int(),
      }),
    ),
    entry(
      'reservation',
      z.object({
        reservationId: z.string(),
        propertyId: z.string(),
        checkInDate: z.string(),
        checkOutDate: z.string(),
        createdBy: z.string(),
        status: z.string().openapi({ description: 'As it is now' }),
      }),
    ),
    entry(
      'state',
      z.object({
        status: z.string(),
        happenedAt: z.iso.datetime().openapi({ description: 'By the word of whoever told it' }),
        reason: z.string().nullable(),
      }),
    ),
    entry(
      'task',
      Task.extend({
        assignment: Assignment.nullable().openapi({ description: 'Why this person; null: not for the caller' }),
      }),
    ),
    entry('transaction', Transaction.extend({ rule: Rule })),
    entry(
      'payment',
      z.object({
        id: z.string(),
        status: z.string(),
        amount: z.number().openapi({ description: 'Major units' }),
        currency: z.string(),
        gatewayId: z.string(),
        gatewayReference: z.string(),
        errorCode: z.string().nullable(),
        requestedBy: z.string(),
        sagaExecutionId: z.string(),
        completedAt: z.iso.datetime().nullable(),
      }),
    ),
    entry('approval', Approval),
    entry(
      'access',
      z.object({
        change: z.enum(['GRANTED', 'REVOKED', 'REVOKED_BY_HAND']),
        validFrom: z.iso.datetime(),
        validUntil: z.iso.datetime(),
      }),
    ),
    entry('message', Notification),
    entry(
      'event',
      z.object({
        id: z.string(),
        type: z.string(),
        resource: z.object({ type: z.string(), id: z.string() }),
        data: z.unknown(),
        seq: z.int().nullable().openapi({ description: 'Its place in the feed; null: it has none yet' }),
        webhooks: z.array(
          z.object({
            endpointId: z.string(),
            status: z.enum(['PASSED', 'RETRYING', 'WAITING', 'DISABLED']),
            failedAttempts: z.int(),
            nextAttemptAt: z.iso.datetime().nullable(),
          }),
        ),
      }),
    ),
    entry('change', AuditRow),
  ])
  .openapi('TimelineEntry');

const ForecastEntry = z
  .object({
    at: z.iso.datetime().nullable().openapi({ description: 'null: as soon as it is caused' }),
    kind: z.enum(['message', 'task', 'payout', 'refund', 'saga']),
    id: z.string().nullable().openapi({ description: 'null: it is still to be made' }),
    sentence: z.string(),
    status: z.string().openapi({ description: 'EXPECTED, or the state of what there is' }),
    why: z.string().nullable(),
  })
  .openapi('TimelineForecast');

/** Beside the entries of a stay. */
export const ahead = {
  now: z.iso.datetime().openapi({ description: 'All entries are before it, all of `forecast` is not done yet' }),
  forecast: z.array(ForecastEntry).optional().openapi({ description: 'With `forecast=true`, on every page' }),
};
export const StayTimelineQuery = z.strictObject({
  forecast: Flag.optional().openapi({ description: 'Answers also what will happen if all goes as planned' }),
  ...pageQuery,
});
export const TimelineQuery = z.strictObject(pageQuery);

export const TIMELINE_EXAMPLE = {
  success: true,
  data: [
    {
      at: '2024-01-15T10:00:00.000Z',
      kind: 'request',
      id: 'saga-1',
      sentence: 'agent-1 asked for confirmReservation.',
      cause: null,
      details: { requestId: 'request-1', actor: 'agent-1', onBehalfOf: null, saga: 'confirmReservation' },
    },
    {
      at: '2024-01-15T10:00:00.412Z',
      kind: 'outcome',
      id: 'saga-1',
      sentence: 'confirmReservation took effect.',
      cause: { kind: 'request', id: 'saga-1' },
      details: { saga: 'confirmReservation', status: 'completed', error: null, stepsCompleted: 8, totalSteps: 8 },
    },
  ],
  nextCursor: null,
};
