import { createRoute } from '@hono/zod-openapi';
import { readAssignment } from '../../domain/assignment/explanation.ts';
import { acceptTask, declineTask } from '../../domain/assignment/offers.ts';
import { assignMade, holdForTask } from '../../domain/stay-tasks/require-staff.ts';
import { changeTask } from '../../domain/stays/change-task.ts';
import { createTask, getTask, listTasks } from '../../domain/tasks/resource.ts';
import { assertOwnTask, lockOwnTask } from '../../domain/tasks/work.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { created, expectedVersions, found, foundVersion, page } from '../answers.ts';
import { type AnyContext, authorOf, callerOf, type Services } from '../context.ts';
import { answerFailure } from '../errors.ts';
import { onlyTypeOf, titledFor, workScopeOf } from '../own-task.ts';
import { withPeriod } from '../period.ts';
import { agentOf, holderOf } from '../portfolio.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import {
  answer,
  bodyRefusals,
  ChangeHeaders,
  jsonOf,
  MONEY_REFUSALS,
  many,
  one,
  refusals,
} from '../schemas/envelope.ts';
import { DryRunQuery, withPlan } from '../schemas/rehearsals.ts';
import { Assignment, Decline, NewTask, Task, TaskChange, TaskQuery } from '../schemas/tasks.ts';

const PATH = '/api/production/tasks';
const tags = ['Tasks'];
const example = {
  type: 'MAINTENANCE',
  title: 'Air conditioning drips',
  propertyId: 'property-1',
  scheduledDate: '2024-02-01T09:00:00Z',
};

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List tasks, newest first',
  request: { query: TaskQuery },
  responses: { 200: answer('A page of tasks', many(Task)), ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR') },
});
const create = createRoute({
  method: 'post',
  path: PATH,
  tags,
  summary: 'Add a task',
  request: { body: jsonOf(NewTask, example) },
  responses: {
    201: answer('Added', one(Task)),
    ...bodyRefusals(
      'ALREADY_EXISTS',
      'REFERENCE_NOT_FOUND',
      'NO_STAFF_AVAILABLE',
      'RESERVATION_CONFLICT',
      ...MONEY_REFUSALS,
      'APPROVAL_REQUIRED',
    ),
  },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get a task',
  request: { params: IdParam },
  responses: { 200: answer('The task', one(Task)), ...refusals('VALIDATION_FAILED', 'TASK_NOT_FOUND') },
});
const change = createRoute({
  method: 'patch',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Change a task; honours If-Match',
  request: {
    params: IdParam,
    query: DryRunQuery,
    headers: ChangeHeaders,
    body: jsonOf(TaskChange, { priority: 'URGENT' }),
  },
  responses: {
    200: withPlan(answer('Changed', one(Task))),
    ...bodyRefusals(
      'TASK_NOT_FOUND',
      'PRECONDITION_FAILED',
      'REFERENCE_NOT_FOUND',
      'INVALID_STATE_TRANSITION',
      'ASSIGNEE_BUSY',
      'ASSIGNEE_INACTIVE',
      'APPROVAL_REQUIRED',
    ),
  },
});

const assignment = createRoute({
  method: 'get',
  path: `${PATH}/{id}/assignment`,
  tags,
  summary: 'Why this assignee: the scoring table, what spoke against the others, who refused',
  request: { params: IdParam },
  responses: { 200: answer('The assignment', one(Assignment)), ...refusals('VALIDATION_FAILED', 'TASK_NOT_FOUND') },
});
const accept = createRoute({
  method: 'post',
  path: `${PATH}/{id}/accept`,
  tags,
  summary: 'Accept an offered task, as its assignee',
  request: { params: IdParam, query: DryRunQuery },
  responses: {
    200: withPlan(answer('Accepted', one(Task))),
    ...refusals('VALIDATION_FAILED', 'TASK_NOT_FOUND', 'INVALID_STATE_TRANSITION', 'OFFER_EXPIRED'),
  },
});
const decline = createRoute({
  method: 'post',
  path: `${PATH}/{id}/decline`,
  tags,
  summary: 'Decline a task, as its assignee; it goes to the next best',
  request: { params: IdParam, query: DryRunQuery, body: jsonOf(Decline, { reason: 'My car broke down' }) },
  responses: {
    200: withPlan(answer('Declined', one(Task))),
    ...bodyRefusals('TASK_NOT_FOUND', 'INVALID_STATE_TRANSITION'),
  },
});

/** An administrator answers in the assignee's place; anybody else for themselves. */
function answering(c: AnyContext, taskId: string) {
  const caller = callerOf(c);
  const isAdmin = caller.kind === 'person' && caller.role === 'ADMIN';
  return { taskId, assigneeId: isAdmin ? null : caller.principal };
}

export function registerTasks(register: Register, services: Services): void {
  register(list, async (c) =>
    page(c, services, 'tasks', await withPeriod(c, services, c.req.valid('query')), async (filter, at) => {
      const { items, next } = await listTasks(services.db, { ...filter, onlyType: onlyTypeOf(c) }, holderOf(c), at);
      return { items: items.map((task) => titledFor(c, task)), next };
    }),
  );
  register.mutation(create, async (c, once) => {
    const { requireAssignment, holdAlternatives, holdId, ...wanted } = c.req.valid('json');
    try {
      return await once.change(async (tx) => {
        const task = await createTask(tx, wanted, authorOf(c));
        if (!requireAssignment) return created(c, titledFor(c, task), 'Task created');
        if (task.approval === 'PENDING') throw new RoomyError('APPROVAL_REQUIRED', { details: { taskId: task.id } });
        await assignMade(tx, task.id, holdId ?? null);
        return created(c, titledFor(c, await getTask(tx, task.id)), 'Task created');
      });
    } catch (error) {
      const isRefused = error instanceof RoomyError && error.code === 'NO_STAFF_AVAILABLE';
      if (!isRefused || !holdAlternatives) throw error;
      // The times that it holds are an effect too: a repeat gets them again, and holds no others.
      return once.change(async (tx) => answerFailure(c, await holdForTask(tx, wanted, holdId)));
    }
  });
  register(read, async (c) => {
    const { id } = c.req.valid('param');
    await assertOwnTask(services.db, id, workScopeOf(c));
    return foundVersion(c, titledFor(c, await getTask(services.db, id)));
  });
  register.mutation(change, (c, once) => {
    const { id } = c.req.valid('param');
    const changes = c.req.valid('json');
    return once.change(async (tx) => {
      await lockOwnTask(tx, id, workScopeOf(c));
      return foundVersion(c, titledFor(c, await changeTask(tx, id, changes, expectedVersions(c), authorOf(c))));
    });
  });
  register(assignment, async (c) => {
    const { id } = c.req.valid('param');
    await assertOwnTask(services.db, id, workScopeOf(c));
    return found(c, await readAssignment(services.db, id, agentOf(c)));
  });
  register.mutation(accept, (c, once) => {
    const who = answering(c, c.req.valid('param').id);
    return once.change(async (tx) => foundVersion(c, titledFor(c, await acceptTask(tx, who, authorOf(c)))));
  });
  register.mutation(decline, (c, once) => {
    const who = answering(c, c.req.valid('param').id);
    const { reason } = c.req.valid('json');
    return once.change(async (tx) => foundVersion(c, titledFor(c, await declineTask(tx, who, reason, authorOf(c)))));
  });
}
