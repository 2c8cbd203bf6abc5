import type { MiddlewareHandler } from 'hono';
import { inSpan, isTracing } from '../../kernel/telemetry/tracing.ts';
import type { AppEnv } from '../context.ts';

/** Asked every few seconds. */
const PROBES = new Set(['/health/live', '/health/ready', '/healthz', '/readyz']);

/** One span for each request, within the caller's own trace if it has one. Neither address nor query is in it: they may hold a token. */
export const traced: MiddlewareHandler<AppEnv> = (c, next) => {
  if (!isTracing() || PROBES.has(c.req.path)) return next();
  const { method } = c.req;
  const attributes = { 'http.request.method': method };
  return inSpan(method, { kind: 'server', parent: c.req.header('traceparent') ?? null, attributes }, async (span) => {
    await next();
    const route = c.get('route');
    if (route !== undefined) span.rename(`${method} ${route}`);
    span.set({
      'http.response.status_code': c.res.status,
      ...(route === undefined ? {} : { 'http.route': route }),
      'roomy.request.id': c.get('requestId'),
    });
  });
};
