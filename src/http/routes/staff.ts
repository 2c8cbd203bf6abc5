import { createRoute } from '@hono/zod-openapi';
import { addLeave, listLeave, removeLeave } from '../../domain/assignment/leave.ts';
import { createStaff, getStaff, listStaff } from '../../domain/people/staff.ts';
import { changeStaff } from '../../domain/stays/change-staff.ts';
import { created, createdFixed, expectedVersions, found, foundVersion, page } from '../answers.ts';
import { authorOf, type Services } from '../context.ts';
import { periodOf } from '../period.ts';
import { agentOf } from '../portfolio.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, ChangeHeaders, jsonOf, many, one, refusals } from '../schemas/envelope.ts';
import {
  Leave,
  LeaveParams,
  NewLeave,
  NewStaff,
  PeopleQuery,
  Staff,
  StaffChange,
  StaffQuery,
} from '../schemas/people.ts';

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

const listOfLeave = createRoute({
  method: 'get',
  path: `${PATH}/{id}/leave`,
  tags,
  summary: 'List the leave of a staff member, newest first',
  request: { params: IdParam, query: PeopleQuery },
  responses: {
    200: answer('A page of leave', many(Leave)),
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR', 'NOT_FOUND'),
  },
});
const takeLeave = createRoute({
  method: 'post',
  path: `${PATH}/{id}/leave`,
  tags,
  summary: 'Add leave; the tasks that fall into it go to others',
  request: {
    params: IdParam,
    body: jsonOf(NewLeave, { from: '2024-02-01', to: '2024-02-02' }),
  },
  responses: { 201: answer('Added', one(Leave)), ...bodyRefusals('NOT_FOUND') },
});
const cancelLeave = createRoute({
  method: 'delete',
  path: `${PATH}/{id}/leave/{leaveId}`,
  tags,
  summary: 'Remove leave; what has been given to others stays with them',
  request: { params: LeaveParams },
  responses: { 200: answer('Removed', one(Leave)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});

export function registerStaff(register: Register, services: Services): void {
  register(list, (c) =>
    page(c, services, 'staff', c.req.valid('query'), (filter, at) => listStaff(services.db, filter, agentOf(c), at)),
  );
  register.mutation(create, (c, once) => {
    const wanted = c.req.valid('json');
    return once.change(async (tx) => created(c, await createStaff(tx, wanted, authorOf(c)), 'Staff member created'));
  });
  register(read, async (c) => foundVersion(c, await getStaff(services.db, c.req.valid('param').id, agentOf(c))));
  register.mutation(change, (c, once) => {
    const { id } = c.req.valid('param');
    const changes = c.req.valid('json');
    return once.change(async (tx, afterCommit) => {
      afterCommit(() => services.standing.changed(id));
      return foundVersion(c, await changeStaff(tx, id, changes, expectedVersions(c), authorOf(c)));
    });
  });
  register(listOfLeave, (c) => {
    const { id } = c.req.valid('param');
    return page(c, services, `leave of ${id}`, c.req.valid('query'), (_filter, at) =>
      listLeave(services.db, id, agentOf(c), at),
    );
  });
  register.mutation(takeLeave, async (c, once) => {
    const { id } = c.req.valid('param');
    const { reason, ...asked } = c.req.valid('json');
    const { from = '', to = '' } = await periodOf(c, services, asked, 'refused');
    return once.change(async (tx) =>
      createdFixed(c, await addLeave(tx, id, { from, to, reason }, agentOf(c), authorOf(c)), 'Leave added'),
    );
  });
  register.mutation(cancelLeave, (c, once) => {
    const { id, leaveId } = c.req.valid('param');
    return once.change(async (tx) =>
      found(c, await removeLeave(tx, { staffId: id, leaveId }, agentOf(c), authorOf(c))),
    );
  });
}
