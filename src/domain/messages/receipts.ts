import type { Db } from '../../db/client.ts';
import { noteOutcome } from '../notifications/store/move.ts';
import type { Receipt } from '../ports.ts';
import { fallBack } from './fallback.ts';

/**
 * The provider's report on a message that it took. Receipts come late, twice and in any order: DELIVERED is the end,
 * and what was only on its way changes nothing. Answers whether anything changed.
 */
export async function noteReceipt(db: Db, receipt: Receipt): Promise<boolean> {
  const { providerId, outcome, reason } = receipt;
  if (outcome === null || providerId === '') return false;
  const moved = await noteOutcome(db, providerId, outcome, reason);
  if (outcome === 'FAILED') await fallBack(db, moved);
  return moved.length > 0;
}
