import { type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { retryContention } from '../../db/errors.ts';
import { literal, literals } from '../../db/literal.ts';
import type { Direction } from '../../db/schema.ts';
import { packed } from '../../kernel/packed.ts';
import type { PreparedEnd, RecordedError } from '../answers.ts';
import type { DueStep } from '../state.ts';
import type { LockKind } from '../step.ts';
import type { SagaAnswer } from '../types.ts';

/** The rows of `saga`, but for acceptance (`accept.ts`) and for the fused steps (`fused.ts`), which write more in the same statement. */

/** Takes the saga's row lock. */
export function lockSaga(tx: Tx, sagaId: string) {
  return tx
    .selectFrom('saga')
    .select(['status', 'current_step', 'generation', 'version', 'redispatches', 'error_code'])
    .where('id', '=', sagaId)
    .forUpdate()
    .executeTakeFirst();
}
export type LockedSaga = NonNullable<Awaited<ReturnType<typeof lockSaga>>>;

/** Takes the saga's row lock and answers whether this step is due under it, in the generation that was loaded. */
export async function passGuard(tx: Tx, { state, step, direction }: DueStep): Promise<boolean> {
  const row = await tx
    .selectFrom('saga')
    .select('id')
    .where('id', '=', state.id)
    .where('generation', '=', state.generation)
    .where('current_step', '=', step.no)
    .where('status', 'in', direction === 'F' ? literals(['pending', 'running']) : literals(['compensating']))
    .forUpdate()
    .executeTakeFirst();
  return row !== undefined;
}

/** A saga that was only accepted so far is under way. */
export async function startRunning(tx: Tx, sagaId: string): Promise<void> {
  await tx.updateTable('saga').set({ status: 'running' }).where('id', '=', sagaId).execute();
}

/** One step on, or to the end; answers the saga's new version, the clock-free order of its steps. */
export async function advanceSaga(
  tx: Tx,
  sagaId: string,
  direction: Direction,
  to: { readonly nextStep: number; readonly releases: readonly LockKind[] } | { readonly end: PreparedEnd },
): Promise<number> {
  const { version } = await tx
    .updateTable('saga')
    .set({
      redispatches: 0,
      ...('nextStep' in to
        ? {
            current_step: to.nextStep,
            status: direction === 'F' ? ('running' as const) : ('compensating' as const),
            ...(to.releases.includes('state') ? { holds_state: false } : {}),
            ...(to.releases.includes('money') ? { holds_money: false } : {}),
          }
        : { status: direction === 'F' ? ('completed' as const) : ('compensated' as const), ...endOf(to.end) }),
    })
    .where('id', '=', sagaId)
    .returning('version')
    .executeTakeFirstOrThrow();
  return version;
}

const endOf = (end: PreparedEnd) => ({
  finished_at: sql<Date>`clock_timestamp()`,
  response_status: end.response_status,
  response_body: Buffer.from(end.response_body, 'base64'),
});

const carried = (error: RecordedError) => ({ error_code: error.code, error_detail: JSON.stringify(error) });

/** The saga turns round: `at`, the step to undo first, is due in a new generation. */
export async function turnSaga(
  tx: Tx,
  sagaId: string,
  error: RecordedError,
  at: { readonly step: number; readonly generation: number },
): Promise<void> {
  await tx
    .updateTable('saga')
    .set({ status: 'compensating', current_step: at.step, generation: at.generation, ...carried(error) })
    .where('id', '=', sagaId)
    .execute();
}

/** The saga ends undone because no step has to be undone. */
export async function endUndone(
  tx: Tx,
  sagaId: string,
  from: LockedSaga['status'],
  error: RecordedError,
  end: PreparedEnd,
): Promise<void> {
  // The guard of the table knows no way from `running` or `parked` to `compensated` but through `compensating`.
  if (from === 'running' || from === 'parked')
    await tx
      .updateTable('saga')
      .set({ status: 'compensating', ...carried(error) })
      .where('id', '=', sagaId)
      .execute();
  await tx
    .updateTable('saga')
    .set({ status: 'compensated', ...carried(error), ...endOf(end) })
    .where('id', '=', sagaId)
    .execute();
}

/**
 * `body`: kept from the first time that the saga parks, so that the repeats of a request read the same bytes. `unlocked`: it holds
 * no kind of lock while it is parked.
 */
export async function parkSagaRow(
  tx: Tx,
  sagaId: string,
  error: { readonly code: string; readonly detail: unknown },
  { body, unlocked }: { readonly body: string; readonly unlocked: boolean },
): Promise<void> {
  await tx
    .updateTable('saga')
    .set({
      status: 'parked',
      error_code: error.code,
      error_detail: JSON.stringify(error.detail),
      parked_body: sql`coalesce(parked_body, ${Buffer.from(body)}::bytea)`,
      ...(unlocked ? { holds_state: false, holds_money: false } : {}),
    })
    .where('id', '=', sagaId)
    .execute();
}

/** A parked saga goes on in a new generation. `takes`: kinds of locks that it had let go of. Broken by `ONE_OPEN_SAGA`. */
export async function resumeSagaRow(
  tx: Tx,
  sagaId: string,
  { direction, generation, takes, step }: Resumption,
): Promise<void> {
  await tx
    .updateTable('saga')
    .set({
      ...(takes.includes('state') ? { holds_state: true } : {}),
      ...(takes.includes('money') ? { holds_money: true } : {}),
      status: direction === 'C' ? 'compensating' : 'running',
      current_step: step,
      generation,
      redispatches: 0,
      next_check_at: sql`now() + interval '15 seconds'`,
      deadline_at: sql`greatest(deadline_at, now() + interval '15 minutes')`,
      ...(direction === 'F' ? { error_code: null, error_detail: null } : {}),
    })
    .where('id', '=', sagaId)
    .execute();
}

export interface Resumption {
  readonly direction: Direction;
  readonly generation: number;
  readonly takes: readonly LockKind[];
  /** At which it goes on. */
  readonly step: number;
}

/** False: the saga is not parked. */
export async function resolveSagaRow(tx: Tx, sagaId: string, answer: SagaAnswer): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('saga')
    .set({
      status: 'resolved',
      finished_at: sql`clock_timestamp()`,
      response_status: answer.status,
      response_body: packed(answer.body.toString()),
    })
    .where('id', '=', sagaId)
    .where('status', '=', literal('parked'))
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** The whole row under its lock; undefined when somebody else is at work on it, or there is none. */
export const lockIdleSaga = (tx: Tx, sagaId: string) =>
  tx.selectFrom('saga').selectAll().where('id', '=', sagaId).forUpdate().skipLocked().executeTakeFirst();

/** Writes a new generation of a saga, so that jobs of the earlier one are skipped. */
export async function redispatchSagaRow(
  tx: Tx,
  sagaId: string,
  next: { readonly generation: number; readonly redispatches: number },
): Promise<void> {
  await tx
    .updateTable('saga')
    .set({ ...next, next_check_at: sql`now() + interval '15 seconds'` })
    .where('id', '=', sagaId)
    .execute();
}

/** Brings the check of a saga forward that is open although its flow has ended. False: it is not open. */
export async function checkAtOnce(db: Db, sagaId: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('saga')
    .set({ next_check_at: sql`now()` })
    .where('id', '=', sagaId)
    .where('status', 'in', literals(['pending', 'running']))
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** An open saga whose check is due. */
export interface IdleSaga {
  readonly id: string;
  readonly direction: Direction;
  readonly generation: number;
  readonly current_step: number;
  readonly total_steps: number;
  readonly expired: boolean;
  /** Stands at a wait whose time is up. */
  readonly timedOut: boolean;
  /** Waits, is claimed by a call under a live lease, or has an order that the relay has yet to publish. */
  readonly busy: boolean;
}

/** A further condition over `x`, a saga row. */
export interface SagaSelection {
  readonly where: RawBuilder<unknown>;
  readonly limit: number;
}

const isDue = sql<boolean>`x.finished_at IS NULL AND x.status <> 'parked' AND x.next_check_at <= now()`;

const waitOfSaga = sql`saga_step w WHERE w.saga_id = s.id AND w.status = 'waiting'`;

/** Ids of sagas whose check is due, longest overdue first. */
export async function sagasToCheck(db: Db, { where, limit }: SagaSelection): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT x.id FROM saga x WHERE ${isDue} AND ${where} ORDER BY x.next_check_at LIMIT ${limit}::int`.execute(db);
  return rows.map(({ id }) => id);
}

/**
 * Takes sagas whose check is due; they are due again in five seconds, or, if they wait, when their time is up. What is asked of
 * their steps stands in a statement of its own: Postgres 18.4 crashes when a statement that locks rows must look at one again that was
 * changed meanwhile, and has a subquery that chooses partitions while it runs.
 */
export async function takeSagasToCheck(db: Db, { where, limit }: SagaSelection): Promise<readonly IdleSaga[]> {
  const taken = await sql<Omit<IdleSaga, 'timedOut' | 'busy'> & { readonly again: string }>`
    UPDATE saga s SET next_check_at = now() + interval '5 seconds'
     WHERE s.id IN (SELECT x.id FROM saga x WHERE ${isDue} AND ${where}
                     ORDER BY x.next_check_at LIMIT ${limit}::int FOR UPDATE SKIP LOCKED)
    RETURNING s.id, CASE WHEN s.status = 'compensating' THEN 'C' ELSE 'F' END AS direction, s.generation, s.current_step, s.total_steps,
      s.status <> 'compensating' AND s.deadline_at < now() AS expired, s.next_check_at::text AS again`.execute(db);
  const again = taken.rows[0]?.again;
  if (again === undefined) return [];
  const seen = await stepsOf(
    db,
    taken.rows.map(({ id }) => id),
  );
  const waiting = [...seen.values()].filter(({ waitUntil }) => waitUntil !== null);
  if (waiting.length > 0) {
    // A signal that came meanwhile has set a time of its own, which stays.
    await sql`UPDATE saga s SET next_check_at = w.at
      FROM unnest(${waiting.map(({ id }) => id)}::text[], ${waiting.map(({ waitUntil }) => waitUntil)}::timestamptz[]) AS w(id, at)
     WHERE s.id = w.id AND s.next_check_at = ${again}::timestamptz AND s.next_check_at < w.at`.execute(db);
  }
  return taken.rows.map(({ again: _again, ...saga }) => {
    const { timedOut = false, busy = false } = seen.get(saga.id) ?? {};
    return { ...saga, timedOut, busy };
  });
}

interface StepsSeen extends Pick<IdleSaga, 'id' | 'timedOut' | 'busy'> {
  /** As the database writes an instant; null: it does not wait. */
  readonly waitUntil: string | null;
}
async function stepsOf(db: Db, ids: readonly string[]): Promise<ReadonlyMap<string, StepsSeen>> {
  const { rows } = await sql<StepsSeen>`
    SELECT s.id, (SELECT w.wait_until::text FROM ${waitOfSaga}) AS "waitUntil",
      EXISTS (SELECT FROM ${waitOfSaga} AND w.wait_until <= now()) AS "timedOut",
      EXISTS (SELECT FROM ${waitOfSaga})
        OR EXISTS (SELECT FROM saga_step t WHERE t.saga_id = s.id AND t.status = 'running' AND t.lease_until > now())
        OR EXISTS (SELECT FROM outbox o WHERE o.saga_id = s.id AND o.kind <> 'ALERT' AND o.published_at IS NULL) AS busy
      FROM unnest(${ids}::text[]) AS s(id)`.execute(db);
  return new Map(rows.map((row) => [row.id, row]));
}

/** As it stands now: a person may have given it more time since it was taken. False for one that is not there. */
export async function isPastDeadline(db: Db, sagaId: string): Promise<boolean> {
  const row = await db
    .selectFrom('saga')
    .select(sql<boolean>`deadline_at < now()`.as('past'))
    .where('id', '=', sagaId)
    .executeTakeFirst();
  return row?.past ?? false;
}

/** As after a person's retry. */
const DEADLINE_MINUTES = 15;
const WOKEN_PER_SECOND = 500;

/**
 * Open sagas that stood still go on: they are due for a check now, so many a second, and have time before their deadline. `where`: a
 * condition over `x`. One that is being moved at this moment is left alone.
 */
export async function wakeSagas(tx: Tx, where: RawBuilder<unknown>): Promise<void> {
  await sql`
    UPDATE saga s SET next_check_at = least(s.next_check_at, now() + (o.n / ${WOKEN_PER_SECOND}::int) * interval '1 second'),
        deadline_at = greatest(s.deadline_at, now() + ${DEADLINE_MINUTES}::int * interval '1 minute')
      FROM (SELECT id, row_number() OVER (ORDER BY requested_at) - 1 AS n
              FROM (SELECT x.id, x.requested_at FROM saga x WHERE x.finished_at IS NULL AND x.status <> 'parked'
                       AND ${where} ORDER BY x.requested_at FOR UPDATE SKIP LOCKED) open) o
     WHERE s.id = o.id`.execute(tx);
}

const awaitsCheck = sql<boolean>`x.finished_at IS NULL AND x.status <> 'parked' AND x.next_check_at > now()`;

/** The ids of the open sagas whose check is not due yet. */
export async function sagasAwaitingCheck(db: Db): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`SELECT x.id FROM saga x WHERE ${awaitsCheck}`.execute(db);
  return rows.map(({ id }) => id);
}

/**
 * Makes the open sagas due for a check at once, but no more than `perSecond`, and none that is being moved at this moment.
 * Answers how many. `where`: a further condition over `x`.
 */
export async function bringChecksForward(db: Db, where: RawBuilder<unknown>, perSecond: number): Promise<number> {
  const { numAffectedRows } = await retryContention(() =>
    sql`
    UPDATE saga s SET next_check_at = now() + (o.n / ${perSecond}::int) * interval '1 second'
      FROM (SELECT id, row_number() OVER (ORDER BY requested_at) - 1 AS n
              FROM (SELECT x.id, x.requested_at FROM saga x WHERE ${awaitsCheck}
                       AND ${where} ORDER BY x.requested_at FOR UPDATE SKIP LOCKED) open) o
     WHERE s.id = o.id`.execute(db),
  );
  return Number(numAffectedRows ?? 0);
}
