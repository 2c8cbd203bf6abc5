import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROLES } from '../../src/http/auth.ts';
import { POLICIES, permits } from '../../src/http/policy.ts';
import { type Answer, API, at, countRows, type Http, startHttp, tokenFor } from './harness.ts';

let http: Http;
beforeAll(async () => {
  http = await startHttp({ closing: AbortSignal.abort() });
}, 60_000);
afterAll(() => http?.stop());

const endpoints = Object.entries(POLICIES).map(([name, policy]) => {
  const [method = '', pattern = ''] = name.split(' ');
  return { name, method, policy, path: pattern.replaceAll(/:[^/]+/g, 'nobody') };
});
const guarded = endpoints.flatMap((e) => (e.policy === 'anonymous' ? [] : [{ ...e, policy: e.policy }]));
const body = (method: string) => (method === 'GET' ? {} : { body: { nonsense: true } });

const SIGNED_IN = new Set(['/account', '/account/second-factor', '/owner']);

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

  it('J10, Z10: knows no token in a query or a cookie, and no role from elsewhere', async () => {
    const token = await tokenFor({ role: 'ADMIN' }, 'admin-1');
    for (const name of ['access_token', 'token', 'authorization', 'roomy', 'roomy_ops']) {
      const path = `${API}/owners?${name}=${token}`;
      expect((await http.call('GET', path, { as: null })).status, path).toBe(401);
      const cookies = { cookie: `${name}=${token}; __Host-${name}=${token}` };
      expect((await http.call('GET', `${API}/owners`, { as: null, headers: cookies })).status, name).toBe(401);
    }
    const form = { raw: `access_token=${token}`, headers: { 'content-type': 'application/x-www-form-urlencoded' } };
    expect((await http.call('POST', `${API}/owners`, { as: null, ...form })).status).toBe(401);
    const asked = await http.call('GET', `${API}/audit`, { as: 'AGENT', headers: { 'x-role': 'ADMIN' } });
    expect(asked.status).toBe(403);
  });

  it('Z16: cannot be walked around by spelling the path another way', async () => {
    const paths = [
      '//api/production/sagas',
      '/api/production/./sagas',
      '/API/production/sagas',
      '/%61pi/production/sagas',
      `${API}/sagas/`,
      `${API}/sagas;x=1`,
      `${API}/sagas%00`,
      `${API}/x/%2e%2e/sagas`,
      '/docs/../api/production/sagas',
      '/docs/%2e%2e%2fpackage.json',
      '/docs/..%2f..%2fpackage.json',
    ];
    for (const path of paths) {
      const answer: Answer = await http.call('GET', path, { as: null });
      expect([401, 404], path).toContain(answer.status);
      expect(answer.body.success).toBe(false);
    }
  });

  it('is open for health and the description of the API', async () => {
    for (const { method, path, policy } of endpoints) {
      // A webhook is open too, but only to a caller that can sign; a form, to our own pages.
      if (policy !== 'anonymous' || method !== 'GET' || path.includes('nobody') || path.includes('/webhooks/'))
        continue;
      const { status, headers } = await http.call('GET', path, { as: null });
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
