import type { Tx } from '../../db/client.ts';
import { settleAround } from '../assignment/turnovers.ts';
import { endTasksAtArrival, resumeTasks } from '../stay-tasks/end-tasks.ts';
import { type EnsuredTask, ensureStayTask } from '../stay-tasks/stay-task.ts';
import { type EndedTask, withdrawTaskByKey } from '../tasks/store/finish.ts';
import type { ArrivalFacts } from './visit.ts';

export type Arrival = EnsuredTask & {
  /** Missing in the output of executions from before 0.4. */
  readonly ended?: readonly EndedTask[];
};

/**
 * Ends the tasks that an arrival leaves behind, makes or moves the cleaning after the stay, and settles the turnovers. Answers
 * that cleaning and the tasks that were ended, from which `undoArrival` undoes it.
 */
export async function arriveAtProperty(
  tx: Tx,
  step: { readonly sagaId: string; readonly key: string; readonly requestedAt: Date },
  stay: ArrivalFacts,
): Promise<Arrival> {
  const { reservationId } = stay;
  // First, because it may free the person who cleans afterwards.
  const ended = await endTasksAtArrival(tx, reservationId, new Date(stay.actualAt));
  const cleaning = await ensureStayTask(tx, { ...step, reservationId }, stay.postDepartureCleaning);
  await settleAround(tx, reservationId);
  return { ...cleaning, ended };
}

/** Undoes `arriveAtProperty`. `own`: the output of that step, if it has one; `forwardKey`: its key. */
export async function undoArrival(
  tx: Tx,
  reservationId: string,
  forwardKey: string,
  own: Arrival | undefined,
): Promise<void> {
  await withdrawTaskByKey(tx, forwardKey);
  await resumeTasks(tx, own?.ended ?? []);
  await settleAround(tx, reservationId);
}
