import { sql } from 'kysely';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { POLICIES } from '../../src/http/policy.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/rate-limits.ts';
import { startLimits, type TestLimits } from '../setup/limits.ts';
import { API, at, type Call, type Http, startHttp, tokenFor } from './harness.ts';

/** Streams of events in a browser: a ticket in place of a token, and a few at a time for each caller. */

const STREAM = `${API}/events/stream`;
const lines: string[] = [];
let limits: TestLimits;
let http: Http;
beforeAll(async () => {
  limits = await startLimits({ ...DEFAULT_LIMITS, general: { ...DEFAULT_LIMITS.general, failures: 10_000 } });
  http = await startHttp({ limits, log: pino({ base: null }, { write: (text: string) => void lines.push(text) }) });
}, 60_000);
afterAll(async () => {
  await http?.stop();
  await limits?.limiter.close();
});

const ticketFor = async (call: Call = {}): Promise<string> =>
  String(at((await http.call('POST', `${API}/events/tickets`, call)).body, 'data', 'ticket'));
/** What is open until it is closed. */
async function open(query: string, headers: Record<string, string> = {}) {
  const answer = await http.app.request(`${STREAM}${query}`, { headers });
  return { status: answer.status, type: answer.headers.get('content-type'), close: () => answer.body?.cancel() };
}
const openOnce = async (query: string): Promise<number> => {
  const { status, close } = await open(query);
  await close();
  return status;
};

describe('a ticket', () => {
  it('opens one stream, and no second one', async () => {
    const answer = await http.call('POST', `${API}/events/tickets`, { as: 'OPS', sub: 'ops-1' });
    const ticket = String(at(answer.body, 'data', 'ticket'));
    const lifetimeMs = Date.parse(String(at(answer.body, 'data', 'expiresAt'))) - Date.now();
    expect(lifetimeMs).toBeGreaterThan(50_000);
    expect(lifetimeMs).toBeLessThanOrEqual(61_000);
    const stream = await open(`?ticket=${ticket}`);
    expect([stream.status, stream.type]).toEqual([200, 'text/event-stream']);
    expect(await openOnce(`?ticket=${ticket}`)).toBe(401);
    await stream.close();
    expect(await openOnce(`?ticket=${ticket}`)).toBe(401);
  });

  it('opens one when ten come with it at a time', async () => {
    const ticket = await ticketFor();
    const streams = await Promise.all(Array.from({ length: 10 }, () => open(`?ticket=${ticket}`)));
    expect(streams.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(streams.filter(({ status }) => status === 401)).toHaveLength(9);
    for (const stream of streams) await stream.close();
  });

  it('opens none after a minute, and is taken away by the next that is issued', async () => {
    const ticket = await ticketFor();
    await sql`UPDATE stream_ticket SET expires_at = now() - interval '1 ms'`.execute(http.db);
    await ticketFor();
    expect(await openOnce(`?ticket=${ticket}`)).toBe(401);
    const late = await ticketFor();
    await sql`UPDATE stream_ticket SET expires_at = now() - interval '1 ms'`.execute(http.db);
    expect(await openOnce(`?ticket=${late}`)).toBe(401);
    expect(await http.db.selectFrom('stream_ticket').selectAll().execute()).toHaveLength(1);
  });

  it('is good for the stream alone, and is kept and logged nowhere', async () => {
    const ticket = await ticketFor();
    expect((await http.call('GET', `${API}/events?ticket=${ticket}`, { as: null })).status).toBe(401);
    const authorization = { authorization: `Bearer ${ticket}` };
    expect((await http.call('GET', `${API}/events`, { as: null, headers: authorization })).status).toBe(401);
    expect(await openOnce(`?ticket=${ticket}`)).toBe(200);
    const { rows } = await sql<{ text: string }>`SELECT t::text AS text FROM stream_ticket t
      UNION ALL SELECT body FROM audit_log`.execute(http.db);
    expect(rows.length).toBeGreaterThan(3);
    expect(JSON.stringify(rows)).not.toContain(ticket);
    expect(lines.join('')).not.toContain(ticket);
  });

  it('carries the rights of who asked for it, and those without get none', async () => {
    expect((await http.call('POST', `${API}/events/tickets`, { as: 'AGENT', sub: 'agent-1' })).status).toBe(403);
    expect((await http.call('POST', `${API}/events/tickets`, { as: null })).status).toBe(401);
    expect(await openOnce(`?ticket=${await ticketFor({ as: { scope: 'events:read' }, sub: 'crm' })}`)).toBe(200);
    for (const made of ['', 'x', 'a'.repeat(43)]) expect(await openOnce(`?ticket=${made}`)).toBe(401);
  });

  it('is the same for a repeat with its Idempotency-Key, and its issue is in the audit trail', async () => {
    const headers = { 'idempotency-key': 'ticket-1', 'x-request-id': 'ticket-request' };
    expect(await ticketFor({ headers })).toBe(await ticketFor({ headers }));
    const rows = await http.db
      .selectFrom('audit_log')
      .select('event')
      .where('request_id', '=', 'ticket-request')
      .execute();
    expect(rows).toEqual([{ event: 'STREAM_TICKET_ISSUED' }]);
  });
});

describe('a HEAD', () => {
  const gets = Object.keys(POLICIES).flatMap((name) => (name.startsWith('GET ') ? [name.slice('GET '.length)] : []));
  /** Of addresses that keep something open or use something up. */
  const ONCE = [STREAM, '/console/live', '/oidc/callback'];

  it('Z15: is refused where a GET streams or uses something up, and answered like a GET everywhere else', async () => {
    const wrong: string[] = [];
    for (const pattern of gets) {
      const path = pattern.replaceAll(/:[^/]+/g, 'nobody');
      const { status, headers } = await http.call('HEAD', path);
      const isRefused = status === 405 && headers.get('allow') === 'GET';
      const expected = ONCE.includes(pattern) || (await http.call('GET', path)).status;
      if (expected === true ? !isRefused : status !== expected) wrong.push(`${pattern}: ${status}`);
    }
    expect([gets.length > 80, wrong]).toEqual([true, []]);
  });

  it('Q1: takes no place and no ticket', async () => {
    for (let n = 0; n < 10; n += 1) expect((await http.call('HEAD', STREAM, { sub: 'head' })).status).toBe(405);
    const ticket = await ticketFor({ sub: 'head' });
    expect((await http.call('HEAD', `${STREAM}?ticket=${ticket}`, { as: null })).status).toBe(405);
    expect(await openOnce(`?ticket=${ticket}`)).toBe(200);
  });
});

describe('a caller', () => {
  it('Q1: gets every place back when the request ends, also one whose answer nobody has read', async () => {
    const headers = { authorization: `Bearer ${await tokenFor({ role: 'ADMIN' }, 'hasty')}` };
    for (let n = 0; n < 10; n += 1) {
      const gone = new AbortController();
      expect((await http.app.request(STREAM, { headers, signal: gone.signal })).status).toBe(200);
      gone.abort();
    }
  });

  it('Q1: has five streams at a time, of which one that ends makes room, and takes none from others', async () => {
    const headers = { authorization: `Bearer ${await tokenFor({ role: 'ADMIN' }, 'greedy')}` };
    const streams = await Promise.all(Array.from({ length: 5 }, () => open('', headers)));
    expect(streams.map(({ status }) => status)).toEqual(Array(5).fill(200));
    const refused = await http.call('GET', STREAM, { sub: 'greedy' });
    expect([refused.status, refused.body.code]).toEqual([429, 'TOO_MANY_STREAMS']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const other = await open('', { authorization: `Bearer ${await tokenFor({ role: 'ADMIN' }, 'modest')}` });
    expect(other.status).toBe(200);
    await other.close();
    await streams[0]?.close();
    await expect
      .poll(async () => {
        const again = await open('', headers);
        await again.close();
        return again.status;
      })
      .toBe(200);
    for (const stream of streams.slice(1)) await stream.close();
  });

  it('Q1: keeps no place by a request that is refused', async () => {
    for (let n = 0; n < 10; n += 1)
      expect((await http.call('GET', `${STREAM}?after=999999`, { sub: 'wrong' })).status).toBe(409);
  });
});
