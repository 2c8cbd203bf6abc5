import { type Insertable, sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db, type Tx } from '../../src/db/client.ts';
import type { PropertyTable, StaffTable, TaskTable } from '../../src/db/schema.ts';
import { assignDueTasks } from '../../src/domain/assignment/assign-sweep.ts';
import { readAssignment } from '../../src/domain/assignment/explanation.ts';
import { forgetHolds } from '../../src/domain/assignment/holds.ts';
import { addLeave, listLeave, removeLeave } from '../../src/domain/assignment/leave.ts';
import { acceptTask, declineTask, reassignUnanswered } from '../../src/domain/assignment/offers.ts';
import { releaseUnlessFree } from '../../src/domain/assignment/release.ts';
import { loadFacts, valuesOf } from '../../src/domain/messages/delivery-facts.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { until } from '../setup/engine.ts';
import { seedStays } from '../setup/stays.ts';

/** Who gets which task, and what makes a task change hands. */

let database: TestDatabase;
let db: Db;
/** Of this test: tests share the database, and each has its own region. */
let region: string;
let made = 0;
const AUTHOR = { actor: 'admin-1', requestId: null };

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 8, applicationName: 'assignment-test' }));
  await db.insertInto('owner').values({ id: 'owner-1', name: 'Olga', email: 'olga@example.com' }).execute();
});
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});
beforeEach(async () => {
  made += 1;
  region = `region-${made}`;
  await db.updateTable('task').set({ status: 'CANCELLED', completed_at: null, merged_into_task_id: null }).execute();
});

const HERE = JSON.stringify({ lat: 25.08, lng: 55.14 });
const AWAY = JSON.stringify({ lat: 25.17, lng: 55.14 });
const name = (id: string): string => `${id}-${made}`;

async function property(values: Partial<Insertable<PropertyTable>> = {}): Promise<string> {
  const id = name('flat');
  await db
    .insertInto('property')
    .values({ id, name: 'Flat', owner_id: 'owner-1', region, location: HERE, ...values })
    .execute();
  return id;
}
async function staff(id: string, values: Partial<Insertable<StaffTable>> = {}): Promise<string> {
  await db
    .insertInto('staff')
    .values({ id: name(id), name: id, email: `${id}@example.com`, role: 'CLEANER', region, ...values })
    .execute();
  return name(id);
}
let tasks = 0;
async function task(values: Partial<Insertable<TaskTable>> = {}): Promise<string> {
  tasks += 1;
  const start = values.scheduled_at ?? '2031-03-05T06:00:00Z';
  const row = await db
    .insertInto('task')
    .values({
      id: `task-${tasks}`,
      property_id: name('flat'),
      type: 'CLEANING',
      occurrence: 'MANUAL',
      title: 'Clean',
      status: 'UNASSIGNED',
      scheduled_at: start,
      ends_at: new Date(new Date(start).getTime() + 3_600_000),
      ...values,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return row.id;
}
const given = (who: string, start: string, values: Partial<Insertable<TaskTable>> = {}): Promise<string> =>
  task({ status: 'ASSIGNED', assignee_id: who, scheduled_at: start, ...values });
const row = (id: string) => db.selectFrom('task').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const sweep = () => assignDueTasks(db, 50);
async function assigneeOf(id: string): Promise<string | null> {
  await sweep();
  return (await row(id)).assignee_id;
}
const inTx = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => db.transaction().execute(work);
const messagesOf = (taskId: string, event: string) =>
  db
    .selectFrom('notification')
    .select('recipient_id')
    .where('task_id', '=', taskId)
    .where('event', '=', event as never)
    .orderBy('created_at')
    .execute()
    .then((rows) => rows.map(({ recipient_id }) => recipient_id));
const alertsAbout = async (taskId: string): Promise<string[]> => {
  const { rows } = await sql<{ code: string }>`
    SELECT params ->> 'code' AS code FROM notification WHERE event = 'SYSTEM_ALERT' AND params ->> 'sagaId' = ${taskId} ORDER BY 1`.execute(
    db,
  );
  return rows.map(({ code }) => code);
};
const dueNow = (id: string) =>
  db.updateTable('task').set({ next_assign_at: sql<Date>`now()` }).where('id', '=', id).execute();

describe('the best of those who can', () => {
  it('is the one with the least to do that day', async () => {
    await property();
    const busy = await staff('a');
    const idle = await staff('b');
    await given(busy, '2031-03-05T10:00:00Z');
    expect(await assigneeOf(await task())).toBe(idle);
  });

  it('is the one who is nearer, from the task before or from home', async () => {
    await property();
    await staff('a', { home_location: AWAY });
    const near = await staff('b', { home_location: HERE });
    expect(await assigneeOf(await task())).toBe(near);
  });

  it('is the property’s own, with equal others; then who waited longest; then the lowest id', async () => {
    await property({ primary_staff_ids: [name('c')] });
    const [first, second, primary] = [await staff('a'), await staff('b'), await staff('c')];
    expect(await assigneeOf(await task())).toBe(primary);
    await db.updateTable('property').set({ primary_staff_ids: [] }).where('id', '=', name('flat')).execute();
    await db.updateTable('staff').set({ last_job_at: sql<Date>`now()` }).where('id', '=', first).execute();
    expect(await assigneeOf(await task({ scheduled_at: '2031-03-06T06:00:00Z' }))).toBe(second);
    await db.updateTable('staff').set({ last_job_at: null }).where('id', 'in', [first, second, primary]).execute();
    expect(await assigneeOf(await task({ scheduled_at: '2031-03-07T06:00:00Z' }))).toBe(first);
  });

  it('is explained, with what spoke against each of the others', async () => {
    await property();
    const best = await staff('a', { home_location: HERE, skills: ['pool'], max_minutes_per_day: 480 });
    const far = await staff('b', { home_location: AWAY, skills: ['pool'] });
    const away = await staff('c', { skills: ['pool'], region: 'elsewhere' });
    const unskilled = await staff('d');
    const agent = await staff('e', { role: 'AGENT' });
    const former = await staff('f', { active: false });
    const full = await staff('g', { skills: ['pool'], max_minutes_per_day: 30 });
    const off = await staff('h', { skills: ['pool'], shifts: JSON.stringify([]) });
    const id = await task({ required_skills: ['pool'] });
    expect(await assigneeOf(id)).toBe(best);
    const { explanation } = await readAssignment(db, id);
    expect(explanation).toMatchObject({
      startsAt: '2031-03-05T06:00:00.000Z',
      weights: { workload: 45, proximity: 35, primary: 15, fairness: 5 },
      chosen: best,
      candidates: [
        {
          staffId: best,
          workload: 1,
          proximity: 1,
          primary: 0,
          fairness: 1,
          total: 0.85,
          travelKm: 0,
          bookedMinutes: 0,
        },
        { staffId: far, travelKm: 10.01 },
      ],
    });
    const against = (reason: string) => explanation?.excluded.find((one) => one.reason === reason)?.staffIds ?? [];
    expect(against('PLACE')).toContain(away);
    expect([against('SKILLS'), against('DAY_FULL'), against('OFF_SHIFT')]).toEqual([[unskilled], [full], [off]]);
    expect(against('ROLE')).toContain(agent);
    expect(against('INACTIVE')).toContain(former);
  });

  it('is explained by counts and the best fifty where people are many', async () => {
    await property();
    for (let n = 0; n < 55; n += 1) await staff(`p${String(n).padStart(2, '0')}`);
    const id = await task();
    await sweep();
    const { explanation } = await readAssignment(db, id);
    expect(explanation?.candidates).toHaveLength(50);
    expect(explanation?.excluded.every(({ staffIds }) => staffIds === null)).toBe(true);
    expect(explanation?.excluded.find(({ reason }) => reason === 'PLACE')?.count).toBeGreaterThan(5);
    await db.deleteFrom('notification').where('task_id', '=', id).execute();
    await db.deleteFrom('task').where('id', '=', id).execute();
    await db.deleteFrom('staff').where('region', '=', region).execute();
  });
});

describe('a task that may start later', () => {
  it('gets the earliest half hour at which somebody can, and says so', async () => {
    await property();
    const only = await staff('a');
    await given(only, '2031-03-05T05:30:00Z', { ends_at: '2031-03-05T07:15:00Z' });
    const id = await task({ must_finish_by: '2031-03-05T12:00:00Z' });
    expect(await assigneeOf(id)).toBe(only);
    expect(await row(id)).toMatchObject({
      scheduled_at: new Date('2031-03-05T06:00:00Z'),
      slot_start: new Date('2031-03-05T07:30:00Z'),
      slot_end: new Date('2031-03-05T08:30:00Z'),
    });
    const { id: mail } = await db
      .selectFrom('notification')
      .select('id')
      .where('task_id', '=', id)
      .executeTakeFirstOrThrow();
    const [facts] = await loadFacts(db, [mail]);
    expect(facts && valuesOf(facts).taskStart).toContain('11:30');
  });

  it('may wait for the next day', async () => {
    await property();
    const only = await staff('a', { max_minutes_per_day: 60 });
    await given(only, '2031-03-05T04:00:00Z');
    const id = await task({ must_finish_by: '2031-03-06T12:00:00Z' });
    expect(await assigneeOf(id)).toBe(only);
    // Midnight in Dubai.
    expect((await row(id)).slot_start).toEqual(new Date('2031-03-05T20:00:00Z'));
  });

  it('and is re-timed, is no longer agreed for the old time', async () => {
    await property();
    const only = await staff('a');
    await given(only, '2031-03-05T06:00:00Z');
    const id = await task({ must_finish_by: '2031-03-05T12:00:00Z' });
    await sweep();
    expect((await row(id)).slot_start).not.toBeNull();
    const times = { scheduled_at: '2031-03-07T06:00:00Z', ends_at: '2031-03-07T07:00:00Z' };
    await db.updateTable('task').set(times).where('id', '=', id).execute();
    expect(await row(id)).toMatchObject({ slot_start: null, slot_end: null, assignee_id: only });
    await db
      .updateTable('task')
      .set({ title: 'x', ...times })
      .where('id', '=', id)
      .execute();
    expect((await row(id)).slot_start).toBeNull();
  });

  it('and is late, starts from now on, and is urgent unless a person said otherwise', async () => {
    await property();
    await staff('a');
    const ids = [
      await task({ scheduled_at: '2024-02-01T09:00:00Z' }),
      await task({ scheduled_at: '2024-02-01T10:00:00Z', priority: 'LOW', manual_fields: ['priority'] }),
    ];
    await sweep();
    const [late, low] = await Promise.all(ids.map(row));
    expect([late?.priority, low?.priority]).toEqual(['URGENT', 'LOW']);
    const from = Date.now();
    for (const one of [late, low]) {
      expect(one?.status).toBe('ASSIGNED');
      expect(one?.slot_start?.getTime()).toBeGreaterThan(from - 60_000);
      expect(one?.slot_end?.getTime()).toBeLessThanOrEqual(from + 86_400_000 + 60_000);
    }
  });
});

describe('a turnover that is found late', () => {
  it('becomes one cleaning, which is assigned within its new window', async () => {
    await property();
    const only = await staff('a');
    await seedStays(db, [
      { id: name('leaves'), propertyId: name('flat'), checkInDate: '2031-03-01', checkOutDate: '2031-03-05' },
      { id: name('arrives'), propertyId: name('flat'), checkInDate: '2031-03-05', checkOutDate: '2031-03-09' },
    ]);
    await db.updateTable('reservation').set({ status: 'CONFIRMED' }).where('property_id', '=', name('flat')).execute();
    const last = await task({
      reservation_id: name('leaves'),
      occurrence: 'POST_DEPARTURE',
      local_rule: '2031-03-05T11:00[Asia/Dubai]+PT7200S',
      scheduled_at: '2031-03-05T09:00:00Z',
    });
    const first = await task({
      reservation_id: name('arrives'),
      occurrence: 'PRE_ARRIVAL',
      scheduled_at: '2031-03-04T11:00:00Z',
      must_finish_by: '2031-03-05T09:30:00Z',
    });
    await sweep();
    expect(await row(first)).toMatchObject({ status: 'MERGED', merged_into_task_id: last, assignee_id: null });
    expect(await row(last)).toMatchObject({
      status: 'UNASSIGNED',
      priority: 'HIGH',
      must_finish_by: new Date('2031-03-05T09:30:00Z'),
      scheduled_at: new Date('2031-03-05T07:00:00Z'),
    });
    expect(await assigneeOf(last)).toBe(only);
    expect((await row(last)).slot_start).toBeNull();
  });
});

describe('many sweeps at once', () => {
  it('break no cap and make nobody be in two places', async () => {
    await property();
    const only = await staff('a', { max_minutes_per_day: 120 });
    const ids = await Promise.all(
      [4, 6, 8, 10, 12, 14].map((hour) => task({ scheduled_at: `2031-03-05T${String(hour).padStart(2, '0')}:00:00Z` })),
    );
    await Promise.all(Array.from({ length: 6 }, () => assignDueTasks(db, 1)));
    await db.updateTable('task').set({ next_assign_at: sql<Date>`now()` }).where('id', 'in', ids).execute();
    await Promise.all(Array.from({ length: 6 }, () => assignDueTasks(db, 1)));
    const assigned = await db
      .selectFrom('task')
      .select('id')
      .where('assignee_id', '=', only)
      .where('status', '=', 'ASSIGNED')
      .execute();
    expect(assigned.length).toBeGreaterThan(0);
    expect(assigned.length).toBeLessThanOrEqual(2);
  });

  it('give nothing to one who was given other work in between', async () => {
    await property();
    const only = await staff('a', { max_minutes_per_day: 60 });
    const id = await task();
    let racing: Promise<unknown> = Promise.resolve();
    await db.transaction().execute(async (tx) => {
      await sql`UPDATE staff SET bookings = bookings WHERE id = ${only}`.execute(tx);
      racing = assignDueTasks(db, 50);
      racing.catch(() => undefined);
      // The sweep has planned with the person by now, and waits for the row.
      await until('the sweep waits', async () => {
        const { rows } = await sql`SELECT 1 FROM pg_locks WHERE NOT granted`.execute(db);
        return rows.length > 0 || undefined;
      });
      await tx
        .insertInto('task')
        .values({
          id: `${id}-rival`,
          property_id: name('flat'),
          type: 'CLEANING',
          occurrence: 'MANUAL',
          title: 'Other',
          status: 'ASSIGNED',
          assignee_id: only,
          scheduled_at: '2031-03-05T14:00:00Z',
          ends_at: '2031-03-05T15:00:00Z',
        })
        .execute();
    });
    await racing;
    expect((await row(id)).status).toBe('UNASSIGNED');
    await dueNow(id);
    await sweep();
    expect((await row(id)).status).toBe('UNASSIGNED');
  });
});

describe('leave', () => {
  const LEAVE = { from: '2031-03-05T00:00:00Z', to: '2031-03-06T00:00:00Z', reason: 'family' };

  it('hands the tasks that fall into it to others, and the person is told', async () => {
    await property();
    const leaving = await staff('a');
    const other = await staff('b', { home_location: AWAY });
    const inside = await given(leaving, '2031-03-05T06:00:00Z');
    const outside = await given(leaving, '2031-03-06T06:00:00Z');
    const begun = await given(leaving, '2031-03-05T10:00:00Z', { status: 'IN_PROGRESS' });
    const leave = await inTx((tx) => addLeave(tx, leaving, LEAVE, null, AUTHOR));
    expect(leave).toMatchObject({ staffId: leaving, from: '2031-03-05T00:00:00.000Z', releasedTaskIds: [inside] });
    expect(await messagesOf(inside, 'TASK_WITHDRAWN')).toEqual([leaving]);
    expect(await assigneeOf(inside)).toBe(other);
    expect([(await row(outside)).assignee_id, (await row(begun)).status]).toEqual([leaving, 'IN_PROGRESS']);
    const { explanation } = await readAssignment(db, inside);
    expect(explanation?.excluded).toContainEqual({ reason: 'ON_LEAVE', count: 1, staffIds: [leaving] });
  });

  it('that is taken back leaves the person free again', async () => {
    await property();
    const only = await staff('a');
    const leave = await inTx((tx) => addLeave(tx, only, LEAVE, null, AUTHOR));
    const id = await task();
    expect(await assigneeOf(id)).toBeNull();
    expect((await listLeave(db, only, null, { limit: 10, after: null })).items.map((one) => one.id)).toEqual([
      leave.id,
    ]);
    await inTx((tx) => removeLeave(tx, { staffId: only, leaveId: leave.id }, null, AUTHOR));
    await dueNow(id);
    expect(await assigneeOf(id)).toBe(only);
    expect((await listLeave(db, only, null, { limit: 10, after: null })).items).toEqual([]);
  });
});

describe('an offer', () => {
  it('is accepted once, by its assignee', async () => {
    await property({ accept_minutes: 30 });
    const only = await staff('a');
    const id = await task();
    await sweep();
    const offered = await row(id);
    expect(offered.accept_by).not.toBeNull();
    const view = await inTx((tx) => acceptTask(tx, { taskId: id, assigneeId: only }, AUTHOR));
    expect(view.acceptedAt).not.toBeNull();
    expect(await inTx((tx) => acceptTask(tx, { taskId: id, assigneeId: only }, AUTHOR))).toEqual(view);
    await db.updateTable('task').set({ accept_by: '2020-01-01T00:00:00Z' }).where('id', '=', id).execute();
    expect(await reassignUnanswered(db, 50)).toBe(0);
    await expect(inTx((tx) => acceptTask(tx, { taskId: id, assigneeId: 'somebody' }, AUTHOR))).rejects.toMatchObject({
      code: 'TASK_NOT_FOUND',
    });
  });

  it('that is declined goes to the next, never again to who declined, and people hear of it', async () => {
    await property({ accept_minutes: 30 });
    const [first, second] = [await staff('a'), await staff('b')];
    const id = await task();
    expect(await assigneeOf(id)).toBe(first);
    const declined = await inTx((tx) => declineTask(tx, { taskId: id, assigneeId: first }, 'car broke down', AUTHOR));
    expect(declined).toMatchObject({ status: 'UNASSIGNED', assigneeId: null, acceptBy: null });
    expect(await assigneeOf(id)).toBe(second);
    await inTx((tx) => declineTask(tx, { taskId: id, assigneeId: null }, 'by phone', AUTHOR));
    expect(await assigneeOf(id)).toBeNull();
    // That nobody is left is told as well, in one message an hour for all such tasks.
    const declines = (await alertsAbout(id)).filter((code) => code !== 'NO_STAFF_AVAILABLE');
    expect(declines).toEqual(['TASK_DECLINED', 'TASK_DECLINED']);
    const { refusals } = await readAssignment(db, id);
    expect(refusals.map(({ staffId, reason }) => [staffId, reason])).toEqual([
      [first, 'DECLINED'],
      [second, 'DECLINED'],
    ]);
    expect(await messagesOf(id, 'TASK_ASSIGNED')).toEqual([first, second]);
  });

  it('that somebody who is ill declines with all others is told of once', async () => {
    await property();
    const [ill, ailing] = [await staff('a'), await staff('b')];
    const own = await Promise.all(['06', '08', '10'].map((hour) => given(ill, `2031-03-05T${hour}:00:00Z`)));
    const other = await given(ailing, '2031-03-05T06:00:00Z');
    // In one moment, as an hour may end between two.
    await inTx(async (tx) => {
      for (const taskId of [...own, other]) await declineTask(tx, { taskId, assigneeId: null }, 'I am ill', AUTHOR);
    });
    expect((await Promise.all(own.map(alertsAbout))).flat()).toEqual(['TASK_DECLINED']);
    expect(await alertsAbout(other)).toEqual(['TASK_DECLINED']);
  });

  it('that nobody answers goes to the next; emergencies ask always', async () => {
    await property();
    const role = 'MAINTENANCE_STAFF';
    const [first, second] = [await staff('a', { role }), await staff('b', { role })];
    const id = await task({ type: 'EMERGENCY' });
    expect(await assigneeOf(id)).toBe(first);
    const { accept_by } = await row(id);
    const minutes = ((accept_by?.getTime() ?? 0) - Date.now()) / 60_000;
    expect(minutes).toBeGreaterThan(14);
    expect(minutes).toBeLessThan(16);
    expect(await reassignUnanswered(db, 50)).toBe(0);
    await db.updateTable('task').set({ accept_by: sql<Date>`now()` }).where('id', '=', id).execute();
    expect(await reassignUnanswered(db, 50)).toBe(1);
    expect(await messagesOf(id, 'TASK_WITHDRAWN')).toEqual([first]);
    expect(await assigneeOf(id)).toBe(second);
    expect(await alertsAbout(id)).toEqual(['TASK_NOT_ANSWERED']);
    await db.updateTable('task').set({ status: 'COMPLETED', completed_at: new Date() }).where('id', '=', id).execute();
    await expect(inTx((tx) => declineTask(tx, { taskId: id, assigneeId: second }, 'x', AUTHOR))).rejects.toMatchObject({
      code: 'INVALID_STATE_TRANSITION',
    });
  });
});

describe('a task for which there is nobody', () => {
  it('is tried again after 5, 15 and 60 minutes, then hourly, and told a day and four hours before, once each', async () => {
    await property();
    const start = new Date(Date.now() + 30 * 3_600_000);
    const id = await task({ scheduled_at: start, ends_at: new Date(start.getTime() + 3_600_000) });
    const waits: number[] = [];
    for (let n = 0; n < 4; n += 1) {
      await dueNow(id);
      await sweep();
      const { next_assign_at } = await row(id);
      waits.push(Math.round(((next_assign_at?.getTime() ?? 0) - Date.now()) / 60_000));
    }
    expect(waits).toEqual([5, 15, 60, 60]);
    const moveTo = async (hours: number) => {
      const at = new Date(Date.now() + hours * 3_600_000);
      await db
        .updateTable('task')
        .set({ scheduled_at: at, ends_at: new Date(at.getTime() + 3_600_000), next_assign_at: sql<Date>`now()` })
        .where('id', '=', id)
        .execute();
      await sweep();
      return Math.round((((await row(id)).next_assign_at?.getTime() ?? 0) - Date.now()) / 60_000);
    };
    // Looked at again at the very moment at which it is to be told.
    expect(await moveTo(24.5)).toBe(30);
    await moveTo(23);
    await moveTo(22);
    expect(await alertsAbout(id)).toEqual(expect.arrayContaining(['TASK_UNASSIGNED_24H']));
    await moveTo(3);
    await moveTo(2);
    const codes = (await alertsAbout(id)).filter((code) => code !== 'NO_STAFF_AVAILABLE');
    expect(codes).toEqual(['TASK_UNASSIGNED_24H', 'TASK_UNASSIGNED_4H']);
  });
});

describe('a time that is held', () => {
  const hold = (who: string, expires: string) =>
    db
      .insertInto('staff_hold')
      .values({
        id: name('hold'),
        occasion: 'MANUAL',
        staff_id: who,
        property_id: name('flat'),
        starts_at: '2031-03-05T06:00:00Z',
        ends_at: '2031-03-05T07:00:00Z',
        expires_at: sql<Date>`now() + ${expires}::interval`,
      })
      .execute();

  it('is given to nobody else until it runs out', async () => {
    await property();
    const only = await staff('a');
    await hold(only, '5 minutes');
    const id = await task();
    expect(await assigneeOf(id)).toBeNull();
    await db.updateTable('staff_hold').set({ expires_at: sql<Date>`now() - interval '1 second'` }).execute();
    await dueNow(id);
    expect(await assigneeOf(id)).toBe(only);
    await forgetHolds(db);
    const kept = await db.selectFrom('staff_hold').select('id').where('id', '=', name('hold')).execute();
    expect(kept).toHaveLength(1);
    await db.updateTable('staff_hold').set({ expires_at: '2020-01-01T00:00:00Z' }).execute();
    await forgetHolds(db);
    expect(await db.selectFrom('staff_hold').select('id').execute()).toEqual([]);
  });
});

describe('tasks whose time has changed', () => {
  it('stay with those who can come, and leave those who cannot', async () => {
    await property();
    const shifts = JSON.stringify([{ weekday: 3, from: '08:00', to: '20:00', zone: 'Asia/Dubai' }]);
    const only = await staff('a', { shifts });
    const stays = await given(only, '2031-03-05T06:00:00Z');
    const leaves = await given(only, '2031-03-06T06:00:00Z');
    const released = await inTx((tx) => releaseUnlessFree(tx, [stays, leaves, 'absent']));
    expect(released.map(({ id, assigneeId }) => [id, assigneeId])).toEqual([[leaves, only]]);
    expect(await messagesOf(leaves, 'TASK_WITHDRAWN')).toEqual([only]);
    await db.updateTable('staff').set({ active: false }).where('id', '=', only).execute();
    expect(await inTx((tx) => releaseUnlessFree(tx, [stays]))).toHaveLength(1);
  });
});
