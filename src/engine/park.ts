import type { Tx } from '../db/client.ts';
import { parkedBody, type RecordedError } from './answers.ts';
import { auditNote } from './audit-note.ts';
import type { FailOutcome } from './fail-outcome.ts';
import { contextOf, type DueStep } from './state.ts';
import { writeAudit } from './store/audit.ts';
import { orderAlert } from './store/outbox.ts';
import { parkSagaRow } from './store/sagas.ts';

/** TP of guarantees.md 2.4: the saga waits for a person, who is alerted, at a step that can be neither done nor undone by itself. */
export async function parkSaga(tx: Tx, due: DueStep, version: number, error: RecordedError): Promise<FailOutcome> {
  const { state, step, direction } = due;
  // A saga that is being undone keeps the error that turned it round.
  const kept = { code: state.errorCode ?? error.code, detail: state.errorDetail ?? error };
  const unlocked = direction === 'F' && step.parksUnlocked;
  await parkSagaRow(tx, state.id, kept, { body: parkedBody(state.id, step, direction, error), unlocked });
  const isTold = direction === 'F' && step.tellsWhenParked === true;
  const alert = { saga: state.name, step: step.name, code: error.code, what: 'parked' } as const;
  await orderAlert(tx, state.id, version, { ...alert, ...(isTold ? { isTold } : {}) });
  if (direction === 'F') await step.whenParked?.({ ...contextOf(due), tx, code: error.code, details: error.details });
  await writeAudit(
    tx,
    state.id,
    auditNote(state, 'SAGA_PARKED', { outcome: 'parked', details: { step: step.name, code: error.code } }),
  );
  return { kind: 'parked' };
}
