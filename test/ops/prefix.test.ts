import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Harness, startHarness } from './harness.ts';

/** The ops port at https://ops.example/desk, behind proxies that take the prefix off and that leave it on. */

const PREFIX = '/desk';
let ops: Harness;
let cookie: string;
beforeAll(async () => {
  ops = await startHarness(inject('redisUrl'), `https://ops.example${PREFIX}`);
  await ops.db
    .insertInto('dev_mail')
    .values({
      message_id: '<m1@roomy>',
      channel: 'EMAIL',
      recipient: 'a@example.com',
      subject: 'One',
      body: '<p>One</p>',
    })
    .execute();
}, 60_000);
afterAll(() => ops?.stop());

const PAGE = { accept: 'text/html' };
describe.each([
  ['takes it off', (path: string) => path.slice(PREFIX.length) || '/'],
  ['leaves it on', (path: string) => path],
] as const)('behind a proxy that %s', (_what, passed) => {
  /** As a browser asks, by an address with the prefix. */
  const open = (path: string, init: RequestInit & { cookie?: string } = {}) =>
    ops.call(passed(path), { ...init, headers: { ...PAGE, ...Object.fromEntries(new Headers(init.headers)) } });

  it('the login leads to where the operator wanted to go, and the cookie stays under the prefix', async () => {
    const asked = await open(`${PREFIX}/mailbox?before=7`);
    const login = asked.headers.get('location') ?? '';
    expect([asked.status, login]).toEqual([303, `${PREFIX}/login?next=%2Fmailbox%3Fbefore%3D7`]);
    const form = await (await open(login)).text();
    expect(form).toContain(`action="${PREFIX}/login"`);
    const body = new URLSearchParams({ token: await ops.token('olivia', 'ADMIN'), next: '/mailbox?before=7' });
    const answer = await open(`${PREFIX}/login`, { method: 'POST', body });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, `${PREFIX}/mailbox?before=7`]);
    const set = answer.headers.get('set-cookie') ?? '';
    expect(set).toContain(`; Path=${PREFIX};`);
    expect(set).toContain('; Secure');
    cookie = set.split(';')[0] ?? '';
    const end = await open(`${PREFIX}/logout`, { method: 'POST', cookie });
    expect([end.status, end.headers.get('location')]).toEqual([303, `${PREFIX}/login`]);
    expect(end.headers.get('set-cookie')).toMatch(new RegExp(`^roomy_ops=; .*Path=${PREFIX};`));
  });

  it('every link, form and file of every page leads back through the proxy', async () => {
    const seen = new Set<string>();
    const toSee = [`${PREFIX}/`, `${PREFIX}/queues`, `${PREFIX}/queues/`, `${PREFIX}/logout`, `${PREFIX}/nothing/here`];
    for (let at = toSee.pop(); at !== undefined; at = toSee.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      const answer = await open(at, { cookie });
      const location = answer.headers.get('location');
      if (location !== null) toSee.push(location);
      else expect([at, answer.status]).toEqual([at, at.includes('nothing') ? 404 : 200]);
      if (!(answer.headers.get('content-type') ?? '').startsWith('text/html')) continue;
      const html = await answer.text();
      const base = /<base href="([^"]+)"/.exec(html)?.[1] ?? at;
      for (const [, link = ''] of html.matchAll(/ (?:href|src|action)="([^"#][^"]*)"/g)) {
        if (link.startsWith('data:') || link === base) continue;
        const { pathname, search } = new URL(link, `http://any${base}`);
        expect(pathname.startsWith(`${PREFIX}/`), `${at} leads to ${link}`).toBe(true);
        toSee.push(pathname + search);
      }
      for (const [, url = ''] of html.matchAll(/"url":"([^"]+)"/g))
        expect(url.startsWith(`${PREFIX}/`), url).toBe(true);
    }
    expect([...seen].filter((at) => at.includes('/static/js/')).length).toBeGreaterThan(0);
    expect(seen).toContain(`${PREFIX}/mailbox/1`);
  });

  it('O3: the board is used by its own page, also by a browser that says only its origin', async () => {
    for (const headers of [{ 'sec-fetch-site': 'same-origin' }, { origin: 'https://ops.example' }]) {
      for (const action of ['pause', 'resume']) {
        const path = passed(`${PREFIX}/queues/api/queues/tasks/${action}`);
        const answer = await ops.app.request(`http://inside:3001${path}`, {
          method: 'PUT',
          headers: { cookie, ...headers },
        });
        expect(answer.status, JSON.stringify(headers)).toBeLessThan(300);
      }
    }
    for (const origin of [
      'https://evil.example',
      'http://ops.example',
      'https://ops.example:8443',
      'https://ops.example.evil.example',
    ]) {
      for (const host of ['inside:3001', 'ops.example']) {
        const elsewhere = await ops.app.request(`http://${host}${passed(`${PREFIX}/queues/api/queues/tasks/pause`)}`, {
          method: 'PUT',
          headers: { cookie, origin, 'x-forwarded-host': 'evil.example' },
        });
        expect(elsewhere.status, `${origin} at ${host}`).toBe(403);
      }
    }
  });
});
