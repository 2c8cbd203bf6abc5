import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf } from '../../src/http/link-maker.ts';
import { policyOf } from '../../src/http/policy.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLinkSeal } from '../../src/kernel/link-seal.ts';
import { linkTo } from '../setup/links.ts';
import { API, type Call, declaredRoutes, type Http, JWT, seed, startHttp } from './harness.ts';

/** A person who opens an address in a browser reads a page, whatever is wrong with it; programs keep their answers. */

const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };
let http: Http;
let approval: string;
const MADE_BY = textOf({ kind: 'person', principal: 'admin-1', role: 'ADMIN' });
beforeAll(async () => {
  http = await startHttp();
  await seed(http.db);
  const limit = { repairApprovalLimit: { amount: 1, currency: 'AED' } };
  await http.call('PATCH', `${API}/properties/property-1`, { body: limit });
  const task = {
    type: 'MAINTENANCE',
    title: 'Boiler',
    propertyId: 'property-1',
    scheduledDate: '2031-03-01T09:00:00Z',
  };
  const made = await http.call('POST', `${API}/tasks`, { body: { ...task, estimate: { amount: 9, currency: 'AED' } } });
  expect(made.status, made.text).toBe(201);
  const { token } = await http.db.selectFrom('repair_approval').select('token').executeTakeFirstOrThrow();
  approval = linkTo('approval', token);
}, 60_000);
afterAll(() => http?.stop());

const open = (method: string, path: string, more: Call = {}) =>
  http.call(method, path, { as: null, ...more, headers: { ...BROWSER, ...more.headers } });
async function expectPage(method: string, path: string, status: number, more: Call = {}): Promise<string> {
  const answer = await open(method, path, more);
  expect([answer.status, answer.headers.get('content-type')?.toLowerCase()], `${method} ${path}`).toEqual([
    status,
    'text/html; charset=utf-8',
  ]);
  expect(answer.text, path).toMatch(/^<!doctype html>/i);
  expect(answer.text, path).not.toContain('"success"');
  expect(answer.headers.get('content-security-policy'), path).toMatch(/default-src 'none'.*style-src/);
  return answer.text;
}

/** Every address outside the API that somebody without a token may call. */
const forPeople = () =>
  declaredRoutes(http.app)
    .map(({ route }) => ({ method: route.method.toUpperCase(), path: route.path }))
    .filter(
      ({ method, path }) =>
        policyOf(method, path.replaceAll(/\{(.+?)\}/g, ':$1')) === 'anonymous' &&
        !path.startsWith(API) &&
        !/^\/(?:health|readyz|openapi)/.test(path),
    );
const WRONG = ['x', 'A'.repeat(43), `${'A'.repeat(43)}.ics`, '%00', '..%2fx', "'--", 'é', 'a'.repeat(400)];

describe('every address that people open', () => {
  it('is a page', async () => {
    expect(await expectPage('GET', '/', 200)).toMatch(/href="\/work"[\s\S]*href="\/docs"[\s\S]*href="\/problems"/);
    for (const path of ['/docs', '/work', '/problems', '/problems/VALIDATION_FAILED', `/approvals/${approval}`])
      await expectPage('GET', path, 200);
  });

  it('is a page too where the API begins, which leads to what is below it', async () => {
    for (const path of [API, `${API}/`]) {
      expect(await expectPage('GET', path, 404)).toContain('href="/docs"');
      const program = await http.call('GET', path, { as: null, headers: { accept: 'application/json' } });
      expect([program.status, program.body['code']], path).toEqual([404, 'ROUTE_NOT_FOUND']);
    }
  });

  it('is a page too with an address that is wrong, in every place where one can be', async () => {
    let tried = 0;
    for (const { method, path } of forPeople().filter((route) => route.path.includes('{'))) {
      for (const wrong of WRONG) {
        const at = path.replaceAll(/\{.+?\}/g, wrong);
        const answer = await open(method, at);
        expect(answer.status, at).toBeGreaterThanOrEqual(400);
        await expectPage(method, at, answer.status);
        tried += 1;
      }
    }
    expect(tried).toBeGreaterThanOrEqual(40);
  });

  it('is a page too with a query that nobody knows, another method, or beside it', async () => {
    for (const { method, path } of forPeople().filter((route) => !route.path.includes('{')))
      await expectPage(method, `${path}?nope=1`, 422);
    for (const path of ['/', '/docs', '/work', `/approvals/${approval}`]) await expectPage('DELETE', path, 405);
    for (const path of ['/nope', '/favicon.ico', '/work/', '/approvals', '/reports', `/approvals/${approval}/x`])
      await expectPage('GET', path, 404);
  });

  it('says of a link that it does not work, in the language of the browser', async () => {
    for (const path of ['/approvals/short', `/approvals/${'A'.repeat(43)}`, '/reports/x', '/calendar/x.ics']) {
      const answer = await open('GET', path);
      expect(answer.text).toContain('This link does not work');
      expect((await open('GET', path, { headers: { 'accept-language': 'ar-AE,ar;q=0.9' } })).text).toMatch(
        /<html lang="ar" dir="rtl">[\s\S]*هذا الرابط لا يعمل/,
      );
    }
  });

  it('is a page when the database fails', async () => {
    const broken = await startHttp();
    await sql`DROP TABLE repair_approval CASCADE`.execute(broken.db);
    const answer = await broken.call('GET', `/approvals/${'A'.repeat(43)}`, { as: null, headers: BROWSER });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([500, 'text/html; charset=UTF-8']);
    expect(answer.text).toContain('Something went wrong on our side');
    expect(answer.text).toContain(answer.headers.get('x-request-id'));
    await broken.stop();
  });

  it('keeps its answers for programs, and the API keeps them for everybody', async () => {
    for (const path of ['/nope', '/approvals/short', '/reports/x'])
      for (const accept of ['*/*', 'application/json', 'text/html;q=0.1, application/json', 'text/html;q=0'])
        expect((await http.call('GET', path, { as: null, headers: { accept } })).body, path).toMatchObject({
          success: false,
        });
    for (const path of [`${API}/owners`, `${API}/nope`, '/api/nope', '/api'])
      expect((await open('GET', path)).body).toMatchObject({ success: false });
  });
});

describe('a form', () => {
  it('leads back to its page, so that loading that again sends nothing again', async () => {
    const page = `/approvals/${approval}`;
    for (const [action, shown] of [
      ['approve', 'We are having it done'],
      ['approve', 'We are having it done'],
      ['decline', 'We are having it done'],
    ] as const) {
      const answer = await open('POST', `${page}/${action}`);
      expect([answer.status, answer.headers.get('location'), answer.text]).toEqual([303, page, '']);
      expect(await expectPage('GET', page, 200)).toContain(shown);
    }
    const audit = await http.call('GET', `${API}/audit?event=REPAIR_APPROVED`);
    expect(audit.body['data']).toHaveLength(1);
  });
});

describe('the link of a report', () => {
  it('opens nothing when it has ended, is of another kind, or was changed', async () => {
    const { token } = createLinkSeal(JWT.keys, systemClock).seal('check-out-report', 'reservation-1', 600, MADE_BY);
    const past = { now: () => new Date(Date.now() - 601_000) };
    const ended = createLinkSeal(JWT.keys, past).seal('check-out-report', 'reservation-1', 600, MADE_BY).token;
    const foreign = createLinkSeal(JWT.keys, systemClock).seal('something-else', 'reservation-1', 600, MADE_BY).token;
    const changed = Buffer.from(Buffer.from(token, 'base64url').toString('latin1').replace(/-1$/, '-2'), 'latin1');
    for (const wrong of [ended, foreign, changed.toString('base64url'), `${token}A`, token.slice(1)])
      expect(await expectPage('GET', `/reports/${wrong}`, 404)).toContain('This link does not work');
  });
});
