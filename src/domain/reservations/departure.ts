import type { Tx } from '../../db/client.ts';
import { releaseFrom } from '../tasks/cancel-tasks.ts';
import { type EnsuredTask, ensureStayTask, meetNow } from '../tasks/stay-task.ts';
import type { DepartureFacts } from './visit.ts';

/** What a departure leaves behind: a property to be cleaned two hours later, and perhaps nights that are free again. */
export async function leaveProperty(
  tx: Tx,
  step: { readonly sagaId: string; readonly key: string },
  stay: DepartureFacts,
): Promise<EnsuredTask & { readonly warnings: readonly string[] }> {
  const { reservationId } = stay;
  await tx
    .updateTable('property')
    .set((eb) => ({ readiness: 'DIRTY', version: eb('version', '+', 1) }))
    .where('id', '=', stay.propertyId)
    .where('readiness', 'not in', ['DIRTY', 'OUT_OF_ORDER'])
    .execute();
  const cleaning = await ensureStayTask(tx, { ...step, reservationId }, stay.postDepartureCleaning);
  if (stay.releasesNext) await releaseFrom(tx, [cleaning.taskId]);
  await meetNow(tx, reservationId, 'DEPARTURE', stay.actualAt);
  return { ...cleaning, warnings: [...stay.warnings, ...(cleaning.kept ? ['TASK_TIME_KEPT'] : [])] };
}
