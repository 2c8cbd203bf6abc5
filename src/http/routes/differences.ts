import { createRoute } from '@hono/zod-openapi';
import type { Tx } from '../../db/client.ts';
import {
  bookDifference,
  explainDifference,
  getDifference,
  listDifferences,
  reopenDifference,
} from '../../domain/finance/difference-resource.ts';
import { expectedVersions, foundVersion, page } from '../answers.ts';
import { type AnyContext, authorOf, type Services } from '../context.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { Difference, DifferenceQuery, EXPLANATION_EXAMPLE, Explanation } from '../schemas/differences.ts';
import { answer, bodyRefusals, ChangeHeaders, jsonOf, many, one, refusals } from '../schemas/envelope.ts';

const PATH = '/api/production/financial/differences';
const tags = ['Finance'];
const CHANGE = ['NOT_FOUND', 'INVALID_STATE_TRANSITION', 'PRECONDITION_FAILED'] as const;

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List what gateways’ records and the ledger do not agree about, newest first',
  request: { query: DifferenceQuery },
  responses: {
    200: answer('A page of differences', many(Difference)),
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR', 'GATEWAY_UNKNOWN'),
  },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get a difference',
  request: { params: IdParam },
  responses: { 200: answer('The difference', one(Difference)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const explain = createRoute({
  method: 'post',
  path: `${PATH}/{id}/explanation`,
  tags,
  summary: 'Mark a difference as explained',
  request: { params: IdParam, headers: ChangeHeaders, body: jsonOf(Explanation, EXPLANATION_EXAMPLE) },
  responses: { 200: answer('Explained', one(Difference)), ...bodyRefusals(...CHANGE) },
});
const reopen = createRoute({
  method: 'delete',
  path: `${PATH}/{id}/explanation`,
  tags,
  summary: 'Take an explanation back: the difference is open again',
  request: { params: IdParam, headers: ChangeHeaders },
  responses: { 200: answer('Open', one(Difference)), ...refusals('VALIDATION_FAILED', ...CHANGE) },
});
const correct = createRoute({
  method: 'post',
  path: `${PATH}/{id}/correction`,
  tags,
  summary: 'Book the difference in a gateway’s fee',
  request: { params: IdParam, headers: ChangeHeaders },
  responses: {
    200: answer('Booked', one(Difference)),
    ...refusals('VALIDATION_FAILED', ...CHANGE, 'DIFFERENCE_NOT_BOOKABLE', 'SAGA_IN_PROGRESS', 'SUPERSEDED'),
  },
});

export function registerDifferences(register: Register, services: Services): void {
  const { db } = services;
  const view = async (c: AnyContext, tx: Tx, id: string) => foundVersion(c, await getDifference(tx, id));
  register(list, (c) =>
    page(c, services, 'differences', c.req.valid('query'), async (filter, at) => {
      const listed = await listDifferences(db, filter, at);
      // As of reconciliations: a gateway of before may have some.
      if (filter.gatewayId !== undefined && listed.items.length === 0) services.ports.gateway(filter.gatewayId);
      return listed;
    }),
  );
  register(read, async (c) => foundVersion(c, await getDifference(db, c.req.valid('param').id)));
  register.mutation(explain, (c, once) => {
    const { id } = c.req.valid('param');
    const { reason } = c.req.valid('json');
    return once.change(async (tx) => {
      await explainDifference(tx, id, { reason, expected: expectedVersions(c) }, authorOf(c));
      return view(c, tx, id);
    });
  });
  register.mutation(reopen, (c, once) => {
    const { id } = c.req.valid('param');
    return once.change(async (tx) => {
      await reopenDifference(tx, id, expectedVersions(c), authorOf(c));
      return view(c, tx, id);
    });
  });
  register.mutation(correct, (c, once) => {
    const { id } = c.req.valid('param');
    return once.change(async (tx) => {
      await bookDifference(tx, id, expectedVersions(c), authorOf(c));
      return view(c, tx, id);
    });
  });
}
