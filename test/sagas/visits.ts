import { sql } from 'kysely';
import { expect } from 'vitest';
import type { Db } from '../../src/db/client.ts';
import { ACCESS_BEHIND } from '../../src/domain/notifications/held.ts';
import { checkIn, confirmReservation } from '../../src/sagas/index.ts';
import { datesAreFree, endings, seedStay } from './confirmation.ts';
import { fixtureOf, ranTo, type World } from './money.ts';

/** Arrivals and departures against the sandbox's devices, whose own record is what is really switched on. */

const confirmInput = (reservationId: string) => ({ reservationId, requireAssignment: false });
const visitInput = (reservationId: string) => ({ reservationId, actualTime: null, strict: false });

/** A property of its own, with a lock of its own, and a confirmed stay at it. */
async function confirmedStay(world: World, db: Db): Promise<string> {
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

const stayOf = (db: Db, id: string) =>
  db.selectFrom('reservation').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const propertyOf = async (db: Db, reservationId: string) => {
  const { property_id } = await stayOf(db, reservationId);
  return db.selectFrom('property').selectAll().where('id', '=', property_id).executeTakeFirstOrThrow();
};

/** Somebody of its own is to clean before the arrival, and has said so. */
async function givePreArrivalCleaning(db: Db, reservationId: string): Promise<void> {
  const id = cleanerOf(reservationId);
  await db.insertInto('staff').values({ id, name: 'Nina', email: 'nina@example.com', role: 'CLEANER' }).execute();
  await db
    .updateTable('task')
    .set({
      status: 'ASSIGNED',
      assignee_id: id,
      slot_start: '2031-01-31T12:00:00Z',
      slot_end: '2031-01-31T14:00:00Z',
      accept_by: sql<Date>`now() + interval '1 hour'`,
      accepted_at: sql<Date>`now()`,
      assign_attempts: 3,
    })
    .where('reservation_id', '=', reservationId)
    .where('occurrence', '=', 'PRE_ARRIVAL')
    .execute();
}
const cleanerOf = (reservationId: string): string => `cleaner-of-${reservationId}`;
/** Of the arrival, all that matters of who does them and when. */
async function arrivalTasksOf(db: Db, reservationId: string) {
  const { rows } = await sql<object>`
    SELECT occurrence, status, assignee_id, slot_start::text, slot_end::text, accept_by::text, accepted_at::text,
           next_assign_at::text, assign_attempts
      FROM task WHERE reservation_id = ${reservationId} AND occurrence IN ('PRE_ARRIVAL', 'ARRIVAL') AND status <> 'CANCELLED'
     ORDER BY occurrence`.execute(db);
  return rows;
}
const arrivalTasksBefore = new Map<string, readonly object[]>();
const withdrawalsOf = async (db: Db, sagaId: string) => {
  const rows = await db
    .selectFrom('notification')
    .select(['recipient_id', 'status'])
    .where('saga_id', '=', sagaId)
    .where('event', '=', 'TASK_WITHDRAWN')
    .execute();
  return rows.map(({ recipient_id, status }) => `${recipient_id} ${status}`);
};

/** How many grants the lock itself has on. */
const switchedOn = async (world: World, reservationId: string): Promise<number> => {
  const grants = await world.sandbox.ports.amenities.grantsOf(`lock-of-${reservationId}`, AbortSignal.timeout(5_000));
  return grants.filter((grant) => grant.active).length;
};

/** There are never more than these, whatever was tried how often (domain.md T2). */
async function expectFourTasks(db: Db, reservationId: string): Promise<void> {
  const tasks = await db
    .selectFrom('task')
    .select('occurrence')
    .where('reservation_id', '=', reservationId)
    .where('status', '<>', 'CANCELLED')
    .orderBy('occurrence')
    .execute();
  expect(tasks.map((task) => task.occurrence)).toEqual(['ARRIVAL', 'DEPARTURE', 'POST_DEPARTURE', 'PRE_ARRIVAL']);
}
const messagesOf = async (db: Db, sagaId: string) => {
  const rows = await db
    .selectFrom('notification')
    .select(['event', 'channel', 'status'])
    .where('saga_id', '=', sagaId)
    .where('recipient_type', '=', 'GUEST')
    .orderBy('channel')
    .execute();
  return rows.map(({ event, channel, status }) => `${event} ${channel} ${status}`);
};

export const arrival = fixtureOf({
  companions: [confirmReservation],
  seed: async (world, db) => {
    const subjectId = await confirmedStay(world, db);
    await givePreArrivalCleaning(db, subjectId);
    arrivalTasksBefore.set(subjectId, await arrivalTasksOf(db, subjectId));
    return { subjectId, input: visitInput(subjectId) };
  },
  completed: async (world, db, { sagaId, subjectId }) => {
    const over = { status: 'OVERTAKEN', assignee_id: null, next_assign_at: null };
    expect(await arrivalTasksOf(db, subjectId)).toMatchObject([over, over]);
    expect(await withdrawalsOf(db, sagaId)).toEqual([`${cleanerOf(subjectId)} QUEUED`]);
    expect(await stayOf(db, subjectId)).toMatchObject({ status: 'CHECKED_IN', actual_check_in_at: expect.any(Date) });
    expect(await switchedOn(world, subjectId)).toBe(1);
    expect(await propertyOf(db, subjectId)).toMatchObject({ amenity_status: 'ACTIVE' });
    await expectFourTasks(db, subjectId);
    expect(await messagesOf(db, sagaId)).toEqual(['WELCOME EMAIL QUEUED', 'WELCOME SMS QUEUED']);
    expect(await endings(db, sagaId)).toEqual(['RESERVATION_CHECKED_IN']);
  },
  compensated: async (world, db, { sagaId, subjectId }) => {
    expect(await stayOf(db, subjectId)).toMatchObject({ status: 'CONFIRMED', actual_check_in_at: null });
    expect(await arrivalTasksOf(db, subjectId)).toEqual(arrivalTasksBefore.get(subjectId));
    expect((await withdrawalsOf(db, sagaId)).filter((told) => !told.endsWith('SKIPPED'))).toEqual([]);
    expect(await switchedOn(world, subjectId)).toBe(0);
    expect(await propertyOf(db, subjectId)).toMatchObject({ amenity_status: 'INACTIVE' });
    await expectFourTasks(db, subjectId);
    expect((await messagesOf(db, sagaId)).filter((message) => !message.endsWith('SKIPPED'))).toEqual([]);
    expect(await endings(db, sagaId)).toEqual(['SAGA_COMPENSATED']);
  },
});

export const departure = fixtureOf({
  companions: [confirmReservation, checkIn],
  seed: async (world, db) => {
    const subjectId = await confirmedStay(world, db);
    await ranTo(world, checkIn, { subjectId, input: visitInput(subjectId) });
    return { subjectId, input: visitInput(subjectId) };
  },
  completed: async (world, db, { sagaId, subjectId }) => {
    const stay = await stayOf(db, subjectId);
    expect(stay).toMatchObject({ status: 'CHECKED_OUT', actual_check_out_at: expect.any(Date) });
    expect(await datesAreFree(db, subjectId)).toBe(true);
    expect(await switchedOn(world, subjectId)).toBe(0);
    expect(await propertyOf(db, subjectId)).toMatchObject({ amenity_status: 'INACTIVE', readiness: 'DIRTY' });
    await expectFourTasks(db, subjectId);
    const cleaning = await db
      .selectFrom('task')
      .select('scheduled_at')
      .where('reservation_id', '=', subjectId)
      .where('occurrence', '=', 'POST_DEPARTURE')
      .executeTakeFirstOrThrow();
    expect(cleaning.scheduled_at.getTime() - (stay.actual_check_out_at?.getTime() ?? 0)).toBe(7_200_000);
    const reports = await db.selectFrom('check_out_report').select('id').where('saga_id', '=', sagaId).execute();
    expect(reports).toHaveLength(1);
    expect(await messagesOf(db, sagaId)).toEqual(['THANK_YOU EMAIL QUEUED']);
    expect(await endings(db, sagaId)).toEqual(['RESERVATION_CHECKED_OUT']);
  },
  compensated: async (world, db, { sagaId, subjectId }) => {
    expect(await stayOf(db, subjectId)).toMatchObject({
      status: 'CHECKED_IN',
      actual_check_out_at: null,
      departure_date: null,
    });
    expect(await datesAreFree(db, subjectId)).toBe(false);
    expect(await switchedOn(world, subjectId)).toBe(1);
    await expectFourTasks(db, subjectId);
    expect(await endings(db, sagaId)).toEqual(['SAGA_COMPENSATED']);
  },
});

const LATER = '2031-02-03T09:30:00.000Z';
const heldKey = (reservationId: string): string => `held-${reservationId}`;

export const laterDeparture = fixtureOf({
  companions: [confirmReservation, checkIn],
  seed: async (world, db) => {
    const subjectId = await confirmedStay(world, db);
    await ranTo(world, checkIn, { subjectId, input: visitInput(subjectId) });
    await db
      .updateTable('amenity_grant')
      .set({ wanted_until: LATER, asked_until: LATER })
      .where('reservation_id', '=', subjectId)
      .execute();
    await db
      .insertInto('notification')
      .values({
        id: heldKey(subjectId),
        effect_key: heldKey(subjectId),
        reservation_id: subjectId,
        event: 'CHECK_OUT_REMINDER',
        template: 'check-out-reminder.guest@1',
        channel: 'EMAIL',
        recipient_type: 'GUEST',
        recipient_id: 'guest-1',
        due_at: sql<Date>`now() + interval '1 hour'`,
        reason: ACCESS_BEHIND,
      })
      .execute();
    return { subjectId, input: { reservationId: subjectId, until: LATER } };
  },
  completed: async (world, db, { sagaId, subjectId }) => {
    expect(await servesUntil(world, db, subjectId)).toEqual([LATER, LATER]);
    expect(await switchedOn(world, subjectId)).toBe(1);
    expect(await isReleased(db, subjectId)).toBe(true);
    expect(await endings(db, sagaId)).toEqual(['ACCESS_CHANGED']);
  },
  compensated: async (world, db, { sagaId, subjectId }) => {
    const before = '2031-02-03T07:00:00.000Z';
    expect(await servesUntil(world, db, subjectId)).toEqual([before, before]);
    expect(await switchedOn(world, subjectId)).toBe(1);
    expect(await isReleased(db, subjectId)).toBe(false);
    expect(await endings(db, sagaId)).toEqual(['SAGA_COMPENSATED']);
  },
});

/** Until when the lock itself lets the guest in, and what stands here of it. */
async function servesUntil(world: World, db: Db, reservationId: string): Promise<readonly (string | undefined)[]> {
  const grants = await world.sandbox.ports.amenities.grantsOf(`lock-of-${reservationId}`, AbortSignal.timeout(5_000));
  const known = await db
    .selectFrom('amenity_grant')
    .select('valid_until')
    .where('reservation_id', '=', reservationId)
    .executeTakeFirstOrThrow();
  return [grants[0]?.until, known.valid_until.toISOString()];
}
async function isReleased(db: Db, reservationId: string): Promise<boolean> {
  const { rows } = await sql<{ due: boolean }>`
    SELECT due_at <= now() AS due FROM notification WHERE id = ${heldKey(reservationId)}`.execute(db);
  return rows[0]?.due ?? false;
}
