import type { Tx } from '../db/client.ts';
import type { FlowOrder } from './flow-order.ts';
import { assertNotHeld, type DefinitionOf, dueIn, lockForAct, notNow, operatorNote } from './operator.ts';
import { remainingForward } from './resume.ts';
import { directionOf } from './state.ts';
import { writeAudit } from './store/audit.ts';
import { orderFlow } from './store/outbox.ts';
import { redispatchSagaRow } from './store/sagas.ts';
import { backsOff, pendingCompensations, readClaim } from './store/steps.ts';
import type { Intervention } from './types.ts';

/**
 * The next attempt of a step that has failed and backs off is made now, in either direction. It counts like any other, and none is added.
 * The job that waits is of the old generation then, and does nothing. Throws `SAGA_NOT_FOUND`, `INVALID_STATE_TRANSITION` (no step
 * of it waits for another attempt, one is under way, or it is paused), `SERVICE_UNAVAILABLE`. The order is to be published once the
 * transaction is committed.
 */
export async function retryNowWithin(
  tx: Tx,
  definitionOf: DefinitionOf,
  intervention: Intervention,
): Promise<FlowOrder> {
  const locked = await lockForAct(tx, definitionOf, intervention.sagaId);
  const { saga, state } = locked;
  const direction = directionOf(saga.status);
  if (saga.status === 'parked') throw notNow('It is parked: retry it', { status: saga.status });
  if (direction === null) throw notNow('It has ended', { status: saga.status });
  const due = dueIn(locked, direction);
  assertNotHeld(due);
  const step = due.step.name;
  const claim = await readClaim(tx, due);
  if (claim?.leased) throw notNow('An attempt is under way', { step });
  if (!backsOff(claim)) throw notNow('Its step has not failed, and does not wait for another attempt', { step });
  const generation = saga.generation + 1;
  await redispatchSagaRow(tx, state.id, { generation, redispatches: saga.redispatches });
  const why = intervention.reason === undefined ? {} : { reason: intervention.reason };
  await writeAudit(tx, state.id, operatorNote(state, intervention, 'SAGA_RETRIED_NOW', { step: due.step.no, ...why }));
  const steps =
    direction === 'C'
      ? await pendingCompensations(tx, state.id)
      : remainingForward(saga.current_step, state.totalSteps);
  return orderFlow(tx, state, { direction, generation, steps, again: true });
}
