import { createRoute, z } from '@hono/zod-openapi';
import { html } from 'hono/html';
import { RoomyError } from '../../kernel/errors.ts';
import type { JsonObject } from '../../kernel/json.ts';
import { docsPage } from '../../web/docs/page.ts';
import { DOCS_SCRIPT, STYLE_FILE } from '../../web/files.ts';
import { DOCS_POLICY, type Html, STYLE_SHEET } from '../../web/layout.ts';
import { ASK_FIRST, cachedText } from '../cached.ts';
import type { App, Services } from '../context.ts';
import { describeApiInTurns } from '../openapi/document.ts';
import { answerPage } from '../page.ts';
import { publicKeySet } from '../public-keys.ts';
import type { Register } from '../route.ts';

/** Health, the keys of our tokens, the machine-readable description, and the page that shows it to people. All of it is open. */

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

export function registerMeta(register: Register, app: App, services: Services): void {
  for (const [at, hide] of [
    ['/health/live', false],
    ['/healthz', true],
  ] as const) {
    register(live(at, hide), (c) => c.text('ok'));
  }
  const logChange = createReadinessLog(services.log);
  for (const [at, hide] of [
    ['/health/ready', false],
    ['/readyz', true],
  ] as const) {
    register(ready(at, hide), async (c) => {
      const { ok, failing } = await services.readiness().catch(() => ({ ok: false, failing: ['readiness'] }));
      logChange(ok ? [] : failing);
      return ok ? c.text('ok') : c.text('fail', 503);
    });
  }
  let made: Promise<JsonObject> | undefined;
  const description = (): Promise<JsonObject> => (made ??= describeApiInTurns(app, services));
  const document = cachedText('application/json; charset=utf-8', async () => JSON.stringify(await description()));
  const page = cachedText('text/html; charset=utf-8', async () => String(await docsPage(await description())));
  const script = cachedText(DOCS_SCRIPT.file.type, DOCS_SCRIPT.file.read);
  const style = cachedText(STYLE_FILE.type, STYLE_FILE.read, ASK_FIRST);
  const keys = cachedText('application/json; charset=utf-8', () => JSON.stringify(publicKeySet(services.jwt)));
  register(hidden('/.well-known/jwks.json', 'application/json'), (c) => keys.answer(c));
  register(hidden('/', 'text/html'), (c) => answerPage(c, { title: 'Roomy', content: welcome(c.get('prefix')) }));
  register(hidden('/openapi.json', 'application/json'), (c) => document.answer(c));
  register(hidden('/docs', 'text/html'), (c) => {
    c.header('Content-Security-Policy', DOCS_POLICY);
    return page.answer(c);
  });
  register(hidden(`/${STYLE_SHEET}`, 'text/css'), (c) => style.answer(c));
  register(hidden('/docs/{file}', 'text/javascript'), (c) => {
    if (c.req.param('file') !== DOCS_SCRIPT.name) throw new RoomyError('ROUTE_NOT_FOUND');
    return script.answer(c);
  });
}

/** Absolute, as the address of this page may have no slash at its end. */
const welcome = (prefix: string): Html =>
  html`<p class="soft">This is the API of a property manager's bookings, payments and work.</p>
<dl><dt><a href="${prefix}/sign-in">Sign in</a></dt><dd>to your account, and to the pages of your role</dd>
<dt><a href="${prefix}/work">Phone page</a></dt><dd>for those who clean, repair and meet guests</dd>
<dt><a href="${prefix}/docs">Documentation</a></dt><dd>every route, to read and to try</dd>
<dt><a href="${prefix}/problems">Problems</a></dt><dd>what an error code means</dd>
<dt><a href="${prefix}/openapi.json">openapi.json</a></dt><dd>the same for programs</dd></dl>
<p>Queues and mailbox are on the operators' own port, whose address is in the log of the API.</p>`;

/** One line when what fails changes, and one when nothing does any more: probes ask every few seconds. */
function createReadinessLog(log: Services['log']): (failing: readonly string[]) => void {
  let logged = '';
  return (failing) => {
    const now = failing.toSorted().join();
    if (now === logged) return;
    logged = now;
    if (failing.length > 0) log.warn({ failing }, 'not ready');
    else log.info('ready again');
  };
}
