import { sql } from 'kysely';
import { expect } from 'vitest';
import type { Db } from '../../src/db/client.ts';

/**
 * guarantees.md 3.5: each query finds nothing once all is quiet. `ref` is the saga's or the reservation's id, so that a
 * test can look at what is its own while others are still under way.
 */
export const INVARIANTS = {
  'I01 every acknowledged request has its saga': `
    SELECT o.saga_id AS ref FROM chaos.client_op o LEFT JOIN saga s ON s.id = o.saga_id WHERE o.http_status IN (200, 202) AND s.id IS NULL`,
  'I02 nothing is left open': `
    SELECT id AS ref FROM saga WHERE status IN ('pending', 'running', 'compensating')`,
  'I03 parked always with an alert that went out': `
    SELECT s.id AS ref FROM saga s WHERE s.status = 'parked' AND NOT EXISTS (
      SELECT FROM outbox b WHERE b.saga_id = s.id AND b.kind = 'ALERT' AND b.published_at IS NOT NULL)`,
  'I04 exactly one ending in the audit log': `
    SELECT s.id AS ref FROM saga s LEFT JOIN audit_log a ON a.saga_id = s.id AND a.ends
     GROUP BY s.id HAVING count(a.seq) <> (s.finished_at IS NOT NULL)::int`,
  'I05 success means every forward step is done, none undone': `
    SELECT s.id AS ref FROM saga s LEFT JOIN saga_step t ON t.saga_id = s.id WHERE s.status = 'completed' GROUP BY s.id
    HAVING count(*) FILTER (WHERE t.direction = 'F' AND t.status IN ('done', 'skipped')) <> s.total_steps OR bool_or(t.direction = 'C')`,
  'I06 compensated means every step that ran or may have run was undone, or its undo was skipped by a person, no pivot passed': `
    SELECT f.saga_id AS ref FROM saga s JOIN saga_step f ON f.saga_id = s.id AND f.direction = 'F'
      LEFT JOIN saga_step c ON c.saga_id = f.saga_id AND c.step_no = f.step_no AND c.direction = 'C'
     WHERE s.status = 'compensated' AND f.class <> 'READ' AND (f.status = 'done' OR f.first_sent_at IS NOT NULL)
       AND (coalesce(c.status, '') NOT IN ('done', 'skipped') OR f.status = 'done' AND f.class <> 'COMPENSABLE')`,
  'I07 no step is still running': `
    SELECT saga_id AS ref FROM saga_step WHERE status = 'running'`,
  'I08 forward order': `
    SELECT a.saga_id AS ref FROM saga_step a JOIN saga_step b USING (saga_id) WHERE a.direction = 'F' AND b.direction = 'F'
       AND a.step_no < b.step_no AND b.status = 'done' AND (a.status NOT IN ('done', 'skipped') OR a.done_at_version >= b.done_at_version)`,
  'I09 compensations in strictly reverse order, and after the last forward step': `
    SELECT a.saga_id AS ref FROM saga_step a JOIN saga_step b USING (saga_id) WHERE a.direction = 'C' AND b.direction = 'C'
       AND a.step_no > b.step_no AND b.status = 'done' AND (a.status NOT IN ('done', 'skipped') OR a.done_at_version >= b.done_at_version)
    UNION SELECT c.saga_id FROM saga_step c JOIN saga_step f USING (saga_id)
     WHERE c.direction = 'C' AND f.direction = 'F' AND f.done_at_version >= c.done_at_version`,
  'I10 one winner per step, and it is the token holder': `
    SELECT t.saga_id AS ref FROM saga_step t LEFT JOIN step_attempt a USING (saga_id, step_no, direction) WHERE t.kind = 'EXTERNAL'
     GROUP BY t.saga_id, t.step_no, t.direction
    HAVING count(*) FILTER (WHERE a.outcome = 'done') <> (t.status = 'done')::int OR bool_or(a.outcome = 'done' AND a.attempt <> t.attempt)`,
  'I11 every journal balances and has two lines': `
    SELECT coalesce(x.saga_id, x.id) AS ref FROM ledger_tx x LEFT JOIN ledger_entry e ON e.tx_id = x.id
     GROUP BY x.id, e.currency HAVING coalesce(sum(e.amount), 1) <> 0 OR count(e.line) < 2`,
  'I12 the whole ledger sums to zero': `
    SELECT currency::text AS ref FROM ledger_entry GROUP BY currency HAVING sum(amount) <> 0`,
  'I13 a payment that succeeded booked itself once, no share twice': `
    SELECT s.id AS ref FROM saga s LEFT JOIN ledger_tx x ON x.saga_id = s.id WHERE s.name = 'processPayment' AND s.status = 'completed'
     GROUP BY s.id HAVING count(*) FILTER (WHERE x.kind = 'GUEST_PAYMENT') <> 1 OR count(*) FILTER (WHERE x.kind = 'OWNER_SHARE') > 1
       OR count(*) FILTER (WHERE x.kind = 'AGENCY_FEE') > 1 OR count(*) FILTER (WHERE x.kind = 'REVERSAL') > 0`,
  'I13 a compensated saga nets to zero on every account': `
    SELECT s.id AS ref FROM saga s JOIN ledger_tx x ON x.saga_id = s.id JOIN ledger_entry e ON e.tx_id = x.id
     WHERE s.status = 'compensated' GROUP BY s.id, e.account_id HAVING sum(e.amount) <> 0`,
  'I13 a reversal mirrors its original': `
    SELECT coalesce(x.saga_id, x.id) AS ref FROM ledger_tx x JOIN ledger_entry e ON e.tx_id IN (x.id, x.reverses) WHERE x.reverses IS NOT NULL
     GROUP BY x.id, e.account_id HAVING sum(e.amount) <> 0`,
  'I14 the shares of a payment add up to it': `
    SELECT p.saga_id AS ref FROM payment p JOIN saga s ON s.id = p.saga_id AND s.status = 'completed'
      LEFT JOIN ledger_tx x ON x.saga_id = s.id AND x.purpose = 'DISTRIBUTION' LEFT JOIN ledger_entry e ON e.tx_id = x.id
       AND e.account_id NOT LIKE 'guest_credit:%'
     GROUP BY p.id HAVING coalesce(-sum(e.amount), 0) <> p.amount_minor - p.excess_minor`,
  'I15 never refunded more than captured': `
    SELECT reservation_id AS ref FROM payment WHERE refunded_minor > amount_minor OR refunded_minor > 0 AND status <> 'COMPLETED'`,
  'I15 refunds are what the payments say': `
    SELECT p.reservation_id AS ref FROM payment p LEFT JOIN transaction t ON t.payment_id = p.id AND t.type = 'REFUND' AND t.status <> 'CANCELLED'
     GROUP BY p.id HAVING coalesce(sum(t.amount_minor), 0) <> p.refunded_minor`,
  'I15 the payment status is derived': `
    SELECT r.id AS ref FROM reservation r WHERE r.payment_status <> payment_status_of(r.id)
       AND NOT EXISTS (SELECT FROM saga s WHERE s.subject_id = r.id AND s.finished_at IS NULL)`,
  'I17 a payment at rest is booked or taken back': `
    SELECT p.saga_id AS ref FROM payment p JOIN saga s ON s.id = p.saga_id
     WHERE s.status = 'completed' AND p.status <> 'COMPLETED' OR s.status = 'compensated' AND p.status NOT IN ('FAILED', 'CANCELLED', 'REVERSED')`,
  'I19 no overlapping confirmed stays': `
    SELECT a.id AS ref FROM reservation a JOIN reservation b ON a.property_id = b.property_id AND a.id <> b.id AND a.stay && b.stay
     WHERE a.status IN ('CONFIRMED', 'CHECKED_IN') AND b.status IN ('CONFIRMED', 'CHECKED_IN')`,
  'I20 a compensated saga leaves no live task behind': `
    SELECT s.id AS ref FROM task t JOIN saga s ON s.id = t.created_by_saga WHERE s.status = 'compensated' AND t.status <> 'CANCELLED'`,
  'I21 no duplicate live tasks': `
    SELECT reservation_id AS ref FROM task WHERE status <> 'CANCELLED' AND reservation_id IS NOT NULL
     GROUP BY reservation_id, type, occurrence HAVING count(*) > 1`,
  'I22 the reservation agrees with the last saga that took effect': `
    SELECT r.id AS ref FROM reservation r LEFT JOIN LATERAL (SELECT name, status FROM saga WHERE subject_type = 'reservation'
        AND subject_id = r.id AND status <> 'compensated' AND name NOT IN ('processPayment', 'refundReservation') ORDER BY finished_at DESC LIMIT 1) s ON true
     WHERE coalesce(s.status, 'completed') = 'completed'
       AND r.status <> CASE s.name WHEN 'confirmReservation' THEN 'CONFIRMED' WHEN 'checkIn' THEN 'CHECKED_IN'
             WHEN 'checkOut' THEN 'CHECKED_OUT' WHEN 'cancelReservation' THEN 'CANCELLED' ELSE 'PENDING' END`,
  'I23 the outbox is drained': `
    SELECT saga_id AS ref FROM outbox WHERE published_at IS NULL`,
  'I24 one saga per key, no saga without its key': `
    SELECT min(saga_id) AS ref FROM chaos.client_op WHERE idem_key IS NOT NULL GROUP BY principal, idem_key HAVING count(DISTINCT saga_id) > 1
    UNION SELECT id FROM saga s WHERE NOT EXISTS (SELECT FROM idempotency_key k WHERE k.saga_id = s.id)
      AND NOT EXISTS (SELECT FROM chaos.client_op o WHERE o.saga_id = s.id AND o.idem_key IS NULL)`,
  'I25 one final answer per key, one 202 per key and status, byte for byte': `
    SELECT min(saga_id) AS ref FROM chaos.client_op WHERE idem_key IS NOT NULL AND saga_id IS NOT NULL
     GROUP BY principal, idem_key, http_status = 202, saga_status HAVING count(DISTINCT (http_status, body_sha256)) > 1`,
  'I26 nothing was executed for a refused reuse': `
    SELECT op_id AS ref FROM chaos.client_op WHERE error_code = 'IDEMPOTENCY_KEY_REUSED' AND saga_id IS NOT NULL`,
  'I27 the audit chain is intact': `
    SELECT stream_id AS ref FROM (SELECT stream_id, seq, prev_hash, hash <> audit_hash(a) AS bad, lag(hash) OVER w AS lh, row_number() OVER w AS n
       FROM audit_log a WINDOW w AS (PARTITION BY stream_id ORDER BY seq)) c
     WHERE bad OR prev_hash <> coalesce(lh, sha256(convert_to('genesis:' || stream_id, 'UTF8'))) OR seq <> n`,
  'I28 every failure and every compensation has an audit row': `
    SELECT t.saga_id AS ref FROM saga_step t WHERE (t.status = 'failed' OR t.direction = 'C' AND t.status = 'done') AND NOT EXISTS (
      SELECT FROM audit_log a WHERE a.saga_id = t.saga_id AND a.body::jsonb ->> 'effectKey' = t.saga_id || '-' || t.step_no || '-' || t.direction)`,
} as const;

/** Names of the invariants that do not hold, for these sagas and reservations, or for all. */
export async function violations(db: Db, refs?: readonly string[]): Promise<readonly string[]> {
  const checks = Object.entries(INVARIANTS).map(
    ([name, query]) => sql`SELECT ${sql.lit(name)} AS name, q.ref FROM (${sql.raw(query)}) q`,
  );
  const scope = refs ? sql`WHERE v.ref = ANY(${refs}::text[])` : sql``;
  const { rows } = await sql<{ name: string; ref: string }>`
    SELECT v.name, v.ref FROM (${sql.join(checks, sql` UNION ALL `)}) v ${scope} ORDER BY v.name`.execute(db);
  return rows.map(({ name, ref }) => `${name}: ${ref}`);
}

export async function expectInvariants(db: Db, refs?: readonly string[]): Promise<void> {
  expect(await violations(db, refs)).toEqual([]);
}
