import type { ExecutionPart } from '../engine/read/executions.ts';
import type { Reader } from '../engine/read/view.ts';
import { definitionOf } from '../sagas/index.ts';
import { type AnyContext, callerOf } from './context.ts';
import { ownDetails } from './offered.ts';
import { agentOf, executionsOf } from './portfolio.ts';

/** The sagas that a caller may see: a service those that it started, an agent those about a portfolio; technical causes, only operators. */
export function readerOf(
  c: AnyContext,
): Reader & { readonly startedBy: string | null; readonly part: ExecutionPart | null } {
  const caller = callerOf(c);
  const agentId = agentOf(c);
  return {
    stepsOf: (name, version) => definitionOf(name, version)?.steps ?? null,
    amendableOf: (name, version) => Object.keys(definitionOf(name, version)?.amendable ?? {}),
    seesCauses: caller.kind === 'person' && (caller.role === 'ADMIN' || caller.role === 'OPS'),
    detailsFor: (details) => ownDetails(caller, details),
    startedBy: caller.kind === 'service' ? caller.principal : null,
    part: agentId === null ? null : executionsOf(agentId),
  };
}
