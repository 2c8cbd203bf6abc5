import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { stripeWebhook } from '../../src/gateways/stripe/webhook.ts';
import { twilioReceipts } from '../../src/gateways/twilio/receipts.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { startHarness } from '../ops/harness.ts';
import { API, addReservation, declaredRoutes, type Http, seed, startHttp, tokenFor } from './harness.ts';

/** No input is a fault of ours: whatever stands in a header, a path or a query, the answer is never 500. */

let http: Http;
let token = '';
const failures: unknown[] = [];
beforeAll(async () => {
  http = await startHttp({
    receivers: new Map([
      ['stripe', stripeWebhook(['whsec_0123456789abcdef'], systemClock)],
      ['twilio', twilioReceipts('0123456789abcdef', `https://api.example.com${API}/webhooks/twilio`)],
    ]),
  });
  await seed(http.db);
  await addReservation(http.db, 'stay-1');
  token = await tokenFor({ role: 'ADMIN' }, 'admin-1');
}, 60_000);
afterAll(() => http?.stop());

/** As Node gives them to us: one character for each byte. */
const TEXTS = [
  '',
  ' ',
  'é',
  'é'.repeat(64),
  '\xff\xfe',
  't=1,v1=é',
  `t=${Math.floor(Date.now() / 1000)},v1=${'é'.repeat(64)}`,
  '%',
  '%ff',
  '%00',
  '"',
  '"é"',
  'W/"1", "2"',
  '*',
  '-1',
  '1e99',
  '99999999999999999999',
  'NaN',
  '0x1',
  '{}',
  '[]',
  'null',
  '../../x',
  ';=;',
  'a=b; =; roomy_ops=é',
  'Bearer ',
  'Bearer é.é.é',
  'Bearer eyJhbGciOiJub25lIn0.e30.x',
  'Bearer ////.////.////',
  'x'.repeat(8_000),
];
const HEADERS = [
  'authorization',
  'if-match',
  'if-none-match',
  'last-event-id',
  'idempotency-key',
  'prefer',
  'x-request-id',
  'accept',
  'accept-language',
  'content-type',
  'content-length',
  'cookie',
  'origin',
  'range',
  'x-forwarded-for',
  'forwarded',
  'stripe-signature',
  'x-twilio-signature',
];
const PATHS = ['%', '%ff', '%00', '%ed%a0%80', '%c3%28', '%2e%2e%2f', 'é', '%E2%80%AE', 'x'.repeat(300), "'", '%0a'];

async function ask(method: string, target: string, headers: Readonly<Record<string, string>>): Promise<void> {
  const init = { method: method.toUpperCase(), headers: { authorization: `Bearer ${token}`, ...headers } };
  let status: number;
  try {
    const closing = new AbortController();
    const answer = await http.app.request(target, { ...init, signal: closing.signal });
    status = answer.status;
    // A stream of events would go on.
    await answer.body?.cancel();
    closing.abort();
  } catch (error) {
    // Only what no client could send is refused by the test's own request.
    if (error instanceof TypeError && /Invalid URL|ByteString|Header|header/.test(error.message)) return;
    status = 599;
    failures.push(error);
  }
  if (status >= 500) failures.push({ method, target: target.slice(0, 200), headers, status });
}

describe('hostile input', () => {
  it('N13: in any header of any route is no fault of ours', async () => {
    failures.length = 0;
    const routes = declaredRoutes(http.app);
    const own = (path: string) => HEADERS.filter((name) => name !== 'stripe-signature' || path.includes('stripe'));
    for (const { route } of routes) {
      const target = route.path.replace('{provider}', 'stripe').replaceAll(/\{.+?\}/g, 'stay-1');
      // Each text once for each route, under one header after the other; webhooks get all of them.
      const names = own(route.path);
      const isWebhook = route.path.includes('/webhooks/');
      for (const [index, text] of TEXTS.entries()) {
        const asked = isWebhook
          ? names
          : [names[index % names.length] ?? '', names[(index * 7 + 3) % names.length] ?? ''];
        for (const name of asked) await ask(route.method, target, { [name]: text });
      }
    }
    expect(failures).toEqual([]);
  }, 120_000);

  it('N13: in every header of one route of each kind is no fault of ours', async () => {
    failures.length = 0;
    for (const [method, target] of [
      ['get', `${API}/reservations`],
      ['patch', `${API}/reservations/stay-1`],
      ['post', `${API}/reservations/stay-1/confirm`],
      ['get', `${API}/events`],
      ['get', `${API}/events/stream`],
      ['get', '/health/ready'],
      ['get', '/openapi.json'],
    ] as const) {
      for (const name of HEADERS) for (const text of TEXTS) await ask(method, target, { [name]: text });
    }
    expect(failures).toEqual([]);
  }, 120_000);

  it('N8: in a path or a query of any route is no fault of ours', async () => {
    failures.length = 0;
    for (const { route } of declaredRoutes(http.app)) {
      for (const text of PATHS) {
        if (route.path.includes('{')) await ask(route.method, route.path.replaceAll(/\{.+?\}/g, text), {});
        const target = route.path.replace('{provider}', 'stripe').replaceAll(/\{.+?\}/g, 'stay-1');
        await ask(
          route.method,
          `${target}?${['cursor', 'limit', 'from'].map((name) => `${name}=${text}`).join('&')}`,
          {},
        );
      }
    }
    expect(failures).toEqual([]);
  }, 120_000);

  it.each(['é', `t=${Math.floor(Date.now() / 1000)},v1=${'é'.repeat(64)}`, 't=é,v1=é', '', `v1=${'a'.repeat(10_000)}`])(
    'is no signature: %j is 401 for every provider',
    async (signature) => {
      for (const [provider, name] of [
        ['stripe', 'stripe-signature'],
        ['twilio', 'x-twilio-signature'],
      ] as const) {
        const answer = await http.call('POST', `${API}/webhooks/${provider}`, {
          as: null,
          raw: '{}',
          headers: { [name]: signature },
        });
        expect([provider, answer.status, answer.body.code]).toEqual([provider, 401, 'INVALID_SIGNATURE']);
      }
    },
  );

  it('on the port for operators is no fault of ours', async () => {
    const ops = await startHarness(inject('redisUrl'));
    try {
      const cookie = await ops.login('olga', 'OPS');
      const wrong: unknown[] = [];
      const look = async (target: string, init: RequestInit & { cookie?: string }): Promise<void> => {
        const { status } = await ops.call(target, init);
        if (status >= 500) wrong.push({ target, init, status });
      };
      for (const text of TEXTS) {
        for (const name of [
          'cookie',
          'origin',
          'sec-fetch-site',
          'accept',
          'x-request-id',
          'content-type',
          'content-length',
        ]) {
          for (const target of ['/', '/mailbox', '/queues/api/queues'])
            await look(target, { headers: { cookie, [name]: text } });
          await look('/login', { method: 'POST', body: 'token=x', headers: { [name]: text } });
        }
        await look('/login', { method: 'POST', body: new URLSearchParams({ token: text, next: text }) });
      }
      for (const text of PATHS) {
        for (const target of [`/mailbox/${text}`, `/mailbox?before=${text}`, `/login?next=${text}`, `/queues/${text}`])
          await look(target, { cookie });
        for (const target of [`/queues/api/queues/${text}`, `/queues/api/queues/tasks/${text}`])
          await look(target, { cookie });
        await look(`/queues/api/queues/tasks/${text}/retry`, { method: 'PUT', cookie });
      }
      expect(wrong).toEqual([]);
    } finally {
      await ops.stop();
    }
  }, 120_000);
});
