import { expect } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import { confirmReservation } from '../../src/sagas/index.ts';
import { seedStay } from './confirmation.ts';
import { ranTo, type World } from './money.ts';

/** Arrivals and departures against the sandbox's devices, whose own record is what is really switched on. */

const confirmInput = (reservationId: string) => ({ reservationId, requireAssignment: false });
export const visitInput = (reservationId: string) => ({ reservationId, actualTime: null, strict: false });

/** A property of its own, with a lock of its own, and a confirmed stay at it. */
export async function confirmedStay(world: World, db: Db): Promise<string> {
  const subjectId = await seedStay(db);
  const { property_id } = await stayOf(db, subjectId);
  await db
    .updateTable('property')
    .set({ amenity_device: `lock-of-${subjectId}` })
    .where('id', '=', property_id)
    .execute();
  await ranTo(world, confirmReservation, { subjectId, input: confirmInput(subjectId) });
  return subjectId;
}

export const stayOf = (db: Db, id: string) =>
  db.selectFrom('reservation').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
export const propertyOf = async (db: Db, reservationId: string) => {
  const { property_id } = await stayOf(db, reservationId);
  return db.selectFrom('property').selectAll().where('id', '=', property_id).executeTakeFirstOrThrow();
};

/** How many grants the lock itself has on. */
export const switchedOn = async (world: World, reservationId: string): Promise<number> => {
  const grants = await world.sandbox.ports.amenities.grantsOf(`lock-of-${reservationId}`, AbortSignal.timeout(5_000));
  return grants.filter((grant) => grant.active).length;
};

/** There are never more than these, whatever was tried how often (domain.md T2). */
export async function expectFourTasks(db: Db, reservationId: string): Promise<void> {
  const tasks = await db
    .selectFrom('task')
    .select('occurrence')
    .where('reservation_id', '=', reservationId)
    .where('status', '<>', 'CANCELLED')
    .orderBy('occurrence')
    .execute();
  expect(tasks.map((task) => task.occurrence)).toEqual(['ARRIVAL', 'DEPARTURE', 'POST_DEPARTURE', 'PRE_ARRIVAL']);
}
export const messagesOf = async (db: Db, sagaId: string) => {
  const rows = await db
    .selectFrom('notification')
    .select(['event', 'channel', 'status'])
    .where('saga_id', '=', sagaId)
    .where('recipient_type', '=', 'GUEST')
    .orderBy('channel')
    .execute();
  return rows.map(({ event, channel, status }) => `${event} ${channel} ${status}`);
};
