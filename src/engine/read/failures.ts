import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { IncidentExample } from '../../db/schema.ts';
import { fitsStuck, STUCK_SAGAS } from '../stuck-group.ts';
import { matches, type SagaFilter } from './executions.ts';
import { STUCK_EXAMPLES } from './stuck.ts';

/** What keeps sagas from coming on, by its fingerprint: from the first failure on, whether anybody was told of it or not. */

export interface FailureGroup {
  readonly name: string;
  readonly step: string;
  readonly code: string;
  readonly isUndoing: boolean;
  /** Else they back off. */
  readonly isParked: boolean;
  /** The device, gateway or bank that is to blame; null: none is. */
  readonly system: string | null;
  readonly count: number;
  /** Since when the first stands so, and when one failed last. */
  readonly since: Date;
  readonly last: Date;
  /** The five that have stood longest. */
  readonly examples: readonly IncidentExample[];
  /** Names of parts of the system that have circuits of their own, where it does not answer; 20 at the most. */
  readonly circuits: readonly string[];
}

export interface Failures {
  /** Of all groups, also those that are not shown. */
  readonly sagas: number;
  readonly groups: number;
  /** The largest first, `MOST_GROUPS` at the most. */
  readonly shown: readonly FailureGroup[];
}

export const MOST_GROUPS = 100;

/** The conditions on the saga alone. */
const ofSaga = ({
  status,
  name,
  reservationId,
  executionId,
  from,
  to,
  startedBy,
  part = null,
}: SagaFilter): SagaFilter => ({
  ...{ status, name, reservationId, executionId, from, to, startedBy, part },
});

/** Of the open sagas that the filter lets through. */
export async function readFailures(db: Db, filter: SagaFilter): Promise<Failures> {
  const open = db
    .selectFrom('saga')
    .select('saga.id')
    .where('saga.finished_at', 'is', null)
    .where(matches(ofSaga(filter)));
  const { rows } = await sql<FailureGroup & { readonly groups: number; readonly sagas: number }>`
    WITH grouped AS (
      SELECT stuck.name, stuck.step, stuck.code, stuck.is_undoing, stuck.is_parked, stuck.system, count(*)::int AS count,
             min(stuck.since) AS since, max(stuck.last) AS last, ${STUCK_EXAMPLES},
             coalesce((array_agg(DISTINCT stuck.system || '/' || stuck.reference)
               FILTER (WHERE stuck.is_outage AND stuck.reference IS NOT NULL))[1:20], '{}') AS circuits
        FROM (${STUCK_SAGAS}) stuck WHERE stuck.id IN (${open}) AND ${fitsStuck(filter) ?? sql`true`}
       GROUP BY stuck.name, stuck.step, stuck.code, stuck.is_undoing, stuck.is_parked, stuck.system)
    SELECT name, step, code, is_undoing AS "isUndoing", is_parked AS "isParked", system, count, since, last, examples, circuits,
           count(*) OVER ()::int AS groups, sum(count) OVER ()::int AS sagas
      FROM grouped ORDER BY count DESC, since, name, step, code, is_undoing, is_parked, system LIMIT ${MOST_GROUPS}::int`.execute(
    db,
  );
  const [first] = rows;
  return {
    sagas: first?.sagas ?? 0,
    groups: first?.groups ?? 0,
    shown: rows.map(({ groups: _groups, sagas: _sagas, ...group }) => group),
  };
}
