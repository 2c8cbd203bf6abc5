import { createRoute } from '@hono/zod-openapi';
import type { z } from 'zod';
import type { Completion } from '../../db/schema.ts';
import { parsePayment } from '../../domain/finance/payment-amount.ts';
import { chargeCompleted } from '../../domain/stays/charge-repair.ts';
import { completeTask, startTask } from '../../domain/stays/complete-task.ts';
import { addPhoto, readPhoto } from '../../domain/tasks/photos.ts';
import { taskStatistics } from '../../domain/tasks/statistics.ts';
import { sha256OfBytes } from '../../kernel/json.ts';
import { parseMajor, toMajor } from '../../kernel/money.ts';
import { prefixOf } from '../../kernel/path-prefix.ts';
import { startVisitFor } from '../../sagas/start-visit.ts';
import { found, json } from '../answers.ts';
import { authorOf, originOf, type Services } from '../context.ts';
import { readPhotoBody } from '../middleware/photo-body.ts';
import { assertSeenProperty } from '../named.ts';
import { doingScopeOf, titledFor, workScopeOf } from '../own-task.ts';
import { reportPeriodOf } from '../period.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, MONEY_REFUSALS, one, refusals } from '../schemas/envelope.ts';
import { DryRunQuery, withPlan } from '../schemas/rehearsals.ts';
import {
  CHARGE_EXAMPLE,
  ChargeBody,
  COMPLETE_EXAMPLE,
  CompleteBody,
  CompletedTask,
  Photo,
  PhotoParams,
  START_EXAMPLE,
  StartBody,
  Statistics,
  StatisticsQuery,
  TaskCharge,
} from '../schemas/task-work.ts';
import { Task } from '../schemas/tasks.ts';

const PATH = '/api/production/tasks';
const tags = ['Tasks'];

const statistics = createRoute({
  method: 'get',
  path: `${PATH}/statistics`,
  tags,
  summary: 'How much was done, by whom, and in time',
  request: { query: StatisticsQuery },
  responses: { 200: answer('The statistics', one(Statistics)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const start = createRoute({
  method: 'post',
  path: `${PATH}/{id}/start`,
  tags,
  summary: 'Begin a task, as its assignee',
  request: { params: IdParam, query: DryRunQuery, body: jsonOf(StartBody, START_EXAMPLE, false) },
  responses: {
    200: withPlan(answer('Begun', one(Task))),
    ...bodyRefusals('TASK_NOT_FOUND', 'TASK_NOT_COMPLETABLE', 'INVALID_STATE_TRANSITION'),
  },
});
const complete = createRoute({
  method: 'post',
  path: `${PATH}/{id}/complete`,
  tags,
  summary: 'Complete a task; the answer says what followed from it',
  request: { params: IdParam, query: DryRunQuery, body: jsonOf(CompleteBody, COMPLETE_EXAMPLE, false) },
  responses: {
    200: withPlan(answer('Completed', one(CompletedTask))),
    ...bodyRefusals(
      'TASK_NOT_FOUND',
      'TASK_ALREADY_COMPLETED',
      'TASK_NOT_COMPLETABLE',
      'CHECKLIST_INCOMPLETE',
      'REFERENCE_NOT_FOUND',
      'AMOUNT_PRECISION',
      'AMOUNT_INVALID',
      'AMOUNT_NOT_POSITIVE',
      'AMOUNT_TOO_LARGE',
      'CARD_DATA_FORBIDDEN',
    ),
  },
});
const charge = createRoute({
  method: 'post',
  path: `${PATH}/{id}/charge`,
  tags,
  summary: 'Charge the owner what a completed repair has cost, where that is not charged yet',
  request: { params: IdParam, body: jsonOf(ChargeBody, CHARGE_EXAMPLE) },
  responses: {
    200: answer('Charged, or asked for', one(TaskCharge)),
    ...bodyRefusals('TASK_NOT_FOUND', 'INVALID_STATE_TRANSITION', 'CURRENCY_INVALID', ...MONEY_REFUSALS),
  },
});
const picture = { schema: { type: 'string', format: 'binary' } } as const;
const PICTURES = { 'image/jpeg': picture, 'image/png': picture, 'image/webp': picture };
const putPhoto = createRoute({
  method: 'put',
  path: `${PATH}/{id}/photos/{photoId}`,
  tags,
  summary: 'Add a photo, 2 MiB at the most; the same again is stored once',
  request: { params: PhotoParams, body: { required: true, content: PICTURES } },
  responses: {
    200: answer('There already', one(Photo)),
    201: answer('Added', one(Photo)),
    ...bodyRefusals('TASK_NOT_FOUND', 'ALREADY_EXISTS'),
  },
});
/** To ask for it again with. */
const UNCHANGING = {
  ETag: { description: 'Its bytes, to be sent as `If-None-Match`', schema: { type: 'string' as const } },
};
const getPhoto = createRoute({
  method: 'get',
  path: `${PATH}/{id}/photos/{photoId}`,
  tags,
  summary: 'Get a photo of a task',
  request: { params: PhotoParams },
  responses: {
    200: { description: 'The photo', headers: UNCHANGING, content: PICTURES },
    304: { description: 'It is the one that `If-None-Match` names', headers: UNCHANGING },
    ...refusals('VALIDATION_FAILED', 'TASK_NOT_FOUND', 'NOT_FOUND'),
  },
});

export function registerTaskWork(register: Register, services: Services): void {
  const { db } = services;
  register(statistics, async (c) => {
    const query = c.req.valid('query');
    const { propertyId } = query;
    await assertSeenProperty(c, db, propertyId);
    const filter = { ...(await reportPeriodOf(c, services, query)), propertyId };
    return found(c, await taskStatistics(db, workScopeOf(c), filter));
  });
  register.mutation(start, (c, once) => {
    const order = {
      taskId: c.req.valid('param').id,
      scope: doingScopeOf(c),
      startedAt: c.req.valid('json').startedAt ?? null,
    };
    return once.change(async (tx) => found(c, titledFor(c, await startTask(tx, order, authorOf(c))), 'Task started'));
  });
  register.mutation(complete, (c, once) => {
    const { id } = c.req.valid('param');
    const body = c.req.valid('json');
    const author = authorOf(c);
    return once.change(async (tx) => {
      const order = {
        taskId: id,
        scope: doingScopeOf(c),
        completion: completionOf(body),
        completedAt: body.completedAt ?? null,
        onBehalfOf: body.completedBy ?? null,
        startVisit: startVisitFor({ sub: author.actor, ...originOf(c) }),
      };
      return found(c, titledFor(c, await completeTask(tx, order, author)), 'Task completed');
    });
  });
  register.mutation(charge, (c, once) => {
    const { id } = c.req.valid('param');
    const { amount, currency } = c.req.valid('json');
    const cost = parsePayment(amount, currency);
    return once.change(async (tx) =>
      found(c, { ...(await chargeCompleted(tx, id, cost, authorOf(c))), amount: toMajor(cost), currency }),
    );
  });
  register.mutation(putPhoto, async (c, once) => {
    const { id, photoId } = c.req.valid('param');
    const bytes = await readPhotoBody(c);
    return once.changeBy(sha256OfBytes(bytes).toString('hex'), async (tx) => {
      const added = await addPhoto(tx, { taskId: id, photoId, bytes }, workScopeOf(c), authorOf(c).actor);
      const href = `${PATH}/${id}/photos/${photoId}`;
      const data = { id: photoId, taskId: id, href: `${prefixOf(services.publicUrl)}${href}` };
      if (added) c.header('Location', href);
      return json(c, added ? 201 : 200, { success: true, data });
    });
  });
  register(getPhoto, async (c) => {
    const { id, photoId } = c.req.valid('param');
    const photo = await readPhoto(db, id, photoId, workScopeOf(c));
    const tag = `"${photo.tag}"`;
    c.header('ETag', tag);
    c.header('Cache-Control', 'private, max-age=86400, immutable');
    if (c.req.header('if-none-match') === tag) return c.body(null, 304);
    c.header('Content-Type', photo.contentType);
    c.header('X-Content-Type-Options', 'nosniff');
    c.header('Content-Security-Policy', "default-src 'none'");
    return c.body(new Uint8Array(photo.bytes));
  });
}

function completionOf({ completedBy, completedAt, cost, ...rest }: z.output<typeof CompleteBody>): Completion {
  if (cost === undefined) return rest;
  // A cost that is charged goes into the ledger, whose entries are bounded and never zero.
  const parse = cost.chargeOwner ? parsePayment : parseMajor;
  const { amountMinor, currency } = parse(cost.amount, cost.currency);
  return { ...rest, cost: { amountMinor, currency, chargeOwner: cost.chargeOwner } };
}
