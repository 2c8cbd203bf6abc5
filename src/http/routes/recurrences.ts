import { createRoute } from '@hono/zod-openapi';
import {
  changeRecurrence,
  createRecurrence,
  getRecurrence,
  listRecurrences,
} from '../../domain/tasks/recurrence-resource.ts';
import { created, expectedVersions, foundVersion, page } from '../answers.ts';
import { authorOf, type Services } from '../context.ts';
import { agentOf } from '../portfolio.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, ChangeHeaders, jsonOf, many, one, refusals } from '../schemas/envelope.ts';
import { NewRecurrence, Recurrence, RecurrenceChange, RecurrenceQuery } from '../schemas/recurrences.ts';

const PATH = '/api/production/recurrences';
const tags = ['Tasks'];
const example = {
  propertyId: 'property-1',
  type: 'INSPECTION',
  title: 'Monthly inspection',
  every: 'MONTHLY',
  anchorDate: '2024-01-31',
};

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List rules of recurring work, newest first',
  request: { query: RecurrenceQuery },
  responses: { 200: answer('A page of rules', many(Recurrence)), ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR') },
});
const create = createRoute({
  method: 'post',
  path: PATH,
  tags,
  summary: 'Add a rule: monthly, quarterly, every n days, or after n completed stays or nights',
  request: { body: jsonOf(NewRecurrence, example) },
  responses: { 201: answer('Added', one(Recurrence)), ...bodyRefusals('ALREADY_EXISTS', 'REFERENCE_NOT_FOUND') },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get a rule',
  request: { params: IdParam },
  responses: { 200: answer('The rule', one(Recurrence)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const change = createRoute({
  method: 'patch',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Change a rule; honours If-Match',
  request: { params: IdParam, headers: ChangeHeaders, body: jsonOf(RecurrenceChange, { localTime: '12:00' }) },
  responses: { 200: answer('Changed', one(Recurrence)), ...bodyRefusals('NOT_FOUND', 'PRECONDITION_FAILED') },
});
const end = createRoute({
  method: 'delete',
  path: `${PATH}/{id}`,
  tags,
  summary: 'End a rule: nothing more comes of it; honours If-Match',
  request: { params: IdParam, headers: ChangeHeaders },
  responses: {
    200: answer('Ended', one(Recurrence)),
    ...refusals('VALIDATION_FAILED', 'NOT_FOUND', 'PRECONDITION_FAILED'),
  },
});

export function registerRecurrences(register: Register, services: Services): void {
  register(list, (c) =>
    page(c, services, 'recurrences', c.req.valid('query'), (filter, at) =>
      listRecurrences(services.db, filter, agentOf(c), at),
    ),
  );
  register.mutation(create, (c, once) => {
    const wanted = c.req.valid('json');
    const now = services.clock.now();
    return once.change(async (tx) =>
      created(c, await createRecurrence(tx, wanted, agentOf(c), now, authorOf(c)), 'Recurrence created'),
    );
  });
  register(read, async (c) => foundVersion(c, await getRecurrence(services.db, c.req.valid('param').id, agentOf(c))));
  register.mutation(change, (c, once) => {
    const { id } = c.req.valid('param');
    const changes = c.req.valid('json');
    return once.change(async (tx) =>
      foundVersion(c, await changeRecurrence(tx, id, changes, agentOf(c), expectedVersions(c), authorOf(c))),
    );
  });
  register.mutation(end, (c, once) => {
    const { id } = c.req.valid('param');
    const ended = { active: false };
    return once.change(async (tx) =>
      foundVersion(c, await changeRecurrence(tx, id, ended, agentOf(c), expectedVersions(c), authorOf(c))),
    );
  });
}
