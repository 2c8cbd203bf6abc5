import { sql } from 'kysely';
import type { Db } from '../db/client.ts';
import { classifyDbError } from '../db/errors.ts';
import type { Direction } from '../db/schema.ts';
import type { Ports } from '../domain/ports.ts';
import { CircuitOpenError, type ErrorCode, isErrorCode, kindOfError, RoomyError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/log.ts';
import { type Claim, type ClaimedStep, claimCall, recordCall, releaseCall, sendCall } from './call.ts';
import {
  COMPENSATION_RETRY,
  type Failure,
  type RetryPolicy,
  type SagaDefinition,
  type StepDefinition,
} from './definition.ts';
import { recordError } from './ending.ts';
import { type FailOutcome, failStep, noteAttempt } from './fail.ts';
import type { Failpoint } from './failpoint.ts';
import type { Advanced } from './fused.ts';
import { createLocalRunner } from './local.ts';
import type { Publish } from './outbox.ts';
import { contextOf, createStateLoader, decide, type SagaState } from './state.ts';
import type { StepOutcome, StepPointer } from './types.ts';

export interface ExecutorParts {
  readonly db: Db;
  readonly log: Logger;
  readonly workerId: string;
  readonly definitionOf: (name: string, version: number) => SagaDefinition | undefined;
  readonly publish: Publish;
  /** Told after the commit that ended or parked a saga: those who wait for it can be answered. */
  readonly onAnswer: (sagaId: string) => void;
  readonly failpoint: Failpoint;
  readonly ports: Ports;
}

/** The step may succeed later: the job is to be tried again, with back-off. */
export class StepRetry extends Error {
  override readonly name = 'StepRetry';
  readonly policy: RetryPolicy;
  constructor(cause: unknown, policy: RetryPolicy) {
    // Bull Board shows it.
    super(kindOfError(cause), { cause });
    this.policy = policy;
  }
}
/** Postgres cannot be reached, or the definition is not known to this build: the job waits, and no attempt is used. */
export class StepDeferred extends Error {
  override readonly name = 'StepDeferred';
}

export type ExecuteStep = (pointer: StepPointer, signal: AbortSignal) => Promise<StepOutcome>;

/** Sagas that this process remembers having moved; only spares look-ups, decides nothing that Postgres has not. */
const MEMO_SIZE = 20_000;

/**
 * Runs the step that a job points at, if Postgres says that it is due, and goes on with the next due steps right after
 * each commit ("run-on"). Their own jobs then find them done; they stay wake-up, retry and recovery anchor. Run-on
 * ends at an external step, at the end, at a step that is not due, and at any error: the error belongs to that step's
 * own job, with its own attempts.
 */
export function createExecutor(parts: ExecutorParts): ExecuteStep {
  const load = createStateLoader(parts.db);
  const local = createLocalRunner(parts.db, parts.ports);
  const memo = new Map<
    string,
    { readonly generation: number; readonly direction: Direction; readonly dueStep: number | null }
  >();

  function remember(state: SagaState, direction: Direction, dueStep: number | null): void {
    memo.set(state.id, { generation: state.generation, direction, dueStep });
    if (memo.size > MEMO_SIZE) memo.delete(memo.keys().next().value ?? '');
  }

  /** What a step refused during run-on, so that its own job need not ask again. */
  const refusals = new Map<string, { readonly key: string; readonly error: unknown }>();
  function rememberRefusal(sagaId: string, key: string, error: unknown): void {
    refusals.set(sagaId, { key, error });
    if (refusals.size > MEMO_SIZE) refusals.delete(refusals.keys().next().value ?? '');
  }

  function knownDone({ sagaId, step, direction, generation }: StepPointer): boolean {
    const known = memo.get(sagaId);
    if (!known || known.generation !== generation || known.direction !== direction) return false;
    if (known.dueStep === null || step === 0) return known.dueStep === null;
    return direction === 'F' ? step < known.dueStep : step > known.dueStep;
  }

  return async (pointer, signal) => {
    if (knownDone(pointer)) return { outcome: 'done', steps: 0 };
    if (pointer.step === 0) return orDefer(() => settle(parts.db, pointer.sagaId));
    const state = await orDefer(() => load(pointer.sagaId));
    if (!state) return { outcome: 'skipped', reason: 'unknown-saga' };
    const definition = parts.definitionOf(state.name, state.definitionVersion);
    if (!definition)
      throw new StepDeferred(`saga ${state.name} version ${state.definitionVersion} is not known to this build`);
    const decision = decide(state, definition, pointer);
    if (decision.kind === 'done') return { outcome: 'done', steps: 0 };
    if (decision.kind === 'skip') return { outcome: 'skipped', reason: decision.reason };
    if (decision.step.kind === 'call')
      return runCall({ state, definition, step: decision.step, direction: pointer.direction }, signal);
    return runLocal(state, definition, decision.step, pointer.direction, signal);
  };

  async function runLocal(
    state: SagaState,
    definition: SagaDefinition,
    first: StepDefinition,
    direction: Direction,
    signal: AbortSignal,
  ): Promise<StepOutcome> {
    let current = state;
    let step: StepDefinition | undefined = first;
    let steps = 0;
    while (step && step.kind !== 'call' && !signal.aborted) {
      const place = { sagaId: state.id, step: step.name, direction };
      let advanced: Advanced | null;
      const told = refusals.get(place.sagaId);
      if (told?.key === `${step.no}${direction}${current.generation}`) {
        refusals.delete(place.sagaId);
        return onLocalError(current, definition, step, direction, told.error);
      }
      try {
        await parts.failpoint('before-step', place);
        advanced = await local.run(current, definition, step, direction);
        await parts.failpoint('after-commit', place);
      } catch (error) {
        if (steps > 0) {
          if (isRefusal(error)) rememberRefusal(place.sagaId, `${step.no}${direction}${current.generation}`, error);
          break;
        }
        return onLocalError(current, definition, step, direction, error);
      }
      if (!advanced) break;
      steps += 1;
      remember(state, direction, advanced.nextStep);
      if (advanced.nextStep === null) parts.onAnswer(state.id);
      const done = direction === 'F' ? { ...current.done, [step.name]: advanced.output } : current.done;
      current = { ...current, done, status: direction === 'F' ? 'running' : 'compensating' };
      step = advanced.nextStep === null ? undefined : definition.steps[advanced.nextStep - 1];
    }
    return { outcome: 'done', steps };
  }

  async function onLocalError(
    state: SagaState,
    definition: SagaDefinition,
    step: StepDefinition,
    direction: Direction,
    thrown: unknown,
  ): Promise<StepOutcome> {
    deferIfUnreachable(thrown);
    const error = await understood(state, definition, step, direction, thrown);
    const recorded = recordError(error, step);
    const refused = error instanceof RoomyError && error.kind === 'refusal';
    const failure = {
      definition,
      step,
      direction,
      generation: state.generation,
      error: recorded,
      refused,
      attempt: null,
    };
    if (!refused) {
      const noted = await orDefer(() => noteAttempt(parts.db, state, failure));
      if (noted === 'stale') return { outcome: 'skipped', reason: 'not-due' };
      if (noted === 'noted') throw new StepRetry(error, direction === 'F' ? step.retry : COMPENSATION_RETRY);
    }
    return concludeFailure(state, failure, error);
  }

  async function concludeFailure(
    state: SagaState,
    failure: Parameters<typeof failStep>[2],
    error: unknown,
  ): Promise<StepOutcome> {
    const { step, direction } = failure;
    const place = { sagaId: state.id, step: step.name, direction };
    await parts.failpoint('before-fail', place);
    const outcome: FailOutcome = await orDefer(() => failStep(parts.db, state, failure));
    await parts.failpoint('after-fail', place);
    if (outcome.kind === 'stale') return { outcome: 'skipped', reason: 'not-due' };
    parts.log[failure.refused ? 'info' : 'error'](
      {
        sagaId: state.id,
        saga: state.name,
        step: step.name,
        direction,
        code: failure.error.code,
        became: outcome.kind,
        ...(failure.refused ? {} : { err: error }),
      },
      'step failed',
    );
    if (outcome.kind === 'compensating') parts.publish(outcome.flow);
    if (outcome.kind === 'compensated' || outcome.kind === 'parked') parts.onAnswer(state.id);
    return { outcome: 'ended', code: failure.error.code };
  }

  async function runCall(claimed: ClaimedStep, signal: AbortSignal): Promise<StepOutcome> {
    const { state, step, direction } = claimed;
    const place = { sagaId: state.id, step: step.name, direction };
    await parts.failpoint('before-step', place);
    let claim: Claim;
    try {
      claim = await claimCall(parts.db, claimed, parts.workerId);
    } catch (error) {
      return onLocalError(state, claimed.definition, step, direction, error);
    }
    if (claim.kind === 'not-due') return { outcome: 'skipped', reason: 'not-due' };
    if (claim.kind === 'leased') return { outcome: 'later', at: claim.until };
    if (claim.kind === 'exhausted')
      return failCall(
        claimed,
        null,
        new RoomyError('STEP_FAILED', { text: 'Every attempt of this step was cut short' }),
        false,
      );
    await parts.failpoint('after-claim', place);
    let advanced: Advanced | null;
    try {
      const answer = await sendCall(claimed, claim, parts.ports, signal);
      await parts.failpoint('after-call', place);
      advanced = await recordCall(parts.db, claimed, claim.attempt, answer, parts.failpoint);
    } catch (error) {
      deferIfUnreachable(error);
      return onCallError(claimed, claim, error);
    }
    await parts.failpoint('after-commit', place);
    if (!advanced) return { outcome: 'skipped', reason: 'not-due' };
    remember(state, direction, advanced.nextStep);
    if (advanced.nextStep === null) parts.onAnswer(state.id);
    return { outcome: 'done', steps: 1 };
  }

  /** The call failed, or what it answered could not be booked. */
  async function onCallError(
    claimed: ClaimedStep,
    claim: Extract<Claim, { kind: 'claimed' }>,
    error: unknown,
  ): Promise<StepOutcome> {
    const { step, direction } = claimed;
    const open = error instanceof CircuitOpenError;
    const refused =
      (error instanceof RoomyError && error.kind === 'refusal') ||
      (open && direction === 'F' && step.whenOpen === 'refuse' && !claim.inDoubt);
    if (refused || (!open && claim.attempt >= claim.maxAttempts)) {
      return failCall(claimed, claim.attempt, error, refused);
    }
    const unsent = error instanceof RoomyError && error.unsent;
    const release = { error: recordError(error, step), unsent, free: open };
    if (!(await orDefer(() => releaseCall(parts.db, claimed, claim.attempt, release)))) {
      return { outcome: 'skipped', reason: 'not-due' };
    }
    if (open) return { outcome: 'later', at: error.until };
    throw new StepRetry(error, direction === 'F' ? step.retry : COMPENSATION_RETRY);
  }

  function failCall(
    claimed: ClaimedStep,
    attempt: number | null,
    error: unknown,
    refused: boolean,
  ): Promise<StepOutcome> {
    const { state, definition, step, direction } = claimed;
    const recorded = recordError(error, step);
    return concludeFailure(
      state,
      {
        definition,
        step,
        direction,
        generation: state.generation,
        error: recorded,
        refused,
        attempt,
        unsent: error instanceof RoomyError && error.unsent,
      },
      error,
    );
  }

  /** A broken constraint, an empty statement or a refusal, as the refusal that the caller understands. */
  async function understood(
    state: SagaState,
    definition: SagaDefinition,
    step: StepDefinition,
    direction: Direction,
    error: unknown,
  ): Promise<unknown> {
    const cause = classifyDbError(error);
    let failure: Failure | null = null;
    if (error instanceof RoomyError && error.kind === 'refusal') failure = { refusal: error };
    if (cause.kind === 'constraint') failure = { constraint: cause.constraint };
    if (cause.kind === 'refused' && isErrorCode(cause.code)) failure = { code: cause.code };
    if (!failure) return error;
    if (direction === 'F' && step.explain) {
      const context = contextOf(state, step.no, direction, definition.input.parse(state.input));
      const { explain } = step;
      const refusal = await orDefer(() => explain({ ...context, db: parts.db, failure }));
      if (refusal) return refusal;
    }
    return 'code' in failure ? new RoomyError(failure.code as ErrorCode) : error;
  }
}

/**
 * The root of a forward flow, which runs when all its jobs have. It reads Postgres only: a saga that is open all the
 * same is due for a check by the reconciler at once.
 */
async function settle(db: Db, sagaId: string): Promise<StepOutcome> {
  const { numUpdatedRows } = await db
    .updateTable('saga')
    .set({ next_check_at: sql`now()` })
    .where('id', '=', sagaId)
    .where('status', 'in', ['pending', 'running'])
    .executeTakeFirst();
  return numUpdatedRows === 0n ? { outcome: 'done', steps: 0 } : { outcome: 'skipped', reason: 'not-due' };
}

/** The step said no, by its own words or by a constraint's. */
function isRefusal(error: unknown): boolean {
  const { kind } = classifyDbError(error);
  return kind === 'refused' || kind === 'constraint' || (error instanceof RoomyError && error.kind === 'refusal');
}

function deferIfUnreachable(error: unknown): void {
  if (classifyDbError(error).kind === 'unreachable')
    throw new StepDeferred('Postgres cannot be reached', { cause: error });
}

async function orDefer<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    deferIfUnreachable(error);
    throw error;
  }
}
