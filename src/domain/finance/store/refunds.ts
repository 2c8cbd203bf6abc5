import { type InsertObject, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Tx } from '../../../db/client.ts';
import { literal } from '../../../db/literal.ts';
import type { Database } from '../../../db/schema.ts';
import { newId } from '../../../kernel/ids.ts';
import { mayMove, resultOf } from '../transitions.ts';

/** Refunds to guests (domain.md 9), amounts in minor units. */

type Row = InsertObject<Database, 'transaction'>;

export type RefundRow = Pick<
  Row,
  | 'reservation_id'
  | 'owner_id'
  | 'payment_id'
  | 'gateway_id'
  | 'gateway_reference'
  | 'distribution_version'
  | 'borne_by'
  | 'borne_minor'
  | 'created_by_saga'
  | 'effect_key'
  | 'details'
> & { readonly amount_minor: number; readonly currency: string };

/** Makes a PENDING refund: it is owed to the guest from now on. Answers its id. */
export async function insertRefund(tx: Tx, row: RefundRow): Promise<string> {
  const id = newId('transaction');
  await tx
    .insertInto('transaction')
    .values({ ...row, id, type: 'REFUND', status: 'PENDING', outstanding_minor: row.amount_minor })
    .execute();
  return id;
}

/**
 * A part of a refund that is owed becomes a row of its own, in the same status; the rest stays owed. The row must be locked,
 * and the part smaller than it. Answers the id of the part.
 */
export async function splitRefund(
  tx: Tx,
  owed: { readonly id: string; readonly amount_minor: number },
  partMinor: number,
): Promise<string> {
  const id = newId('transaction');
  await sql`
    INSERT INTO transaction (id, type, status, reservation_id, owner_id, parent_id, amount_minor, outstanding_minor, currency,
      distribution_version, payment_id, gateway_id, gateway_reference, borne_by, borne_minor, created_by_saga, created_at, details)
    SELECT ${id}, type, status, reservation_id, owner_id, id, ${partMinor}, ${partMinor}, currency,
      distribution_version, payment_id, gateway_id, gateway_reference, borne_by, least(borne_minor, ${partMinor}::bigint), created_by_saga, created_at, details
      FROM transaction WHERE id = ${owed.id}`.execute(tx);
  await tx
    .updateTable('transaction')
    .set((eb) => ({
      amount_minor: owed.amount_minor - partMinor,
      outstanding_minor: owed.amount_minor - partMinor,
      borne_minor: sql<number>`borne_minor - least(borne_minor, ${partMinor}::bigint)`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', owed.id)
    .where(mayMove('splitRefund'))
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

/** PROCESSING: it has been sent, and its outcome is not known. PENDING: nothing can have come of it. False: it is not owed any more. */
export async function markSent(tx: Tx, id: string, status: 'PENDING' | 'PROCESSING'): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('transaction')
    .set((eb) => ({ status, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where(mayMove('sendRefund'))
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** The gateway has refused it for good: MANUAL_REQUIRED. False: it is not owed any more. */
export async function refuseRefund(tx: Tx, id: string, errorCode: string): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('transaction')
    .set((eb) => ({ status: resultOf('refuseRefund'), error_code: errorCode, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .where(mayMove('refuseRefund'))
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** How a refund was paid that no gateway's record shows under this refund; each null where there is no such thing. */
export type PaidOtherwise = Pick<Row, 'gateway_id' | 'gateway_reference'>;

/**
 * The guest has the money. `paid`: where it went, if by another charge or way than was booked. Answers the amount; throws
 * when it is not owed any more.
 */
export const completeRefund = (tx: Tx, id: string, providerId: string | null, paid: PaidOtherwise = {}) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({
      status: resultOf('completeRefund'),
      outstanding_minor: 0,
      settled_minor: eb.ref('amount_minor'),
      provider_id: providerId,
      ...paid,
      error_code: null,
      completed_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .where(mayMove('completeRefund'))
    .returning('amount_minor')
    .executeTakeFirstOrThrow();

/**
 * A person has sent it from the bank, under this reference: the gateway's record will never hold it, so the row loses the
 * gateway. `unless`: a condition that stands against it. Answers the new version; undefined: nothing has changed.
 */
export const settleRefundByHand = (
  tx: Tx,
  id: string,
  by: { readonly reference: string; readonly method: string },
  unless: RawBuilder<SqlBool>,
) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({
      status: resultOf('settleRefundByHand'),
      outstanding_minor: 0,
      settled_minor: eb.ref('amount_minor'),
      gateway_id: null,
      provider_id: null,
      gateway_reference: by.reference,
      payment_method: by.method,
      error_code: null,
      completed_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .where(mayMove('settleRefundByHand'))
    .where((eb) => eb.not(unless))
    .returning('version')
    .executeTakeFirst();

/** The gateway has the money back: these refunds are owed again, and a person sends them. Answers their ids. */
export async function markRefundsReturned(tx: Tx, providerId: string, errorCode: string): Promise<readonly string[]> {
  const rows = await tx
    .updateTable('transaction')
    .set((eb) => ({
      status: resultOf('returnRefund'),
      settled_minor: 0,
      outstanding_minor: eb.ref('amount_minor'),
      error_code: errorCode,
      completed_at: null,
      // Why it was refused once says nothing of this return.
      details: sql<string>`details - 'refusedBehind'`,
      version: eb('version', '+', 1),
    }))
    .where('type', '=', literal('REFUND'))
    .where('provider_id', '=', providerId)
    .where(mayMove('returnRefund'))
    .returning('id')
    .execute();
  return rows.map(({ id }) => id);
}

/** Notes that it was refused while more had gone back at the gateway than our books had. */
export const noteRefusedBehind = (tx: Tx, id: string) =>
  sql`UPDATE transaction SET details = coalesce(details, '{}') || '{"refusedBehind": true}' WHERE id = ${id}`.execute(
    tx,
  );

/**
 * A refund that was refused because our books were behind is PENDING once more, and marked for the sweep `refunds`, which
 * starts another saga for it. Only once: `sentAgain` stays.
 */
export const resendRefund = (tx: Tx, id: string) =>
  sql`UPDATE transaction SET status = 'PENDING', error_code = NULL, version = version + 1,
        details = details - 'refusedBehind' || '{"sendAgain": true, "sentAgain": true}'
       WHERE id = ${id} AND ${mayMove('resendRefund')}`.execute(tx);

/** The sweep has taken it up: it is not marked any more, in whichever status it is by now. */
export const clearResend = (tx: Tx, id: string) =>
  sql`UPDATE transaction SET details = details - 'sendAgain' WHERE id = ${id} AND details ? 'sendAgain'`.execute(tx);
