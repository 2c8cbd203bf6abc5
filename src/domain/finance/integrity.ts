import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { financialService } from './financial-service.ts';
import {
  type Found,
  IN_FLIGHT,
  type InRange,
  type IntegrityCheck,
  type RangedTable,
  ROW_CHECKS,
  SUM_CHECKS,
} from './integrity-checks.ts';
import { type Range, rangesOf } from './integrity-ranges.ts';
import { checkSums } from './integrity-sums.ts';
import { borneBy, IS_LIVE_REFUND } from './receipts.ts';
import { readTerms } from './terms.ts';

export interface Difference extends Found {
  readonly check: string;
}
export interface IntegrityReport {
  readonly ok: boolean;
  readonly at: string;
  readonly checked: {
    readonly journals: number;
    readonly payments: number;
    readonly transactions: number;
    readonly stays: number;
  };
  /** Stays whose saga is still open: some of their checks are made another time. */
  readonly inFlight: number;
  /** Exact, however many of them are named. */
  readonly differenceCount: number;
  /** By check; those that found nothing are there too. */
  readonly counts: Readonly<Record<string, number>>;
  readonly differences: readonly Difference[];
}

const MAX_NAMED = 1_000;

/**
 * Recomputes all of the money from its rows, and names the rows that do not agree. In one snapshot: later bookings are neither
 * seen nor delayed. It reads everything, in statements whose size does not grow with the tables.
 */
export function checkIntegrity(db: Db): Promise<IntegrityReport> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (tx) => {
      const journals = await rangesOf(tx, 'ledger_tx');
      const transactions = await rangesOf(tx, 'transaction');
      const stays = await rangesOf(tx, 'reservation');
      const parts: Parts = {
        ledger_tx: journals.map(within),
        transaction: transactions.map(within),
        reservation: stays.map(within),
        saga: (await rangesOf(tx, 'saga')).map(within),
      };
      const book = createBook();
      await checkRows(tx, parts, book);
      const sums = await checkSums(tx, journals, transactions, stays);
      for (const name of SUM_CHECKS) book.note(name, sums[name].length, sums[name]);
      await checkShares(tx, parts.reservation, book);
      return { ...(await scopeOf(tx, parts)), ...book.result() };
    });
}

/** Collects the differences that the checks find: counts by check, and the first of them by name. */
export interface Book {
  note(check: string, count: number, named: readonly Found[]): void;
  result(): Pick<IntegrityReport, 'ok' | 'differenceCount' | 'counts' | 'differences'>;
}

/** Collects differences: counts by check, and the first of them by name. */
export function createBook(): Book {
  const counts: Record<string, number> = {};
  const differences: Difference[] = [];
  return {
    note(check, count, named) {
      counts[check] = (counts[check] ?? 0) + count;
      const room = MAX_NAMED - differences.length;
      differences.push(...named.slice(0, room).map(({ ref, expected, actual }) => ({ check, ref, expected, actual })));
    },
    result() {
      const differenceCount = Object.values(counts).reduce((sum, count) => sum + count, 0);
      return { ok: differenceCount === 0, differenceCount, counts, differences };
    },
  };
}

/** The pieces in which each table is checked, as conditions on a column that holds its ids. */
export type Parts = Readonly<Record<RangedTable, readonly InRange[]>>;
const within =
  ({ after, until }: Range): InRange =>
  (column) =>
    sql`(${sql.ref(column)} > ${after} AND ${sql.ref(column)} <= ${until})`;

/** Every check of single rows. */
export async function checkRows(tx: Tx, parts: Parts, book: Book): Promise<void> {
  for (const check of ROW_CHECKS) {
    const { total, named } = await ask(tx, check, parts[check.inRangesOf]);
    book.note(check.name, total, named);
  }
}

/** The findings of a check, in as many statements as its table has ranges of ids. */
async function ask(tx: Tx, { differences }: IntegrityCheck, parts: readonly InRange[]) {
  const named: Found[] = [];
  let total = 0;
  for (const inRange of parts) {
    const { rows } = await sql<Found & { total: number }>`
      SELECT ref, expected, actual, count(*) OVER ()::int AS total FROM (${differences(inRange)}) found ORDER BY ref LIMIT ${MAX_NAMED}`.execute(
      tx,
    );
    total += rows[0]?.total ?? 0;
    named.push(...rows.slice(0, MAX_NAMED - named.length));
  }
  return { total, named };
}

/** The numbers of checked rows, counted range by range too. */
export async function scopeOf(tx: Tx, parts: Parts): Promise<Pick<IntegrityReport, 'at' | 'checked' | 'inFlight'>> {
  const count = async (table: RangedTable | 'payment', column: string, of: readonly InRange[]) => {
    let [all, different] = [0, 0];
    for (const inRange of of) {
      const { rows } = await sql<{ all: number; different: number }>`
        SELECT count(*)::int AS all, count(DISTINCT ${sql.ref(column)})::int AS different
          FROM ${sql.table(table)} WHERE ${inRange(column)}`.execute(tx);
      all += rows[0]?.all ?? 0;
      different += rows[0]?.different ?? 0;
    }
    return { all, different };
  };
  const { rows } = await sql<{ at: Date; in_flight: number }>`
    SELECT now() AS at, (SELECT count(*) FROM ${IN_FLIGHT} open)::int AS in_flight`.execute(tx);
  const { at, in_flight = 0 } = rows[0] ?? {};
  const payments = await count('payment', 'reservation_id', parts.reservation);
  return {
    at: (at ?? new Date(0)).toISOString(),
    checked: {
      journals: (await count('ledger_tx', 'id', parts.ledger_tx)).all,
      payments: payments.all,
      transactions: (await count('transaction', 'id', parts.transaction)).all,
      stays: payments.different,
    },
    inFlight: in_flight,
  };
}

interface SharedStay {
  readonly id: string;
  readonly version: number | null;
  readonly has_agent: boolean;
  readonly captured: number;
  readonly refunded: number;
  readonly borne_by_agency: number;
  readonly borne_by_owner: number;
  readonly owner: number;
  readonly agency: number;
  readonly referral: number;
}

/** Compares each party's posted share of a stay with its share of the stay's receipts by the pinned terms (domain.md 6). */
export async function checkShares(tx: Tx, parts: readonly InRange[], book: Book): Promise<void> {
  const named: Found[] = [];
  let count = 0;
  const termsOf = new Map<number, Awaited<ReturnType<typeof readTerms>>>();
  for (const inRange of parts) {
    for (const stay of await sharedStays(tx, inRange)) {
      const expected = await sharesDue(tx, stay, termsOf);
      const actual = sharesText(stay.owner, stay.agency, stay.referral);
      if (expected === actual) continue;
      count += 1;
      if (named.length < MAX_NAMED) named.push({ ref: stay.id, expected, actual });
    }
  }
  book.note('shares', count, named);
}

const sharesText = (owner: number, agency: number, referral: number): string =>
  `owner ${owner}, agency ${agency}, referral ${referral}`;

async function sharesDue(
  tx: Tx,
  stay: SharedStay,
  termsOf: Map<number, Awaited<ReturnType<typeof readTerms>>>,
): Promise<string> {
  if (stay.version === null) return stay.captured === 0 ? sharesText(0, 0, 0) : 'shares by pinned terms';
  // The database refuses this; the report must survive it all the same, to name it.
  if (stay.refunded > stay.captured) return `shares of ${stay.captured} less ${stay.refunded}`;
  const terms = termsOf.get(stay.version) ?? (await readTerms(tx, stay.version));
  termsOf.set(stay.version, terms);
  const due = financialService.distribute(terms, {
    capturedMinor: stay.captured,
    refundedMinor: stay.refunded,
    borneByAgencyMinor: stay.borne_by_agency,
    borneByOwnerMinor: stay.borne_by_owner,
    hasAgent: stay.has_agent,
  });
  return sharesText(due.ownerMinor, due.agencyMinor, due.referralMinor);
}

/** By id. Money that was paid over the balance is the guest's own and is refunded first. */
async function sharedStays(tx: Tx, inRange: InRange): Promise<readonly SharedStay[]> {
  const { rows } = await sql<SharedStay>`
    SELECT r.id, coalesce(r.distribution_version, (SELECT t.distribution_version FROM transaction t
             WHERE t.reservation_id = r.id AND t.distribution_version IS NOT NULL ORDER BY t.created_at DESC, t.id DESC LIMIT 1)) AS version,
           r.referring_agent_id IS NOT NULL AS has_agent,
           coalesce(m.captured, 0)::bigint AS captured, coalesce(m.refunded, 0)::bigint AS refunded,
           b.agency AS borne_by_agency, b.owner AS borne_by_owner,
           coalesce(d.owner, 0)::bigint AS owner, coalesce(d.agency, 0)::bigint AS agency, coalesce(d.referral, 0)::bigint AS referral
      FROM reservation r
      LEFT JOIN LATERAL (
        SELECT sum(y.amount_minor - y.excess_minor) AS captured, sum(greatest(0, y.refunded_minor - y.excess_minor)) AS refunded
          FROM payment y WHERE y.reservation_id = r.id AND y.status = 'COMPLETED') m ON true
      LEFT JOIN LATERAL (
        SELECT ${borneBy('AGENCY')} AS agency, ${borneBy('OWNER')} AS owner FROM transaction t WHERE t.reservation_id = r.id AND ${IS_LIVE_REFUND}) b ON true
      LEFT JOIN LATERAL (
        SELECT -sum(e.amount) FILTER (WHERE a.kind = 'OWNER_PAYABLE') AS owner, -sum(e.amount) FILTER (WHERE a.kind = 'AGENCY_FEE') AS agency,
               -sum(e.amount) FILTER (WHERE a.kind IN ('AGENT_PAYABLE', 'REFERRAL_RETAINED')) AS referral
          FROM ledger_tx x JOIN ledger_entry e ON e.tx_id = x.id JOIN ledger_account a ON a.id = e.account_id
         WHERE x.reservation_id = r.id AND x.purpose = 'DISTRIBUTION') d ON true
     WHERE ${inRange('r.id')} AND (m.captured IS NOT NULL OR d.owner IS NOT NULL OR d.agency IS NOT NULL OR d.referral IS NOT NULL)
       AND r.id NOT IN ${IN_FLIGHT}
     ORDER BY r.id`.execute(tx);
  return rows;
}
