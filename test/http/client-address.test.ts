import { decodeJwt } from 'jose';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { createClientAddress, type ProxyTrust } from '../../src/kernel/client-address.ts';
import { closeServer, listen } from '../../src/listen.ts';
import { API, type Http, recordKeeper, startHttp, tokenFor } from './harness.ts';
import { fixtureOf, MUTATIONS, methodOf, prepareWorld } from './valid-requests.ts';

/** The client's address, the request's id and what proved who sent it survive the proxy, into the log and the audit trail. */

const TRUST: ProxyTrust = { proxies: ['10.0.0.0/8', '127.0.0.1'], header: 'x-forwarded-for' };
const CLIENT = '203.0.113.7';
interface Line {
  readonly msg: string;
  readonly ip: string | null;
  readonly requestId: string;
}

let http: Http;
let token: string;
const lines: Line[] = [];
beforeAll(async () => {
  const log = pino({ base: null }, { write: (text: string) => void lines.push(JSON.parse(text)) });
  http = await startHttp({ proxyTrust: TRUST, log, ports: recordKeeper([]), closing: AbortSignal.abort() });
  await prepareWorld(http.db);
  token = await tokenFor({ role: 'ADMIN' }, 'admin-1');
}, 60_000);
afterAll(() => http?.stop());

const from = (peer: string) => ({ incoming: { socket: { remoteAddress: peer } } });
async function ask(
  peer: string,
  headers: Record<string, string>,
  method = 'GET',
  path = `${API}/reservations`,
  body?: unknown,
) {
  const json = body === undefined ? {} : { 'content-type': 'application/json' };
  const answer = await http.app.request(
    path,
    {
      method,
      headers: { authorization: `Bearer ${token}`, ...json, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    },
    from(peer),
  );
  await answer.text();
  return answer;
}
const lineOf = (requestId: string | null) =>
  lines.find((line) => line.msg === 'request' && line.requestId === requestId);

describe('P1: behind a proxy', () => {
  it('logs the client that the proxy names, and no one that a client names', async () => {
    const named = await ask('10.0.0.1', { 'x-forwarded-for': `6.6.6.6, ${CLIENT}`, 'x-request-id': 'trace-1' });
    expect(named.headers.get('x-request-id')).toBe('trace-1');
    expect(lineOf('trace-1')?.ip).toBe(CLIENT);
    await ask('198.51.100.9', { 'x-forwarded-for': CLIENT, forwarded: `for=${CLIENT}`, 'x-request-id': 'trace-2' });
    expect(lineOf('trace-2')?.ip).toBe('198.51.100.9');
  });

  it('replaces an id that is one of ours, as two requests would be told as one', async () => {
    const ours = (await ask('10.0.0.1', {})).headers.get('x-request-id') ?? '';
    const again = (await ask('10.0.0.1', { 'x-request-id': ours })).headers.get('x-request-id');
    expect(again).toMatch(/^request-/);
    expect(again).not.toBe(ours);
  });

  it('replaces an id that is not well-formed, or too long', async () => {
    for (const id of ['', 'a b', '-x', 'x'.repeat(129), 'a,b', 'é', '4242424242424242', '<b>']) {
      const answer = await ask('10.0.0.1', { 'x-request-id': id });
      expect(answer.headers.get('x-request-id'), id).toMatch(/^request-/);
    }
    expect((await ask('10.0.0.1', { 'x-request-id': 'x'.repeat(128) })).headers.get('x-request-id')).toHaveLength(128);
  });

  it('knows it of a real connection, over IPv4 and IPv6', async () => {
    for (const host of ['127.0.0.1', '::1', '::']) {
      const server = await listen('PORT', { host, port: 0, keepAliveMs: 5_000 }, http.app.fetch);
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      const id = `real-${host.replaceAll(':', '-')}0`;
      const at = host === '::1' ? '[::1]' : '127.0.0.1';
      const headers = { 'x-request-id': id, 'x-forwarded-for': CLIENT };
      await (await fetch(`http://${at}:${port}/health/ready`, { headers })).text();
      await (await fetch(`http://${at}:${port}/nothing-here`, { headers })).text();
      // ::1 is not among the trusted ones; on :: the peer is ::ffff:127.0.0.1, which is 127.0.0.1.
      expect(lineOf(id)?.ip, host).toBe(host === '::1' ? '::1' : CLIENT);
      await closeServer(server);
    }
  });

  it('K11: keeps it in every audit row that a request writes, and by what token it came', async () => {
    const credential = `token:${decodeJwt(token).jti}`;
    const withoutOrigin: string[] = [];
    let rows = 0;
    for (const [at, endpoint] of MUTATIONS.entries()) {
      const { path, body, headers = {} } = await fixtureOf(endpoint).prepare(http);
      const id = `walk-${at}`;
      const sent = { ...(headers as Record<string, string>), 'x-forwarded-for': CLIENT, 'x-request-id': id };
      await ask('10.0.0.1', sent, methodOf(endpoint), path, body);
      expect(lineOf(id)?.ip, endpoint).toBe(CLIENT);
      const written = await http.db
        .selectFrom('audit_log')
        .select(['event', 'body'])
        .where('request_id', '=', id)
        .execute();
      rows += written.length;
      const lacking = written.filter(({ body }) => {
        const kept = JSON.parse(body);
        return kept.ip !== CLIENT || kept.credential !== credential;
      });
      withoutOrigin.push(...lacking.map((row) => `${endpoint}: ${row.event}`));
      for (const asked of [
        ...http.orchestrator.accepts.map(({ request }) => request),
        ...http.orchestrator.interventions,
      ])
        expect(JSON.stringify(asked), endpoint).toContain(`"ip":"${CLIENT}","credential":"${credential}"`);
      http.orchestrator.reset();
    }
    expect(withoutOrigin).toEqual([]);
    expect(rows).toBeGreaterThan(25);
    const shown = await http.call('GET', `${API}/audit?limit=100`);
    expect(shown.text).toContain(`"ip":"${CLIENT}","credential":"${credential}"`);
  });

  it('keeps it of a refusal, too', async () => {
    token = await tokenFor({ role: 'CLEANER' }, 'cleaner-1');
    await ask('10.0.0.1', { 'x-forwarded-for': CLIENT, 'x-request-id': 'refused-1' });
    const row = await http.db
      .selectFrom('audit_log')
      .select(['event', 'body'])
      .where('request_id', '=', 'refused-1')
      .executeTakeFirstOrThrow();
    expect(row.event).toBe('ACCESS_DENIED');
    expect(JSON.parse(row.body)).toMatchObject({ ip: CLIENT, credential: `token:${decodeJwt(token).jti}` });
  });
});

describe('P1: TRUSTED_PROXIES', () => {
  const read = (environment: Readonly<Record<string, string>>) =>
    readConfig({
      NODE_ENV: 'test',
      DATABASE_URL: 'postgres://x',
      REDIS_URL: 'redis://x',
      JWT_KEYS: 'k1:0123456789abcdef0123456789abcdef',
      ...environment,
    }).proxyTrust;
  it('is nobody by default, and takes addresses and ranges', () => {
    expect(read({})).toEqual({ proxies: [], header: 'x-forwarded-for' });
    const trust = read({ TRUSTED_PROXIES: '10.0.0.0/8, 2001:db8::7', TRUSTED_PROXY_HEADER: 'Forwarded' });
    expect(trust).toEqual({ proxies: ['10.0.0.0/8', '2001:db8::7'], header: 'forwarded' });
    expect(createClientAddress(trust)('2001:db8::7', new Headers({ forwarded: `for=${CLIENT}` }))).toBe(CLIENT);
  });
  it.each([
    ['TRUSTED_PROXIES', 'nginx'],
    ['TRUSTED_PROXIES', '0.0.0.0/0'],
    ['TRUSTED_PROXIES', '10.0.0.1,::/0'],
    ['TRUSTED_PROXY_HEADER', 'X-Real-IP'],
  ])('refuses %s=%s', (name, value) => {
    expect(() => read({ [name]: value })).toThrow(name);
  });
});
