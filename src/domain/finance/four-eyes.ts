import type { Db } from '../../db/client.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { isSamePerson } from '../people/same-person.ts';

/**
 * Where the agency wants four eyes on payouts: who took the payment does not pay its share out (security.md Z17). Throws
 * `SECOND_PERSON_REQUIRED`.
 */
export async function assertOtherThanPayer(db: Db, payoutId: string, actor: string): Promise<void> {
  const paid = await db
    .selectFrom('transaction as t')
    .innerJoin('payment as y', 'y.id', 't.payment_id')
    .select('y.requested_by as payer')
    .where('t.id', '=', payoutId)
    .executeTakeFirst();
  if (paid && (await isSamePerson(db, actor, [paid.payer])))
    throw new RoomyError('SECOND_PERSON_REQUIRED', { details: { transactionId: payoutId } });
}
