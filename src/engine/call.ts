import { sql } from 'kysely';
import type { Db, Tx } from '../db/client.ts';
import { retryContention } from '../db/errors.ts';
import type { Direction } from '../db/schema.ts';
import type { Ports } from '../domain/ports.ts';
import { InvariantError, RoomyError } from '../kernel/errors.ts';
import { effectKey } from '../kernel/ids.ts';
import { withTimeout } from '../kernel/time-limit.ts';
import {
  COMPENSATION_RETRY,
  type ErasedCall,
  type ErasedContext,
  type SagaDefinition,
  type StepDefinition,
} from './definition.ts';
import { lockSaga } from './fail.ts';
import type { Failpoint } from './failpoint.ts';
import type { Advanced } from './fused.ts';
import { recordDone } from './local.ts';
import { contextOf, directionOf, type SagaState } from './state.ts';

/**
 * External steps (guarantees.md 2.4 and 2.5): claim, commit; call with no transaction open; record under the fence.
 * Leases decide when another worker may try; only the attempt number decides whose result counts.
 */

/** Longer than a call's timeout: a lease that is too short costs a repeated request with the same key, never a wrong state. */
const LEASE_SECONDS = 12;

export type Claim =
  | {
      readonly kind: 'claimed';
      readonly attempt: number;
      readonly maxAttempts: number;
      readonly inDoubt: boolean;
      readonly prepared: unknown;
    }
  | { readonly kind: 'leased'; readonly until: Date }
  | { readonly kind: 'exhausted' }
  | { readonly kind: 'not-due' };

export interface ClaimedStep {
  readonly state: SagaState;
  readonly definition: SagaDefinition;
  readonly step: StepDefinition;
  readonly direction: Direction;
}

function workOf({ step, direction }: ClaimedStep): ErasedCall {
  const work = direction === 'F' ? step.forward : step.compensation;
  if (work?.kind !== 'call') throw new InvariantError(`${step.name} is not a call`);
  return work;
}

function contextFor({ state, definition, step, direction }: ClaimedStep): ErasedContext {
  const context = contextOf(state, step.no, direction, definition.input.parse(state.input));
  return direction === 'F' ? context : { ...context, done: { ...state.done, own: state.done[step.name] } };
}

/**
 * TC: counts the attempt before anything is sent, so that a step which kills its worker every time runs out too. What
 * the step's `prepare` throws undoes the claim, and nothing was sent.
 */
export function claimCall(db: Db, claimed: ClaimedStep, workerId: string): Promise<Claim> {
  const { state, step, direction } = claimed;
  return retryContention(() =>
    db.transaction().execute(async (tx): Promise<Claim> => {
      const saga = await lockSaga(tx, state.id);
      if (!saga || directionOf(saga.status) !== direction) return { kind: 'not-due' };
      if (saga.current_step !== step.no || saga.generation !== state.generation) return { kind: 'not-due' };
      const before = await currentClaim(tx, state.id, step, direction);
      if (before?.leased && before.lease_until) return { kind: 'leased', until: before.lease_until };
      const maxAttempts = before?.max_attempts ?? (direction === 'C' ? COMPENSATION_RETRY.attempts : step.maxAttempts);
      const attempt = (before?.attempt ?? 0) + 1;
      if (before?.status === 'running') await endAttempt(tx, state.id, step, direction, before.attempt, 'abandoned');
      if (attempt > maxAttempts) return { kind: 'exhausted' };
      if (saga.status === 'pending')
        await tx.updateTable('saga').set({ status: 'running' }).where('id', '=', state.id).execute();
      const inDoubt = await mayHaveActed(tx, state.id, step);
      await writeClaim(tx, state.id, step, direction, { attempt, maxAttempts, workerId });
      const prepared = await workOf(claimed).prepare?.({ ...contextFor(claimed), tx, inDoubt });
      return { kind: 'claimed', attempt, maxAttempts, inDoubt, prepared };
    }),
  );
}

/** Whether some attempt of the forward step may have reached the other side. */
async function mayHaveActed(tx: Tx, sagaId: string, step: StepDefinition): Promise<boolean> {
  const row = await tx
    .selectFrom('step_attempt')
    .select('attempt')
    .where('saga_id', '=', sagaId)
    .where('step_no', '=', step.no)
    .where('direction', '=', 'F')
    .where('unsent', '=', false)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

function currentClaim(tx: Tx, sagaId: string, step: StepDefinition, direction: Direction) {
  return tx
    .selectFrom('saga_step')
    .select([
      'status',
      'attempt',
      'max_attempts',
      'lease_until',
      sql<boolean>`coalesce(lease_until > clock_timestamp(), false)`.as('leased'),
    ])
    .where('saga_id', '=', sagaId)
    .where('step_no', '=', step.no)
    .where('direction', '=', direction)
    .executeTakeFirst();
}

async function writeClaim(
  tx: Tx,
  sagaId: string,
  step: StepDefinition,
  direction: Direction,
  {
    attempt,
    maxAttempts,
    workerId,
  }: { readonly attempt: number; readonly maxAttempts: number; readonly workerId: string },
): Promise<void> {
  const lease = sql<Date>`clock_timestamp() + ${LEASE_SECONDS}::int * interval '1 second'`;
  const now = sql<Date>`clock_timestamp()`;
  await tx
    .insertInto('saga_step')
    .values({
      saga_id: sagaId,
      step_no: step.no,
      direction,
      name: step.name,
      kind: 'EXTERNAL',
      class: step.class,
      status: 'running',
      attempt,
      max_attempts: maxAttempts,
      effect_key: effectKey(sagaId, step.no, direction),
      worker_id: workerId,
      lease_until: lease,
      first_sent_at: now,
      started_at: now,
    })
    .onConflict((conflict) =>
      conflict.columns(['saga_id', 'step_no', 'direction']).doUpdateSet({
        status: 'running',
        attempt,
        worker_id: workerId,
        lease_until: lease,
        first_sent_at: sql<Date>`coalesce(saga_step.first_sent_at, clock_timestamp())`,
        started_at: sql<Date>`coalesce(saga_step.started_at, clock_timestamp())`,
        finished_at: null,
      }),
    )
    .execute();
  await tx
    .insertInto('step_attempt')
    .values({ saga_id: sagaId, step_no: step.no, direction, attempt, worker_id: workerId })
    .execute();
}

/** X: the call itself, bounded by the step's timeout and by the loss of the job's lock. */
export async function sendCall(
  claimed: ClaimedStep,
  { inDoubt, prepared }: Extract<Claim, { kind: 'claimed' }>,
  ports: Ports,
  signal: AbortSignal,
): Promise<unknown> {
  const context = contextFor(claimed);
  const limit = {
    timeoutMs: claimed.step.timeoutMs,
    signal,
    error: (cause: unknown) => new RoomyError('STEP_TIMEOUT', { cause }),
  };
  const answer = await withTimeout(limit, (bounded) =>
    workOf(claimed).run({ ...context, ports, signal: bounded, inDoubt, prepared }),
  );
  return answer ?? {};
}

/** TR: null when another attempt owns the step by now; the result is thrown away and the attempt marked as fenced. */
export async function recordCall(
  db: Db,
  claimed: ClaimedStep,
  attempt: number,
  answer: unknown,
  failpoint: Failpoint,
): Promise<Advanced | null> {
  const { state, definition, step, direction } = claimed;
  const advanced = await retryContention(() =>
    db.transaction().execute(async (tx) => {
      if (!(await holdsClaim(tx, claimed, attempt))) return null;
      const { book } = workOf(claimed);
      const output = book ? ((await book({ ...contextFor(claimed), tx, answer })) ?? {}) : answer;
      const recorded = await recordDone(tx, state, definition, step, direction, output);
      await endAttempt(tx, state.id, step, direction, attempt, 'done');
      await failpoint('before-commit', { sagaId: state.id, step: step.name, direction });
      return recorded;
    }),
  );
  if (!advanced) await endAttempt(db, state.id, step, direction, attempt, 'fenced');
  return advanced;
}

export interface Release {
  readonly error: unknown;
  /** The attempt certainly never reached the other side. */
  readonly unsent: boolean;
  /** Not the step's fault: the attempt does not count against its maximum. */
  readonly free?: boolean;
}

/** The claim is given back for another attempt, with the error that it met. False when it had been lost before. */
export function releaseCall(
  db: Db,
  claimed: ClaimedStep,
  attempt: number,
  { error, unsent, free = false }: Release,
): Promise<boolean> {
  const { state, step, direction } = claimed;
  return retryContention(() =>
    db.transaction().execute(async (tx) => {
      const held = await holdsClaim(tx, claimed, attempt);
      if (held) {
        await tx
          .updateTable('saga_step')
          .set({
            status: 'pending',
            lease_until: null,
            error: JSON.stringify(error),
            // The attempt is a fencing token and only grows; what it must not use up is granted anew.
            max_attempts: free ? sql<number>`max_attempts + 1` : sql<number>`max_attempts`,
          })
          .where('saga_id', '=', state.id)
          .where('step_no', '=', step.no)
          .where('direction', '=', direction)
          .execute();
      }
      await endAttempt(tx, state.id, step, direction, attempt, held ? 'retry' : 'fenced', held && unsent);
      return held;
    }),
  );
}

/** The fence: the saga still waits for this step, and this attempt is the one that runs it. Any generation may be dispatched meanwhile. */
async function holdsClaim(tx: Tx, { state, step, direction }: ClaimedStep, attempt: number): Promise<boolean> {
  const saga = await lockSaga(tx, state.id);
  if (!saga || directionOf(saga.status) !== direction || saga.current_step !== step.no) return false;
  const claim = await currentClaim(tx, state.id, step, direction);
  return claim?.status === 'running' && claim.attempt === attempt;
}

async function endAttempt(
  db: Db | Tx,
  sagaId: string,
  step: StepDefinition,
  direction: Direction,
  attempt: number,
  outcome: 'done' | 'retry' | 'fenced' | 'abandoned',
  unsent = false,
): Promise<void> {
  await db
    .updateTable('step_attempt')
    .set({ outcome, unsent, ended_at: sql`clock_timestamp()` })
    .where('saga_id', '=', sagaId)
    .where('step_no', '=', step.no)
    .where('direction', '=', direction)
    .where('attempt', '=', attempt)
    .where((eb) => eb.or([eb('outcome', 'is', null), eb('outcome', '=', 'abandoned')]))
    .execute();
}
