import { createRoute } from '@hono/zod-openapi';
import { changeRules, readRules } from '../../domain/assignment/rules.ts';
import { found } from '../answers.ts';
import { authorOf, type Services } from '../context.ts';
import type { Register } from '../route.ts';
import { answer, bodyRefusals, jsonOf, one, refusals } from '../schemas/envelope.ts';
import { AssignmentRuleChange, AssignmentRules } from '../schemas/tasks.ts';

const PATH = '/api/production/assignment-rules';
const tags = ['Tasks'];

const read = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'How candidates for a task are weighed',
  responses: { 200: answer('The rules', one(AssignmentRules)), ...refusals() },
});
const change = createRoute({
  method: 'patch',
  path: PATH,
  tags,
  summary: 'Change how candidates are weighed; holds from the next assignment on',
  request: { body: jsonOf(AssignmentRuleChange, { workloadPercent: 50, proximityPercent: 30 }) },
  responses: { 200: answer('Changed', one(AssignmentRules)), ...bodyRefusals() },
});

export function registerAssignmentRules(register: Register, services: Services): void {
  register(read, async (c) => found(c, await readRules(services.db)));
  register.mutation(change, (c, once) => {
    const changes = c.req.valid('json');
    return once.change(async (tx) => found(c, await changeRules(tx, changes, authorOf(c))));
  });
}
