import type { Db } from '../db/client.ts';
import { raiseAlert } from '../domain/notifications/alerts.ts';
import { type Counters, createCounters } from '../kernel/counters.ts';
import { InvariantError } from '../kernel/errors.ts';
import { COMPENSATION_QUEUE, FORWARD_QUEUE, QUEUE_NAMES } from '../queues/names.ts';
import type { JobTable, SweepQueueRow } from './jobs.ts';
import { createQueueTrouble } from './queue-trouble.ts';
import { type StepWork, stepWork } from './steps.ts';
import { createWorker, type FailingSweep, type JobHandler, type QueueWork, type WorkerRuntime } from './worker.ts';

/**
 * The workers of all queues of a process. Throws `InvariantError` for a queue that nobody serves, a job without a handler,
 * and a scheduler that two jobs share: the process does not start.
 */
export function workOf<Parts>(
  table: JobTable<Parts>,
  parts: Parts,
  steps: Omit<StepWork, 'queue'>,
): readonly QueueWork[] {
  const sweeps = Object.entries<SweepQueueRow<Parts>>(table).map(([queue, rows]) => sweepWork(queue, rows, parts));
  const work = [
    stepWork({ ...steps, queue: FORWARD_QUEUE }),
    stepWork({ ...steps, queue: COMPENSATION_QUEUE }),
    ...sweeps,
  ];
  const unserved = QUEUE_NAMES.filter((queue) => !work.some((one) => one.queue === queue));
  if (unserved.length > 0) throw new InvariantError(`no worker serves ${unserved.join(', ')}`);
  const schedulers = Object.values<SweepQueueRow<Parts>>(table).flatMap(({ jobs }) =>
    Object.values(jobs).map(({ scheduler }) => scheduler),
  );
  const shared = schedulers.filter((scheduler, n) => schedulers.indexOf(scheduler) !== n);
  if (shared.length > 0) throw new InvariantError(`two jobs have the scheduler ${shared.join(', ')}`);
  return work;
}

/**
 * Between two looks for sweeps of workers that have died. Nobody waits for their jobs: what is due stands in Postgres, and has the
 * next job as soon as it is asked for (`due-look.ts`).
 */
const STALLED_SWEEP_MS = 5_000;

/** One queue of the table. Throws `InvariantError` for a job without a handler. */
export function sweepWork<Parts>(queue: string, rows: SweepQueueRow<Parts>, parts: Parts): QueueWork {
  const { concurrency, jobs } = rows;
  const handlers = new Map<string, JobHandler>();
  for (const [job, { limitMs, run }] of Object.entries(jobs)) {
    // The compiler says so too, but the table may have come from elsewhere.
    if (typeof run !== 'function') throw new InvariantError(`the job ${queue}.${job} has no handler`);
    handlers.set(job, { kind: 'sweep', limitMs, run: (one) => run(parts, one) });
  }
  return {
    queue,
    concurrency,
    handlerOf: (name) => handlers.get(name),
    settings: {
      removeOnComplete: { age: 3_600, count: 200 },
      removeOnFail: { age: 86_400, count: 1_000 },
      stalledInterval: STALLED_SWEEP_MS,
    },
  };
}

export interface Crew {
  readonly counters: Counters;
  ready(): Promise<void>;
  /** Lets each worker finish the job that it is at. */
  close(): Promise<void>;
}

/** How often a process logs what its workers have done. */
const REPORT_EVERY_MS = 60 * 60_000;

export function createWorkers(work: readonly QueueWork[], runtime: Omit<WorkerRuntime, 'counters' | 'trouble'>): Crew {
  const counters = createCounters();
  const trouble = createQueueTrouble(runtime.log);
  const workers = work.map((one) => createWorker(one, { ...runtime, counters, trouble }));
  const report = (): void => runtime.log.info({ counts: counters.all() }, 'jobs since the start');
  const reporting = setInterval(report, REPORT_EVERY_MS);
  reporting.unref();
  return {
    counters,
    ready: async () => {
      await Promise.all(workers.map(({ bullmq }) => bullmq.waitUntilReady()));
    },
    close: async () => {
      clearInterval(reporting);
      await Promise.all(workers.map((worker) => worker.close()));
      report();
    },
  };
}

/** For `WorkerRuntime.alert`: one alert an hour for each sweep. */
export const alertFailingSweep = (db: Db, { queue, job }: Pick<FailingSweep, 'queue' | 'job'>): Promise<void> =>
  raiseAlert(db, {
    about: 'queue',
    id: `${queue}.${job}`,
    source: queue,
    step: job,
    code: 'SWEEP_FAILS',
    group: `sweep-fails-${queue}-${job}`,
  });
