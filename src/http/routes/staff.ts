import { createRoute } from '@hono/zod-openapi';
import { changeStaff, createStaff, getStaff, listStaff } from '../../domain/people/staff.ts';
import { created, expectedVersions, foundVersion, page } from '../answers.ts';
import { authorOf, inTransaction, type Services } from '../context.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, ChangeHeaders, jsonOf, many, one, refusals } from '../schemas/envelope.ts';
import { NewStaff, Staff, StaffChange, StaffQuery } from '../schemas/people.ts';

const PATH = '/api/production/staff';
const tags = ['Staff'];
const example = { id: 'agent-1', name: 'Amina Rahman', email: 'amina@example.com', role: 'AGENT' };

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List staff, newest first',
  request: { query: StaffQuery },
  responses: { 200: answer('A page of staff', many(Staff)), ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR') },
});
const create = createRoute({
  method: 'post',
  path: PATH,
  tags,
  summary: 'Add a staff member',
  request: { body: jsonOf(NewStaff, example) },
  responses: { 201: answer('Added', one(Staff)), ...bodyRefusals('ALREADY_EXISTS') },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get a staff member',
  request: { params: IdParam },
  responses: { 200: answer('The staff member', one(Staff)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const change = createRoute({
  method: 'patch',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Change a staff member; honours If-Match',
  request: { params: IdParam, headers: ChangeHeaders, body: jsonOf(StaffChange, { active: false }) },
  responses: { 200: answer('Changed', one(Staff)), ...bodyRefusals('NOT_FOUND', 'PRECONDITION_FAILED') },
});

export function registerStaff(register: Register, services: Services): void {
  register(list, (c) =>
    page(c, services, 'staff', c.req.valid('query'), (filter, at) => listStaff(services.db, filter, at)),
  );
  register(create, async (c) => {
    const wanted = c.req.valid('json');
    const made = await inTransaction(services, (tx) => createStaff(tx, wanted, authorOf(c)));
    return created(c, made, 'Staff member created');
  });
  register(read, async (c) => foundVersion(c, await getStaff(services.db, c.req.valid('param').id)));
  register(change, async (c) => {
    const { id } = c.req.valid('param');
    const changes = c.req.valid('json');
    return foundVersion(
      c,
      await inTransaction(services, (tx) => changeStaff(tx, id, changes, expectedVersions(c), authorOf(c))),
    );
  });
}
