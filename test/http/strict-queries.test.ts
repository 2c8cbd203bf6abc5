import { z } from '@hono/zod-openapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../src/http/auth.ts';
import { createTokenVerifier } from '../../src/http/auth.ts';
import { POLICIES } from '../../src/http/policy.ts';
import { createRegister } from '../../src/http/route.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { type Answer, API, at, declaredRoutes, type Http, JWT, recordKeeper, startHttp } from './harness.ts';
import {
  digestOfEverything,
  fixtureOf,
  MUTATIONS,
  prepareWorld,
  SETTLEMENT_FILE,
  STRAY_FIXTURES,
  sendTo,
  type ValidRequest,
} from './valid-requests.ts';

/** A request that asks for something that its route does not know is refused whole, on every route there is. */

let http: Http;
beforeAll(async () => {
  http = await startHttp({ closing: AbortSignal.abort(), ports: recordKeeper([]) });
  await prepareWorld(http.db);
}, 60_000);
afterAll(() => http?.stop());

const issues = (answer: Answer) => at(answer.body, 'details', 'issues');
const and = (path: string, query: string): string => `${path}${path.includes('?') ? '&' : '?'}${query}`;

/** The query schema that a route declares. */
const queryOf = (name: string): z.ZodObject | null => {
  const found = declaredRoutes(http.app).find(
    ({ route }) => `${route.method.toUpperCase()} ${route.path.replaceAll(/\{(.+?)\}/g, ':$1')}` === name,
  );
  const query = found?.route.request?.query;
  return query instanceof z.ZodObject ? query : null;
};
const hasDryRun = (name: string): boolean => 'dryRun' in (queryOf(name)?.shape ?? {});
/** Somebody who may call it at all. */
const roleFor = (name: string): Role => {
  const policy = POLICIES[name];
  return policy === undefined || policy === 'anonymous' || policy.roles.includes('ADMIN')
    ? 'ADMIN'
    : (policy.roles[0] ?? 'ADMIN');
};
const everyRoute = Object.keys(POLICIES).map((name) => {
  const [method = '', pattern = ''] = name.split(' ');
  return { name, method, path: pattern.replaceAll(/:[^/]+/g, 'a'.repeat(43)) };
});

describe('a query that a route does not know', () => {
  it('is tried on every route of the application', () => {
    const registered = http.app.routes.filter((route) => route.method !== 'ALL').map((r) => `${r.method} ${r.path}`);
    expect(new Set(everyRoute.map((route) => route.name))).toEqual(new Set(registered));
    expect(STRAY_FIXTURES).toEqual([]);
  });

  it.each(everyRoute)('N5, N6: is refused by $name, and nothing runs', async ({ name, method, path }) => {
    const before = await digestOfEverything(http.db);
    const accepts = http.orchestrator.accepts.length;
    const queries = ['zzzunknown=1', 'zzzunknown', '=1', '__proto__=1', 'constructor=1', 'zzzunknown=1&zzzunknown=2'];
    if (!hasDryRun(name)) queries.push('dryRun=true');
    for (const query of queries) {
      const answer = await http.call(method, and(path, query), {
        as: roleFor(name),
        ...(method === 'GET' ? {} : { body: {} }),
      });
      expect([answer.status, answer.body.code], `${name}?${query}`).toEqual([422, 'VALIDATION_FAILED']);
      expect(at(issues(answer), 0, 'path'), query).toBe(query.split('=')[0]);
    }
    expect(await digestOfEverything(http.db)).toEqual(before);
    expect(http.orchestrator.accepts).toHaveLength(accepts);
  });

  it.each(MUTATIONS)('refuses a request to %s that is valid without it', async (endpoint) => {
    const request: ValidRequest = await fixtureOf(endpoint).prepare(http);
    const before = await digestOfEverything(http.db);
    const accepts = http.orchestrator.accepts.length;
    for (const query of ['zzzunknown=1', ...(hasDryRun(endpoint) ? [] : ['dryRun=true'])]) {
      const answer = await sendTo(http, endpoint, { ...request, path: and(request.path, query) });
      expect([answer.status, at(issues(answer), 0, 'path')], query).toEqual([422, query.split('=')[0]]);
    }
    expect(await digestOfEverything(http.db)).toEqual(before);
    expect(http.orchestrator.accepts).toHaveLength(accepts);
    // The same without it is done: it was the query that was refused.
    const done = await sendTo(http, endpoint, request);
    expect(done.status, done.text).toBeLessThan(300);
  });

  it('is refused with a settlement file too', async () => {
    const request = await SETTLEMENT_FILE.prepare(http);
    const endpoint = `POST ${API}/financial/reconciliations`;
    const before = await digestOfEverything(http.db);
    expect((await sendTo(http, endpoint, { ...request, path: and(request.path, 'dryRun=true') })).status).toBe(422);
    expect(await digestOfEverything(http.db)).toEqual(before);
    expect((await sendTo(http, endpoint, request)).status).toBe(201);
  });

  it('cannot come with a route: one whose query is not strict is not registered', () => {
    const { app } = http;
    const services = { clock: systemClock } as never;
    const register = createRegister(app, services, createTokenVerifier(JWT, systemClock));
    const route = (query: z.ZodType) =>
      ({ method: 'get', path: '/healthz', request: { query }, responses: {} }) as const;
    const serve = (): Response => new Response();
    for (const query of [z.object({}), z.looseObject({}), z.record(z.string(), z.string()), z.any()]) {
      expect(() => register(route(query) as never, serve)).toThrow('the query of GET /healthz is not a strict object');
    }
  });

  it.each(['name', 'limit', 'cursor'])('names what it may have meant: %s', async (name) => {
    const answer = await http.call('GET', `${API}/sagas?${name.slice(0, -1)}q=1`);
    expect(issues(answer)).toEqual([
      {
        path: `${name.slice(0, -1)}q`,
        message: `is not a query parameter of this address; did you mean "${name}"?`,
      },
    ]);
  });
});

describe('the example of the issue', () => {
  it('a new property with dryRun=true is not entered, and the answer says so', async () => {
    const endpoint = `POST ${API}/properties`;
    const request = await fixtureOf(endpoint).prepare(http);
    const answer = await sendTo(http, endpoint, { ...request, path: `${request.path}?dryRun=true` });
    expect(answer.status).toBe(422);
    expect(issues(answer)).toEqual([
      { path: 'dryRun', message: 'is not supported by this operation: nothing was done' },
    ]);
  });

  it('every act that can be rehearsed answers a plan or its refusal, and leaves nothing behind', async () => {
    const endpoints = MUTATIONS.filter(hasDryRun);
    expect(endpoints.length).toBeGreaterThan(10);
    const plans: string[] = [];
    for (const endpoint of endpoints) {
      const request = await fixtureOf(endpoint).prepare(http);
      const before = await digestOfEverything(http.db);
      const accepts = http.orchestrator.accepts.length;
      const dry = { ...request, path: and(request.path, 'dryRun=true') };
      const planned = await sendTo(http, endpoint, dry, { 'idempotency-key': 'of-a-dry-run' });
      // Some of these requests are only good enough to be accepted: their sagas would be refused later.
      if (planned.status === 200) plans.push(endpoint);
      expect(planned.status, `${endpoint} ${planned.text}`).toBeLessThan(500);
      expect(at(planned.body, 'data', 'dryRun'), endpoint).toBe(planned.status === 200 ? true : undefined);
      expect(planned.headers.get('etag'), endpoint).toBeNull();
      expect(await digestOfEverything(http.db), endpoint).toEqual(before);
      expect(http.orchestrator.accepts).toHaveLength(accepts);
    }
    expect(plans.length, plans.join()).toBeGreaterThan(5);
  }, 60_000);

  it.each(['dryRun=yes', 'dryRun=', 'dryRun', 'dryrun=true', 'dryRun=true&dryRun=true', 'dryRun=true&dryRun=false'])(
    'a cancellation with %s is refused, and nothing is cancelled',
    async (query) => {
      const endpoint = `POST ${API}/reservations/:id/cancel`;
      const request = await fixtureOf(endpoint).prepare(http);
      const before = await digestOfEverything(http.db);
      const accepts = http.orchestrator.accepts.length;
      const answer = await sendTo(http, endpoint, { ...request, path: `${request.path}?${query}` });
      expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
      expect(await digestOfEverything(http.db)).toEqual(before);
      expect(http.orchestrator.accepts).toHaveLength(accepts);
    },
  );
});

describe('a parameter that a route knows', () => {
  it('N6: is refused when it comes twice, on every route that has one', async () => {
    let tried = 0;
    for (const { name: endpoint, method, path } of everyRoute) {
      for (const name of Object.keys(queryOf(endpoint)?.shape ?? {})) {
        const call = { as: roleFor(endpoint), ...(method === 'GET' ? {} : { body: {} }) };
        const answer = await http.call(method, `${path}?${name}=1&${name}=1`, call);
        expect([answer.status, issues(answer)], `${endpoint} ${name}`).toEqual([
          422,
          [{ path: name, message: 'must be given once: send one value' }],
        ]);
        tried += 1;
      }
    }
    expect(tried).toBeGreaterThan(60);
  });

  it('belongs to its kind of body: a period in the query is not that of a JSON reconciliation', async () => {
    const body = { gatewayId: 'sandbox', from: '2024-03-01', to: '2024-03-02' };
    const answer = await http.call('POST', `${API}/financial/reconciliations?from=2024-01-01`, { body });
    expect([answer.status, at(issues(answer), 0, 'path')]).toEqual([422, 'from']);
  });
});

describe('a page that people open from a mail', () => {
  const token = 'a'.repeat(43);
  const offer = 'a'.repeat(64);
  it('ignores what mail programmes add to links', async () => {
    for (const query of ['utm_source=mail&utm_medium=email', 'fbclid=x', 'mc_cid=1', '_hsenc=p2', 'mkt_tok=3']) {
      // There is no such question; the query is not why.
      expect((await http.call('GET', `/approvals/${token}?${query}`, { as: null })).body.code).toBe('TASK_NOT_FOUND');
      expect((await http.call('GET', `/offers/${offer}?${query}`, { as: null })).body.code).toBe('TASK_NOT_FOUND');
      expect((await http.call('GET', `/work?${query}`, { as: null })).status).toBe(200);
      expect((await http.call('GET', `/docs?${query}`, { as: null })).status).toBe(200);
    }
  });

  it('decides nothing by a link that has them: its forms, the API and webhooks refuse them like any other', async () => {
    for (const [method, path] of [
      ['POST', `/approvals/${token}/approve`],
      ['POST', `/offers/${offer}/accept`],
      ['POST', `${API}/webhooks/stripe`],
      ['POST', `${API}/webhooks/twilio`],
      ['GET', `${API}/owners`],
    ] as const) {
      expect((await http.call(method, `${path}?utm_source=mail`)).status, path).toBe(422);
    }
  });
});
