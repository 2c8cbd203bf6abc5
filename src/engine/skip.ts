import type { Tx } from '../db/client.ts';
import { InvariantError, RoomyError } from '../kernel/errors.ts';
import { errorOf, type PreparedEnd } from './answers.ts';
import type { FlowOrder } from './flow-order.ts';
import { type DefinitionOf, dueIn, lockForAct, notNow, operatorNote } from './operator.ts';
import { endOf, releasedAfter } from './record.ts';
import { remainingForward } from './resume.ts';
import { contextOf, type DueStep } from './state.ts';
import { writeAudit } from './store/audit.ts';
import { orderFlow } from './store/outbox.ts';
import { advanceSaga, resumeSagaRow } from './store/sagas.ts';
import { pendingCompensations, readClaim, recordStepSkipped } from './store/steps.ts';
import type { SkipAct } from './types.ts';

export interface Skipped {
  readonly due: DueStep;
  /** To be published once the transaction is committed; null: the saga has ended. */
  readonly flow: FlowOrder | null;
}

/**
 * A parked saga goes on behind the step at which it stopped, as if that had done nothing, or ends when it was the last; one that is being
 * undone goes on with its undoing. Only a step whose definition allows it is skipped (`skippable`, `skippableUndo`). An answer of a call of
 * it that comes late is not booked. Throws `SAGA_NOT_FOUND`, `SAGA_NOT_PARKED`, `INVALID_STATE_TRANSITION` (it stands at another step, or this
 * one is not skipped), `SERVICE_UNAVAILABLE`.
 */
export async function skipWithin(tx: Tx, definitionOf: DefinitionOf, act: SkipAct): Promise<Skipped> {
  const locked = await lockForAct(tx, definitionOf, act.sagaId);
  const { saga, state, definition } = locked;
  if (saga.status !== 'parked') throw new RoomyError('SAGA_NOT_PARKED', { details: { status: saga.status } });
  const direction = (await pendingCompensations(tx, state.id)).length > 0 ? 'C' : 'F';
  const due = dueIn(locked, direction);
  const { step } = due;
  if (step.name !== act.step) throw notNow('It is parked at another step', { step: step.name });
  const skippable = direction === 'F' ? step.skippable : step.skippableUndo;
  if (!skippable) throw notNow('This step is not skipped, as what it does is needed: retry it', { step: step.name });
  if ((await readClaim(tx, due))?.leased)
    throw notNow('A call of it is under way: skip it when that has ended, within seconds', { step: step.name });

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

async function endBehind(tx: Tx, due: DueStep, end: PreparedEnd | null): Promise<Skipped> {
  const { state, definition, direction } = due;
  if (!end) throw new InvariantError('a saga has neither a step nor an end');
  await advanceSaga(tx, state.id, direction, { end });
  await writeAudit(tx, state.id, end.audit, { ends: true });
  if (direction === 'C') await definition.whenUndone?.({ tx, sagaId: state.id, code: errorOf(state).code });
  return { due, flow: null };
}
