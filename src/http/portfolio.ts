import { eachInPortfolio, type Holder, inPortfolio, newestInPortfolio } from '../domain/properties/portfolio.ts';
import type { ExecutionPart } from '../engine/read/executions.ts';
import type { Caller } from './caller.ts';
import { type AnyContext, callerOf } from './context.ts';

/** An agent sees and changes what belongs to a portfolio (security.md Z4); null: the caller is not an agent. */
export function agentOf(c: AnyContext): string | null {
  const caller = callerOf(c);
  return caller.kind === 'person' && caller.role === 'AGENT' ? caller.principal : null;
}

/** Whose properties the caller sees, and what belongs to them; null: all. Who is neither the office, an agent nor an owner sees none. */
export const holderOf = (c: AnyContext): Holder => holdingOf(callerOf(c));

/** The same of somebody who does not call at the moment. */
export function holdingOf(caller: Caller): Holder {
  if (caller.kind === 'service' || caller.role === 'ADMIN' || caller.role === 'FINANCE') return null;
  if (caller.role === 'AGENT') return { agentId: caller.principal };
  return { ownerId: caller.role === 'OWNER' ? caller.principal : '' };
}

/** The executions that an agent sees: those about the stays of the portfolio, whoever started them. */
export const executionsOf = (agentId: string): ExecutionPart => ({
  holds: (propertyId) => inPortfolio(propertyId, agentId),
  newest: (page) => newestInPortfolio({ holder: { agentId }, ...page }),
  each: (rows) => eachInPortfolio(agentId, rows),
});
