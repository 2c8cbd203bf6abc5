import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Receipt } from '../ports.ts';
import { fallBack } from './fallback.ts';

/**
 * What a provider tells of a message after it took it. Receipts come late, twice and in any order: DELIVERED is the end,
 * and what was only on its way changes nothing. Answers whether anything changed.
 */
export async function noteReceipt(db: Db, receipt: Receipt): Promise<boolean> {
  const { providerId, outcome, reason } = receipt;
  if (outcome === null || providerId === '') return false;
  const told = await db
    .updateTable('notification')
    .set({ status: outcome, reason, ...(outcome === 'DELIVERED' && { delivered_at: sql<Date>`now()` }) })
    .where('channel', '=', literal('SMS'))
    .where('provider_id', '=', providerId)
    .where('status', 'in', outcome === 'DELIVERED' ? ['SENT', 'FAILED'] : ['SENT'])
    .returning('id')
    .execute();
  if (outcome === 'FAILED') {
    await fallBack(
      db,
      told.map(({ id }) => id),
    );
  }
  return told.length > 0;
}
