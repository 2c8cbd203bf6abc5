import { type RawBuilder, sql } from 'kysely';

/** A row that does not agree, by its id; money in minor units. */
export interface Found {
  readonly ref: string;
  readonly expected: string;
  readonly actual: string;
}
/** The tables whose ids cut the work into pieces. */
export type RangedTable = 'ledger_tx' | 'transaction' | 'reservation' | 'saga';
/** Makes a condition that a column, which holds an id of the check's table, lies in the range that is being checked. */
export type InRange = (column: string) => RawBuilder<unknown>;
/**
 * A query that returns no row when everything agrees. It runs range by range, so that no statement reads more after years than
 * after a month; every table in it has a condition on the range and an index for that. Sums are made for a range and then
 * joined: row by row, a plan that was made from old statistics is quadratic. Lines are read journal by journal (`OFFSET 0` keeps
 * the planner from another order), as without statistics of some tables it began with all of them (`test/history/growth.test.ts`).
 */
export interface IntegrityCheck {
  readonly name: string;
  readonly inRangesOf: RangedTable;
  readonly differences: (inRange: InRange) => RawBuilder<Found>;
}
const check = (name: string, inRangesOf: RangedTable, differences: IntegrityCheck['differences']): IntegrityCheck => ({
  name,
  inRangesOf,
  differences,
});

/** While a saga works on a stay, its payment may be booked and not yet shared: such stays are checked another time. */
export const IN_FLIGHT = sql`(SELECT s.subject_id FROM saga s WHERE s.subject_type = 'reservation' AND s.finished_at IS NULL)`;

/** Journals that count: neither a reversal nor reversed. */
const LIVE = sql`(SELECT x.* FROM ledger_tx x LEFT JOIN ledger_tx back ON back.reverses = x.id WHERE x.reverses IS NULL AND back.id IS NULL)`;
/** Those of a range of stays, found by the range first: by the account of a line they would be as many as all. */
const liveOfStays = (inRange: InRange): RawBuilder<unknown> =>
  sql`(SELECT x.* FROM ledger_tx x LEFT JOIN ledger_tx back ON back.reverses = x.id
    WHERE ${inRange('x.reservation_id')} AND x.reverses IS NULL AND back.id IS NULL OFFSET 0)`;
const LINES = sql`CROSS JOIN LATERAL (SELECT * FROM ledger_entry WHERE tx_id = x.id OFFSET 0) e
  CROSS JOIN LATERAL (SELECT * FROM ledger_account WHERE id = e.account_id OFFSET 0) a`;

const LEDGER: readonly IntegrityCheck[] = [
  check(
    'journal-balanced',
    'ledger_tx',
    (inRange) => sql`SELECT x.id AS ref, 'sum 0 of 2 lines or more' AS expected,
        format('sum %s of %s lines', coalesce(sum(e.amount), 0), count(e.line)) AS actual
      FROM ledger_tx x LEFT JOIN ledger_entry e ON e.tx_id = x.id WHERE ${inRange('x.id')}
     GROUP BY x.id HAVING coalesce(sum(e.amount), 0) <> 0 OR count(e.line) < 2`,
  ),
  check(
    'journal-currency',
    'ledger_tx',
    (inRange) => sql`SELECT x.id AS ref, x.currency::text AS expected, format('%s on %s', e.currency, a.id) AS actual
      FROM ledger_tx x ${LINES} WHERE ${inRange('x.id')} AND (e.currency <> x.currency OR a.currency <> x.currency)`,
  ),
  check(
    'reversal-mirrored',
    'ledger_tx',
    (inRange) => sql`SELECT x.id AS ref, '0' AS expected, format('%s on %s', sum(e.amount), e.account_id) AS actual
      FROM ledger_tx x JOIN ledger_entry e ON e.tx_id = ANY (ARRAY[x.id, x.reverses]) WHERE x.reverses IS NOT NULL AND ${inRange('x.id')}
     GROUP BY x.id, e.account_id HAVING sum(e.amount) <> 0`,
  ),
  check(
    'entry-party',
    'ledger_tx',
    (inRange) => sql`SELECT x.id AS ref,
        CASE a.kind WHEN 'OWNER_PAYABLE' THEN t.owner_id WHEN 'AGENT_PAYABLE' THEN t.beneficiary_id ELSE r.guest_id END AS expected,
        coalesce(a.party_id, 'nobody') AS actual
      FROM ledger_tx x ${LINES} LEFT JOIN LATERAL (SELECT * FROM transaction WHERE id = x.transaction_id OFFSET 0) t ON true
      LEFT JOIN LATERAL (SELECT * FROM reservation WHERE id = x.reservation_id OFFSET 0) r ON true
     WHERE ${inRange('x.id')} AND ((a.kind = 'OWNER_PAYABLE' AND a.party_id IS DISTINCT FROM t.owner_id AND t.owner_id IS NOT NULL)
        OR (a.kind = 'AGENT_PAYABLE' AND a.party_id IS DISTINCT FROM t.beneficiary_id AND t.beneficiary_id IS NOT NULL)
        OR (a.kind = 'GUEST_CREDIT' AND a.party_id IS DISTINCT FROM r.guest_id AND r.guest_id IS NOT NULL))`,
  ),
];

/** A payment's journals are its stay's, and are found by it. */
const PAYMENTS: readonly IntegrityCheck[] = [
  check(
    'payment-receipt',
    'reservation',
    (
      inRange,
    ) => sql`SELECT y.id AS ref, (CASE WHEN y.status = 'COMPLETED' THEN y.amount_minor ELSE 0 END)::text AS expected,
        coalesce(b.booked, 0)::text AS actual
      FROM payment y LEFT JOIN (
        SELECT x.payment_id, a.party_id AS gateway_id, sum(e.amount) AS booked FROM ${liveOfStays(inRange)} x ${LINES}
         WHERE x.kind = 'GUEST_PAYMENT' AND x.purpose = 'RECEIPT' AND a.kind = 'GATEWAY_CLEARING' GROUP BY 1, 2
      ) b ON b.payment_id = y.id AND b.gateway_id = y.gateway_id
     WHERE ${inRange('y.reservation_id')} AND coalesce(b.booked, 0) <> CASE WHEN y.status = 'COMPLETED' THEN y.amount_minor ELSE 0 END`,
  ),
  check(
    'receipt-payment',
    'ledger_tx',
    (inRange) => sql`SELECT x.id AS ref, 'a completed payment' AS expected, coalesce(y.status, 'none') AS actual
      FROM ${LIVE} x LEFT JOIN payment y ON y.id = x.payment_id
     WHERE ${inRange('x.id')} AND x.kind = 'GUEST_PAYMENT' AND y.status IS DISTINCT FROM 'COMPLETED'`,
  ),
  check(
    'payment-fee',
    'reservation',
    (inRange) => sql`SELECT y.id AS ref, y.fee_minor::text AS expected, coalesce(b.booked, 0)::text AS actual
      FROM payment y LEFT JOIN (
        SELECT x.payment_id, -sum(e.amount) AS booked FROM ${liveOfStays(inRange)} x ${LINES}
         WHERE x.kind = 'GATEWAY_FEE' AND a.kind = 'GATEWAY_CLEARING' GROUP BY 1
      ) b ON b.payment_id = y.id
     WHERE ${inRange('y.reservation_id')} AND y.status = 'COMPLETED' AND coalesce(b.booked, 0) <> y.fee_minor
       AND y.reservation_id NOT IN ${IN_FLIGHT}`,
  ),
  check(
    'payment-refunded',
    'reservation',
    (inRange) => sql`SELECT y.id AS ref, coalesce(b.refunds, 0)::text AS expected, y.refunded_minor::text AS actual
      FROM payment y LEFT JOIN (
        SELECT payment_id, sum(amount_minor) AS refunds FROM transaction
         WHERE ${inRange('reservation_id')} AND type = 'REFUND' AND status NOT IN ('FAILED', 'CANCELLED', 'REVERSED') GROUP BY 1
      ) b ON b.payment_id = y.id
     WHERE ${inRange('y.reservation_id')} AND coalesce(b.refunds, 0) <> y.refunded_minor`,
  ),
  check(
    'refunded-at-most-captured',
    'reservation',
    (inRange) => sql`SELECT id AS ref, format('at most %s', amount_minor) AS expected, refunded_minor::text AS actual
      FROM payment WHERE ${inRange('reservation_id')} AND refunded_minor > CASE WHEN status = 'COMPLETED' THEN amount_minor ELSE 0 END`,
  ),
  check(
    'payment-disputed',
    'reservation',
    (
      inRange,
    ) => sql`SELECT y.id AS ref, coalesce(d.disputed, 0)::text AS expected, coalesce(b.booked, 0)::text AS actual
      FROM payment y LEFT JOIN LATERAL (
        SELECT sum(settled_minor) AS disputed FROM transaction
         WHERE reservation_id = y.reservation_id AND payment_id = y.id AND type = 'DISPUTE' AND status = 'PROCESSING' OFFSET 0
      ) d ON true LEFT JOIN LATERAL (
        SELECT sum(e.amount) AS booked FROM (SELECT * FROM ledger_tx WHERE reservation_id = y.reservation_id OFFSET 0) x ${LINES}
         WHERE x.payment_id = y.id AND a.kind = 'DISPUTED'
      ) b ON true
     WHERE ${inRange('y.reservation_id')} AND coalesce(d.disputed, 0) <> coalesce(b.booked, 0)`,
  ),
  check(
    'payment-saga',
    'reservation',
    (inRange) => sql`SELECT y.id AS ref,
        CASE WHEN s.status = 'completed' THEN 'COMPLETED' ELSE 'not COMPLETED' END || ' after a saga that is ' || s.status AS expected, y.status AS actual
      FROM payment y JOIN saga s ON s.id = y.saga_id
     WHERE ${inRange('y.reservation_id')}
       AND ((y.status = 'COMPLETED' AND s.status = 'compensated') OR (y.status <> 'COMPLETED' AND s.status = 'completed'))`,
  ),
  check(
    'saga-compensated',
    'saga',
    (inRange) => sql`SELECT s.id AS ref, '0' AS expected, format('%s on %s', sum(e.amount), e.account_id) AS actual
      FROM saga s JOIN ledger_tx x ON x.saga_id = s.id JOIN ledger_entry e ON e.tx_id = x.id
     WHERE ${inRange('s.id')} AND s.status = 'compensated' GROUP BY s.id, e.account_id HAVING sum(e.amount) <> 0`,
  ),
  check(
    'payment-status',
    'reservation',
    (inRange) => sql`SELECT ref, expected, actual FROM (
        SELECT r.id AS ref, payment_status_of(r.id) AS expected, r.payment_status AS actual FROM reservation r
         WHERE ${inRange('r.id')} AND (r.payment_status <> 'UNPAID' OR r.total_minor = 0 OR EXISTS (SELECT FROM payment y WHERE y.reservation_id = r.id))
           AND r.id NOT IN ${IN_FLIGHT}) d
     WHERE expected <> actual`,
  ),
];

/** SQL: the amount that a transaction has moved, by the journals that it owns; minor units. */
const MOVED = sql`CASE
  WHEN t.type = 'GUEST_PAYMENT' AND m.journal = 'GUEST_PAYMENT' AND m.account = 'GATEWAY_CLEARING' THEN m.amount
  WHEN t.type = 'AGENCY_FEE' AND m.journal = 'AGENCY_FEE' AND m.account = 'AGENCY_FEE' THEN -m.amount
  WHEN t.type = 'REFERRAL_FEE' AND m.journal = 'REFERRAL_FEE' AND m.account IN ('AGENT_PAYABLE', 'REFERRAL_RETAINED') THEN -m.amount
  WHEN t.type = 'GATEWAY_FEE' AND m.journal IN ('GATEWAY_FEE', 'DISPUTE_FEE') AND m.account = 'GATEWAY_CLEARING' THEN -m.amount
  WHEN t.type = 'REFUND' AND m.journal = 'REFUND_PAID' AND m.account IN ('GATEWAY_CLEARING', 'BANK', 'DISPUTED') THEN -m.amount
  WHEN t.type = 'DISPUTE' AND m.journal = 'DISPUTE' AND m.account = 'DISPUTED' THEN m.amount
  WHEN t.type = 'ADJUSTMENT' AND m.journal = 'ADJUSTMENT' AND m.account = 'OWNER_PAYABLE' THEN -m.amount
  WHEN t.type = 'OWNER_PAYOUT' AND m.journal = 'OWNER_PAYOUT' AND m.account = 'BANK' THEN -m.amount
  ELSE 0 END`;

const TRANSACTIONS: readonly IntegrityCheck[] = [
  check(
    'transaction-settled',
    'transaction',
    // A reversed row keeps its settled amount; that of a payout on its way is still to be paid.
    (inRange) => sql`SELECT ref, expected::text, actual::text FROM (
        SELECT t.id AS ref, coalesce(sum(${MOVED}), 0) AS actual,
               CASE WHEN t.status = 'REVERSED' OR (t.type = 'OWNER_PAYOUT' AND t.status = 'PROCESSING') THEN 0 ELSE t.settled_minor END AS expected
          FROM transaction t LEFT JOIN LATERAL (
            SELECT x.kind AS journal, a.kind AS account, e.amount
              FROM (SELECT * FROM ledger_tx WHERE transaction_id = t.id OFFSET 0) x ${LINES}
             WHERE x.reverses IS NULL AND NOT EXISTS (SELECT FROM ledger_tx back WHERE back.reverses = x.id)
            OFFSET 0) m ON true
         WHERE ${inRange('t.id')} AND t.type <> 'REVERSAL' GROUP BY t.id) d
     WHERE expected <> actual`,
  ),
  check(
    'transaction-reversal',
    'transaction',
    (
      inRange,
    ) => sql`SELECT t.id AS ref, (-coalesce(sum(e.amount), 0))::text AS expected, t.settled_minor::text AS actual
      FROM transaction t LEFT JOIN ledger_tx x ON x.transaction_id = t.id AND x.kind = 'REVERSAL'
      LEFT JOIN ledger_entry e ON e.tx_id = x.id AND e.amount > 0
     WHERE ${inRange('t.id')} AND t.type = 'REVERSAL' GROUP BY t.id HAVING abs(t.settled_minor) <> coalesce(sum(e.amount), 0)`,
  ),
  check(
    'transaction-amount',
    'transaction',
    (inRange) => sql`SELECT id AS ref, amount_minor::text AS expected, settled_minor::text AS actual FROM transaction
     WHERE ${inRange('id')} AND status = 'COMPLETED' AND CASE
       WHEN type IN ('AGENCY_FEE', 'REFERRAL_FEE', 'GATEWAY_FEE', 'REFUND', 'REVERSAL') THEN settled_minor <> amount_minor
       WHEN type = 'GUEST_PAYMENT' AND parent_id IS NOT NULL THEN settled_minor <> amount_minor
       WHEN type IN ('OWNER_PAYOUT', 'DISPUTE') THEN settled_minor NOT BETWEEN 0 AND amount_minor
       ELSE false END`,
  ),
  check(
    'amount-due',
    'transaction',
    (inRange) => sql`SELECT ref, expected::text, actual::text FROM (
        SELECT t.id AS ref, t.outstanding_minor AS actual,
               greatest(0, t.amount_minor - coalesce((SELECT sum(y.amount_minor - y.excess_minor) FROM payment y
                  WHERE y.reservation_id = t.reservation_id AND y.status = 'COMPLETED'), 0)) AS expected
          FROM transaction t WHERE ${inRange('t.id')} AND t.type = 'GUEST_PAYMENT' AND t.parent_id IS NULL AND t.status IN ('PENDING', 'COMPLETED')) d
     WHERE expected <> actual`,
  ),
  check(
    'amount-due-total',
    'transaction',
    (inRange) => sql`SELECT t.id AS ref, r.total_minor::text AS expected, t.amount_minor::text AS actual
      FROM transaction t JOIN reservation r ON r.id = t.reservation_id
     WHERE ${inRange('t.id')} AND t.type = 'GUEST_PAYMENT' AND t.parent_id IS NULL AND t.status = 'PENDING' AND t.amount_minor <> r.total_minor
       AND r.status <> 'PENDING' AND r.id NOT IN ${IN_FLIGHT}`,
  ),
];

const STAYS: readonly IntegrityCheck[] = [
  check(
    'guest-credit',
    'reservation',
    (inRange) => sql`SELECT ref, expected::text, actual::text FROM (
        SELECT r.id AS ref, c.credit AS actual,
               coalesce(m.captured - m.distributed, 0) - coalesce(t.paid, 0) AS expected
          FROM reservation r
          JOIN LATERAL (SELECT coalesce(-sum(e.amount) FILTER (WHERE a.kind = 'GUEST_CREDIT'), 0) AS credit
                  FROM (SELECT * FROM ledger_tx WHERE reservation_id = r.id OFFSET 0) x ${LINES} HAVING count(*) > 0) c ON true
          LEFT JOIN LATERAL (SELECT sum(amount_minor) AS captured,
                            sum(amount_minor - excess_minor - greatest(0, refunded_minor - excess_minor)) AS distributed
                       FROM payment WHERE reservation_id = r.id AND status = 'COMPLETED' OFFSET 0) m ON true
          LEFT JOIN LATERAL (SELECT sum(amount_minor) AS paid FROM transaction
                      WHERE reservation_id = r.id AND type = 'REFUND' AND status = 'COMPLETED' OFFSET 0) t ON true
         WHERE ${inRange('r.id')} AND r.id NOT IN ${IN_FLIGHT}) d
     WHERE expected <> actual`,
  ),
];

const SETTLEMENTS: readonly IntegrityCheck[] = [
  check(
    'settlement-journal',
    'ledger_tx',
    (inRange) => sql`SELECT x.id AS ref, coalesce(s.net_minor::text, 'a settlement') AS expected,
        coalesce((sum(e.amount) FILTER (WHERE a.kind = 'BANK'))::text, 'nothing in the bank') AS actual
      FROM ledger_tx x LEFT JOIN settlement s ON s.ledger_tx_id = x.id ${LINES} WHERE ${inRange('x.id')} AND x.kind = 'SETTLEMENT'
     GROUP BY x.id, s.net_minor
    HAVING s.net_minor IS NULL OR s.net_minor IS DISTINCT FROM sum(e.amount) FILTER (WHERE a.kind = 'BANK')
        OR s.net_minor IS DISTINCT FROM -sum(e.amount) FILTER (WHERE a.kind = 'GATEWAY_CLEARING')`,
  ),
  check(
    'settlement-clearing',
    'reservation',
    // A charge or refund that was settled has left clearing with all but its booked fee, unless another fee is an open or
    // explained difference. Settlements from before differences were kept are not judged: none was recorded for them.
    (inRange) => sql`SELECT s.ref, s.due::text AS expected, s.net::text AS actual FROM (
        SELECT 'CHARGE' AS movement, y.id AS ref, y.amount_minor - y.fee_minor AS due, sum(s.net_minor) AS net, y.gateway_id, y.reservation_id
          FROM payment y JOIN settlement s ON s.payment_id = y.id AND s.movement = 'CHARGE' AND ${inRange('s.reservation_id')}
         WHERE ${inRange('y.reservation_id')} AND y.status = 'COMPLETED' GROUP BY y.id HAVING NOT bool_or(s.of_earlier_version)
        UNION ALL
        SELECT 'REFUND', g.ref, -g.went - coalesce((SELECT sum(f.settled_minor) FROM transaction f WHERE f.parent_id = g.ref AND f.type = 'GATEWAY_FEE'), 0),
               sum(s.net_minor), g.gateway_id, g.reservation_id
          FROM (SELECT min(id) AS ref, array_agg(id) AS ids, sum(settled_minor) AS went, gateway_id, reservation_id FROM transaction
                 WHERE ${inRange('reservation_id')} AND type = 'REFUND' AND status = 'COMPLETED' AND gateway_id IS NOT NULL
                 GROUP BY gateway_id, reservation_id, payment_id, coalesce(provider_id, id)) g
          JOIN settlement s ON s.transaction_id = ANY(g.ids) AND s.movement = 'REFUND' AND ${inRange('s.reservation_id')}
         GROUP BY g.ref, g.went, g.gateway_id, g.reservation_id HAVING NOT bool_or(s.of_earlier_version)) s
     WHERE s.due <> s.net AND s.reservation_id NOT IN ${IN_FLIGHT}
       AND NOT EXISTS (SELECT FROM difference d WHERE d.gateway_id = s.gateway_id AND d.movement = s.movement AND d.subject = 'ours:' || s.ref
         AND d.status <> 'RESOLVED')`,
  ),
];

/** Of single rows, in the order in which they are reported. */
export const ROW_CHECKS: readonly IntegrityCheck[] = [
  ...LEDGER,
  ...PAYMENTS,
  ...TRANSACTIONS,
  ...STAYS,
  ...SETTLEMENTS,
];
/** Of sums over all rows (`integrity-sums.ts`). */
export const SUM_CHECKS = ['currency-balanced', 'ledger-total', 'owner-balance', 'open-payouts'] as const;
export type SumCheck = (typeof SUM_CHECKS)[number];
/** In the order in which they are reported. */
export const INTEGRITY_CHECKS: readonly { readonly name: string }[] = [
  ...ROW_CHECKS,
  ...SUM_CHECKS.map((name) => ({ name })),
];
