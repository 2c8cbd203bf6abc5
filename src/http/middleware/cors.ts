import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import type { AppEnv } from '../context.ts';

/**
 * Lets the pages of named origins call the API (security.md H3). They send a bearer token of their own: cookies do not
 * travel, so a page can do no more than its token may.
 */

const SENT = [
  'Accept',
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'If-Match',
  'Last-Event-ID',
  'Prefer',
  'X-Request-Id',
];
const READ = [
  'ETag',
  'Idempotency-Replayed',
  'Location',
  'Preference-Applied',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-Id',
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const REMEMBERED_SECONDS = 600;

/** `*` in the list: any origin, for development. */
export function allowOrigins(origins: readonly string[]): MiddlewareHandler<AppEnv> {
  const allowed = new Set(origins);
  const isAllowed = (origin: string): boolean => allowed.has(origin) || (allowed.has('*') && origin !== 'null');
  const answer = cors({
    origin: (origin) => origin,
    allowMethods: METHODS,
    allowHeaders: SENT,
    exposeHeaders: READ,
    maxAge: REMEMBERED_SECONDS,
  });
  return async (c, next) => {
    const origin = c.req.header('origin');
    if (origin !== undefined && isAllowed(origin)) return answer(c, next);
    await next();
    // A cache must not give one origin the answer of another.
    c.res.headers.append('Vary', 'Origin');
  };
}
