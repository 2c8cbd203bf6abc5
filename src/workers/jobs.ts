import type { Db } from '../db/client.ts';
import { raiseAlert } from '../domain/notifications/alerts.ts';
import { type Counters, createCounters } from '../kernel/counters.ts';
import { COMPENSATION_QUEUE, FORWARD_QUEUE } from '../queues/names.ts';
import type { SCHEDULES } from '../queues/schedules.ts';
import { createQueueTrouble } from './queue-trouble.ts';
import { type StepWork, stepWork } from './steps.ts';
import { createWorker, type FailingSweep, type JobHandler, type QueueWork, type WorkerRuntime } from './worker.ts';

/**
 * Queue x job name x handler: exactly the jobs that `queues/schedules.ts` has an interval for. One that is missing here,
 * or is made by no schedule, does not compile.
 */
export type JobTable = { readonly [Queue in keyof typeof SCHEDULES]: JobsOf<Queue> };
export type JobsOf<Queue extends keyof typeof SCHEDULES> = {
  readonly [Job in keyof (typeof SCHEDULES)[Queue]]: JobHandler;
};

/** Jobs at once, per process: sweeps of one queue run one after the other, unless they wait for other systems. */
const CONCURRENCY: { readonly [Queue in keyof JobTable]: number } = {
  notifications: 1,
  tasks: 1,
  // One may wait for a gateway, or be at all of the money.
  finance: 2,
  recurring: 1,
  webhooks: 2,
};

/** All queues of a worker process. */
export const workOf = (table: JobTable, steps: Omit<StepWork, 'queue'>): readonly QueueWork[] => [
  stepWork({ ...steps, queue: FORWARD_QUEUE }),
  stepWork({ ...steps, queue: COMPENSATION_QUEUE }),
  ...QUEUES.map((queue) => sweepWork(queue, table[queue])),
];
const QUEUES = ['notifications', 'tasks', 'finance', 'recurring', 'webhooks'] as const satisfies (keyof JobTable)[];

export function sweepWork<Queue extends keyof JobTable>(queue: Queue, jobs: JobsOf<Queue>): QueueWork {
  const handlers = new Map<string, JobHandler>(Object.entries(jobs));
  return {
    queue,
    concurrency: CONCURRENCY[queue],
    handlerOf: (name) => handlers.get(name),
    settings: { removeOnComplete: { age: 3_600, count: 200 }, removeOnFail: { age: 86_400, count: 1_000 } },
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
