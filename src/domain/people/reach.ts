import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { inPortfolio, isHeldBy } from '../properties/portfolio.ts';

/**
 * Whom an agent may name in a request, and whom an agent sees (security.md Z4). The conditions go into the WHERE of a query over
 * the table, never after it; null stands for a caller who may name anybody.
 */

/** A guest of a stay in the portfolio, or whom the agent has added. A booking gives no right to its guest: the guest must be known before. */
export const isGuestOf = (agentId: string | null): RawBuilder<SqlBool> =>
  agentId === null
    ? sql`true`
    : sql`(guest.created_by = ${agentId}
        OR EXISTS (SELECT FROM reservation r WHERE r.guest_id = guest.id AND ${inPortfolio(sql.ref('r.property_id'), agentId)}))`;

/** An owner of a property in the portfolio. */
export const isOwnerOf = (agentId: string | null): RawBuilder<SqlBool> =>
  agentId === null
    ? sql`true`
    : sql`EXISTS (SELECT FROM property x WHERE x.owner_id = owner.id AND ${agentId}::text = ANY(x.agent_ids))`;

/** The agent, and whoever can work at a property of the portfolio, by the rule by which tasks are given (`assignment/candidates.ts`). */
export const isStaffOf = (agentId: string | null): RawBuilder<SqlBool> =>
  agentId === null
    ? sql`true`
    : sql`(staff.id = ${agentId} OR EXISTS (SELECT FROM property x WHERE ${agentId}::text = ANY(x.agent_ids)
        AND (staff.property_ids IS NULL OR x.id = ANY(staff.property_ids)) AND (staff.region IS NULL OR x.region = staff.region)))`;

/** Whose leave an agent enters: the agent's own, and that of who cleans and repairs. Another agent's is an administrator's. */
export const isLedBy = (agentId: string | null): RawBuilder<SqlBool> =>
  agentId === null ? sql`true` : sql`(staff.id = ${agentId} OR (staff.role <> 'AGENT' AND ${isStaffOf(agentId)}))`;

/** Of the row itself, so that it is decided once more where the row was locked by whoever gives it away. */
const isPropertyOf = (agentId: string | null): RawBuilder<SqlBool> => isHeldBy(agentId === null ? null : { agentId });

const REACH = { property: isPropertyOf, guest: isGuestOf, owner: isOwnerOf, staff: isStaffOf } as const;
/** What an agent may name at all. */
export type Reachable = keyof typeof REACH;

/**
 * Whether an agent may name all of these records (null, the office: whether they exist), which stay as they are until the transaction has ended: a property is not given
 * to another agent between this answer and the act.
 */
export async function reachesAll(
  tx: Tx,
  agentId: string | null,
  noun: Reachable,
  ids: readonly string[],
): Promise<boolean> {
  const wanted = [...new Set(ids)];
  const lock = noun === 'property' && agentId !== null ? sql`FOR NO KEY UPDATE` : sql`FOR KEY SHARE`;
  const { rows } = await sql<{ id: string }>`
    SELECT ${sql.ref(`${noun}.id`)} AS id FROM ${sql.table(noun)}
     WHERE ${sql.ref(`${noun}.id`)} = ANY(${wanted}::text[]) AND ${REACH[noun](agentId)} ORDER BY 1 ${lock}`.execute(
    tx,
  );
  return rows.length === wanted.length;
}
