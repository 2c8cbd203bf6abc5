import { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import type { Quota, RateLimiter, Taken } from '../kernel/rate-limits.ts';
import { withTimeout } from '../kernel/time-limit.ts';
import { keyPrefix, RedisAwayError, reconnectDelay } from './connection.ts';

/**
 * Counts in Redis, for all processes together. Like everything there it is a hint: while Redis is away or slow, each process
 * counts for itself, up to a lower number, and nobody waits (security.md Q4).
 */

/** No request waits longer for its count, also of a command that waits for those before it. */
const ANSWER_WITHIN_MS = 100;
/** After so many failures in a row Redis is not asked for so long: else each request would wait anew. */
const AWAY_AFTER = 3;
const AWAY_MS = 1_000;
/** While each process counts for itself, several of them would allow a multiple. */
const LOWER = 0.5;

interface Counters {
  readonly shared: RateLimiterRedis;
  readonly own: RateLimiterMemory;
  readonly lower: number;
}

export interface RateLimiterOptions {
  readonly redisUrl: string;
  readonly prefix: string;
  /** Only tests that count exactly on a busy machine wait longer. */
  readonly answerWithinMs?: number;
}

export function createRateLimiter({
  redisUrl,
  prefix,
  answerWithinMs = ANSWER_WITHIN_MS,
}: RateLimiterOptions): RateLimiter {
  const redis = new Redis(redisUrl, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: answerWithinMs,
    // What is counted in one turn of the event loop travels together.
    enableAutoPipelining: true,
    retryStrategy: reconnectDelay,
    connectionName: 'roomy-limits',
  });
  // The queues speak to the same Redis, and say in the log that it is away.
  redis.on('error', () => undefined);

  const counters = new Map<string, Counters>();
  function countersOf({ name, times, windowSeconds }: Quota): Counters {
    const id = `${name} ${times}`;
    const known = counters.get(id);
    if (known) return known;
    const lower = Math.ceil(times * LOWER);
    const kind = { duration: windowSeconds, keyPrefix: `${keyPrefix(prefix)}:limit:${name}` };
    const made = {
      // Who is over the limit is refused from memory: a flood does not reach Redis.
      shared: new RateLimiterRedis({
        ...kind,
        storeClient: redis,
        points: times,
        rejectIfRedisNotReady: true,
        inMemoryBlockOnConsumed: times + 1,
      }),
      own: new RateLimiterMemory({ ...kind, points: lower }),
      lower,
    };
    counters.set(id, made);
    return made;
  }

  let failures = 0;
  let awayUntilMs = 0;
  const inTime = {
    timeoutMs: answerWithinMs,
    error: (reason: unknown) => new RedisAwayError('a count was not answered in time', { cause: reason }),
  };
  return {
    async take(quota, who) {
      const { shared, own, lower } = countersOf(quota);
      if (redis.status === 'ready' && performance.now() >= awayUntilMs) {
        const taken = await counted(() => withTimeout(inTime, () => shared.consume(who)), quota.times);
        failures = taken === null ? failures + 1 : 0;
        if (taken !== null) return taken;
        if (failures >= AWAY_AFTER) awayUntilMs = performance.now() + AWAY_MS;
      }
      const full = { isAllowed: false, times: lower, remaining: 0, resetMs: quota.windowSeconds * 1000 };
      return (await counted(() => own.consume(who), lower)) ?? full;
    },
    close: async () => redis.disconnect(),
  };
}

/** Null: it could not be counted. */
async function counted(consume: () => Promise<RateLimiterRes>, times: number): Promise<Taken | null> {
  try {
    return takenOf(await consume(), true, times);
  } catch (refused) {
    return refused instanceof RateLimiterRes ? takenOf(refused, false, times) : null;
  }
}

const takenOf = ({ remainingPoints, msBeforeNext }: RateLimiterRes, isAllowed: boolean, times: number): Taken => ({
  isAllowed,
  times,
  remaining: isAllowed ? Math.max(0, remainingPoints) : 0,
  resetMs: Math.max(0, msBeforeNext),
});
