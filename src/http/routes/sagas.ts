import { createRoute } from '@hono/zod-openapi';
import { lockOpenQuestions, withdraw } from '../../domain/approvals/store.ts';
import { countSagas, getExecution, listSagas, newestExecution } from '../../engine/read/executions.ts';
import type { ExecutionView } from '../../engine/types.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { found, page } from '../answers.ts';
import { authorOf, type Services } from '../context.ts';
import { answerFailure } from '../errors.ts';
import { executionShown } from '../masks.ts';
import { assertMayOperateOn, assertMayWithdraw, interventionOf } from '../operating.ts';
import { withPeriod } from '../period.ts';
import { readerOf } from '../reader.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, many, one, refusals } from '../schemas/envelope.ts';
import {
  Execution,
  ExecutionWithSteps,
  ResolveBody,
  RetryFromBody,
  SAGA_STATUS_EXAMPLE,
  SagaCounts,
  SagaNameParam,
  SagaQuery,
  SagaStatusQuery,
  SagaStatusView,
} from '../schemas/sagas.ts';

const PATH = '/api/production/sagas';
const tags = ['Sagas'];

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List saga executions, newest first, with counts by status',
  request: { query: SagaQuery },
  responses: {
    200: answer('A page of executions', many(Execution, { counts: SagaCounts })),
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR'),
  },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/executions/{id}`,
  tags,
  summary: 'Get an execution with its steps, compensations last',
  request: { params: IdParam },
  responses: {
    200: answer('The execution', one(ExecutionWithSteps)),
    ...refusals('VALIDATION_FAILED', 'SAGA_NOT_FOUND'),
  },
});
const retry = createRoute({
  method: 'post',
  path: `${PATH}/executions/{id}/retry`,
  tags,
  summary: 'Resume a parked execution where it stopped',
  request: { params: IdParam, body: jsonOf(RetryFromBody, { reason: 'The gateway is up again' }, false) },
  responses: {
    200: answer('Resumed', one(ExecutionWithSteps)),
    ...bodyRefusals(
      'SAGA_NOT_FOUND',
      'SAGA_NOT_PARKED',
      'APPROVAL_REQUIRED',
      'SAGA_IN_PROGRESS',
      'INVALID_STATE_TRANSITION',
    ),
  },
});
const resolve = createRoute({
  method: 'post',
  path: `${PATH}/executions/{id}/resolve`,
  tags,
  summary: 'Close a parked execution that was settled by hand',
  request: { params: IdParam, body: jsonOf(ResolveBody, { reason: 'Refunded in the gateway’s console' }) },
  responses: {
    200: answer('Resolved', one(ExecutionWithSteps)),
    ...bodyRefusals('SAGA_NOT_FOUND', 'SAGA_NOT_PARKED', 'INVALID_STATE_TRANSITION'),
  },
});
const status = createRoute({
  method: 'get',
  path: `${PATH}/{name}/status`,
  tags,
  summary: 'Follow the newest execution of a saga',
  request: { params: SagaNameParam, query: SagaStatusQuery },
  responses: {
    200: answer('How far it is', one(SagaStatusView), { success: true, data: SAGA_STATUS_EXAMPLE }),
    ...refusals('VALIDATION_FAILED', 'SAGA_NOT_FOUND'),
  },
});

export function registerSagas(register: Register, services: Services): void {
  const { db, orchestrator } = services;
  register(list, async (c) => {
    const query = await withPeriod(c, services, c.req.valid('query'));
    const { limit: _limit, cursor: _cursor, ...filter } = query;
    const reader = readerOf(c);
    const { startedBy, part } = reader;
    const counts = await countSagas(db, { ...filter, startedBy, part });
    return page(
      c,
      services,
      'sagas',
      query,
      async (asked, at) => {
        const { items, next } = await listSagas(db, { ...asked, startedBy, part }, at, reader);
        return { items: items.map((saga) => executionShown(c, saga)), next };
      },
      { counts },
    );
  });
  // Before `:name/status`, which would take `executions` for a name.
  register(read, async (c) =>
    found(c, executionShown(c, await getExecution(db, c.req.valid('param').id, readerOf(c)))),
  );
  register.mutation(retry, (c, once) => {
    const sagaId = c.req.valid('param').id;
    const { reason, fromStep } = c.req.valid('json');
    const given = {
      ...(reason === undefined ? {} : { reason }),
      ...(fromStep === undefined ? {} : { from: fromStep }),
    };
    const asked = { ...interventionOf(c, sagaId), ...given };
    return once.change(async (tx, afterCommit) => {
      assertMayOperateOn(c, (await getExecution(tx, sagaId, readerOf(c))).name);
      const { outcome, announce } = await orchestrator.retryWithin(tx, asked);
      // That somebody tried is in the audit trail, which stays.
      if (outcome === 'stale') return answerFailure(c, new RoomyError('SAGA_NOT_PARKED'));
      // It is in there as well, and the saga stays as it is: a retry is no approval.
      if (outcome === 'needs-approval') return answerFailure(c, new RoomyError('APPROVAL_REQUIRED'));
      afterCommit(announce);
      return found(c, executionShown(c, await getExecution(tx, sagaId, readerOf(c))));
    });
  });
  register.mutation(resolve, (c, once) => {
    const sagaId = c.req.valid('param').id;
    const asked = { ...interventionOf(c, sagaId), reason: c.req.valid('json').reason };
    return once.change(async (tx, afterCommit) => {
      // Nobody need decide any more; first, as a decision locks the question before the saga.
      const about = { subject: { type: 'saga', id: sagaId } } as const;
      assertMayWithdraw(c, await lockOpenQuestions(tx, about));
      await withdraw(tx, about, authorOf(c));
      afterCommit(await orchestrator.resolveWithin(tx, asked));
      return found(c, executionShown(c, await getExecution(tx, sagaId, readerOf(c))));
    });
  });
  register(status, async (c) => {
    const { name } = c.req.valid('param');
    const reader = readerOf(c);
    const filter = { name, ...c.req.valid('query'), startedBy: reader.startedBy, part: reader.part };
    return found(c, statusView(await newestExecution(db, filter, reader)));
  });
}

/** The brief's fields first, as in its sample. */
const statusView = (saga: ExecutionView) => ({
  name: saga.name,
  status: saga.status,
  currentStep: saga.currentStep,
  totalSteps: saga.totalSteps,
  createdAt: saga.createdAt,
  updatedAt: saga.updatedAt,
  data: saga.data,
  currentStepName: saga.currentStepName,
  stepsCompleted: saga.stepsCompleted,
  executionId: saga.id,
  ...(saga.waiting ? { waiting: saga.waiting } : {}),
});
