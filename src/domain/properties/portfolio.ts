import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { RoomyError } from '../../kernel/errors.ts';

/** What an agent looks after: it goes into the WHERE of every query, never after it (security.md Z1, Z4). */
export const inPortfolio = (propertyId: RawBuilder<unknown>, agentId: string | null): RawBuilder<SqlBool> =>
  agentId === null
    ? sql`true`
    : sql`EXISTS (SELECT FROM property x WHERE x.id = ${propertyId} AND ${agentId}::text = ANY(x.agent_ids))`;

/** Throws `REFERENCE_NOT_FOUND` as for a property that does not exist. */
export async function assertInPortfolio(db: Db | Tx, propertyId: string, agentId: string): Promise<void> {
  const own = await db
    .selectFrom('property')
    .select('id')
    .where('id', '=', propertyId)
    .where(inPortfolio(sql.ref('property.id'), agentId))
    .executeTakeFirst();
  if (!own) throw new RoomyError('REFERENCE_NOT_FOUND', { details: { field: 'propertyId' } });
}
