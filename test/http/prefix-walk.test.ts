import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { POLICIES } from '../../src/http/policy.ts';
import { type Http, recordKeeper, startHttp, tokenFor } from './harness.ts';
import { fixtureOf, MUTATIONS, methodOf, prepareWorld } from './valid-requests.ts';

/** Under https://host/roomy every address that is answered leads back, on every route; and no header of a caller names it. */

const PREFIX = '/roomy';
const PUBLIC = `https://host.example${PREFIX}`;
/** Headers of a proxy, or of somebody who pretends to be one. */
const FORWARDED = {
  'x-forwarded-host': 'evil.example',
  'x-forwarded-proto': 'gopher',
  'x-forwarded-for': '203.0.113.66',
  'x-forwarded-prefix': '/evil',
  forwarded: 'for=203.0.113.66;host=evil.example;proto=gopher',
  'x-request-id': 'walk-1',
};
let http: Http;
let token: string;
beforeAll(async () => {
  http = await startHttp({ publicUrl: PUBLIC, closing: AbortSignal.abort(), ports: recordKeeper([]) });
  await prepareWorld(http.db);
  token = await tokenFor({ role: 'ADMIN' }, 'admin-1');
}, 60_000);
afterAll(() => http?.stop());

async function ask(method: string, path: string, headers: Record<string, string>, body?: unknown, own = token) {
  const answer = await http.app.request(`http://evil.example${PREFIX}${path}`, {
    method,
    headers: { authorization: `Bearer ${own}`, ...FORWARDED, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}
/** Every address in an answer: of headers, of links in JSON, and of a page. */
function addressesIn(headers: Headers, text: string): string[] {
  const html = (headers.get('content-type') ?? '').startsWith('text/html');
  const inText = html
    ? [...text.matchAll(/ (?:href|src|action)="(\/[^"]*)"/g)].map(([, at]) => at ?? '')
    : [...text.matchAll(/"(?:self|href|url|link)":"(\/[^"]*)"/g)].map(([, at]) => at ?? '');
  return [headers.get('location'), headers.get('content-location'), ...inText].filter(
    (at) => at !== null && at !== '',
  ) as string[];
}
function assertLeadsBack(name: string, answer: Awaited<ReturnType<typeof ask>>): number {
  const all = [...answer.headers].map(([key, value]) => `${key}: ${value}`).join('\n') + answer.text;
  expect(all, name).not.toMatch(/evil|gopher|203\.0\.113\.66/);
  expect(answer.headers.get('x-request-id'), name).toBe('walk-1');
  const addresses = addressesIn(answer.headers, answer.text);
  for (const at of addresses)
    expect(at.startsWith(`${PREFIX}/`) || at.startsWith(`${PUBLIC}/`), `${name}: ${at}`).toBe(true);
  return addresses.length;
}

describe('what is answered leads back', () => {
  // The document and its page show examples; their own addresses are tried in the tests of the docs page.
  const SHOWN = ['GET /openapi.json', 'GET /docs'];
  const reads = Object.keys(POLICIES).filter((name) => methodOf(name) === 'GET' && !SHOWN.includes(name));
  it('by every read', async () => {
    for (const name of reads) {
      const path = (name.split(' ')[1] ?? '').replaceAll(/:[^/]+/g, 'owner-1');
      const answer = await ask('GET', path, {});
      expect(answer.status, name).toBeLessThan(500);
      assertLeadsBack(name, answer);
    }
  });

  it('by every mutation', async () => {
    let addresses = 0;
    for (const endpoint of MUTATIONS) {
      const { path, body, headers = {}, as, sub = 'admin-1' } = await fixtureOf(endpoint).prepare(http);
      // What is somebody's own is asked for by that person.
      const own = as === 'OPS' ? await tokenFor({ role: as }, sub) : token;
      const json = body === undefined ? {} : { 'content-type': 'application/json' };
      const answer = await ask(
        methodOf(endpoint),
        path,
        { ...json, ...(headers as Record<string, string>) },
        body,
        own,
      );
      expect(answer.status, `${endpoint} ${answer.text}`).not.toBe(404);
      addresses += assertLeadsBack(endpoint, answer);
    }
    expect(addresses).toBeGreaterThan(15);
  });
});
