import type { Db, Tx } from '../db/client.ts';
import { assertInPortfolio } from '../domain/properties/portfolio.ts';
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
