import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { createRoute, z } from '@hono/zod-openapi';
import { RoomyError } from '../../kernel/errors.ts';
import type { App, Services } from '../context.ts';
import { describeApi } from '../openapi/document.ts';
import type { Register } from '../route.ts';

/** Health, the machine-readable description, and the page that shows it to people. All of it is open. */

const word = (description: string) => ({ description, content: { 'text/plain': { schema: z.enum(['ok', 'fail']) } } });
const live = (at: string, hide: boolean) =>
  createRoute({
    method: 'get',
    path: at,
    tags: ['Health'],
    summary: 'Whether the process answers',
    hide,
    responses: { 200: word('It does') },
  });
const ready = (at: string, hide: boolean) =>
  createRoute({
    method: 'get',
    path: at,
    tags: ['Health'],
    summary: 'Whether it can work: Postgres, Redis, migrations and the relay',
    hide,
    responses: { 200: word('It can'), 503: word('It cannot') },
  });
const hidden = (at: string, contentType: string) =>
  createRoute({
    method: 'get',
    path: at,
    hide: true,
    responses: { 200: { description: 'Found', content: { [contentType]: { schema: z.string() } } } },
  });

/** Everything that the page may do: run our own scripts and ask this server. Swagger UI sets inline styles. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE = `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Roomy orchestrator API</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
  <main id="swagger-ui"></main>
  <script src="/docs/swagger-ui-bundle.js"></script>
  <script src="/docs/start.js"></script>
</body>
</html>
`;
const START = `window.ui = SwaggerUIBundle({
  url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null, persistAuthorization: false,
});
`;
/** Every file that the page loads; nothing else of the package is served. */
const FILES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
};

export function registerMeta(register: Register, app: App, services: Services): void {
  for (const [at, hide] of [
    ['/health/live', false],
    ['/healthz', true],
  ] as const) {
    register(live(at, hide), (c) => c.text('ok'));
  }
  for (const [at, hide] of [
    ['/health/ready', false],
    ['/readyz', true],
  ] as const) {
    register(ready(at, hide), async (c) => {
      const { ok, failing } = await services.readiness().catch(() => ({ ok: false, failing: ['readiness'] }));
      if (!ok) services.log.warn({ failing }, 'not ready');
      return ok ? c.text('ok') : c.text('fail', 503);
    });
  }
  let document: string | undefined;
  register(hidden('/openapi.json', 'application/json'), (c) => {
    document ??= JSON.stringify(describeApi(app, services));
    c.header('Content-Type', 'application/json; charset=utf-8');
    return c.body(document);
  });
  register(hidden('/docs', 'text/html'), (c) => {
    c.header('Content-Security-Policy', PAGE_POLICY);
    return c.html(PAGE);
  });
  register(hidden('/docs/{file}', 'text/javascript'), async (c) => {
    const file = c.req.param('file') ?? '';
    const type = file === 'start.js' ? 'text/javascript; charset=utf-8' : ownValue(FILES, file);
    if (type === undefined) throw new RoomyError('ROUTE_NOT_FOUND');
    c.header('Content-Type', type);
    if (file === 'start.js') return c.body(START);
    c.header('Cache-Control', 'public, max-age=86400');
    return c.body(await swaggerFile(file));
  });
}

const ownValue = (record: Readonly<Record<string, string>>, key: string): string | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;

const loaded = new Map<string, Promise<string>>();
function swaggerFile(name: string): Promise<string> {
  const known = loaded.get(name);
  if (known) return known;
  const folder = path.dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  const text = readFile(path.join(folder, name), 'utf8');
  loaded.set(name, text);
  return text;
}
