import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Job } from 'bullmq';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createDb, createPool, type Db } from '../../src/db/client.ts';
import { type Counters, createCounters } from '../../src/kernel/counters.ts';
import { createLogger, type Logger } from '../../src/kernel/log.ts';
import { noOutages } from '../../src/kernel/outages.ts';
import { connectQueues, type QueueConnection } from '../../src/queues/connection.ts';
import { QUEUE_NAMES } from '../../src/queues/names.ts';
import { upsertSchedules } from '../../src/queues/schedules.ts';
import { alertFailingSweep, workOf } from '../../src/workers/crew.ts';
import { JOBS, type JobTable, type SweepQueueRow } from '../../src/workers/jobs.ts';
import { createWorker, type QueueWork, type WorkerRuntime, workerOptions } from '../../src/workers/worker.ts';
import { cuttable } from '../faults/cuttable.ts';
import { createTestDatabase, type TestDatabase } from '../setup/database.ts';
import { until } from '../setup/engine.ts';

/** Every queue and every job of the table: what fails leaves a line and a count, and what nobody knows is refused. */

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Keeps what was logged. */
function listeningLog(): { readonly log: Logger; readonly lines: Line[] } {
  const lines: Line[] = [];
  const at =
    (level: string) =>
    (fields: Record<string, unknown>, message: string): void => {
      lines.push({ level, message, fields });
    };
  const log = createLogger('test', 'silent');
  Object.assign(log, { debug: () => undefined, info: at('info'), warn: at('warn'), error: at('error') });
  return { log, lines };
}

/** The table's own rows; each fails with its own name while `broken`, and does nothing otherwise. */
function failing(state: { broken: boolean }): JobTable<null> {
  const table = Object.entries<SweepQueueRow<never>>(JOBS).map(([queue, { concurrency, jobs }]) => [
    queue,
    {
      concurrency,
      jobs: Object.fromEntries(
        Object.entries(jobs).map(([job, row]) => [
          job,
          {
            ...row,
            limitMs: 10_000,
            run: async () => {
              if (state.broken) throw new Error(`${queue}.${job} is broken`);
            },
          },
        ]),
      ),
    },
  ]);
  return Object.fromEntries(table);
}

const scheduled = Object.entries(JOBS).flatMap(([queue, { jobs }]) =>
  Object.keys(jobs).map((job) => [queue, job] as const),
);

let queues: QueueConnection;
const prefix = `workers-${randomUUID()}`;
beforeAll(() => {
  queues = connectQueues(inject('redisUrl'), prefix, noOutages);
});
afterAll(async () => {
  await Promise.all(queues.queues.map((queue) => queue.obliterate({ force: true })));
  await queues.close();
});

interface Running {
  readonly lines: Line[];
  readonly counters: Counters;
  readonly alerts: string[];
  close(): Promise<void>;
}

async function working(work: readonly QueueWork[], more: Partial<WorkerRuntime> = {}): Promise<Running> {
  const { log, lines } = listeningLog();
  const counters = createCounters();
  const alerts: string[] = [];
  const runtime: WorkerRuntime = {
    options: workerOptions(inject('redisUrl'), prefix),
    log,
    counters,
    alert: async ({ queue, job }) => {
      alerts.push(`${queue}.${job}`);
    },
    ...more,
  };
  const workers = work.map((one) => createWorker(one, runtime));
  await Promise.all(workers.map(({ bullmq }) => bullmq.waitUntilReady()));
  return {
    lines,
    counters,
    alerts,
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close()));
    },
  };
}

const brokenSteps = {
  concurrency: 1,
  execute: async () => {
    throw new Error('a step is broken');
  },
};
const POINTER = { sagaId: 'saga-1', step: 1, direction: 'F', generation: 1 };
const ended = (job: Job): Promise<true> =>
  until(`job ${job.queueName} ${job.name} is over`, async () =>
    ['failed', 'completed'].includes(await job.getState()) ? true : undefined,
  );
const lost = (job: Job): Promise<true> =>
  until('the job failed', async () => ((await job.getState()) === 'failed' ? true : undefined));

describe('the workers', () => {
  it('serve every queue', () => {
    const work = workOf(failing({ broken: true }), null, brokenSteps);
    expect(work.map(({ queue }) => queue).toSorted()).toEqual([...QUEUE_NAMES].toSorted());
    for (const [queue, job] of scheduled) {
      expect(work.find((one) => one.queue === queue)?.handlerOf(job), `${queue}.${job}`).toBeDefined();
    }
  });

  it('are not made of a table with a job that has no handler, a queue that nobody serves, or one scheduler twice', () => {
    const table = failing({ broken: false });
    const changed = (tasks: object): JobTable<null> => Object.assign({}, table, { tasks });
    const unhandled = { ...table.tasks, jobs: { sweep: { ...table.tasks.jobs['sweep'], run: undefined } } };
    expect(() => workOf(changed(unhandled), null, brokenSteps)).toThrow('tasks.sweep has no handler');
    const twice = { ...table.tasks, jobs: { sweep: table.tasks.jobs['sweep'], again: table.tasks.jobs['sweep'] } };
    expect(() => workOf(changed(twice), null, brokenSteps)).toThrow('two jobs have the scheduler assign-sweep');
    const { tasks: _none, ...others } = table;
    expect(() => workOf(Object.assign(others) as never, null, brokenSteps)).toThrow('no worker serves tasks');
  });

  it('leave a line and a count of each job that fails, and one line for one outage and its end', async () => {
    const state = { broken: true };
    const running = await working(workOf(failing(state), null, brokenSteps), { alertAfterMs: 0 });
    const step = await queues.queue('saga-forward').add('confirmReservation.settle', POINTER);
    const undoing = await queues.queue('saga-compensation').add('confirmReservation.settle', POINTER);
    for (let n = 0; n < 3; n += 1) {
      await Promise.all(scheduled.map(async ([queue, job]) => lost(await queues.queue(queue).add(job, {}))));
    }
    await Promise.all([step, undoing].map(lost));
    state.broken = false;
    await Promise.all(scheduled.map(async ([queue, job]) => ended(await queues.queue(queue).add(job, {}))));
    await running.close();

    for (const [queue, job] of scheduled) {
      const about = running.lines.filter(({ fields }) => fields['queue'] === queue && fields['job'] === job);
      expect(about.map(({ level, message }) => `${level} ${message}`)).toEqual([
        'error a sweep fails',
        'info a sweep works again',
      ]);
      expect(about[0]?.fields['err']).toMatchObject({ message: `${queue}.${job} is broken` });
      expect(about[1]?.fields).toMatchObject({ failures: 3 });
      expect(running.counters.of(`${queue}.${job}.failed`)).toBe(3);
      expect(running.counters.of(`${queue}.${job}.completed`)).toBe(1);
      expect(running.alerts.filter((alert) => alert === `${queue}.${job}`)).toHaveLength(2);
    }
    for (const queue of ['saga-forward', 'saga-compensation']) {
      expect(running.lines.filter(({ fields }) => fields['queue'] === queue).map(({ message }) => message)).toEqual([
        'job failed',
      ]);
      expect(running.counters.of(`${queue}.confirmReservation.settle.failed`)).toBe(1);
    }
  });

  it.each(QUEUE_NAMES)('refuse a job that nobody knows on the queue %s, once and for good', async (queue) => {
    const running = await working(workOf(failing({ broken: false }), null, brokenSteps));
    const job = await queues.queue(queue).add('release-everything', POINTER, { attempts: 5 });
    await lost(job);
    await running.close();
    expect(running.counters.of(`${queue}.refused`)).toBe(1);
    expect(running.lines.map(({ level, message, fields }) => [level, message, fields['job']])).toEqual([
      ['error', 'a job was refused', 'release-everything'],
    ]);
    // The name of another queue's job is nobody's here.
    const work = workOf(failing({ broken: false }), null, brokenSteps).find((one) => one.queue === queue);
    const own = scheduled.filter(([one]) => one === queue).map(([, name]) => name);
    for (const [, name] of scheduled) if (!own.includes(name)) expect(work?.handlerOf(name)).toBeUndefined();
  });

  it('end a job that takes longer than its limit, and tell it so', async () => {
    const reported: unknown[] = [];
    const slow: QueueWork = {
      queue: 'tasks',
      concurrency: 1,
      handlerOf: () => ({
        kind: 'sweep',
        limitMs: 50,
        run: ({ signal }) => new Promise(() => signal.addEventListener('abort', () => reported.push(signal.reason))),
      }),
    };
    const running = await working([slow]);
    await lost(await queues.queue('tasks').add('sweep', {}));
    await running.close();
    expect(reported).toMatchObject([{ name: 'TimeoutError' }]);
    expect(running.counters.of('tasks.sweep.timed-out')).toBe(1);
    expect(running.lines.map(({ message }) => message)).toEqual(['a sweep fails']);
  });

  it('count and name a job that was taken from a worker that has died', async () => {
    const { log, lines } = listeningLog();
    const counters = createCounters();
    const worker = createWorker(
      { queue: 'finance', concurrency: 1, handlerOf: () => undefined },
      { options: workerOptions(inject('redisUrl'), prefix), log, counters, alert: async () => undefined },
    );
    const { bullmq } = worker;
    await once(bullmq, 'ready');
    bullmq.emit('stalled', 'job-7', 'active');
    bullmq.emit('error', new Error('Missing lock for job 7. moveToFinished'));
    bullmq.emit('error', new Error('Missing lock for job 7. moveToFinished'));
    bullmq.emit('ready');
    await worker.close();
    expect(counters.all()).toMatchObject({ 'finance.stalled': 1, 'finance.error': 2 });
    expect(lines.map(({ message }) => message)).toEqual([
      'a job was taken from a worker that has died',
      'a worker has trouble with its queue',
      'a worker is well again',
    ]);
  });

  it.each(['away', 'away and back'])('end while redis is %s, once the job at hand is done', async (state) => {
    const way = await cuttable(inject('redisUrl'));
    const { log } = listeningLog();
    const begun = Promise.withResolvers<void>();
    const mayEnd = Promise.withResolvers<void>();
    let isDone = false;
    const worker = createWorker(
      {
        queue: 'finance',
        concurrency: 1,
        handlerOf: () => ({
          kind: 'sweep',
          limitMs: 30_000,
          run: async () => {
            begun.resolve();
            await mayEnd.promise;
            isDone = true;
          },
        }),
      },
      { options: workerOptions(way.url, prefix), log, counters: createCounters(), alert: async () => undefined },
    );
    try {
      await queues.queue('finance').add('sweep', {});
      await begun.promise;
      await way.cut();
      if (state === 'away and back') await way.mend();
      const closed = worker.close();
      mayEnd.resolve();
      await closed;
      expect(isDone).toBe(true);
    } finally {
      mayEnd.resolve();
      await way.close();
    }
  });

  it('are woken by exactly the schedules of the table', async () => {
    await upsertSchedules(queues.queue, JOBS);
    const found = await Promise.all(
      QUEUE_NAMES.map(async (name) =>
        (await queues.queue(name).getJobSchedulers()).map(
          ({ key, name: job, every }) => `${name} ${job} ${key} ${every}`,
        ),
      ),
    );
    const wanted = Object.entries<SweepQueueRow<never>>(JOBS).flatMap(([queue, { jobs }]) =>
      Object.entries(jobs).map(([job, { scheduler, everyMs }]) => `${queue} ${job} ${scheduler} ${everyMs}`),
    );
    expect(found.flat().toSorted()).toEqual(wanted.toSorted());
  });
});

describe('the alert about a sweep that fails', () => {
  let database: TestDatabase;
  let db: Db;
  beforeAll(async () => {
    database = await createTestDatabase();
    db = createDb(createPool({ connectionString: database.url, max: 2, applicationName: 'workers' }));
  });
  afterAll(async () => {
    await db.destroy();
    await database.drop();
  });

  it('is one message an hour for each sweep', async () => {
    await Promise.all([1, 2, 3].map(() => alertFailingSweep(db, { queue: 'tasks', job: 'sweep' })));
    await alertFailingSweep(db, { queue: 'finance', job: 'night' });
    const { rows } = await sql<{ step: string; code: string }>`
      SELECT params ->> 'step' AS step, params ->> 'code' AS code FROM notification ORDER BY 1`.execute(db);
    expect(rows).toEqual([
      { step: 'night', code: 'SWEEP_FAILS' },
      { step: 'sweep', code: 'SWEEP_FAILS' },
    ]);
  });
});
