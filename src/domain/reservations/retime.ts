import type { Tx } from '../../db/client.ts';
import { retimeStayTasks } from '../tasks/stay-task.ts';
import { readVisitTimes } from './visit.ts';

/** Tasks of stays follow the times that they were planned by (domain.md 10). */

/** Who comes or leaves at another time than the property's is met then. */
export async function retimeMeetings(tx: Tx, reservationId: string): Promise<void> {
  const stay = await readVisitTimes(tx, reservationId);
  if (stay === null) return;
  const { checkIn, checkOut, postDepartureCleaning } = stay.plan;
  const ahead = stay.status === 'CONFIRMED' ? [checkIn, checkOut, postDepartureCleaning] : [];
  await retimeStayTasks(tx, reservationId, stay.status === 'CHECKED_IN' ? [checkOut, postDepartureCleaning] : ahead);
}

/** The clock of a property has changed, or how long it takes to clean: all that is ahead there moves along. */
export async function retimeStaysOf(tx: Tx, propertyId: string): Promise<void> {
  const stays = await tx
    .selectFrom('reservation')
    .select('id')
    .where('property_id', '=', propertyId)
    .where('status', 'in', ['CONFIRMED', 'CHECKED_IN'])
    .where('kind', '<>', 'MAINTENANCE_BLOCK')
    .orderBy('id')
    .execute();
  for (const { id } of stays) {
    const stay = await readVisitTimes(tx, id);
    if (stay?.status === 'CONFIRMED') await retimeStayTasks(tx, id, [stay.plan.preArrivalCleaning]);
    await retimeMeetings(tx, id);
  }
}
