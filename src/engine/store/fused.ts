import { type CompiledQuery, type Expression, type OperationNodeSource, type RawBuilder, sql } from 'kysely';
import { type Db, inSequence } from '../../db/client.ts';
import { isUnreachable } from '../../db/errors.ts';
import { valueRefs } from '../../db/fused.ts';
import { inEachPartition } from '../../db/partitions.ts';
import type { Direction } from '../../db/schema.ts';
import { type AuditNote, auditRows } from '../../domain/audit/record.ts';
import { createBatcher } from '../../kernel/batcher.ts';
import { InvariantError } from '../../kernel/errors.ts';
import type { RunSlots } from '../../kernel/run-slots.ts';
import type { PreparedEnd } from '../answers.ts';
import type { ErasedFused, LockKind, SharedEffect, StepDefinition } from '../step.ts';
import { notifyEnded } from './ended.ts';

/**
 * Guard, effect and record of a local step in one statement, for any number of due sagas.
 *
 * The guard is one UPDATE on the saga row that matches only while this very step is due in this very generation. It is
 * the lock, the fence and "all before me are done" in one: a concurrent loser waits for the row, re-checks, and gets
 * nothing; and all else in the statement joins the guard, so it does nothing either. One statement is one round trip, and
 * round trips cost more than commits.
 */

/** A saga for which the step is believed to be due, with the values that the statement needs. */
export interface DueItem {
  readonly saga_id: string;
  readonly generation: number;
  readonly vals: unknown;
  /** Only for a step that may end the saga. */
  readonly end: PreparedEnd | null;
  /** Audit row of a compensation; null forward, where only the end has one. */
  readonly note: AuditNote | null;
}

/** The step's record. */
export interface Advanced {
  readonly output: unknown;
  /** The step that is due now; null when the saga has ended. */
  readonly nextStep: number | null;
  /** If it has ended: whether that commit has notified the requests that wait for its answer. */
  readonly notified: boolean;
}
/** A step's statement. */
export interface FusedStep {
  /** Runs it, together with other sagas that wait for the same step. Null when the step was not due. */
  run(due: DueItem): Promise<Advanced | null>;
  /** The statement for one saga alone, for the caller to send. */
  queryOf(due: DueItem): CompiledQuery<FusedRow>;
}

const MAX_BATCH = 32;

export interface FusedRow {
  readonly saga_id: string;
  readonly result: unknown;
  readonly next_step: number | null;
}

/** Stands for the due sagas' JSON in the compiled parameters. */
const DUE_ITEMS = Object.freeze({ marker: 'due-items' });

/** Where the step stands in its definition. */
export interface StepPlace {
  readonly totalSteps: number;
  /** The lock kinds that no later step needs. */
  readonly releases: readonly LockKind[];
}

/** Compiles a step's guard, effect and record into one statement. */
export function createFusedStep(
  db: Db,
  step: StepDefinition,
  direction: Direction,
  place: StepPlace,
  effect: ErasedFused | null,
  slots: RunSlots,
): FusedStep {
  const { query, itemsAt } = compileFusedStep(db, step, direction, place, effect);
  const queryOf = (items: readonly DueItem[]): CompiledQuery<FusedRow> => ({
    ...query,
    parameters: query.parameters.with(itemsAt, JSON.stringify(items)),
  });
  const run = createBatcher<DueItem, Advanced | null>(
    async (items) => {
      const { rows } = await db.executeQuery(queryOf(items));
      const byId = new Map(rows.map((row) => [row.saga_id, row]));
      return items.map((item) => {
        const row = byId.get(item.saga_id);
        byId.delete(item.saga_id);
        return advancedOf(row);
      });
    },
    { maxBatch: MAX_BATCH, maxInFlight: 1, slots, failTogether: isUnreachable, runEach },
  );
  return { run, queryOf: (due) => queryOf([due]) };

  /** Each a statement and a transaction of its own, sent without waiting for the answers in between. */
  function runEach(items: readonly DueItem[]): Promise<readonly PromiseSettledResult<Advanced | null>[]> {
    return inSequence(db, (send) =>
      Promise.allSettled(items.map(async (item) => advancedOf((await send(queryOf([item])))[0]))),
    );
  }
}

/** What a row of the statement's result says. No row: the step was not due. */
export const advancedOf = (row: FusedRow | undefined): Advanced | null =>
  row ? { output: row.result, nextStep: row.next_step, notified: true } : null;

export interface FusedStatement {
  readonly query: CompiledQuery<FusedRow>;
  /** Index, from 0, of the parameter that carries the due sagas; all others are constants of the code. */
  readonly itemsAt: number;
}

/** Builds the statement without asking the database. `effect`: null for a step that only records its output. */
export function compileFusedStep(
  db: Db,
  step: StepDefinition,
  direction: Direction,
  { totalSteps, releases }: StepPlace,
  effect: ErasedFused | null,
): FusedStatement {
  const fusedDb = db as unknown as FusedCreator;
  const parts = effectParts(fusedDb, step, effect);
  const shared = direction === 'F' ? step.effects.map((one) => sharedEffect(fusedDb, step, one)) : [];
  const query = (
    direction === 'F'
      ? forward(step, totalSteps, releases, { ...parts, ctes: sql.join([...shared, parts.ctes], sql``) })
      : backward(step, parts)
  ).compile(db);
  return { query, itemsAt: query.parameters.indexOf(DUE_ITEMS) };
}

type FusedCreator = Parameters<ErasedFused['run']>[0];

interface EffectParts {
  /** `, effect AS (...), second_effect AS (...)`, or nothing. */
  readonly ctes: RawBuilder<unknown>;
  /** Where the step's output comes from: joined to `guard g`. */
  readonly join: RawBuilder<unknown>;
  readonly result: RawBuilder<unknown>;
}

function effectParts(db: FusedCreator, step: StepDefinition, effect: ErasedFused | null): EffectParts {
  if (!effect) return { ctes: sql``, join: sql``, result: sql`g.vals` };
  const main = joinsGuard(step, effect.run(db, VALUE_REFS));
  const second = effect.secondEffect
    ? sql`, second_effect AS (${joinsGuard(step, effect.secondEffect(db, VALUE_REFS))})`
    : sql``;
  const ctes = sql`, effect AS (${main})${second}`;
  if (effect.onNoRow === undefined) {
    return {
      ctes,
      join: sql`LEFT JOIN (SELECT subject_id, count(*) AS n FROM effect GROUP BY subject_id) e ON e.subject_id = g.subject_id`,
      result: sql`jsonb_build_object('count', coalesce(e.n, 0))`,
    };
  }
  return {
    ctes,
    join: sql`LEFT JOIN effect e ON e.subject_id = g.subject_id`,
    result: sql`CASE WHEN e.subject_id IS NULL THEN to_jsonb(saga_refuse(${effect.onNoRow}::text)) ELSE to_jsonb(e) - 'subject_id' END`,
  };
}

/** `, "name" AS (...), "name_rows" AS (...)` */
function sharedEffect(
  db: FusedCreator,
  step: StepDefinition,
  { name, run, onRows }: SharedEffect,
): RawBuilder<unknown> {
  const table = sql.table(name);
  const further = onRows ? sql`, ${sql.table(`${name}_rows`)} AS (${asExpression(onRows(db, table))})` : sql``;
  return sql`, ${table} AS (${joinsGuard(step, run(db))})${further}`;
}

/** An effect that ignored the guard would act for steps that are not due. */
function joinsGuard(step: StepDefinition, query: ReturnType<ErasedFused['run']>): Expression<unknown> {
  if (!/"guard"/.test(query.compile().sql))
    throw new InvariantError(`${step.name}: its statement must select from guard`);
  return asExpression(query);
}
const asExpression = (source: OperationNodeSource): Expression<unknown> => ({
  expressionType: undefined,
  toOperationNode: () => source.toOperationNode(),
});

const VALUE_REFS = valueRefs<Record<string, unknown>>();

const DUE = sql`due AS (
  SELECT i ->> 'saga_id' AS saga_id, (i ->> 'generation')::int AS generation, i -> 'vals' AS vals, i -> 'end' AS "end", i -> 'note' AS note
    FROM few_items(${DUE_ITEMS}::jsonb) AS i)`;

const END_AUDIT = sql`SELECT g.saga_id, 2, a.event, true, a.actor, g.saga_id, a.reservation_id, a.request_id, a.body
  FROM guard g, jsonb_to_record(g."end" -> 'audit') AS a(event text, actor text, reservation_id text, request_id text, body text)`;

const released = (kinds: readonly LockKind[]): RawBuilder<unknown> =>
  sql`${kinds.includes('state') ? sql`, holds_state = false` : sql``}${kinds.includes('money') ? sql`, holds_money = false` : sql``}`;

function forward(
  step: StepDefinition,
  totalSteps: number,
  releases: readonly LockKind[],
  parts: EffectParts,
): RawBuilder<FusedRow> {
  const last = step.no === totalSteps;
  const advance = last
    ? sql`status = 'completed', finished_at = clock_timestamp(), response_status = (due."end" ->> 'response_status')::int,
        response_body = decode(due."end" ->> 'response_body', 'base64')`
    : sql`status = 'running', current_step = ${step.no + 1}::int, redispatches = 0${released(releases)}`;
  const from = step.no === 1 ? sql`('pending', 'running')` : sql`('running')`;
  const audit = last
    ? sql`, ending AS (
        ${auditRows(sql`(${END_AUDIT}) x(stream_id, n, event, ends, actor, saga_id, reservation_id, request_id, body)`)})`
    : sql``;
  return sql<FusedRow>`WITH ${DUE}, guard AS (
    UPDATE saga AS s SET ${advance} FROM due
     WHERE s.id = due.saga_id AND s.generation = due.generation AND s.current_step = ${step.no}::int AND s.status IN ${from}
    RETURNING s.id AS saga_id, s.subject_id, s.requested_at, s.version, due.vals, due."end",
      s.id || ${`-${step.no}-F`}::text AS effect_key, s.id || ${`-${step.no}-F`}::text AS forward_key)
    ${parts.ctes}, record AS (
    INSERT INTO saga_step AS t (saga_id, step_no, direction, name, kind, class, status, attempt, max_attempts, result,
      started_at, finished_at, done_at_version)
    SELECT g.saga_id, ${step.no}::int, 'F', ${step.name}::text, 'LOCAL', ${step.class}::text, 'done', 1, ${step.maxAttempts}::int,
      ${parts.result}, statement_timestamp(), clock_timestamp(), g.version
      FROM guard g ${parts.join}
    ON CONFLICT (saga_id, step_no, direction) DO UPDATE SET status = 'done', attempt = t.attempt + 1, result = excluded.result,
      started_at = excluded.started_at, finished_at = excluded.finished_at, done_at_version = excluded.done_at_version
    RETURNING saga_id, result)${audit}
    SELECT saga_id, result, ${last ? null : step.no + 1}::int AS next_step${last ? sql`, (${notifyEnded(sql`record`)}) AS notified` : sql``} FROM record`;
}

function backward(step: StepDefinition, parts: EffectParts): RawBuilder<FusedRow> {
  return sql<FusedRow>`WITH ${DUE}, guard AS (
    UPDATE saga AS s SET current_step = coalesce(following.no, s.current_step), redispatches = 0,
        status = CASE WHEN following.no IS NULL THEN 'compensated' ELSE 'compensating' END,
        finished_at = CASE WHEN following.no IS NULL THEN clock_timestamp() END,
        response_status = CASE WHEN following.no IS NULL THEN (due."end" ->> 'response_status')::int END,
        response_body = CASE WHEN following.no IS NULL THEN decode(due."end" ->> 'response_body', 'base64') END
      FROM due LEFT JOIN LATERAL (SELECT max(c.step_no) AS no FROM saga_step c WHERE c.saga_id = ${inEachPartition(sql`due.saga_id`)}
             AND c.direction = 'C' AND c.step_no < ${step.no}::int AND c.status NOT IN ('done', 'skipped')) following ON true
     WHERE s.id = due.saga_id AND s.generation = due.generation AND s.current_step = ${step.no}::int AND s.status = 'compensating'
    RETURNING s.id AS saga_id, s.subject_id, s.requested_at, s.version, due.vals, due."end", due.note, following.no AS next_step,
      s.id || ${`-${step.no}-C`}::text AS effect_key, s.id || ${`-${step.no}-F`}::text AS forward_key)
    ${parts.ctes}, record AS (
    UPDATE saga_step AS t SET status = 'done', attempt = t.attempt + 1, result = ${parts.result},
        started_at = statement_timestamp(), finished_at = clock_timestamp(), done_at_version = g.version
      FROM guard g ${parts.join}
     WHERE t.saga_id = ${inEachPartition(sql`g.saga_id`)} AND t.step_no = ${step.no}::int AND t.direction = 'C'
    RETURNING t.saga_id, t.result, g.next_step), ending AS (
    ${auditRows(sql`(
      SELECT g.saga_id, 1, a.event, false, a.actor, g.saga_id, a.reservation_id, a.request_id, a.body
        FROM guard g, jsonb_to_record(g.note) AS a(event text, actor text, reservation_id text, request_id text, body text)
      UNION ALL (${END_AUDIT} WHERE g.next_step IS NULL)) x(stream_id, n, event, ends, actor, saga_id, reservation_id, request_id, body)
     ORDER BY stream_id, n`)})
    SELECT saga_id, result, next_step, (${notifyEnded(sql`record WHERE next_step IS NULL`)}) AS notified FROM record`;
}
