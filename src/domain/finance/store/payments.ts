import { type InsertObject, sql } from 'kysely';
import type { Tx } from '../../../db/client.ts';
import type { Database } from '../../../db/schema.ts';
import { newId } from '../../../kernel/ids.ts';
import { mayMovePayment, paymentResultOf } from '../transitions.ts';

/** The only statements that write `payment`: one row for each charge at a gateway (domain.md 7). Amounts are minor units. */

export type ClaimedPayment = Omit<InsertObject<Database, 'payment'>, 'id' | 'status'>;

/**
 * Claims a gateway's reference for a saga, PROCESSING; once for each saga. Broken by `one_claim` when another payment has the
 * reference.
 */
export const insertPayment = (tx: Tx, row: ClaimedPayment) =>
  tx
    .insertInto('payment')
    .values({ ...row, id: newId('payment'), status: 'PROCESSING' })
    .onConflict((conflict) => conflict.column('saga_id').doNothing())
    .execute();

/** The gateway has captured it. Answers the row; throws when it is not PROCESSING. */
export const completePayment = (
  tx: Tx,
  sagaId: string,
  captured: { readonly providerId: string; readonly feeMinor: number; readonly excessMinor: number },
) =>
  tx
    .updateTable('payment')
    .set({
      status: paymentResultOf('complete'),
      provider_id: captured.providerId,
      fee_minor: captured.feeMinor,
      excess_minor: captured.excessMinor,
      completed_at: sql<Date>`now()`,
    })
    .where('saga_id', '=', sagaId)
    .where(mayMovePayment('complete'))
    .returningAll()
    .executeTakeFirstOrThrow();

/**
 * The gateway holds nothing of it any more: `fail` when it has captured nothing, `reverse` when it had. Answers the row; throws
 * when it is in another status than that.
 */
export const endPayment = (tx: Tx, sagaId: string, move: 'fail' | 'reverse', errorCode: string) =>
  tx
    .updateTable('payment')
    .set({ status: paymentResultOf(move), error_code: errorCode })
    .where('saga_id', '=', sagaId)
    .where(mayMovePayment(move))
    .returningAll()
    .executeTakeFirstOrThrow();

/** So much more of a captured charge is to go back to the guest. The row must be locked. */
export const addRefunded = (tx: Tx, id: string, amountMinor: number) =>
  tx
    .updateTable('payment')
    .set((eb) => ({ refunded_minor: eb('refunded_minor', '+', amountMinor) }))
    .where('id', '=', id)
    .where(mayMovePayment('refund'))
    .returning('id')
    .executeTakeFirstOrThrow();

/** The gateway has kept another fee than was booked. The row must be locked. */
export const correctFee = (tx: Tx, id: string, feeMinor: number) =>
  tx
    .updateTable('payment')
    .set({ fee_minor: feeMinor })
    .where('id', '=', id)
    .where(mayMovePayment('correctFee'))
    .returning('id')
    .executeTakeFirstOrThrow();
