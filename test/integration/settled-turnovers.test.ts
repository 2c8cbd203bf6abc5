import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { settleAround } from '../../src/domain/assignment/turnovers.ts';
import { planStay } from '../../src/domain/reservations/stay-plan.ts';
import { planTurnover } from '../../src/domain/tasks/planned-turnover.ts';
import { createTestDatabase } from '../setup/database.ts';
import { seedStays } from '../setup/stays.ts';

/** One rule for the cleanings where two stays meet (domain.md 10), whatever its tasks looked like before. */

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let db: Db;
let made = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 4, applicationName: 'settled-turnovers-test' }));
  await db
    .insertInto('staff')
    .values({ id: 'clara', name: 'Clara', email: 'clara@staff.example', role: 'CLEANER' })
    .execute();
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});

/** Two confirmed stays of one property that meet on 3 May 2031, and the cleanings between them, each on its own. */
async function twoStays() {
  made += 1;
  const propertyId = `flat-${made}`;
  const [leaves, arrives] = [`leaves-${made}`, `arrives-${made}`];
  await seedStays(db, [
    { id: leaves, propertyId, checkInDate: '2031-05-01', checkOutDate: '2031-05-03' },
    { id: arrives, propertyId, checkInDate: '2031-05-03', checkOutDate: '2031-05-05' },
  ]);
  await db.updateTable('reservation').set({ status: 'CONFIRMED' }).where('property_id', '=', propertyId).execute();
  const common = { property_id: propertyId, type: 'CLEANING', title: 'Cleaning', status: 'UNASSIGNED' } as const;
  const [after, before] = [`after-${made}`, `before-${made}`];
  await db
    .insertInto('task')
    .values([
      {
        ...common,
        id: after,
        reservation_id: leaves,
        occurrence: 'POST_DEPARTURE',
        scheduled_at: '2031-05-03T09:00:00Z',
        ends_at: '2031-05-03T11:00:00Z',
        local_rule: '2031-05-03T11:00[Asia/Dubai]+PT7200S',
      },
      {
        ...common,
        id: before,
        reservation_id: arrives,
        occurrence: 'PRE_ARRIVAL',
        scheduled_at: '2031-05-02T11:00:00Z',
        ends_at: '2031-05-02T13:00:00Z',
        must_finish_by: '2031-05-03T11:00:00Z',
      },
    ])
    .execute();
  return { propertyId, leaves, arrives, after, before };
}
/** Around either stay: what comes of it is the same. */
const settle = async (reservationId: string) => db.transaction().execute((tx) => settleAround(tx, reservationId));
const task = (id: string) => db.selectFrom('task').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const change = (id: string, set: object) => db.updateTable('task').set(set).where('id', '=', id).execute();
const NOTHING = { merged: [], displaced: [], parted: [], cleared: [], awaited: [] };

describe('two stays that meet on one day', () => {
  it('share a cleaning, which must be done when the next guest comes; and what is so already is not written', async () => {
    const { arrives, after, before } = await twoStays();
    expect((await settle(arrives)).merged).toEqual([{ taskId: before, into: after }]);
    expect(await task(before)).toMatchObject({ status: 'MERGED', merged_into_task_id: after, version: 2 });
    expect(await task(after)).toMatchObject({
      must_finish_by: new Date('2031-05-03T11:00:00Z'),
      scheduled_at: new Date('2031-05-03T09:00:00Z'),
      priority: 'HIGH',
      version: 2,
    });
    expect(await settle(arrives)).toEqual(NOTHING);
    expect([(await task(before)).version, (await task(after)).version]).toEqual([2, 2]);
  });

  it('leave nothing agreed or asked of the cleaning that is merged, and who had it is told', async () => {
    const { arrives, before } = await twoStays();
    await change(before, {
      status: 'ASSIGNED',
      assignee_id: 'clara',
      slot_start: '2031-05-02T12:00:00Z',
      slot_end: '2031-05-02T14:00:00Z',
      accept_by: '2031-05-01T12:00:00Z',
      accepted_at: '2031-05-01T11:00:00Z',
    });
    const { displaced } = await settle(arrives);
    expect(displaced).toMatchObject([{ id: before, assigneeId: 'clara' }]);
    expect(await task(before)).toMatchObject({
      status: 'MERGED',
      assignee_id: null,
      slot_start: null,
      slot_end: null,
      accept_by: null,
      accepted_at: null,
      next_assign_at: null,
    });
    const notified = await db.selectFrom('notification').select('event').where('task_id', '=', before).execute();
    expect(notified).toEqual([{ event: 'TASK_WITHDRAWN' }]);
  });

  it('begin their cleaning with the departure where two hours later is too late, and later again when nobody waits', async () => {
    const { arrives, after, before } = await twoStays();
    await change(before, { must_finish_by: '2031-05-03T10:00:00Z' });
    await settle(arrives);
    expect((await task(after)).scheduled_at).toEqual(new Date('2031-05-03T07:00:00Z'));
    await db.updateTable('reservation').set({ status: 'CANCELLED' }).where('id', '=', arrives).execute();
    const { cleared, parted } = await settle(arrives);
    expect(cleared).toMatchObject([{ taskId: after, mustFinishBy: '2031-05-03T10:00:00.000Z' }]);
    expect(parted).toEqual([{ taskId: before, mergedInto: after }]);
    expect(await task(after)).toMatchObject({
      must_finish_by: null,
      scheduled_at: new Date('2031-05-03T09:00:00Z'),
      local_rule: '2031-05-03T11:00[Asia/Dubai]+PT7200S',
      priority: 'NORMAL',
    });
  });

  it('have a cleaning each where a person wants the first at a time that is too late', async () => {
    const { arrives, after, before } = await twoStays();
    await settle(arrives);
    const late = { scheduled_at: '2031-05-03T14:00:00Z', ends_at: '2031-05-03T16:00:00Z' };
    await change(after, { ...late, manual_fields: ['scheduledDate'] });
    await settle(arrives);
    expect(await task(before)).toMatchObject({ status: 'UNASSIGNED', merged_into_task_id: null });
    expect(await task(after)).toMatchObject({ must_finish_by: null, scheduled_at: new Date(late.scheduled_at) });
  });

  it.each([
    ['before the time to clean for the next guest', '2031-05-02T10:00:00Z', 'UNASSIGNED'],
    ['when that time has come', '2031-05-02T12:00:00Z', 'MERGED'],
  ])('part when the first guest leaves early, %s', async (_, leftAt, status) => {
    const { leaves, before } = await twoStays();
    await settle(leaves);
    await db
      .updateTable('reservation')
      .set({ status: 'CHECKED_OUT', departure_date: '2031-05-02', actual_check_out_at: leftAt })
      .where('id', '=', leaves)
      .execute();
    await settle(leaves);
    expect((await task(before)).status).toBe(status);
  });

  it('do not take from who is at work, nor give back what is done', async () => {
    const { arrives, after, before } = await twoStays();
    await settle(arrives);
    await change(after, { status: 'COMPLETED', completed_at: sql`now()` });
    expect(await settle(arrives)).toEqual(NOTHING);
    expect((await task(before)).status).toBe('MERGED');
  });
});

describe('the plan of a cleaning between two stays on one day', () => {
  const clock = { timeZone: 'Asia/Dubai', checkInTime: '15:00', checkOutTime: '11:00', cleaningMinutes: 120 };
  const stay = { checkInDate: '2024-02-01', checkOutDate: '2024-02-03', plannedArrival: null, plannedDeparture: null };
  const { postDepartureCleaning: cleaning } = planStay(stay, clock);

  it('begins two hours after the departure when there is time', async () => {
    expect(await planTurnover(db, cleaning, null)).toEqual({ cleaning, isTooShort: false });
    const next = '2024-02-03T11:00:00.000Z';
    const inTime = { cleaning: { ...cleaning, mustFinishBy: next }, isTooShort: false };
    expect(await planTurnover(db, cleaning, next)).toEqual(inTime);
  });

  it('begins with the departure when two hours later would be too late', async () => {
    const { cleaning: moved, isTooShort } = await planTurnover(db, cleaning, '2024-02-03T10:59:00.000Z');
    expect(isTooShort).toBe(true);
    expect(moved).toMatchObject({
      scheduledAt: '2024-02-03T07:00:00.000Z',
      endsAt: '2024-02-03T09:00:00.000Z',
      localRule: '2024-02-03T11:00[Asia/Dubai]',
    });
    // And never earlier than that.
    const sooner = await planTurnover(db, moved, '2024-02-03T08:00:00.000Z');
    expect(sooner.cleaning.scheduledAt).toBe(moved.scheduledAt);
  });
});
