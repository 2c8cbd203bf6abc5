import { z } from '@hono/zod-openapi';
import { HOLD_SCOPES } from './holds.ts';
import { Amendment, Execution, Step } from './sagas.ts';

const Attempt = z
  .object({
    step: z.int(),
    name: z.string(),
    direction: z.enum(['forward', 'compensation']),
    attempt: z.int(),
    outcome: z.enum(['running', 'waiting', 'done', 'later', 'failed', 'lost', 'skipped']).openapi({
      description:
        '`later`: another attempt follows. `lost`: its worker died, or another attempt had the step when it answered',
    }),
    worker: z.string().nullable().openapi({ description: 'Of a call: the process that made it' }),
    unsent: z.boolean().openapi({ description: 'Of a call that failed: it never reached the other side' }),
    output: z.unknown(),
    error: z.unknown(),
    startedAt: z.iso.datetime().nullable(),
    endedAt: z.iso.datetime().nullable(),
    durationMs: z.number().nullable(),
  })
  .openapi('SagaAttempt');
const input = z.record(z.string(), z.unknown()).openapi({
  description: 'As it was accepted; what a person wrote is null, and so are amounts for who sees none',
});

const amendments = z
  .array(Amendment.extend({ reason: z.null() }))
  .openapi({ description: 'What people have changed of the input since, oldest first' });

export const SagaAttempts = z.object({ input, amendments, attempts: z.array(Attempt) }).openapi('SagaAttempts');

export const SagaExport = z
  .object({
    execution: Execution.extend({
      pausedBy: z
        .object({
          holdId: z.string(),
          scope: z.enum(HOLD_SCOPES),
          subject: z.string(),
          by: z.string(),
          since: z.iso.datetime(),
          reason: z.null(),
        })
        .nullable(),
    }),
    input,
    amendments,
    steps: z.array(Step),
    attempts: z.array(Attempt),
    audit: z.array(
      z.object({
        seq: z.int(),
        timestamp: z.iso.datetime(),
        event: z.string(),
        userId: z.string(),
        outcome: z.string().nullable(),
        requestId: z.string().nullable(),
        details: z.unknown(),
        hash: z.string(),
      }),
    ),
    holds: z
      .array(
        z.object({
          id: z.string(),
          scope: z.enum(HOLD_SCOPES),
          subject: z.string(),
          heldBy: z.string(),
          heldAt: z.iso.datetime(),
          releasedBy: z.string().nullable(),
          releasedAt: z.iso.datetime().nullable(),
        }),
      )
      .openapi({ description: 'What was paused while it was open, and may have kept it' }),
  })
  .openapi('SagaExport');
