import type { MiddlewareHandler } from 'hono';
import type { AppEnv } from '../context.ts';
import { secondsOf } from '../limits.ts';

/** Tells callers what they may do and what is left of it (draft-ietf-httpapi-ratelimit-headers), on answers of every kind. */
export const rateLimitFields: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next();
  const counted = c.get('counted');
  if (counted === undefined) return;
  const { name, times, windowSeconds, remaining, resetMs } = counted;
  c.res.headers.set('RateLimit-Policy', `"${name}";q=${times};w=${windowSeconds}`);
  c.res.headers.set('RateLimit', `"${name}";r=${remaining};t=${secondsOf(resetMs)}`);
};
