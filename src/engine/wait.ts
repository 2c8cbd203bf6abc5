import type { Db, Tx } from '../db/client.ts';
import { retryContention } from '../db/errors.ts';
import { CATALOGUE, InvariantError } from '../kernel/errors.ts';
import type { RecordedError } from './answers.ts';
import { auditNote } from './audit-note.ts';
import { failWithin } from './fail.ts';
import type { FailOutcome } from './fail-outcome.ts';
import type { FlowOrder } from './flow-order.ts';
import { recordDone } from './record.ts';
import { remainingForward } from './resume.ts';
import { type DueStep, directionOf } from './state.ts';
import type { WaitWork } from './step.ts';
import { writeAudit } from './store/audit.ts';
import { orderFlow } from './store/outbox.ts';
import { lockSaga } from './store/sagas.ts';
import { readWait, releaseSaga } from './store/waits.ts';

/** How a wait ends: by its signal (`signal.ts`) or by its time (guarantees.md 2.10). The saga's row lock decides which. */

export function waitOf({ step }: Pick<DueStep, 'step'>): WaitWork {
  if (step.forward.kind !== 'wait') throw new InvariantError(`${step.name} is not a wait`);
  return step.forward;
}

/** TW: the wait is done, and what remains is ordered, in the caller's transaction, which holds the saga's lock. */
export async function endWait(
  tx: Tx,
  due: DueStep,
  saga: { readonly generation: number },
  output: unknown,
): Promise<FlowOrder> {
  const { state, definition, step } = due;
  const generation = saga.generation + 1;
  await releaseSaga(tx, due, generation);
  await recordDone(tx, due, output);
  const steps = remainingForward(step.no + 1, definition.steps.length);
  return orderFlow(tx, state, { direction: 'F', generation, steps, again: true });
}

/**
 * The time of a wait is up: the saga goes on without a signal, or the step fails with `WAIT_TIMED_OUT`. `stale`: a signal
 * was first, or the step does not wait any more.
 */
export function timeOutWait(
  db: Db,
  due: DueStep,
): Promise<FailOutcome | { readonly kind: 'continued'; readonly flow: FlowOrder }> {
  const { state, step } = due;
  return retryContention(() =>
    db.transaction().execute(async (tx) => {
      const saga = await lockSaga(tx, state.id);
      if (!saga || directionOf(saga.status) !== 'F') return { kind: 'stale' };
      if (saga.current_step !== step.no || saga.generation !== state.generation) return { kind: 'stale' };
      const wait = await readWait(tx, state.id, step.no);
      if (wait?.status !== 'waiting' || !wait.isOver) return { kind: 'stale' };
      if (waitOf(due).onTimeout === 'fail')
        return failWithin(tx, due, { error: timedOut(due), refused: true, attempt: null });
      const note = auditNote(state, 'WAIT_TIMED_OUT', { outcome: 'continued', details: { step: step.name } });
      await writeAudit(tx, state.id, note);
      return { kind: 'continued', flow: await endWait(tx, due, saga, { signal: null }) };
    }),
  );
}

const timedOut = ({ step }: DueStep): RecordedError => ({
  code: 'WAIT_TIMED_OUT',
  text: CATALOGUE.WAIT_TIMED_OUT.text,
  failedStep: step.name,
  step: step.no,
  retryable: false,
});
