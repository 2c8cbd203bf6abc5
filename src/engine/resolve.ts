import type { Db, Tx } from '../db/client.ts';
import { retryContention } from '../db/errors.ts';
import { CATALOGUE, InvariantError, RoomyError } from '../kernel/errors.ts';
import { type DefinitionOf, dueIn, type Locked, lockForAct, notNow, operatorNote } from './operator.ts';
import { resolutionOf } from './resolution.ts';
import { contextOf, type DueStep } from './state.ts';
import { writeAudit } from './store/audit.ts';
import { resolveSagaRow } from './store/sagas.ts';
import { pendingCompensations, readClaim, recordStepDone, recordStepSkipped } from './store/steps.ts';
import type { Intervention, SagaAnswer } from './types.ts';

type Resolving = Intervention & { readonly reason: string };

/** A person closes a parked saga, having settled by hand what it left. Its repeats then answer with that reason. */
export const resolveSaga = (db: Db, definitionOf: DefinitionOf, intervention: Resolving): Promise<SagaAnswer> =>
  retryContention(() => db.transaction().execute((tx) => resolveWithin(tx, definitionOf, intervention)));

/**
 * `resolveSaga` in the caller's transaction. What the state still needs is done in it, so that nothing stays half done; where that cannot be,
 * it is refused. Throws `SAGA_NOT_FOUND`, `SAGA_NOT_PARKED`, `INVALID_STATE_TRANSITION` (another hand is right, which the sentence names),
 * `SERVICE_UNAVAILABLE`.
 */
export async function resolveWithin(tx: Tx, definitionOf: DefinitionOf, intervention: Resolving): Promise<SagaAnswer> {
  const locked = await lockForAct(tx, definitionOf, intervention.sagaId);
  const { saga, state, definition } = locked;
  if (saga.status !== 'parked') throw new RoomyError('SAGA_NOT_PARKED', { details: { status: saga.status } });
  const undos = await pendingCompensations(tx, state.id);
  const due = dueIn(locked, undos.length > 0 ? 'C' : 'F');
  const claim = await readClaim(tx, due);
  const { step, direction } = due;
  if (claim?.leased)
    throw notNow('A call of it is under way: resolve it when that has ended, within seconds', { step: step.name });
  const code = claim?.error_code ?? null;
  const resolution = resolutionOf(definition.steps, { step: step.no, direction, code, toUndo: undos.length });
  if (resolution.refused !== null) throw notNow(resolution.refused, { step: step.name });
  // The rest is done or settled at once; where nothing is to be written, it stays as it is.
  if (direction === 'F' && step.skippable && !step.ifResolved) await finish(tx, locked, intervention);
  const body = JSON.stringify({
    success: false,
    error: CATALOGUE.SAGA_RESOLVED.text,
    code: 'SAGA_RESOLVED',
    requestId: state.requestId,
    details: { reason: intervention.reason, resolvedBy: intervention.by },
    sagaExecutionId: state.id,
  });
  const answer = { status: CATALOGUE.SAGA_RESOLVED.status, body: Buffer.from(body) };
  if (!(await resolveSagaRow(tx, state.id, answer))) throw new InvariantError('a parked saga was not resolved');
  const note = operatorNote(state, intervention, 'SAGA_RESOLVED', { reason: intervention.reason });
  await writeAudit(tx, state.id, note, { ends: true });
  return answer;
}

/** From the step at which it stands to the last: what a person has seen to is noted as that, and what is done here is done. */
async function finish(tx: Tx, { saga, state, definition }: Locked, act: Resolving): Promise<void> {
  let done = state.done;
  for (const step of definition.steps.slice(state.currentStep - 1)) {
    const due: DueStep = { state: { ...state, done }, definition, step, direction: 'F' };
    const output = await settle(tx, due, act, saga.version + step.no);
    done = { ...done, [step.name]: output };
  }
}

async function settle(tx: Tx, due: DueStep, act: Resolving, version: number): Promise<unknown> {
  const { skippable, forward } = due.step;
  if (skippable) {
    const output = (await skippable.instead({ ...contextOf(due), tx })) ?? {};
    await recordStepSkipped(tx, due, output, act);
    return output;
  }
  if (forward.kind !== 'tx') throw new InvariantError(`${due.step.name} is not done by a resolve`);
  const output = (await forward.run({ ...contextOf(due), tx })) ?? {};
  await recordStepDone(tx, due, output, version);
  return output;
}
