import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { IncidentExample, SagaStatus } from '../../db/schema.ts';
import { isAtCircuit, STUCK_SAGAS } from '../stuck-group.ts';

/** Sagas that do not come on, by the step at which they stand and why. Read from open sagas alone, whatever has ended before. */
export interface StuckSagas {
  readonly name: string;
  readonly step: string;
  readonly code: string;
  readonly isUndoing: boolean;
  readonly count: number;
  readonly since: Date;
  /** The five that have stood longest. */
  readonly examples: readonly IncidentExample[];
}

const RETRYING_MINUTES = 10;
const PARKED_MINUTES = 60;

/** The five of a group of rows `stuck` that have stood longest. */
export const STUCK_EXAMPLES = sql`(array_agg(jsonb_strip_nulls(jsonb_build_object('id', stuck.id, 'sagaId', stuck.id, 'propertyId', stuck.property_id,
  'code', stuck.code, 'attempts', stuck.attempt, 'reservationId', stuck.stay,
  'since', to_char(stuck.since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) ORDER BY stuck.since, stuck.id))[1:5] AS examples`;

/** Those whose step has been tried again and again for ten minutes. */
export const retryingSagas = (db: Db): Promise<readonly StuckSagas[]> => stuckFor(db, RETRYING_MINUTES, false);

/** Those that have waited for a person for an hour. */
export const parkedSagas = (db: Db): Promise<readonly StuckSagas[]> => stuckFor(db, PARKED_MINUTES, true);

async function stuckFor(db: Db, minutes: number, isParked: boolean): Promise<readonly StuckSagas[]> {
  const { rows } = await sql<StuckSagas>`
    SELECT stuck.name, stuck.step, stuck.code, stuck.is_undoing AS "isUndoing", count(*)::int AS count, min(stuck.since) AS since, ${STUCK_EXAMPLES}
      FROM (${STUCK_SAGAS}) stuck
     WHERE stuck.is_parked = ${isParked}::boolean AND stuck.requested_at < now() - ${minutes}::int * interval '1 minute'
       AND stuck.since < now() - ${minutes}::int * interval '1 minute'
     GROUP BY stuck.name, stuck.step, stuck.code, stuck.is_undoing ORDER BY stuck.name, stuck.step, stuck.code`.execute(
    db,
  );
  return rows;
}

/** Sagas that wait for a system which nobody calls for the while. */
export interface SagasAtSystem {
  /** Of the circuit: a payment gateway, a bank or a device. */
  readonly system: string;
  readonly count: number;
  /** The five that have waited longest. */
  readonly examples: readonly IncidentExample[];
}

/**
 * Of the circuits, those that open sagas stand before: with an outage as the last answer of a property's device, of the gateway of a
 * payment or a refund, or of the bank for payouts.
 */
export async function sagasAtCircuits(db: Db, circuits: readonly string[]): Promise<readonly SagasAtSystem[]> {
  if (circuits.length === 0) return [];
  const { rows } = await sql<SagasAtSystem>`
    SELECT circuit AS system, count(*)::int AS count, ${STUCK_EXAMPLES}
      FROM (${STUCK_SAGAS}) stuck JOIN unnest(${circuits}::text[]) AS circuit ON ${isAtCircuit(sql.ref('circuit'))} GROUP BY circuit`.execute(
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
