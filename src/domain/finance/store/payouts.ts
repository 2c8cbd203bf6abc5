import { type InsertObject, type RawBuilder, sql } from 'kysely';
import type { Tx } from '../../../db/client.ts';
import { literal } from '../../../db/literal.ts';
import type { Database } from '../../../db/schema.ts';
import { newId } from '../../../kernel/ids.ts';
import { mayMove, resultOf } from '../transitions.ts';

/**
 * Payouts to owners (domain.md 8), amounts in minor units. `amount_minor` is the gross amount; once claimed, `settled_minor` is
 * the part that is paid out, and the rest is netted against the owner's debt.
 */

export type PayoutRow = Pick<
  InsertObject<Database, 'transaction'>,
  'reservation_id' | 'owner_id' | 'parent_id' | 'distribution_version' | 'payment_id' | 'created_by_saga' | 'effect_key'
> & {
  readonly amount_minor: number;
  readonly currency: string;
  readonly scheduled_for: Date | string | RawBuilder<Date>;
};

/** Makes a PENDING payout; answers its id. */
export async function insertPayout(tx: Tx, row: PayoutRow): Promise<string> {
  const id = newId('transaction');
  await tx
    .insertInto('transaction')
    .values({ ...row, id, type: 'OWNER_PAYOUT', status: 'PENDING', outstanding_minor: row.amount_minor })
    .execute();
  return id;
}

/** A part of a payout becomes a PENDING payout of its own, for the same stay and time. `from`: the id of the payout. */
export const splitPayout = (tx: Tx, from: string, amountMinor: number, sagaId: string) =>
  sql`
      INSERT INTO transaction (id, type, status, reservation_id, owner_id, parent_id, amount_minor, outstanding_minor, currency,
        distribution_version, payment_id, scheduled_for, created_by_saga, details)
      SELECT ${newId('transaction')}, type, 'PENDING', reservation_id, owner_id, parent_id, ${amountMinor}, ${amountMinor}, currency,
        distribution_version, payment_id, scheduled_for, ${sagaId}, ${JSON.stringify({ carriedFrom: from })}::jsonb
        FROM transaction WHERE id = ${from}`.execute(tx);

/** Another due time. The row must be locked. Throws when it is not PENDING. */
export const reschedulePayout = (tx: Tx, id: string, scheduledFor: Date) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({ scheduled_for: scheduledFor, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where(mayMove('reschedulePayout'))
    .returning('id')
    .executeTakeFirstOrThrow();

/** So much of it is left to pay; CANCELLED when nothing is. The row must be locked. Throws when it cannot be reduced. */
export const reducePayout = (tx: Tx, id: string, restMinor: number) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({
      outstanding_minor: restMinor,
      version: eb('version', '+', 1),
      ...(restMinor === 0
        ? { status: 'CANCELLED' as const, cancelled_at: sql<Date>`now()` }
        : { amount_minor: restMinor }),
    }))
    .where('id', '=', id)
    .where(mayMove('reducePayout'))
    .returning('id')
    .executeTakeFirstOrThrow();

/** The payment that it came from is undone. False: it is not PENDING any more, and nothing changes. */
export async function cancelPayout(tx: Tx, id: string): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('transaction')
    .set((eb) => ({
      status: resultOf('cancelPayout'),
      outstanding_minor: 0,
      cancelled_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .where(mayMove('cancelPayout'))
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** Takes a payout into the bank instruction of a saga. The row must be locked. Throws when it cannot be claimed. */
export const claimPayout = (
  tx: Tx,
  id: string,
  claim: { readonly sagaId: string; readonly grossMinor: number; readonly nettedMinor: number },
) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({
      status: resultOf('claimPayout'),
      amount_minor: claim.grossMinor,
      outstanding_minor: claim.grossMinor,
      settled_minor: claim.grossMinor - claim.nettedMinor,
      payout_saga: claim.sagaId,
      error_code: null,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .where(mayMove('claimPayout'))
    .returning('id')
    .executeTakeFirstOrThrow();

/** The bank has paid the instruction of a saga. Answers the payouts in it. */
export const completePayouts = (tx: Tx, sagaId: string, providerId: string) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({
      status: resultOf('completePayout'),
      outstanding_minor: 0,
      provider_id: providerId,
      completed_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('payout_saga', '=', sagaId)
    .where(mayMove('completePayout'))
    .returning(['id', 'settled_minor', 'reservation_id', 'payment_id'])
    .execute();

/** The bank has not paid the instruction of a saga: its payouts stay owed. */
export const markPayoutsFailed = (tx: Tx, sagaId: string, errorCode: string) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({
      status: resultOf('failPayout'),
      settled_minor: 0,
      error_code: errorCode,
      version: eb('version', '+', 1),
    }))
    .where('payout_saga', '=', sagaId)
    .where(mayMove('failPayout'))
    .execute();

/** The bank has sent the money back: the payouts of that instruction are owed again, FAILED. Answers their ids. */
export async function markPayoutsReturned(tx: Tx, providerId: string, errorCode: string): Promise<readonly string[]> {
  const rows = await tx
    .updateTable('transaction')
    .set((eb) => ({
      status: resultOf('returnPayout'),
      settled_minor: 0,
      outstanding_minor: eb.ref('amount_minor'),
      error_code: errorCode,
      completed_at: null,
      version: eb('version', '+', 1),
    }))
    .where('type', '=', literal('OWNER_PAYOUT'))
    .where('provider_id', '=', providerId)
    .where(mayMove('returnPayout'))
    .returning('id')
    .execute();
  return rows.map(({ id }) => id);
}
