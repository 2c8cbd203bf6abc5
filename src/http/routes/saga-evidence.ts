import { createRoute } from '@hono/zod-openapi';
import type { Db } from '../../db/client.ts';
import { listAudit } from '../../domain/audit/resource.ts';
import { type AttemptsView, attemptsOf, holdsOver } from '../../engine/read/attempts.ts';
import { getExecution } from '../../engine/read/executions.ts';
import { found } from '../answers.ts';
import type { AnyContext, Services } from '../context.ts';
import { impersonal } from '../masks.ts';
import { readerOf } from '../reader.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, one, refusals } from '../schemas/envelope.ts';
import { SagaAttempts, SagaExport } from '../schemas/saga-evidence.ts';

/** What was tried in an execution, and the whole of it as one document, without a word of a person. */

const PATH = '/api/production/sagas/executions/{id}';
const tags = ['Sagas'];

const attempts = createRoute({
  method: 'get',
  path: `${PATH}/attempts`,
  tags,
  summary: 'List the attempts of an execution with input, output, error, duration and worker',
  request: { params: IdParam },
  responses: {
    200: answer('The attempts', one(SagaAttempts)),
    ...refusals('VALIDATION_FAILED', 'SAGA_NOT_FOUND'),
  },
});
const bundle = createRoute({
  method: 'get',
  path: `${PATH}/export`,
  tags,
  summary: 'Get an execution as one document without personal data',
  request: { params: IdParam },
  responses: {
    200: answer('The document', one(SagaExport)),
    ...refusals('VALIDATION_FAILED', 'SAGA_NOT_FOUND'),
  },
});

export function registerSagaEvidence(register: Register, { db }: Services): void {
  register(attempts, async (c) => found(c, await tried(c, db, c.req.valid('param').id)));
  register(bundle, async (c) => found(c, await exported(c, db, c.req.valid('param').id)));
}

async function tried(c: AnyContext, db: Db, id: string): Promise<AttemptsView> {
  const { input, amendments, attempts: all } = await attemptsOf(db, id, readerOf(c));
  return {
    input: impersonal(c, input),
    amendments: amendments.map((one) => ({ ...one, fields: impersonal(c, one.fields), reason: null })),
    attempts: all.map((attempt) => ({
      ...attempt,
      output: impersonal(c, attempt.output),
      error: impersonal(c, attempt.error),
    })),
  };
}

/** A saga has some dozen rows of the audit trail; of one that was tried for days the newest are taken. */
const MOST_AUDIT_ROWS = 1_000;

async function exported(c: AnyContext, db: Db, id: string) {
  const { steps, amendments: _, amendable: _names, ...saga } = await getExecution(db, id, readerOf(c));
  const [{ input, amendments, attempts: all }, audit, holds] = await Promise.all([
    tried(c, db, id),
    listAudit(db, { sagaExecutionId: id }, { after: null, limit: MOST_AUDIT_ROWS }),
    holdsOver(db, saga),
  ]);
  return {
    execution: {
      ...saga,
      notes: null,
      error: impersonal(c, saga.error),
      data: impersonal(c, saga.data),
      pausedBy: saga.pausedBy && { ...saga.pausedBy, reason: null },
    },
    input,
    amendments,
    steps: steps.map((step) => ({
      ...step,
      output: impersonal(c, step.output),
      error: impersonal(c, step.error),
      skipped: step.skipped && { ...step.skipped, reason: null },
    })),
    attempts: all,
    audit: audit.items.toReversed().map(({ seq, timestamp, event, userId, outcome, requestId, details, hash }) => ({
      ...{ seq, timestamp, event, userId, outcome, requestId, hash },
      details: impersonal(c, details),
    })),
    holds: holds.map(({ id: holdId, scope, subject, heldBy, heldAt, releasedBy, releasedAt }) => ({
      ...{ id: holdId, scope, subject, heldBy, heldAt, releasedBy, releasedAt },
    })),
  };
}
