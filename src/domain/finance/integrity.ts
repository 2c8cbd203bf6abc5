import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { type Found, IN_FLIGHT, INTEGRITY_CHECKS, type IntegrityCheck } from './integrity-checks.ts';
import { targetShares } from './shares.ts';
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
  /** Stays whose saga is still open: some of what is said of them is looked at another time. */
  readonly inFlight: number;
  /** Exact, however many of them are named. */
  readonly differenceCount: number;
  /** By check; those that found nothing are there too. */
  readonly counts: Readonly<Record<string, number>>;
  readonly differences: readonly Difference[];
}

const MAX_NAMED = 1_000;
const STAYS_AT_ONCE = 2_000;
/** Four million stays; then the report would have to be made another way. */
const MAX_ROUNDS = 2_000;

/**
 * Recomputes all of the money from its rows, and names whatever does not agree (features MNY-17). One snapshot: what
 * is booked meanwhile is neither seen nor held up.
 */
export function checkIntegrity(db: Db): Promise<IntegrityReport> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (tx) => {
      const counts: Record<string, number> = {};
      const differences: Difference[] = [];
      const note = (check: string, count: number, named: readonly Found[]): void => {
        counts[check] = count;
        const room = MAX_NAMED - differences.length;
        differences.push(
          ...named.slice(0, room).map(({ ref, expected, actual }) => ({ check, ref, expected, actual })),
        );
      };
      for (const check of INTEGRITY_CHECKS) {
        const { total, named } = await ask(tx, check);
        note(check.name, total, named);
      }
      const shares = await checkShares(tx);
      note('shares', shares.count, shares.named);
      const differenceCount = Object.values(counts).reduce((sum, count) => sum + count, 0);
      return { ...(await scopeOf(tx)), ok: differenceCount === 0, differenceCount, counts, differences };
    });
}

const IDS_AT_ONCE = 20_000;

/** What a check finds, in as many statements as its table has ranges of ids. */
async function ask(tx: Tx, { differences, inRangesOf }: IntegrityCheck) {
  const named: Found[] = [];
  let total = 0;
  let after: string | null = inRangesOf === null ? null : '';
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const until: string | null = inRangesOf === null || after === null ? null : await idBeyond(tx, inRangesOf, after);
    const range =
      after === null ? sql`true` : until === null ? sql`ref > ${after}` : sql`ref > ${after} AND ref <= ${until}`;
    const { rows } = await sql<Found & { total: number }>`
      SELECT ref, expected, actual, count(*) OVER ()::int AS total FROM (${differences}) found WHERE ${range} ORDER BY ref LIMIT ${MAX_NAMED}`.execute(
      tx,
    );
    total += rows[0]?.total ?? 0;
    named.push(...rows.slice(0, MAX_NAMED - named.length));
    if (until === null) break;
    after = until;
  }
  return { total, named };
}

/** The id that ends a range; null: fewer are left than a range holds. */
async function idBeyond(
  tx: Tx,
  table: 'ledger_tx' | 'transaction' | 'reservation',
  after: string,
): Promise<string | null> {
  const row = await tx
    .selectFrom(table)
    .select('id')
    .where('id', '>', after)
    .orderBy('id')
    .offset(IDS_AT_ONCE)
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? null;
}

async function scopeOf(tx: Tx): Promise<Pick<IntegrityReport, 'at' | 'checked' | 'inFlight'>> {
  const { rows } = await sql<{
    at: Date;
    journals: number;
    payments: number;
    transactions: number;
    stays: number;
    in_flight: number;
  }>`
    SELECT now() AS at, (SELECT count(*) FROM ledger_tx) AS journals, (SELECT count(*) FROM payment) AS payments,
           (SELECT count(*) FROM transaction) AS transactions, (SELECT count(DISTINCT reservation_id) FROM payment) AS stays,
           (SELECT count(*) FROM ${IN_FLIGHT} open) AS in_flight`.execute(tx);
  const { at, journals = 0, payments = 0, transactions = 0, stays = 0, in_flight = 0 } = rows[0] ?? {};
  return {
    at: (at ?? new Date(0)).toISOString(),
    checked: { journals, payments, transactions, stays },
    inFlight: in_flight,
  };
}

interface SharedStay {
  readonly id: string;
  readonly version: number | null;
  readonly has_agent: boolean;
  readonly captured: number;
  readonly refunded: number;
  readonly owner: number;
  readonly agency: number;
  readonly referral: number;
}

/** What each party has been given of a stay, against what its pinned terms say of all that the stay has received. */
async function checkShares(tx: Tx): Promise<{ readonly count: number; readonly named: readonly Found[] }> {
  const named: Found[] = [];
  let count = 0;
  const termsOf = new Map<number, Awaited<ReturnType<typeof readTerms>>>();
  let after = '';
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const stays = await sharedStays(tx, after);
    for (const stay of stays) {
      const expected = await sharesDue(tx, stay, termsOf);
      const actual = sharesText(stay.owner, stay.agency, stay.referral);
      if (expected === actual) continue;
      count += 1;
      if (named.length < MAX_NAMED) named.push({ ref: stay.id, expected, actual });
    }
    const last = stays.at(-1);
    if (last === undefined || stays.length < STAYS_AT_ONCE) break;
    after = last.id;
  }
  return { count, named };
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
  const due = targetShares(terms, {
    capturedMinor: stay.captured,
    refundedMinor: stay.refunded,
    hasAgent: stay.has_agent,
  });
  return sharesText(due.ownerMinor, due.agencyMinor, due.referralMinor);
}

/** By id, in bounded rounds. What was paid over the balance is the guest's own and is given back first. */
async function sharedStays(tx: Tx, after: string): Promise<readonly SharedStay[]> {
  const { rows } = await sql<SharedStay>`
    SELECT r.id, coalesce(r.distribution_version, (SELECT t.distribution_version FROM transaction t
             WHERE t.reservation_id = r.id AND t.distribution_version IS NOT NULL ORDER BY t.created_at DESC, t.id DESC LIMIT 1)) AS version,
           r.referring_agent_id IS NOT NULL AS has_agent,
           coalesce(m.captured, 0)::bigint AS captured, coalesce(m.refunded, 0)::bigint AS refunded,
           coalesce(d.owner, 0)::bigint AS owner, coalesce(d.agency, 0)::bigint AS agency, coalesce(d.referral, 0)::bigint AS referral
      FROM reservation r
      LEFT JOIN LATERAL (
        SELECT sum(y.amount_minor - y.excess_minor) AS captured, sum(greatest(0, y.refunded_minor - y.excess_minor)) AS refunded
          FROM payment y WHERE y.reservation_id = r.id AND y.status = 'COMPLETED') m ON true
      LEFT JOIN LATERAL (
        SELECT -sum(e.amount) FILTER (WHERE a.kind = 'OWNER_PAYABLE') AS owner, -sum(e.amount) FILTER (WHERE a.kind = 'AGENCY_FEE') AS agency,
               -sum(e.amount) FILTER (WHERE a.kind IN ('AGENT_PAYABLE', 'REFERRAL_RETAINED')) AS referral
          FROM ledger_tx x JOIN ledger_entry e ON e.tx_id = x.id JOIN ledger_account a ON a.id = e.account_id
         WHERE x.reservation_id = r.id AND x.purpose = 'DISTRIBUTION') d ON true
     WHERE r.id > ${after} AND (m.captured IS NOT NULL OR d.owner IS NOT NULL OR d.agency IS NOT NULL OR d.referral IS NOT NULL)
       AND r.id NOT IN ${IN_FLIGHT}
     ORDER BY r.id LIMIT ${STAYS_AT_ONCE}`.execute(tx);
  return rows;
}
