import { type InsertObject, type Selectable, sql } from 'kysely';
import type { Tx } from '../../../db/client.ts';
import type { Database, TransactionTable } from '../../../db/schema.ts';
import { newId } from '../../../kernel/ids.ts';
import { mayMove, resultOf } from '../transitions.ts';

/**
 * Disputes of charges, amounts in minor units. PENDING: opened, and the money is still with the gateway. PROCESSING: the gateway
 * has taken the money from the balance that it holds for us, and it is nobody's yet: shares stand, payouts of the stay are
 * held, and it cannot be refunded. COMPLETED: lost, the guest has it: booked like a refund (domain.md 9). REVERSED: won, it is
 * back. CANCELLED: it ended before any money moved. The gateway's fee for it is a transaction of its own.
 */
export type DisputeRow = Pick<Selectable<TransactionTable>, 'id' | 'status' | 'amount_minor' | 'settled_minor'>;

export const DISPUTE_COLUMNS = ['id', 'status', 'amount_minor', 'settled_minor'] as const;

export type OpenedDispute = Pick<
  InsertObject<Database, 'transaction'>,
  | 'reservation_id'
  | 'owner_id'
  | 'distribution_version'
  | 'payment_id'
  | 'gateway_id'
  | 'gateway_reference'
  | 'provider_id'
  | 'details'
> & { readonly amount_minor: number; readonly currency: string };

/** Makes a dispute, PENDING: its money is still with the gateway. */
export const insertDispute = (tx: Tx, row: OpenedDispute): Promise<DisputeRow> =>
  tx
    .insertInto('transaction')
    .values({ ...row, id: newId('transaction'), type: 'DISPUTE', status: 'PENDING', outstanding_minor: 0 })
    .returning(DISPUTE_COLUMNS)
    .executeTakeFirstOrThrow();

/** Another amount is disputed. The row must be locked. Throws when it is not PENDING. */
export const changeDisputedAmount = (tx: Tx, id: string, amountMinor: number): Promise<DisputeRow> =>
  tx
    .updateTable('transaction')
    .set((eb) => ({ amount_minor: amountMinor, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where(mayMove('changeDispute'))
    .returning(DISPUTE_COLUMNS)
    .executeTakeFirstOrThrow();

export type DisputeMove = 'withdrawDispute' | 'closeDispute' | 'loseDispute' | 'reduceLostDispute' | 'winDispute';

/** Moves a dispute on. `settledMinor`: the money that the gateway has taken. Throws when it is in another status. */
export function moveDispute(tx: Tx, id: string, move: DisputeMove, settledMinor: number): Promise<DisputeRow> {
  const status = resultOf(move);
  const completed = status === 'COMPLETED' ? { completed_at: sql<Date>`now()` } : {};
  const cancelled = status === 'CANCELLED' ? { cancelled_at: sql<Date>`now()` } : {};
  return tx
    .updateTable('transaction')
    .set((eb) => ({ status, settled_minor: settledMinor, version: eb('version', '+', 1), ...completed, ...cancelled }))
    .where('id', '=', id)
    .where(mayMove(move))
    .returning(DISPUTE_COLUMNS)
    .executeTakeFirstOrThrow();
}
