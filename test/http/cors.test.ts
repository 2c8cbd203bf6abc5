import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { API, type Http, startHttp } from './harness.ts';

/** security.md H3: which pages may call the API from a browser. */

const CRM = 'https://crm.example.com';
const EVIL = [
  'https://evil.example',
  'null',
  `${CRM}.evil.example`,
  'https://evil-crm.example.com',
  'http://crm.example.com',
  `${CRM}:8443`,
  `${CRM}/`,
  'HTTPS://CRM.EXAMPLE.COM',
];

let http: Http;
let closed: Http;
beforeAll(async () => {
  http = await startHttp({ corsOrigins: [CRM, 'http://localhost:5173'] });
  closed = await startHttp();
}, 60_000);
afterAll(async () => {
  await http?.stop();
  await closed?.stop();
});

const varies = (headers: Headers): readonly string[] => (headers.get('vary') ?? '').split(', ');
const preflight = (origin: string, method = 'PATCH') =>
  http.call('OPTIONS', `${API}/owners/owner-1`, {
    as: null,
    headers: {
      origin,
      'access-control-request-method': method,
      'access-control-request-headers': 'authorization,content-type,idempotency-key,if-match',
    },
  });

describe('a page of a named origin', () => {
  it('H3: is answered by name, on success, refusal and failure alike, and reads the headers that matter', async () => {
    const answers = [
      await http.call('GET', `${API}/owners`, { headers: { origin: CRM } }),
      await http.call('GET', `${API}/owners/nobody`, { headers: { origin: CRM } }),
      await http.call('GET', `${API}/owners`, { as: null, headers: { origin: CRM } }),
      await http.call('GET', `${API}/nothing`, { headers: { origin: CRM } }),
      await http.call('GET', `${API}/owners/nobody`, { headers: { origin: CRM, accept: 'application/problem+json' } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 401, 404, 404]);
    for (const { headers } of answers) {
      expect(headers.get('access-control-allow-origin')).toBe(CRM);
      expect(headers.has('access-control-allow-credentials')).toBe(false);
      expect(varies(headers)).toContain('Origin');
      expect(headers.get('access-control-expose-headers')?.split(',')).toEqual(
        expect.arrayContaining(['ETag', 'Location', 'Retry-After', 'RateLimit', 'RateLimit-Policy', 'X-Request-Id']),
      );
    }
  });

  it('H3: asks first what it may send, and needs no token for that', async () => {
    const answer = await preflight(CRM);
    expect([answer.status, answer.text]).toEqual([204, '']);
    expect(answer.headers.get('access-control-allow-origin')).toBe(CRM);
    expect(answer.headers.get('access-control-allow-methods')?.split(',')).toContain('PATCH');
    const allowed = answer.headers.get('access-control-allow-headers')?.toLowerCase().split(',');
    for (const name of ['authorization', 'content-type', 'idempotency-key', 'if-match', 'prefer'])
      expect(allowed).toContain(name);
    expect(answer.headers.get('access-control-max-age')).toBe('600');
    expect(varies(answer.headers)).toContain('Origin');
  });
});

describe('a page of any other origin', () => {
  it.each(EVIL)('H3: is not answered by name: %s', async (origin) => {
    for (const answer of [await http.call('GET', `${API}/owners`, { headers: { origin } }), await preflight(origin)]) {
      expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
      expect(varies(answer.headers)).toContain('Origin');
    }
    expect((await preflight(origin)).status).toBe(405);
  });

  it('H3: has no way to what is no API', async () => {
    for (const path of ['/', '/docs', '/openapi.json', '/work', '/health/live'])
      expect(
        (await http.call('GET', path, { as: null, headers: { origin: CRM } })).headers.has(
          'access-control-allow-origin',
        ),
      ).toBe(false);
  });

  it('H3: is not answered at all where none is named', async () => {
    const answer = await closed.call('GET', `${API}/owners`, { headers: { origin: CRM } });
    expect(answer.headers.has('access-control-allow-origin')).toBe(false);
  });
});

describe('CORS_ORIGINS', () => {
  const read = (CORS_ORIGINS: string, NODE_ENV = 'production') =>
    readConfig({
      NODE_ENV,
      PAYMENT_GATEWAYS: 'sandbox',
      DATABASE_URL: 'postgres://localhost/x',
      REDIS_URL: 'redis://localhost',
      JWT_KEYS: 'k1:0123456789abcdef0123456789abcdef',
      SEAL_KEYS: 'k2:fedcba9876543210fedcba9876543210',
      CORS_ORIGINS,
    }).corsOrigins;

  it('H3: is nobody by default, and takes exact origins', () => {
    expect(read('')).toEqual([]);
    expect(read(`${CRM}, http://localhost:5173`)).toEqual([CRM, 'http://localhost:5173']);
    expect(read('*', 'development')).toEqual(['*']);
  });

  it.each([
    '*',
    `${CRM}/`,
    `${CRM}/app`,
    'crm.example.com',
    'https://*.example.com',
    'null',
    'file:///x',
    'https://CRM.example.com',
  ])('H3: refuses %s in production', (text) => {
    expect(() => read(text)).toThrow('CORS_ORIGINS');
  });
});
