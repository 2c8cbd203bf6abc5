import { type Job, UnrecoverableError, Worker, type WorkerOptions } from 'bullmq';
import type { Counters } from '../kernel/counters.ts';
import { createFailuresInARow, type Failing, type FailuresInARow } from '../kernel/failures.ts';
import type { Logger } from '../kernel/log.ts';
import { count as measure } from '../kernel/telemetry/measure.ts';
import { withTimeout } from '../kernel/time-limit.ts';
import { isRedisAway, keyPrefix, RedisAwayError, workerConnection } from '../queues/connection.ts';
import { type Pace, unhurried } from './pacing.ts';
import { createQueueTrouble, type QueueTrouble } from './queue-trouble.ts';

/** The one place that makes workers: listeners, time limits and counters come with every one of them. */

export type WorkerOptionsBase = Pick<
  WorkerOptions,
  'connection' | 'prefix' | 'lockDuration' | 'stalledInterval' | 'maxStalledCount'
>;

/** A worker that dies is noticed within a few seconds (queue.md 4); a queue of sweeps is looked at less often (`crew.ts`). */
export const workerOptions = (redisUrl: string, prefix: string): WorkerOptionsBase => ({
  connection: workerConnection(redisUrl),
  prefix: keyPrefix(prefix),
  lockDuration: 3_000,
  stalledInterval: 1_000,
  maxStalledCount: 5,
});

export interface JobRun {
  readonly job: Job;
  readonly token: string | undefined;
  /** Aborted at the job's time limit, and when its lock is lost: finish, or begin nothing new. */
  readonly signal: AbortSignal;
  /** A closing worker waits for its jobs: finish this one early, the rest is still due. */
  readonly isClosing: () => boolean;
  /** Of all jobs of the process: how fast it goes through work that nobody waits for. */
  readonly pace: Pace;
}

export interface JobHandler {
  /** Its result is kept as the job's return value. Safe to run twice at once. */
  readonly run: (run: JobRun) => Promise<unknown>;
  /** After this the job has failed and its signal is aborted; what still runs is not waited for. */
  readonly limitMs: number;
  /**
   * `sweep`: the same work again and again, so that failures in a row are one outage with one log line, and with an
   * alert when it lasts. `step`: each job is work of its own, and so is its failure.
   */
  readonly kind: 'sweep' | 'step';
}

/** The work of one queue's worker. */
export interface QueueWork {
  readonly queue: string;
  readonly concurrency: number;
  /** Undefined: there is no such job, and it is refused. */
  readonly handlerOf: (jobName: string) => JobHandler | undefined;
  readonly settings?: Pick<WorkerOptions, 'settings' | 'removeOnComplete' | 'removeOnFail' | 'stalledInterval'>;
}

/** Shared by all workers of a process. */
export interface WorkerRuntime {
  readonly options: WorkerOptionsBase;
  readonly log: Logger;
  /** `<queue>.<job>.completed`, `.failed`, `.refused`, `.timed-out`; `<queue>.stalled`, `<queue>.error`. */
  readonly counters: Counters;
  /** Calls a person about a sweep that has failed for a while. Alerts about the same sweep share one message an hour. */
  readonly alert: (sweep: FailingSweep) => Promise<void>;
  /** Of all queues of the process, so that one trouble is reported once. Default: this queue's own. */
  readonly trouble?: QueueTrouble;
  /** Default: as fast as it can. */
  readonly pace?: Pace;
  /** A sweep that fails for this long, and more than once, is a person's business. Default: a minute. */
  readonly alertAfterMs?: number;
}
export interface FailingSweep extends Failing {
  readonly queue: string;
  readonly job: string;
}

const ALERT_AFTER_MS = 60_000;
const MIN_FAILURES = 2;

/** One queue's worker. */
export interface QueueWorker {
  readonly bullmq: Worker;
  /**
   * Takes no more jobs and waits for those at hand; then for BullMQ to take leave of Redis, but not for long: while a
   * connection is being made again BullMQ would wait for ever. A job whose end did not reach Redis is found stalled by another worker.
   */
  close(): Promise<void>;
}

const TAKE_LEAVE_MS = 2_000;

/** The job took longer than its limit. */
export class JobTimeoutError extends Error {
  override readonly name = 'JobTimeoutError';
}

/** Makes the worker of one queue; it takes jobs from then on. A job without a handler fails for good. */
export function createWorker(
  { queue, concurrency, handlerOf, settings }: QueueWork,
  runtime: WorkerRuntime,
): QueueWorker {
  const { log, pace = unhurried } = runtime;
  const trouble = runtime.trouble ?? createQueueTrouble(log);
  const atHand = new Set<Promise<unknown>>();
  const worker: Worker = new Worker(
    queue,
    async (job: Job, token?: string, signal?: AbortSignal) => {
      const handler = handlerOf(job.name);
      if (!handler) throw new UnrecoverableError(`no handler for this job on the queue ${queue}`);
      // From now on the sweep may be asked for once more: by then more may be due, and this worker may die.
      if (job.deduplicationId !== undefined) job.removeDeduplicationKey().catch(() => undefined);
      const ended = trouble.takes();
      const result = withinLimit(handler, { job, token, isClosing: () => worker.closing !== undefined, pace }, signal);
      atHand.add(result);
      try {
        return await result;
      } finally {
        atHand.delete(result);
        ended();
      }
    },
    { ...runtime.options, ...settings, concurrency },
  );
  watchConnection(worker, runtime, trouble);
  watchJobs(worker, handlerOf, runtime, trouble);
  return {
    bullmq: worker,
    close: async () => {
      const closed = worker.close();
      while (atHand.size > 0) await Promise.allSettled(atHand);
      const error = (): Error => new RedisAwayError(`no leave within ${TAKE_LEAVE_MS} ms`);
      await withTimeout({ timeoutMs: TAKE_LEAVE_MS, error }, () => closed).catch((cause: unknown) => {
        log.debug({ queue, err: cause }, 'a worker ends without leave of redis');
        worker.disconnect().catch(() => undefined);
      });
    },
  };
}

function watchConnection(worker: Worker, { log, counters }: WorkerRuntime, trouble: QueueTrouble): void {
  const queue = worker.name;
  worker.on('error', (error) => {
    counters.add(`${queue}.error`);
    // That Redis is away is said once for all queues (`connectQueues`).
    if (isRedisAway(error)) log.debug({ queue, err: error }, 'worker');
    else trouble.failed(queue, error);
  });
  worker.on('ready', () => trouble.connected(queue));
  worker.on('stalled', (jobId) => {
    counters.add(`${queue}.stalled`);
    measure('roomy_jobs_total', { queue, job: 'none', outcome: 'stalled' });
    log.warn({ queue, jobId }, 'a job was taken from a worker that has died');
  });
}

/** Counts how jobs end, and reports a sweep that goes on failing. */
function watchJobs(
  worker: Worker,
  handlerOf: QueueWork['handlerOf'],
  { log, counters, alert, alertAfterMs = ALERT_AFTER_MS }: WorkerRuntime,
  trouble: QueueTrouble,
): void {
  const queue = worker.name;
  const count = (job: string, how: string): void => {
    counters.add(`${queue}.${job}.${how}`);
    measure('roomy_jobs_total', { queue, job: handlerOf(job)?.kind === 'step' ? 'step' : job, outcome: how });
  };
  const streaks = new Map<string, FailuresInARow>();
  const streakOf = (job: string): FailuresInARow => {
    const fields = { queue, job };
    const streak =
      streaks.get(job) ?? createFailuresInARow(log, { begins: 'a sweep fails', ends: 'a sweep works again', fields });
    streaks.set(job, streak);
    return streak;
  };
  worker.on('completed', ({ name }) => {
    count(name, 'completed');
    trouble.works();
    streaks.get(name)?.succeeded();
  });
  worker.on('failed', (job, error) => {
    const handler = job && handlerOf(job.name);
    if (!job || !handler) {
      counters.add(`${queue}.refused`);
      measure('roomy_jobs_total', { queue, job: 'none', outcome: 'refused' });
      log.error(
        { queue, job: job?.name.slice(0, MAX_NAME), jobId: job?.id, reason: error.message },
        'a job was refused',
      );
      return;
    }
    count(job.name, 'failed');
    if (error instanceof JobTimeoutError) count(job.name, 'timed-out');
    if (handler.kind === 'step') {
      log.info({ queue, jobId: job.id, attempt: job.attemptsMade, reason: error.message }, 'job failed');
      return;
    }
    const streak = streakOf(job.name);
    streak.failed(error);
    const failing = streak.current();
    if (!failing || failing.lastedMs < alertAfterMs || failing.failures < MIN_FAILURES) return;
    alert({ queue, job: job.name, ...failing }).catch((cause: unknown) => {
      log.debug({ queue, job: job.name, err: cause }, 'an alert could not be raised');
    });
  });
}

const MAX_NAME = 100;

const withinLimit = (
  { run, limitMs }: JobHandler,
  job: Omit<JobRun, 'signal'>,
  lost: AbortSignal | undefined,
): Promise<unknown> =>
  withTimeout(
    { timeoutMs: limitMs, error: (reason) => new JobTimeoutError(`took longer than ${limitMs} ms`, { cause: reason }) },
    (limit) => run({ ...job, signal: lost ? AbortSignal.any([lost, limit]) : limit }),
  );
