import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { POLICIES } from '../../src/http/policy.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/rate-limits.ts';
import { startLimits, type TestLimits } from '../setup/limits.ts';
import { API, at, type Http, startHttp, tokenFor } from './harness.ts';

/** SEC-5: refusals are in the audit trail, and whoever provokes thousands of them does not fill it. */

const BEGAN = Date.now();
let movedMs = 0;
const clock = { now: () => new Date(BEGAN + movedMs) };
const closing = new AbortController();
let limits: TestLimits;
let http: Http;
beforeAll(async () => {
  limits = await startLimits({ ...DEFAULT_LIMITS, general: { ...DEFAULT_LIMITS.general, writes: 100_000 } });
  http = await startHttp({ clock, limits, closing: closing.signal });
}, 60_000);
afterAll(async () => {
  await http?.stop();
  await limits?.limiter.close();
});

const PATHS = ['owners', 'properties', 'reservations'] as const;
const probe = async (sub: string, path: string): Promise<number> => {
  const headers = { authorization: `Bearer ${await tokenFor({ role: 'CLEANER' }, sub, clock)}` };
  return (await http.app.request(`${API}/${path}`, { method: 'POST', headers })).status;
};
const rowsOf = (who: string) =>
  http.db.selectFrom('audit_log').selectAll().where('stream_id', '=', `denied:${who}`).orderBy('seq').execute();
const detailsOf = ({ body }: { readonly body: string }): unknown => at(JSON.parse(body), 'details');

describe('K4: a refusal', () => {
  it('SEC-5: is written down at once, and what follows it within a minute as one row with its number', async () => {
    for (let n = 0; n < 10; n += 1) expect(await probe('cleaner-1', 'owners')).toBe(403);
    expect((await rowsOf('cleaner-1')).map(detailsOf)).toEqual([
      { permission: 'owners:write', method: 'POST', route: `${API}/owners` },
    ]);
    movedMs += 60_000;
    await probe('cleaner-1', 'owners');
    const rows = await rowsOf('cleaner-1');
    expect(rows).toHaveLength(2);
    expect(rows[1]).toMatchObject({ event: 'ACCESS_DENIED', actor: 'cleaner-1' });
    expect(rows[1] && detailsOf(rows[1])).toEqual({
      permission: 'owners:write',
      count: 9,
      from: new Date(BEGAN).toISOString(),
      endpoints: [`POST ${API}/owners`],
    });
  });

  it('SEC-5: names the credential in the sum as in the first row, where all came by the same', async () => {
    const headers = { authorization: `Bearer ${await tokenFor({ role: 'CLEANER' }, 'cleaner-9', clock)}` };
    const probeAgain = () => http.app.request(`${API}/owners`, { method: 'POST', headers });
    for (let n = 0; n < 3; n += 1) expect((await probeAgain()).status).toBe(403);
    movedMs += 60_000;
    await probeAgain();
    const credentials = (await rowsOf('cleaner-9')).map(({ body }) => at(JSON.parse(body), 'credential'));
    expect(credentials).toEqual([expect.stringMatching(/^token:/), credentials[0]]);
  });

  it('SEC-5: of another permission is another row', async () => {
    for (const path of PATHS) await probe('cleaner-2', path);
    expect(await rowsOf('cleaner-2')).toHaveLength(3);
  });

  it('SEC-5: is one row a minute and kind, with all of them counted, when somebody tries for twenty minutes', async () => {
    for (let minute = 0; minute < 20; minute += 1) {
      for (let n = 0; n < 10; n += 1) for (const path of PATHS) await probe('cleaner-3', path);
      movedMs += 60_000;
    }
    closing.abort();
    await expect.poll(async () => (await rowsOf('cleaner-3')).length).toBe(21 * PATHS.length);
    const counts = (await rowsOf('cleaner-3')).map((row) => Number(at(detailsOf(row), 'count') ?? 1));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20 * 10 * PATHS.length);
  });

  it('SEC-5: of a bad token is that of its address, and of none at all nobody’s', async () => {
    const ask = (headers: Record<string, string>) =>
      http.app.request(`${API}/owners`, { headers }, { incoming: { socket: { remoteAddress: '198.51.100.9' } } });
    for (let n = 0; n < 5; n += 1) await ask({});
    expect(await rowsOf('address:198.51.100.9')).toEqual([]);
    for (let n = 0; n < 5; n += 1) await ask({ authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.x' });
    const [row, ...more] = await rowsOf('address:198.51.100.9');
    expect(more).toEqual([]);
    expect(row).toMatchObject({ event: 'AUTHENTICATION_FAILED', actor: 'system:guard' });
    expect(JSON.parse(row?.body ?? '')).toMatchObject({ ip: '198.51.100.9', details: { reason: 'jwt_malformed' } });
    expect(row?.body).not.toContain('eyJ');
  });

  it('SEC-5: by a limit is one of them', async () => {
    for (let n = 0; n < 31; n += 1) {
      await http.app.request(`${API}/owners`, {}, { incoming: { socket: { remoteAddress: '198.51.100.10' } } });
    }
    expect((await rowsOf('address:198.51.100.10')).map(({ event }) => event)).toEqual(['RATE_LIMITED']);
  });
});

describe('K4: the refusals of every route', () => {
  it('are counted in the trail, each under its permission, and nothing of what was sent is there', async () => {
    const over = new AbortController();
    const own = await startHttp({ clock, closing: over.signal });
    try {
      const token = await tokenFor({ scope: 'nothing' }, 'crm', clock);
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const refused = new Map<string, number>();
      for (const [name, policy] of Object.entries(POLICIES)) {
        const [method = '', path = ''] = name.split(' ');
        if (policy === 'anonymous') continue;
        const body = method === 'GET' ? null : '{"name":"Zephyrine Quillfeather"}';
        const address = `${path.replaceAll(/:\w+/g, 'nobody')}?q=quillfeather`;
        const { status } = await own.app.request(address, { method, headers, body });
        expect([name, status]).toEqual([name, 403]);
        refused.set(policy.permission, (refused.get(policy.permission) ?? 0) + 1);
      }
      over.abort();
      const rows = () =>
        own.db.selectFrom('audit_log').selectAll().where('event', '=', 'ACCESS_DENIED').orderBy('seq').execute();
      const counted = async () => {
        const sums = new Map<string, number>();
        for (const row of await rows()) {
          const permission = String(at(detailsOf(row), 'permission'));
          sums.set(permission, (sums.get(permission) ?? 0) + Number(at(detailsOf(row), 'count') ?? 1));
        }
        return sums;
      };
      await expect.poll(counted).toEqual(refused);
      for (const row of await rows()) {
        expect(row.actor).toContain('crm');
        expect(row.body).not.toMatch(/quillfeather|eyJ/i);
        expect(row.body).toContain(API);
      }
    } finally {
      await own.stop();
    }
  }, 60_000);
});
