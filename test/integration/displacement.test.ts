import { type Insertable, sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import type { PropertyTable, StaffTable, TaskPriority, TaskTable, TaskType } from '../../src/db/schema.ts';
import { assignDueTasks } from '../../src/domain/assignment/assign-sweep.ts';
import { ROLES } from '../../src/domain/assignment/candidates.ts';
import { readAssignment } from '../../src/domain/assignment/explanation.ts';
import { loadFacts, valuesOf } from '../../src/domain/messages/delivery-facts.ts';
import { assignMade } from '../../src/domain/stay-tasks/require-staff.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';

/** An emergency takes the time of routine work when nobody else can come. */

let database: TestDatabase;
let db: Db;
let made = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 8, applicationName: 'displacement-test' }));
  await db.insertInto('owner').values({ id: 'owner-1', name: 'Olga', email: 'olga@example.com' }).execute();
});
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});
/** Tests share the database; each has a region, a flat and people of its own. */
beforeEach(() => anew());
async function anew(): Promise<void> {
  made += 1;
  await db
    .updateTable('task')
    .set({ status: 'CANCELLED', completed_at: null, merged_into_task_id: null })
    .where('status', '<>', 'CANCELLED')
    .execute();
  await property('flat');
}

const name = (id: string): string => `${id}-${made}`;
const TEN = '2031-03-05T10:00:00Z';
const hour = (hours: number): string => new Date(Date.parse(TEN) + (hours - 10) * 3_600_000).toISOString();

async function property(id: string, values: Partial<Insertable<PropertyTable>> = {}): Promise<void> {
  const row = { id: name(id), name: id, owner_id: 'owner-1', region: name('region'), time_zone: 'UTC', ...values };
  await db.insertInto('property').values(row).execute();
}
async function staff(id: string, values: Partial<Insertable<StaffTable>> = {}): Promise<string> {
  const row = { id: name(id), name: id, email: `${id}@example.com`, region: name('region'), ...values };
  await db
    .insertInto('staff')
    .values({ role: 'MAINTENANCE_STAFF', ...row })
    .execute();
  return name(id);
}
let tasks = 0;
async function task(values: Partial<Insertable<TaskTable>> = {}): Promise<string> {
  tasks += 1;
  const start = values.scheduled_at ?? TEN;
  const { id } = await db
    .insertInto('task')
    .values({
      id: `task-${String(tasks).padStart(4, '0')}`,
      property_id: name('flat'),
      type: 'INSPECTION',
      occurrence: 'MANUAL',
      title: 'Filter check',
      status: 'UNASSIGNED',
      scheduled_at: start,
      ends_at: new Date(new Date(start).getTime() + 3_600_000),
      ...values,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}
const given = (who: string, values: Partial<Insertable<TaskTable>> = {}): Promise<string> =>
  task({ status: 'ASSIGNED', assignee_id: who, ...values });
const emergency = (values: Partial<Insertable<TaskTable>> = {}): Promise<string> =>
  task({ type: 'EMERGENCY', title: 'Smell of gas', priority: 'URGENT', ...values });
const row = (id: string) => db.selectFrom('task').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const sweep = () => assignDueTasks(db, 50);
const assigneeOf = async (id: string): Promise<string | null> => (await row(id)).assignee_id;
const messages = (who: string) =>
  db
    .selectFrom('notification')
    .select(['id', 'event', 'template', 'task_id'])
    .where('recipient_id', '=', who)
    .orderBy('created_at')
    .execute();
async function textOf(notificationId: string): Promise<string | null> {
  const [facts] = await loadFacts(db, [notificationId]);
  return facts ? valuesOf(facts).displacedTasks : null;
}
const alertsAbout = async (taskId: string): Promise<readonly string[]> => {
  const { rows } = await sql<{ code: string }>`
    SELECT params ->> 'code' AS code FROM notification WHERE event = 'SYSTEM_ALERT' AND params ->> 'sagaId' = ${taskId}
     AND recipient_type = 'OPS' ORDER BY 1`.execute(db);
  return rows.map(({ code }) => code);
};

describe('a smell of gas while the only fitter has a routine inspection', () => {
  it('gets the fitter; the inspection waits for somebody, and operations hear of it', async () => {
    const fitter = await staff('fitter');
    const inspection = await given(fitter);
    const gas = await emergency();
    await sweep();
    expect(await row(gas)).toMatchObject({ assignee_id: fitter, status: 'ASSIGNED' });
    const moved = await row(inspection);
    expect(moved).toMatchObject({ assignee_id: null, status: 'UNASSIGNED', displaced_by: gas });
    expect(moved.next_assign_at).not.toBeNull();
    expect(await alertsAbout(inspection)).toEqual(['TASK_DISPLACED']);
    expect(await readAssignment(db, gas)).toMatchObject({
      explanation: { chosen: fitter },
      displacedTaskIds: [inspection],
      displacedByTaskId: null,
    });
    expect(await readAssignment(db, inspection)).toMatchObject({
      explanation: { chosen: null, excluded: [{ reason: 'BUSY', staffIds: [fitter] }] },
      displacedTaskIds: [],
      displacedByTaskId: gas,
    });
    const notified = await messages(fitter);
    expect(notified).toMatchObject([
      { event: 'TASK_ASSIGNED', template: 'task-assigned-instead.staff@1', task_id: gas },
    ]);
    expect(await textOf(notified[0]?.id ?? '')).toBe('Filter check, flat: it is no longer yours');
  });

  it('gets the fitter, who does the inspection later where it may be: one message tells of both', async () => {
    const fitter = await staff('fitter');
    const inspection = await given(fitter, { must_finish_by: '2031-03-07T10:00:00Z' });
    const gas = await emergency();
    await sweep();
    expect(await assigneeOf(gas)).toBe(fitter);
    expect(await row(inspection)).toMatchObject({
      assignee_id: fitter,
      status: 'ASSIGNED',
      displaced_by: gas,
      slot_start: new Date(hour(11)),
    });
    const notified = await messages(fitter);
    expect(notified).toMatchObject([{ template: 'task-assigned-instead.staff@1', task_id: gas }]);
    expect(await textOf(notified[0]?.id ?? '')).toMatch(/^Filter check, flat: its new time is .*11:00.*\(UTC\)$/);
    expect(await alertsAbout(inspection)).toEqual([]);
  });

  it('gets the fitter, and another who may inspect does the inspection, and is told', async () => {
    const fitter = await staff('fitter');
    const agent = await staff('agent', { role: 'AGENT' });
    const inspection = await given(fitter);
    const gas = await emergency();
    await sweep();
    expect([await assigneeOf(gas), await assigneeOf(inspection)]).toEqual([fitter, agent]);
    expect(await messages(agent)).toMatchObject([{ event: 'TASK_ASSIGNED', template: 'task-assigned.staff@1' }]);
    expect(await messages(fitter)).toHaveLength(1);
    expect(await readAssignment(db, inspection)).toMatchObject({
      explanation: { chosen: agent },
      displacedByTaskId: gas,
    });
    expect(await alertsAbout(inspection)).toEqual([]);
  });

  it('gets the fitter also within the request that insists on somebody', async () => {
    const fitter = await staff('fitter');
    const inspection = await given(fitter);
    const gas = await emergency();
    await db.transaction().execute((tx) => assignMade(tx, gas, null));
    expect([await assigneeOf(gas), await assigneeOf(inspection)]).toEqual([fitter, null]);
  });

  it('that is overdue does not wait for the end of an inspection, but for that of what is under way', async () => {
    const fitter = await staff('fitter');
    const now = Date.now();
    const at = (minutes: number) => new Date(now + minutes * 60_000);
    const begun = { scheduled_at: at(-30), ends_at: at(20), started_at: at(-30) };
    await given(fitter, { ...begun, status: 'IN_PROGRESS' });
    const inspection = await given(fitter, { scheduled_at: at(30), ends_at: at(90) });
    const gas = await emergency({ scheduled_at: at(-5), ends_at: at(55) });
    await sweep();
    expect(await row(gas)).toMatchObject({ assignee_id: fitter, slot_start: at(25) });
    expect((await row(inspection)).displaced_by).toBe(gas);
  });

  it('leaves the inspection where somebody else is free', async () => {
    const fitter = await staff('fitter');
    const other = await staff('other');
    const inspection = await given(fitter);
    const gas = await emergency();
    await sweep();
    expect([await assigneeOf(gas), await assigneeOf(inspection)]).toEqual([other, fitter]);
    expect(await readAssignment(db, gas)).toMatchObject({ displacedTaskIds: [] });
  });

  it.each([
    [
      'has refused it',
      async (fitter: string, gas: string) => {
        await db.insertInto('task_refusal').values({ task_id: gas, staff_id: fitter, reason: 'DECLINED' }).execute();
      },
    ],
    [
      'is on leave',
      async (fitter: string) => {
        const leave = { id: name('leave'), staff_id: fitter, starts_at: hour(0), ends_at: hour(23), created_by: 'x' };
        await db.insertInto('staff_leave').values(leave).execute();
      },
    ],
    [
      'lacks the skill',
      async (_fitter: string, gas: string) => {
        await db
          .updateTable('task')
          .set({ required_skills: ['gas'] })
          .where('id', '=', gas)
          .execute();
      },
    ],
  ])('takes nothing from a fitter who %s', async (_name, arrange) => {
    const fitter = await staff('fitter');
    const inspection = await given(fitter);
    const gas = await emergency();
    await arrange(fitter, gas);
    await sweep();
    expect([await assigneeOf(gas), await assigneeOf(inspection)]).toEqual([null, fitter]);
  });
});

describe('the least harm', () => {
  it('is work that somebody else can do', async () => {
    const [first, second] = [await staff('a'), await staff('b')];
    await staff('agent', { role: 'AGENT' });
    const repair = await given(first, { type: 'MAINTENANCE', priority: 'LOW' });
    const inspection = await given(second);
    const gas = await emergency();
    await sweep();
    expect([await assigneeOf(gas), await assigneeOf(repair)]).toEqual([second, first]);
    expect(await assigneeOf(inspection)).toBe(name('agent'));
  });

  it('is then the lower priority, then the later one', async () => {
    const [first, second, third] = [await staff('a'), await staff('b'), await staff('c')];
    const repair = { type: 'MAINTENANCE' } as const;
    await given(first, repair);
    const low = await given(second, { ...repair, priority: 'LOW', scheduled_at: hour(9.75) });
    const lowLater = await given(third, { ...repair, priority: 'LOW', scheduled_at: hour(10.5) });
    await emergency();
    await sweep();
    expect([(await row(low)).status, (await row(lowLater)).status]).toEqual(['ASSIGNED', 'UNASSIGNED']);
    await emergency();
    await sweep();
    expect((await row(low)).status).toBe('UNASSIGNED');
  });

  it('is one task and not two, and of a full day no more than is needed', async () => {
    const first = await staff('a', { max_minutes_per_day: 60 });
    const second = await staff('b', { max_minutes_per_day: 120 });
    const repair = { type: 'MAINTENANCE' } as const;
    const short = (start: number) => ({ ...repair, scheduled_at: hour(start), ends_at: hour(start + 0.5) });
    const two = [await given(first, short(10)), await given(first, short(10.5))];
    const early = await given(second, { ...repair, scheduled_at: hour(7) });
    const late = await given(second, { ...repair, scheduled_at: hour(13) });
    const gas = await emergency();
    await sweep();
    expect(await assigneeOf(gas)).toBe(second);
    const left = await Promise.all([...two, early, late].map(assigneeOf));
    expect(left).toEqual([first, first, second, null]);
  });
});

const TYPES = Object.keys(ROLES) as readonly TaskType[];
const PRIORITIES: readonly TaskPriority[] = ['LOW', 'NORMAL', 'HIGH', 'URGENT'];
const KINDS: readonly (readonly [name: string, values: Partial<Insertable<TaskTable>>, givesWay: boolean])[] = [
  ['plain', {}, true],
  ['accepted', { accepted_at: '2026-01-01T00:00:00Z' }, true],
  ['given by hand', { manual_fields: ['assigneeId'] }, true],
  ['with days to spare', { must_finish_by: '2031-03-08T00:00:00Z' }, true],
  ['before an arrival', { must_finish_by: hour(14) }, false],
  ['at a time set by hand', { manual_fields: ['scheduledDate'] }, false],
  ['under way', { status: 'IN_PROGRESS', started_at: '2026-01-01T00:00:00Z' }, false],
  ['moved for an emergency before', {}, false],
];

describe('which work gives way to which', () => {
  /** Only those that a fitter can have are looked at as such; the rules of the others are the same. */
  const held = TYPES.filter((type) => type !== 'FINANCE');
  const cases = held.flatMap((type) =>
    PRIORITIES.flatMap((priority) => KINDS.map(([kind, values, may]) => ({ type, priority, kind, values, may }))),
  );

  it.each(held)('%s, by priority and kind', async (type) => {
    for (const { priority, kind, values, may } of cases.filter((one) => one.type === type)) {
      await anew();
      const fitter = await staff('fitter');
      const before = kind === 'moved for an emergency before' ? await emergency({ status: 'CANCELLED' }) : null;
      const work = await given(fitter, { type, priority, displaced_by: before, ...values });
      const gas = await emergency();
      await sweep();
      const isRoutine = ['CLEANING', 'INSPECTION', 'MAINTENANCE'].includes(type);
      const gives = may && isRoutine && ['LOW', 'NORMAL'].includes(priority);
      const what = `${type} ${priority} ${kind}`;
      expect([what, await assigneeOf(gas)]).toEqual([what, gives ? fitter : null]);
      expect([what, (await row(work)).displaced_by]).toEqual([what, gives ? gas : before]);
      if (!gives) expect([what, await assigneeOf(work)]).toEqual([what, fitter]);
    }
  });

  it.each(held.filter((type) => type !== 'EMERGENCY'))('%s displaces nothing, however urgent', async (type) => {
    const person = await staff('person', { role: ROLES[type][0] ?? 'CLEANER' });
    const work = await given(person, { type: type === 'CLEANING' ? 'CLEANING' : 'INSPECTION', priority: 'LOW' });
    const urgent = await task({ type, priority: 'URGENT' });
    await sweep();
    expect([await assigneeOf(urgent), await assigneeOf(work)]).toEqual([null, person]);
  });
});

describe('two emergencies at once', () => {
  it('do not take the same task twice: one gets the fitter', async () => {
    for (let round = 0; round < 5; round += 1) {
      await anew();
      const fitter = await staff('fitter');
      const inspection = await given(fitter);
      const both = [await emergency(), await emergency()];
      await Promise.all([assignDueTasks(db, 1), assignDueTasks(db, 1), assignDueTasks(db, 1)]);
      await db.updateTable('task').set({ next_assign_at: sql<Date>`now()` }).where('id', 'in', both).execute();
      await sweep();
      const who = await Promise.all(both.map(assigneeOf));
      expect(who.toSorted()).toEqual([fitter, null].toSorted());
      const winner = both[who.indexOf(fitter)];
      expect(await row(inspection)).toMatchObject({ status: 'UNASSIGNED', displaced_by: winner });
      expect(await messages(fitter)).toHaveLength(1);
    }
  });

  it('take different people and tasks in one sweep', async () => {
    const people = [await staff('a'), await staff('b')];
    const work = await Promise.all(people.map((person) => given(person)));
    const both = [await emergency(), await emergency()];
    await sweep();
    expect((await Promise.all(both.map(assigneeOf))).toSorted()).toEqual(people);
    const moved = await Promise.all(work.map(row));
    expect(moved.map(({ displaced_by }) => displaced_by).toSorted()).toEqual(both);
  });

  it('move a task once: the second finds nobody, and leaves it', async () => {
    const fitter = await staff('fitter');
    const inspection = await given(fitter, { must_finish_by: '2031-03-07T10:00:00Z' });
    const first = await emergency();
    await sweep();
    const second = await emergency({ scheduled_at: hour(11) });
    await sweep();
    expect([await assigneeOf(first), await assigneeOf(second)]).toEqual([fitter, null]);
    expect(await row(inspection)).toMatchObject({ assignee_id: fitter, displaced_by: first });
  });

  it('leave work that is begun at the same moment with the person who began it', async () => {
    const fitter = await staff('fitter');
    const inspection = await given(fitter);
    const gas = await emergency();
    let swept: Promise<unknown> | undefined;
    await db.transaction().execute(async (tx) => {
      await tx
        .updateTable('task')
        .set({ status: 'IN_PROGRESS', started_at: sql<Date>`now()` })
        .where('id', '=', inspection)
        .execute();
      swept = sweep();
      await waitsForLock();
    });
    await swept;
    expect(await row(inspection)).toMatchObject({ status: 'IN_PROGRESS', assignee_id: fitter, displaced_by: null });
    expect(await assigneeOf(gas)).toBeNull();
  });
});

/** Until the sweep stands before the row that this test holds. */
async function waitsForLock(): Promise<void> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const { rows } = await sql`
      SELECT 1 FROM pg_stat_activity WHERE application_name = 'displacement-test' AND wait_event_type = 'Lock'`.execute(
      db,
    );
    if (rows.length > 0) return;
    if (Date.now() > deadline) throw new Error('nothing waits for a lock');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
