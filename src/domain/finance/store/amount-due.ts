import { type InsertObject, type QueryCreator, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Tx } from '../../../db/client.ts';
import type { FusedDatabase, ValueRefs } from '../../../db/fused.ts';
import { literal } from '../../../db/literal.ts';
import type { Database } from '../../../db/schema.ts';
import { newId } from '../../../kernel/ids.ts';
import { mayMove, resultOf } from '../transitions.ts';

/**
 * The one GUEST_PAYMENT that stands for the amount that a guest owes for a stay (domain.md T3). Payments of a part are rows
 * below it (`guest-payments.ts`). Amounts are minor units.
 */

export interface AmountDueValues {
  readonly transactionId: string;
  readonly ownerId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly distributionVersion: number;
}

/** The predicate of the unique index `one_amount_due`. */
const IS_AMOUNT_DUE = sql<SqlBool>`type = 'GUEST_PAYMENT' AND parent_id IS NULL AND status NOT IN ('FAILED', 'CANCELLED', 'REVERSED')`;

/**
 * Makes the amount due of a stay, PENDING, as a fused statement. A stay that was paid before it is confirmed has one already:
 * then its amount follows the price, and the part that is paid stays paid. A stay that costs nothing gets none.
 */
export const createAmountDue = (db: QueryCreator<FusedDatabase>, value: ValueRefs<AmountDueValues>) =>
  db
    .insertInto('transaction')
    .columns([
      'id',
      'type',
      'status',
      'reservation_id',
      'owner_id',
      'amount_minor',
      'outstanding_minor',
      'currency',
      'distribution_version',
      'created_by_saga',
      'effect_key',
    ])
    .expression((eb) =>
      eb
        .selectFrom('guard')
        .select([
          value.text('transactionId').as('id'),
          sql<'GUEST_PAYMENT'>`'GUEST_PAYMENT'`.as('type'),
          sql<'PENDING'>`'PENDING'`.as('status'),
          'guard.subject_id',
          value.text('ownerId').as('owner_id'),
          value.number('amountMinor').as('amount_minor'),
          value.number('amountMinor').as('outstanding_minor'),
          value.text('currency').as('currency'),
          value.number('distributionVersion').as('distribution_version'),
          'guard.saga_id',
          'guard.effect_key',
        ])
        .where(value.number('amountMinor'), '>', 0),
    )
    .onConflict((conflict) =>
      conflict
        .column('reservation_id')
        .where(IS_AMOUNT_DUE)
        .doUpdateSet({
          amount_minor: whileUnpaid('amount_minor', sql`excluded.amount_minor`),
          outstanding_minor: whileUnpaid(
            'outstanding_minor',
            sql`greatest(0, excluded.amount_minor - (transaction.amount_minor - transaction.outstanding_minor))`,
          ),
          version: sql`transaction.version + 1`,
        }),
    )
    .returning([sql<string>`reservation_id`.as('subject_id'), 'id as transactionId']);

const whileUnpaid = (column: 'amount_minor' | 'outstanding_minor', value: RawBuilder<unknown>) =>
  sql<number>`CASE WHEN ${mayMove('repriceDue', sql`transaction.status`)} THEN ${value} ELSE transaction.${sql.ref(column)} END`;

/** Undoes `createAmountDue`, fused with its step. Money that has moved is reversed elsewhere, never here. */
export const cancelAmountDue = (db: QueryCreator<FusedDatabase>) =>
  db
    .updateTable('transaction')
    .from('guard')
    .whereRef('transaction.effect_key', '=', 'guard.forward_key')
    .where(mayMove('cancelDue', sql.ref('transaction.status')))
    .set((eb) => ({
      status: resultOf('cancelDue'),
      outstanding_minor: 0,
      cancelled_at: sql<Date>`now()`,
      version: eb('transaction.version', '+', 1),
    }))
    .returning([sql<string>`transaction.reservation_id`.as('subject_id')]);

/** Nothing is owed for the stay any more: it is cancelled, or its price has become 0. Without an amount due, nothing changes. */
export const dropAmountDue = (tx: Tx, reservationId: string) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({
      status: resultOf('cancelDue'),
      outstanding_minor: 0,
      cancelled_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('reservation_id', '=', reservationId)
    .where('type', '=', literal('GUEST_PAYMENT'))
    .where(mayMove('cancelDue'))
    .execute();

export type AmountDueRow = Pick<
  InsertObject<Database, 'transaction'>,
  'reservation_id' | 'owner_id' | 'amount_minor' | 'outstanding_minor' | 'currency' | 'distribution_version'
> & { readonly created_by_saga: string };

/** Makes the amount due of a stay that is paid before it is confirmed, PENDING; an unpaid one follows the price. */
export const ensureAmountDue = (tx: Tx, due: AmountDueRow) =>
  tx
    .insertInto('transaction')
    .values({ id: newId('transaction'), type: 'GUEST_PAYMENT', status: 'PENDING', ...due })
    .onConflict((conflict) =>
      conflict
        .column('reservation_id')
        .where(IS_AMOUNT_DUE)
        .doUpdateSet({ amount_minor: due.amount_minor, outstanding_minor: due.outstanding_minor })
        .where(mayMove('repriceDue', sql.ref('transaction.status'))),
    )
    .execute();

/** A row for money that comes in for a stay that was cancelled unpaid: it is CANCELLED from the start, and owes nothing. */
export const insertCancelledDue = (tx: Tx, due: Omit<AmountDueRow, 'outstanding_minor'>) =>
  tx
    .insertInto('transaction')
    .values({
      id: newId('transaction'),
      type: 'GUEST_PAYMENT',
      status: 'CANCELLED',
      ...due,
      outstanding_minor: 0,
      cancelled_at: sql<Date>`now()`,
    })
    .execute();

/**
 * The amount due of a stay, locked until the transaction ends; undefined: it has none. One that is open goes before one that
 * is cancelled, which takes late money.
 */
export const lockAmountDue = (tx: Tx, reservationId: string) =>
  tx
    .selectFrom('transaction')
    .select(['id', 'status', 'amount_minor', 'outstanding_minor'])
    .where('reservation_id', '=', reservationId)
    .where('type', '=', literal('GUEST_PAYMENT'))
    .where('parent_id', 'is', null)
    .where(mayMove('changeOutstanding'))
    .orderBy(sql`status = 'CANCELLED'`)
    .orderBy('created_at', 'desc')
    .limit(1)
    .forUpdate()
    .executeTakeFirst();
