import { z } from '@hono/zod-openapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CATALOGUE } from '../../src/kernel/errors.ts';
import { type Answer, API, at, declaredRoutes, type Http, recordKeeper, startHttp } from './harness.ts';
import { digestOfEverything, fixtureOf, MUTATIONS, prepareWorld, sendTo } from './valid-requests.ts';

/** The text of a failure, for people and for programs: plain English, and RFC 9457 for those who ask for it. */

let http: Http;
beforeAll(async () => {
  http = await startHttp({ closing: AbortSignal.abort(), ports: recordKeeper([]) });
  await prepareWorld(http.db);
}, 60_000);
afterAll(() => http?.stop());

const JARGON =
  /nonoptional|undefined|Invalid|expected|received|Unrecognized|Too (?:small|big)|\bNaN\b|regex|pattern|\bunion\b|[{}]/i;
const issuesOf = (answer: Answer) => {
  const issues = at(answer.body, 'details', 'issues');
  return (Array.isArray(issues) ? issues : []) as readonly { readonly path: string; readonly message: string }[];
};
function assertPlain(answer: Answer, sent: string): void {
  for (const { path, message } of issuesOf(answer)) {
    expect(message, `${sent} ${path}`).not.toMatch(JARGON);
  }
}
const bodySchemaOf = (endpoint: string): z.ZodObject | null => {
  const found = declaredRoutes(http.app).find(
    ({ route }) => `${route.method.toUpperCase()} ${route.path.replaceAll(/\{(.+?)\}/g, ':$1')}` === endpoint,
  );
  const schema = at(found, 'route', 'request', 'body', 'content', 'application/json', 'schema');
  const inner = schema instanceof z.ZodPipe ? schema.in : schema;
  return inner instanceof z.ZodObject ? inner : null;
};

describe('what is wrong with a request', () => {
  it('is said in plain words of every required field of every route', async () => {
    let tried = 0;
    for (const endpoint of MUTATIONS) {
      const schema = bodySchemaOf(endpoint);
      if (schema === null) continue;
      const request = await fixtureOf(endpoint).prepare(http);
      const before = await digestOfEverything(http.db);
      for (const [name, field] of Object.entries(schema.shape)) {
        if (z.safeParse(field as z.ZodType, undefined).success) continue;
        const { [name]: _left, ...body } = (request.body ?? {}) as Record<string, unknown>;
        const answer = await sendTo(http, endpoint, { ...request, body });
        expect(answer.status, `${endpoint} ${name}: ${answer.text}`).toBe(422);
        expect(issuesOf(answer), `${endpoint} ${name}`).toContainEqual({ path: name, message: 'is required' });
        assertPlain(answer, `${endpoint} without ${name}`);
        tried += 1;
      }
      expect(await digestOfEverything(http.db)).toEqual(before);
    }
    expect(tried).toBeGreaterThan(30);
  }, 60_000);

  it('N6: is said in plain words of every field that is of another kind', async () => {
    let refused = 0;
    for (const endpoint of MUTATIONS) {
      const schema = bodySchemaOf(endpoint);
      if (schema === null) continue;
      const request = await fixtureOf(endpoint).prepare(http);
      const wrongs = [null, true, -1.5, '', 'no such', 'x'.repeat(5_000), [], [{}], [null], {}, { zzz: 1 }];
      for (const name of Object.keys(schema.shape)) {
        for (const wrong of wrongs) {
          const body = { ...((request.body ?? {}) as object), zzz: 1, [name]: wrong };
          const answer = await sendTo(http, endpoint, { ...request, body });
          expect(answer.status, `${endpoint} ${name}: ${answer.text}`).toBe(422);
          assertPlain(answer, `${endpoint} ${name} ${JSON.stringify(wrong).slice(0, 20)}`);
          refused += 1;
        }
      }
    }
    expect(refused).toBeGreaterThan(500);
  }, 120_000);

  it('is said in plain words of every parameter', async () => {
    for (const { route } of declaredRoutes(http.app)) {
      const query = route.request?.query;
      if (route.method !== 'get' || !(query instanceof z.ZodObject) || !route.path.startsWith(API)) continue;
      const path = route.path.replaceAll(/\{.+?\}/g, 'nobody');
      for (const name of Object.keys(query.shape)) {
        for (const wrong of ['', '%20', '-1', '~', 'x'.repeat(2_000)]) {
          assertPlain(await http.call('GET', `${path}?${name}=${wrong}`), `${path} ${name}`);
        }
      }
    }
  }, 60_000);

  it.each([
    [{ email: 'a@example.com' }, [{ path: 'name', message: 'is required' }]],
    [{ name: 1, email: 'a@example.com' }, [{ path: 'name', message: 'must be a text' }]],
    [{ name: null, email: 'a@example.com' }, [{ path: 'name', message: 'must not be null: it must be a text' }]],
    [
      { name: 'A', email: 'nobody' },
      [{ path: 'email', message: 'must be an email address, such as name@example.com' }],
    ],
    [
      { name: 'A', email: 'a@example.com', fone: '+971501234567' },
      [{ path: 'fone', message: 'is not a known field; did you mean "phone"?' }],
    ],
    [{ name: '', email: 'a@example.com' }, expect.arrayContaining([{ path: 'name', message: 'must not be empty' }])],
    [
      { name: 'x'.repeat(201), email: 'a@example.com' },
      [{ path: 'name', message: 'must have at most 200 characters' }],
    ],
  ])('%j', async (body, issues) => {
    expect(issuesOf(await http.call('POST', `${API}/owners`, { body }))).toEqual(issues);
  });

  it('names the choices, and the one that was meant', async () => {
    const staff = { name: 'A', email: 'a@example.com', role: 'CLEANR' };
    expect(issuesOf(await http.call('POST', `${API}/staff`, { body: staff }))).toEqual([
      { path: 'role', message: 'must be one of CLEANER, AGENT, MAINTENANCE_STAFF; did you mean "CLEANER"?' },
    ]);
  });
});

const PROBLEM = 'application/problem+json';
const ask = (method: string, path: string, accept: string, more: object = {}) =>
  http.call(method, path, { ...more, headers: { accept, ...(Reflect.get(more, 'headers') as object | undefined) } });
const problemIn = ({ text }: Answer): Record<string, unknown> => JSON.parse(text);

describe('a problem as RFC 9457', () => {
  it('is what every kind of failure becomes for who asks for it, and the envelope for everybody else', async () => {
    const body = { 'content-type': 'application/json' };
    const failures: readonly (readonly [number, string, string, object])[] = [
      [401, 'GET', `${API}/owners`, { as: null }],
      [403, 'GET', `${API}/owners`, { as: 'CLEANER' }],
      [404, 'GET', '/nope', {}],
      [404, 'GET', `${API}/owners/nobody`, {}],
      [405, 'DELETE', `${API}/owners`, {}],
      [413, 'POST', `${API}/owners`, { raw: 'x'.repeat(70_000), headers: body }],
      [415, 'POST', `${API}/owners`, { raw: 'x', headers: { 'content-type': 'text/plain' } }],
      [400, 'POST', `${API}/owners`, { raw: '{', headers: body }],
      [422, 'POST', `${API}/owners`, { raw: '{}', headers: body }],
      [422, 'GET', `${API}/owners?nope=1`, {}],
    ];
    for (const [status, method, path, call] of failures) {
      const envelope = await http.call(method, path, {
        ...call,
        headers: { 'x-request-id': 'same', ...Reflect.get(call, 'headers') },
      });
      const answer = await ask(method, path, PROBLEM, {
        ...call,
        headers: { 'x-request-id': 'same', ...Reflect.get(call, 'headers') },
      });
      expect([envelope.status, answer.status], path).toEqual([status, status]);
      expect(answer.headers.get('content-type'), path).toBe(PROBLEM);
      expect(answer.headers.get('vary'), path).toContain('Accept');
      const problem = problemIn(answer);
      const code = String(envelope.body.code);
      expect(problem).toMatchObject({
        title: Reflect.get(CATALOGUE, code).text,
        status,
        detail: envelope.body.error,
        code,
        requestId: 'same',
        instance: `${path.split('?')[0]}#same`,
      });
      expect(problem['details']).toEqual(envelope.body['details']);
      expect(String(problem['type'])).toMatch(new RegExp(`/problems/${code}$`));
      for (const name of ['www-authenticate', 'allow', 'content-security-policy', 'x-request-id']) {
        expect(answer.headers.get(name), `${path} ${name}`).toBe(envelope.headers.get(name));
      }
    }
  });

  it('H4: is told to the log as the same failure, of ours too', async () => {
    http.orchestrator.refusal = new Error('secret');
    const answer = await ask('POST', `${API}/reservations/nobody/confirm`, PROBLEM);
    http.orchestrator.refusal = null;
    expect([answer.status, problemIn(answer)['code'], answer.text.includes('secret')]).toEqual([
      500,
      'INTERNAL_ERROR',
      false,
    ]);
  });

  it('names the fields that are wrong by pointers', async () => {
    const answer = await ask('POST', `${API}/owners`, PROBLEM, { body: { name: 'A' } });
    expect(problemIn(answer)['errors']).toEqual([{ detail: 'is required', pointer: '#/email' }]);
  });

  it('is made from the stored answer of a saga as well', async () => {
    const stored = {
      success: false,
      error: 'Payment gateway error',
      code: 'PAYMENT_DECLINED',
      requestId: 'request-1',
      details: { gatewayError: 'DECLINED' },
      sagaExecutionId: 'saga-1',
      failedStep: 'processPayment',
      compensated: true,
    };
    const endpoint = `POST ${API}/reservations/:id/payment`;
    const request = await fixtureOf(endpoint).prepare(http);
    http.orchestrator.end = { status: 402, body: Buffer.from(JSON.stringify(stored)) };
    const envelope = await sendTo(http, endpoint, request);
    const problem = await sendTo(http, endpoint, request, { accept: PROBLEM });
    http.orchestrator.reset();
    expect(envelope.text).toBe(JSON.stringify(stored));
    const { success: _success, error, ...members } = stored;
    expect(problemIn(problem)).toMatchObject({ ...members, detail: error, status: 402 });
    expect([problem.status, problem.headers.get('content-type')]).toEqual([402, PROBLEM]);
  });

  it.each([
    [PROBLEM, true],
    ['application/json, application/problem+json', true],
    ['application/problem+json, */*', true],
    ['application/problem+json;q=0.5, application/json', false],
    ['application/problem+json;q=0.9, application/json;q=0.1', true],
    ['application/problem+json;q=0', false],
    ['application/json', false],
    ['application/*', false],
    ['*/*', false],
    ['text/html', false],
    ['', false],
  ])('by the weights of Accept: %s', async (accept, isProblem) => {
    const answer = await ask('GET', '/nope', accept);
    expect(answer.headers.get('content-type')?.startsWith(PROBLEM)).toBe(isProblem);
  });

  it('has a type that leads to a page, for every code', async () => {
    for (const code of Object.keys(CATALOGUE)) {
      const page = await http.call('GET', `/problems/${code}`, { as: null });
      expect([page.status, page.headers.get('content-type')?.startsWith('text/html')], code).toEqual([200, true]);
      expect(page.text).toContain(code);
    }
    const all = await http.call('GET', '/problems', { as: null });
    expect(all.text.match(/<li>/g)).toHaveLength(Object.keys(CATALOGUE).length);
    expect((await http.call('GET', '/problems/NOPE', { as: null })).status).toBe(404);
  });

  it('H5: leaves successes as they are', async () => {
    const answer = await ask('GET', `${API}/owners`, PROBLEM);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
  });
});
