import type { Db } from '../../db/client.ts';
import type { Ports } from '../../domain/ports.ts';
import type { RunSlots } from '../../kernel/run-slots.ts';
import { deferIfUnreachable } from '../errors.ts';
import type { Failpoint } from '../failpoint.ts';
import type { DueStep } from '../state.ts';
import type { Advanced } from '../store/fused.ts';
import { claimCall, recordCall, sendCall } from './call.ts';
import type { RunResult } from './result.ts';
import { createLocalRunner } from './statement.ts';
import { beginWait } from './wait.ts';

export interface RunnerParts {
  readonly db: Db;
  readonly ports: Ports;
  readonly workerId: string;
  readonly failpoint: Failpoint;
}

/** Runs one step as its kind asks. Throws only `StepDeferred`. */
export type RunStep = (due: DueStep, signal: AbortSignal) => Promise<RunResult>;

/** Makes the function that runs one due step: a call with its lease, anything else in one transaction. */
export function createRunner({ db, ports, workerId, failpoint }: RunnerParts, slots: RunSlots): RunStep {
  const runLocal = createLocalRunner(db, ports, slots);
  return (due, signal) => (due.step.kind === 'call' ? runCall(due, signal) : run(due));

  async function run(due: DueStep): Promise<RunResult> {
    const place = placeOf(due);
    try {
      await failpoint('before-step', place);
      const advanced = await (due.step.kind === 'wait' ? beginWait(db, due) : runLocal(due));
      await failpoint('after-commit', place);
      if (advanced === 'waits') return { kind: 'waits' };
      return advanced ? { kind: 'advanced', advanced } : { kind: 'not-due' };
    } catch (error) {
      return { kind: 'failed', error, claim: null };
    }
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

/** Saga, step and direction, as failpoints name them. */
export const placeOf = ({ state, step, direction }: DueStep) => ({ sagaId: state.id, step: step.name, direction });
