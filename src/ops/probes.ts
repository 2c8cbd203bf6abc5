import { createHash, timingSafeEqual } from 'node:crypto';
import { Hono } from 'hono';

/** What machines ask a program's own port for: is it alive, is it ready, and its metrics. It has no pages and no sessions. */
export interface ProbeDeps {
  /** Names what is failing. */
  readonly readiness: () => Promise<{ readonly ok: boolean; readonly failing: readonly string[] }>;
  /** In the text format of Prometheus; null: they are off. */
  readonly metricsText: () => Promise<string | null>;
  readonly access: MetricsAccess;
}
/** `token`: who asks shows it as a bearer. `open`: whoever reaches the port. `closed`: nobody, until there is a token. */
export type MetricsAccess = { readonly token: string } | 'open' | 'closed';

/** The paths that are served here, and nothing else. */
const PATHS: ReadonlySet<string> = new Set(['/metrics', '/health/live', '/health/ready']);

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';

export function createProbes({ readiness, metricsText, access }: ProbeDeps): Hono {
  const app = new Hono();
  app.use('*', async (c, next) => {
    await next();
    c.res.headers.set('cache-control', 'no-store');
    c.res.headers.set('x-content-type-options', 'nosniff');
    c.res.headers.set('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
    c.res.headers.set('cross-origin-resource-policy', 'same-origin');
  });
  app.get('/health/live', (c) => c.json({ status: 'ok' }));
  app.get('/health/ready', async (c) => {
    const { ok, failing } = await readiness();
    return c.json({ status: ok ? 'ok' : 'fail', failing }, ok ? 200 : 503);
  });
  app.get('/metrics', async (c) => {
    if (access === 'closed')
      return c.json({ error: 'Set METRICS_TOKEN: this port is reached from other machines', code: 'FORBIDDEN' }, 403);
    if (access !== 'open' && !isToken(c.req.header('authorization'), access.token)) {
      c.header('www-authenticate', 'Bearer realm="metrics"');
      return c.json({ error: 'Needs the bearer token METRICS_TOKEN', code: 'UNAUTHENTICATED' }, 401);
    }
    const text = await metricsText();
    if (text === null) return c.json({ error: 'Metrics are off', code: 'NOT_FOUND' }, 404);
    return c.body(text, 200, { 'content-type': TEXT });
  });
  app.notFound((c) => c.json({ error: 'There is nothing at this address', code: 'NOT_FOUND' }, 404));
  app.onError((_error, c) => c.json({ error: 'This could not be answered', code: 'INTERNAL_ERROR' }, 500));
  return app;
}

/** Answers probes itself, and leaves every other path to the app behind it. */
export const probesBefore =
  (probes: Hono, behind: (request: Request, env?: object) => Response | Promise<Response>) =>
  (request: Request, env?: object): Response | Promise<Response> =>
    PATHS.has(new URL(request.url).pathname) ? probes.fetch(request, env) : behind(request, env);

/** Compared as hashes, so that neither content nor length of the token shows in the time that it takes. */
function isToken(authorization: string | undefined, wanted: string): boolean {
  const [, given] = /^Bearer (.{1,1000})$/i.exec(authorization ?? '') ?? [];
  const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest();
  return given !== undefined && timingSafeEqual(hashOf(given), hashOf(wanted));
}
