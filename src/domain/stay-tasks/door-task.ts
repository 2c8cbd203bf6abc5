import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { newId } from '../../kernel/ids.ts';
import { taskWithdrawnMessage } from '../messages/catalogue/task-withdrawn.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { withdrawTaskByKey } from '../tasks/store/finish.ts';
import { insertTaskOrRenew } from '../tasks/store/insert.ts';

/** A task for somebody to set a door code by hand, made when a person has skipped the call of the device. */
export interface DoorTask {
  readonly reservationId: string;
  readonly propertyId: string;
  readonly wants: keyof typeof WORK;
}

const WORK = {
  DOOR_CODE_OFF: {
    title: 'Take the code of a guest off the door',
    description:
      'A person has closed this by hand, and the device was not asked. Take the code of the guest of this stay off it, or make sure that it is off: it may still open the door.',
  },
  DOOR_CODE_UNTIL: {
    title: 'Set the code of a guest to another departure',
    description:
      'A person has closed this by hand, and the device was not asked. Set the code of the guest of this stay to the departure that is recorded for it (the access on the page of the stay), or make sure that it is set: it may end too early or too late.',
  },
} as const;
const keyOf = (reservationId: string, wants: keyof typeof WORK): string => `${reservationId}-${wants}`;
const DURATION = sql`interval '30 minutes'`;

/** Makes it unless the stay has such a task that is still open; one that was done is opened again. */
export const ensureDoorTask = (tx: Tx, { reservationId, propertyId, wants }: DoorTask): Promise<void> =>
  insertTaskOrRenew(tx, {
    ...WORK[wants],
    id: newId('task'),
    type: 'MAINTENANCE',
    occurrence: wants,
    reservation_id: reservationId,
    property_id: propertyId,
    status: 'UNASSIGNED',
    priority: 'HIGH',
    scheduled_at: sql<Date>`now()`,
    ends_at: sql<Date>`now() + ${DURATION}`,
    effect_key: keyOf(reservationId, wants),
  });

/** A code of the guest that is new and works is to stay on the door: nobody takes it off any more. `effectKey`: of the step that has set it. */
export async function endDoorTask(tx: Tx, sagaId: string, effectKey: string, reservationId: string): Promise<void> {
  const ended = await withdrawTaskByKey(tx, keyOf(reservationId, 'DOOR_CODE_OFF'));
  const messages = ended.flatMap(({ id, assignee_id: assignee }) =>
    assignee === null ? [] : [taskWithdrawnMessage(assignee, id)],
  );
  await enqueueInTransaction(tx, `${effectKey}-door`, messages, { sagaId, reservationId });
}
