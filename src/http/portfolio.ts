import type { Db, Tx } from '../db/client.ts';
import { assertInPortfolio, eachInPortfolio, inPortfolio, newestInPortfolio } from '../domain/properties/portfolio.ts';
import type { ExecutionPart } from '../engine/read/executions.ts';
import { type AnyContext, callerOf } from './context.ts';

/** An agent sees and changes what belongs to a portfolio (security.md Z4); null: the caller is not an agent. */
export function agentOf(c: AnyContext): string | null {
  const caller = callerOf(c);
  return caller.kind === 'person' && caller.role === 'AGENT' ? caller.principal : null;
}

/** Throws `REFERENCE_NOT_FOUND` for a property that an agent does not look after: as if there were none. */
export async function assertOwnProperty(c: AnyContext, db: Db | Tx, propertyId: string | undefined): Promise<void> {
  const agentId = agentOf(c);
  if (agentId !== null && propertyId !== undefined) await assertInPortfolio(db, propertyId, agentId);
}

/** The executions that an agent sees: those about the stays of the portfolio, and those that the agent started. */
export const executionsOf = (agentId: string): ExecutionPart => ({
  principal: agentId,
  holds: (propertyId) => inPortfolio(propertyId, agentId),
  newest: (page) => newestInPortfolio({ agentId, ...page }),
  each: (rows) => eachInPortfolio(agentId, rows),
});
