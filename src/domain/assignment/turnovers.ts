import type { Tx } from '../../db/client.ts';
import { type Settled, settleTurnovers } from '../tasks/store/turnover.ts';
import { notifyReleased } from './release.ts';

/**
 * Settles the turnovers around these stays (`settleTurnovers`) after something has happened to them or to their cleanings, and tells those who had a cleaning that another one does for now. Answers what has changed.
 */
export async function settleAround(tx: Tx, ...reservationIds: readonly string[]): Promise<Settled> {
  const settled = await settleTurnovers(tx, reservationIds);
  await notifyReleased(tx, settled.displaced);
  return settled;
}
