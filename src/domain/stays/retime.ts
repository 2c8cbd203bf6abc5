import type { Tx } from '../../db/client.ts';
import { literals } from '../../db/literal.ts';
import { settleAround } from '../assignment/turnovers.ts';
import { reschedulePayouts } from '../finance/planned-payouts.ts';
import { isTurnoverBeforeLate, retimeStayTasks } from '../stay-tasks/stay-task.ts';
import { readVisitTimes } from './visit.ts';

/** Tasks and payouts of stays follow the agreed times (domain.md 8, 10); `access.ts` moves the door code. */

/** The ends of a stay that have another time. */
export interface MovedEnds {
  readonly arrival: boolean;
  readonly departure: boolean;
}

/**
 * Moves the tasks and payouts of a stay to its agreed times, and settles the turnovers around it. Answers the warnings
 * `TASK_TIME_KEPT` and `TURNOVER_TOO_SHORT`; none for a stay that is absent or whose times have not moved.
 */
export async function retimeMeetings(tx: Tx, reservationId: string, moved: MovedEnds): Promise<readonly string[]> {
  const stay = moved.arrival || moved.departure ? await readVisitTimes(tx, reservationId) : null;
  if (stay === null) return [];
  await reschedulePayouts(tx, reservationId);
  const { preArrivalCleaning, checkIn, checkOut, postDepartureCleaning } = stay.plan;
  let isKept = false;
  let isTooShort = false;
  if (moved.arrival && stay.status === 'CONFIRMED') {
    // Only by when it must be done has changed: a person's time is in the way if it ends later.
    const cleaning = await retimeStayTasks(tx, reservationId, [preArrivalCleaning]);
    const meeting = await retimeStayTasks(tx, reservationId, [checkIn]);
    isKept = cleaning.late || meeting.kept;
    // As it stands, before the two are parted for that reason.
    isTooShort = await isTurnoverBeforeLate(tx, reservationId);
  }
  if (moved.departure && (stay.status === 'CONFIRMED' || stay.status === 'CHECKED_IN')) {
    const { kept, late } = await retimeStayTasks(tx, reservationId, [checkOut, postDepartureCleaning]);
    isKept ||= kept;
    isTooShort ||= late || stay.isTurnoverTooShort;
  }
  await settleAround(tx, reservationId);
  return [...(isKept ? ['TASK_TIME_KEPT'] : []), ...(isTooShort ? ['TURNOVER_TOO_SHORT'] : [])];
}

/** The clock of a property has changed, or how long it takes to clean: all that is ahead there moves along. */
export async function retimeStaysOf(tx: Tx, propertyId: string): Promise<void> {
  const stays = await tx
    .selectFrom('reservation')
    .select('id')
    .where('property_id', '=', propertyId)
    .where('status', 'in', literals(['CONFIRMED', 'CHECKED_IN']))
    .where('kind', '<>', 'MAINTENANCE_BLOCK')
    .orderBy('id')
    .execute();
  for (const { id } of stays) await retimeMeetings(tx, id, { arrival: true, departure: true });
}
