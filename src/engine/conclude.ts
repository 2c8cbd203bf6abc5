import type { Db } from '../db/client.ts';
import { classifyDbError } from '../db/errors.ts';
import { CircuitOpenError, isErrorCode, RoomyError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/log.ts';
import type { RunSlots } from '../kernel/run-slots.ts';
import { recordError } from './answers.ts';
import { COMPENSATION_RETRY } from './definition.ts';
import { deferIfUnreachable, isOwnRefusal, orDefer, StepRetry } from './errors.ts';
import { createFailStep, noteAttempt, turns } from './fail.ts';
import type { Failpoint } from './failpoint.ts';
import type { Publish } from './flow-order.ts';
import { measureFailure, measureRetry } from './measured.ts';
import { releaseCall } from './runners/call.ts';
import type { ClaimedCall, RunResult } from './runners/result.ts';
import { contextOf, type DueStep, placeOf } from './state.ts';
import type { Failure, RetryPolicy } from './step.ts';
import type { StepOutcome } from './types.ts';

export interface ConclusionParts {
  readonly db: Db;
  readonly log: Logger;
  readonly publish: Publish;
  /** Called after the commit that ended or parked a saga, so that waiting requests can be answered. */
  readonly onAnswer: (sagaId: string) => void;
  readonly failpoint: Failpoint;
}

/**
 * The end of a job whose step did not advance: counted for another attempt, or failed for good. Throws `StepRetry` and
 * `StepDeferred`.
 */
export type Conclude = (due: DueStep, result: Exclude<RunResult, { kind: 'advanced' }>) => Promise<StepOutcome>;

export interface Conclusion {
  readonly conclude: Conclude;
  /**
   * The saga turns round because a local step has refused, outside of that step's own job. Null: nothing was done, as the step
   * has not refused for good, or its saga would wait for a person, who finds it by its job.
   */
  readonly turnBack: (due: DueStep, thrown: unknown) => Promise<StepOutcome | null>;
}

/** Makes the functions that turn the result of a step into the saga's next state. */
export function createConclusion(parts: ConclusionParts, slots: RunSlots): Conclusion {
  const { db } = parts;
  const failStep = createFailStep(db, slots);
  return { conclude, turnBack };

  async function turnBack(due: DueStep, thrown: unknown): Promise<StepOutcome | null> {
    const error = await explained(db, due, thrown);
    if (!isOwnRefusal(error)) return null;
    const failure = { error: recordError(error, due.step), refused: true, attempt: null };
    return turns(due, failure) ? fail(due, error, failure) : null;
  }

  async function conclude(due: DueStep, result: Parameters<Conclude>[1]): Promise<StepOutcome> {
    switch (result.kind) {
      case 'not-due':
        return due.step.kind === 'call' ? NOT_DUE : { outcome: 'done', steps: 0 };
      case 'waits':
        return { outcome: 'done', steps: 1 };
      case 'leased':
        return { outcome: 'later', at: result.until };
      case 'cut-short': {
        const error = new RoomyError('STEP_FAILED', { text: 'Every attempt of this step was cut short' });
        return fail(due, error, { refused: false, attempt: null });
      }
      case 'failed':
        return result.claim ? concludeCall(due, result.error, result.claim) : concludeLocal(due, result.error);
    }
  }

  async function concludeLocal(due: DueStep, thrown: unknown): Promise<StepOutcome> {
    deferIfUnreachable(thrown);
    const error = await explained(db, due, thrown);
    if (isOwnRefusal(error)) return fail(due, error, { refused: true, attempt: null });
    const noted = await orDefer(() => noteAttempt(db, due, recordError(error, due.step)));
    if (noted === 'stale') return NOT_DUE;
    if (noted === 'noted') throw retried(due, error);
    return fail(due, error, { refused: false, attempt: null });
  }

  /** The call failed, or its answer could not be booked. */
  async function concludeCall(due: DueStep, error: unknown, claim: ClaimedCall): Promise<StepOutcome> {
    const { step, direction } = due;
    const { attempt } = claim;
    const isFree = error instanceof CircuitOpenError;
    const refused =
      isOwnRefusal(error) || (isFree && direction === 'F' && step.onOpenCircuit === 'refuse' && !claim.inDoubt);
    if (refused || (!isFree && attempt >= claim.maxAttempts)) return fail(due, error, { refused, attempt });
    const release = { error: recordError(error, step), unsent: isUnsent(error), isFree };
    if (!(await orDefer(() => releaseCall(db, due, attempt, release)))) return NOT_DUE;
    if (isFree) return { outcome: 'later', at: error.until };
    throw retried(due, error);
  }

  async function fail(
    due: DueStep,
    error: unknown,
    { refused, attempt }: { readonly refused: boolean; readonly attempt: number | null },
  ): Promise<StepOutcome> {
    const { state, step, direction } = due;
    const place = placeOf(due);
    const recorded = recordError(error, step);
    await parts.failpoint('before-fail', place);
    const failure = { error: recorded, refused, attempt, unsent: isUnsent(error) };
    const outcome = await orDefer(() => failStep(due, failure));
    await parts.failpoint('after-fail', place);
    if (outcome.kind === 'stale') return NOT_DUE;
    const { code } = recorded;
    measureFailure(due, outcome, code);
    parts.log[refused ? 'info' : 'error'](
      {
        ...{ sagaId: state.id, saga: state.name, step: step.name, direction, code, became: outcome.kind },
        ...(refused ? {} : { err: error }),
      },
      'step failed',
    );
    if (outcome.kind === 'compensating') parts.publish(outcome.flow);
    else parts.onAnswer(state.id);
    return { outcome: 'ended', code, refused: refused && outcome.kind !== 'parked' };
  }
}

/** A broken constraint, an empty statement or a refusal, as the refusal that the caller understands. */
async function explained(db: Db, due: DueStep, error: unknown): Promise<unknown> {
  const failure = failureOf(error);
  if (!failure) return error;
  const { explain } = due.step;
  if (due.direction === 'F' && explain) {
    const refusal = await orDefer(() => explain({ ...contextOf(due), db, failure }));
    if (refusal) return refusal;
  }
  return 'code' in failure ? new RoomyError(failure.code) : error;
}

const NOT_DUE: StepOutcome = { outcome: 'skipped', reason: 'not-due' };

const isUnsent = (error: unknown): boolean => error instanceof RoomyError && error.unsent;

function retried(due: DueStep, error: unknown): StepRetry {
  measureRetry(due, recordError(error, due.step).code);
  return new StepRetry(error, retryOf(due));
}

const retryOf = ({ step, direction }: DueStep): RetryPolicy => (direction === 'F' ? step.retry : COMPENSATION_RETRY);

function failureOf(error: unknown): Failure | null {
  const cause = classifyDbError(error);
  if (cause.kind === 'refused' && isErrorCode(cause.code)) return { code: cause.code };
  if (cause.kind === 'constraint') return { constraint: cause.constraint };
  return isOwnRefusal(error) ? { refusal: error } : null;
}
