/** The harness's own notes. */
export const CHAOS_SCHEMA = `
  CREATE SCHEMA chaos;
  CREATE TABLE chaos.client_op (op_id text, principal text, idem_key text, http_status int, saga_status text, error_code text, saga_id text, body_sha256 bytea,
    reservation_id text, phase text, ms int, problem text);
  CREATE TABLE chaos.expected (idem_key text PRIMARY KEY, ending text NOT NULL CHECK (ending IN ('completed', 'compensated', 'either')));
  CREATE TABLE chaos.fault_event (kind text, healed_at timestamptz);`;

/** An answer of 200 does not name its saga; its key does. */
export const LINK_ANSWERS = `
  UPDATE chaos.client_op o SET saga_id = k.saga_id FROM idempotency_key k
   WHERE o.saga_id IS NULL AND o.http_status = 200 AND k.principal = o.principal AND k.key = o.idem_key`;

/** Checks of the rows of a confirmation and a payment, and of the answers of clients; each query finds nothing once all is quiet. */
export const OUTCOME_INVARIANTS: Readonly<Record<string, string>> = {
  'C00 nothing is parked: no step needs a person here': `
    SELECT id, error_code, error_detail FROM saga WHERE status = 'parked'`,
  'C01 a confirmation leaves four tasks, one amount due, one ending, three messages': `
    SELECT * FROM (SELECT s.id,
        (SELECT count(*) FROM task t WHERE t.reservation_id = s.subject_id AND t.status <> 'CANCELLED') AS tasks,
        (SELECT count(*) FROM transaction x WHERE x.reservation_id = s.subject_id AND x.status = 'PENDING' AND x.type = 'GUEST_PAYMENT') AS due,
        (SELECT count(*) FROM audit_log a WHERE a.saga_id = s.id AND a.ends AND a.event = 'RESERVATION_CONFIRMED') AS endings,
        (SELECT count(*) FROM notification n WHERE n.saga_id = s.id AND n.event IN ('RESERVATION_CONFIRMED', 'NEW_RESERVATION')) AS messages
      FROM saga s WHERE s.name = 'confirmReservation' AND s.status = 'completed') c WHERE (tasks, due, endings, messages) <> (4, 1, 1, 3)`,
  'C02 an undone confirmation leaves no amount due and no message that says otherwise': `
    SELECT s.id FROM saga s WHERE s.name = 'confirmReservation' AND s.status = 'compensated' AND (
        EXISTS (SELECT FROM transaction x WHERE x.created_by_saga = s.id AND x.status <> 'CANCELLED')
        OR EXISTS (SELECT FROM notification n WHERE n.saga_id = s.id AND n.event <> 'RESERVATION_ROLLED_BACK' AND n.status IN ('QUEUED', 'SENDING')))`,
  'C03 no live task is merged into one that is not': `
    SELECT t.id, into_.status FROM task t JOIN task into_ ON into_.id = t.merged_into_task_id WHERE t.status = 'MERGED' AND into_.status IN ('CANCELLED', 'MERGED')`,
  'C04 each saga ended as its request was meant to': `
    SELECT s.id, s.status, e.ending, s.error_code, s.error_detail ->> 'cause' AS cause FROM chaos.expected e JOIN idempotency_key k ON k.key = e.idem_key
      JOIN saga s ON s.id = k.saga_id WHERE e.ending <> 'either' AND s.status <> e.ending`,
  'C05 no accepted saga is lost: each acknowledged key has a saga that has ended': `
    SELECT DISTINCT o.idem_key FROM chaos.client_op o LEFT JOIN idempotency_key k ON k.principal = o.principal AND k.key = o.idem_key
      LEFT JOIN saga s ON s.id = k.saga_id WHERE o.http_status IN (200, 202) AND s.finished_at IS NULL`,
  'C07 a payment leaves one payment, one ending, and a stay that is paid': `
    SELECT * FROM (SELECT s.id, r.payment_status,
        (SELECT count(*) FROM payment y WHERE y.reservation_id = s.subject_id AND y.status = 'COMPLETED') AS payments,
        (SELECT count(*) FROM audit_log a WHERE a.saga_id = s.id AND a.ends AND a.event = 'PAYMENT_PROCESSED') AS endings
      FROM saga s JOIN reservation r ON r.id = s.subject_id WHERE s.name = 'processPayment' AND s.status = 'completed') c
     WHERE (payment_status, payments, endings) <> ('PAID', 1, 1)`,
  'C06 nobody was told of an internal error': `
    SELECT DISTINCT phase, http_status, error_code, idem_key FROM chaos.client_op WHERE http_status = 500`,
};

/** By the fault that healed last before a saga ended, how long that saga took from there. */
export const RECOVERY = `
  SELECT f.kind, count(*)::int AS sagas,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY took) AS p50, percentile_cont(0.95) WITHIN GROUP (ORDER BY took) AS p95, max(took) AS max
    FROM (SELECT s.id, f.kind, extract(epoch FROM s.finished_at - f.healed_at)::float8 AS took FROM saga s
      JOIN LATERAL (SELECT kind, healed_at FROM chaos.fault_event e WHERE e.healed_at <= s.finished_at ORDER BY healed_at DESC LIMIT 1) f
        ON s.requested_at <= f.healed_at) f
   GROUP BY f.kind ORDER BY f.kind`;
