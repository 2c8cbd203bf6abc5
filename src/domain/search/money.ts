import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literals } from '../../db/literal.ts';
import { toMajor } from '../../kernel/money.ts';
import { bearsReference, selectTransactions } from '../finance/resource.ts';
import { type MoneyScope, ownTransaction } from '../finance/scope.ts';
import { type TransactionRow, transactionView } from '../finance/view.ts';
import { inPortfolio, newestInPortfolio } from '../properties/portfolio.ts';
import { type Asked, cut, type Found, type Hit, hitOf, idsOf, inPeriod, LOOKED_AT, ofProperty } from './hits.ts';

/** Money: transactions, and the payments of guests, by ids, references of gateways and banks, errors and days. */

/** The newest of those that the scope has. */
export async function findTransactions(db: Db, asked: Asked, scope: MoneyScope): Promise<Found> {
  const rows = await selectTransactions(db)
    .where('t.id', '=', sql<string>`ANY(${idsOf(candidates(asked, scope))})`)
    .where(ownTransaction(scope))
    .where(fits(asked))
    .orderBy('t.created_at', 'desc')
    .orderBy('t.id', 'desc')
    .limit(asked.limit + 1)
    .execute();
  return cut(rows, asked.limit, transactionHit);
}

const fits = (asked: Asked): RawBuilder<SqlBool> =>
  sql`${inPeriod('t.created_at', asked)} AND ${ofProperty('t.property_id', asked)}`;

/** A transaction as a hit, with its amount in major units. */
export function transactionHit(row: TransactionRow): Hit {
  const { id, type, status, amount, currency, reservationId, gatewayReference, providerId, errorCode, createdAt } =
    transactionView(row);
  const detail = errorCode ?? gatewayReference ?? providerId;
  return hitOf({
    kind: 'TRANSACTION',
    id,
    title: type,
    detail,
    state: status,
    at: createdAt,
    amount,
    currency,
    reservationId,
    propertyId: row.property_id,
  });
}

function candidates(asked: Asked, scope: MoneyScope): readonly RawBuilder<unknown>[] {
  const limit = asked.limit + 1;
  const { id, codes, day } = asked;
  /** The newest of those for whom it holds, by an index in this order; of a portfolio by one of its properties. */
  const newest = (holds: RawBuilder<SqlBool>): RawBuilder<unknown> => {
    const listed = (own: RawBuilder<SqlBool>) =>
      sql<{
        id: string;
        at: Date;
      }>`(SELECT t.id, t.created_at AS at FROM transaction t WHERE ${own} AND ${holds} AND ${fits(asked)}
        ORDER BY t.created_at DESC, t.id DESC LIMIT ${limit}::int)`;
    return scope.kind === 'PORTFOLIO'
      ? sql`SELECT unnest(${newestInPortfolio({ holder: scope, at: (place) => listed(sql`t.property_id = ${place}`), limit })})`
      : sql`SELECT few.id FROM ${listed(ofProperty('t.property_id', asked))} few`;
  };
  const all: RawBuilder<unknown>[] = [];
  if (id !== null) {
    all.push(
      sql`SELECT ${id}::text`,
      sql`SELECT t.id FROM transaction t WHERE ${bearsReference(id)}`,
      sql`SELECT t.id FROM transaction t WHERE t.reservation_id = ${id}`,
      sql`SELECT t.id FROM transaction t WHERE t.payout_saga = ${id} LIMIT ${LOOKED_AT}::int`,
      newest(sql`t.owner_id = ${id}`),
    );
  }
  for (const code of codes) all.push(newest(sql`t.error_code = ${code}`));
  if (day !== null)
    all.push(newest(sql`t.created_at >= ${day.from}::timestamptz AND t.created_at < ${day.to}::timestamptz`));
  return all;
}

/** Transactions of one stay that a search has, at the most. */
const OF_A_STAY = 20;
/** What a stay brings with it: shares of a payment are those of its payment. */
const BROUGHT = ['GUEST_PAYMENT', 'REFUND', 'OWNER_PAYOUT', 'DISPUTE'] as const;

/** Of each of these stays, which the reader may see, payments, refunds, payouts and disputes, the newest first. */
export async function transactionsOfStays(
  db: Db,
  stays: readonly string[],
  scope: MoneyScope,
): Promise<readonly Hit[]> {
  if (stays.length === 0) return [];
  const few = sql<string>`ANY(ARRAY(SELECT few.id FROM unnest(${[...stays]}::text[]) stay (id) CROSS JOIN LATERAL (
    SELECT x.id FROM transaction x WHERE x.reservation_id = stay.id AND x.type IN (${sql.join(literals([...BROUGHT]))})
     ORDER BY x.created_at DESC, x.id DESC LIMIT ${OF_A_STAY}::int) few))`;
  const rows = await selectTransactions(db)
    .where('t.id', '=', few)
    .where(ownTransaction(scope))
    .orderBy('t.created_at', 'desc')
    .orderBy('t.id', 'desc')
    .execute();
  return rows.map(transactionHit);
}

interface PaymentRow {
  readonly id: string;
  readonly reservation_id: string;
  readonly property_id: string;
  readonly gateway_reference: string;
  readonly error_code: string | null;
  readonly status: string;
  readonly amount_minor: number;
  readonly currency: string;
  readonly created_at: Date;
}

/** Payments of guests, the failed ones too; an agent finds those of the portfolio's stays. */
export async function findPayments(db: Db, asked: Asked, agentId: string | null): Promise<Found> {
  const { id, codes } = asked;
  const all: RawBuilder<unknown>[] = [];
  if (id !== null) {
    all.push(sql`SELECT ${id}::text`);
    for (const column of ['gateway_reference', 'provider_id', 'saga_id', 'reservation_id'])
      all.push(sql`SELECT y.id FROM payment y WHERE ${sql.ref(`y.${column}`)} = ${id} LIMIT ${LOOKED_AT}::int`);
  }
  for (const code of codes)
    all.push(
      sql`SELECT y.id FROM payment y WHERE y.error_code = ${code} AND ${inPeriod('y.created_at', asked)} ORDER BY y.created_at DESC LIMIT ${LOOKED_AT}::int`,
    );
  const { rows } = await sql<PaymentRow>`
    SELECT y.id, y.reservation_id, r.property_id, y.gateway_reference, y.error_code, y.status, y.amount_minor, y.currency, y.created_at
      FROM payment y JOIN reservation r ON r.id = y.reservation_id
     WHERE y.id = ANY(${idsOf(all)}) AND ${inPortfolio(sql.ref('r.property_id'), agentId)} AND ${inPeriod('y.created_at', asked)}
       AND ${ofProperty('r.property_id', asked)}
     ORDER BY y.created_at DESC, y.id DESC LIMIT ${asked.limit + 1}::int`.execute(db);
  return cut(rows, asked.limit, (row) =>
    hitOf({
      kind: 'PAYMENT',
      id: row.id,
      title: row.gateway_reference,
      detail: row.error_code,
      state: row.status,
      at: row.created_at.toISOString(),
      amount: toMajor({ amountMinor: row.amount_minor, currency: row.currency }),
      currency: row.currency,
      reservationId: row.reservation_id,
      propertyId: row.property_id,
    }),
  );
}
