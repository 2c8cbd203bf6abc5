import { createFailuresInARow } from '../kernel/failures.ts';
import type { Logger } from '../kernel/log.ts';

/**
 * The log of the workers of one process about their queues: one line when Redis answers but has lost what they work with (as after
 * it was emptied, when each job at hand is missed as it ends), and one when that is over. It is over when a job has completed,
 * none that was at hand at the last complaint is still under way, and nobody has complained for a second: that other jobs
 * complete meanwhile, on this queue or another, says nothing. A queue whose worker has connected anew has no such jobs any more.
 */
export interface QueueTrouble {
  failed(queue: string, error: unknown): void;
  /** A job is at hand until what this answers is called. */
  takes(): () => void;
  /** A job has completed. */
  works(): void;
  /** This queue's worker is connected again: what was wrong with its connection is over. */
  connected(queue: string): void;
}

/** How soon after its last statement a job that is missed has been complained of. */
const SETTLED_AFTER_MS = 1_000;

/** `now`: milliseconds of a clock that never steps back. */
export function createQueueTrouble(log: Logger, now: () => number = () => performance.now()): QueueTrouble {
  const streak = createFailuresInARow(log, {
    begins: 'a worker has trouble with its queue',
    ends: 'a worker is well again',
    level: 'warn',
  });
  const failing = new Set<string>();
  const end = (): void => {
    failing.clear();
    streak.succeeded();
  };
  let lastMs = Number.NEGATIVE_INFINITY;
  /** Since when each job is at hand. */
  const atHand = new Set<{ readonly sinceMs: number }>();
  return {
    failed(queue, error) {
      lastMs = now();
      failing.add(queue);
      streak.failed(error, { queue });
    },
    takes() {
      const job = { sinceMs: now() };
      atHand.add(job);
      return () => atHand.delete(job);
    },
    works() {
      if (streak.current() === null || now() - lastMs < SETTLED_AFTER_MS) return;
      for (const { sinceMs } of atHand) if (sinceMs <= lastMs) return;
      end();
    },
    connected(queue) {
      if (failing.delete(queue) && failing.size === 0) end();
    },
  };
}
