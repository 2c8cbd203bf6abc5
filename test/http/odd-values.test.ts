import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createWebhookSender } from '../../src/gateways/webhooks.ts';
import { describeApi } from '../../src/http/openapi/document.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { type Contract, createContract, objectAt } from '../openapi/contract.ts';
import { endpointFields, type Field, withValue } from './body-fields.ts';
import {
  type Answer,
  API,
  at,
  type Call,
  declaredRoutes,
  type Http,
  PUBLIC_URL,
  recordKeeper,
  startHttp,
} from './harness.ts';
import { fixtureOf, MUTATIONS, methodOf, prepareWorld, type ValidRequest } from './valid-requests.ts';

/**
 * Odd values in every field of every body, every query parameter and every part of a path: refused or taken, never a fault
 * of ours, and never a stack in the log. `amounts-read-back.test.ts` has what is taken as an amount.
 */

let http: Http;
let contract: Contract;
const logged: { readonly level: string; readonly line: unknown }[] = [];
beforeAll(async () => {
  const log = createLogger('test', 'silent');
  const keep = (level: string) => (line: unknown, message: unknown) =>
    void logged.push({ level, line: [line, message] });
  const listening = Object.assign(Object.create(log), {
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
  });
  http = await startHttp({
    log: listening,
    closing: AbortSignal.abort(),
    ports: recordKeeper([]),
    webhooks: createWebhookSender({ clock: systemClock, allowed: [], resolve: async () => [] }),
  });
  await prepareWorld(http.db);
  contract = createContract(describeApi(http.app, { publicUrl: PUBLIC_URL }));
}, 60_000);
afterAll(() => http?.stop());
beforeEach(() => {
  logged.length = 0;
});

const TEXTS: readonly unknown[] = [
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ud800',
  'x\udc00',
  '\uffff',
  '\u202e\u2028',
  '👩🏽‍💻',
  'x'.repeat(10_000),
  '__proto__',
  '2024-02-30',
  '2024-02-01T25:61:00Z',
  '+999999-01-01T00:00:00Z',
  'IST',
  null,
  true,
  [],
  {},
  [[[]]],
  -1,
  0.5,
];
const LONG_ADDRESS = `https://93.184.216.34/${'a'.repeat(2_001)}`;
const ADDRESSES: readonly string[] = [
  'javascript:alert(1)',
  'data:text/html,x',
  'file:///etc/passwd',
  'https://user:pass@93.184.216.34/',
  'https://user@93.184.216.34/',
  'https://[fe80::1%25eth0]/',
  'https://[fe80::1%eth0]/',
  'https://[::1]/',
  'https://[::ffff:10.0.0.1]/',
  'https://bücher.example/',
  'https://xn--bcher-kva.example/ü',
  'https://xn--/',
  'https://93.184.216.34/a b',
  ' https://93.184.216.34/',
  'https://93.184.216.34/\r\nhost:x',
  'https://93.184.216.34/\t',
  'https:93.184.216.34',
  'https:\\\\93.184.216.34\\x',
  '//93.184.216.34/',
  'https://93.184.216.34:99999/',
  'https://93.184.216.34:0/',
  'https://1.2.3.4.5/',
  'https://0x7f.1/',
  'https://2130706433/',
  'https://',
  'https://%00/',
  'https://\u202e/',
  'https://93.184.216.34/%zz?%#%',
  LONG_ADDRESS,
];
/** As they stand in JSON: most are no JavaScript numbers. */
const NUMBERS: readonly string[] = [
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '90071992547409.91',
  '90071992547409.92',
  '70368744177664.01',
  '9999999999999.99',
  '9223372036854775807',
  '9223372036854775808',
  '92233720368547758.07',
  '-9223372036854775808',
  '1e308',
  '1e400',
  '-0',
  '1e-400',
  '1000000000',
  '1000000000.01',
  '999999999.99',
  '4.35',
  '0.07',
  '1.005',
];

const PLACE = '"\u2603 here"';
/** Sends the body with a text of JSON in its field. */
function sendRaw(endpoint: string, request: ValidRequest, { path, schema }: Field, raw: string): Promise<Answer> {
  const { path: address, body, ...call } = request;
  const text = JSON.stringify(withValue(contract, body ?? {}, path, JSON.parse(PLACE), schema)).replace(
    PLACE,
    () => raw,
  );
  const headers = { ...call.headers, 'content-type': 'application/json' };
  return http.call(methodOf(endpoint), address, { ...call, raw: text, headers });
}
const last = ({ path }: Field): string => String(path.findLast((part) => typeof part === 'string'));
function valuesFor(field: Field): readonly string[] {
  const texts = TEXTS.map((text) => JSON.stringify(text));
  const name = last(field);
  if (/url|device|account/i.test(name)) return [...texts, ...ADDRESSES.map((text) => JSON.stringify(text))];
  if (/amount|minor|minutes|percent|days|count|version|seq|limit/i.test(name)) {
    return [...texts, ...NUMBERS, ...NUMBERS.map((number) => `"${number}"`)];
  }
  return texts;
}

/** A request log has the code of a refusal and no more. Warnings, errors and stacks are for faults. */
function expectNoFault(): void {
  const faults = logged.filter(({ level, line }) => level !== 'info' || /\\n\s+at |"stack"/.test(JSON.stringify(line)));
  expect(faults).toEqual([]);
}

describe('an odd value', () => {
  it.each(MUTATIONS)('N6, N9, N12: in any field of %s is no fault of ours', { timeout: 120_000 }, async (endpoint) => {
    const fields = endpointFields(contract, endpoint);
    if (fields.length === 0) return;
    const request = await fixtureOf(endpoint).prepare(http);
    for (const field of fields) {
      for (const value of valuesFor(field)) {
        const answer = await sendRaw(endpoint, request, field, value);
        expect(answer.status, `${field.path.join('.')}: ${value.slice(0, 80)} ${answer.text}`).toBeLessThan(500);
      }
    }
    expectNoFault();
  });

  it('N6, N9: that nobody thought of is none either, in any field of any body', { timeout: 120_000 }, async () => {
    const requests = new Map<string, ValidRequest>();
    for (const endpoint of MUTATIONS) requests.set(endpoint, await fixtureOf(endpoint).prepare(http));
    const fields = MUTATIONS.flatMap((endpoint) => endpointFields(contract, endpoint));
    expect(fields.length).toBeGreaterThan(150);
    const text = fc.string({ unit: 'binary', maxLength: 200 }).map((value) => JSON.stringify(value));
    const number = fc.oneof(
      fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    );
    const other = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...fields), fc.oneof(text, number, other), async (field, value) => {
        const request = requests.get(field.endpoint);
        if (!request) throw new Error(field.endpoint);
        const answer = await sendRaw(field.endpoint, request, field, value);
        expect(answer.status, answer.text).toBeLessThan(500);
      }),
      { numRuns: 1_000 },
    );
    expectNoFault();
  });

  it('N8, N9: in a path or a query of any route is no fault of ours', { timeout: 240_000 }, async () => {
    // As bytes: NUL, half a surrogate pair, an overlong NUL, what is no UTF-8, and what is no character.
    const bytes = ['%00', 'a%00b', '%ED%A0%80', '%ED%B0%80x', '%C0%80', '%FF', '%EF%BF%BF', '%', '%u0000', 'é'];
    for (const { route } of declaredRoutes(http.app)) {
      const query: unknown = route.request?.query;
      const names = typeof query === 'object' && query !== null ? Object.keys(objectAt(query, 'shape')) : [];
      const parts = [...route.path.matchAll(/\{(.+?)\}/g)].map(([part]) => part);
      const plain = (path: string): string => path.replaceAll(/\{.+?\}/g, 'stay-1');
      const addresses = bytes.flatMap((value) => [
        ...parts.map((part) => plain(route.path.replace(part, value))),
        ...names.map((name) => `${plain(route.path)}?${name}=${value}`),
        `${plain(route.path)}?${value}=1`,
      ]);
      for (const address of addresses) {
        const call: Call = route.method === 'get' ? {} : { body: {} };
        const answer = await http.call(route.method.toUpperCase(), address, call);
        expect(answer.status, `${route.method} ${address} ${answer.text.slice(0, 300)}`).toBeLessThan(500);
      }
    }
    expectNoFault();
  });
});

describe('an address of a webhook', () => {
  it.each(ADDRESSES)('%j is refused, or read back as it was sent', async (url) => {
    const made = await http.call('POST', `${API}/webhook-endpoints`, { body: { url } });
    if (made.status === 422) {
      expect(['VALIDATION_FAILED', 'WEBHOOK_URL_REFUSED']).toContain(made.body.code);
      return;
    }
    expect(made.status, made.text).toBe(201);
    const read = await http.call('GET', `${API}/webhook-endpoints/${String(at(made.body, 'data', 'id'))}`);
    expect(at(read.body, 'data', 'url')).toBe(url);
    // An accepted address is public, or a name that has none yet.
    expect(new URL(url).protocol).toBe('https:');
    expect(url).not.toMatch(/[\s\\]|@/);
  });
});
