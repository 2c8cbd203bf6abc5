import type { Tx } from '../../db/client.ts';
import { settleAround } from '../assignment/turnovers.ts';
import { endTasksAtArrival, resumeTasks } from '../stay-tasks/end-tasks.ts';
import { type EnsuredTask, ensureStayTask } from '../stay-tasks/stay-task.ts';
import { type EndedTask, withdrawTaskByKey } from '../tasks/store/finish.ts';
import type { ArrivalFacts } from './visit.ts';

export type Arrival = EnsuredTask & {
  /** Missing in what ran before there was this. */
  readonly ended?: readonly EndedTask[];
};

/** What an arrival makes of the stay's cleanings: the one before it is over, the one after it is due. */
export async function arriveAtProperty(
  tx: Tx,
  step: { readonly sagaId: string; readonly key: string; readonly requestedAt: Date },
  stay: ArrivalFacts,
): Promise<Arrival> {
  const { reservationId } = stay;
  // First, as whoever was to do it may be the one who cleans afterwards.
  const ended = await endTasksAtArrival(tx, reservationId, new Date(stay.actualAt));
  const cleaning = await ensureStayTask(tx, { ...step, reservationId }, stay.postDepartureCleaning);
  await settleAround(tx, reservationId);
  return { ...cleaning, ended };
}

/** `reservationId`: the stay of the saga that is undone. */
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
