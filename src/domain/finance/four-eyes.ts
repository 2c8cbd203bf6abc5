import type { Db } from '../../db/client.ts';
import { RoomyError } from '../../kernel/errors.ts';

/**
 * Where the agency wants four eyes on payouts: who took the payment does not pay its share out (security.md Z17). Throws
 * `SECOND_PERSON_REQUIRED`.
 */
export async function assertOtherThanPayer(db: Db, payoutId: string, actor: string): Promise<void> {
  const own = await db
    .selectFrom('transaction as t')
    .innerJoin('payment as y', 'y.id', 't.payment_id')
    .select('t.id')
    .where('t.id', '=', payoutId)
    .where('y.requested_by', '=', actor)
    .executeTakeFirst();
  if (own) throw new RoomyError('SECOND_PERSON_REQUIRED', { details: { transactionId: payoutId } });
}
