import type { Db } from '../../db/client.ts';
import { insertFallbacks } from '../notifications/store/order.ts';
import { MATRIX } from './matrix-table.ts';
import { SHORT } from './templates.ts';

/** Events that go to guests over both channels: one may stand in for the other. */
const BOTH = MATRIX.filter(({ recipientType, channels }) => recipientType === 'GUEST' && channels.length > 1).map(
  ({ event }) => event,
);

/**
 * Messages that could not be sent go over the other channel, once, if they have not been ordered over it anyway (domain.md
 * 12). Answers how many.
 */
export async function fallBack(db: Db, failedIds: readonly string[]): Promise<number> {
  if (failedIds.length === 0) return 0;
  return await insertFallbacks(db, failedIds, { shortTexts: SHORT, events: BOTH });
}
