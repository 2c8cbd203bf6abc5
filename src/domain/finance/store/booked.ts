import { type InsertObject, sql } from 'kysely';
import type { Tx } from '../../../db/client.ts';
import type { Database, TransactionType } from '../../../db/schema.ts';
import { newId } from '../../../kernel/ids.ts';
import { mayMove, resultOf } from '../transitions.ts';

/** Transactions that are COMPLETED with their booking: fees, costs and reversals. */

export type BookedRow = Omit<
  InsertObject<Database, 'transaction'>,
  'id' | 'type' | 'status' | 'amount_minor' | 'settled_minor' | 'outstanding_minor' | 'completed_at'
> & {
  readonly type: Extract<TransactionType, 'AGENCY_FEE' | 'REFERRAL_FEE' | 'GATEWAY_FEE' | 'ADJUSTMENT' | 'REVERSAL'>;
  /** Signed minor units: below zero, it takes back. */
  readonly amount_minor: number;
};

/** Makes a COMPLETED transaction; answers its id. Its journal is posted by the caller, in the same database transaction. */
export async function insertBooked(tx: Tx, row: BookedRow): Promise<string> {
  const id = newId('transaction');
  await tx
    .insertInto('transaction')
    .values({
      ...row,
      id,
      status: 'COMPLETED',
      settled_minor: row.amount_minor,
      outstanding_minor: 0,
      completed_at: sql<Date>`now()`,
    })
    .execute();
  return id;
}

/** The journal that the transaction owns has been reversed (domain.md T12). One that is not COMPLETED stays as it is. */
export const markReversed = (tx: Tx, id: string) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({ status: resultOf('reverse'), outstanding_minor: 0, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where(mayMove('reverse'))
    .execute();
