import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../src/http/auth.ts';
import { limitClassOf } from '../../src/http/limits.ts';
import { POLICIES } from '../../src/http/policy.ts';
import type { ProxyTrust } from '../../src/kernel/client-address.ts';
import { DEFAULT_LIMITS } from '../../src/kernel/rate-limits.ts';
import { startLimits, type TestLimits } from '../setup/limits.ts';
import { unsignedEvents } from '../setup/receivers.ts';
import { API, addReservation, at, countRows, type Http, seed, startHttp, tokenFor } from './harness.ts';

/** security.md Q1 to Q3: how often somebody may call, with the numbers that production has. */

const TRUST: ProxyTrust = { proxies: ['10.0.0.0/8'], header: 'x-forwarded-for' };
const numbers = { ...DEFAULT_LIMITS, own: new Map([['service:importer', { writes: 7 }]]) };

let limits: TestLimits;
let http: Http;
beforeAll(async () => {
  limits = await startLimits(numbers);
  http = await startHttp({ limits, proxyTrust: TRUST, receivers: unsignedEvents('the right one') });
  await seed(http.db);
  await addReservation(http.db, 'stay-1');
}, 60_000);
afterAll(async () => {
  await http?.stop();
  await limits?.limiter.close();
});

interface Asked {
  readonly as?: Role | { readonly scope: string } | null;
  readonly sub?: string;
  readonly peer?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
}
const tokens = new Map<string, Promise<string>>();
/** From an address, unlike `http.call`. */
async function ask(method: string, path: string, asked: Asked = {}) {
  const { as = 'ADMIN', sub = 'admin-1', peer = '198.51.100.1', body, headers } = asked;
  const id = JSON.stringify([as, sub]);
  if (as !== null && !tokens.has(id)) tokens.set(id, tokenFor(typeof as === 'string' ? { role: as } : as, sub));
  const authorization = await tokens.get(id);
  const answer = await http.app.request(
    path,
    {
      method,
      headers: {
        ...(authorization === undefined ? {} : { authorization: `Bearer ${authorization}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    },
    { incoming: { socket: { remoteAddress: peer } } },
  );
  const text = await answer.text();
  const json: unknown = answer.headers.get('content-type')?.includes('json') === true ? JSON.parse(text) : {};
  return { status: answer.status, headers: answer.headers, code: at(json, 'code'), details: at(json, 'details'), text };
}
type Got = Awaited<ReturnType<typeof ask>>;

/** The answers to so many requests, each counted by its status. */
async function repeat(times: number, one: (n: number) => Promise<Got>): Promise<Readonly<Record<number, number>>> {
  const statuses: Record<number, number> = {};
  for (let n = 0; n < times; n += 1) {
    const { status } = await one(n);
    statuses[status] = (statuses[status] ?? 0) + 1;
  }
  return statuses;
}
const secondsIn = (text: string | null, name: 't' | 'w'): number =>
  Number(new RegExp(`;${name}=(\\d+)`).exec(text ?? '')?.[1] ?? Number.NaN);

function expectLimited(answer: Got, limit: string): void {
  expect([answer.status, answer.code], answer.text).toEqual([429, 'RATE_LIMITED']);
  expect(answer.details).toMatchObject({ limit });
  const retryAfter = Number(answer.headers.get('retry-after'));
  const leftSeconds = secondsIn(answer.headers.get('ratelimit'), 't');
  expect(retryAfter).toBeGreaterThanOrEqual(leftSeconds);
  expect(retryAfter).toBeGreaterThanOrEqual(1);
  expect(retryAfter).toBeLessThanOrEqual(60);
  expect(answer.headers.get('ratelimit')).toMatch(new RegExp(`^"${limit}";r=0;t=\\d+$`));
}

describe('a caller', () => {
  it('Q1: has 60 changes a minute: the 61st is 429, does nothing, and nobody else notices', async () => {
    const owner = (n: number) => ({ body: { name: `Owner ${n}`, email: 'o@example.com' }, sub: 'flood' });
    expect(await repeat(60, (n) => ask('POST', `${API}/owners`, owner(n)))).toEqual({ 201: 60 });
    const before = await countRows(http.db);
    expectLimited(await ask('POST', `${API}/owners`, owner(61)), 'writes');
    // Wherever it goes, whatever it sends, and from whatever address.
    expectLimited(await ask('PATCH', `${API}/staff/agent-1`, { sub: 'flood', body: { nonsense: 1 } }), 'writes');
    expectLimited(await ask('POST', `${API}/owners`, { ...owner(62), peer: '198.51.100.2' }), 'writes');
    expect(await countRows(http.db)).toEqual(before);
    expect((await ask('POST', `${API}/owners`, { ...owner(63), sub: 'other' })).status).toBe(201);
    expect((await ask('GET', `${API}/owners`, { sub: 'flood' })).status).toBe(200);
  });

  it('Q1, SEC-3: has 10 acts on money a minute, which are counted apart from other changes', async () => {
    const pay = (sub: string, as: Role = 'FINANCE') =>
      ask('POST', `${API}/reservations/stay-1/payment`, { as, sub, body: {} });
    expect(await repeat(10, () => pay('payer'))).toEqual({ 422: 10 });
    expectLimited(await pay('payer'), 'payments');
    expect((await pay('other-payer')).status).toBe(422);
    // Whatever moves money counts as one.
    const refund = { as: 'FINANCE', sub: 'payer', body: {} } as const;
    expectLimited(await ask('POST', `${API}/reservations/stay-1/refunds`, refund), 'payments');
    expect((await ask('GET', `${API}/transactions`, { as: 'FINANCE', sub: 'payer' })).status).toBe(200);
  });

  it('Q1: has 300 reads a minute', async () => {
    const read = (sub: string) => ask('GET', `${API}/event-types`, { sub });
    expect(await repeat(300, () => read('reader'))).toEqual({ 200: 300 });
    expectLimited(await read('reader'), 'reads');
    expect((await read('other-reader')).status).toBe(200);
  });

  it('SEC-3: is counted when it may not do what it asks for', async () => {
    const probe = () => ask('POST', `${API}/owners`, { as: 'CLEANER', sub: 'prober', body: {} });
    expect(await repeat(60, probe)).toEqual({ 403: 60 });
    expectLimited(await probe(), 'writes');
  });

  it('has other numbers if it is a program, and its own if it is named', async () => {
    const as = { scope: 'guests:write guests:read' };
    const write = (sub: string) => ask('POST', `${API}/guests`, { as, sub, body: {} });
    expect(await repeat(70, () => write('crm'))).toEqual({ 422: 70 });
    expect((await write('crm')).headers.get('ratelimit-policy')).toBe('"writes";q=1200;w=60');
    expect(await repeat(7, () => write('importer'))).toEqual({ 422: 7 });
    expectLimited(await write('importer'), 'writes');
  });

  it('PRF-5, WEB-6: is told on every answer what counts and what is left', async () => {
    const answers = [
      await ask('GET', `${API}/owners`, { sub: 'told' }),
      await ask('GET', `${API}/owners/nobody`, { sub: 'told' }),
      await ask('GET', `${API}/owners?nonsense=1`, { sub: 'told' }),
      await ask('GET', `${API}/owners`, { sub: 'told', as: 'CLEANER' }),
      await ask('GET', `${API}/owners/nobody`, { sub: 'told', headers: { accept: 'application/problem+json' } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 422, 403, 404]);
    for (const [n, { headers }] of answers.entries()) {
      expect(headers.get('ratelimit-policy')).toBe('"reads";q=300;w=60');
      expect(headers.get('ratelimit')).toMatch(new RegExp(`^"reads";r=${299 - n};t=\\d+$`));
      expect(secondsIn(headers.get('ratelimit'), 't')).toBeLessThanOrEqual(60);
      expect(headers.has('retry-after')).toBe(false);
    }
    const problem = await ask('GET', `${API}/owners`, { as: null, headers: { accept: 'application/problem+json' } });
    expect(problem.headers.get('ratelimit-policy')).toBe('"failures";q=30;w=60');
    const { body } = await http.call('GET', '/openapi.json', { as: null });
    const declared = (status: number) =>
      at(body, 'paths', `${API}/owners`, 'get', 'responses', String(status), 'headers', 'RateLimit', '$ref');
    expect(declared(200)).toBe('#/components/headers/RateLimit');
    expect(at(body, 'components', 'responses', 'RATE_LIMITED', 'headers', 'Retry-After')).toBeDefined();
  });
});

describe('an address', () => {
  const bad = { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.x' };
  const guess = (peer: string, headers: Readonly<Record<string, string>> = {}) =>
    ask('GET', `${API}/owners`, { as: null, peer, headers: { ...bad, ...headers } });

  it('Q2: has 30 bad tokens a minute: the 31st is 429, and whoever has a good one goes on', async () => {
    expect(await repeat(30, () => guess('198.51.100.30'))).toEqual({ 401: 30 });
    const refused = await guess('198.51.100.30');
    expectLimited(refused, 'failures');
    expect((await ask('GET', `${API}/owners`, { peer: '198.51.100.30' })).status).toBe(200);
    expect((await guess('198.51.100.31')).status).toBe(401);
  });

  it('Q2: is the network of 2^64 addresses that a customer has', async () => {
    expect(await repeat(30, (n) => guess(`2001:db8:7:7::${n + 1}`))).toEqual({ 401: 30 });
    expectLimited(await guess('2001:db8:7:7:ffff::1'), 'failures');
    expect((await guess('2001:db8:7:8::1')).status).toBe(401);
  });

  it('Q2: has 30 attempts to sign in a minute: of 100 bad ones 70 are not looked at, and nobody elsewhere notices', async () => {
    const attempt = async (peer: string, path: string, form: Readonly<Record<string, string>> = {}) => {
      const headers = { 'sec-fetch-site': 'same-origin' };
      const init = { method: 'POST', headers, body: new URLSearchParams(form) };
      const answer = await http.app.request(path, init, { incoming: { socket: { remoteAddress: peer } } });
      return { status: answer.status, retryAfter: answer.headers.get('retry-after') };
    };
    const rows = async () =>
      (
        await Promise.all(
          (['session', 'one_time', 'notification'] as const).map((table) =>
            http.db
              .selectFrom(table)
              .select((eb) => eb.fn.countAll<number>().as('n'))
              .executeTakeFirstOrThrow(),
          ),
        )
      ).map(({ n }) => Number(n));
    const before = await rows();
    const guesses = Array.from({ length: 100 }, (_, n) =>
      n % 2 === 0
        ? attempt('198.51.100.80', '/sign-in', { email: `stranger-${n}@example.com` })
        : attempt('198.51.100.80', `/sign-in/${String(n).padStart(43, 'A')}`),
    );
    const answers = await Promise.all(guesses);
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(70);
    for (const { retryAfter } of refused) expect(Number(retryAfter)).toBeGreaterThan(0);
    expect(answers.filter(({ status }) => status !== 429 && status !== 200 && status !== 404)).toEqual([]);
    expect(await rows()).toEqual(before);
    expect((await attempt('198.51.100.81', `/sign-in/${'A'.repeat(43)}`)).status).toBe(404);
    // Who is signed in goes on, at that address too.
    expect((await ask('GET', `${API}/owners`, { peer: '198.51.100.80' })).status).toBe(200);
  });

  it('Q3: is not another one for each X-Forwarded-For that a client writes', async () => {
    const random = (n: number) => ({ 'x-forwarded-for': `203.0.113.${n}, 10.0.0.${n}`, forwarded: `for=192.0.2.${n}` });
    expect(await repeat(30, (n) => guess('198.51.100.40', random(n)))).toEqual({ 401: 30 });
    expectLimited(await guess('198.51.100.40', random(99)), 'failures');
  });

  it('Q3: is behind a proxy of ours the last one that is none of ours', async () => {
    const behind = (client: string, n: number) => ({ 'x-forwarded-for': `203.0.113.${n}, ${client}, 10.0.0.2` });
    expect(await repeat(30, (n) => guess('10.0.0.1', behind('198.51.100.50', n)))).toEqual({ 401: 30 });
    expectLimited(await guess('10.0.0.1', behind('198.51.100.50', 99)), 'failures');
    expect((await guess('10.0.0.1', behind('198.51.100.51', 1))).status).toBe(401);
  });

  it('has 60 looks at signed links a minute, and a person gets a page', async () => {
    const open = (n: number) =>
      ask('GET', `/offers/${String(n).padStart(64, '0')}`, { as: null, peer: '198.51.100.60' });
    expect(await repeat(60, open)).toEqual({ 404: 60 });
    const html = { accept: 'text/html' };
    const page = await ask('GET', '/calendar/x.ics', { as: null, peer: '198.51.100.60', headers: html });
    expect([page.status, page.headers.get('content-type')]).toEqual([429, 'text/html; charset=UTF-8']);
    expect(Number(page.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(page.text).toContain('try again');
  });

  it('that is a provider’s may call as often as providers do, and no more', async () => {
    const call = () => ask('POST', `${API}/webhooks/unsigned`, { as: null, peer: '198.51.100.70' });
    expect((await call()).headers.get('ratelimit-policy')).toBe('"webhooks";q=1200;w=60');
  });

  it('may ask for health as often as it likes', async () => {
    const { headers, status } = await ask('GET', '/health/live', { as: null, peer: '198.51.100.71' });
    expect([status, headers.has('ratelimit')]).toEqual([200, false]);
  });
});

describe('every endpoint', () => {
  const classOf = (name: string): string | null => {
    const [method = '', pattern = ''] = name.split(' ');
    const policy = POLICIES[name];
    return policy === undefined ? 'absent' : (limitClassOf(method, pattern, policy)?.name ?? null);
  };

  it('Q1: is limited, but for the probes', () => {
    const free = Object.keys(POLICIES).filter((name) => classOf(name) === null);
    expect(free).toEqual(['GET /health/live', 'GET /health/ready', 'GET /healthz', 'GET /readyz']);
  });

  it('Q1: that moves money counts as such', () => {
    const money = Object.keys(POLICIES).filter((name) => classOf(name) === 'payments');
    for (const word of ['/payment', '/refunds', '/payout', '/settlement', '/correction'])
      expect(money.filter((name) => name.endsWith(word)).length, word).toBeGreaterThan(0);
    expect(money.filter((name) => name.startsWith('GET '))).toEqual([]);
  });

  it('Q2: that changes something for nobody in particular is a signed link, a provider’s call, or a sign-in; forms of the console count as its pages', () => {
    const open = Object.keys(POLICIES).filter((name) => POLICIES[name] === 'anonymous' && !name.startsWith('GET '));
    const isForm = (name: string): boolean => name.startsWith('POST /console/');
    for (const name of open.filter((one) => !isForm(one)))
      expect(['links', 'webhooks', 'sign-in'], name).toContain(classOf(name));
    expect([...new Set(open.filter(isForm).map(classOf))]).toEqual(['pages']);
  });
});
