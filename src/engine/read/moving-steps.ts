import { type Selectable, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { SagaStepTable } from '../../db/schema.ts';

/** Steps as they are now, of the executions that move. */

export interface MovingStep {
  readonly sagaId: string;
  readonly saga: string;
  /** Null: the execution is about a transaction. */
  readonly reservationId: string | null;
  /** From 1. */
  readonly step: number;
  readonly name: string;
  readonly direction: 'forward' | 'compensation';
  readonly status: Selectable<SagaStepTable>['status'];
  readonly attempt: number;
  readonly errorCode: string | null;
  /** The principal that asked for the execution. */
  readonly startedBy: string;
  /** When it came into this state, as far as the row says; an ISO instant. */
  readonly at: string;
}

/** So many open executions are looked at, those first that are due soonest: what waits for days comes last. */
const LOOKED_AT = 300;

/**
 * The begun steps of open executions, and of those that have just ended. One statement by keys: it writes nothing, and costs what
 * is open and not what has been.
 */
export async function movingSteps(db: Db, ended: readonly string[]): Promise<readonly MovingStep[]> {
  const { rows } = await sql<Omit<MovingStep, 'at'> & { readonly at: Date }>`
    WITH looked AS MATERIALIZED (
      (SELECT s.id, s.name, s.subject_type, s.subject_id, s.requested_by FROM saga s
        WHERE s.finished_at IS NULL ORDER BY s.next_check_at LIMIT ${literal(LOOKED_AT)})
      UNION ALL
      SELECT s.id, s.name, s.subject_type, s.subject_id, s.requested_by FROM saga s
       WHERE s.id = ANY (${[...ended]}::text[]) AND s.finished_at IS NOT NULL)
    SELECT s.id AS "sagaId", s.name AS saga, CASE WHEN s.subject_type <> 'transaction' THEN s.subject_id END AS "reservationId",
           st.step_no AS step, st.name, CASE st.direction WHEN 'F' THEN 'forward' ELSE 'compensation' END AS direction,
           st.status, st.attempt, st.error ->> 'code' AS "errorCode", s.requested_by AS "startedBy", coalesce(st.finished_at, st.started_at) AS at
      FROM looked s CROSS JOIN LATERAL (SELECT begun.* FROM saga_step begun
        WHERE begun.saga_id = s.id AND (begun.started_at IS NOT NULL OR begun.finished_at IS NOT NULL) OFFSET 0) st
     ORDER BY at, st.saga_id, st.step_no`.execute(db);
  return rows.map((row) => ({ ...row, at: row.at.toISOString() }));
}
