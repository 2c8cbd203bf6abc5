import { createRoute, z } from '@hono/zod-openapi';
import { DECIDING_ROLES, type DecidingRole } from '../../domain/approvals/limits.ts';
import { getApproval, listApprovals } from '../../domain/approvals/resource.ts';
import { decideApproval } from '../../domain/stays/decide-approval.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { resumeAfter } from '../../sagas/resume-approved.ts';
import { foundVersion, page } from '../answers.ts';
import { type AnyContext, authorOf, callerOf, type Services } from '../context.ts';
import { filtersBy } from '../references.ts';
import type { Register } from '../route.ts';
import { APPROVAL_KINDS, APPROVAL_STATES, Approval } from '../schemas/approvals.ts';
import { Id, IdParam, line, pageQuery } from '../schemas/common.ts';
import { answer, bodyRefusals, jsonOf, many, one, refusals } from '../schemas/envelope.ts';

const PATH = '/api/production/approvals';
const tags = ['Approvals'];

const ApprovalQuery = z.strictObject({
  status: z.enum(APPROVAL_STATES).optional(),
  kind: z.enum(APPROVAL_KINDS).optional().openapi({ description: 'Only questions of this kind, such as `GOODWILL`' }),
  sagaExecutionId: filtersBy(Id, 'saga')
    .optional()
    .openapi({ description: 'Only what this saga waits, or has waited, for' }),
  propertyId: filtersBy(Id, 'property').optional(),
  ...pageQuery,
});
const ApprovalDecision = z
  .strictObject({
    decision: z.enum(['APPROVE', 'DECLINE']),
    reason: line(500).openapi({ description: 'Kept with the decision', example: 'Agreed with the guest by telephone' }),
  })
  .openapi('ApprovalDecision');

const list = createRoute({
  method: 'get',
  path: PATH,
  tags,
  summary: 'List what waits for a second person, and what was decided, newest first',
  request: { query: ApprovalQuery },
  responses: {
    200: answer('A page of approvals', many(Approval)),
    ...refusals('VALIDATION_FAILED', 'INVALID_CURSOR'),
  },
});
const read = createRoute({
  method: 'get',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Get an approval',
  request: { params: IdParam },
  responses: { 200: answer('The approval', one(Approval)), ...refusals('VALIDATION_FAILED', 'NOT_FOUND') },
});
const decide = createRoute({
  method: 'post',
  path: `${PATH}/{id}`,
  tags,
  summary: 'Approve or decline, as a second person',
  request: {
    params: IdParam,
    body: jsonOf(ApprovalDecision, { decision: 'APPROVE', reason: 'Agreed with the guest by telephone' }),
  },
  responses: {
    200: answer('Decided', one(Approval)),
    ...bodyRefusals(
      'NOT_FOUND',
      'SECOND_PERSON_REQUIRED',
      'APPROVAL_LIMIT_EXCEEDED',
      'INVALID_STATE_TRANSITION',
      'SAGA_IN_PROGRESS',
      'CARD_DATA_FORBIDDEN',
    ),
  },
});

export function registerMoneyApprovals(register: Register, services: Services): void {
  const { db, orchestrator } = services;
  register(list, (c) =>
    page(c, services, 'approvals', c.req.valid('query'), (filter, at) => listApprovals(db, filter, at)),
  );
  register(read, async (c) => foundVersion(c, await getApproval(db, c.req.valid('param').id)));
  register.mutation(decide, (c, once) => {
    const decision = { ...c.req.valid('json'), id: c.req.valid('param').id, role: roleOf(c) };
    return once.change(async (tx, afterCommit) =>
      foundVersion(c, await decideApproval(tx, decision, authorOf(c), resumeAfter(orchestrator, afterCommit))),
    );
  });
}

/** The policy lets nobody else in. */
function roleOf(c: AnyContext): DecidingRole {
  const caller = callerOf(c);
  const role = caller.kind === 'person' ? DECIDING_ROLES.find((one) => one === caller.role) : undefined;
  if (role === undefined) throw new RoomyError('FORBIDDEN');
  return role;
}
