import { createRoute, z } from '@hono/zod-openapi';
import { type Decider, findRepair } from '../../domain/tasks/approvals.ts';
import { decideRepair } from '../../domain/tasks/decide-repair.ts';
import { getTask } from '../../domain/tasks/resource.ts';
import { approvalPage } from '../../web/approval-page.ts';
import { foundVersion } from '../answers.ts';
import { type AnyContext, authorOf, callerOf, inTransaction, originOf, type Services } from '../context.ts';
import { titledFor } from '../own-task.ts';
import { answerPage } from '../page.ts';
import type { Register } from '../route.ts';
import { IdParam } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, one } from '../schemas/envelope.ts';
import { ApprovalBody, Task } from '../schemas/tasks.ts';
import { backToPage, FORM_ANSWERS, PAGE_ANSWERS } from './link-page.ts';

const tags = ['Tasks'];
const Token = z.strictObject({ token: z.string().regex(/^[\w-]{43}(?:\.[\w-]{43})?$/) });

const decide = createRoute({
  method: 'post',
  path: '/api/production/tasks/{id}/approval',
  tags,
  summary: 'What the owner says to a repair that costs more than the limit; an agent may say it for the owner',
  request: { params: IdParam, body: jsonOf(ApprovalBody, { decision: 'APPROVED', note: 'By telephone' }) },
  responses: { 200: answer('Noted', one(Task)), ...bodyRefusals('TASK_NOT_FOUND', 'INVALID_STATE_TRANSITION') },
});
const show = createRoute({
  method: 'get',
  path: '/approvals/{token}',
  tags,
  summary: 'The question to an owner; whoever has the address of the mail may answer it',
  request: { params: Token },
  responses: PAGE_ANSWERS,
});
const sayByPage = (path: '/approvals/{token}/approve' | '/approvals/{token}/decline', summary: string) =>
  createRoute({
    method: 'post',
    path,
    tags,
    summary,
    request: { params: Token },
    responses: FORM_ANSWERS,
  });
const approve = sayByPage('/approvals/{token}/approve', 'Yes, from the page');
const decline = sayByPage('/approvals/{token}/decline', 'No, from the page');

function deciderOf(c: AnyContext, taskId: string): Decider {
  const caller = callerOf(c);
  if (caller.kind === 'service' || caller.role === 'ADMIN') return { kind: 'ALL', taskId };
  return caller.role === 'AGENT'
    ? { kind: 'PORTFOLIO', taskId, agentId: caller.principal }
    : { kind: 'OWNER', taskId, ownerId: caller.principal };
}

export function registerApprovals(register: Register, services: Services): void {
  register.mutation(decide, (c, once) => {
    const { decision, note = null } = c.req.valid('json');
    const decider = deciderOf(c, c.req.valid('param').id);
    const { actor, ...request } = authorOf(c);
    return once.change(async (tx) => {
      const { taskId } = await decideRepair(tx, decider, { decision, note, by: actor, ...request });
      return foundVersion(c, titledFor(c, await getTask(tx, taskId)));
    });
  });
  const linkOf = (token: string): Decider => ({ kind: 'LINK', link: services.links.openName('approval', token) });
  register(show, async (c) => {
    const { token } = c.req.valid('param');
    return answerPage(c, approvalPage(token, await findRepair(services.db, linkOf(token))));
  });
  const byPage = (c: AnyContext, token: string, decision: 'APPROVED' | 'DECLINED') => {
    const said = { decision, note: null, by: null, ...originOf(c, 'link') };
    return backToPage(c, `/approvals/${token}`, () =>
      inTransaction(services, (tx) => decideRepair(tx, linkOf(token), said)),
    );
  };
  register.unkeyed(approve, (c) => byPage(c, c.req.valid('param').token, 'APPROVED'));
  register.unkeyed(decline, (c) => byPage(c, c.req.valid('param').token, 'DECLINED'));
}
