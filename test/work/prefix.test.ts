import { createServer, type Server, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, addReservation, at, type Http, seed, startHttp, tokenFor } from '../http/harness.ts';
import { openPhone, type Phone, type Served, serveApp } from './browser.ts';

/** Everything under https://host/roomy, behind proxies that take the prefix off and that leave it on. */

const PREFIX = '/roomy';
const WITHIN_MS = 60_000;
let http: Http;
let served: Served;
let stripping: Server;
let passing: Server;
let publicUrl: string;
let phone: Phone;

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
async function proxy(strips: boolean): Promise<Server> {
  const server = createServer((incoming, answer) => {
    const target = incoming.url ?? '/';
    if (!target.startsWith(PREFIX)) {
      answer.writeHead(404).end('not behind this prefix');
      return;
    }
    const path = strips ? target.slice(PREFIX.length) || '/' : target;
    const onwards = send(
      served.url + path,
      { method: incoming.method, headers: { ...incoming.headers, host: 'inside.example' } },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      },
    );
    onwards.on('error', () => answer.destroy());
    incoming.pipe(onwards);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return server;
}

beforeAll(async () => {
  stripping = await proxy(true);
  passing = await proxy(false);
  publicUrl = `${urlOf(stripping)}${PREFIX}`;
  http = await startHttp({ publicUrl });
  served = await serveApp(http.app);
  await seed(http.db);
  await http.db
    .insertInto('task')
    .values({
      id: 'task-1',
      type: 'CLEANING',
      occurrence: 'PREFIX-1',
      title: 'Pre-arrival cleaning',
      property_id: 'property-1',
      status: 'ASSIGNED',
      assignee_id: 'cleaner-1',
      scheduled_at: new Date(Date.now() - 3_600_000),
      ends_at: new Date(Date.now() + 3_600_000),
      next_assign_at: null,
    })
    .execute();
  phone = await openPhone();
}, WITHIN_MS);
afterAll(async () => {
  await phone?.close();
  for (const server of [stripping, passing]) {
    server?.closeAllConnections();
    server?.close();
  }
  await served?.close();
  await http?.stop();
});

const authorization = async (role: 'ADMIN' | 'CLEANER' = 'ADMIN', sub = 'admin-1') => ({
  authorization: `Bearer ${await tokenFor({ role }, sub)}`,
});
async function ask(server: Server, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${urlOf(server)}${PREFIX}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(await authorization()),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  const parsed: unknown = isJson && text !== '' ? JSON.parse(text) : null;
  return { status: response.status, headers: response.headers, text, body: parsed };
}

describe.each([
  ['takes the prefix off', () => stripping],
  ['leaves the prefix on', () => passing],
] as const)('behind a proxy that %s', (_what, server) => {
  it('serves every page and what the page loads', async () => {
    for (const page of ['/docs', '/work']) {
      const { status, text } = await ask(server(), 'GET', page);
      expect(status, page).toBe(200);
      const links = [...text.matchAll(/(?:src|href)="([^"#:]+)"/g)].map(([, link]) => link ?? '');
      expect(links.length, page).toBeGreaterThan(1);
      for (const link of links) {
        const path = new URL(link, `http://any${PREFIX}${page}`).pathname;
        expect((await ask(server(), 'GET', path.slice(PREFIX.length))).status, `${page} loads ${link}`).toBe(200);
      }
    }
    for (const probe of ['/health/live', '/health/ready']) expect((await ask(server(), 'GET', probe)).text).toBe('ok');
    const manifest = (await ask(server(), 'GET', '/work/manifest.webmanifest')).text;
    const { start_url: start, scope } = JSON.parse(manifest);
    const from = `http://any${PREFIX}/work/manifest.webmanifest`;
    expect([new URL(start, from).pathname, new URL(scope, from).pathname]).toEqual([
      `${PREFIX}/work`,
      `${PREFIX}/work`,
    ]);
  });

  it('answers with addresses that lead back', async () => {
    const made = await ask(server(), 'POST', `${API}/guests`, { name: 'Jane Roe', email: 'jane@example.com' });
    const location = made.headers.get('location') ?? '';
    expect(location).toMatch(new RegExp(`^${PREFIX}${API}/guests/[\\w-]+$`));
    expect((await ask(server(), 'GET', location.slice(PREFIX.length))).status).toBe(200);

    const stay = await addReservation(http.db);
    const accepted = await ask(
      server(),
      'POST',
      `${API}/reservations/${stay}/confirm`,
      {},
      { prefer: 'respond-async' },
    );
    const self = `${PREFIX}${API}/sagas/executions/saga-1`;
    expect([accepted.status, accepted.headers.get('location'), at(accepted.body, 'data', 'links', 'self')]).toEqual([
      202,
      self,
      self,
    ]);
  });

  it('names its public address in the document', async () => {
    const { body } = await ask(server(), 'GET', '/openapi.json');
    expect(at(body, 'servers', 0, 'url')).toBe(publicUrl);
  });
});

it('gives a calendar the public address, whatever the Host header says', async () => {
  const headers = { ...(await authorization('CLEANER', 'cleaner-1')), host: 'evil.example' };
  const { body } = await ask(stripping, 'POST', `${API}/me/calendar`, undefined, headers);
  const url = String(at(body, 'data', 'url'));
  expect(url.startsWith(`${publicUrl}/calendar/`), url).toBe(true);
  expect((await fetch(url)).headers.get('content-type')).toContain('text/calendar');
});

describe('in a browser', () => {
  it('tries a request from the docs page', { timeout: WITHIN_MS }, async () => {
    const page = await phone.context.newPage();
    await page.goto(`${publicUrl}/docs#listOwners`);
    await page.getByLabel('Token to try with').fill(await tokenFor({ role: 'ADMIN' }, 'admin-1'));
    await page.locator('#listOwners form.try').getByRole('button', { name: 'Send' }).click();
    await page.locator('#listOwners form.try').getByText('Layla Haddad').waitFor();
    await page.close();
  });

  it('opens the phone page, and again without a network', { timeout: WITHIN_MS }, async () => {
    const page: Page = await phone.context.newPage();
    await page.goto(`${publicUrl}/work`);
    await page.getByLabel('Code').fill(await tokenFor({ role: 'CLEANER' }, 'cleaner-1'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Today' }).waitFor();
    expect(await page.evaluate(`navigator.serviceWorker.ready.then(({ scope }) => new URL(scope).pathname)`)).toBe(
      `${PREFIX}/work`,
    );
    await phone.context.setOffline(true);
    await page.reload();
    await page.getByRole('heading', { name: 'Today' }).waitFor();
    await phone.context.setOffline(false);
    await page.close();
  });
});
