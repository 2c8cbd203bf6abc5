import { sql } from 'kysely';
import type { Db } from '../db/client.ts';
import { RoomyError } from '../kernel/errors.ts';
import { type AnyContext, callerOf } from './context.ts';

/**
 * A guest acts on stays of their own, an agent on those of a portfolio; any other is as absent as one that does not
 * exist (security.md Z3, Z4).
 */
export async function assertOwnStay(c: AnyContext, db: Db, reservationId: string): Promise<void> {
  const caller = callerOf(c);
  if (caller.kind !== 'person' || (caller.role !== 'GUEST' && caller.role !== 'AGENT')) return;
  const own = await db
    .selectFrom('reservation as r')
    .innerJoin('property as p', 'p.id', 'r.property_id')
    .select('r.id')
    .where('r.id', '=', reservationId)
    .where(
      caller.role === 'GUEST'
        ? sql<boolean>`r.guest_id = ${caller.principal}`
        : sql<boolean>`${caller.principal}::text = ANY(p.agent_ids)`,
    )
    .executeTakeFirst();
  if (!own) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id: reservationId } });
}
