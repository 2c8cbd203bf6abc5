/** Waits grow by doubling up to `maxMs`. */
export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Exponential with full jitter: those that failed together do not come back together. `attempt` counts from 1. */
export const backoffMs = (backoff: Backoff, attempt: number): number =>
  Math.round(Math.random() * longestBackoffMs(backoff, attempt));

/** What a wait after this attempt never exceeds. */
export const longestBackoffMs = ({ baseMs, maxMs }: Backoff, attempt: number): number =>
  Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 16));

export const randomBetween = (min: number, max: number): number => min + Math.random() * (max - min);
