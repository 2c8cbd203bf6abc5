import type { Tx } from '../db/client.ts';
import { InvariantError, RoomyError } from '../kernel/errors.ts';
import { errorOf, type PreparedEnd } from './answers.ts';
import type { FlowOrder } from './flow-order.ts';
import { type DefinitionOf, dueIn, lockForAct, notNow, operatorNote } from './operator.ts';
import { endOf, releasedAfter } from './record.ts';
import { SUPERSEDED_UNDO, superseded } from './resolution.ts';
import { remainingForward } from './resume.ts';
import { contextOf, type DueStep, directionOf } from './state.ts';
import type { StepDefinition } from './step.ts';
import { endAttempt } from './store/attempts.ts';
import { writeAudit } from './store/audit.ts';
import { orderFlow } from './store/outbox.ts';
import { advanceSaga, resumeSagaRow } from './store/sagas.ts';
import { backsOff, pendingCompensations, readClaim, recordStepSkipped } from './store/steps.ts';
import type { SkipAct } from './types.ts';

export interface Skipped {
  readonly due: DueStep;
  /** To be published once the transaction is committed; null: the saga has ended. */
  readonly flow: FlowOrder | null;
}

/**
 * A saga that is parked, or backs off, goes on behind the step at which it stands, as if that had done nothing, or ends when it was the last;
 * one that is being undone goes on with its undoing. Only a step whose definition allows it is skipped (`skippable`, `skippableUndo`), and an
 * undo of a record that was changed since. An answer of a call of it that comes late is not booked. Throws `SAGA_NOT_FOUND`,
 * `SAGA_NOT_PARKED`, `INVALID_STATE_TRANSITION` (it stands at another step, a call is under way, or this one is not skipped),
 * `SERVICE_UNAVAILABLE`.
 */
export async function skipWithin(tx: Tx, definitionOf: DefinitionOf, act: SkipAct): Promise<Skipped> {
  const locked = await lockForAct(tx, definitionOf, act.sagaId);
  const { saga, state, definition } = locked;
  const direction = (await pendingCompensations(tx, state.id)).length > 0 ? 'C' : 'F';
  const due = dueIn(locked, direction);
  const { step } = due;
  const claim = await readClaim(tx, due);
  const isOpen = saga.status === 'parked' || directionOf(saga.status) !== null;
  if (isOpen && claim?.leased)
    throw notNow('A call of it is under way: skip it when that has ended, within seconds', { step: step.name });
  if (saga.status !== 'parked' && !(isOpen && backsOff(claim)))
    throw new RoomyError('SAGA_NOT_PARKED', {
      text: 'A step is skipped only while its saga is parked or backs off',
      details: { status: saga.status },
    });
  if (step.name !== act.step) throw notNow('It stands at another step', { step: step.name });
  const skippable = direction === 'F' ? step.skippable : (step.skippableUndo ?? supersededUndo(claim?.error_code));
  if (!skippable) throw notNow('This step is not skipped, as what it does is needed: retry it', { step: step.name });
  // Its worker has died.
  if (claim?.status === 'running' && step.kind === 'call')
    await endAttempt(tx, due, claim.attempt, { outcome: 'abandoned' });

  const output = (await skippable.instead({ ...contextOf(due), tx })) ?? {};
  const generation = saga.generation + 1;
  await resumeSagaRow(tx, state.id, { direction, generation, takes: [], step: step.no });
  await recordStepSkipped(tx, due, output, act);
  const note = { step: step.no, name: step.name, direction, reason: act.reason };
  await writeAudit(tx, state.id, operatorNote(state, act, 'SAGA_STEP_SKIPPED', note));
  const steps =
    direction === 'C' ? await pendingCompensations(tx, state.id) : remainingForward(step.no + 1, state.totalSteps);
  const [nextStep] = steps;
  const end =
    direction === 'F' || nextStep === undefined ? await endOf(tx, due, { isAtOnce: true, isLastSkipped: true }) : null;
  if (end || nextStep === undefined) return endBehind(tx, due, end);
  await advanceSaga(tx, state.id, direction, { nextStep, releases: releasedAfter(definition, step, direction) });
  return { due, flow: await orderFlow(tx, state, { direction, generation, steps, again: true }) };
}

const supersededUndo = (code: string | null | undefined): StepDefinition['skippableUndo'] =>
  superseded(code ?? null) ? { follows: SUPERSEDED_UNDO, instead: async () => ({}) } : undefined;

async function endBehind(tx: Tx, due: DueStep, end: PreparedEnd | null): Promise<Skipped> {
  const { state, definition, direction } = due;
  if (!end) throw new InvariantError('a saga has neither a step nor an end');
  await advanceSaga(tx, state.id, direction, { end });
  await writeAudit(tx, state.id, end.audit, { ends: true });
  if (direction === 'C') await definition.whenUndone?.({ tx, sagaId: state.id, code: errorOf(state).code });
  return { due, flow: null };
}
