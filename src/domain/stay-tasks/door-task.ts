import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { newId } from '../../kernel/ids.ts';
import { insertTaskOrRenew } from '../tasks/store/insert.ts';

/** What somebody does at the door by hand, because a device was not asked. */
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
      'A person has closed this by hand, and the device was not asked. Set the code of the guest of this stay to the departure that the stay has now, or make sure that it is set: it may end too early or too late.',
  },
} as const;
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
    effect_key: `${reservationId}-${wants}`,
  });
