import type { TaskType } from '../db/schema.ts';
import { workOf } from '../domain/assignment/candidates.ts';
import { isOfStay, neutralTitle, type Titled } from '../domain/tasks/view.ts';
import type { WorkScope } from '../domain/tasks/work.ts';
import { type AnyContext, callerOf } from './context.ts';
import { detailsShown, seesMoney } from './masks.ts';

/** Who does the work sees their own tasks, an agent those of a portfolio, an owner those of the owner's properties, FINANCE its own kind (security.md Z4, Z5). */
export function workScopeOf(c: AnyContext): WorkScope {
  const caller = callerOf(c);
  if (caller.kind === 'service' || caller.role === 'ADMIN' || caller.role === 'OPS') return { kind: 'ALL' };
  if (caller.role === 'AGENT') return { kind: 'PORTFOLIO', agentId: caller.principal };
  if (caller.role === 'OWNER') return { kind: 'OWNER', ownerId: caller.principal };
  if (caller.role === 'FINANCE') return { kind: 'TYPE', type: 'FINANCE' };
  return { kind: 'OWN', staffId: caller.principal, types: null };
}

/** The one kind of tasks that the caller sees; undefined: every kind. */
export function onlyTypeOf(c: AnyContext): TaskType | undefined {
  const scope = workScopeOf(c);
  return scope.kind === 'TYPE' ? scope.type : undefined;
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

/**
 * Titles of meetings name the guest: an owner, a person who only cleans or repairs, and a service without `guests:read` read the kind of
 * the work instead. What was written about a meeting is for those who meet the guest. Amounts are a service's with `finance:read`, and not of those who only
 * clean or repair.
 */
export function titledFor<T extends Titled & Partial<Written>>(c: AnyContext, task: T): T {
  const caller = callerOf(c);
  const isService = caller.kind === 'service';
  const role = isService ? null : caller.role;
  const worksAlone = role === 'CLEANER' || role === 'MAINTENANCE_STAFF';
  const amounts = worksAlone
    ? { estimate: null }
    : isService && !seesMoney(c)
      ? { estimate: null, completion: detailsShown(c, task.completion ?? null) }
      : {};
  const readsTitle = isService ? caller.scopes.has('guests:read') : role !== 'OWNER' && !worksAlone;
  if (readsTitle) return { ...task, ...amounts };
  const written = (isService || role === 'OWNER') && isOfStay(task) ? { description: null, completion: null } : {};
  return { ...task, ...amounts, ...written, title: neutralTitle(task) };
}

/** Those of the tasks of a stay that the caller sees. */
export function tasksFor<T extends Titled & Partial<Written>>(c: AnyContext, tasks: readonly T[]): T[] {
  const only = onlyTypeOf(c);
  return tasks.filter(({ type }) => only === undefined || type === only).map((task) => titledFor(c, task));
}

interface Written {
  readonly description: string | null;
  readonly completion: unknown;
  readonly estimate: unknown;
}
