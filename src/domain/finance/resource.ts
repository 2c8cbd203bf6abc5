import { type RawBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { TransactionStatus, TransactionType } from '../../db/schema.ts';
import { cutPage, exactInstant, isAfter, type Page, type PageRequest } from '../paging.ts';
import { newestInPortfolio } from '../properties/portfolio.ts';
import { type MoneyScope, ownTransaction } from './scope.ts';
import { type TransactionView, transactionView } from './view.ts';

export interface TransactionFilter {
  readonly reservationId?: string | undefined;
  readonly ownerId?: string | undefined;
  readonly type?: TransactionType | undefined;
  readonly status?: TransactionStatus | undefined;
  /** A gateway's reference, or its own id, as it stands on a bank's statement. */
  readonly gatewayReference?: string | undefined;
  /** A gateway's or bank's own id alone: of a charge, a refund or a payout. */
  readonly providerId?: string | undefined;
  /** ISO instants, by when it was made: from inclusive, to exclusive. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** All transactions, each with the requester of the saga that made it. */
export const selectTransactions = (db: Db) =>
  db
    .selectFrom('transaction as t')
    .leftJoin('saga as s', 's.id', 't.created_by_saga')
    .selectAll('t')
    .select('s.requested_by as actor');

/**
 * SQL: transaction `t` has the value itself, or its charge does: so one query leads from a line of a bank statement to all of its
 * transactions and their requesters.
 */
const isNamed = (columns: readonly ('gateway_reference' | 'provider_id')[], value: string) =>
  // By ids, each found by an index of its own; the transactions of a payment are of its stay.
  sql<SqlBool>`t.id = ANY(ARRAY(${sql.join(
    columns.flatMap((column) => [
      sql`SELECT o.id FROM transaction o WHERE ${sql.ref(`o.${column}`)} = ${value}`,
      sql`SELECT o.id FROM payment y JOIN transaction o ON o.reservation_id = y.reservation_id AND o.payment_id = y.id WHERE ${sql.ref(`y.${column}`)} = ${value}`,
    ]),
    sql` UNION `,
  )}))`;

/** Whether transaction `t` or its charge has this reference, or the provider's own id. */
export const bearsReference = (reference: string) => isNamed(['gateway_reference', 'provider_id'], reference);

/** A page of the transactions within a scope, newest first. */
export async function listTransactions(
  db: Db,
  scope: MoneyScope,
  filter: TransactionFilter,
  page: PageRequest,
): Promise<Page<TransactionView>> {
  const limit = page.limit + 1;
  const listed = (propertyId: RawBuilder<string>) =>
    matching(db.selectFrom('transaction as t'), filter, page)
      .select(['t.id', 't.created_at as at'])
      .where('t.property_id', '=', propertyId)
      .orderBy('t.created_at', 'desc')
      .orderBy('t.id', 'desc')
      .limit(limit);
  const rows = await (scope.kind === 'PORTFOLIO'
    ? selectTransactions(db).where(
        't.id',
        '=',
        sql<string>`ANY(${newestInPortfolio({ holder: scope, at: listed, limit })})`,
      )
    : matching(selectTransactions(db), filter, page).where(ownTransaction(scope))
  )
    .select(exactInstant('t.created_at').as('position_at'))
    .orderBy('t.created_at', 'desc')
    .orderBy('t.id', 'desc')
    .limit(limit)
    .execute();
  return cutPage(rows, page.limit, transactionView);
}

/** Adds the conditions of a filter to a query whose transaction is named `t`. */
function matching<DB, TB extends keyof DB, O>(
  all: SelectQueryBuilder<DB, TB, O>,
  filter: TransactionFilter,
  page: PageRequest,
): SelectQueryBuilder<DB, TB, O> {
  const conditions: RawBuilder<SqlBool>[] = [];
  if (filter.reservationId !== undefined) conditions.push(sql`t.reservation_id = ${filter.reservationId}`);
  if (filter.ownerId !== undefined) conditions.push(sql`t.owner_id = ${filter.ownerId}`);
  if (filter.type !== undefined) conditions.push(sql`t.type = ${literal(filter.type)}`);
  if (filter.status !== undefined) conditions.push(sql`t.status = ${literal(filter.status)}`);
  if (filter.gatewayReference !== undefined) conditions.push(bearsReference(filter.gatewayReference));
  if (filter.providerId !== undefined) conditions.push(isNamed(['provider_id'], filter.providerId));
  if (filter.from !== undefined) conditions.push(sql`t.created_at >= ${filter.from}::timestamptz`);
  if (filter.to !== undefined) conditions.push(sql`t.created_at < ${filter.to}::timestamptz`);
  if (page.after) conditions.push(isAfter('t.created_at', 't.id', page.after));
  return conditions.reduce((query, condition) => query.where(condition), all);
}

/** Rows of one stay that an answer carries, at the most. */
const MAX_AT_ONCE = 200;

/** The transactions of a stay, oldest first, 200 at the most. */
export async function transactionsOfReservation(db: Db, reservationId: string): Promise<TransactionView[]> {
  const rows = await selectTransactions(db)
    .where('t.reservation_id', '=', reservationId)
    .orderBy('t.created_at')
    .orderBy('t.id')
    .limit(MAX_AT_ONCE)
    .execute();
  return rows.map(transactionView);
}
