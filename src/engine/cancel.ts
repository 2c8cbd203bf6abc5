import type { Tx } from '../db/client.ts';
import { CATALOGUE } from '../kernel/errors.ts';
import type { RecordedError } from './answers.ts';
import { failureNote, isPastPivot } from './fail.ts';
import type { FailOutcome } from './fail-outcome.ts';
import { holdOf } from './holds.ts';
import { type DefinitionOf, dueIn, type Locked, lockForAct, notNow, operatorNote } from './operator.ts';
import { resolutionOf } from './resolution.ts';
import type { DueStep } from './state.ts';
import { endAttempt, mayHaveActed } from './store/attempts.ts';
import { writeAudit } from './store/audit.ts';
import { backsOff, pendingCompensations, readClaim, recordStepFailed } from './store/steps.ts';
import type { Intervention } from './types.ts';
import { undoSaga } from './undo.ts';

export interface Cancelled {
  readonly due: DueStep;
  readonly outcome: FailOutcome;
}

/**
 * A person stops a saga before its point of no return, and what it has done is undone in reverse. The caller of its request is answered
 * `SAGA_CANCELLED`, with the reason. Under the saga's row lock: a local step that is running commits before, and is undone, or finds
 * that it is not due any more. Throws `SAGA_NOT_FOUND`, `INVALID_STATE_TRANSITION` (it has ended, is being undone, is past its point of
 * no return, sends what is owed, or a call of it is under way), `SERVICE_UNAVAILABLE`.
 */
export async function cancelWithin(
  tx: Tx,
  definitionOf: DefinitionOf,
  intervention: Intervention & { readonly reason: string },
): Promise<Cancelled> {
  const locked = await lockForAct(tx, definitionOf, intervention.sagaId);
  const { saga, state } = locked;
  const due = await cancellable(tx, locked);
  const error: RecordedError = {
    code: 'SAGA_CANCELLED',
    text: CATALOGUE.SAGA_CANCELLED.text,
    failedStep: due.step.name,
    step: due.step.no,
    retryable: false,
    details: { reason: intervention.reason, cancelledBy: intervention.by },
  };
  // What stopped a parked one stays with its step.
  if (saga.status !== 'parked') {
    await recordStepFailed(tx, due, error, null);
    await writeAudit(tx, state.id, failureNote(due, error));
  }
  const note = { step: due.step.no, reason: intervention.reason };
  await writeAudit(tx, state.id, operatorNote(state, intervention, 'SAGA_CANCELLED', note));
  return { due, outcome: await undoSaga(tx, due, saga, error) };
}

/** What a person can do now with a saga on its way forward that is not cancelled any more, as the end of a sentence. */
async function handsAt(tx: Tx, { saga, definition }: Locked, due: DueStep): Promise<string> {
  const { step, state } = due;
  const claim = await readClaim(tx, due);
  const isParked = saga.status === 'parked';
  const stands = (isParked && claim?.leased !== true) || backsOff(claim);
  const at = { step: step.no, direction: 'F', code: claim?.error_code ?? null, toUndo: 0 } as const;
  const hands = [
    ...(isParked ? ['retry it'] : []),
    ...(!isParked && holdOf(state.holds, due) ? ['release its hold'] : []),
    ...(!isParked && stands && !holdOf(state.holds, due) ? ['retry it now'] : []),
    ...(stands && step.skippable ? ['skip this step'] : []),
    ...(isParked && stands && resolutionOf(definition.steps, at).refused === null ? ['resolve it'] : []),
  ];
  return hands.length === 0 ? 'it does so by itself' : hands.join(', or ');
}

/** The step at which it stands, if everything up to there can be undone. */
async function cancellable(tx: Tx, locked: Locked): Promise<DueStep> {
  const { saga, state } = locked;
  const { status } = saga;
  if (status === 'compensating' || (await pendingCompensations(tx, state.id)).length > 0)
    throw notNow('It is being undone already', { status });
  if (status !== 'pending' && status !== 'running' && status !== 'parked')
    throw notNow('It has ended: there is nothing to cancel', { status });
  const due = dueIn(locked, 'F');
  const { step, definition } = due;
  if (isPastPivot(due))
    throw notNow(`It is past its point of no return, and can only go on: ${await handsAt(tx, locked, due)}`, {
      step: step.name,
    });
  if (definition.notCancelled !== undefined) throw notNow(definition.notCancelled, { saga: state.name });
  if (step.kind !== 'call') return due;
  const claim = await readClaim(tx, due);
  if (claim?.leased)
    throw notNow('A call of it is under way: cancel it again when that has ended, within seconds', {
      step: step.name,
      until: claim.lease_until?.toISOString() ?? null,
    });
  if (step.class === 'PIVOT' && (await mayHaveActed(tx, due)))
    throw notNow(`Its point of no return may have been passed: ${await handsAt(tx, locked, due)}`, {
      step: step.name,
    });
  // Its worker has died.
  if (claim?.status === 'running') await endAttempt(tx, due, claim.attempt, { outcome: 'abandoned' });
  return due;
}
