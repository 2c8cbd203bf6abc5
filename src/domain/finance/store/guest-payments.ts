import { type InsertObject, sql } from 'kysely';
import type { Tx } from '../../../db/client.ts';
import type { Database } from '../../../db/schema.ts';
import { newId } from '../../../kernel/ids.ts';
import { mayMove, resultOf } from '../transitions.ts';

/** Payments of guests: the amount due that one payment settles as a whole, or rows below it (domain.md 7). Minor units. */

type Row = InsertObject<Database, 'transaction'>;

/** The charge that a row is settled by. */
export type Receipt = Pick<Row, 'gateway_id' | 'gateway_reference' | 'payment_method' | 'provider_id'> & {
  readonly payment_id: string;
  readonly settled_minor: number;
};

/** One payment covers the amount due: the row itself is COMPLETED. It must be locked. Throws when it is not PENDING. */
export const settleAmountDue = (tx: Tx, id: string, receipt: Receipt) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({
      ...receipt,
      status: resultOf('settleDue'),
      outstanding_minor: 0,
      completed_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .where(mayMove('settleDue'))
    .returning('id')
    .executeTakeFirstOrThrow();

type PartRow = Pick<Row, 'reservation_id' | 'owner_id' | 'parent_id' | 'created_by_saga' | 'effect_key'> & {
  readonly amount_minor: number;
  readonly currency: string;
};

/** A captured payment of a part, or without an amount due: a COMPLETED row of its own. Answers its id. */
export async function insertGuestPayment(tx: Tx, row: PartRow & Receipt): Promise<string> {
  const id = newId('transaction');
  await tx
    .insertInto('transaction')
    .values({
      ...row,
      id,
      type: 'GUEST_PAYMENT',
      status: 'COMPLETED',
      outstanding_minor: 0,
      completed_at: sql<Date>`now()`,
    })
    .execute();
  return id;
}

/** A payment that came to nothing is kept, FAILED, with the code of its failure (domain.md 7). */
export const insertFailedPayment = (
  tx: Tx,
  row: PartRow &
    Pick<Row, 'payment_id' | 'gateway_id' | 'gateway_reference' | 'payment_method'> & { readonly error_code: string },
) =>
  tx
    .insertInto('transaction')
    .values({ ...row, id: newId('transaction'), type: 'GUEST_PAYMENT', status: 'FAILED', outstanding_minor: 0 })
    .execute();

/** A part payment leaves so much outstanding. The row must be locked. */
export const setOutstanding = (tx: Tx, id: string, outstandingMinor: number) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({ outstanding_minor: outstandingMinor, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where(mayMove('changeOutstanding'))
    .execute();

/** A part payment is reversed: the amount due grows by it. */
export const addOutstanding = (tx: Tx, id: string, addedMinor: number) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({ outstanding_minor: eb('outstanding_minor', '+', addedMinor), version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where(mayMove('changeOutstanding'))
    .execute();

/** The payment that settled the row as a whole is reversed: the row is due again. Throws when it is not REVERSED. */
export const reopenAmountDue = (tx: Tx, id: string, outstandingMinor: number) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({
      status: resultOf('reopenDue'),
      outstanding_minor: outstandingMinor,
      settled_minor: 0,
      payment_id: null,
      gateway_id: null,
      gateway_reference: null,
      payment_method: null,
      provider_id: null,
      completed_at: null,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .where(mayMove('reopenDue'))
    .returning('id')
    .executeTakeFirstOrThrow();
