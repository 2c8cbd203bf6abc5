import { createRoute } from '@hono/zod-openapi';
import { changeTask, createTask, getTask, listTasks } from '../../domain/tasks/resource.ts';
import { assertOwnTask } from '../../domain/tasks/work.ts';
import { created, expectedVersions, foundVersion, page } from '../answers.ts';
import { authorOf, inTransaction, type Services } from '../context.ts';
import { workScopeOf } from '../own-task.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, ChangeHeaders, jsonOf, many, one, refusals } from '../schemas/envelope.ts';
import { NewTask, Task, TaskChange, TaskQuery } from '../schemas/tasks.ts';

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
  responses: { 201: answer('Added', one(Task)), ...bodyRefusals('ALREADY_EXISTS', 'REFERENCE_NOT_FOUND') },
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
  request: { params: IdParam, headers: ChangeHeaders, body: jsonOf(TaskChange, { priority: 'URGENT' }) },
  responses: {
    200: answer('Changed', one(Task)),
    ...bodyRefusals(
      'TASK_NOT_FOUND',
      'PRECONDITION_FAILED',
      'REFERENCE_NOT_FOUND',
      'INVALID_STATE_TRANSITION',
      'ASSIGNEE_BUSY',
    ),
  },
});

export function registerTasks(register: Register, services: Services): void {
  register(list, (c) =>
    page(c, services, 'tasks', c.req.valid('query'), (filter, at) => listTasks(services.db, filter, at)),
  );
  register(create, async (c) => {
    const wanted = c.req.valid('json');
    const made = await inTransaction(services, (tx) => createTask(tx, wanted, authorOf(c)));
    return created(c, made, 'Task created');
  });
  register(read, async (c) => {
    const { id } = c.req.valid('param');
    const scope = workScopeOf(c);
    if (scope.kind === 'OWN') await assertOwnTask(services.db, id, scope);
    return foundVersion(c, await getTask(services.db, id));
  });
  register(change, async (c) => {
    const { id } = c.req.valid('param');
    const changes = c.req.valid('json');
    return foundVersion(
      c,
      await inTransaction(services, (tx) => changeTask(tx, id, changes, expectedVersions(c), authorOf(c))),
    );
  });
}
