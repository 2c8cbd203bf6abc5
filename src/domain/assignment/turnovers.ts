import type { QueryCreator, RawBuilder } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { FusedDatabase } from '../../db/fused.ts';
import { taskWithdrawnMessage } from '../messages/catalogue/task-withdrawn.ts';
import { insertWithdrawals } from '../notifications/store/order.ts';
import { displacedOf, type Settled, settleTurnovers } from '../tasks/store/turnover.ts';
import { notifyReleased } from './release.ts';

/**
 * `settleTurnovers` around these stays, after an act on them or on their cleanings; sends a message to each person whose
 * cleaning is done by another one from now on. Answers what has changed.
 */
export async function settleAround(tx: Tx, ...reservationIds: readonly string[]): Promise<Settled> {
  const settled = await settleTurnovers(tx, reservationIds);
  await notifyReleased(tx, settled.displaced);
  return settled;
}

/** The messages of `settleAround` in a fused statement; `rows` has the rows of `settleTurnoversOfGuard`. */
export const notifyDisplaced = (db: QueryCreator<FusedDatabase>, rows: RawBuilder<unknown>) =>
  insertWithdrawals(db, displacedOf(rows), taskWithdrawnMessage('', ''));
