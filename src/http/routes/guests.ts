import { createRoute } from '@hono/zod-openapi';
import { createGuest, getGuest, listGuests } from '../../domain/people/guests.ts';
import { changeGuest } from '../../domain/stays/change-guest.ts';
import { created, expectedVersions, foundVersion, page } from '../answers.ts';
import { authorOf, type Services } from '../context.ts';
import { agentOf } from '../portfolio.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, ChangeHeaders, jsonOf, many, one, refusals } from '../schemas/envelope.ts';
import { Guest, GuestChange, NewGuest, PeopleQuery } from '../schemas/people.ts';

const PATH = '/api/production/guests';
const tags = ['Guests'];
const example = { id: 'guest-1', name: 'John Doe', email: 'john.doe@example.com', phone: '+971501234567' };

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List guests, newest first',
  request: { query: PeopleQuery },
  responses: { 200: answer('A page of guests', many(Guest)), ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR') },
});
const create = createRoute({
  method: 'post',
  path: PATH,
  tags,
  summary: 'Add a guest',
  request: { body: jsonOf(NewGuest, example) },
  responses: { 201: answer('Added', one(Guest)), ...bodyRefusals('ALREADY_EXISTS') },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get a guest',
  request: { params: IdParam },
  responses: { 200: answer('The guest', one(Guest)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const change = createRoute({
  method: 'patch',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Change a guest; honours If-Match',
  request: { params: IdParam, headers: ChangeHeaders, body: jsonOf(GuestChange, { locale: 'en-GB' }) },
  responses: { 200: answer('Changed', one(Guest)), ...bodyRefusals('NOT_FOUND', 'PRECONDITION_FAILED') },
});

export function registerGuests(register: Register, services: Services): void {
  register(list, (c) =>
    page(c, services, 'guests', c.req.valid('query'), (_filter, at) => listGuests(services.db, agentOf(c), at)),
  );
  register.mutation(create, (c, once) => {
    const wanted = c.req.valid('json');
    return once.change(async (tx) => created(c, await createGuest(tx, wanted, authorOf(c)), 'Guest created'));
  });
  register(read, async (c) => foundVersion(c, await getGuest(services.db, c.req.valid('param').id, agentOf(c))));
  register.mutation(change, (c, once) => {
    const { id } = c.req.valid('param');
    const changes = c.req.valid('json');
    return once.change(async (tx) =>
      foundVersion(c, await changeGuest(tx, id, changes, agentOf(c), expectedVersions(c), authorOf(c))),
    );
  });
}
