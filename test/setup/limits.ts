import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import { DEFAULT_LIMITS, type LimitNumbers, type RateLimiter } from '../../src/kernel/rate-limits.ts';
import { createRateLimiter } from '../../src/queues/rate-limiter.ts';
import { until } from './engine.ts';

/** Limits as the API has them, with counts of their own. */
export interface TestLimits {
  readonly limiter: RateLimiter;
  readonly numbers: LimitNumbers;
}

/** Resolves when what is counted is counted in Redis. */
export async function startLimits(numbers = DEFAULT_LIMITS, redisUrl = inject('redisUrl')): Promise<TestLimits> {
  const prefix = `limits-${randomUUID().slice(0, 8)}`;
  const limiter = createRateLimiter({ redisUrl, prefix, answerWithinMs: 5_000 });
  await countsInRedis(limiter);
  return { limiter, numbers };
}

const PROBE = { name: 'probe', times: 1_000_000, windowSeconds: 60 };
export const countsInRedis = (limiter: RateLimiter): Promise<unknown> =>
  until('limits are counted in Redis', async () => {
    const { times } = await limiter.take(PROBE, 'nobody');
    return times === PROBE.times ? true : undefined;
  });
