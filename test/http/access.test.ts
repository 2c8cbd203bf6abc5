import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROLES } from '../../src/http/auth.ts';
import { POLICIES, permits } from '../../src/http/policy.ts';
import { API, at, countRows, type Http, startHttp, tokenFor } from './harness.ts';
import { onWire, type Wire } from './wire.ts';

let http: Http;
let wire: Wire;
beforeAll(async () => {
  http = await startHttp({ closing: AbortSignal.abort() });
  wire = await onWire(http.app);
}, 60_000);
afterAll(async () => {
  await wire?.close();
  await http?.stop();
});

const endpoints = Object.entries(POLICIES).map(([name, policy]) => {
  const [method = '', pattern = ''] = name.split(' ');
  return { name, method, policy, path: pattern.replaceAll(/:[^/]+/g, 'nobody') };
});
const guarded = endpoints.flatMap((e) => (e.policy === 'anonymous' ? [] : [{ ...e, policy: e.policy }]));
const body = (method: string) => (method === 'GET' ? {} : { body: { nonsense: true } });

const OLGA = { name: 'Olga', email: 'olga@example.com' };
const SIGNED_IN = new Set([
  '/account',
  '/account/second-factor',
  '/owner',
  '/console',
  '/console/incidents',
  '/console/find',
  '/console/today',
  '/console/sagas',
  '/console/messages',
  '/console/texts',
  '/console/staff',
  '/console/metrics',
  '/console/system',
  '/console/live',
  '/console/developers',
  '/console/developers/requests',
]);

describe('access', () => {
  it.each(guarded)('$name needs a token', async ({ method, path }) => {
    const answer = await http.call(method, path, { as: null, ...body(method) });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="roomy"');
    expect(answer.body).toEqual({
      success: false,
      error: 'A valid bearer token is required',
      code: 'UNAUTHENTICATED',
      requestId: answer.headers.get('x-request-id'),
    });
  });

  it.each(guarded)('$name is for the roles of its policy alone', async ({ method, path, policy }) => {
    const before = await countRows(http.db);
    for (const role of ROLES) {
      const answer = await http.call(method, path, { as: role, ...body(method) });
      if (permits(policy, { kind: 'person', principal: 'x', role }))
        expect([200, 204, 404, 415, 422]).toContain(answer.status);
      else {
        expect(answer.status).toBe(403);
        expect(answer.body.code).toBe('FORBIDDEN');
        expect(at(answer.body, 'details', 'permission')).toBe(policy.permission);
        expect(answer.body.error).toContain(policy.permission);
      }
    }
    expect(await countRows(http.db)).toEqual(before);
  });

  it.each(guarded)('J12: $name is for services with its scope, if for any', async ({ method, path, policy }) => {
    const status = async (scope: string): Promise<number> =>
      (await http.call(method, path, { as: { scope }, ...body(method) })).status;
    expect(await status('')).toBe(403);
    expect(await status('everything *')).toBe(403);
    const granted = await status(policy.permission);
    if (policy.service) expect([200, 404, 422]).toContain(granted);
    else expect(granted).toBe(403);
  });

  it('writes a refusal to the audit trail: who, what, and nothing of the request', async () => {
    await http.call('POST', `${API}/owners`, { as: 'CLEANER', sub: 'cleaner-7', body: { name: 'Secret Name' } });
    const trail = await http.call('GET', `${API}/audit?actor=cleaner-7`);
    expect(at(trail.body, 'data')).toHaveLength(1);
    expect(at(trail.body, 'data', 0)).toMatchObject({
      event: 'ACCESS_DENIED',
      userId: 'cleaner-7',
      outcome: 'denied',
      details: { permission: 'owners:write', method: 'POST', route: '/api/production/owners' },
    });
    expect(trail.text).not.toContain('Secret Name');
  });

  it('J10: knows no token in a query, a cookie or a form', async () => {
    const token = await tokenFor({ role: 'ADMIN' }, 'admin-1');
    for (const name of ['access_token', 'token', 'authorization', 'roomy', 'roomy_ops']) {
      const path = `${API}/owners?${name}=${token}`;
      expect((await http.call('GET', path, { as: null })).status, path).toBe(401);
      const cookies = { cookie: `${name}=${token}; __Host-${name}=${token}` };
      expect((await http.call('GET', `${API}/owners`, { as: null, headers: cookies })).status, name).toBe(401);
    }
    const form = { raw: `access_token=${token}`, headers: { 'content-type': 'application/x-www-form-urlencoded' } };
    expect((await http.call('POST', `${API}/owners`, { as: null, ...form })).status).toBe(401);
  });

  it('Z10: knows no role from a header, a query or a body', async () => {
    const roles = { 'x-role': 'ADMIN', 'x-user-role': 'ADMIN', role: 'ADMIN', 'x-forwarded-user': 'admin-1' };
    for (const as of ['AGENT', 'CLEANER', 'GUEST', { scope: 'reservations:read' }] as const) {
      for (const query of ['', '?role=ADMIN', '?as=ADMIN']) {
        const asked = await http.call('GET', `${API}/audit${query}`, { as, headers: roles });
        expect([asked.status, asked.body.code], query).toEqual([403, 'FORBIDDEN']);
      }
      const said = await http.call('POST', `${API}/owners`, { as, headers: roles, body: { ...OLGA, role: 'ADMIN' } });
      expect([said.status, said.body.code]).toEqual([403, 'FORBIDDEN']);
    }
    // Who may ask is told that there is no such thing.
    expect((await http.call('GET', `${API}/owners?role=ADMIN`)).status).toBe(422);
    const named = await http.call('POST', `${API}/owners`, { body: { ...OLGA, role: 'ADMIN' } });
    expect([named.status, at(named.body, 'details', 'issues', 0, 'path')]).toEqual([422, 'role']);
  });

  it('Z15: answers a method that an address lacks with those it has, and takes no other from a header', async () => {
    const token = await tokenFor({ role: 'ADMIN' }, 'admin-1');
    const confirm = `${API}/reservations/nobody/confirm`;
    const split = `${API}/financial/income-distribution`;
    for (const [method, path, allow] of [
      ['PUT', confirm, 'POST'],
      ['PATCH', confirm, 'POST'],
      ['TRACE', confirm, 'POST'],
      ['DELETE', confirm, 'POST'],
      ['GET', confirm, 'POST'],
      ['POST', split, 'GET, HEAD, PUT'],
      ['TRACE', split, 'GET, HEAD, PUT'],
    ] as const) {
      for (const authorization of [`Bearer ${token}`, '']) {
        const answer = await wire.send(method, path, { authorization });
        expect([answer.status, answer.code], `${method} ${path}`).toEqual([405, 'METHOD_NOT_ALLOWED']);
        expect(answer.headers['allow'], path).toBe(allow);
        expect(answer.text).not.toContain(token);
      }
    }
    const before = await http.call('GET', split);
    const shares = { AGENCY: 100, OWNER: 0 };
    for (const name of ['x-http-method-override', 'x-http-method', 'x-method-override']) {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', [name]: 'PUT' };
      expect((await wire.send('POST', split, headers, JSON.stringify(shares))).status, name).toBe(405);
      expect((await wire.send('GET', split, { ...headers, [name]: 'DELETE' })).status, name).toBe(200);
      expect((await wire.send('POST', `${split}?_method=PUT`, headers, JSON.stringify(shares))).status).toBe(405);
      // As a POST, which it is.
      expect((await wire.send('POST', `${API}/owners`, headers, '{}')).code, name).toBe('VALIDATION_FAILED');
    }
    expect(at((await http.call('GET', split)).body, 'data')).toEqual(at(before.body, 'data'));
  });

  it('Z16: cannot be walked around by spelling the path another way', async () => {
    const paths = (path: string): readonly string[] => [
      `/${path}`,
      `//${path}`,
      `/./${path.slice(1)}`,
      path.replace('/production/', '/production/./'),
      path.replace('/production/', '/production//'),
      path.replace('/production/', '/production/x/../'),
      path.replace('/production/', '/production/x/%2e%2e/'),
      path.replace('/production/', '/production/x/%2E%2E%2F'),
      path.replace('/production/', '/production/x/..%2f'),
      path.replace('/production/', '\\production\\'),
      path.replace('/api/', '/API/'),
      path.replace('/api/', '/%61pi/'),
      path.replace('/api/', '/%2561pi/'),
      path.replace('/api/', '/health/../api/'),
      path.replace('/api/', '/docs/%2e%2e/api/'),
      `${path}/`,
      `${path}//`,
      `${path};x=1`,
      `${path}%00`,
      `${path}%20`,
      `${path}%3f`,
      `${path}.json`,
      `http://other.example${path}`,
    ];
    const before = await countRows(http.db);
    for (const [method, path] of [
      ['GET', `${API}/sagas`],
      ['GET', `${API}/owners`],
      ['POST', `${API}/owners`],
      ['POST', `${API}/reservations/nobody/confirm`],
    ] as const) {
      const headers = { 'content-type': 'application/json' };
      for (const spelled of paths(path)) {
        const answer = await wire.send(method, spelled, headers, method === 'POST' ? JSON.stringify(OLGA) : '');
        expect([400, 401, 404, 405], `${method} ${spelled} ${answer.text}`).toContain(answer.status);
        expect(answer.code, spelled).toMatch(
          /^(?:MALFORMED_REQUEST|UNAUTHENTICATED|NOT_FOUND|ROUTE_NOT_FOUND|METHOD_NOT_ALLOWED)$/,
        );
      }
    }
    for (const file of ['/docs/%2e%2e%2fpackage.json', '/docs/..%2f..%2fpackage.json', '/work/..%2f..%2fsrc/api.ts'])
      expect((await wire.send('GET', file)).status, file).toBe(404);
    expect(await countRows(http.db)).toEqual(before);
  });

  it('is open for health and the description of the API', async () => {
    for (const { method, path, policy } of endpoints) {
      // A webhook is open too, but only to a caller that can sign; a form, to our own pages.
      if (policy !== 'anonymous' || method !== 'GET' || path.includes('nobody') || path.includes('/webhooks/'))
        continue;
      const query = path === '/console/live' ? '?about=day' : '';
      const { status, headers } = await http.call('GET', `${path}${query}`, { as: null });
      // Pages of somebody who is signed in lead to the sign-in.
      if (SIGNED_IN.has(path)) expect([status, headers.get('location')], path).toEqual([303, '/sign-in']);
      else expect(status, path).toBe(200);
    }
  });

  it('shows where an owner is paid to those who pay', async () => {
    const owner = { id: 'owner-9', name: 'Olga', email: 'olga@example.com', payoutAccount: 'acct-9' };
    await http.call('POST', `${API}/owners`, { body: owner });
    const as = (role: 'AGENT' | 'FINANCE') => http.call('GET', `${API}/owners/owner-9`, { as: role });
    expect((await as('AGENT')).text).not.toContain('acct-9');
    expect(at((await as('FINANCE')).body, 'data', 'payoutAccount')).toBe('acct-9');
  });
});
