import { type Insertable, sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import type { TaskTable, TaskType } from '../../src/db/schema.ts';
import { assignDueTasks } from '../../src/domain/assignment/assign-sweep.ts';
import {
  type CancelledTasks,
  cancelTasksOf,
  openTasksOf,
  reopenTasks,
} from '../../src/domain/stay-tasks/cancel-tasks.ts';
import { endTasksAtArrival, resumeTasks } from '../../src/domain/stay-tasks/end-tasks.ts';
import { listTasks, tasksOfReservation } from '../../src/domain/tasks/resource.ts';
import type { EndedTask } from '../../src/domain/tasks/store/finish.ts';
import { createTestDatabase } from '../setup/database.ts';
import { until } from '../setup/engine.ts';
import { seedStays } from '../setup/stays.ts';

let database: Awaited<ReturnType<typeof createTestDatabase>>;
let db: Db;
let made = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 6, applicationName: 'cancel-tasks-test' }));
  await db
    .insertInto('staff')
    .values([
      { id: 'clara', name: 'Clara', email: 'clara@staff.example', role: 'CLEANER' },
      { id: 'sara', name: 'Sara', email: 'sara@staff.example', role: 'AGENT' },
    ])
    .execute();
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});
beforeEach(async () => {
  made += 1;
  // Nobody is held by the tests before.
  await db.updateTable('task').set({ status: 'CANCELLED', completed_at: null, merged_into_task_id: null }).execute();
});

const SLOTS = {
  PRE_ARRIVAL: { type: 'CLEANING', scheduled_at: '2027-05-02T11:00:00Z', ends_at: '2027-05-02T13:00:00Z' },
  ARRIVAL: { type: 'CHECK_IN', scheduled_at: '2027-05-03T11:00:00Z', ends_at: '2027-05-03T12:00:00Z' },
  DEPARTURE: { type: 'CHECK_OUT', scheduled_at: '2027-05-05T07:00:00Z', ends_at: '2027-05-05T08:00:00Z' },
  POST_DEPARTURE: { type: 'CLEANING', scheduled_at: '2027-05-05T09:00:00Z', ends_at: '2027-05-05T11:00:00Z' },
} as const;
type Occurrence = keyof typeof SLOTS;
type Change = Partial<Insertable<TaskTable>>;

/** A stay with its four tasks, UNASSIGNED unless told otherwise; a task's id is `<stay>-<occurrence>`. `nights`: confirmed. */
async function stay(
  name: string,
  changes: Partial<Record<Occurrence, Change>> = {},
  nights?: { readonly checkInDate: string; readonly checkOutDate: string },
): Promise<string> {
  const id = `${name}-${made}`;
  await seedStays(db, [{ id, propertyId: `flat-${made}`, ...nights }]);
  if (nights) await db.updateTable('reservation').set({ status: 'CONFIRMED' }).where('id', '=', id).execute();
  for (const occurrence of ['PRE_ARRIVAL', 'ARRIVAL', 'DEPARTURE', 'POST_DEPARTURE'] as const) {
    await db
      .insertInto('task')
      .values({
        id: `${id}-${occurrence}`,
        reservation_id: id,
        property_id: `flat-${made}`,
        occurrence,
        title: occurrence,
        status: 'UNASSIGNED',
        ...SLOTS[occurrence],
        ...changes[occurrence],
      })
      .execute();
  }
  return id;
}

const cancel = (reservationId: string): Promise<CancelledTasks> =>
  db.transaction().execute((tx) => cancelTasksOf(tx, reservationId));
/** As a step's output comes back: through JSON. */
const reopen = (reservationId: string, output: CancelledTasks): Promise<void> =>
  db
    .transaction()
    .execute((tx) => reopenTasks(tx, reservationId, JSON.parse(JSON.stringify(output)) as CancelledTasks));
const task = (id: string) => db.selectFrom('task').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
/** Everything about a stay's tasks but how often they were written, and when they are looked at next. */
const pictureOf = async (...reservationIds: readonly string[]) => {
  const rows = await db
    .selectFrom('task')
    .selectAll()
    .where('reservation_id', 'in', reservationIds)
    .orderBy('id')
    .execute();
  return rows.map(({ version: _, next_assign_at: __, ...row }) => row);
};
const withdrawnOf = (taskId: string) =>
  db
    .selectFrom('notification')
    .select(['recipient_id', 'template'])
    .where('task_id', '=', taskId)
    .where('event', '=', 'TASK_WITHDRAWN')
    .execute();

/** `leaves` departs on the day when `arrives` comes: the one's last cleaning is the other's first. */
async function turnover(): Promise<{ readonly leaves: string; readonly arrives: string }> {
  const meets = '2027-05-05T15:00:00Z';
  const leaves = await stay(
    'leaves',
    { POST_DEPARTURE: { must_finish_by: meets, priority: 'HIGH', local_rule: '2027-05-05T11:00[Asia/Dubai]+PT7200S' } },
    { checkInDate: '2027-05-03', checkOutDate: '2027-05-05' },
  );
  const merged = { status: 'MERGED', merged_into_task_id: `${leaves}-POST_DEPARTURE`, must_finish_by: meets } as const;
  const nights = { checkInDate: '2027-05-05', checkOutDate: '2027-05-07' };
  const arrives = await stay('arrives', { PRE_ARRIVAL: merged }, nights);
  return { leaves, arrives };
}

/** Whether a task of the type ends with its stay: a new type wants its answer here. */
const ENDS_WITH_STAY: Readonly<Record<TaskType, boolean>> = {
  CLEANING: true,
  CHECK_IN: true,
  CHECK_OUT: true,
  INSPECTION: true,
  MAINTENANCE: true,
  EMERGENCY: true,
  FINANCE: false,
};

it.each(Object.entries(ENDS_WITH_STAY))('an open %s task ends with its stay: %s', async (type, ends) => {
  const id = await stay('every-type');
  const other = `${id}-other`;
  await db
    .insertInto('task')
    .values({
      id: other,
      reservation_id: id,
      property_id: `flat-${made}`,
      type: type as TaskType,
      occurrence: 'of-its-own',
      title: type,
      status: 'UNASSIGNED',
      scheduled_at: '2027-05-04T09:00:00Z',
      ends_at: '2027-05-04T10:00:00Z',
    })
    .execute();
  const { cancelled } = await cancel(id);
  expect(cancelled.some(({ taskId }) => taskId === other)).toBe(ends);
  expect((await task(other)).status).toBe(ends ? 'CANCELLED' : 'UNASSIGNED');
});

describe('the tasks of a stay that is called off', () => {
  it('are cancelled as far as they are open, and still shown', async () => {
    const id = await stay('open', {
      PRE_ARRIVAL: { status: 'COMPLETED', completed_at: new Date(), assignee_id: 'clara' },
      ARRIVAL: { status: 'IN_PROGRESS', assignee_id: 'sara' },
      DEPARTURE: { status: 'ASSIGNED', assignee_id: 'sara' },
    });
    expect(await cancel(id)).toEqual({
      cancelled: [
        { taskId: `${id}-DEPARTURE`, status: 'ASSIGNED', assigneeId: 'sara', mergedInto: null, version: 2 },
        { taskId: `${id}-POST_DEPARTURE`, status: 'UNASSIGNED', assigneeId: null, mergedInto: null, version: 2 },
      ],
      inProgress: [`${id}-ARRIVAL`],
      working: [{ taskId: `${id}-ARRIVAL`, assigneeId: 'sara' }],
      released: [],
      relaxed: [],
    });
    const shown = (await tasksOfReservation(db, id)).map(({ status, deletedAt }) => [status, deletedAt]);
    expect(shown).toEqual([
      ['COMPLETED', null],
      ['IN_PROGRESS', null],
      ['CANCELLED', null],
      ['CANCELLED', null],
    ]);
    const listed = await listTasks(db, { reservationId: id, status: 'CANCELLED' }, null, { limit: 10, after: null });
    expect(listed.items).toHaveLength(2);
    expect((await openTasksOf(db, id)).map((open) => open.id)).toEqual([`${id}-ARRIVAL`]);
    const row = await task(`${id}-DEPARTURE`);
    expect(row).toMatchObject({ version: 2, next_assign_at: null, assignee_id: 'sara' });
  });

  it('leave the people free for other work, and the sweep leaves them alone', async () => {
    const id = await stay('free', { DEPARTURE: { status: 'ASSIGNED', assignee_id: 'sara' } });
    await cancel(id);
    await stay('other', { DEPARTURE: { status: 'ASSIGNED', assignee_id: 'sara' } });
    await assignDueTasks(db, 50);
    expect(new Set((await pictureOf(id)).map(({ status }) => status))).toEqual(new Set(['CANCELLED']));
  });

  it('are found cancelled by a second run', async () => {
    const id = await stay('again');
    await cancel(id);
    const before = await pictureOf(id);
    expect(await cancel(id)).toEqual({ cancelled: [], inProgress: [], working: [], released: [], relaxed: [] });
    expect(await pictureOf(id)).toEqual(before);
  });

  it('are none where there are none', async () => {
    await seedStays(db, [{ id: `bare-${made}` }]);
    expect((await cancel(`bare-${made}`)).cancelled).toEqual([]);
  });
});

describe('a cleaning that two stays share', () => {
  it("stands on the arriving stay's own feet again when the departing one is called off", async () => {
    const { leaves, arrives } = await turnover();
    const { released, relaxed } = await cancel(leaves);
    expect(released).toEqual([{ taskId: `${arrives}-PRE_ARRIVAL`, mergedInto: `${leaves}-POST_DEPARTURE` }]);
    expect(relaxed).toEqual([]);
    expect(await task(`${arrives}-PRE_ARRIVAL`)).toMatchObject({
      status: 'UNASSIGNED',
      merged_into_task_id: null,
      next_assign_at: expect.any(Date),
    });
    expect((await task(`${arrives}-ARRIVAL`)).status).toBe('UNASSIGNED');
  });

  it('need not be done in a hurry when the arriving stay is called off', async () => {
    const { leaves, arrives } = await turnover();
    const { cancelled, relaxed } = await cancel(arrives);
    expect(relaxed).toEqual([
      { taskId: `${leaves}-POST_DEPARTURE`, mustFinishBy: '2027-05-05T15:00:00.000Z', priority: 'HIGH' },
    ]);
    expect(cancelled.find(({ status }) => status === 'MERGED')?.mergedInto).toBe(`${leaves}-POST_DEPARTURE`);
    const merged = await task(`${arrives}-PRE_ARRIVAL`);
    expect(merged).toMatchObject({ status: 'CANCELLED', merged_into_task_id: null });
    const last = await task(`${leaves}-POST_DEPARTURE`);
    expect(last).toMatchObject({ status: 'UNASSIGNED', must_finish_by: null, priority: 'NORMAL' });
  });

  it('stays urgent when it should have begun already', async () => {
    const { leaves, arrives } = await turnover();
    await db.updateTable('task').set({ priority: 'URGENT' }).where('id', '=', `${leaves}-POST_DEPARTURE`).execute();
    await cancel(arrives);
    expect(await task(`${leaves}-POST_DEPARTURE`)).toMatchObject({ must_finish_by: null, priority: 'URGENT' });
  });

  it('keeps the priority that a person gave it', async () => {
    const { leaves, arrives } = await turnover();
    await db
      .updateTable('task')
      .set({ priority: 'URGENT', manual_fields: ['priority'] })
      .where('id', '=', `${leaves}-POST_DEPARTURE`)
      .execute();
    await cancel(arrives);
    expect(await task(`${leaves}-POST_DEPARTURE`)).toMatchObject({ must_finish_by: null, priority: 'URGENT' });
  });

  it('is left as it is while it is being done', async () => {
    const { leaves, arrives } = await turnover();
    await db
      .updateTable('task')
      .set({ status: 'IN_PROGRESS', assignee_id: 'clara' })
      .where('id', '=', `${leaves}-POST_DEPARTURE`)
      .execute();
    const { released, inProgress } = await cancel(leaves);
    expect([released, inProgress]).toEqual([[], [`${leaves}-POST_DEPARTURE`]]);
    expect((await task(`${arrives}-PRE_ARRIVAL`)).status).toBe('MERGED');
    expect((await cancel(arrives)).relaxed).toEqual([]);
    expect((await task(`${leaves}-POST_DEPARTURE`)).priority).toBe('HIGH');
  });

  it('survives both being called off at the same moment, ten times over', async () => {
    for (let n = 0; n < 10; n += 1) {
      made += 1;
      const { leaves, arrives } = await turnover();
      await Promise.all([cancel(leaves), cancel(arrives)]);
      const both = await pictureOf(leaves, arrives);
      expect(new Set(both.map(({ status }) => status))).toEqual(new Set(['CANCELLED']));
    }
  });
});

describe('a cancellation that is taken back', () => {
  it('leaves every task as it was, and the second time finds nothing to do', async () => {
    const { leaves, arrives } = await turnover();
    await db
      .updateTable('task')
      .set({ status: 'ASSIGNED', assignee_id: 'sara' })
      .where('id', 'in', [`${leaves}-ARRIVAL`, `${leaves}-DEPARTURE`])
      .execute();
    const before = await pictureOf(leaves, arrives);
    for (const id of [leaves, arrives]) {
      const output = await cancel(id);
      expect(await pictureOf(leaves, arrives)).not.toEqual(before);
      await reopen(id, output);
      expect(await pictureOf(leaves, arrives)).toEqual(before);
      const versions = await db.selectFrom('task').select(['id', 'version']).orderBy('id').execute();
      await reopen(id, output);
      expect(await db.selectFrom('task').select(['id', 'version']).orderBy('id').execute()).toEqual(versions);
    }
    expect(await withdrawnOf(`${leaves}-ARRIVAL`)).toEqual([]);
  });

  it('does not give work back to one who has other work then: somebody else is looked for, and they are told', async () => {
    const id = await stay('taken', {
      ARRIVAL: { status: 'ASSIGNED', assignee_id: 'sara' },
      DEPARTURE: { status: 'ASSIGNED', assignee_id: 'sara' },
    });
    const output = await cancel(id);
    const other = await stay('rival', { DEPARTURE: { status: 'ASSIGNED', assignee_id: 'sara' } });
    await reopen(id, output);
    expect(await task(`${id}-ARRIVAL`)).toMatchObject({ status: 'ASSIGNED', assignee_id: 'sara' });
    const lost = await task(`${id}-DEPARTURE`);
    expect(lost).toMatchObject({ status: 'UNASSIGNED', assignee_id: null, next_assign_at: expect.any(Date) });
    expect((await task(`${other}-DEPARTURE`)).assignee_id).toBe('sara');
    await reopen(id, output);
    expect(await withdrawnOf(`${id}-DEPARTURE`)).toEqual([
      { recipient_id: 'sara', template: 'task-withdrawn.staff@1' },
    ]);
    expect(await withdrawnOf(`${id}-ARRIVAL`)).toEqual([]);
  });

  it('leaves alone what another hand touched, or made in its place', async () => {
    const id = await stay('touched');
    const output = await cancel(id);
    await db
      .updateTable('task')
      .set((eb) => ({ deleted_at: sql<Date>`now()`, version: eb('version', '+', 1) }))
      .where('id', '=', `${id}-ARRIVAL`)
      .execute();
    await db
      .insertInto('task')
      .values({
        id: `${id}-new`,
        reservation_id: id,
        property_id: `flat-${made}`,
        occurrence: 'DEPARTURE',
        title: 'made by hand',
        status: 'UNASSIGNED',
        ...SLOTS.DEPARTURE,
      })
      .execute();
    await reopen(id, output);
    const states = (await pictureOf(id)).map((row) => [row.id.slice(id.length + 1), row.status]);
    expect(states).toEqual([
      ['ARRIVAL', 'CANCELLED'],
      ['DEPARTURE', 'CANCELLED'],
      ['POST_DEPARTURE', 'UNASSIGNED'],
      ['PRE_ARRIVAL', 'UNASSIGNED'],
      ['new', 'UNASSIGNED'],
    ]);
  });

  it('does not bring back what was cancelled before it', async () => {
    const id = await stay('earlier', { ARRIVAL: { status: 'CANCELLED' } });
    await reopen(id, await cancel(id));
    expect((await task(`${id}-ARRIVAL`)).status).toBe('CANCELLED');
    expect((await task(`${id}-DEPARTURE`)).status).toBe('UNASSIGNED');
  });

  it('notifies the person who was given the released cleaning that it is shared again', async () => {
    const { leaves, arrives } = await turnover();
    const output = await cancel(leaves);
    const given = { status: 'ASSIGNED', assignee_id: 'clara' } as const;
    await db.updateTable('task').set(given).where('id', '=', `${arrives}-PRE_ARRIVAL`).execute();
    await reopen(leaves, output);
    await reopen(leaves, output);
    expect(await task(`${arrives}-PRE_ARRIVAL`)).toMatchObject({ status: 'MERGED', assignee_id: null });
    expect(await withdrawnOf(`${arrives}-PRE_ARRIVAL`)).toMatchObject([{ recipient_id: 'clara' }]);
  });

  it('leaves a released cleaning that has begun, and one that is shared with nobody any more', async () => {
    const { leaves, arrives } = await turnover();
    const first = await cancel(leaves);
    const begun = { status: 'IN_PROGRESS', assignee_id: 'clara' } as const;
    await db.updateTable('task').set(begun).where('id', '=', `${arrives}-PRE_ARRIVAL`).execute();
    await reopen(leaves, first);
    expect((await task(`${arrives}-PRE_ARRIVAL`)).status).toBe('IN_PROGRESS');

    made += 1;
    const again = await turnover();
    const arriving = await cancel(again.arrives);
    await cancel(again.leaves);
    await reopen(again.arrives, arriving);
    expect(await task(`${again.arrives}-PRE_ARRIVAL`)).toMatchObject({
      status: 'UNASSIGNED',
      merged_into_task_id: null,
    });
    expect((await task(`${again.leaves}-POST_DEPARTURE`)).status).toBe('CANCELLED');
  });
});

describe('an arrival that is taken back', () => {
  const NOON = new Date('2027-05-04T12:00:00Z');
  const arrive = (id: string) => db.transaction().execute((tx) => endTasksAtArrival(tx, id, NOON));
  const resume = (ended: readonly EndedTask[]): Promise<void> =>
    db.transaction().execute((tx) => resumeTasks(tx, JSON.parse(JSON.stringify(ended)) as EndedTask[]));
  const whole = async (id: string) => {
    const { rows } = await sql<{ row: Record<string, unknown> }>`
      SELECT to_jsonb(t) - 'version' AS row FROM task t WHERE reservation_id = ${id} ORDER BY id`.execute(db);
    return rows;
  };

  it('leaves every task as it was to the microsecond, and the second time finds nothing to do', async () => {
    const id = await stay('back', {
      PRE_ARRIVAL: {
        status: 'ASSIGNED',
        assignee_id: 'clara',
        slot_start: '2027-05-02T12:00:00Z',
        slot_end: '2027-05-02T14:00:00Z',
        accept_by: '2027-05-01T10:00:00.123456Z',
        accepted_at: '2027-05-01T09:00:00.654321Z',
        assign_attempts: 2,
      },
    });
    const before = await whole(id);
    const ended = await arrive(id);
    expect(ended.map(({ taskId }) => taskId)).toEqual([`${id}-ARRIVAL`, `${id}-PRE_ARRIVAL`]);
    expect(await task(`${id}-PRE_ARRIVAL`)).toMatchObject({
      status: 'OVERTAKEN',
      assignee_id: null,
      slot_start: null,
      next_assign_at: null,
    });
    await resume(ended);
    expect(await whole(id)).toEqual(before);
    const { version } = await task(`${id}-PRE_ARRIVAL`);
    await resume(ended);
    expect((await task(`${id}-PRE_ARRIVAL`)).version).toBe(version);
    expect(await withdrawnOf(`${id}-PRE_ARRIVAL`)).toEqual([]);
  });

  it('does not give work back to one who has other work then, nor what another hand has touched', async () => {
    const id = await stay('taken', {
      PRE_ARRIVAL: { status: 'ASSIGNED', assignee_id: 'clara' },
      ARRIVAL: { status: 'ASSIGNED', assignee_id: 'sara' },
    });
    const ended = await arrive(id);
    await stay('rival', { PRE_ARRIVAL: { status: 'ASSIGNED', assignee_id: 'clara' } });
    await db
      .updateTable('task')
      .set((eb) => ({ title: 'by hand', version: eb('version', '+', 1) }))
      .where('id', '=', `${id}-ARRIVAL`)
      .execute();
    await resume(ended);
    await resume(ended);
    expect(await task(`${id}-PRE_ARRIVAL`)).toMatchObject({
      status: 'UNASSIGNED',
      assignee_id: null,
      next_assign_at: expect.any(Date),
    });
    expect(await task(`${id}-ARRIVAL`)).toMatchObject({ status: 'OVERTAKEN', assignee_id: null });
    expect(await withdrawnOf(`${id}-PRE_ARRIVAL`)).toEqual([
      { recipient_id: 'clara', template: 'task-withdrawn.staff@1' },
    ]);
  });
});

describe('a cleaning is merged while the other stay is cancelled', () => {
  const merge = (id: string, into: string) => ({ status: 'MERGED', merged_into_task_id: into, id }) as const;

  it('and is merged anew, when the cancellation comes first', async () => {
    const leaving = await stay('leaving');
    const arriving = await stay('arriving');
    const { id, ...merged } = merge(`${arriving}-PRE_ARRIVAL`, `${leaving}-POST_DEPARTURE`);
    let late: Promise<unknown> = Promise.resolve();
    await db.transaction().execute(async (tx) => {
      await cancelTasksOf(tx, leaving);
      late = db.updateTable('task').set(merged).where('id', '=', id).execute();
      late.catch(() => undefined);
      await until('the merge waits for the cancellation', async () => {
        const { rows } = await sql`SELECT 1 FROM pg_locks WHERE NOT granted`.execute(db);
        return rows.length > 0 || undefined;
      });
    });
    await expect(late).rejects.toMatchObject({ code: '40001' });
  });

  it('and stands on its own again, when the cancellation comes second', async () => {
    const leaving = await stay('leaving');
    const arriving = await stay('arriving');
    const { id, ...merged } = merge(`${arriving}-PRE_ARRIVAL`, `${leaving}-POST_DEPARTURE`);
    await db.updateTable('task').set(merged).where('id', '=', id).execute();
    await db.transaction().execute((tx) => cancelTasksOf(tx, leaving));
    const row = await db
      .selectFrom('task')
      .select(['status', 'merged_into_task_id'])
      .where('id', '=', id)
      .executeTakeFirst();
    expect(row).toEqual({ status: 'UNASSIGNED', merged_into_task_id: null });
  });
});

describe('a task that nobody could take while its only person was busy', () => {
  const AT_THE_SAME_TIME = {
    status: 'UNASSIGNED',
    type: 'CHECK_IN',
    scheduled_at: SLOTS.ARRIVAL.scheduled_at,
  } as const;

  /** Sara meets the guest of one stay, and nobody is left for that of another. */
  async function blocked(): Promise<{ readonly busyWith: string; readonly waiting: string }> {
    const busyWith = await stay('busy', { ARRIVAL: { status: 'ASSIGNED', assignee_id: 'sara' } });
    const waiting = `${busyWith}-waiting`;
    await db
      .insertInto('task')
      .values({
        ...AT_THE_SAME_TIME,
        id: waiting,
        property_id: `flat-${made}`,
        occurrence: 'MANUAL',
        title: 'Meet',
        ends_at: SLOTS.ARRIVAL.ends_at,
      })
      .execute();
    await db.updateTable('task').set({ next_assign_at: null }).where('reservation_id', '=', busyWith).execute();
    await assignDueTasks(db, 50);
    return { busyWith, waiting };
  }
  const assigneeOf = async (id: string): Promise<string | null> => {
    await assignDueTasks(db, 50);
    return (await db.selectFrom('task').select('assignee_id').where('id', '=', id).executeTakeFirstOrThrow())
      .assignee_id;
  };

  it('waits for its next try', async () => {
    const { waiting } = await blocked();
    expect(await assigneeOf(waiting)).toBeNull();
  });

  it('is given to them as soon as the other stay is called off', async () => {
    const { busyWith, waiting } = await blocked();
    await db.transaction().execute((tx) => cancelTasksOf(tx, busyWith));
    expect(await assigneeOf(waiting)).toBe('sara');
  });

  it('or its guest has come already', async () => {
    const { busyWith, waiting } = await blocked();
    await db.transaction().execute((tx) => endTasksAtArrival(tx, busyWith, new Date('2027-05-01T11:00:00Z')));
    expect(await assigneeOf(waiting)).toBe('sara');
  });
});
