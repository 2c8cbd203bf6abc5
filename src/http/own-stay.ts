import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../db/client.ts';
import { isHeldBy } from '../domain/properties/portfolio.ts';
import { RoomyError } from '../kernel/errors.ts';
import type { Caller } from './caller.ts';
import { type AnyContext, callerOf } from './context.ts';
import { holdingOf } from './portfolio.ts';

/**
 * A guest acts on stays of their own, an agent on those of a portfolio, an owner sees those of the owner's properties; any other is
 * as absent as one that does not exist (security.md Z3, Z4).
 */
export const assertOwnStay = (c: AnyContext, db: Db | Tx, reservationId: string): Promise<void> =>
  assertStayOf(callerOf(c), db, reservationId);

/** The same for somebody who has called before: the maker of a link, when it is opened. */
export async function assertStayOf(caller: Caller, db: Db | Tx, reservationId: string): Promise<void> {
  const scope = scopeOf(caller);
  if (scope === null) return;
  const own = await db
    .selectFrom('reservation as r')
    .innerJoin('property as p', 'p.id', 'r.property_id')
    .select('r.id')
    .where('r.id', '=', reservationId)
    .where(scope)
    .executeTakeFirst();
  if (!own) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id: reservationId } });
}

/**
 * The same for a change, decided on the locked stay: it is nobody else's until the transaction has ended (security.md Z11). A saga
 * decides where it is accepted (`startSaga`).
 */
export async function lockOwnStay(c: AnyContext, tx: Tx, reservationId: string): Promise<void> {
  if (scopeOf(callerOf(c)) === null) return;
  await tx.selectFrom('reservation').select('id').where('id', '=', reservationId).forUpdate().execute();
  await assertOwnStay(c, tx, reservationId);
}

/** Of a stay `r` at a property `p`; null: every stay is the caller's to see. */
function scopeOf(caller: Caller): RawBuilder<SqlBool> | null {
  if (caller.kind === 'person' && caller.role === 'GUEST') return sql`r.guest_id = ${caller.principal}`;
  const holder = holdingOf(caller);
  return holder === null ? null : isHeldBy(holder, 'p');
}
