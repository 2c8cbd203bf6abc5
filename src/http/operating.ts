import type { ApprovalRow } from '../domain/approvals/store.ts';
import { RoomyError } from '../kernel/errors.ts';
import { MONEY_SAGAS } from '../sagas/index.ts';
import { type AnyContext, callerOf, originOf } from './context.ts';
import { permits, policyOf } from './policy.ts';

/** Who may act on sagas, and how an act is noted. The table of rights says who may at all. */

/** FINANCE acts on what is about money alone; all else is for those who operate. */
export function assertMayOperate(c: AnyContext, isAboutMoney: boolean): void {
  const caller = callerOf(c);
  if (caller.kind === 'person' && caller.role === 'FINANCE' && !isAboutMoney)
    throw new RoomyError('FORBIDDEN', { details: { permission: 'sagas:operate' } });
}

/** `assertMayOperate` on the executions of a name. */
export const assertMayOperateOn = (c: AnyContext, sagaName: string): void =>
  assertMayOperate(c, MONEY_SAGAS.has(sagaName));

/** A question about money is its asker's to take back, or of those who may decide it. */
export function assertMayWithdraw(c: AnyContext, questions: readonly ApprovalRow[]): void {
  const caller = callerOf(c);
  const policy = policyOf('POST', '/api/production/approvals/:id');
  if (policy === 'anonymous' || permits(policy, caller)) return;
  if (questions.every((question) => question.asked_by === caller.principal)) return;
  throw new RoomyError('FORBIDDEN', { details: { permission: policy.permission } });
}

/** A person's act on a saga, as the audit trail will have it. */
export const interventionOf = (c: AnyContext, sagaId: string) => ({
  sagaId,
  by: callerOf(c).principal,
  ...originOf(c),
  via: 'api' as const,
});
