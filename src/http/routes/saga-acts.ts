import { createRoute } from '@hono/zod-openapi';
import type { Tx } from '../../db/client.ts';
import { lockOpenQuestions, withdraw } from '../../domain/approvals/store.ts';
import { getExecution } from '../../engine/read/executions.ts';
import { found } from '../answers.ts';
import { type AnyContext, authorOf, type Services } from '../context.ts';
import { executionShown } from '../masks.ts';
import { assertMayOperateOn, assertMayWithdraw, interventionOf } from '../operating.ts';
import { readerOf } from '../reader.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, one } from '../schemas/envelope.ts';
import { AmendBody, CancelBody, ExecutionWithSteps, RetryBody, SkipBody } from '../schemas/sagas.ts';

/** What people do with an execution besides letting it go on as it is, and closing it. */

const PATH = '/api/production/sagas/executions/{id}';
const tags = ['Sagas'];

const retryNow = createRoute({
  method: 'post',
  path: `${PATH}/retry-now`,
  tags,
  summary: 'Make the next attempt of a step that backs off now',
  request: { params: IdParam, body: jsonOf(RetryBody, { reason: 'The gateway is up again' }, false) },
  responses: {
    200: answer('Tried again', one(ExecutionWithSteps)),
    ...bodyRefusals('SAGA_NOT_FOUND', 'INVALID_STATE_TRANSITION'),
  },
});
const cancel = createRoute({
  method: 'post',
  path: `${PATH}/cancel`,
  tags,
  summary: 'Stop an execution before its point of no return, and undo it',
  request: { params: IdParam, body: jsonOf(CancelBody, { reason: 'The guest has asked for other dates' }) },
  responses: {
    200: answer('Cancelled', one(ExecutionWithSteps)),
    ...bodyRefusals('SAGA_NOT_FOUND', 'INVALID_STATE_TRANSITION'),
  },
});

const skip = createRoute({
  method: 'post',
  path: `${PATH}/skip`,
  tags,
  summary: 'Let an execution go on behind the step at which it is parked or backs off',
  request: {
    params: IdParam,
    body: jsonOf(SkipBody, {
      step: 'deactivatePropertyAmenities',
      reason: 'The lock is broken; the code was taken off by hand',
    }),
  },
  responses: {
    200: answer('Skipped; `ifSkipped` of the step says what is to be done by hand', one(ExecutionWithSteps)),
    ...bodyRefusals('SAGA_NOT_FOUND', 'SAGA_NOT_PARKED', 'INVALID_STATE_TRANSITION'),
  },
});

const amend = createRoute({
  method: 'post',
  path: `${PATH}/amend`,
  tags,
  summary: 'Change fields of the input of a parked execution, and resume it',
  request: {
    params: IdParam,
    body: jsonOf(AmendBody, {
      input: { until: '2027-01-31T11:00:00Z' },
      reason: 'The lock keeps no time beyond this month',
    }),
  },
  responses: {
    200: answer('Amended and resumed', one(ExecutionWithSteps)),
    ...bodyRefusals(
      'SAGA_NOT_FOUND',
      'SAGA_NOT_PARKED',
      'INVALID_STATE_TRANSITION',
      'APPROVAL_REQUIRED',
      'SAGA_IN_PROGRESS',
    ),
  },
});

export function registerSagaActs(register: Register, { orchestrator }: Services): void {
  register.mutation(retryNow, (c, once) => {
    const sagaId = c.req.valid('param').id;
    const { reason } = c.req.valid('json');
    const asked = { ...interventionOf(c, sagaId), ...(reason === undefined ? {} : { reason }) };
    return once.change(async (tx, afterCommit) => {
      await assertMayAct(c, tx, sagaId);
      afterCommit(await orchestrator.retryNowWithin(tx, asked));
      return execution(c, tx, sagaId);
    });
  });
  register.mutation(skip, (c, once) => {
    const sagaId = c.req.valid('param').id;
    const asked = { ...interventionOf(c, sagaId), ...c.req.valid('json') };
    return once.change(async (tx, afterCommit) => {
      await assertMayAct(c, tx, sagaId);
      afterCommit(await orchestrator.skipWithin(tx, asked));
      return execution(c, tx, sagaId);
    });
  });
  register.mutation(amend, (c, once) => {
    const sagaId = c.req.valid('param').id;
    const asked = { ...interventionOf(c, sagaId), ...c.req.valid('json') };
    return once.change(async (tx, afterCommit) => {
      await assertMayAct(c, tx, sagaId);
      afterCommit(await orchestrator.amendWithin(tx, asked));
      return execution(c, tx, sagaId);
    });
  });
  register.mutation(cancel, (c, once) => {
    const sagaId = c.req.valid('param').id;
    const asked = { ...interventionOf(c, sagaId), reason: c.req.valid('json').reason };
    return once.change(async (tx, afterCommit) => {
      // Nobody need decide any more; first, as a decision locks the question before the saga.
      const about = { subject: { type: 'saga', id: sagaId } } as const;
      const questions = await lockOpenQuestions(tx, about);
      await assertMayAct(c, tx, sagaId);
      assertMayWithdraw(c, questions);
      await withdraw(tx, about, authorOf(c));
      afterCommit(await orchestrator.cancelWithin(tx, asked));
      return execution(c, tx, sagaId);
    });
  });
}

const assertMayAct = async (c: AnyContext, tx: Tx, sagaId: string): Promise<void> =>
  assertMayOperateOn(c, (await getExecution(tx, sagaId, readerOf(c))).name);

const execution = async (c: AnyContext, tx: Tx, sagaId: string): Promise<Response> =>
  found(c, executionShown(c, await getExecution(tx, sagaId, readerOf(c))));
