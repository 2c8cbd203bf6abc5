import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/kernel/log.ts';
import { BROWSER_FILES } from '../architecture/sources.ts';
import { API, at, countRows, type Http, startHttp } from './harness.ts';

/** Common handling of every request before and after its route: bodies, ids, headers, logs, failures. */

let http: Http;
let before: Record<string, number>;
const logged: Record<string, unknown>[] = [];
let ready = { ok: true, failing: [] as string[] };

beforeAll(async () => {
  const log = createLogger('test', 'silent');
  const keep = (event: object): void => void logged.push({ ...event });
  const listening = Object.assign(Object.create(log), { info: keep, warn: keep, error: keep, debug: keep });
  http = await startHttp({ log: listening, readiness: async () => ready });
}, 60_000);
afterAll(() => http?.stop());
beforeEach(async () => {
  logged.length = 0;
  before = await countRows(http.db);
});

const post = (raw: NonNullable<RequestInit['body']>, contentType: string | null = 'application/json') =>
  http.call('POST', `${API}/owners`, { raw, headers: contentType === null ? {} : { 'content-type': contentType } });
const unchanged = async (): Promise<void> => expect(await countRows(http.db)).toEqual(before);

describe('a body', () => {
  it.each(['', '{', '{"a":}', '{"a":1,}', "{'a':1}", 'NaN', '\ufeff{}', '{}\u0000', 'undefined'])(
    'N2: that is not JSON is malformed: %j',
    async (raw) => {
      const answer = await post(raw);
      expect([answer.status, answer.body.code]).toEqual([400, 'MALFORMED_REQUEST']);
      await unchanged();
    },
  );

  it('N2: that is not UTF-8 is malformed', async () => {
    for (const bytes of [Buffer.from('{"name":"x"}', 'utf16le'), Buffer.from([0x7b, 0xff, 0x7d])]) {
      expect((await post(bytes)).status).toBe(400);
    }
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json; charset=utf-16',
    'application/jsonp',
    'application/vnd.x+json',
    null,
  ])('N3: of type %s is not read', async (type) => {
    const answer = await post(Buffer.from('{}'), type);
    expect([answer.status, answer.body.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    await unchanged();
  });

  it('N3: of type application/json;charset=UTF-8 is read', async () => {
    expect((await post('{}', 'application/json;charset=UTF-8')).status).toBe(422);
  });

  it('N1: of more than 64 KiB is refused before it is parsed, announced or not', async () => {
    const large = `{"name":"${'x'.repeat(65_536)}"`;
    expect((await post(large)).status).toBe(413);
    const announced = { 'content-type': 'application/json', 'content-length': '65537' };
    expect((await http.call('POST', `${API}/owners`, { raw: '{}', headers: announced })).status).toBe(413);
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += 1;
        controller.enqueue(new Uint8Array(8_192));
      },
    });
    const answer = await post(endless);
    expect([answer.status, answer.body.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    expect(answer.headers.get('connection')).toBe('close');
    expect(sent).toBeLessThan(20);
    await unchanged();
  });

  it('N1: of exactly 64 KiB is read', async () => {
    const frame = '{"name":""}';
    expect((await post(`{"name":"${'x'.repeat(65_536 - frame.length)}"}`)).status).toBe(422);
  });

  it('N4: may be nested twenty levels deep, and no deeper', async () => {
    const nested = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    expect((await post(nested(20))).status).toBe(422);
    expect((await post(nested(21))).status).toBe(400);
    expect((await post('['.repeat(30_000) + ']'.repeat(30_000))).status).toBe(400);
  });

  it('N5: cannot reach a prototype', async () => {
    for (const raw of ['{"__proto__":{"role":"ADMIN"}}', '{"constructor":{"prototype":{"role":"ADMIN"}}}']) {
      expect((await post(raw)).status).toBe(422);
    }
    expect(Reflect.get({}, 'role')).toBeUndefined();
  });

  it.each(['{"name":"\\u0000"}', '{"name":"\\ud800"}', '{"a\\u0000":1}'])(
    'N9: with text that Postgres cannot keep is invalid: %s',
    async (raw) => {
      const answer = await post(raw);
      expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    },
  );

  it('with unknown fields names them', async () => {
    const answer = await http.call('POST', `${API}/owners`, {
      body: { name: 'Olga', email: 'olga@example.com', role: 'ADMIN' },
    });
    expect(answer.status).toBe(422);
    expect(at(answer.body, 'details', 'issues')).toEqual([{ path: 'role', message: 'is not a known field' }]);
    await unchanged();
  });

  it('with very many wrong things is told of some', async () => {
    const body = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`${i}-${'k'.repeat(10)}`, i]));
    const answer = await http.call('POST', `${API}/staff`, { body: { ...body, skills: Array(3_000).fill(1) } });
    expect(answer.status).toBe(422);
    expect(answer.text.length).toBeLessThan(8_000);
  });
});

describe('a request', () => {
  it('H6: to nowhere is told so in the envelope', async () => {
    for (const path of ['/nope', `${API}/nope`, `${API}/owners/a/b`, '/debug', '/.env', '/metrics', '/admin/queues']) {
      const answer = await http.call('GET', path);
      expect([answer.status, answer.body.code], path).toEqual([404, 'ROUTE_NOT_FOUND']);
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    }
  });

  it.each([
    ...[
      '/.git/config',
      '/.git/HEAD',
      '/.env',
      '/.env.local',
      '/.npmrc',
      '/.dockerignore',
      '/.htaccess',
      '/.aws/credentials',
    ],
    ...['/debug', '/debug/pprof', '/debug/vars', '/_debug', '/trace', '/status', '/server-status', '/actuator/env'],
    ...['/metrics', '/api/metrics', '/api/production/metrics', '/health', '/health/live/x', '/readyz/details'],
    ...['/package.json', '/package-lock.json', '/Dockerfile', '/docker-compose.yml', '/tsconfig.json', '/src/api.ts'],
    ...['/node_modules/hono/package.json', '/migrations', '/app.js.map', '/style.css.map', '/work/app.js.map'],
    ...['/docs/try.js.map', '/console/files/live.js.map', '/passkeys/passkeys.js.map', '/work/app.ts', '/docs/page.ts'],
    ...['/swagger', '/graphql', '/phpinfo.php', '/wp-login.php', '/admin', '/console.log', '/backup.sql', '/core'],
    ...['/work/%2e%2e%2fpackage.json', '/docs/..%2f..%2f.env', '/console/files/..%2flive.js', '/coverage/index.html'],
  ])('H6: finds nothing of how it is made and run: %s', async (path) => {
    for (const as of ['ADMIN', null] as const) {
      const answer = await http.call('GET', path, { as });
      expect(answer.status).toBe(404);
      expect(answer.text).not.toMatch(/sourcesContent|"dependencies"|process_cpu|postgres:\/\//);
    }
  });

  it('H7: is led from http to https by nothing, also when a proxy says that it came in the clear', async () => {
    for (const headers of [{ 'x-forwarded-proto': 'http' }, { forwarded: 'proto=http' }]) {
      for (const as of ['ADMIN', null] as const) {
        const answer = await http.call('GET', `${API}/owners`, { as, headers });
        expect([answer.status, answer.headers.get('location')]).toEqual([as === null ? 401 : 200, null]);
      }
    }
  });

  it('H6: links to no source map from what it serves to browsers', () => {
    const linking = [...BROWSER_FILES].filter(([, text]) => /sourceMappingURL/.test(text));
    expect(linking.map(([file]) => file)).toEqual([]);
  });

  it('O1, H6: finds nothing of the operators’ port at the public one', async () => {
    for (const path of ['/ops/queues', '/admin/queues', '/queues', '/queues/api/queues', '/%6fps/queues', '/mailbox']) {
      const answer = await http.call('GET', path);
      expect([answer.status, answer.body.code], path).toEqual([404, 'ROUTE_NOT_FOUND']);
    }
  });

  it('Z15: by a method that an address lacks is told which it has', async () => {
    const answer = await http.call('DELETE', `${API}/owners/owner-1`);
    expect([answer.status, answer.body.code]).toEqual([405, 'METHOD_NOT_ALLOWED']);
    expect(answer.headers.get('allow')).toBe('GET, HEAD, PATCH');
    expect((await http.call('OPTIONS', `${API}/owners`)).status).toBe(405);
    const override = { 'x-http-method-override': 'DELETE' };
    expect((await http.call('GET', `${API}/owners`, { headers: override })).status).toBe(200);
  });

  it('by HEAD is answered like GET, without a body', async () => {
    const answer = await http.call('HEAD', `${API}/owners`);
    expect([answer.status, answer.text]).toEqual([200, '']);
    expect((await http.call('HEAD', `${API}/owners`, { as: null })).status).toBe(401);
  });

  it.each(['..%2fx', '%00', 'a'.repeat(65), '-x', "'%20OR%20'1'%3D'1", '%F0%9F%98%80', '%E2%80%8F'])(
    'N8: with the id %s finds nothing',
    async (id) => {
      const answer = await http.call('GET', `${API}/reservations/${id}`);
      expect([404, 422]).toContain(answer.status);
    },
  );

  it('N13: keeps a safe X-Request-Id and replaces any other', async () => {
    const call = (id: string) => http.call('GET', '/nope', { headers: { 'x-request-id': id } });
    const kept = await call('trace-42.a_b');
    expect(kept.headers.get('x-request-id')).toBe('trace-42.a_b');
    expect(kept.body.requestId).toBe('trace-42.a_b');
    for (const id of ['a b', '"x"', '{"level":60}', 'x'.repeat(129), '-x']) {
      expect((await call(id)).headers.get('x-request-id')).toMatch(/^request-[0-9a-f-]{36}$/);
    }
  });

  it('J16: leaves one line in the log, with its pattern and without its secrets', async () => {
    const sent = { 'x-request-id': 'trace-1' };
    await http.call('GET', `${API}/guests/guest-secret`, { headers: sent, sub: 'agent-1', as: 'AGENT' });
    const lines = logged.filter((line) => line.requestId === 'trace-1');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      method: 'GET',
      route: `${API}/guests/:id`,
      status: 404,
      sub: 'agent-1',
      code: 'NOT_FOUND',
    });
    expect(lines[0]?.ms).toEqual(expect.any(Number));
    await http.call('GET', `${API}/guests`, {
      as: null,
      headers: { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.x' },
    });
    expect(JSON.stringify(logged)).not.toMatch(/eyJ|guest-secret/);
    expect(logged.at(-1)).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'jwt_malformed' });
  });

  it('H1, H2: has its security headers on every answer', async () => {
    const answers = [
      await http.call('GET', `${API}/owners`),
      await http.call('GET', `${API}/owners`, { as: null }),
      await http.call('GET', '/nope'),
      await http.call('GET', '/health/live'),
      await post('{'),
    ];
    for (const { headers } of answers) {
      expect(Object.fromEntries(headers)).toMatchObject({
        'x-content-type-options': 'nosniff',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'no-store',
      });
      expect(headers.has('access-control-allow-origin')).toBe(false);
      expect(headers.has('x-powered-by')).toBe(false);
    }
  });

  it.each(['0', '-1', '101', '1e9', 'abc', '1.5', '', '020'])('N11: with limit=%s is invalid', async (limit) => {
    expect((await http.call('GET', `${API}/owners?limit=${limit}`)).status).toBe(422);
  });

  it.each(['limit=1&limit=2', 'page[]=1', 'limit[]=1', 'role=ADMIN', 'status=OPEN&nope=1'])(
    'N6: with the query %s is invalid',
    async (query) => {
      expect((await http.call('GET', `${API}/owners?${query}`)).status).toBe(422);
    },
  );
});

describe('H4: a failure of ours', () => {
  it('tells the caller nothing, and the log where it was', async () => {
    const secret = new Error('secret SELECT password');
    http.orchestrator.refusal = secret;
    const answer = await http.call('POST', `${API}/reservations/reservation-1/confirm`);
    http.orchestrator.refusal = null;
    expect(answer.status).toBe(500);
    expect(answer.body).toEqual({
      success: false,
      error: 'Something went wrong on our side',
      code: 'INTERNAL_ERROR',
      requestId: answer.headers.get('x-request-id'),
    });
    expect(JSON.stringify(logged.at(-1))).toContain('edge.test');
  });

  it('of the database is a 503 that says when to come back', async () => {
    const lost = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:5432'), { code: 'ECONNREFUSED' });
    http.orchestrator.refusal = lost;
    const answer = await http.call('POST', `${API}/reservations/reservation-1/confirm`);
    http.orchestrator.refusal = null;
    expect([answer.status, answer.body.code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(answer.text).not.toContain('10.0.0.1');
  });
});

describe('H8: health', () => {
  it('is alive without asking anyone', async () => {
    for (const path of ['/health/live', '/healthz']) {
      const answer = await http.call('GET', path, { as: null });
      expect([answer.status, answer.text]).toEqual([200, 'ok']);
    }
  });

  it('is ready while everything it needs is, and says one word', async () => {
    for (const path of ['/health/ready', '/readyz']) {
      ready = { ok: true, failing: [] };
      expect((await http.call('GET', path, { as: null })).text).toBe('ok');
      ready = { ok: false, failing: ['redis'] };
      const answer = await http.call('GET', path, { as: null });
      expect([answer.status, answer.text]).toEqual([503, 'fail']);
      expect(logged).toContainEqual({ failing: ['redis'] });
    }
  });

  it('says what fails once, however often it is asked', async () => {
    const ask = async (...failing: string[]): Promise<void> => {
      ready = { ok: failing.length === 0, failing };
      for (let n = 0; n < 3; n += 1) await http.call('GET', '/health/ready', { as: null });
    };
    await ask();
    const before = logged.length;
    await ask('postgres');
    await ask('postgres', 'redis');
    await ask();
    expect(logged.slice(before).filter((line) => 'failing' in line)).toEqual([
      { failing: ['postgres'] },
      { failing: ['postgres', 'redis'] },
    ]);
  });
});
