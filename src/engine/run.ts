import { withLogContext } from '../kernel/log-context.ts';
import { createRunSlots } from '../kernel/run-slots.ts';
import { inSpan } from '../kernel/telemetry/tracing.ts';
import { type ConclusionParts, createConclusion } from './conclude.ts';
import { decide } from './decide.ts';
import type { SagaDefinition } from './definition.ts';
import { isRefusal, orDefer, StepDeferred } from './errors.ts';
import { following } from './following.ts';
import { holdOf } from './holds.ts';
import { logContextOf, measureEnd, runSpan } from './measured.ts';
import { createRunMemory } from './memory.ts';
import type { Ran, RunResult } from './runners/result.ts';
import { createRunner, type RunnerParts } from './runners/runner.ts';
import type { DueStep } from './state.ts';
import { createStateLoader, type LoadState } from './store/load.ts';
import { checkAtOnce } from './store/sagas.ts';
import { STATEMENT_SLOTS } from './store/slots.ts';
import type { StepOutcome, StepPointer } from './types.ts';

export interface ExecutorParts extends ConclusionParts, RunnerParts {
  readonly definitionOf: (name: string, version: number) => SagaDefinition | undefined;
  /** Absent: as the database has it. */
  readonly load?: LoadState;
}

/** Throws `StepRetry` (the job is to be tried again, with back-off) and `StepDeferred` (the job waits; no attempt is used). */
export type ExecuteStep = (pointer: StepPointer, signal: AbortSignal) => Promise<StepOutcome>;

/**
 * Runs the step that a job points at, if Postgres says that it is due, and goes on with the next due steps right after
 * each commit ("run-on"). Their own jobs then find them done; they stay wake-up, retry and recovery anchor. Run-on
 * ends at an external step, at the end, at a step that is not due, and at any error: the error belongs to that step's
 * own job, with its own attempts. Only a refusal that undoes the saga is concluded at once.
 */
export function createExecutor(parts: ExecutorParts): ExecuteStep {
  const load = parts.load ?? createStateLoader(parts.db);
  const slots = createRunSlots(STATEMENT_SLOTS);
  const run = createRunner(parts, slots);
  const { conclude, turnBack } = createConclusion(parts, slots);
  const memory = createRunMemory();

  return async (pointer, signal) => {
    const known = memory.outcomeOf(pointer);
    if (known) return known;
    if (pointer.step === 0) return orDefer(() => settle(pointer.sagaId));
    const state = await orDefer(() => load(pointer.sagaId));
    if (!state) return { outcome: 'skipped', reason: 'unknown-saga' };
    const definition = parts.definitionOf(state.name, state.definitionVersion);
    if (!definition)
      throw new StepDeferred(`saga ${state.name} version ${state.definitionVersion} is not known to this build`);
    const decision = decide(state, definition, pointer);
    if (decision.kind === 'done') return { outcome: 'done', steps: 0 };
    if (decision.kind === 'skip') return { outcome: 'skipped', reason: decision.reason };
    const due = { state, definition, step: decision.step, direction: pointer.direction };
    // The job waits, and no attempt is used.
    if (holdOf(state.holds, due)) throw new StepDeferred(`${state.name}.${decision.step.name} is paused`);
    return withLogContext(logContextOf(state), () => inSpan(...runSpan(due), () => runOn(due, signal)));
  };

  async function runOn(first: DueStep, signal: AbortSignal): Promise<StepOutcome> {
    let due: DueStep | undefined = first;
    let steps = 0;
    while (due && mayRun(due, steps, signal) && !holdOf(due.state.holds, due)) {
      const refusal = memory.takeRefusal(due);
      const ran: readonly Ran[] = refusal ? [{ due, result: refusal }] : await run(due, signal);
      due = undefined;
      for (const { due: at, result } of ran) {
        if (result.kind !== 'advanced') {
          if (steps === 0) return conclude(at, result);
          if (result.kind === 'failed' && isRefusal(result.error)) await refused(at, result);
          return { outcome: 'done', steps };
        }
        steps += 1;
        const { nextStep, notified } = result.advanced;
        memory.advanced(at, nextStep);
        if (nextStep === null) measureEnd(at);
        if (nextStep === null && !notified) parts.onAnswer(at.state.id);
        due = following(at, result.advanced);
      }
    }
    return { outcome: 'done', steps };
  }

  /** Run-on has met a refusal, which no attempt can change: the saga turns round now, if nobody has to be asked first. */
  async function refused(due: DueStep, result: Extract<RunResult, { kind: 'failed' }>): Promise<void> {
    const outcome = await turnBack(due, result.error);
    if (outcome?.outcome === 'ended') memory.turned(due, outcome.code);
    else if (outcome === null) memory.refused(due, result);
  }

  /**
   * The root of a forward flow, which runs when all its jobs have. It reads Postgres only: a saga that is open all the
   * same is due for a check by the reconciler at once.
   */
  async function settle(sagaId: string): Promise<StepOutcome> {
    const isOpen = await checkAtOnce(parts.db, sagaId);
    return isOpen ? { outcome: 'skipped', reason: 'not-due' } : { outcome: 'done', steps: 0 };
  }
}

/** A call runs only in its own job, which may be aborted while it runs; a local step is not begun any more then. */
const mayRun = ({ step }: DueStep, steps: number, signal: AbortSignal): boolean =>
  step.kind === 'call' ? steps === 0 : !signal.aborted;
