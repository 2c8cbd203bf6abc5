import type { Db } from '../../db/client.ts';
import { retryContention } from '../../db/errors.ts';
import type { Ports } from '../../domain/ports.ts';
import type { RunSlots } from '../../kernel/run-slots.ts';
import { type OpenSpan, openSpan } from '../../kernel/telemetry/tracing.ts';
import { deferIfUnreachable } from '../errors.ts';
import type { Failpoint } from '../failpoint.ts';
import { measureStep, stepSpan } from '../measured.ts';
import { type DueStep, placeOf } from '../state.ts';
import type { Advanced } from '../store/fused.ts';
import { createAhead } from './ahead.ts';
import { claimCall, recordCall, sendCall } from './call.ts';
import type { RunResult, RunSteps } from './result.ts';
import { createLocalSteps } from './statement.ts';
import { runInTransaction } from './tx.ts';
import { beginWait } from './wait.ts';

export interface RunnerParts {
  readonly db: Db;
  readonly ports: Ports;
  readonly workerId: string;
  readonly failpoint: Failpoint;
}

/** Makes the function that runs due steps: a call with its lease, anything else in one transaction. */
export function createRunner({ db, ports, workerId, failpoint }: RunnerParts, slots: RunSlots): RunSteps {
  const prepare = createLocalSteps(db, ports, slots);
  const runAhead = createAhead({
    db,
    failpoint,
    slots,
    prepare,
    runAlone: (due) => measured(due, (span) => run(due, span)),
  });
  return async (due, signal) =>
    due.step.kind === 'call'
      ? [{ due, result: await measured(due, (span) => span.within(() => runCall(due, signal))) }]
      : runAhead(due, signal);

  async function measured(due: DueStep, work: (span: OpenSpan) => Promise<RunResult>): Promise<RunResult> {
    const beganMs = performance.now();
    const span = openSpan(...stepSpan(due));
    try {
      const result = await work(span);
      const outcome = measureStep(due, result, beganMs);
      if (outcome !== 'advanced') span.set({ 'roomy.step.outcome': outcome });
      span.end();
      return result;
    } catch (error) {
      span.end(error);
      throw error;
    }
  }

  async function run(due: DueStep, span: OpenSpan): Promise<RunResult> {
    const place = placeOf(due);
    try {
      await failpoint('before-step', place);
      const advanced = await (due.step.kind === 'wait' ? span.within(() => beginWait(db, due)) : runLocal(due, span));
      await failpoint('after-commit', place);
      if (advanced === 'waits') return { kind: 'waits' };
      return advanced ? { kind: 'advanced', advanced } : { kind: 'not-due' };
    } catch (error) {
      return { kind: 'failed', error, claim: null };
    }
  }

  /** Null when it was not due any more. Throws the step's own error; nothing of it is left behind then. */
  async function runLocal(due: DueStep, span: OpenSpan): Promise<Advanced | null> {
    // A step that only reads does its work here.
    const ready = await (due.step.class === 'READ' ? span.within(() => prepare(due)) : prepare(due));
    if (ready.kind === 'transaction') return span.within(() => runInTransaction(db, due, ready.work));
    // The statement is shared with other sagas: it belongs to their runs, not to one of their steps.
    return retryContention(() => ready.statement.run(ready.item));
  }

  async function runCall(due: DueStep, signal: AbortSignal): Promise<RunResult> {
    const place = placeOf(due);
    await failpoint('before-step', place);
    const claimed = await claimCall(db, due, workerId).catch((error: unknown) => ({ kind: 'failed', error }) as const);
    if (claimed.kind === 'failed') return { ...claimed, claim: null };
    if (claimed.kind === 'exhausted') return { kind: 'cut-short' };
    if (claimed.kind !== 'claimed') return claimed;
    await failpoint('after-claim', place);
    let advanced: Advanced | null;
    try {
      const answer = await sendCall(due, claimed, ports, signal);
      await failpoint('after-call', place);
      advanced = await recordCall(db, due, claimed.attempt, answer, failpoint);
    } catch (error) {
      deferIfUnreachable(error);
      return { kind: 'failed', error, claim: claimed };
    }
    await failpoint('after-commit', place);
    return advanced ? { kind: 'advanced', advanced } : { kind: 'not-due' };
  }
}
