import { DelayedError, type Job, UnrecoverableError } from 'bullmq';
import { StepDeferred, StepRetry } from '../engine/errors.ts';
import type { ExecuteStep } from '../engine/run.ts';
import type { RetryPolicy } from '../engine/step.ts';
import { backoffMs, randomBetween } from '../kernel/backoff.ts';
import { isStepJobName, StepJob } from '../queues/jobs.ts';
import type { COMPENSATION_QUEUE, FORWARD_QUEUE } from '../queues/names.ts';
import type { JobHandler, JobRun, QueueWork } from './worker.ts';

/** Thin adapter: a saga job becomes a call of the executor, whose outcome becomes the end of the job. */
export interface StepWork {
  readonly queue: typeof FORWARD_QUEUE | typeof COMPENSATION_QUEUE;
  readonly concurrency: number;
  readonly execute: ExecuteStep;
}

/** Each call has a limit of its own, and a run of steps ends at the first one that comes after this. */
const STEP_LIMIT_MS = 120_000;

/** One handler for the jobs of all sagas: the name is for people who look at the job, the pointer for the executor. */
export function stepWork({ queue, concurrency, execute }: StepWork): QueueWork {
  const handler: JobHandler = { kind: 'step', limitMs: STEP_LIMIT_MS, run: (run) => runStep(execute, run) };
  return {
    queue,
    concurrency,
    handlerOf: (name) => (isStepJobName(name) ? handler : undefined),
    settings: {
      settings: {
        backoffStrategy: (attempt, _type, error) =>
          error instanceof StepRetry ? backoffMs(error.policy, attempt) : backoffMs(DEFAULT_POLICY, attempt),
      },
    },
  };
}

async function runStep(execute: ExecuteStep, { job, token, signal }: JobRun): Promise<unknown> {
  const parsed = StepJob.safeParse(job.data);
  if (!parsed.success) return { skipped: 'not-one-of-ours' };
  try {
    const outcome = await execute(parsed.data, signal);
    if (outcome.outcome === 'later') return await delay(job, outcome.at.getTime(), token);
    // Red in Bull Board, for what a person may help; the step's failure is in Postgres already.
    if (outcome.outcome === 'ended' && !outcome.refused) throw new UnrecoverableError(outcome.code);
    // Among the completed jobs it would look as if its step had been done.
    if (outcome.outcome === 'skipped') job.opts.removeOnComplete = true;
    return outcome;
  } catch (error) {
    if (error instanceof StepDeferred)
      return await delay(job, Date.now() + randomBetween(DEFER_MIN_MS, DEFER_MAX_MS), token);
    throw error;
  }
}

const DEFAULT_POLICY: RetryPolicy = { attempts: 25, baseMs: 200, maxMs: 30_000 };

/** Postgres is away: come back in one to five seconds. */
const DEFER_MIN_MS = 1_000;
const DEFER_MAX_MS = 5_000;

async function delay(job: Job, at: number, token: string | undefined): Promise<never> {
  await job.moveToDelayed(at, token);
  throw new DelayedError();
}
