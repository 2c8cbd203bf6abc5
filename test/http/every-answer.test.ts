import type { KyselyPlugin } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { POLICIES } from '../../src/http/policy.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { type Answer, API, type Call, type Http, recordKeeper, startHttp } from './harness.ts';
import { fixtureOf, MUTATIONS, methodOf, prepareWorld, sendTo } from './valid-requests.ts';

/** security.md H2, H4, H5: what every route of the API answers, also when something breaks in it. */

const SECRET = 'secret SELECT name FROM guest; password=hunter2 at 10.0.0.1';
const LEAKS = /secret SELECT|hunter2|10\.0\.0\.1|node_modules|\bat \S+ \(|\.ts:\d/;
/** The statement that breaks, counted from the beginning of a request; null: none. */
let breaksAt: number | null = null;
let asked = 0;
const breaking: KyselyPlugin = {
  transformQuery: ({ node }) => {
    asked += 1;
    if (asked === breaksAt) throw new Error(SECRET);
    return node;
  },
  transformResult: async ({ result }) => result,
};

let http: Http;
const causes: string[] = [];
beforeAll(async () => {
  const keep = (line: object): void => void causes.push(JSON.stringify(line));
  const log = Object.assign(Object.create(createLogger('test', 'silent')), { error: keep });
  http = await startHttp({ closing: AbortSignal.abort(), ports: recordKeeper([]), log }, (db) => ({
    db: db.withPlugin(breaking),
  }));
  await prepareWorld(http.db);
}, 60_000);
afterAll(() => http?.stop());
beforeEach(() => {
  breaksAt = null;
  causes.length = 0;
  http.orchestrator.reset();
});

const READS = Object.keys(POLICIES).filter((name) => name.startsWith(`GET ${API}/`));
const ALL = [...READS, ...MUTATIONS];
const pathOf = (endpoint: string): string => (endpoint.split(' ')[1] ?? '').replaceAll(/:\w+/g, 'nobody');

/** A valid request of an administrator, or one to a record that there is not; `breaks`: the statement of it that does. */
async function ask(endpoint: string, breaks: number | null = null): Promise<Answer> {
  const request = READS.includes(endpoint) ? { path: pathOf(endpoint) } : await fixtureOf(endpoint).prepare(http);
  asked = 0;
  breaksAt = breaks;
  const answer = await sendTo(http, endpoint, request);
  breaksAt = null;
  return answer;
}
const refusedOf = (endpoint: string, call: Call): Promise<Answer> =>
  http.call(methodOf(endpoint), pathOf(endpoint), call);

const malformed = (endpoint: string): Promise<Answer> =>
  READS.includes(endpoint)
    ? http.call('GET', `${pathOf(endpoint)}?nope=1`)
    : refusedOf(endpoint, { raw: '{', headers: { 'content-type': 'application/json' } });

const JSON_UTF8 = 'application/json; charset=utf-8';
const STREAM = `GET ${API}/events/stream`;

describe('every answer of the API', () => {
  it.each(ALL)('H2, H5: is JSON in UTF-8 that nobody keeps: %s', async (endpoint) => {
    const answers = [
      await ask(endpoint),
      await refusedOf(endpoint, { as: null }),
      await refusedOf(endpoint, { as: { scope: 'nothing' } }),
      await malformed(endpoint),
    ];
    expect(answers[0]?.status).toBeLessThan(500);
    expect(answers[1]?.status).toBe(401);
    for (const { status, text, headers } of answers) {
      expect([status, headers.get('cache-control')]).toEqual([status, 'no-store']);
      const isEvents = endpoint === STREAM && status === 200;
      if (!isEvents) expect([status, headers.get('content-type')]).toEqual([status, status === 204 ? null : JSON_UTF8]);
      else expect(headers.get('content-type')).toBe('text/event-stream');
      if (!isEvents && status !== 204) expect(JSON.parse(text)).toHaveProperty('success', status < 400);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
    }
  });

  it.each(ALL)('H4: says nothing of what broke, whichever of its statements it was: %s', async (endpoint) => {
    let broken = 0;
    for (let n = 1; ; n += 1) {
      const before = causes.length;
      const { status, body, text, headers } = await ask(endpoint, n);
      if (asked < n) break;
      expect(text).not.toMatch(LEAKS);
      expect(JSON.stringify([...headers])).not.toMatch(LEAKS);
      if (status < 500) continue;
      broken += 1;
      expect([status, body]).toEqual([
        500,
        {
          success: false,
          error: 'Something went wrong on our side',
          code: 'INTERNAL_ERROR',
          requestId: headers.get('x-request-id'),
        },
      ]);
      expect(causes.slice(before).join()).toContain(String(body.requestId));
    }
    statements.set(endpoint, broken);
  });

  it('H4: broke in nearly every route just now', () => {
    expect([...statements.values()].filter((broken) => broken > 0).length).toBeGreaterThan(ALL.length * 0.8);
  });

  it.each(MUTATIONS)('H4: says nothing of what broke while a saga was accepted: %s', async (endpoint) => {
    http.orchestrator.refusal = new Error(SECRET);
    const { status, text } = await ask(endpoint);
    expect(text).not.toMatch(LEAKS);
    if (status >= 500) expect(text).toContain('"code":"INTERNAL_ERROR"');
  });
});
/** How many statements of a route were broken, each once. */
const statements = new Map<string, number>();
