import { appRoutes } from '@bull-board/api/dist/routes.js';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Harness, ORIGIN, startHarness } from './harness.ts';

let ops: Harness;
let cookie: string;
beforeAll(async () => {
  ops = await startHarness(inject('redisUrl'));
  cookie = await ops.login('olivia', 'OPS');
  await ops
    .queue('saga-forward')
    .add('confirmReservation.createCleaningTask', { sagaId: 'saga-1' }, { jobId: 'job-1' });
}, 60_000);
afterAll(() => ops?.stop());

const filled = (route: string): string =>
  route.replace(':queueName', 'saga-forward').replace(':jobId', 'job-1').replace(/:\w+/g, 'failed');
/** Every address that Bull Board registers, read from Bull Board. */
const BOARD_ROUTES = [appRoutes.entryPoint, ...appRoutes.api].flatMap(({ method, route }) =>
  [route]
    .flat()
    .flatMap((path) => [method].flat().map((verb) => [verb.toUpperCase(), `/queues${filled(path)}`] as const)),
);
const OTHERS = [
  ['GET', '/'],
  ['GET', '/mailbox'],
  ['GET', '/mailbox/1'],
  ['POST', '/logout'],
  ['GET', '/queues/static/js/main.js'],
  ['GET', '/queues/static/images/logo.svg'],
  ['GET', '/queues/static/..%2f..%2fpackage.json'],
  ['GET', '/queues/static/%2e%2e/%2e%2e/package.json'],
  ['GET', '/queues/static/%%36%31pi'],
  ['GET', '/queues/%61pi/queues'],
  ['GET', '/%71ueues/api/queues'],
  ['GET', '/queues/static//..%5c..%5cpackage.json'],
  ['GET', '/nothing'],
  ['OPTIONS', '/queues'],
  ['DELETE', '/queues/api/queues'],
  ['GET', '/login/../queues'],
  ['GET', '//login'],
  ['GET', '/LOGIN'],
] as const;

describe('without a login', () => {
  it.each([...BOARD_ROUTES, ...OTHERS])('O2: %s %s answers nothing', async (method, path) => {
    for (const bad of [
      undefined,
      'roomy_ops=',
      'roomy_ops=eyJhbGciOiJub25lIn0.e30.',
      `roomy_ops=${'a'.repeat(20_000)}`,
    ]) {
      const answer = await ops.call(path, { method, ...(bad !== undefined && { cookie: bad }) });
      expect(answer.status).toBe(401);
      expect(await answer.text()).not.toMatch(/saga-forward|job-1|lib-react/);
    }
  });

  it('O2: a bearer token in the header is no session', async () => {
    const headers = { authorization: `Bearer ${await ops.token('olivia', 'OPS')}` };
    expect((await ops.call('/queues/api/queues', { headers })).status).toBe(401);
  });

  it('a person in a browser is sent to the login and back', async () => {
    const answer = await ops.call('/mailbox?before=7', { headers: { accept: 'text/html,*/*' } });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/login?next=%2Fmailbox%3Fbefore%3D7']);
    const form = await (await ops.call('/login?next=%2Fmailbox')).text();
    expect(form).toContain('name="next" value="/mailbox"');
    const asset = await ops.call('/queues/static/js/main.js', { headers: { accept: 'text/html' } });
    expect(asset.status).toBe(401);
  });
});

describe('a person in a browser', () => {
  const headers = { accept: 'text/html,*/*', origin: ORIGIN };
  it('reads a page or is led to one, whatever is wrong', async () => {
    const big = new URLSearchParams({ token: 'x'.repeat(20_000) });
    const admin = await ops.login('adam', 'ADMIN');
    const calls: readonly (readonly [number, string, RequestInit & { cookie?: string }])[] = [
      [303, '/', {}],
      [303, '/nothing', {}],
      [303, '/logout', { method: 'POST' }],
      [200, '/login', {}],
      [401, '/login', { method: 'POST', body: new URLSearchParams({ token: 'x' }) }],
      [413, '/login', { method: 'POST', body: big }],
      [403, '/login', { method: 'POST', headers: { ...headers, 'sec-fetch-site': 'cross-site' } }],
      [404, '/nothing', { cookie }],
      // Messages have names and addresses: they are not for who runs the system.
      [403, '/mailbox', { cookie }],
      [404, '/mailbox/999999', { cookie: admin }],
      [404, '/mailbox/x', { cookie: admin }],
      [200, '/mailbox', { cookie: admin }],
      [302, '/', { cookie }],
    ];
    for (const [status, path, call] of calls) {
      const answer = await ops.call(path, { headers, ...call });
      const text = await answer.text();
      expect([path, answer.status, text.includes('"success"')]).toEqual([path, status, false]);
      if (status === 303) expect(answer.headers.get('location')).toMatch(/^\/login/);
      else if (status !== 302) expect(answer.headers.get('content-type'), path).toMatch(/^text\/html/);
    }
  });
});

describe('with a token of another role', () => {
  it.each(['AGENT', 'FINANCE', 'OWNER', 'CLEANER', 'MAINTENANCE_STAFF', 'GUEST'] as const)(
    'O2: %s gets 403 everywhere, and is written down',
    async (role) => {
      const wrong = `roomy_ops=${await ops.token(`mallory-${role}`, role)}`;
      for (const [method, path] of [...BOARD_ROUTES, ...OTHERS]) {
        const answer = await ops.call(path, { method, cookie: wrong });
        expect([path, answer.status]).toEqual([path, 403]);
        expect(await answer.text()).not.toMatch(/saga-forward|job-1/);
      }
      const unsafe = [...BOARD_ROUTES, ...OTHERS].filter(([method]) => method !== 'GET');
      const audits = await ops.audits(`mallory-${role}`);
      expect(audits).toHaveLength(unsafe.length);
      expect(audits.every(({ event, body }) => event === 'OPS_CALL' && body.includes('"refused"'))).toBe(true);
    },
  );

  it('the login says so', async () => {
    const body = new URLSearchParams({ token: await ops.token('agatha', 'AGENT') });
    const answer = await ops.call('/login', { method: 'POST', body });
    expect([answer.status, answer.headers.get('set-cookie')]).toEqual([403, null]);
    expect((await ops.audits('agatha')).map(({ event }) => event)).toEqual(['OPS_LOGIN']);
  });
});

describe('the login', () => {
  it.each(['OPS', 'ADMIN'] as const)('O3: opens a session for %s that ends with the token', async (role) => {
    const body = new URLSearchParams({
      token: ` Bearer ${await ops.token(`in-${role}`, role, 300)} `,
      next: '/mailbox',
    });
    const answer = await ops.call('/login', { method: 'POST', body });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/mailbox']);
    const set = answer.headers.get('set-cookie') ?? '';
    expect(set).toMatch(/; Path=\//);
    expect(set).toMatch(/; HttpOnly/);
    expect(set).toMatch(/; SameSite=Strict/);
    expect(set).not.toMatch(/; Secure/);
    expect(Number(/Max-Age=(\d+)/.exec(set)?.[1])).toBeGreaterThan(290);
    expect(Number(/Max-Age=(\d+)/.exec(set)?.[1])).toBeLessThanOrEqual(300);
    const session = set.split(';')[0] ?? '';
    expect((await ops.call('/queues/api/queues', { cookie: session })).status).toBe(200);
    expect((await ops.call('/mailbox', { cookie: session })).status).toBe(role === 'ADMIN' ? 200 : 403);
  });

  it('O3: keeps the cookie to https where the browser came by https', async () => {
    const headers = { origin: 'https://ops.test:3001' };
    const body = new URLSearchParams({ token: await ops.token('olivia', 'OPS') });
    const answer = await ops.call('/login', { method: 'POST', body, headers });
    expect(answer.headers.get('set-cookie')).toMatch(/; Secure/);
  });

  it.each(['', 'nonsense', `${'e'.repeat(9_000)}`])('refuses a token such as %j', async (token) => {
    const answer = await ops.call('/login', { method: 'POST', body: new URLSearchParams({ token }) });
    expect([answer.status, answer.headers.get('set-cookie')]).toEqual([401, null]);
    expect(await answer.text()).toContain('role="alert"');
  });

  it.each([
    'https://evil.test',
    '//evil.test',
    '/\\evil.test',
    '/\t/evil.test',
    'javascript:alert(1)',
    '/login',
    '/logout',
  ])('does not go to %s afterwards', async (next) => {
    const body = new URLSearchParams({ token: await ops.token('olivia', 'OPS'), next });
    expect((await ops.call('/login', { method: 'POST', body })).headers.get('location')).toBe('/queues');
    const form = await (await ops.call(`/login?next=${encodeURIComponent(next)}`)).text();
    expect(form).toContain('name="next" value="/queues"');
  });

  it('ends with a logout', async () => {
    const session = await ops.login('leo', 'OPS');
    const answer = await ops.call('/logout', { method: 'POST', cookie: session });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/login']);
    expect(answer.headers.get('set-cookie')).toMatch(/^roomy_ops=; .*Max-Age=0/);
    expect((await ops.audits('leo')).map(({ event }) => event)).toEqual(['OPS_LOGIN', 'OPS_LOGOUT']);
  });
});

describe('calls from elsewhere', () => {
  const pause = '/queues/api/queues/tasks/pause';
  it.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a sibling host', { 'sec-fetch-site': 'same-site', origin: ORIGIN }],
    ['the address bar', { 'sec-fetch-site': 'none' }],
    ['another origin', { origin: 'http://evil.test' }],
    ['another port', { origin: 'http://ops.test:3000' }],
    ['a sandboxed page', { origin: 'null' }],
    ['nobody knows where', {}],
  ])('O3: are refused: %s', async (_where, headers: Record<string, string>) => {
    const before = (await ops.audits('olivia')).length;
    for (const [method, path] of [
      ['PUT', pause],
      ['POST', '/logout'],
      ['POST', '/queues/api/queues/tasks/add'],
    ] as const) {
      const answer = await ops.app.request(`${ORIGIN}${path}`, {
        method,
        headers: { cookie, 'content-type': 'text/plain', ...headers },
        body: '{}',
      });
      expect(answer.status).toBe(403);
    }
    const login = await ops.app.request(`${ORIGIN}/login`, {
      method: 'POST',
      headers,
      body: new URLSearchParams({ token: await ops.token('olivia', 'OPS') }),
    });
    expect([login.status, login.headers.get('set-cookie')]).toEqual([403, null]);
    expect(await ops.queue('tasks').isPaused()).toBe(false);
    expect((await ops.audits('olivia')).length).toBe(before + 3);
  });

  it('O3: are allowed from our own pages, by either header', async () => {
    for (const headers of [{ 'sec-fetch-site': 'same-origin' }, { origin: ORIGIN }]) {
      for (const action of ['pause', 'resume']) {
        const path = `${ORIGIN}/queues/api/queues/tasks/${action}`;
        const answer = await ops.app.request(path, { method: 'PUT', headers: { cookie, ...headers } });
        expect(answer.status).toBeLessThan(300);
        expect(await ops.queue('tasks').isPaused()).toBe(action === 'pause');
      }
    }
  });
});

describe('every answer', () => {
  it.each(['/login', '/queues', '/queues/api/queues', '/queues/static/favicon.ico', '/mailbox', '/nothing', '/logout'])(
    'O9: %s carries the security headers, and is in nobody’s frame',
    async (path) => {
      for (const session of [cookie, undefined]) {
        const { headers } = await ops.call(path, session ? { cookie: session } : {});
        const csp = headers.get('content-security-policy') ?? '';
        expect(csp).toContain("frame-ancestors 'none'");
        expect(csp).toContain("default-src 'none'");
        expect(csp).not.toMatch(/script-src[^;]*unsafe/);
        expect(headers.get('x-content-type-options')).toBe('nosniff');
        expect(headers.get('cache-control')).toBe('no-store');
        expect(headers.get('x-frame-options')).toBe('DENY');
        expect(headers.get('x-request-id')).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
      }
    },
  );

  it('serves the board and its assets to an operator, and nothing of another site', async () => {
    const board = await (await ops.call('/queues', { cookie, headers: { accept: 'text/html' } })).text();
    expect(board).not.toContain('googleapis');
    const scripts = [...board.matchAll(/src="(static\/js\/[^"]+)"/g)].map((match) => match[1]);
    expect(scripts.length).toBeGreaterThan(0);
    for (const script of scripts) expect((await ops.call(`/queues/${script}`, { cookie })).status).toBe(200);
    expect((await ops.call('/queues/', { cookie })).headers.get('location')).toBe('/queues');
    expect((await ops.call('/', { cookie })).headers.get('location')).toBe('/queues');
    expect((await ops.call('/queues/queue/saga-forward', { cookie })).status).toBe(200);
    expect((await ops.call('/queues/static/..%2f..%2fpackage.json', { cookie })).status).toBe(404);
  });
});

describe('a login that is not one', () => {
  it.each([
    [413, 'application/x-www-form-urlencoded', `token=${'x'.repeat(20_000)}`],
    [400, 'multipart/form-data; boundary=y', 'not a form'],
  ])('is refused with %i, not taken for our own fault', async (status, type, body) => {
    const answer = await ops.call('/login', { method: 'POST', headers: { 'content-type': type }, body });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ success: false });
  });
});
