import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { PAYOUT_BANK } from '../../domain/ports.ts';
import { longestBackoffMs } from '../../kernel/backoff.ts';
import { COMPENSATION_RETRY, type SagaDefinition } from '../definition.ts';
import { groupOf, sagasOfGroup } from '../stuck-group.ts';

/** What a saga speaks to in vain, and when it is tried again. */
export interface Tried {
  /** The payment gateway, the bank or the device at which it stands; null: it speaks to nobody. */
  readonly system: string | null;
  /** At the latest; waits are drawn by lot. Null: it is tried at this moment, or waits for a person or a time. */
  readonly nextBy: Date | null;
}
interface Row {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly step: number;
  readonly isUndoing: boolean;
  readonly attempt: number;
  readonly system: string | null;
  readonly triedAt: Date | null;
  readonly now: Date;
}

/** The payment gateway, the bank or the device at which a saga `s` stands with its step `st`. */
const SYSTEM = sql`CASE WHEN st.error ->> 'code' LIKE 'AMENITIES%' THEN (SELECT p.amenity_device FROM property p WHERE p.id = s.property_id)
                WHEN s.subject_type = 'transaction' THEN
                     (SELECT coalesce(t.gateway_id, ${PAYOUT_BANK}) FROM transaction t WHERE t.id = s.subject_id)
                ELSE s.input ->> 'gatewayId' END`;

/** How many sagas wait for a person at what a circuit is named after. */
export async function parkedAtCircuit(db: Db, circuit: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM (
      SELECT ${SYSTEM} AS system, CASE WHEN s.subject_type = 'transaction' THEN (SELECT t.gateway_reference FROM transaction t WHERE t.id = s.subject_id)
               ELSE s.input ->> 'gatewayReference' END AS reference
        FROM saga s JOIN saga_step st ON st.saga_id = s.id AND st.step_no = s.current_step AND st.status = 'failed'
       WHERE s.finished_at IS NULL AND s.status = 'parked' AND s.error_code IS DISTINCT FROM 'APPROVAL_REQUIRED') parked
     WHERE ${circuit} IN (system, system || '/' || reference)`.execute(db);
  return rows[0]?.count ?? 0;
}

/** How many wait for a person that backed off in this group before. */
export async function parkedOfGroup(db: Db, subject: string): Promise<number> {
  const group = groupOf(subject, true);
  if (group === null) return 0;
  const { rows } = await sql<{
    count: number;
  }>`SELECT count(*)::int AS count FROM (${sagasOfGroup(group)}) parked`.execute(db);
  return rows[0]?.count ?? 0;
}

/** Of those of the sagas that stand at a step which has failed, by their id. */
export async function triedSagas(
  db: Db,
  ids: readonly string[],
  definitions: readonly SagaDefinition[],
): Promise<ReadonlyMap<string, Tried>> {
  if (ids.length === 0) return new Map();
  const { rows } = await sql<Row>`
    SELECT s.id, s.name, s.definition_ver AS version, st.step_no AS step, st.direction = 'C' AS "isUndoing", st.attempt, now() AS now,
           ${SYSTEM} AS system,
           CASE WHEN s.status <> 'parked' AND st.status = 'pending' THEN
                (SELECT max(a.ended_at) FROM step_attempt a WHERE a.saga_id = s.id AND a.step_no = st.step_no AND a.direction = st.direction) END AS "triedAt"
      FROM saga s JOIN saga_step st ON st.saga_id = s.id AND st.step_no = s.current_step
       AND (st.direction = 'C') = EXISTS (SELECT FROM saga_step u WHERE u.saga_id = s.id AND u.direction = 'C')
     WHERE s.id = ANY(${[...new Set(ids)]}::text[]) AND s.finished_at IS NULL AND st.error IS NOT NULL`.execute(db);
  return new Map(rows.map((row) => [row.id, { system: row.system, nextBy: nextBy(row, definitions) }]));
}

function nextBy(
  { name, version, step, isUndoing, attempt, triedAt, now }: Row,
  definitions: readonly SagaDefinition[],
) {
  const definition = definitions.find((one) => one.name === name && one.version === version);
  const retry = isUndoing ? COMPENSATION_RETRY : definition?.steps[step - 1]?.retry;
  if (triedAt === null || retry === undefined) return null;
  const at = new Date(triedAt.getTime() + longestBackoffMs(retry, attempt));
  return at > now ? at : null;
}
