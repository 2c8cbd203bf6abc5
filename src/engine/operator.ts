import type { Tx } from '../db/client.ts';
import { originIn } from '../domain/audit/record.ts';
import { RoomyError } from '../kernel/errors.ts';
import { auditNote } from './audit-note.ts';
import type { SagaDefinition } from './definition.ts';
import { holdOf } from './holds.ts';
import type { DueStep, SagaState } from './state.ts';
import { createStateLoader } from './store/load.ts';
import { type LockedSaga, lockSaga } from './store/sagas.ts';
import type { Intervention } from './types.ts';

/** What the acts of people on a saga have in common. */

export type DefinitionOf = (name: string, version: number) => SagaDefinition | undefined;

export interface Locked {
  readonly saga: LockedSaga;
  readonly state: SagaState;
  readonly definition: SagaDefinition;
}

/**
 * The saga under its row lock, and what is known of it: nothing of that changes before the transaction ends. Throws
 * `SAGA_NOT_FOUND`, and `SERVICE_UNAVAILABLE` for a version that this build does not know.
 */
export async function lockForAct(tx: Tx, definitionOf: DefinitionOf, sagaId: string): Promise<Locked> {
  const saga = await lockSaga(tx, sagaId);
  const state = saga && (await createStateLoader(tx)(sagaId));
  if (!saga || !state) throw new RoomyError('SAGA_NOT_FOUND');
  const definition = definitionOf(state.name, state.definitionVersion);
  if (!definition) throw new RoomyError('SERVICE_UNAVAILABLE');
  return { saga, state, definition };
}

/** The step at which the saga stands, in this direction. */
export function dueIn({ state, definition }: Locked, direction: DueStep['direction']): DueStep {
  const step = definition.steps[state.currentStep - 1];
  if (!step) throw notNow('It has no step at which it stands', { currentStep: state.currentStep });
  return { state, definition, step, direction };
}

/** Throws `INVALID_STATE_TRANSITION` while a person has paused the step. */
export function assertNotHeld(due: DueStep): void {
  const hold = holdOf(due.state.holds, due);
  if (hold) throw notNow('It is paused: release the hold first', { scope: hold.scope, subject: hold.subject });
}

/** The refusal of an act that the saga's state does not allow, with what to do instead. */
export const notNow = (text: string, details: Readonly<Record<string, unknown>>): RoomyError =>
  new RoomyError('INVALID_STATE_TRANSITION', { text, details });

/** The audit note of a person's act. */
export function operatorNote(
  state: SagaState,
  { by, ...origin }: Intervention,
  event: string,
  details: Readonly<Record<string, string | number>>,
) {
  const { requestId } = origin;
  return auditNote({ ...state, requestId }, event, { outcome: event.toLowerCase(), ...originIn(origin), details }, by);
}
