import type { Tx } from '../db/client.ts';
import { compensatedEnd, type RecordedError } from './answers.ts';
import type { FailOutcome } from './fail-outcome.ts';
import type { AlertPayload } from './flow-order.ts';
import type { DueStep } from './state.ts';
import type { StepDefinition } from './step.ts';
import { writeAudit } from './store/audit.ts';
import { orderAlert, orderFlow } from './store/outbox.ts';
import { endUndone, type LockedSaga, turnSaga } from './store/sagas.ts';
import { insertCompensations, stepsToUndo } from './store/steps.ts';

/** Orders the undoing, in reverse, of every step that took effect or may have. */
export async function undoSaga(tx: Tx, due: DueStep, saga: LockedSaga, error: RecordedError): Promise<FailOutcome> {
  const { state, definition, step } = due;
  const steps = await stepsToUndo(tx, state.id);
  const [highest] = steps;
  if (highest === undefined) {
    const end = compensatedEnd(state, error);
    await endUndone(tx, state.id, saga.status, error, end);
    await writeAudit(tx, state.id, end.audit, { ends: true });
    await definition.whenUndone?.({ tx, sagaId: state.id, code: error.code });
    if (ABOUT_SAVED_DATA.has(error.code)) await alertRolledBack(tx, due, saga.version, error);
    return { kind: 'compensated' };
  }
  const generation = saga.generation + 1;
  await turnSaga(tx, state.id, error, { step: highest, generation });
  await insertCompensations(tx, state.id, definition, steps);
  if (alertsOfUndoing(step, error)) await alertRolledBack(tx, due, saga.version, error);
  return { kind: 'compensating', flow: await orderFlow(tx, state, { direction: 'C', generation, steps }) };
}

/** Refusals because of data that is saved here: no caller can mend it, so a person is alerted although nothing had to be undone. */
const ABOUT_SAVED_DATA: ReadonlySet<string> = new Set(['TIME_ZONE_UNKNOWN']);

/** A refusal that belongs to normal business is undone without an alert, and so is what a person has cancelled. */
export const alertsOfUndoing = (step: StepDefinition, { code }: RecordedError): boolean =>
  code !== 'SAGA_CANCELLED' && !step.expectedRefusals.includes(code);

/** The alert that this step has failed and its saga is undone. */
export const undoingAlert = ({ state, step }: DueStep, { code }: RecordedError): AlertPayload => ({
  saga: state.name,
  step: step.name,
  code,
  what: 'rolled-back',
});

const alertRolledBack = (tx: Tx, due: DueStep, version: number, error: RecordedError): Promise<void> =>
  orderAlert(tx, due.state.id, version, undoingAlert(due, error));
