import type { Db } from '../db/client.ts';
import { RoomyError } from '../kernel/errors.ts';
import { type AnyContext, callerOf } from './context.ts';

/** A guest acts on stays of their own; any other is as absent as one that does not exist (security.md Z3). */
export async function assertOwnStay(c: AnyContext, db: Db, reservationId: string): Promise<void> {
  const caller = callerOf(c);
  if (caller.kind !== 'person' || caller.role !== 'GUEST') return;
  const own = await db
    .selectFrom('reservation')
    .select('id')
    .where('id', '=', reservationId)
    .where('guest_id', '=', caller.principal)
    .executeTakeFirst();
  if (!own) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id: reservationId } });
}
