import type { MiddlewareHandler } from 'hono';
import { classifyDbError } from '../../db/errors.ts';
import { createClientAddress, NO_PROXY } from '../../kernel/client-address.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { withLogContext } from '../../kernel/log-context.ts';
import { describeFailure } from '../../kernel/outages.ts';
import { peerOf } from '../../kernel/peer.ts';
import { requestIdOf } from '../../kernel/request-id.ts';
import { isMeasuring, observe, secondsSince } from '../../kernel/telemetry/measure.ts';
import type { AnyContext, AppDeps, AppEnv } from '../context.ts';
import { refusalOf } from '../errors.ts';
import { idOfPage } from '../inner-requests.ts';
import { SECURITY_HEADERS } from '../security-headers.ts';

const PROBES = new Set(['/health/live', '/health/ready', '/healthz', '/readyz']);

/** Gives each request an id and its client's address, each answer its headers, and the log one line per request. */
export function requestLog(deps: AppDeps): MiddlewareHandler<AppEnv> {
  const addressOf = createClientAddress(deps.proxyTrust ?? NO_PROXY);
  return async (c, next) => {
    const startedMs = performance.now();
    const requestId = idOfPage(c.req.raw) ?? requestIdOf(c.req.header('x-request-id'));
    const ip = addressOf(peerOf(c), c.req.raw.headers);
    c.set('requestId', requestId);
    c.set('ip', ip);
    await withLogContext({ requestId }, next);
    c.res.headers.set('X-Request-Id', requestId);
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    }
    if (isMeasuring()) measure(c, startedMs);
    const failure = c.get('failure');
    const event = {
      method: c.req.method,
      route: c.get('route') ?? null,
      status: c.res.status,
      ms: Math.round((performance.now() - startedMs) * 10) / 10,
      requestId,
      ip,
      sub: c.get('caller')?.principal ?? null,
      ...(failure === undefined ? {} : describe(failure, c.res.status)),
    };
    // Probes ask every few seconds, and "not yet" is an answer.
    if (PROBES.has(event.route ?? '')) deps.log.debug(event, 'request');
    else if (c.res.status >= 500) deps.log.error(event, 'request');
    else deps.log.info(event, 'request');
  };
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

function measure(c: AnyContext, startedMs: number): void {
  observe('roomy_http_request_duration_seconds', secondsSince(startedMs), {
    method: METHODS.has(c.req.method) ? c.req.method : 'OTHER',
    route: c.get('route') ?? 'none',
    status: `${Math.floor(c.res.status / 100)}xx`,
  });
}

/** Why it failed: the code always, the cause only of what is our own fault. Values that callers sent stay out. */
function describe(failure: unknown, status: number): object {
  const { code, cause } = refusalOf(failure);
  if (code === 'UNAUTHENTICATED') return { code, reason: typeof cause === 'string' ? cause : null };
  if (status < 500) return { code };
  const origin = failure instanceof RoomyError ? failure.cause : failure;
  return { code, db: classifyDbError(origin), cause: describeFailure(origin) };
}
