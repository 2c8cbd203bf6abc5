import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { deliverDue } from '../../src/domain/messages/delivery.ts';
import { raiseAlert } from '../../src/domain/notifications/alerts.ts';
import { createCounters } from '../../src/kernel/counters.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { noOutages } from '../../src/kernel/outages.ts';
import { connectQueues, type QueueConnection } from '../../src/queues/connection.ts';
import { QUEUE_NAMES } from '../../src/queues/names.ts';
import { runNow } from '../../src/queues/schedules.ts';
import { sweepWork } from '../../src/workers/crew.ts';
import { createDueLook } from '../../src/workers/due-look.ts';
import { JOBS } from '../../src/workers/jobs.ts';
import { createWorker, type QueueWorker, workerOptions } from '../../src/workers/worker.ts';
import { cuttable } from '../faults/cuttable.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { mailboxDeps } from '../setup/deliver.ts';
import { until } from '../setup/engine.ts';

/** Sweeps sleep until something is due, and nothing that is lost in Redis lets them sleep longer. */

const log = createLogger('test', 'silent');
let database: TestDatabase;
let db: Db;
let statements = 0;
beforeAll(async () => {
  database = await createTestDatabase();
  const pool = createPool({ connectionString: database.url, max: 4, applicationName: 'due-look' });
  pool.on('connect', countStatements);
  db = createDb(pool);
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});

function countStatements(client: pg.PoolClient): void {
  const query = client.query.bind(client) as (...args: readonly unknown[]) => unknown;
  client.query = ((...args: readonly unknown[]) => {
    statements += 1;
    return query(...args);
  }) as typeof client.query;
}

let prefix: string;
let queues: QueueConnection;
const workers: QueueWorker[] = [];
beforeEach(() => {
  prefix = `due-${randomUUID()}`;
  queues = connectQueues(inject('redisUrl'), prefix, noOutages);
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.close()));
  await queues.queue('notifications').resume();
  await Promise.all(queues.queues.map((queue) => queue.obliterate({ force: true })));
  await queues.close();
  await db.deleteFrom('notification').execute();
});

const lookAt = (served: readonly string[] = QUEUE_NAMES) => createDueLook(JOBS, served, { db, queues, log });
/** A message to operations is due at once. */
const order = (id: string): Promise<void> =>
  raiseAlert(db, { about: 'queue', id, source: 'test', step: id, code: 'SWEEP_FAILS', group: id });
const unsent = async (): Promise<number> =>
  (await db.selectFrom('notification').select('id').where('status', '<>', 'SENT').execute()).length;
const jobs = async (...states: readonly ('wait' | 'completed' | 'active')[]): Promise<number> => {
  const counts = await Promise.all(queues.queues.map((queue) => queue.getJobCountByTypes(...states)));
  return counts.reduce((all, count) => all + count, 0);
};
function startDelivery(deliver = () => deliverDue(mailboxDeps(db))): void {
  const work = sweepWork('notifications', JOBS.notifications, { deliver, plan: async () => 0 });
  const options = workerOptions(inject('redisUrl'), prefix);
  workers.push(createWorker(work, { options, log, counters: createCounters(), alert: async () => {} }));
}

describe('a system in which nothing happens', () => {
  it('costs one statement a look, and runs no job', async () => {
    const look = lookAt();
    expect(await look.look()).toEqual([]);
    const before = statements;
    for (let n = 0; n < 10; n += 1) expect(await look.look()).toEqual([]);
    expect(statements - before).toBe(10);
    expect(await jobs('wait', 'active', 'completed')).toBe(0);
  });

  it('looks once a second by itself, and not at all in a process that serves no sweep', async () => {
    const slept: number[] = [];
    const rounds = Promise.withResolvers<void>();
    const wait = async (ms: number): Promise<void> => {
      slept.push(ms);
      if (slept.length < 20) return;
      rounds.resolve();
      await new Promise(() => undefined);
    };
    await until('redis is there', async () => queues.isReady() || undefined);
    const before = statements;
    const look = createDueLook(JOBS, QUEUE_NAMES, { db, queues, log, wait });
    look.start();
    await rounds.promise;
    expect(slept).toEqual(Array(20).fill(1_000));
    expect(statements - before).toBe(20);

    const none = createDueLook(JOBS, ['saga-forward', 'saga-compensation'], { db, queues, log, wait });
    none.start();
    await none.stop();
    expect(statements - before).toBe(20);
  });

  it('asks nothing while Redis is away, and looks as soon as it is back', async () => {
    const way = await cuttable(inject('redisUrl'));
    await way.cut();
    const away = connectQueues(way.url, prefix, noOutages);
    const asleep = Promise.withResolvers<void>();
    const wait = (_ms: number, signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        asleep.resolve();
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    await order('redis-away');
    const before = statements;
    const look = createDueLook(JOBS, ['notifications'], { db, queues: away, log, wait });
    look.start();
    await asleep.promise;
    expect(statements).toBe(before);
    await way.mend();
    await until('the sweep has a job', async () => ((await jobs('wait')) === 1 ? true : undefined));
    await look.stop();
    await away.close();
    await way.close();
  });
});

describe('what is due', () => {
  it('is delivered though Redis holds no schedule and no hint of it', async () => {
    startDelivery();
    for (let n = 0; n < 3; n += 1) await order(`alert-${n}`);
    const look = lookAt(['notifications']);
    expect(await look.look()).toEqual(['notifications.sweep']);
    await until('all is delivered', async () => ((await unsent()) === 0 ? true : undefined));
    expect(await look.look()).toEqual([]);
    const schedulers = await Promise.all(queues.queues.map((queue) => queue.getJobSchedulersCount()));
    expect(new Set(schedulers)).toEqual(new Set([0]));
    // And again after Redis has forgotten even those jobs.
    await queues.queue('notifications').obliterate({ force: true });
    await queues.queue('notifications').resume();
    await order('after-the-loss');
    expect(await look.look()).toEqual(['notifications.sweep']);
    await until('that is delivered', async () => ((await unsent()) === 0 ? true : undefined));
  });

  it('is delivered by the schedule though nobody looks', async () => {
    startDelivery();
    await order('unseen');
    const { scheduler } = JOBS.notifications.jobs.sweep;
    await queues.queue('notifications').upsertJobScheduler(scheduler, { every: 10_000 }, { name: 'sweep' });
    await until('it is delivered', async () => ((await unsent()) === 0 ? true : undefined));
  });

  it('is asked for by one job that waits, however many look, and by one more while that is worked on', async () => {
    await order('often');
    for (let n = 0; n < 5; n += 1) await lookAt().look();
    expect(await jobs('wait')).toBe(1);
    const begun = Promise.withResolvers<void>();
    const mayEnd = Promise.withResolvers<void>();
    startDelivery(async () => {
      begun.resolve();
      await mayEnd.promise;
      return 0;
    });
    await begun.promise;
    // A worker that has died meanwhile keeps nobody from asking again.
    await until('one more waits', async () => {
      await runNow(queues.queue('notifications'), 'sweep', JOBS.notifications.jobs.sweep);
      return (await jobs('wait')) === 1 ? true : undefined;
    });
    for (let n = 0; n < 5; n += 1) await lookAt().look();
    expect([await jobs('active'), await jobs('wait')]).toEqual([1, 1]);
    mayEnd.resolve();
    await until('both have run', async () => ((await jobs('completed')) === 2 ? true : undefined));
  });

  it('keeps to a queue that an operator has paused', async () => {
    startDelivery();
    await queues.queue('notifications').pause();
    await order('paused');
    for (let n = 0; n < 3; n += 1) await lookAt().look();
    expect(await jobs('wait')).toBe(1);
    expect(await unsent()).toBe(1);
    await queues.queue('notifications').resume();
    await until('it is delivered', async () => ((await unsent()) === 0 ? true : undefined));
  });

  it('is found for the others when a row spoils the question of one sweep, which then runs in any case', async () => {
    const [{ sweep }, { jobs: tasks }] = [JOBS.notifications.jobs, JOBS.tasks];
    const spoiled = sql<boolean>`EXISTS (SELECT FROM generate_series(0, 1) n WHERE 1 / n > 0)`;
    const table = {
      notifications: { jobs: { sweep } },
      tasks: { jobs: { sweep: { ...tasks.sweep, due: [spoiled] }, access: tasks.access } },
    };
    const look = createDueLook(table, QUEUE_NAMES, { db, queues, log });
    expect(await look.look()).toEqual(['tasks.sweep']);
    await order('beside');
    expect(await look.look()).toEqual(['notifications.sweep', 'tasks.sweep']);
  });
});
