import type { Db, Tx } from '../db/client.ts';
import { retryContention } from '../db/errors.ts';
import { unlessRefused } from '../db/savepoint.ts';
import { InvariantError, RoomyError } from '../kernel/errors.ts';
import { heldAt, type SagaDefinition } from './definition.ts';
import type { FlowOrder } from './flow-order.ts';
import { type DefinitionOf, notNow, operatorNote } from './operator.ts';
import type { SagaState } from './state.ts';
import { stepBack } from './step-back.ts';
import { ONE_OPEN_SAGA, openSagaOf } from './store/accept.ts';
import { writeAudit } from './store/audit.ts';
import { createStateLoader } from './store/load.ts';
import { orderFlow } from './store/outbox.ts';
import { lockSaga, type Resumption, resumeSagaRow } from './store/sagas.ts';
import { grantAttempts, pendingCompensations } from './store/steps.ts';
import type { Intervention, RetryOutcome } from './types.ts';

/** Attempts that a person's retry grants to the step that had used up its own. */
const GRANTED_ATTEMPTS = 8;

/** At which a saga waits for an approval: nothing else lets it go on. */
export const NEEDS_APPROVAL = 'APPROVAL_REQUIRED';

/** TU of guarantees.md 2.4: a parked saga goes on where it stopped, in the direction in which it stopped. */
export const resumeSaga = (db: Db, definitionOf: DefinitionOf, intervention: Intervention): Promise<Resumed> =>
  retryContention(() => db.transaction().execute((tx) => resumeWithin(tx, definitionOf, intervention)));

export interface Resumed {
  readonly outcome: RetryOutcome;
  /** To be published once the transaction is committed. */
  readonly flow: FlowOrder | null;
}

/** `resumeSaga` in the caller's transaction. Throws `SAGA_NOT_FOUND`, `SAGA_IN_PROGRESS`. */
export async function resumeWithin(tx: Tx, definitionOf: DefinitionOf, intervention: Intervention): Promise<Resumed> {
  const state = await stateWithin(tx, intervention.sagaId);
  const saga = await lockSaga(tx, state.id);
  if (!saga) throw new InvariantError('a saga was loaded and cannot be locked');
  const by = `${intervention.via}:${intervention.by}`;
  const why = intervention.reason === undefined ? {} : { reason: intervention.reason };
  if (saga.status !== 'parked') {
    await writeAudit(
      tx,
      state.id,
      operatorNote(state, intervention, 'STALE_RETRY', { by, status: saga.status, ...why }),
    );
    return { outcome: 'stale', flow: null };
  }
  const undo = await pendingCompensations(tx, state.id);
  const direction = undo.length > 0 ? 'C' : 'F';
  if (direction === 'F' && saga.error_code === NEEDS_APPROVAL && intervention.via !== 'approval') {
    await writeAudit(tx, state.id, operatorNote(state, intervention, 'RETRY_WITHOUT_APPROVAL', { by, ...why }));
    return { outcome: 'needs-approval', flow: null };
  }
  const definition = definitionOf(state.name, state.definitionVersion);
  const { from } = intervention;
  if (from !== undefined && direction === 'C')
    throw notNow('It is being undone: retry it without a step', { status: saga.status });
  if (from !== undefined && !definition) throw new RoomyError('SERVICE_UNAVAILABLE');
  const step =
    from === undefined || !definition
      ? saga.current_step
      : await stepBack(
          tx,
          definition,
          { id: state.id, currentStep: saga.current_step },
          { from, attempts: GRANTED_ATTEMPTS },
        );
  await grantAttempts(tx, { sagaId: state.id, step: saga.current_step, direction }, GRANTED_ATTEMPTS);
  const generation = saga.generation + 1;
  const takes = definition && direction === 'F' && !intervention.refused ? heldAt(definition, step) : [];
  await resumeRow(tx, state, definition, { direction, generation, takes, step });
  const note = operatorNote(state, intervention, 'SAGA_RESUMED', { by, step, ...why });
  await writeAudit(tx, state.id, note);
  const steps = direction === 'C' ? undo : remainingForward(step, state.totalSteps);
  // Bull Board retries the job of the old chain itself, and would find that somebody was faster.
  const again = intervention.via !== 'bull-board';
  return { outcome: 'resumed', flow: await orderFlow(tx, state, { direction, generation, steps, again }) };
}

/** Throws `SAGA_IN_PROGRESS` when another saga has the locks that this one had let go of. */
async function resumeRow(
  tx: Tx,
  state: SagaState,
  definition: SagaDefinition | undefined,
  next: Resumption,
): Promise<void> {
  if (await unlessRefused(tx, ONE_OPEN_SAGA, () => resumeSagaRow(tx, state.id, next))) return;
  const other = definition && (await openSagaOf(tx, definition.subjectType, state.subjectId, next.takes));
  throw new RoomyError('SAGA_IN_PROGRESS', { details: { sagaExecutionId: other?.id ?? null } });
}

async function stateWithin(tx: Tx, sagaId: string): Promise<SagaState> {
  const state = await createStateLoader(tx)(sagaId);
  if (!state) throw new RoomyError('SAGA_NOT_FOUND');
  return state;
}

/** The forward steps from `from` to the last, in their order. */
export const remainingForward = (from: number, total: number): number[] =>
  Array.from({ length: total - from + 1 }, (_, index) => from + index);
