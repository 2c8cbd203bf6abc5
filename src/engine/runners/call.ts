import type { Db, Tx } from '../../db/client.ts';
import { retryContention } from '../../db/errors.ts';
import type { Ports } from '../../domain/ports.ts';
import { InvariantError, RoomyError } from '../../kernel/errors.ts';
import { withTimeout } from '../../kernel/time-limit.ts';
import type { RecordedError } from '../answers.ts';
import type { Failpoint } from '../failpoint.ts';
import { recordDone } from '../record.ts';
import { contextOf, type DueStep, directionOf } from '../state.ts';
import type { ErasedCall } from '../step.ts';
import { endAttempt, insertAttempt, mayHaveActed } from '../store/attempts.ts';
import type { Advanced } from '../store/fused.ts';
import { lockSaga, startRunning } from '../store/sagas.ts';
import { grantedAttempts, readClaim, releaseClaim, writeClaim } from '../store/steps.ts';
import type { ClaimedCall } from './result.ts';

/**
 * External steps (guarantees.md 2.4 and 2.5): claim, commit; call with no transaction open; record under the fence.
 * Leases decide when another worker may try; only the attempt number decides whose result counts.
 */

/** Longer than a call's timeout: a lease that is too short costs a repeated request with the same key, never a wrong state. */
const LEASE_SECONDS = 12;

export type Claim =
  | ({ readonly kind: 'claimed' } & ClaimedCall)
  | { readonly kind: 'leased'; readonly until: Date }
  | { readonly kind: 'exhausted' }
  | { readonly kind: 'not-due' };

function workOf({ step, direction }: DueStep): ErasedCall {
  const work = direction === 'F' ? step.forward : step.compensation;
  if (work?.kind !== 'call') throw new InvariantError(`${step.name} is not a call`);
  return work;
}

/**
 * TC: counts the attempt before anything is sent, so that a step which kills its worker every time runs out too. An error
 * of the step's `prepare` undoes the claim, and nothing was sent.
 */
export function claimCall(db: Db, due: DueStep, workerId: string): Promise<Claim> {
  const { state, step, direction } = due;
  return retryContention(() =>
    db.transaction().execute(async (tx): Promise<Claim> => {
      const saga = await lockSaga(tx, state.id);
      if (!saga || directionOf(saga.status) !== direction) return { kind: 'not-due' };
      if (saga.current_step !== step.no || saga.generation !== state.generation) return { kind: 'not-due' };
      const before = await readClaim(tx, due);
      if (before?.leased && before.lease_until) return { kind: 'leased', until: before.lease_until };
      const maxAttempts = grantedAttempts(due, before);
      const attempt = (before?.attempt ?? 0) + 1;
      if (before?.status === 'running') await endAttempt(tx, due, before.attempt, { outcome: 'abandoned' });
      if (attempt > maxAttempts) return { kind: 'exhausted' };
      if (saga.status === 'pending') await startRunning(tx, state.id);
      const inDoubt = await mayHaveActed(tx, due);
      await writeClaim(tx, due, { attempt, maxAttempts, workerId, leaseSeconds: LEASE_SECONDS });
      await insertAttempt(tx, due, attempt, workerId);
      const prepared = await workOf(due).prepare?.({ ...contextOf(due), tx, inDoubt });
      return { kind: 'claimed', attempt, maxAttempts, inDoubt, prepared };
    }),
  );
}

/** X: the call itself, bounded by the step's timeout and by the loss of the job's lock. */
export async function sendCall(
  due: DueStep,
  { inDoubt, prepared }: ClaimedCall,
  ports: Ports,
  signal: AbortSignal,
): Promise<unknown> {
  const context = contextOf(due);
  const limit = {
    timeoutMs: due.step.timeoutMs,
    signal,
    error: (cause: unknown) => new RoomyError('STEP_TIMEOUT', { cause }),
  };
  const answer = await withTimeout(limit, (bounded) =>
    workOf(due).run({ ...context, ports, signal: bounded, inDoubt, prepared }),
  );
  return answer ?? {};
}

/** TR: null when another attempt owns the step by now; the result is thrown away and the attempt marked as fenced. */
export async function recordCall(
  db: Db,
  due: DueStep,
  attempt: number,
  answer: unknown,
  failpoint: Failpoint,
): Promise<Advanced | null> {
  const advanced = await retryContention(() =>
    db.transaction().execute(async (tx) => {
      if (!(await holdsClaim(tx, due, attempt))) return null;
      const { book } = workOf(due);
      const output = book ? ((await book({ ...contextOf(due), tx, answer })) ?? {}) : answer;
      const recorded = await recordDone(tx, due, output);
      await endAttempt(tx, due, attempt, { outcome: 'done' });
      await failpoint('before-commit', { sagaId: due.state.id, step: due.step.name, direction: due.direction });
      return recorded;
    }),
  );
  if (!advanced) await endAttempt(db, due, attempt, { outcome: 'fenced' });
  return advanced;
}

export interface Release {
  readonly error: RecordedError;
  /** The attempt certainly never reached the other side. */
  readonly unsent: boolean;
  /** Not the step's fault: the attempt does not count against its maximum. */
  readonly isFree: boolean;
}

/** The claim is given back for another attempt, with the error that it met. False when it had been lost before. */
export function releaseCall(
  db: Db,
  due: DueStep,
  attempt: number,
  { error, unsent, isFree }: Release,
): Promise<boolean> {
  return retryContention(() =>
    db.transaction().execute(async (tx) => {
      const held = await holdsClaim(tx, due, attempt);
      if (held) await releaseClaim(tx, due, error, isFree);
      await endAttempt(tx, due, attempt, { outcome: held ? 'retry' : 'fenced', unsent: held && unsent, error });
      return held;
    }),
  );
}

/** The fence: the saga still waits for this step, and this attempt is the one that runs it. Any generation may be dispatched meanwhile. */
async function holdsClaim(tx: Tx, due: DueStep, attempt: number): Promise<boolean> {
  const saga = await lockSaga(tx, due.state.id);
  if (!saga || directionOf(saga.status) !== due.direction || saga.current_step !== due.step.no) return false;
  const claim = await readClaim(tx, due);
  return claim?.status === 'running' && claim.attempt === attempt;
}
