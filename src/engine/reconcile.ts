import type { Db } from '../db/client.ts';
import { CATALOGUE } from '../kernel/errors.ts';
import type { SagaDefinition } from './definition.ts';
import { failStep } from './fail.ts';
import type { FlowOrder } from './flow-order.ts';
import { holdOf } from './holds.ts';
import { measureFailure } from './measured.ts';
import { remainingForward } from './resume.ts';
import { type DueStep, directionOf } from './state.ts';
import { isAnythingHeld } from './store/holds.ts';
import type { LoadState } from './store/load.ts';
import { orderAlert, orderFlow } from './store/outbox.ts';
import { isPastDeadline, lockIdleSaga, redispatchSagaRow } from './store/sagas.ts';
import { pendingCompensations } from './store/steps.ts';
import { timeOutWait } from './wait.ts';

/** The reconciler's ways to move a saga that it finds idle. */
export interface Reconciliation {
  /** A person has paused it: it is neither dispatched anew nor cut short, and has more time when it is resumed. */
  isHeld(sagaId: string): Promise<boolean>;
  /** TD: orders a new flow of what remains; null when the saga is not open any more, or somebody is at work on it. */
  redispatch(sagaId: string): Promise<FlowOrder | null>;
  /** The deadline has passed: undo, or park once the pivot is passed. */
  expire(sagaId: string): Promise<FlowOrder | null>;
  /** The time of the wait at which the saga stands is up: go on without a signal, or fail. */
  timeOut(sagaId: string): Promise<FlowOrder | null>;
}

/** A saga that had to be dispatched again this often without a step in between is a person's business. */
const ALERT_AFTER_REDISPATCHES = 3;

type DefinitionOf = (name: string, version: number) => SagaDefinition | undefined;

/** Makes the check of sagas that may have been left behind, from their rows in Postgres alone. */
export function createReconciliation(
  db: Db,
  load: LoadState,
  definitionOf: DefinitionOf,
  onAnswer: (sagaId: string) => void,
): Reconciliation {
  return {
    isHeld: async (sagaId) => {
      if (!(await isAnythingHeld(db))) return false;
      const state = await load(sagaId);
      if (!state) return false;
      const step = definitionOf(state.name, state.definitionVersion)?.steps[state.currentStep - 1];
      return holdOf(state.holds, { state, step }) !== undefined;
    },
    redispatch: (sagaId) => redispatch(db, definitionOf, sagaId),
    expire: async (sagaId) => {
      // A hold that was released since it was seen has given it time.
      if (!(await isPastDeadline(db, sagaId))) return null;
      const due = await forward(sagaId);
      if (!due) return null;
      const { step } = due;
      const error = {
        code: 'SAGA_DEADLINE',
        text: CATALOGUE.SAGA_DEADLINE.text,
        failedStep: step.name,
        step: step.no,
        retryable: false,
      } as const;
      const outcome = await failStep(db, due, { error, refused: false, attempt: null });
      measureFailure(due, outcome, error.code);
      if (outcome.kind === 'compensated' || outcome.kind === 'parked') onAnswer(sagaId);
      return outcome.kind === 'compensating' ? outcome.flow : null;
    },
    timeOut: async (sagaId) => {
      const due = await forward(sagaId);
      if (due?.step.kind !== 'wait') return null;
      const outcome = await timeOutWait(db, due);
      if (outcome.kind !== 'continued') measureFailure(due, outcome, 'WAIT_TIMED_OUT');
      if (outcome.kind === 'compensated' || outcome.kind === 'parked') onAnswer(sagaId);
      return outcome.kind === 'compensating' || outcome.kind === 'continued' ? outcome.flow : null;
    },
  };

  /** The step that is due on the way forward. A saga that has turned round has neither a deadline nor a wait: its undoing is not cut short. */
  async function forward(sagaId: string): Promise<DueStep | null> {
    const state = await load(sagaId);
    const definition = state ? definitionOf(state.name, state.definitionVersion) : undefined;
    const step = definition?.steps[(state?.currentStep ?? 0) - 1];
    if (!state || !definition || !step || directionOf(state.status) !== 'F') return null;
    return { state, definition, step, direction: 'F' };
  }
}

const redispatch = (db: Db, definitionOf: DefinitionOf, sagaId: string): Promise<FlowOrder | null> =>
  db.transaction().execute(async (tx) => {
    const saga = await lockIdleSaga(tx, sagaId);
    const direction = saga ? directionOf(saga.status) : null;
    if (!saga || direction === null) return null;
    const steps =
      direction === 'C'
        ? await pendingCompensations(tx, sagaId)
        : remainingForward(saga.current_step, saga.total_steps);
    const generation = saga.generation + 1;
    const redispatches = saga.redispatches + 1;
    await redispatchSagaRow(tx, sagaId, { generation, redispatches });
    if (redispatches > ALERT_AFTER_REDISPATCHES) {
      // A newer build may know a saga that this one does not.
      const step = definitionOf(saga.name, saga.definition_ver)?.steps[saga.current_step - 1]?.name;
      const alert = { saga: saga.name, step: step ?? String(saga.current_step), code: 'STUCK', what: 'stuck' } as const;
      await orderAlert(tx, sagaId, 'stuck', alert);
    }
    const order = { direction, generation, steps, again: true };
    return orderFlow(tx, { id: sagaId, name: saga.name, definitionVersion: saga.definition_ver }, order);
  });
