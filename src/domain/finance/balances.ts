import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { JournalKind } from '../../db/schema.ts';
import { toMajor } from '../../kernel/money.ts';
import { cutPage, type Page, type PageRequest } from '../paging.ts';
import { isStayHeld } from './payout-hold.ts';
import { allOf, assertVisible, type MoneyScope } from './scope.ts';
import { LEDGER_TOTALS } from './totals.ts';

/** An owner's balance in one currency, from the entries of its own account; major units, positive in the owner's favour. */
export interface OwnerBalance {
  readonly currency: string;
  readonly balance: number;
  /** Below zero, it is taken off the next payouts (domain.md 9.2). */
  readonly carriedForward: number;
  readonly shares: number;
  /** The owner's part of the gateways' fees. */
  readonly fees: number;
  /** Costs that the agency has paid for the owner: repairs. */
  readonly costs: number;
  readonly paid: number;
  /** Payouts that wait, are on their way or have failed; `owedByOwner` is the part of them that the balance does not cover. */
  readonly openPayouts: number;
  /** The part of them that waits until a dispute about its stay is decided. */
  readonly heldPayouts: number;
  readonly owedByOwner: number;
}

/** The balances of an owner, one for each currency. Throws `NOT_FOUND` for an owner that does not exist or is outside the scope. */
export async function ownerBalance(db: Db, scope: MoneyScope, ownerId: string): Promise<readonly OwnerBalance[]> {
  await assertVisible(db, scope, { ownerId });
  const { rows } = await sql<{
    currency: string;
    balance: number;
    shares: number;
    fees: number;
    costs: number;
    paid: number;
    open: number;
    held: number;
  }>`
    WITH own AS (
      SELECT currency, -sum(amount) AS balance,
             coalesce(-sum(amount) FILTER (WHERE purpose = 'DISTRIBUTION'), 0) AS shares,
             coalesce(sum(amount) FILTER (WHERE purpose = 'FEE'), 0) AS fees,
             coalesce(sum(amount) FILTER (WHERE purpose = 'COST'), 0) AS costs,
             coalesce(sum(amount) FILTER (WHERE purpose = 'PAYOUT'), 0) AS paid
        FROM ${LEDGER_TOTALS} t WHERE account_kind = 'OWNER_PAYABLE' AND party_id = ${ownerId} GROUP BY currency),
    payouts AS (
      SELECT currency, sum(amount_minor) AS open, sum(amount_minor) FILTER (WHERE status <> 'PROCESSING' AND ${isStayHeld(sql`t.reservation_id`)}) AS held
        FROM transaction t
       WHERE owner_id = ${ownerId} AND type = 'OWNER_PAYOUT' AND status IN ('PENDING', 'PROCESSING', 'FAILED') GROUP BY currency)
    SELECT currency, coalesce(own.balance, 0)::bigint AS balance, coalesce(own.shares, 0)::bigint AS shares,
           coalesce(own.fees, 0)::bigint AS fees, coalesce(own.costs, 0)::bigint AS costs, coalesce(own.paid, 0)::bigint AS paid, coalesce(payouts.open, 0)::bigint AS open, coalesce(payouts.held, 0)::bigint AS held
      FROM own FULL JOIN payouts USING (currency) ORDER BY currency`.execute(db);
  return rows.map(({ currency, balance, shares, fees, costs, paid, open, held }) => {
    const major = (amountMinor: number): number => toMajor({ amountMinor, currency });
    return {
      currency,
      balance: major(balance),
      carriedForward: major(Math.min(0, balance)),
      shares: major(shares),
      fees: major(fees),
      costs: major(costs),
      paid: major(paid),
      openPayouts: major(open),
      heldPayouts: major(held),
      owedByOwner: major(Math.max(0, open - balance)),
    };
  });
}

export interface StatementFilter {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly currency?: string | undefined;
}
/** The balances of one currency at both ends of a statement's time, in major units; the same on every page. */
export interface StatementTotal {
  readonly currency: string;
  readonly opening: number;
  readonly closing: number;
  /** The closing balance if it is below zero, which goes into the next statement; else 0. */
  readonly carriedForward: number;
}

/**
 * The totals of an owner's statement: the opening balance just before `from`, the closing balance just before `to`. Throws
 * `NOT_FOUND`.
 */
export async function statementTotals(
  db: Db,
  scope: MoneyScope,
  ownerId: string,
  { from, to, currency }: StatementFilter,
): Promise<readonly StatementTotal[]> {
  await assertVisible(db, scope, { ownerId });
  const isOwn = sql`${currency === undefined ? sql`true` : sql`currency = ${currency}`}`;
  const since = (moment: string) => sql`(SELECT coalesce(sum(l.amount), 0) FROM ledger_owner_line l
    WHERE l.owner_id = ${ownerId} AND l.at >= ${moment}::timestamptz AND l.currency = own.currency)`;
  const { rows } = await sql<{ currency: string; opening: number; closing: number }>`
    SELECT currency, ${from === undefined ? sql`0` : sql`balance + ${since(from)}`}::bigint AS opening,
           ${to === undefined ? sql`balance` : sql`balance + ${since(to)}`}::bigint AS closing
      FROM (SELECT currency, -sum(amount) AS balance FROM ${LEDGER_TOTALS} t
             WHERE account_kind = 'OWNER_PAYABLE' AND party_id = ${ownerId} AND ${isOwn} GROUP BY currency) own
     ORDER BY currency`.execute(db);
  return rows.map((row) => {
    const major = (amountMinor: number): number => toMajor({ amountMinor, currency: row.currency });
    return {
      currency: row.currency,
      opening: major(row.opening),
      closing: major(row.closing),
      carriedForward: major(Math.min(0, row.closing)),
    };
  });
}

interface LineRow {
  readonly id: string;
  readonly at: Date;
  readonly position_at: string;
  readonly kind: JournalKind;
  readonly reversed_kind: JournalKind | null;
  readonly transaction_id: string | null;
  readonly reservation_id: string | null;
  readonly currency: string;
  readonly amount: number;
  readonly running: number;
  readonly netted: number | null;
}
export type StatementLine = ReturnType<typeof lineView>;

/**
 * The lines of an owner's account, oldest first, each with the balance that it leaves in its currency: what is owed by now, less
 * what came after the place where the page begins.
 */
export async function statementLines(
  db: Db,
  ownerId: string,
  { from, to, currency }: StatementFilter,
  page: PageRequest,
): Promise<Page<StatementLine>> {
  const own = [
    sql`l.owner_id = ${ownerId}`,
    ...(currency === undefined ? [] : [sql`l.currency = ${currency}`]),
    ...(from === undefined ? [] : [sql`l.at >= ${from}::timestamptz`]),
    // Beside the place of the page, for the index to begin there.
    ...(page.after
      ? [
          sql`l.at >= ${page.after.at}::timestamptz`,
          sql`(l.at, l.tx_id) > (${page.after.at}::timestamptz, ${page.after.id}::text)`,
        ]
      : []),
  ];
  const shown = [...own, ...(to === undefined ? [] : [sql`l.at < ${to}::timestamptz`])];
  // From the beginning on, nothing was owed before.
  const before =
    from === undefined && !page.after
      ? sql`0`
      : sql`(SELECT -coalesce(sum(t.amount), 0) FROM ${LEDGER_TOTALS} t
              WHERE t.account_kind = 'OWNER_PAYABLE' AND t.party_id = ${ownerId} AND t.currency = c.currency)
          + (SELECT coalesce(sum(l.amount), 0) FROM ledger_owner_line l WHERE ${allOf(own)} AND l.currency = c.currency)`;
  const { rows } = await sql<LineRow>`
    WITH line AS (SELECT l.tx_id AS id, l.at, l.currency, -l.amount AS amount FROM ledger_owner_line l
      WHERE ${allOf(shown)} ORDER BY l.at, l.tx_id LIMIT ${page.limit + 1}::int),
    opening AS (SELECT c.currency, ${before} AS balance FROM (SELECT DISTINCT currency FROM line) c)
    SELECT s.id, s.at, s.at::text AS position_at, x.kind, o.kind AS reversed_kind, x.transaction_id,
           coalesce(x.reservation_id, t.reservation_id) AS reservation_id, s.currency, s.amount::bigint AS amount, s.running::bigint AS running,
           CASE WHEN x.kind = 'OWNER_PAYOUT' THEN t.amount_minor - t.settled_minor END AS netted
      FROM (SELECT l.*, w.balance + sum(l.amount) OVER (PARTITION BY l.currency ORDER BY l.at, l.id) AS running
              FROM line l JOIN opening w ON w.currency = l.currency) s
      JOIN ledger_tx x ON x.id = s.id LEFT JOIN transaction t ON t.id = x.transaction_id LEFT JOIN ledger_tx o ON o.id = x.reverses
     ORDER BY s.at, s.id`.execute(db);
  return cutPage(rows, page.limit, lineView);
}

function lineView(row: LineRow) {
  const major = (amountMinor: number): number => toMajor({ amountMinor, currency: row.currency });
  return {
    id: row.id,
    at: row.at.toISOString(),
    kind: row.kind,
    reverses: row.reversed_kind,
    transactionId: row.transaction_id,
    reservationId: row.reservation_id,
    currency: row.currency,
    amount: major(row.amount),
    balance: major(row.running),
    /** Of a payout: the part that was kept back for the owner's debt. */
    netted: row.netted === null ? null : major(row.netted),
  };
}
