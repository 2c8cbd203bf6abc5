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
  const before = (moment: string | undefined, otherwise: boolean) =>
    moment === undefined ? sql`${otherwise}::boolean` : sql`x.created_at < ${moment}::timestamptz`;
  const { rows } = await sql<{ currency: string; opening: number; closing: number }>`
    SELECT e.currency, coalesce(-sum(e.amount) FILTER (WHERE ${before(from, false)}), 0)::bigint AS opening,
           coalesce(-sum(e.amount) FILTER (WHERE ${before(to, true)}), 0)::bigint AS closing
      FROM ledger_account a JOIN ledger_entry e ON e.account_id = a.id JOIN ledger_tx x ON x.id = e.tx_id
     WHERE ${ownAccount(ownerId, currency)}
     GROUP BY e.currency ORDER BY e.currency`.execute(db);
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

/** The lines of an owner's account, oldest first, each with the balance that it leaves in its currency. */
export async function statementLines(
  db: Db,
  ownerId: string,
  { from, to, currency }: StatementFilter,
  page: PageRequest,
): Promise<Page<StatementLine>> {
  const shown = [
    ...(from === undefined ? [] : [sql`at >= ${from}::timestamptz`]),
    ...(to === undefined ? [] : [sql`at < ${to}::timestamptz`]),
    ...(page.after ? [sql`(at, id) > (${page.after.at}::timestamptz, ${page.after.id}::text)`] : []),
  ];
  const { rows } = await sql<LineRow>`
    WITH account AS (
      SELECT x.id, x.created_at AS at, x.kind, x.reverses, x.transaction_id, x.reservation_id, e.currency, -sum(e.amount) AS amount,
             sum(-sum(e.amount)) OVER (PARTITION BY e.currency ORDER BY x.created_at, x.id) AS running
        FROM ledger_account a JOIN ledger_entry e ON e.account_id = a.id JOIN ledger_tx x ON x.id = e.tx_id
       WHERE ${ownAccount(ownerId, currency)} GROUP BY x.id, e.currency)
    SELECT s.id, s.at, s.at::text AS position_at, s.kind, o.kind AS reversed_kind, s.transaction_id,
           coalesce(s.reservation_id, t.reservation_id) AS reservation_id, s.currency, s.amount::bigint AS amount, s.running::bigint AS running,
           CASE WHEN s.kind = 'OWNER_PAYOUT' THEN t.amount_minor - t.settled_minor END AS netted
      FROM (SELECT * FROM account WHERE ${allOf(shown)} ORDER BY at, id LIMIT ${page.limit + 1}) s
      LEFT JOIN transaction t ON t.id = s.transaction_id LEFT JOIN ledger_tx o ON o.id = s.reverses
     ORDER BY s.at, s.id`.execute(db);
  return cutPage(rows, page.limit, lineView);
}

const ownAccount = (ownerId: string, currency: string | undefined) =>
  sql`a.kind = 'OWNER_PAYABLE' AND a.party_id = ${ownerId} AND ${currency === undefined ? sql`true` : sql`a.currency = ${currency}`}`;

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
