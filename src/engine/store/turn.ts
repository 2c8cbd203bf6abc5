import { type CompiledQuery, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { isUnreachable } from '../../db/errors.ts';
import { inEachPartition } from '../../db/partitions.ts';
import { type AuditNote, auditRows } from '../../domain/audit/record.ts';
import { createBatcher } from '../../kernel/batcher.ts';
import type { RunSlots } from '../../kernel/run-slots.ts';
import type { RecordedError } from '../answers.ts';

import { COMPENSATION_RETRY } from '../definition.ts';
import type { AlertPayload } from '../flow-order.ts';
import type { StepDefinition } from '../step.ts';
import { RELAY_GRACE_SECONDS } from './outbox.ts';

/**
 * TF of guarantees.md 2.4 in one statement, for any number of sagas of which a local step has failed for good: the failed
 * step, the saga's turn, the compensations that fall due, the audit rows, the orders and the alerts. The guard is that of
 * the fused steps (`fused.ts`).
 */

/** A saga whose step, a local one, is believed to be due, and has failed. */
export interface Failed {
  readonly saga_id: string;
  readonly generation: number;
  readonly step: Pick<StepDefinition, 'no' | 'name' | 'class' | 'maxAttempts'>;
  readonly error: RecordedError;
  readonly note: AuditNote;
  /** Null: the refusal belongs to normal business, and nobody is alerted. */
  readonly alert: AlertPayload | null;
}
export interface Turned {
  /** The new one. */
  readonly generation: number;
  readonly outboxId: number;
  /** Numbers of the steps to undo, the last one first. */
  readonly steps: readonly number[];
}
/** Null: the step was not due, or there is nothing to undo; nothing was written. */
export type TurnSaga = (failed: Failed) => Promise<Turned | null>;

interface TurnedRow {
  readonly saga_id: string;
  readonly step_no: number;
  readonly generation: number;
  readonly outbox_id: number;
  readonly steps: readonly number[];
}

const MAX_BATCH = 32;
/** A stale job of the same saga may be in the same batch. */
const keyOf = (sagaId: string, step: number, generation: number): string => `${sagaId} ${step} ${generation}`;
/** Stands for the failed sagas' JSON in the compiled parameters. */
const FAILED = Object.freeze({ marker: 'failed' });

/** Compiles the statement. */
export function createTurn(db: Db, slots: RunSlots): TurnSaga {
  const { query, failedAt } = compileTurn(db);
  return createBatcher<Failed, Turned | null>(
    async (items) => {
      const parameters = query.parameters.with(failedAt, JSON.stringify(items));
      const { rows } = await db.executeQuery<TurnedRow>({ ...query, parameters });
      const turned = new Map(rows.map((row) => [keyOf(row.saga_id, row.step_no, row.generation - 1), row]));
      return items.map(({ saga_id, step, generation }) => {
        const key = keyOf(saga_id, step.no, generation);
        const row = turned.get(key);
        turned.delete(key);
        return row ? { generation: row.generation, outboxId: row.outbox_id, steps: row.steps } : null;
      });
    },
    { maxBatch: MAX_BATCH, maxInFlight: 1, slots, failTogether: isUnreachable },
  );
}

export interface TurnStatement {
  readonly query: CompiledQuery<TurnedRow>;
  /** Index, from 0, of the parameter that carries the failed sagas; all others are constants of the code. */
  readonly failedAt: number;
}

/** The steps that took effect or may have (`stepsToUndo`). */
const ACTED = sql`f.direction = 'F' AND f.class IN ('COMPENSABLE', 'PIVOT') AND (f.status = 'done' OR f.first_sent_at IS NOT NULL)`;

/** Builds the statement without asking the database. */
export function compileTurn(db: Db): TurnStatement {
  const query = sql<TurnedRow>`WITH due AS (
    SELECT i ->> 'saga_id' AS saga_id, (i ->> 'generation')::int AS generation, i -> 'error' AS error, i -> 'note' AS note, i -> 'alert' AS alert,
      (i -> 'step' ->> 'no')::int AS step_no, i -> 'step' ->> 'name' AS name, i -> 'step' ->> 'class' AS class,
      (i -> 'step' ->> 'maxAttempts')::int AS max_attempts FROM few_items(${FAILED}::jsonb) AS i), guard AS (
    UPDATE saga AS s SET status = 'compensating', current_step = acted.highest, generation = s.generation + 1,
        error_code = due.error ->> 'code', error_detail = due.error
      FROM due CROSS JOIN LATERAL (SELECT max(f.step_no) AS highest FROM saga_step f WHERE f.saga_id = ${inEachPartition(sql`due.saga_id`)} AND ${ACTED}) acted
     WHERE s.id = due.saga_id AND s.generation = due.generation AND s.current_step = due.step_no AND s.status = 'running'
       AND acted.highest IS NOT NULL
    RETURNING s.id AS saga_id, s.generation, s.version, due.error, due.note, due.alert, due.step_no, due.name, due.class, due.max_attempts), failed AS (
    INSERT INTO saga_step AS t (saga_id, step_no, direction, name, kind, class, status, attempt, max_attempts, error,
      started_at, finished_at)
    SELECT g.saga_id, g.step_no, 'F', g.name, 'LOCAL', g.class, 'failed', 1, g.max_attempts, g.error, clock_timestamp(), clock_timestamp() FROM guard g
    ON CONFLICT (saga_id, step_no, direction) DO UPDATE SET status = 'failed', attempt = t.attempt + 1, error = excluded.error,
      lease_until = NULL, finished_at = excluded.finished_at), undoing AS (
    INSERT INTO saga_step (saga_id, step_no, direction, name, kind, class, max_attempts)
    SELECT f.saga_id, f.step_no, 'C', f.name, f.kind, f.class, ${COMPENSATION_RETRY.attempts}::int
      FROM guard g JOIN saga_step f ON f.saga_id = ${inEachPartition(sql`g.saga_id`)} AND ${ACTED}
    RETURNING saga_id, step_no), noted AS (
    ${auditRows(sql`(SELECT g.saga_id AS stream_id, a.event, false AS ends, a.actor, g.saga_id, a.reservation_id, a.request_id, a.body
      FROM guard g, jsonb_to_record(g.note) AS a(event text, actor text, reservation_id text, request_id text, body text)) x`)}), sent AS (
    INSERT INTO outbox (kind, dedupe_key, saga_id, payload, available_at)
    SELECT 'FLOW_C', g.saga_id || '-C-' || g.generation, g.saga_id, '{}', now() + ${RELAY_GRACE_SECONDS}::int * interval '1 second' FROM guard g
    RETURNING id, saga_id), alerted AS (
    INSERT INTO outbox (kind, dedupe_key, saga_id, payload)
    SELECT 'ALERT', g.saga_id || '-A-' || (g.version - 1), g.saga_id, g.alert FROM guard g WHERE jsonb_typeof(g.alert) = 'object'
    ON CONFLICT (dedupe_key) DO NOTHING)
    SELECT g.saga_id, g.step_no, g.generation, sent.id AS outbox_id,
      (SELECT array_agg(u.step_no ORDER BY u.step_no DESC) FROM undoing u WHERE u.saga_id = g.saga_id) AS steps
      FROM guard g JOIN sent ON sent.saga_id = g.saga_id`.compile(db);
  return { query, failedAt: query.parameters.indexOf(FAILED) };
}
