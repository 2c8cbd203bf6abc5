import type { Tx } from '../../db/client.ts';
import { newId } from '../../kernel/ids.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, recordChange } from '../audit/record.ts';
import { emergencyAlertMessage } from '../messages/catalogue/maintenance-alert.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { setReadiness } from '../properties/store.ts';
import { insertBlock } from '../reservations/store.ts';

/**
 * Takes nights `[from, to)` from the calendar for a repair; answers the id of the block. The constraint that guards
 * stays guards it as well: `no_double_booking` when a night is taken. Until the repair is done nobody is to move in.
 */
export async function blockCalendar(
  tx: Tx,
  propertyId: string,
  { from, to }: { readonly from: string; readonly to: string },
  author: Author,
): Promise<string> {
  const block = await insertBlock(tx, {
    id: newId('block'),
    property_id: propertyId,
    check_in_date: from,
    check_out_date: to,
    created_by: author.actor,
  });
  await setReadiness(tx, propertyId, 'OUT_OF_ORDER');
  await recordChange(tx, author, {
    noun: 'reservation',
    id: block.id,
    event: 'CALENDAR_BLOCKED',
    fields: ['from', 'to'],
    changes: changesOf('reservation', null, block),
    version: block.version,
    reservationId: block.id,
  });
  return block.id;
}

/** The alert to operations about a new emergency, before anybody has the task. */
export const alertOfEmergency = (tx: Tx, taskId: string): Promise<void> =>
  enqueueInTransaction(tx, `${taskId}-emergency`, [emergencyAlertMessage(taskId, 0)], {
    sagaId: null,
    reservationId: null,
  });
