/** When a delivery that failed is tried again (Standard Webhooks, "Retry schedule"): over about three days. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DELAYS_MS = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
] as const;
/** Endpoints that failed together do not come back together. */
const JITTER = 0.2;

/** Milliseconds until the next attempt; null: that was the last one. `random` is from 0 to 1. */
export function retryDelayMs(failedAttempts: number, random: number): number | null {
  const delay = DELAYS_MS[failedAttempts - 1];
  return delay === undefined ? null : Math.round(delay * (1 - JITTER + 2 * JITTER * random));
}
