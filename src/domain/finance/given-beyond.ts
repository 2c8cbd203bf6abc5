import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { parseMajor } from '../../kernel/money.ts';
import { IS_LIVE_REFUND } from './receipts.ts';

/**
 * What people have given beyond the policy so far on a stay, in minor units: as goodwill, without the guest's own credit, and by a
 * cancellation that set the policy aside. Every limit on such a refund counts it in, so that a large one is not made small by
 * giving it in parts, or in another way (domain.md 4).
 */
export async function givenBeyond(db: Db | Tx, reservationId: string, currency: string): Promise<number> {
  // A stay is cancelled once, and each refund of its cancellation names the whole.
  const { rows } = await sql<{ goodwill: number; cancelled: string }>`
    SELECT coalesce(sum(t.borne_minor), 0)::bigint AS goodwill,
           coalesce(max(t.details ->> 'beyondPolicy'), '0') AS cancelled
      FROM transaction t WHERE t.reservation_id = ${reservationId} AND ${IS_LIVE_REFUND}`.execute(db);
  const [{ goodwill, cancelled } = { goodwill: 0, cancelled: '0' }] = rows;
  return goodwill + parseMajor(cancelled, currency).amountMinor;
}
