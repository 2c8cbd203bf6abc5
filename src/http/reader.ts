import type { Reader } from '../engine/execution-view.ts';
import { definitionOf } from '../sagas/index.ts';
import { type AnyContext, callerOf } from './context.ts';
import { ownOffers } from './offered.ts';
import { agentOf } from './portfolio.ts';

/** What the caller may see of sagas: a service only what it started, an agent what is about a portfolio, technical causes only operators. */
export function readerOf(
  c: AnyContext,
): Reader & { readonly startedBy: string | null; readonly agentId: string | null } {
  const caller = callerOf(c);
  return {
    stepsOf: (name, version) => definitionOf(name, version)?.steps ?? null,
    operator: caller.kind === 'person' && (caller.role === 'ADMIN' || caller.role === 'OPS'),
    detailsFor: (details) => ownOffers(caller, details),
    startedBy: caller.kind === 'service' ? caller.principal : null,
    agentId: agentOf(c),
  };
}
