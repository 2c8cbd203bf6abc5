import { type RawBuilder, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Json } from '../../db/schema.ts';
import type { DueStep } from '../state.ts';

/** The rows of steps that wait, and of `saga_signal`. All is written under the lock of the saga's row. */

/** The step waits from now on, for `timeoutMs`. False: it waits already. */
export async function recordWaiting(tx: Tx, { state, step }: DueStep, timeoutMs: number): Promise<boolean> {
  const until = sql<Date>`now() + ${timeoutMs}::float8 * interval '1 millisecond'`;
  const row = await tx
    .insertInto('saga_step')
    .values({
      saga_id: state.id,
      step_no: step.no,
      direction: 'F',
      name: step.name,
      kind: 'LOCAL',
      class: step.class,
      status: 'waiting',
      attempt: 1,
      max_attempts: step.maxAttempts,
      started_at: sql`now()`,
      wait_until: until,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['saga_id', 'step_no', 'direction'])
        .doUpdateSet({
          status: 'waiting',
          attempt: sql`saga_step.attempt + 1`,
          error: null,
          started_at: sql<Date>`now()`,
          wait_until: until,
        })
        .where('saga_step.status', '=', literal('pending')),
    )
    .returning('attempt')
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * The saga stands still while its step waits: its deadline moves back by the whole wait, and the reconciler looks at it
 * when the time is up.
 */
export async function holdSaga(tx: Tx, { state, step }: DueStep): Promise<void> {
  const until = waitUntil(state.id, step.no);
  await tx
    .updateTable('saga')
    .set({
      status: 'running',
      redispatches: 0,
      next_check_at: until,
      deadline_at: sql<Date>`deadline_at + (${until} - now())`,
    })
    .where('id', '=', state.id)
    .execute();
}

/** The saga goes on in a new generation. Of the time that was granted to the wait, its deadline keeps what was used. */
export async function releaseSaga(tx: Tx, { state, step }: DueStep, generation: number): Promise<void> {
  await tx
    .updateTable('saga')
    .set({
      generation,
      next_check_at: sql<Date>`now() + interval '15 seconds'`,
      deadline_at: sql<Date>`deadline_at - (${waitUntil(state.id, step.no)} - now())`,
    })
    .where('id', '=', state.id)
    .execute();
}

const waitUntil = (sagaId: string, stepNo: number): RawBuilder<Date> =>
  sql<Date>`(SELECT w.wait_until FROM saga_step w WHERE w.saga_id = ${sagaId} AND w.step_no = ${stepNo} AND w.direction = 'F')`;

/** The forward row of a wait; undefined when the saga has never come to it. */
export const readWait = (tx: Tx, sagaId: string, stepNo: number) =>
  tx
    .selectFrom('saga_step')
    .select(['status', sql<boolean>`coalesce(wait_until <= now(), false)`.as('isOver')])
    .where('saga_id', '=', sagaId)
    .where('step_no', '=', stepNo)
    .where('direction', '=', 'F')
    .executeTakeFirst();

/** Whether some compensation of the saga has fallen due. */
export async function isUndone(tx: Tx, sagaId: string): Promise<boolean> {
  const row = await tx
    .selectFrom('saga_step')
    .select('step_no')
    .where('saga_id', '=', sagaId)
    .where('direction', '=', 'C')
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** The signal that was sent to a wait; undefined when none was. */
export const readSignal = (tx: Tx, sagaId: string, name: string) =>
  tx
    .selectFrom('saga_signal')
    .select(['key', 'payload'])
    .where('saga_id', '=', sagaId)
    .where('name', '=', name)
    .executeTakeFirst();

export interface NewSignal {
  readonly sagaId: string;
  readonly name: string;
  readonly key: string;
  readonly payload: Json;
  readonly by: string;
}

/** Keeps a signal until its wait takes it. The caller holds the row of the saga and has found none of this name. */
export async function insertSignal(tx: Tx, { sagaId, name, key, payload, by }: NewSignal): Promise<void> {
  await tx
    .insertInto('saga_signal')
    .values({ saga_id: sagaId, name, key, payload: JSON.stringify(payload), sent_by: by })
    .execute();
}
