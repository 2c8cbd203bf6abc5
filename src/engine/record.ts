import type { Db, Tx } from '../db/client.ts';
import type { Direction } from '../db/schema.ts';
import { compensatedEnd, completedEnd, errorOf, type PreparedEnd } from './answers.ts';
import { compensationNote } from './audit-note.ts';
import { type EndContext, heldAt, type SagaDefinition } from './definition.ts';
import { contextOf, type DueStep } from './state.ts';
import type { LockKind, StepDefinition } from './step.ts';
import { writeAudit } from './store/audit.ts';
import type { Advanced } from './store/fused.ts';
import { advanceSaga, startRunning } from './store/sagas.ts';
import { followingCompensation, recordStepDone } from './store/steps.ts';

/** The step is done: its row, the saga's progress or end, and its audit rows, under the saga's lock. */
export async function recordDone(tx: Tx, due: DueStep, output: unknown): Promise<Advanced> {
  const { state, definition, step, direction } = due;
  const next =
    direction === 'C' ? await followingCompensation(tx, due) : step.no < definition.steps.length ? step.no + 1 : null;
  const end = next === null ? await endOf(tx, due) : null;
  if (state.status === 'pending' && next === null) await startRunning(tx, state.id);
  const to = end ? { end } : { nextStep: next ?? step.no, releases: releasedAfter(definition, step, direction) };
  await recordStepDone(tx, due, output, await advanceSaga(tx, state.id, direction, to));
  if (direction === 'C') await writeAudit(tx, state.id, compensationNote(state, step));
  if (end) await writeAudit(tx, state.id, end.audit, { ends: true });
  if (end && direction === 'C') await definition.whenUndone?.({ tx, sagaId: state.id, code: errorOf(state).code });
  return { output, nextStep: next, notified: false };
}

/** The kinds that the saga gives back when this step is done. An undoing keeps all that it holds to its end. */
export function releasedAfter(
  definition: SagaDefinition,
  step: StepDefinition,
  direction: Direction,
): readonly LockKind[] {
  if (direction === 'C' || step.no >= definition.steps.length) return [];
  const kept = heldAt(definition, step.no + 1);
  return heldAt(definition, step.no).filter((kind) => !kept.includes(kind));
}

/**
 * The answer of the saga if this step ends it; null when it certainly does not. Its reads do not change any more once all
 * steps but the last are done.
 */
export async function endOf(
  db: Db | Tx,
  due: DueStep,
  options: Omit<EndContext, 'db'> = {},
): Promise<PreparedEnd | null> {
  const { state, definition, step, direction } = due;
  if (direction === 'C') return compensatedEnd(state, errorOf(state));
  if (step.no < definition.steps.length) return null;
  return completedEnd(state, await definition.end({ ...contextOf(due), ...options, db }), definition);
}
