import type { Tx } from '../../db/client.ts';
import { settleAround } from '../assignment/turnovers.ts';
import { setReadiness } from '../properties/store.ts';
import { endTasksAtDeparture } from '../stay-tasks/end-tasks.ts';
import { type EnsuredTask, ensureStayTask } from '../stay-tasks/stay-task.ts';
import { recordMeetingAt } from '../tasks/store/retime.ts';
import type { DepartureFacts } from './visit.ts';

/**
 * Ends the tasks that a departure leaves behind, makes or moves the cleaning two hours later, marks the property as DIRTY, and
 * settles the turnovers. Answers the cleaning and all warnings of the departure.
 */
export async function leaveProperty(
  tx: Tx,
  step: { readonly sagaId: string; readonly key: string },
  stay: DepartureFacts,
): Promise<EnsuredTask & { readonly warnings: readonly string[] }> {
  const { reservationId } = stay;
  // First, because it may free the person who cleans.
  await endTasksAtDeparture(tx, reservationId, stay.actualAt);
  const cleaning = await ensureStayTask(tx, { ...step, reservationId }, stay.postDepartureCleaning);
  // Cleaned between the guest's departure and the moment somebody reported it.
  if (cleaning.status !== 'COMPLETED') await setReadiness(tx, stay.propertyId, 'DIRTY');
  await settleAround(tx, reservationId);
  await recordMeetingAt(tx, reservationId, 'DEPARTURE', stay.actualAt);
  return { ...cleaning, warnings: [...stay.warnings, ...(cleaning.kept ? ['TASK_TIME_KEPT'] : [])] };
}
