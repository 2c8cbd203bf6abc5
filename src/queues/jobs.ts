import type { JobsOptions } from 'bullmq';
import { z } from 'zod';
import { ID_PATTERN } from '../kernel/ids.ts';

/** The data of a saga job: where to look in Postgres, and nothing else. Operators can edit it, so it is checked. */
export const StepJob = z.strictObject({
  sagaId: z.string().regex(ID_PATTERN),
  /** 0: the settling of the flow. */
  step: z.int().min(0).max(32),
  direction: z.enum(['F', 'C']),
  generation: z.int().min(1),
});
export type StepJob = z.output<typeof StepJob>;

/** `confirmReservation.createCleaningTask`, `confirmReservation.settle`: the names that `flowOf` gives, and no others. */
const STEP_JOB_NAME = /^[A-Za-z][\w-]{0,63}\.[\w-]{1,64}$/;
export const isStepJobName = (name: string): boolean => STEP_JOB_NAME.test(name);

export const stepJobId = (sagaId: string, generation: number, direction: 'F' | 'C', step: number): string =>
  `${sagaId}.g${generation}.${direction.toLowerCase()}.${step}`;
export const settleJobId = (sagaId: string, generation: number): string => `${sagaId}.g${generation}.settle`;

/**
 * More than any step has in Postgres, where exhaustion is decided; a job that runs out here has been cut short by
 * crashes, and the reconciler dispatches its saga anew.
 */
const ATTEMPTS = 25;
const backoff = { type: 'custom' };
/** Finished jobs are kept by count, so that an id is not taken again while its order may still be repeated. */
const KEEP_COMPLETED = 20_000;
const KEEP_FAILED = 50_000;

/** A step that fails must not hold up its flow's end; the guard in Postgres stops the steps behind it. */
export const FORWARD_JOB: JobsOptions = {
  attempts: ATTEMPTS,
  backoff,
  ignoreDependencyOnFailure: true,
  removeOnComplete: { count: KEEP_COMPLETED },
  removeOnFail: { count: KEEP_FAILED },
};
export const SETTLE_JOB: JobsOptions = {
  attempts: ATTEMPTS,
  backoff,
  removeOnComplete: { count: KEEP_COMPLETED },
  removeOnFail: { count: KEEP_FAILED },
};
/** A compensation that gives up stops the chain there; its retry resumes it to the end. */
export const COMPENSATION_JOB: JobsOptions = {
  attempts: ATTEMPTS,
  backoff,
  removeOnComplete: { count: KEEP_COMPLETED },
  removeOnFail: false,
};
