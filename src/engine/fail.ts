import type { Db, Tx } from '../db/client.ts';
import { retryContention } from '../db/errors.ts';
import type { AuditNote } from '../domain/audit/record.ts';
import { effectKey } from '../kernel/ids.ts';
import type { RunSlots } from '../kernel/run-slots.ts';
import type { RecordedError } from './answers.ts';
import { auditNote } from './audit-note.ts';
import type { FailOutcome } from './fail-outcome.ts';
import { parkSaga } from './park.ts';
import { type DueStep, directionOf } from './state.ts';
import type { StepDefinition } from './step.ts';
import { failAttempt } from './store/attempts.ts';
import { writeAudit } from './store/audit.ts';
import { lockSaga } from './store/sagas.ts';
import { countFailedAttempt, recordStepFailed } from './store/steps.ts';
import { createTurn } from './store/turn.ts';
import { alertsOfUndoing, undoingAlert, undoSaga } from './undo.ts';

export interface FinalFailure {
  readonly error: RecordedError;
  /** A refusal is an answer; anything else has used up its retries. */
  readonly refused: boolean;
  /** Of an external step: only the attempt that holds the claim may fail it. Null when nobody holds it. */
  readonly attempt: number | null;
  /** The failing attempt certainly never reached the other side. */
  readonly unsent?: boolean;
}

/** `failStep`, by one statement where that can be, together with other sagas. */
export type FailStep = (due: DueStep, failure: FinalFailure) => Promise<FailOutcome>;

/** Makes the function that fails steps; its statements need slots like those of the steps. */
export function createFailStep(db: Db, slots: RunSlots): FailStep {
  const turn = createTurn(db, slots);
  return async (due, failure) => {
    const { state, step } = due;
    if (!turns(due, failure)) return failStep(db, due, failure);
    const { no, name, class: stepClass, maxAttempts } = step;
    const turned = await retryContention(() =>
      turn({
        saga_id: state.id,
        generation: state.generation,
        step: { no, name, class: stepClass, maxAttempts },
        error: failure.error,
        note: failureNote(due, failure.error),
        alert: alertsOfUndoing(step, failure.error) ? undoingAlert(due, failure.error) : null,
      }),
    );
    if (!turned) return failStep(db, due, failure);
    const { outboxId, generation, steps } = turned;
    return {
      kind: 'compensating',
      flow: {
        outboxId,
        sagaId: state.id,
        name: state.name,
        version: state.definitionVersion,
        direction: 'C',
        generation,
        steps,
      },
    };
  };
}

/** Whether it is a local step that nobody holds, and whose saga is undone then. With nothing to undo it ends at once, by `failStep`. */
export function turns(due: DueStep, failure: FinalFailure): boolean {
  const { step, direction } = due;
  const isLocal = step.kind !== 'call' && step.kind !== 'wait' && failure.attempt === null;
  return direction === 'F' && isLocal && !isPastPivot(due) && !waitsForPerson(step, failure);
}

const waitsForPerson = (step: StepDefinition, { error, refused }: FinalFailure): boolean =>
  refused ? step.parksOn.includes(error.code) : step.onExhausted === 'park';

/** The audit note of a step that has failed for good. */
export const failureNote = ({ state, step, direction }: DueStep, error: RecordedError): AuditNote =>
  auditNote(state, direction === 'F' ? 'STEP_FAILED' : 'COMPENSATION_FAILED', {
    outcome: 'failed',
    effectKey: effectKey(state.id, step.no, direction),
    details: { step: step.name, code: error.code },
  });

/**
 * TF and TP of guarantees.md 2.4: the step fails for good, and in the same commit the saga turns round, or waits for a
 * person. Does nothing when the step is no longer due, or is claimed by another attempt.
 */
export function failStep(db: Db, due: DueStep, failure: FinalFailure): Promise<FailOutcome> {
  return retryContention(() => db.transaction().execute((tx) => failWithin(tx, due, failure)));
}

/** `failStep` in the caller's transaction. */
export async function failWithin(tx: Tx, due: DueStep, failure: FinalFailure): Promise<FailOutcome> {
  const { state, step, direction } = due;
  const { error, attempt } = failure;
  const saga = await lockSaga(tx, state.id);
  if (!saga || directionOf(saga.status) !== direction) return { kind: 'stale' };
  if (saga.current_step !== step.no) return { kind: 'stale' };
  // The holder of a claim may fail its step whatever generation is being dispatched: its token is the fence.
  if (attempt === null && saga.generation !== state.generation) return { kind: 'stale' };
  if (!(await recordStepFailed(tx, due, error, attempt))) return { kind: 'stale' };
  if (attempt !== null) await failAttempt(tx, due, attempt, { unsent: failure.unsent ?? false, error });
  await writeAudit(tx, state.id, failureNote(due, error));
  if (direction === 'C' || isPastPivot(due) || waitsForPerson(step, failure))
    return parkSaga(tx, due, saga.version, error);
  return undoSaga(tx, due, saga, error);
}

/** Behind the point of no return there is only forward, for a read as well, whose own class does not show it. */
export const isPastPivot = ({ definition, step }: DueStep): boolean =>
  step.class === 'RETRIABLE' || definition.steps.some((one) => one.class === 'PIVOT' && one.no < step.no);

/** `noted`: another attempt follows. `exhausted`: the attempt now failing is the last one; nothing was written. */
export type RetryNote = 'noted' | 'exhausted' | 'stale';

/** Counts a failed attempt of a local step in Postgres, where a re-dispatch or a crash cannot reset it. */
export function noteAttempt(db: Db, due: DueStep, error: RecordedError): Promise<RetryNote> {
  const { state, step, direction } = due;
  return retryContention(() =>
    db.transaction().execute(async (tx) => {
      const saga = await lockSaga(tx, state.id);
      if (!saga || directionOf(saga.status) !== direction) return 'stale';
      if (saga.current_step !== step.no || saga.generation !== state.generation) return 'stale';
      return (await countFailedAttempt(tx, due, error)) ? 'noted' : 'exhausted';
    }),
  );
}
