import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import type { RecurrenceEvery } from '../../src/db/schema.ts';
import { escalateEmergencies, sweepRecurrences } from '../../src/domain/tasks/recurring.ts';
import { createCounters } from '../../src/kernel/counters.ts';
import { localDate } from '../../src/kernel/local-time.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { noOutages } from '../../src/kernel/outages.ts';
import { connectQueues } from '../../src/queues/connection.ts';
import { RECURRING_QUEUE } from '../../src/queues/names.ts';
import { sweepWork } from '../../src/workers/crew.ts';
import { JOBS } from '../../src/workers/jobs.ts';
import { createWorker, workerOptions } from '../../src/workers/worker.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';

/** Recurring work against a real Postgres; time is what the sweep is told. */

let database: TestDatabase;
let db: Db;
beforeAll(async () => {
  database = await createTestDatabase();
  db = createDb(createPool({ connectionString: database.url, max: 6, applicationName: 'recurring-test' }));
  const email = 'someone@example.com';
  await db.insertInto('owner').values({ id: 'owner-1', name: 'Layla', email }).execute();
  await db.insertInto('guest').values({ id: 'guest-1', name: 'John', email }).execute();
  await db.insertInto('staff').values({ id: 'agent-1', name: 'Sara', email, role: 'AGENT' }).execute();
}, 60_000);
afterAll(async () => {
  await db?.destroy();
  await database?.drop();
});

let made = 0;
interface RuleOptions {
  readonly timeZone?: string;
  readonly every?: RecurrenceEvery;
  readonly anchor?: string;
  readonly nextPeriod?: number;
  readonly type?: 'INSPECTION' | 'MAINTENANCE';
}
async function newRule({
  timeZone = 'Asia/Dubai',
  every = 'MONTHLY',
  anchor = '2027-01-31',
  ...more
}: RuleOptions = {}) {
  made += 1;
  const property = `property-${made}`;
  const id = `rule-${made}`;
  await db
    .insertInto('property')
    .values({ id: property, name: `Home ${made}`, owner_id: 'owner-1', time_zone: timeZone })
    .execute();
  await db
    .insertInto('recurrence')
    .values({
      id,
      property_id: property,
      type: more.type ?? 'INSPECTION',
      title: 'Inspection',
      checklist: JSON.stringify(['Filters']),
      every: JSON.stringify(every),
      anchor_date: anchor,
      local_time: '11:00',
      duration_minutes: 60,
      next_period: more.nextPeriod ?? 0,
      created_by: 'test',
    })
    .execute();
  return { id, property, timeZone };
}
async function addStay(property: string, from: string, to: string, status: 'CONFIRMED' | 'CHECKED_OUT' = 'CONFIRMED') {
  const stay = { property_id: property, guest_id: 'guest-1', check_in_date: from, check_out_date: to, status };
  made += 1;
  const money = { total_minor: 1, currency: 'AED', created_by: 'test' };
  await db
    .insertInto('reservation')
    .values({ id: `stay-${made}`, ...stay, ...money })
    .execute();
}
const sweep = (at: string): Promise<number> => sweepRecurrences(db, new Date(at), 50);
const tasksOf = (property: string) =>
  db.selectFrom('task').selectAll().where('property_id', '=', property).orderBy('scheduled_at').execute();
const periodsOf = (rule: string) =>
  db.selectFrom('recurrence_period').selectAll().where('recurrence_id', '=', rule).orderBy('period').execute();
const day = (from: string, days: number): string => Temporal.PlainDate.from(from).add({ days }).toString();

describe('inspections over a year', () => {
  it.each(['Asia/Dubai', 'Europe/Paris', 'Africa/Cairo'])(
    'in %s are each made exactly once, on no occupied night, and do not burst after an outage',
    async (timeZone) => {
      const rule = await newRule({ timeZone });
      const taken: { from: string; to: string }[] = [];
      let next = '2027-01-01';
      for (let n = 0; n < 400; n += 1) {
        const today = day('2027-01-01', n);
        // Stays are confirmed ten days ahead, so some take a day on which an inspection stood already.
        const soonest = day(today, 10 + (n % 3));
        if (next <= soonest) {
          const to = day(soonest, 2 + (n % 4));
          taken.push({ from: soonest, to });
          await addStay(rule.property, soonest, to);
          next = to;
        }
        // All of April to half of July nobody sweeps, and some single days besides.
        if ((today >= '2027-04-01' && today < '2027-07-15') || n % 7 === 3) continue;
        await Promise.all([sweep(`${today}T01:00:00Z`), sweep(`${today}T01:00:00Z`), sweep(`${today}T13:00:00Z`)]);
      }
      const periods = await periodsOf(rule.id);
      expect(periods.map(({ period }) => period)).toEqual(periods.map((_period, n) => n));
      expect(periods.length).toBeGreaterThanOrEqual(12);
      const skipped = periods.filter(({ status }) => status === 'SKIPPED').map(({ due_date }) => due_date);
      expect(skipped).toEqual(['2027-04-30', '2027-05-31']);
      const tasks = await tasksOf(rule.property);
      expect(tasks.map(({ id }) => id).toSorted()).toEqual(periods.flatMap((row) => row.task_id ?? []).toSorted());
      for (const task of tasks) {
        const date = localDate(task.scheduled_at, timeZone);
        expect(taken.filter(({ from, to }) => from <= date && date < to)).toEqual([]);
        const local = task.scheduled_at.toLocaleTimeString('en-GB', { timeZone, timeStyle: 'short' });
        expect(local).toBe('11:00');
      }
      expect(new Set(tasks.map(({ effect_key }) => effect_key)).size).toBe(tasks.length);
    },
    120_000,
  );
});

describe('a planned inspection', () => {
  it('is told to the owner, once', async () => {
    const rule = await newRule({ anchor: '2027-02-10' });
    await sweep('2027-02-01T01:00:00Z');
    await sweep('2027-02-01T02:00:00Z');
    const [task] = await tasksOf(rule.property);
    const mails = await db
      .selectFrom('notification')
      .selectAll()
      .where('task_id', '=', task?.id ?? '')
      .execute();
    expect(mails).toMatchObject([
      { event: 'PROPERTY_INSPECTION', template: 'property-inspection.owner@1', recipient_id: 'owner-1' },
    ]);
  });

  it('gives way to a stay that is confirmed later, in the same row, unless a person has set its time', async () => {
    const rule = await newRule({ anchor: '2027-02-10' });
    const fixed = await newRule({ anchor: '2027-02-10' });
    await sweep('2027-02-01T01:00:00Z');
    const [before] = await tasksOf(rule.property);
    const assigned = { status: 'ASSIGNED' as const, assignee_id: 'agent-1' };
    await db
      .updateTable('task')
      .set(assigned)
      .where('id', '=', before?.id ?? '')
      .execute();
    await db
      .updateTable('task')
      .set({ manual_fields: ['scheduledDate'] })
      .where('property_id', '=', fixed.property)
      .execute();
    for (const { property } of [rule, fixed]) await addStay(property, '2027-02-09', '2027-02-12');
    await sweep('2027-02-01T03:00:00Z');
    const [after, ...others] = await tasksOf(rule.property);
    expect(others).toEqual([]);
    expect(after).toMatchObject({ id: before?.id, status: 'UNASSIGNED', assignee_id: null });
    expect(after?.scheduled_at.toISOString()).toBe('2027-02-12T07:00:00.000Z');
    const mails = await db
      .selectFrom('notification')
      .select('event')
      .where('task_id', '=', before?.id ?? '')
      .execute();
    expect(mails.map(({ event }) => event).toSorted()).toEqual([
      'PROPERTY_INSPECTION',
      'PROPERTY_INSPECTION',
      'TASK_WITHDRAWN',
    ]);
    const [kept] = await tasksOf(fixed.property);
    expect(kept?.scheduled_at.toISOString()).toBe('2027-02-10T07:00:00.000Z');
  });

  it('that finds no free day calls a person, and is made once there is one', async () => {
    const rule = await newRule({ every: { days: 7 }, anchor: '2027-02-10' });
    await addStay(rule.property, '2027-01-01', '2027-06-01');
    await sweep('2027-02-01T01:00:00Z');
    expect(await tasksOf(rule.property)).toEqual([]);
    const alerts = db
      .selectFrom('notification')
      .select('params')
      .where('effect_key', 'like', `alert-recurrence-${rule.id}-%`);
    expect(await alerts.execute()).toMatchObject([{ params: { code: 'NO_FREE_DAY', sagaId: rule.id } }]);
    await db.updateTable('reservation').set({ status: 'CANCELLED' }).where('property_id', '=', rule.property).execute();
    await sweep('2027-02-01T02:00:00Z');
    expect(await tasksOf(rule.property)).toHaveLength(1);
  });
});

describe('daily maintenance', () => {
  const standing = async (property: string) =>
    (await tasksOf(property))
      .filter(({ status }) => status !== 'CANCELLED')
      .map(({ scheduled_at }) => localDate(scheduled_at, 'Asia/Dubai'));
  const fortnight = Array.from({ length: 15 }, (_, n) => day('2027-03-01', n));
  const nights = ['2027-03-04', '2027-03-05', '2027-03-06'];
  const free = fortnight.filter((date) => !nights.includes(date));
  const daily = { every: { days: 1 }, anchor: '2027-03-01', type: 'MAINTENANCE' } as const;

  it('does not pile up on the morning after a stay: what was due meanwhile is skipped', async () => {
    const rule = await newRule(daily);
    await addStay(rule.property, '2027-03-04', '2027-03-07');
    await sweep('2027-03-01T01:00:00Z');
    await sweep('2027-03-01T02:00:00Z');
    expect(await standing(rule.property)).toEqual(free);
    const periods = await periodsOf(rule.id);
    expect(periods.map(({ period }) => period)).toEqual(fortnight.map((_date, n) => n));
    const skipped = periods.filter(({ status }) => status === 'SKIPPED').map(({ due_date }) => due_date);
    expect(skipped).toEqual(nights);
  });

  it('that was planned before the stay is called off, and its assignee is notified', async () => {
    const rule = await newRule(daily);
    await db
      .insertInto('staff')
      .values({ id: 'fixer-1', name: 'Fay', email: 'fay@example.com', role: 'MAINTENANCE_STAFF' })
      .execute();
    await sweep('2027-03-01T01:00:00Z');
    expect(await standing(rule.property)).toEqual(fortnight);
    await db
      .updateTable('task')
      .set({ status: 'ASSIGNED', assignee_id: 'fixer-1' })
      .where('property_id', '=', rule.property)
      .execute();
    await addStay(rule.property, '2027-03-04', '2027-03-07');
    await sweep('2027-03-01T02:00:00Z');
    await sweep('2027-03-01T03:00:00Z');
    expect(await standing(rule.property)).toEqual(free);
    const skipped = (await periodsOf(rule.id)).filter(({ status }) => status === 'SKIPPED');
    expect(skipped.map(({ due_date, task_id }) => [due_date, task_id])).toEqual(nights.map((date) => [date, null]));
    const notified = await db
      .selectFrom('notification as n')
      .innerJoin('task as t', 't.id', 'n.task_id')
      .select('t.status')
      .where('n.event', '=', 'TASK_WITHDRAWN')
      .where('n.recipient_id', '=', 'fixer-1')
      .execute();
    expect(notified).toEqual(nights.map(() => ({ status: 'CANCELLED' })));
  });

  it('on every third day gives way only where the next one is due', async () => {
    const rule = await newRule({ ...daily, every: { days: 3 } });
    // Of the 4th only the day after is left; of the 7th and its days none.
    await addStay(rule.property, '2027-03-04', '2027-03-05');
    await addStay(rule.property, '2027-03-07', '2027-03-10');
    await sweep('2027-03-01T01:00:00Z');
    expect(await standing(rule.property)).toEqual(['2027-03-01', '2027-03-05', '2027-03-10', '2027-03-13']);
  });
});

describe('maintenance by use', () => {
  it('is one task after every so many stays, and after nights', async () => {
    const byStays = await newRule({ every: { stays: 2 }, anchor: '2027-01-01', nextPeriod: 1, type: 'MAINTENANCE' });
    const byNights = await newRule({ every: { nights: 5 }, anchor: '2027-01-01', nextPeriod: 1, type: 'MAINTENANCE' });
    const counts = async (): Promise<readonly number[]> => [
      (await tasksOf(byStays.property)).length,
      (await tasksOf(byNights.property)).length,
    ];
    const live = async (from: string, to: string): Promise<void> => {
      for (const { property } of [byStays, byNights]) await addStay(property, from, to, 'CHECKED_OUT');
    };
    await live('2027-01-02', '2027-01-04');
    await sweep('2027-03-01T01:00:00Z');
    expect(await counts()).toEqual([0, 0]);
    await live('2027-01-05', '2027-01-08');
    await Promise.all([sweep('2027-03-01T02:00:00Z'), sweep('2027-03-01T02:00:00Z')]);
    expect(await counts()).toEqual([1, 1]);
    const [task] = await tasksOf(byStays.property);
    const mails = db
      .selectFrom('notification')
      .select('event')
      .where('task_id', '=', task?.id ?? '');
    expect(await mails.execute()).toEqual([{ event: 'MAINTENANCE_REQUIRED' }]);
    expect(task?.checklist).toEqual([{ id: 'item-1', label: 'Filters', required: true }]);
    // Three more pairs while nobody looks: one task, the others on record as skipped.
    for (let n = 0; n < 6; n += 1) await live(day('2027-01-10', n * 5), day('2027-01-15', n * 5));
    await sweep('2027-03-02T02:00:00Z');
    expect(await counts()).toEqual([2, 2]);
    expect((await periodsOf(byStays.id)).map(({ status }) => status)).toEqual(['MADE', 'SKIPPED', 'SKIPPED', 'MADE']);
  });
});

describe('an emergency that nobody has begun', () => {
  it('is told to operations after 15 minutes, and once more after 60', async () => {
    const { property } = await newRule();
    const at = new Date('2027-05-01T10:00:00Z');
    const task = { type: 'EMERGENCY', occurrence: 'MANUAL', title: 'Water', property_id: property } as const;
    const time = { scheduled_at: at, ends_at: new Date(at.getTime() + 60_000), created_at: at, next_assign_at: null };
    await db
      .insertInto('task')
      .values([
        { ...task, ...time, id: 'leak-1', status: 'UNASSIGNED' },
        { ...task, ...time, id: 'leak-2', status: 'CANCELLED' },
      ])
      .execute();
    const alertsAt = async (minutes: number): Promise<number> => {
      await Promise.all([1, 2].map(() => escalateEmergencies(db, new Date(at.getTime() + minutes * 60_000))));
      const { rows } = await sql<{ n: number }>`
        SELECT count(*)::int AS n FROM notification WHERE event = 'MAINTENANCE_ALERT' AND task_id LIKE 'leak-%'`.execute(
        db,
      );
      return rows[0]?.n ?? -1;
    };
    const alerts: number[] = [];
    for (const minutes of [14, 15, 59, 60, 600]) alerts.push(await alertsAt(minutes));
    expect(alerts).toEqual([0, 1, 1, 2, 2]);
  });
});

describe('the worker of recurring work', () => {
  it('does what Postgres says is due whenever a job wakes it, and nothing twice', async () => {
    const rule = await newRule({ anchor: '2027-02-10' });
    const log = createLogger('test', 'silent');
    const prefix = `recurring-${randomUUID()}`;
    const queues = connectQueues(inject('redisUrl'), prefix, noOutages);
    const now = new Date('2027-02-01T01:00:00Z');
    const worker = createWorker(sweepWork('recurring', JOBS.recurring, { db, now: () => now }), {
      options: workerOptions(inject('redisUrl'), prefix),
      log,
      counters: createCounters(),
      alert: async () => undefined,
    });
    const results: unknown[] = [];
    const done = new Promise<void>((resolve, reject) => {
      worker.bullmq.on('failed', (_job, error) => reject(error));
      worker.bullmq.on('completed', (_job, result) => {
        if (results.push(result) === 2) resolve();
      });
    });
    const queue = queues.queue(RECURRING_QUEUE);
    await queue.addBulk([1, 2].map(() => ({ name: 'sweep', data: {} })));
    await done;
    await worker.close();
    await queues.close();
    expect(results[1]).toEqual({ looked: 0, escalated: 0 });
    expect(await tasksOf(rule.property)).toHaveLength(1);
  });
});
