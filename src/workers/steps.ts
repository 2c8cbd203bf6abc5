import { DelayedError, type Job, UnrecoverableError, Worker } from 'bullmq';
import { backoffMs, randomBetween } from '../kernel/backoff.ts';
import type { Logger } from '../kernel/log.ts';
import { StepJob } from '../queues/jobs.ts';
import type { RetryPolicy } from '../sagas/orchestrator/definition.ts';
import { type ExecuteStep, StepDeferred, StepRetry } from '../sagas/orchestrator/execute.ts';
import type { WorkerOptionsBase } from './options.ts';

/** Thin adapter: a saga job becomes a call of the executor, and its outcome what BullMQ is told. */
export interface StepWorkerParts {
  readonly queueName: string;
  readonly concurrency: number;
  readonly execute: ExecuteStep;
  readonly log: Logger;
  readonly options: WorkerOptionsBase;
}

export function createStepWorker({ queueName, concurrency, execute, log, options }: StepWorkerParts): Worker {
  const worker = new Worker(
    queueName,
    async (job: Job, token?: string, signal?: AbortSignal) => {
      const parsed = StepJob.safeParse(job.data);
      if (!parsed.success) return { skipped: 'not-one-of-ours' };
      const pointer = parsed.data;
      try {
        const outcome = await execute(pointer, signal ?? new AbortController().signal);
        if (outcome.outcome === 'later') return await delay(job, outcome.at.getTime(), token);
        // Red in Bull Board; the step's failure is in Postgres already.
        if (outcome.outcome === 'ended') throw new UnrecoverableError(outcome.code);
        return outcome;
      } catch (error) {
        if (error instanceof StepDeferred)
          return await delay(job, Date.now() + randomBetween(DEFER_MIN_MS, DEFER_MAX_MS), token);
        throw error;
      }
    },
    {
      ...options,
      concurrency,
      settings: {
        backoffStrategy: (attempt, _type, error) =>
          error instanceof StepRetry ? backoffMs(error.policy, attempt) : backoffMs(DEFAULT_POLICY, attempt),
      },
    },
  );
  worker.on('error', (error) => log.debug({ queue: queueName, err: error }, 'worker'));
  worker.on('failed', (job, error) => {
    log.info({ queue: queueName, jobId: job?.id, attempt: job?.attemptsMade, reason: error.message }, 'job failed');
  });
  return worker;
}

const DEFAULT_POLICY: RetryPolicy = { attempts: 25, baseMs: 200, maxMs: 30_000 };

/** Postgres is away: come back in one to five seconds. */
const DEFER_MIN_MS = 1_000;
const DEFER_MAX_MS = 5_000;

async function delay(job: Job, at: number, token: string | undefined): Promise<never> {
  await job.moveToDelayed(at, token);
  throw new DelayedError();
}
