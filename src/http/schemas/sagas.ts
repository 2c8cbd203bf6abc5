import { z } from '@hono/zod-openapi';
import { COUNTED_AT_MOST } from '../../engine/read/executions.ts';
import { MOST_GROUPS } from '../../engine/read/failures.ts';
import { SAGA_NAMES } from '../../sagas/index.ts';
import { filtersBy } from '../references.ts';
import { Flag, Id, line, pageQuery, prose } from './common.ts';
import { HOLD_SCOPES } from './holds.ts';
import { periodFields } from './period.ts';

const SagaStatus = z.enum(['pending', 'running', 'compensating', 'parked', 'completed', 'compensated', 'resolved']);

const Waiting = z.object({ step: z.string(), since: z.iso.datetime(), until: z.iso.datetime() });

const progress = {
  name: z.string(),
  status: SagaStatus,
  currentStep: z.int().openapi({ description: 'Ordinal of the lowest unfinished step, from 1' }),
  totalSteps: z.int(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  data: z.record(z.string(), z.unknown()).openapi({ description: 'Ids that the finished steps put out' }),
};
/** The brief's sample; the others are not in the sample; `waiting` is there while it waits. */
export const SagaStatusView = z
  .object({
    ...progress,
    currentStepName: z.string().optional(),
    stepsCompleted: z.int().optional(),
    executionId: z.string().optional(),
    waiting: Waiting.optional().openapi({ description: 'The step at which a `running` saga waits for an answer' }),
  })
  .openapi('SagaStatus');
export const SAGA_STATUS_EXAMPLE = {
  name: 'confirmReservation',
  status: 'running',
  currentStep: 3,
  totalSteps: 8,
  createdAt: '2024-01-15T10:00:00Z',
  updatedAt: '2024-01-15T10:05:00Z',
  data: { reservationId: 'reservation-1', cleaningTaskId: 'task-1', checkInTaskId: 'task-2' },
};

export const Execution = z
  .object({
    id: z.string(),
    ...progress,
    definitionVersion: z.int(),
    subjectType: z.string(),
    subjectId: z.string(),
    currentStepName: z.string(),
    stepsCompleted: z.int(),
    generation: z.int(),
    requestedBy: z.string(),
    onBehalfOf: z.string().nullable(),
    notes: z.string().nullable(),
    requestId: z.string().nullable(),
    finishedAt: z.iso.datetime().nullable(),
    deadlineAt: z.iso.datetime(),
    error: z.object({ code: z.string(), details: z.unknown() }).nullable(),
    waiting: Waiting.nullable().openapi({ description: 'The step at which a `running` execution waits for an answer' }),
    pausedBy: z
      .object({
        holdId: z.string(),
        scope: z.enum(HOLD_SCOPES),
        subject: z.string(),
        by: z.string(),
        since: z.iso.datetime(),
        reason: z.string().nullable().openapi({ description: 'For those who may read holds' }),
      })
      .nullable()
      .openapi({ description: 'What people have paused, and keeps it from going on; null: nothing does' }),
    responseStatus: z.int().nullable(),
    retryOf: z.string().nullable(),
  })
  .openapi('SagaExecution');

export const Step = z
  .object({
    step: z.int(),
    name: z.string(),
    direction: z.enum(['forward', 'compensation']),
    kind: z.enum(['read', 'statement', 'tx', 'call', 'wait']),
    class: z.enum(['read', 'compensable', 'pivot', 'retriable']),
    status: z.enum(['pending', 'running', 'waiting', 'done', 'failed', 'skipped']),
    attempts: z.int(),
    maxAttempts: z.int(),
    effectKey: z.string(),
    output: z.unknown(),
    error: z.unknown(),
    startedAt: z.iso.datetime().nullable(),
    endedAt: z.iso.datetime().nullable(),
    durationMs: z.number().nullable(),
    waitsUntil: z.iso.datetime().nullable().openapi({ description: 'Of a `wait`: when its time is up, or was' }),
    skipped: z
      .object({
        by: z.string(),
        reason: z.string().nullable().openapi({ description: 'For those who may read holds' }),
      })
      .nullable()
      .openapi({ description: 'Of a step that a person has skipped' }),
    ifSkipped: z.string().nullable().openapi({
      description: 'What follows when a person skips it, and what is to be done by hand; null: it is not skipped',
    }),
    readsAgain: z.boolean().openapi({
      description: 'A retry `from` it reads once more, as long as nothing but such steps is done behind it',
    }),
  })
  .openapi('SagaStep');
export const Amendment = z
  .object({
    no: z.int(),
    step: z
      .string()
      .openapi({ description: 'At which it was parked: that one and those behind it read the new values' }),
    fields: z.record(z.string(), z.unknown()),
    by: z.string(),
    at: z.iso.datetime(),
    reason: z.string().nullable().openapi({ description: 'For those who may read holds' }),
  })
  .openapi('SagaAmendment');
const Resolution = z
  .object({
    refused: z.string().nullable().openapi({
      description: 'Why it is not resolved where it stands, and which hand is right instead; null: it may be',
    }),
    byHand: z
      .array(z.object({ step: z.string(), follows: z.string() }))
      .openapi({ description: 'What counts as seen to by a person, and what is to be done by hand' }),
    runs: z.array(z.string()).openapi({ description: 'The steps that are done in the same act' }),
  })
  .openapi('SagaResolution');
export const ExecutionWithSteps = Execution.extend({
  steps: z.array(Step),
  amendments: z.array(Amendment).openapi({ description: 'What people have changed of its input, oldest first' }),
  amendable: z.array(z.string()).openapi({ description: 'Fields of its input that may be amended while it is parked' }),
  ifResolved: Resolution.nullable().openapi({
    description: 'What resolving it does and leaves; null: it is not parked',
  }),
}).openapi('SagaExecutionWithSteps');

export const SagaCounts = z.record(z.string(), z.int()).openapi({
  description: `Executions by status, for the same filter without its status; ${COUNTED_AT_MOST} stands for so many or more`,
  example: { pending: 0, running: 1, compensating: 0, parked: 0, completed: 7, compensated: 1, resolved: 0 },
});

const sagaFilter = {
  status: SagaStatus.optional(),
  name: z.enum(SAGA_NAMES).optional(),
  reservationId: filtersBy(Id, 'reservation').optional(),
  ...periodFields('Accepted'),
  step: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/)
    .optional(),
  errorCode: z
    .string()
    .regex(/^[A-Za-z0-9_.:-]{1,100}$/)
    .optional(),
  isUndoing: Flag.optional(),
  isParked: Flag.optional(),
  system: line(200).optional(),
};
export const SagaQuery = z.strictObject({ ...sagaFilter, ...pageQuery });
export const SagaFailuresQuery = z.strictObject(sagaFilter);

export const FailureGroup = z
  .object({
    name: z.string(),
    step: z.string(),
    code: z.string().openapi({ description: 'Why the last attempt failed' }),
    isUndoing: z.boolean(),
    isParked: z.boolean().openapi({ description: 'They wait for a person; else they back off' }),
    system: z
      .string()
      .nullable()
      .openapi({ description: 'The device, gateway or bank that is to blame; null: none is' }),
    count: z.int(),
    since: z.iso.datetime().openapi({ description: 'Since when the first stands so' }),
    last: z.iso.datetime().openapi({ description: 'When one of them failed last' }),
    examples: z
      .array(
        z.object({
          sagaId: z.string(),
          reservationId: z.string().nullable(),
          since: z.iso.datetime(),
          links: z.object({ saga: z.string(), reservation: z.string().nullable() }),
        }),
      )
      .openapi({ description: 'The five that have stood longest' }),
    incidents: z.array(z.object({ id: z.string(), kind: z.string(), status: z.enum(['OPEN', 'CLOSED']) })).openapi({
      description:
        'Those that are about it, of which the caller may know: of its step and error, and of the circuit of its system, also if that is over and these were stopped meanwhile',
    }),
    links: z.object({ sagas: z.string().openapi({ description: 'The list of its sagas' }) }),
  })
  .openapi('SagaFailureGroup');
export const SagaFailures = z
  .object({
    sagas: z.int().openapi({ description: 'How many stand still or back off, in all groups' }),
    groups: z.int().openapi({ description: 'How many groups they are' }),
    shown: z.array(FailureGroup).openapi({ description: `The largest first, ${MOST_GROUPS} at the most` }),
  })
  .openapi('SagaFailures');
export const SagaNameParam = z.strictObject({ name: z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,63}$/) });
export const SagaStatusQuery = z.strictObject({
  reservationId: filtersBy(Id, 'reservation').optional(),
  executionId: filtersBy(Id, 'saga').optional(),
});
const reason = prose(500).refine((text) => text.trim() !== '', 'must not be blank');
const stepName = z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,63}$/);
export const RetryBody = z.strictObject({ reason: reason.optional() }).openapi('RetrySaga');
export const RetryFromBody = RetryBody.extend({
  fromStep: stepName.optional().openapi({
    description:
      'The step from which it goes on: an earlier read that may be read once more; default: where it stopped',
  }),
}).openapi('RetrySagaFrom');
export const SkipBody = z.strictObject({ step: stepName, reason }).openapi('SkipStep');
export const AmendBody = z
  .strictObject({
    input: z
      .record(
        z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,63}$/),
        z.union([z.string().max(1_000), z.number(), z.boolean(), z.null()]),
      )
      .refine((fields) => Object.keys(fields).length > 0, 'must have a field')
      .openapi({ description: 'The fields with their new values, of those in `amendable`' }),
    reason,
  })
  .openapi('AmendSaga');
export const CancelBody = z.strictObject({ reason }).openapi('CancelSaga');
export const ResolveBody = z.strictObject({ reason }).openapi('ResolveSaga');

/** The answer of a saga while it is open. The bytes are the same for each key and status. */
export const Accepted = z
  .object({
    sagaExecutionId: z.string(),
    status: z
      .enum(['pending', 'parked', 'waiting'])
      .openapi({ description: '`pending`: it goes on by itself. `parked`, `waiting`: a person must act first' }),
    links: z.object({ self: z.string().openapi({ description: 'The execution, as it is now' }) }),
    waitsFor: z
      .object({
        step: z.string(),
        direction: z.enum(['forward', 'compensation']),
        code: z.string().openapi({ description: 'The error code that stopped the step' }),
        message: z.string(),
      })
      .optional()
      .openapi({ description: 'What stopped it first; only with `parked` and `waiting`' }),
  })
  .openapi('AcceptedSaga');
export const ACCEPTED_EXAMPLE = {
  success: true,
  data: {
    sagaExecutionId: 'saga-1',
    status: 'pending',
    links: { self: '/api/production/sagas/executions/saga-1' },
  },
  message: 'Accepted',
};
