import { type QueryCreator, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { FusedDatabase, ValueRefs } from '../../db/fused.ts';
import { literal } from '../../db/literal.ts';

export interface AmountDueValues {
  readonly transactionId: string;
  readonly ownerId: string;
  readonly amountMinor: number;
  readonly currency: string;
  readonly distributionVersion: number;
}

/**
 * The one PENDING GUEST_PAYMENT that stands for what a guest owes for a stay (domain.md T3). A stay that was paid before
 * it is confirmed has it already; then it only follows the price. A stay that costs nothing has none.
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
        .where(
          sql<SqlBool>`type = 'GUEST_PAYMENT' AND parent_id IS NULL AND status NOT IN ('FAILED', 'CANCELLED', 'REVERSED')`,
        )
        .doUpdateSet({
          amount_minor: whilePending('amount_minor', sql`excluded.amount_minor`),
          outstanding_minor: whilePending(
            'outstanding_minor',
            sql`greatest(0, excluded.amount_minor - (transaction.amount_minor - transaction.outstanding_minor))`,
          ),
          version: sql`transaction.version + 1`,
        }),
    )
    .returning([sql<string>`reservation_id`.as('subject_id'), 'id as transactionId']);

const whilePending = (column: 'amount_minor' | 'outstanding_minor', value: RawBuilder<unknown>) =>
  sql<number>`CASE WHEN transaction.status = 'PENDING' THEN ${value} ELSE transaction.${sql.ref(column)} END`;

/** Nothing is owed any more: the stay is called off, or its price has become 0. */
export const dropAmountDue = (tx: Tx, reservationId: string) =>
  tx
    .updateTable('transaction')
    .set((eb) => ({
      status: 'CANCELLED',
      outstanding_minor: 0,
      cancelled_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('reservation_id', '=', reservationId)
    .where('type', '=', literal('GUEST_PAYMENT'))
    .where('status', '=', literal('PENDING'))
    .execute();

/** Nothing has been paid on it yet, so it is cancelled; money that moved is reversed elsewhere, never here. */
export const cancelAmountDue = (db: QueryCreator<FusedDatabase>) =>
  db
    .updateTable('transaction')
    .from('guard')
    .whereRef('transaction.effect_key', '=', 'guard.forward_key')
    .where('transaction.status', '=', literal('PENDING'))
    .set((eb) => ({
      status: 'CANCELLED',
      outstanding_minor: 0,
      cancelled_at: sql<Date>`now()`,
      version: eb('transaction.version', '+', 1),
    }))
    .returning([sql<string>`transaction.reservation_id`.as('subject_id')]);
