import type { TaskType } from '../db/schema.ts';
import { workOf } from '../domain/assignment/candidates.ts';
import { neutralTitle, type Titled } from '../domain/tasks/view.ts';
import type { WorkScope } from '../domain/tasks/work.ts';
import { type AnyContext, callerOf } from './context.ts';

/** Who does the work sees their own tasks, an agent those of a portfolio, an owner those of the owner's properties (security.md Z4, Z5). */
export function workScopeOf(c: AnyContext): WorkScope {
  const caller = callerOf(c);
  if (caller.kind === 'service' || caller.role === 'ADMIN' || caller.role === 'OPS') return { kind: 'ALL' };
  if (caller.role === 'AGENT') return { kind: 'PORTFOLIO', agentId: caller.principal };
  if (caller.role === 'OWNER') return { kind: 'OWNER', ownerId: caller.principal };
  return { kind: 'OWN', staffId: caller.principal, types: null };
}

/** The tasks that the caller may begin and complete: cleaners only cleanings, repairers only repairs (security.md Z5). */
export function doingScopeOf(c: AnyContext): WorkScope {
  const scope = workScopeOf(c);
  return scope.kind === 'OWN' ? { ...scope, types: typesOf(c) } : scope;
}

function typesOf(c: AnyContext): readonly TaskType[] {
  const caller = callerOf(c);
  const role = caller.kind === 'person' ? caller.role : null;
  return role === 'CLEANER' || role === 'MAINTENANCE_STAFF' ? workOf(role) : [];
}

/** Titles of meetings name the guest: a person who only cleans or repairs reads the kind of the work instead. */
export function titledFor<T extends Titled>(c: AnyContext, task: T): T {
  const caller = callerOf(c);
  const isWorker = caller.kind === 'person' && (caller.role === 'CLEANER' || caller.role === 'MAINTENANCE_STAFF');
  return isWorker ? { ...task, title: neutralTitle(task) } : task;
}
