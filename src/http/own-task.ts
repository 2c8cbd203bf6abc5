import type { WorkScope } from '../domain/tasks/work.ts';
import { type AnyContext, callerOf } from './context.ts';

/** Who does the work sees their own tasks, an agent those of a portfolio (security.md Z4, Z5). */
export function workScopeOf(c: AnyContext): WorkScope {
  const caller = callerOf(c);
  if (caller.kind === 'service' || caller.role === 'ADMIN' || caller.role === 'OPS') return { kind: 'ALL' };
  return caller.role === 'AGENT'
    ? { kind: 'PORTFOLIO', agentId: caller.principal }
    : { kind: 'OWN', staffId: caller.principal };
}
