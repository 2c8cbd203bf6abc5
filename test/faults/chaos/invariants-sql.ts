/**
 * Invariants of a system at rest: each query returns no rows. I01 to I28 are those of guarantees.md 3.5 that the
 * confirmation of reservations can break; C01 and on say what one confirmation leaves behind.
 */
export interface Invariant {
  readonly id: string;
  readonly says: string;
  readonly query: string;
}

/** What the harness writes down itself. */
export const CHAOS_SCHEMA = `
  CREATE SCHEMA chaos;
  CREATE TABLE chaos.client_op (op_id text, principal text, idem_key text, http_status int, error_code text, saga_id text, body_sha256 bytea,
    reservation_id text, phase text, ms int, problem text);
  CREATE TABLE chaos.expected (idem_key text PRIMARY KEY, ending text NOT NULL CHECK (ending IN ('completed', 'compensated', 'either')));
  CREATE TABLE chaos.fault_event (kind text, healed_at timestamptz);`;

/** An answer of 200 does not name its saga; its key does. */
export const LINK_ANSWERS = `
  UPDATE chaos.client_op o SET saga_id = k.saga_id FROM idempotency_key k
   WHERE o.saga_id IS NULL AND o.http_status = 200 AND k.principal = o.principal AND k.key = o.idem_key`;

export const INVARIANTS: readonly Invariant[] = [
  {
    id: 'I01',
    says: 'every acknowledged request has its saga',
    query: `SELECT op_id FROM chaos.client_op o LEFT JOIN saga s ON s.id = o.saga_id WHERE o.http_status IN (200, 202) AND s.id IS NULL`,
  },
  {
    id: 'I02',
    says: 'nothing is left open',
    query: `SELECT id, status, current_step, generation, redispatches FROM saga WHERE status IN ('pending', 'running', 'compensating')`,
  },
  {
    id: 'I03',
    says: 'nothing is parked: no step of a confirmation should ever need a person here',
    query: `SELECT id, error_code, error_detail FROM saga WHERE status = 'parked'`,
  },
  {
    id: 'I04',
    says: 'exactly one ending in the audit log',
    query: `SELECT s.id FROM saga s LEFT JOIN audit_log a ON a.saga_id = s.id AND a.ends
      GROUP BY s.id HAVING count(a.seq) <> (s.finished_at IS NOT NULL)::int`,
  },
  {
    id: 'I05',
    says: 'success means that every forward step is done, none undone',
    query: `SELECT s.id FROM saga s LEFT JOIN saga_step t ON t.saga_id = s.id WHERE s.status = 'completed' GROUP BY s.id
      HAVING count(*) FILTER (WHERE t.direction = 'F' AND t.status IN ('done', 'skipped')) <> s.total_steps OR bool_or(t.direction = 'C')`,
  },
  {
    id: 'I06',
    says: 'compensated means that every step that ran was undone',
    query: `SELECT f.saga_id, f.step_no FROM saga s JOIN saga_step f ON f.saga_id = s.id AND f.direction = 'F'
        LEFT JOIN saga_step c ON c.saga_id = f.saga_id AND c.step_no = f.step_no AND c.direction = 'C'
      WHERE s.status = 'compensated' AND f.class <> 'READ' AND (f.status = 'done' OR f.first_sent_at IS NOT NULL)
        AND (c.status IS DISTINCT FROM 'done' OR f.status = 'done' AND f.class <> 'COMPENSABLE')`,
  },
  {
    id: 'I07',
    says: 'no step is still running',
    query: `SELECT saga_id, step_no, direction FROM saga_step WHERE status = 'running'`,
  },
  {
    id: 'I08',
    says: 'forward steps ran in order',
    query: `SELECT a.saga_id FROM saga_step a JOIN saga_step b USING (saga_id) WHERE a.direction = 'F' AND b.direction = 'F' AND a.step_no < b.step_no
      AND b.status = 'done' AND (a.status NOT IN ('done', 'skipped') OR a.done_at_version >= b.done_at_version)`,
  },
  {
    id: 'I09',
    says: 'compensations ran in reverse order, after the last forward step',
    query: `SELECT a.saga_id FROM saga_step a JOIN saga_step b USING (saga_id) WHERE a.direction = 'C' AND b.direction = 'C' AND a.step_no > b.step_no
        AND b.status = 'done' AND (a.status NOT IN ('done', 'skipped') OR a.done_at_version >= b.done_at_version)
      UNION SELECT c.saga_id FROM saga_step c JOIN saga_step f USING (saga_id)
       WHERE c.direction = 'C' AND f.direction = 'F' AND f.done_at_version >= c.done_at_version`,
  },
  {
    id: 'I10',
    says: 'one winner per external step, and it holds the token',
    query: `SELECT t.saga_id, t.step_no, t.direction FROM saga_step t LEFT JOIN step_attempt a USING (saga_id, step_no, direction) WHERE t.kind = 'EXTERNAL'
      GROUP BY t.saga_id, t.step_no, t.direction
      HAVING count(*) FILTER (WHERE a.outcome = 'done') <> (t.status = 'done')::int OR bool_or(a.outcome = 'done' AND a.attempt <> t.attempt)`,
  },
  {
    id: 'I19',
    says: 'no two confirmed stays overlap',
    query: `SELECT a.id, b.id AS other FROM reservation a JOIN reservation b ON a.property_id = b.property_id AND a.id < b.id AND a.stay && b.stay
      WHERE a.status IN ('CONFIRMED', 'CHECKED_IN') AND b.status IN ('CONFIRMED', 'CHECKED_IN')`,
  },
  {
    id: 'I20',
    says: 'a compensated saga leaves no live task behind',
    query: `SELECT t.id, t.status FROM task t JOIN saga s ON s.id = t.created_by_saga WHERE s.status = 'compensated' AND t.status <> 'CANCELLED'`,
  },
  {
    id: 'I21',
    says: 'no task is there twice',
    query: `SELECT reservation_id, type, occurrence FROM task WHERE status <> 'CANCELLED' AND reservation_id IS NOT NULL
      GROUP BY 1, 2, 3 HAVING count(*) > 1`,
  },
  {
    id: 'I22',
    says: "a reservation's status agrees with the last saga that took effect",
    query: `SELECT r.id, r.status FROM reservation r LEFT JOIN LATERAL (SELECT name, status FROM saga WHERE subject_type = 'reservation'
        AND subject_id = r.id AND status <> 'compensated' ORDER BY finished_at DESC LIMIT 1) s ON true
      WHERE coalesce(s.status, 'completed') = 'completed' AND r.status <> CASE s.name WHEN 'confirmReservation' THEN 'CONFIRMED' ELSE 'PENDING' END`,
  },
  {
    id: 'I23',
    says: 'the outbox is empty',
    query: `SELECT id, kind, attempts, last_error FROM outbox WHERE published_at IS NULL`,
  },
  {
    id: 'I24',
    says: 'one saga per key, no saga without its key',
    query: `SELECT principal, idem_key FROM chaos.client_op WHERE idem_key IS NOT NULL GROUP BY 1, 2 HAVING count(DISTINCT saga_id) > 1
      UNION SELECT requested_by, id FROM saga s WHERE NOT EXISTS (SELECT FROM idempotency_key k WHERE k.saga_id = s.id)
        AND NOT EXISTS (SELECT FROM chaos.client_op o WHERE o.saga_id = s.id AND o.idem_key IS NULL)`,
  },
  {
    id: 'I25',
    says: 'one final answer and one 202 per key, byte for byte',
    query: `SELECT principal, idem_key, array_agg(DISTINCT http_status) AS statuses FROM chaos.client_op
      WHERE idem_key IS NOT NULL AND saga_id IS NOT NULL GROUP BY 1, 2, http_status = 202 HAVING count(DISTINCT (http_status, body_sha256)) > 1`,
  },
  {
    id: 'I26',
    says: 'nothing was executed for a refused reuse',
    query: `SELECT op_id FROM chaos.client_op WHERE error_code = 'IDEMPOTENCY_KEY_REUSED' AND saga_id IS NOT NULL`,
  },
  {
    id: 'I27',
    says: 'the audit chains are whole',
    query: `SELECT stream_id, seq FROM (SELECT stream_id, seq, prev_hash, hash <> audit_hash(a) AS bad, lag(hash) OVER w AS lh, row_number() OVER w AS n
        FROM audit_log a WINDOW w AS (PARTITION BY stream_id ORDER BY seq)) c
      WHERE bad OR prev_hash <> coalesce(lh, sha256(convert_to('genesis:' || stream_id, 'UTF8'))) OR seq <> n`,
  },
  {
    id: 'I28',
    says: 'every failure and every compensation has its audit row',
    query: `SELECT t.saga_id, t.step_no FROM saga_step t WHERE (t.status = 'failed' OR t.direction = 'C' AND t.status = 'done') AND NOT EXISTS (
      SELECT FROM audit_log a WHERE a.saga_id = t.saga_id AND a.body::jsonb ->> 'effectKey' = t.effect_key)`,
  },
  {
    id: 'C01',
    says: 'a confirmation leaves four tasks, one amount due, one ending, three messages',
    query: `SELECT * FROM (SELECT s.id,
        (SELECT count(*) FROM task t WHERE t.reservation_id = s.subject_id AND t.status <> 'CANCELLED') AS tasks,
        (SELECT count(*) FROM transaction x WHERE x.reservation_id = s.subject_id AND x.status = 'PENDING' AND x.type = 'GUEST_PAYMENT') AS due,
        (SELECT count(*) FROM audit_log a WHERE a.saga_id = s.id AND a.ends AND a.event = 'RESERVATION_CONFIRMED') AS endings,
        (SELECT count(*) FROM notification n WHERE n.saga_id = s.id AND n.event IN ('RESERVATION_CONFIRMED', 'NEW_RESERVATION')) AS messages
      FROM saga s WHERE s.status = 'completed') c WHERE (tasks, due, endings, messages) <> (4, 1, 1, 3)`,
  },
  {
    id: 'C02',
    says: 'an undone confirmation leaves no amount due and no message that says otherwise',
    query: `SELECT s.id FROM saga s WHERE s.status = 'compensated' AND (
        EXISTS (SELECT FROM transaction x WHERE x.created_by_saga = s.id AND x.status <> 'CANCELLED')
        OR EXISTS (SELECT FROM notification n WHERE n.saga_id = s.id AND n.event <> 'RESERVATION_ROLLED_BACK' AND n.status IN ('QUEUED', 'SENDING')))`,
  },
  {
    id: 'C03',
    says: 'no live task is merged into one that is not',
    query: `SELECT t.id, into_.status FROM task t JOIN task into_ ON into_.id = t.merged_into_task_id WHERE t.status = 'MERGED' AND into_.status IN ('CANCELLED', 'MERGED')`,
  },
  {
    id: 'C04',
    says: 'each saga ended as its request was meant to',
    query: `SELECT s.id, s.status, e.ending, s.error_code, s.error_detail ->> 'cause' AS cause FROM chaos.expected e JOIN idempotency_key k ON k.key = e.idem_key
      JOIN saga s ON s.id = k.saga_id WHERE e.ending <> 'either' AND s.status <> e.ending`,
  },
  {
    id: 'C05',
    says: 'no accepted saga is lost: each acknowledged key has a saga that has ended',
    query: `SELECT DISTINCT o.idem_key FROM chaos.client_op o LEFT JOIN idempotency_key k ON k.principal = o.principal AND k.key = o.idem_key
      LEFT JOIN saga s ON s.id = k.saga_id WHERE o.http_status IN (200, 202) AND s.finished_at IS NULL`,
  },
  {
    id: 'C06',
    says: 'nobody was told of an internal error',
    query: `SELECT DISTINCT phase, http_status, error_code, idem_key FROM chaos.client_op WHERE http_status = 500`,
  },
];

/** By the fault that healed last before a saga ended, how long that saga took from there. */
export const RECOVERY = `
  SELECT f.kind, count(*)::int AS sagas,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY took) AS p50, percentile_cont(0.95) WITHIN GROUP (ORDER BY took) AS p95, max(took) AS max
    FROM (SELECT s.id, f.kind, extract(epoch FROM s.finished_at - f.healed_at)::float8 AS took FROM saga s
      JOIN LATERAL (SELECT kind, healed_at FROM chaos.fault_event e WHERE e.healed_at <= s.finished_at ORDER BY healed_at DESC LIMIT 1) f
        ON s.requested_at <= f.healed_at) f
   GROUP BY f.kind ORDER BY f.kind`;
