import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { IncidentExample, SagaStatus } from '../../db/schema.ts';
import { PAYOUT_BANK } from '../../domain/ports.ts';

/** Sagas that do not come on, by the step at which they stand and why. Read from open sagas alone, whatever has ended before. */
export interface StuckSagas {
  readonly name: string;
  readonly step: string;
  readonly code: string;
  readonly isUndoing: boolean;
  readonly count: number;
  readonly since: Date;
  /** When the one that has stood shortest came to be one of them. */
  readonly newest: Date;
  /** The five that have stood longest. */
  readonly examples: readonly IncidentExample[];
}

const RETRYING_MINUTES = 10;
const PARKED_MINUTES = 60;

/** Refunds and payouts are found with their stay. */
const STAY = sql`CASE s.subject_type WHEN 'transaction' THEN (SELECT t.reservation_id FROM transaction t WHERE t.id = s.subject_id) ELSE s.subject_id END`;

/** The five of a group that have stood longest. */
const EXAMPLES = sql`(array_agg(jsonb_strip_nulls(jsonb_build_object('id', id, 'sagaId', id, 'propertyId', property_id, 'code', code, 'attempts', attempt,
  'reservationId', stay,
  'since', to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) ORDER BY since, id))[1:5] AS examples`;

/** Those whose step has been tried again and again for ten minutes. */
export async function retryingSagas(db: Db): Promise<readonly StuckSagas[]> {
  const { rows } = await sql<StuckSagas>`
    WITH tried AS (
      SELECT s.id, s.name, ${STAY} AS stay, s.property_id, st.name AS step, st.direction, st.attempt,
             coalesce(st.error ->> 'code', 'UNKNOWN') AS code, coalesce(st.started_at, s.updated_at) AS since
        FROM saga s JOIN saga_step st ON st.saga_id = s.id AND st.step_no = s.current_step
         AND st.direction = CASE s.status WHEN 'compensating' THEN 'C' ELSE 'F' END
       WHERE s.finished_at IS NULL AND s.status <> 'parked' AND s.requested_at < now() - ${RETRYING_MINUTES}::int * interval '1 minute'
         AND st.error IS NOT NULL AND st.status IN ('pending', 'running'))
    SELECT name, step, code, direction = 'C' AS "isUndoing", count(*)::int AS count, min(since) AS since,
           max(since) + ${RETRYING_MINUTES}::int * interval '1 minute' AS newest, ${EXAMPLES}
      FROM tried WHERE since < now() - ${RETRYING_MINUTES}::int * interval '1 minute'
     GROUP BY name, step, code, direction ORDER BY name, step, code`.execute(db);
  return rows;
}

/** Those that have waited for a person for an hour. What waits for an approval has a question of its own, with an end. */
export async function parkedSagas(db: Db): Promise<readonly StuckSagas[]> {
  const { rows } = await sql<StuckSagas>`
    WITH parked AS (
      SELECT s.id, s.name, ${STAY} AS stay, s.property_id, s.updated_at AS since,
             coalesce(st.name, s.current_step::text) AS step, st.direction, st.attempt,
             coalesce(st.error ->> 'code', s.error_code, 'UNKNOWN') AS code
        FROM saga s LEFT JOIN LATERAL (
             SELECT x.name, x.direction, x.attempt, x.error FROM saga_step x
              WHERE x.saga_id = s.id AND x.step_no = s.current_step AND x.status = 'failed' ORDER BY x.direction LIMIT 1) st ON true
       WHERE s.finished_at IS NULL AND s.status = 'parked' AND s.error_code IS DISTINCT FROM 'APPROVAL_REQUIRED'
         AND s.updated_at < now() - ${PARKED_MINUTES}::int * interval '1 minute')
    SELECT name, step, code, coalesce(direction = 'C', false) AS "isUndoing", count(*)::int AS count, min(since) AS since,
           max(since) + ${PARKED_MINUTES}::int * interval '1 minute' AS newest, ${EXAMPLES}
      FROM parked GROUP BY name, step, code, coalesce(direction = 'C', false) ORDER BY name, step, code`.execute(db);
  return rows;
}

/** Sagas that wait for a system which nobody calls for the while. */
export interface SagasAtSystem {
  /** Of the circuit: a payment gateway, a bank or a device. */
  readonly system: string;
  readonly count: number;
  /** When the latest of them was asked for. */
  readonly newest: Date;
  /** The five that have waited longest. */
  readonly examples: readonly IncidentExample[];
}

/**
 * Of the circuits, those that open sagas stand before: with an outage as the last answer of a property's device, of the gateway of a
 * payment or a refund, or of the bank for payouts. Read from open sagas alone.
 */
export async function sagasAtCircuits(db: Db, circuits: readonly string[]): Promise<readonly SagasAtSystem[]> {
  if (circuits.length === 0) return [];
  const { rows } = await sql<SagasAtSystem>`
    WITH waiting AS (
      SELECT s.id, ${STAY} AS stay, s.property_id, st.attempt, st.error ->> 'code' AS code, s.requested_at AS since,
             CASE WHEN st.error ->> 'code' = 'AMENITIES_UNAVAILABLE' THEN (SELECT p.amenity_device FROM property p WHERE p.id = s.property_id)
                  WHEN s.subject_type = 'transaction' THEN
                       (SELECT coalesce(t.gateway_id, ${PAYOUT_BANK}) FROM transaction t WHERE t.id = s.subject_id)
                  ELSE s.input ->> 'gatewayId' END AS system,
             CASE WHEN s.subject_type = 'transaction' THEN (SELECT t.gateway_reference FROM transaction t WHERE t.id = s.subject_id)
                  ELSE s.input ->> 'gatewayReference' END AS reference
        FROM saga s JOIN saga_step st ON st.saga_id = s.id AND st.step_no = s.current_step
       WHERE s.finished_at IS NULL AND st.error ->> 'code' IN ('AMENITIES_UNAVAILABLE', 'GATEWAY_UNAVAILABLE')
         AND CASE s.status WHEN 'parked' THEN st.status = 'failed' WHEN 'compensating' THEN st.direction = 'C' AND st.status <> 'done'
             ELSE st.direction = 'F' AND st.status <> 'done' END)
    SELECT circuit AS system, count(*)::int AS count, max(since) AS newest,
           ${EXAMPLES}
      FROM waiting JOIN unnest(${circuits}::text[]) AS circuit ON circuit IN (system, system || '/' || reference) GROUP BY circuit`.execute(
    db,
  );
  return rows;
}

/** The names and states of those of the sagas that there are, by their id. */
export async function sagasInBrief(
  db: Db,
  ids: readonly string[],
): Promise<ReadonlyMap<string, { readonly name: string; readonly status: SagaStatus }>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('saga')
    .select(['id', 'name', 'status'])
    .where('id', 'in', [...new Set(ids)])
    .execute();
  return new Map(rows.map(({ id, ...saga }) => [id, saga]));
}

/** Which of these sagas wait for a person who tries again: what waits for an approval goes on by the answer to its question alone. */
export async function parkedAmong(db: Db, sagaIds: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ readonly id: string }>`
    SELECT id FROM saga WHERE id = ANY(${sagaIds}::text[]) AND status = 'parked' AND error_code IS DISTINCT FROM 'APPROVAL_REQUIRED'`.execute(
    db,
  );
  return new Set(rows.map(({ id }) => id));
}
