import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { type Found, IN_FLIGHT, type SumCheck } from './integrity-checks.ts';
import type { Range } from './integrity-ranges.ts';
import { LEDGER_TOTALS, PROPERTY_TOTALS } from './totals.ts';

/** The sum of one group of entries; only owners are separate parties, as in `ledger_total`. Minor units; + debit, - credit. */
interface Line {
  readonly account_kind: string;
  readonly party_id: string;
  readonly currency: string;
  readonly purpose: string;
  readonly kind: string;
  readonly amount: number;
}
/** Of the place of the stay and the owner of the transaction, as in `ledger_property_total`. */
interface PlacedLine extends Line {
  readonly property_id: string;
  readonly owner_id: string;
}
/** An owner's payouts in one currency, minor units. */
interface Payouts {
  readonly owner_id: string;
  readonly currency: string;
  readonly open: number;
  readonly settled: number;
  readonly released: number;
}

/** The differences of the sums over all entries and all payouts. Added up range by range, in one snapshot. */
export async function checkSums(
  tx: Tx,
  journals: readonly Range[],
  transactions: readonly Range[],
  stays: readonly Range[],
): Promise<Readonly<Record<SumCheck, readonly Found[]>>> {
  const entries = new Map<string, Line>();
  const placed = new Map<string, PlacedLine>();
  for (const { after, until } of journals) {
    const { rows } = await sql<PlacedLine>`
      SELECT coalesce(r.property_id, '') AS property_id, coalesce(t.owner_id, '') AS owner_id, a.kind AS account_kind, CASE a.kind WHEN 'OWNER_PAYABLE' THEN coalesce(a.party_id, '') ELSE '' END AS party_id,
             e.currency::text AS currency, x.purpose, coalesce(o.kind, x.kind) AS kind, sum(e.amount)::bigint AS amount
        FROM ledger_tx x JOIN ledger_entry e ON e.tx_id = x.id JOIN ledger_account a ON a.id = e.account_id LEFT JOIN ledger_tx o ON o.id = x.reverses
        LEFT JOIN transaction t ON t.id = x.transaction_id LEFT JOIN reservation r ON r.id = coalesce(x.reservation_id, t.reservation_id)
       WHERE x.id > ${after} AND x.id <= ${until} GROUP BY 1, 2, 3, 4, 5, 6, 7`.execute(tx);
    for (const line of rows) {
      addLine(entries, line, keyOf(line));
      addLine(placed, line, placeOf(line));
    }
  }
  const payouts = new Map<string, Payouts>();
  for (const range of transactions) for (const row of await payoutsIn(tx, range)) addPayouts(payouts, row);
  const accounts = ownerAccounts(entries.values());
  const given = new Map<string, number>();
  for (const range of stays) {
    for (const { owner_id, currency, amount } of await takenFromOwners(tx, range)) {
      const ref = accountOf(owner_id, currency);
      given.set(ref, (given.get(ref) ?? 0) + amount);
    }
  }
  return {
    'currency-balanced': unbalanced(entries.values()),
    'ledger-total': await totalsThatDiffer(tx, { entries, placed, accounts }),
    'owner-balance': ownerBalances(accounts, payouts),
    'open-payouts': openPayouts(accounts, payouts, given, await ownersInFlight(tx)),
  };
}

const keyOf = ({ account_kind, party_id, currency, purpose, kind }: Line): string =>
  [account_kind, party_id, currency, purpose, kind].filter((part) => part !== '').join(' ');
const accountOf = (ownerId: string, currency: string): string => `owner_payable:${ownerId}:${currency}`;

const placeOf = (line: PlacedLine): string =>
  `${keyOf(line)} at ${line.property_id || 'no property'} of ${line.owner_id || 'no owner'}`;

function addLine<T extends Line>(sums: Map<string, T>, line: T, key: string): void {
  sums.set(key, { ...line, amount: line.amount + (sums.get(key)?.amount ?? 0) });
}

async function payoutsIn(tx: Tx, { after, until }: Range): Promise<readonly Payouts[]> {
  const { rows } = await sql<Payouts>`
    SELECT owner_id, currency::text AS currency,
           coalesce(sum(amount_minor) FILTER (WHERE status IN ('PENDING', 'PROCESSING', 'FAILED')), 0)::bigint AS open,
           coalesce(sum(settled_minor) FILTER (WHERE status = 'COMPLETED'), 0)::bigint AS settled,
           coalesce(sum(amount_minor) FILTER (WHERE status IN ('PROCESSING', 'FAILED')), 0)::bigint AS released
      FROM transaction WHERE id > ${after} AND id <= ${until} AND type = 'OWNER_PAYOUT' AND owner_id IS NOT NULL GROUP BY 1, 2`.execute(
    tx,
  );
  return rows;
}

/**
 * The amounts that stays took from their owners and the ledger's sums do not show, in minor units. Shares: of a stay that is
 * refunded as a whole the agency may keep its fee, and the owner bears it (`agencyFeeRefundable`), whether or not anything was
 * paid out. Costs: those that were given back later, as when a dispute is won. Both at their maximum, because money that is given
 * back is a payout of its own, and the debt stays until it is netted.
 */
async function takenFromOwners(tx: Tx, { after, until }: Range) {
  const { rows } = await sql<{ owner_id: string; currency: string; amount: number }>`
    SELECT owner_id, currency, sum(amount)::bigint AS amount FROM (
      SELECT owner_id, currency, greatest(0, max(share)) + greatest(0, max(cost)) - sum(cost_here) AS amount FROM (
        SELECT x.reservation_id, a.party_id AS owner_id, e.currency::text AS currency, c.cost AS cost_here,
               sum(e.amount - c.cost) OVER so_far AS share, sum(c.cost) OVER so_far AS cost
          FROM ledger_tx x JOIN ledger_entry e ON e.tx_id = x.id JOIN ledger_account a ON a.id = e.account_id,
               LATERAL (SELECT CASE WHEN x.purpose = 'DISTRIBUTION' THEN 0 ELSE e.amount END AS cost) c
         WHERE x.reservation_id > ${after} AND x.reservation_id <= ${until} AND x.purpose IN ('DISTRIBUTION', 'FEE', 'COST') AND a.kind = 'OWNER_PAYABLE'
        WINDOW so_far AS (PARTITION BY x.reservation_id, a.party_id, e.currency ORDER BY x.created_at)) t
       GROUP BY reservation_id, owner_id, currency) s
     WHERE amount > 0 GROUP BY 1, 2`.execute(tx);
  return rows;
}

function addPayouts(sums: Map<string, Payouts>, row: Payouts): void {
  const key = accountOf(row.owner_id, row.currency);
  const before = sums.get(key) ?? { open: 0, settled: 0, released: 0 };
  sums.set(key, {
    ...row,
    open: row.open + before.open,
    settled: row.settled + before.settled,
    released: row.released + before.released,
  });
}

function unbalanced(lines: Iterable<Line>): readonly Found[] {
  const byCurrency = new Map<string, number>();
  for (const { currency, amount } of lines) byCurrency.set(currency, (byCurrency.get(currency) ?? 0) + amount);
  return [...byCurrency]
    .filter(([, sum]) => sum !== 0)
    .map(([ref, sum]) => ({ ref, expected: '0', actual: String(sum) }))
    .toSorted(byRef);
}

/** What the entries themselves come to. */
interface FromEntries {
  readonly entries: ReadonlyMap<string, Line>;
  readonly placed: ReadonlyMap<string, PlacedLine>;
  readonly accounts: ReadonlyMap<string, OwnerAccount>;
}

/**
 * Compares the stored totals, which summaries and balances read, with the entries themselves. Those by property are named
 * where their sum over all properties agrees: a part that is wrong is wrong in both, and is named once.
 */
async function totalsThatDiffer(tx: Tx, { entries, placed, accounts }: FromEntries): Promise<readonly Found[]> {
  const { rows } = await sql<Line>`
    SELECT account_kind, party_id, currency::text AS currency, purpose, kind, sum(amount)::bigint AS amount
      FROM ${LEDGER_TOTALS} t GROUP BY account_kind, party_id, currency, purpose, kind`.execute(tx);
  const { rows: byPlace } = await sql<PlacedLine>`
    SELECT property_id, owner_id, account_kind, party_id, currency::text AS currency, purpose, kind, sum(amount)::bigint AS amount
      FROM ${PROPERTY_TOTALS} t GROUP BY property_id, owner_id, account_kind, party_id, currency, purpose, kind`.execute(
    tx,
  );
  const kept = new Map(rows.map((line) => [keyOf(line), line]));
  const wrong = differing(entries, kept);
  const isNamed = new Set(wrong.map(({ ref }) => ref));
  const wrongPlaces = differing(placed, new Map(byPlace.map((line) => [placeOf(line), line])), (line) =>
    isNamed.has(keyOf(line)),
  );
  const lines = wrong.flatMap(({ ref }) => entries.get(ref) ?? kept.get(ref) ?? []);
  const namedAccounts = new Set(lines.map(({ party_id, currency }) => accountOf(party_id, currency)));
  return [...wrong, ...wrongPlaces, ...(await statementsThatDiffer(tx, accounts, namedAccounts))];
}

/**
 * Compares the lines of owners' statements with the entries of their accounts. Owner by owner, so that no statement reads the
 * lines of all. An owner whose totals differ is named by these.
 */
async function statementsThatDiffer(
  tx: Tx,
  accounts: ReadonlyMap<string, OwnerAccount>,
  named: ReadonlySet<string>,
): Promise<readonly Found[]> {
  const shown = new Map<string, { readonly owner: string; readonly currency: string; readonly balance: number }>();
  for (let after: string | null = ''; after !== null; ) {
    const owner: string | null = await nextOwner(tx, after);
    after = owner;
    if (owner === null) break;
    const { rows } = await sql<{ currency: string; balance: number }>`
      SELECT currency::text AS currency, -sum(amount)::bigint AS balance FROM ledger_owner_line WHERE owner_id = ${owner} GROUP BY currency`.execute(
      tx,
    );
    for (const { currency, balance } of rows) shown.set(accountOf(owner, currency), { owner, currency, balance });
  }
  const found: Found[] = [];
  for (const ref of new Set([...accounts.keys(), ...shown.keys()])) {
    const [expected, actual] = [accounts.get(ref)?.balance ?? 0, shown.get(ref)?.balance ?? 0];
    const isNamed = named.has(ref);
    if (expected !== actual && !isNamed)
      found.push({ ref: `statement ${ref}`, expected: String(expected), actual: String(actual) });
  }
  return found.toSorted(byRef);
}

async function nextOwner(tx: Tx, after: string): Promise<string | null> {
  const { rows } = await sql<{ owner: string | null }>`
    SELECT min(owner_id) AS owner FROM ledger_owner_line WHERE owner_id > ${after}`.execute(tx);
  return rows[0]?.owner ?? null;
}

function differing<T extends Line>(
  entries: ReadonlyMap<string, T>,
  kept: ReadonlyMap<string, T>,
  isNamed: (line: T) => boolean = () => false,
): readonly Found[] {
  const found: Found[] = [];
  for (const [ref, line] of new Map([...kept, ...entries])) {
    const [expected, actual] = [entries.get(ref)?.amount ?? 0, kept.get(ref)?.amount ?? 0];
    if (expected !== actual && !isNamed(line)) found.push({ ref, expected: String(expected), actual: String(actual) });
  }
  return found.toSorted(byRef);
}

/** In the owner's favour, minor units. */
interface OwnerAccount {
  readonly ownerId: string;
  readonly balance: number;
  /** Shares, less fees and costs. */
  readonly shares: number;
  readonly charged: number;
}

function ownerAccounts(lines: Iterable<Line>): ReadonlyMap<string, OwnerAccount> {
  const accounts = new Map<string, OwnerAccount>();
  for (const { account_kind, party_id, currency, purpose, amount } of lines) {
    if (account_kind !== 'OWNER_PAYABLE') continue;
    const id = accountOf(party_id, currency);
    const { balance, shares, charged } = accounts.get(id) ?? { balance: 0, shares: 0, charged: 0 };
    const isCharge = purpose === 'FEE' || purpose === 'COST';
    accounts.set(id, {
      ownerId: party_id,
      balance: balance - amount,
      shares: shares - (isCharge || purpose === 'DISTRIBUTION' ? amount : 0),
      charged: charged + (isCharge ? amount : 0),
    });
  }
  return accounts;
}

function ownerBalances(
  accounts: ReadonlyMap<string, OwnerAccount>,
  payouts: ReadonlyMap<string, Payouts>,
): readonly Found[] {
  return [...accounts]
    .map(([ref, { balance, shares }]) => ({
      ref,
      expected: shares - (payouts.get(ref)?.settled ?? 0),
      actual: balance,
    }))
    .filter(({ expected, actual }) => expected !== actual)
    .map(({ ref, expected, actual }) => ({ ref, expected: String(expected), actual: String(actual) }))
    .toSorted(byRef);
}

/**
 * Open payouts above the balance are the owner's debt, which cannot exceed the sums that were, or are being, paid out or charged,
 * and the amounts that stays took from the owner (`given`, by account).
 * Owners with a payout or charge in flight are checked another time.
 */
function openPayouts(
  accounts: ReadonlyMap<string, OwnerAccount>,
  payouts: ReadonlyMap<string, Payouts>,
  given: ReadonlyMap<string, number>,
  inFlight: ReadonlySet<string>,
): readonly Found[] {
  const found: Found[] = [];
  for (const ref of new Set([...accounts.keys(), ...payouts.keys()])) {
    const account = accounts.get(ref);
    const paid = payouts.get(ref);
    if (inFlight.has(account?.ownerId ?? paid?.owner_id ?? '')) continue;
    const balance = account?.balance ?? 0;
    const out = (paid?.settled ?? 0) + (paid?.released ?? 0);
    const most = balance + out + (account?.charged ?? 0) + (given.get(ref) ?? 0);
    const open = paid?.open ?? 0;
    if (open < balance || open > most) found.push({ ref, expected: `${balance} to ${most}`, actual: String(open) });
  }
  return found.toSorted(byRef);
}

async function ownersInFlight(tx: Tx): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ owner_id: string }>`
    SELECT DISTINCT p.owner_id FROM reservation r JOIN property p ON p.id = r.property_id WHERE r.id IN ${IN_FLIGHT}`.execute(
    tx,
  );
  return new Set(rows.map(({ owner_id }) => owner_id));
}

const byRef = (a: Found, b: Found): number => (a.ref < b.ref ? -1 : a.ref > b.ref ? 1 : 0);
