import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVENT_TYPES } from '../../src/domain/events/catalogue.ts';
import type { AccountRow } from '../../src/domain/people/accounts.ts';
import type { WebhookOutcome } from '../../src/domain/ports.ts';
import { newId } from '../../src/kernel/ids.ts';
import { API, at, type Http, startHttp } from './harness.ts';
import { addPerson, signInByMail } from './people.ts';
import { prepareWorld } from './valid-requests.ts';

/** The page of those who write programs: events, endpoints with their calls, keys, and who asked for what. */

const PATH = '/console/developers';
let http: Http;
/** What the next call of an endpoint comes to. */
let outcome: WebhookOutcome = { taken: true, statusCode: 204, reason: null, ms: 12 };
const called: string[] = [];
beforeAll(async () => {
  http = await startHttp({
    webhooks: {
      refusalOf: async () => null,
      send: async ({ id }) => {
        called.push(id);
        return outcome;
      },
    },
  });
  await prepareWorld(http.db);
}, 60_000);
afterAll(() => http?.stop());

async function signedIn(role: AccountRow['role'], isFresh = true) {
  const account = await addPerson(http.db, role);
  const browser = await signInByMail(http.app, http.db, account.email);
  const mfaAt = isFresh ? sql`now()` : sql`now() - interval '1 hour'`;
  await sql`UPDATE session SET mfa_at = ${mfaAt} WHERE account_id = ${account.id}`.execute(http.db);
  return { browser, principal: account.principal };
}
async function addEndpoint(): Promise<string> {
  const id = newId('endpoint');
  const row = { id, url: `https://example.com/${id}`, secret: 'whsec_b2xk', next_seq: 1, created_by: 'x' };
  await http.db.insertInto('webhook_endpoint').values(row).execute();
  await http.db
    .insertInto('webhook_attempt')
    .values({ endpoint_id: id, seq: 1, type: 'guest.created', attempt: 3, status_code: 503, reason: null, ms: 70 })
    .execute();
  return id;
}

it('shows what has happened, types, endpoints and, to administrators, keys', async () => {
  const id = await addEndpoint();
  const key = await http.call('POST', `${API}/api-keys`, {
    body: {
      name: 'Channel <manager>',
      scopes: ['events:read'],
      expiresAt: new Date(Date.now() + 86_400_000).toISOString(),
    },
  });
  const secret = String(at(key.body, 'data', 'key'));
  const { text } = await (await signedIn('ADMIN')).browser.get(PATH);
  for (const type of EVENT_TYPES) expect(text).toContain(type);
  expect(text).toContain(`${PATH}/endpoints/${id}`);
  expect(text).toContain('Channel &lt;manager&gt;');
  expect(text).toContain(secret.slice(0, 12));
  expect(text).not.toContain(secret);
  expect(text).toContain('hx-sse:connect="/console/live?about=developers"');
  const ops = (await (await signedIn('OPS')).browser.get(PATH)).text;
  expect(ops).toContain(`${PATH}/endpoints/${id}`);
  expect(ops).not.toContain('Channel');
});

it('chooses events by their type', async () => {
  await http.db.insertInto('owner').values({ id: 'owner-new', name: 'O', email: 'o@x.example' }).execute();
  await http.db.insertInto('guest').values({ id: 'guest-new', name: 'G', email: 'g@x.example' }).execute();
  const { browser } = await signedIn('OPS');
  const { text } = await browser.get(`${PATH}?type=owner.created`);
  expect(text).toContain('owner-new');
  expect(text).not.toContain('guest-new');
});

describe('an endpoint', () => {
  it('shows its calls, and is tested, replayed and given another secret, each once for each press', async () => {
    const id = await addEndpoint();
    const { browser, principal } = await signedIn('ADMIN');
    const page = `${PATH}/endpoints/${id}`;
    const { text } = await browser.get(page);
    expect(text).toContain('503');
    for (const act of ['test', 'replay', 'rotate-secret']) expect(text).toContain(`action="${page}/${act}"`);
    expect(text).not.toContain(`action="${page}/enable"`);
    const before = called.length;
    for (let n = 0; n < 2; n += 1)
      expect((await browser.post(`${page}/test`, { key: 'press-1' })).text).toContain('204');
    expect(called.length).toBe(before + 1);
    outcome = { taken: false, statusCode: null, reason: 'TIMEOUT', ms: 5_000 };
    expect((await browser.post(`${page}/test`, { key: 'press-2' })).text).toContain('TIMEOUT');
    await http.db.updateTable('webhook_endpoint').set({ next_seq: 3 }).where('id', '=', id).execute();
    expect((await browser.post(`${page}/replay`, { key: 'press-3', afterSeq: '0' })).text).toContain('Send again');
    const { next_seq } = await http.db
      .selectFrom('webhook_endpoint')
      .select('next_seq')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    expect(next_seq).toBe(1);
    expect((await browser.post(`${page}/replay`, { key: 'press-4', afterSeq: '999999' })).text).toContain(
      'role="alert"',
    );
    const rotated = await browser.post(`${page}/rotate-secret`, { key: 'press-5' });
    expect(rotated.text).toMatch(/whsec_[A-Za-z0-9+/=]+/);
    expect(rotated.headers.get('cache-control')).toContain('no-store');
    expect((await browser.get(page)).text).not.toContain('whsec_');
    const { body } = await http.call('GET', `${API}/audit?actor=${principal}&limit=50`);
    expect(JSON.stringify(body.data)).toContain('WEBHOOK');
  });

  it('asks for a second factor where the API does, and offers each role what it may', async () => {
    const id = await addEndpoint();
    const page = `${PATH}/endpoints/${id}`;
    const ops = (await signedIn('OPS')).browser;
    const { text } = await ops.get(page);
    expect(text).toContain(`${page}/replay`);
    expect(text).not.toContain('rotate-secret');
    expect((await ops.post(`${page}/rotate-secret`, { key: 'press-6' })).status).toBe(303);
    const stale = (await signedIn('ADMIN', false)).browser;
    const refused = await stale.post(`${page}/rotate-secret`, { key: 'press-7' });
    expect(refused.text).toContain('/account/second-factor');
    expect(refused.text).not.toContain('whsec_');
  });
});

it('replaces a key by a new one, which it shows once', async () => {
  const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
  const made = await http.call('POST', `${API}/api-keys`, {
    body: { name: 'Old', scopes: ['events:read'], expiresAt },
  });
  const page = `${PATH}/keys/${String(at(made.body, 'data', 'id'))}`;
  const { browser } = await signedIn('ADMIN');
  const until = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);
  const { text } = await browser.post(`${page}/rotate`, { key: 'press-8', expiresAt: until });
  const key = /<code class="secret"[^>]*>(rk_[^<]+)<\/code>/.exec(text)?.[1];
  expect(key).toBeDefined();
  const asked = await http.app.request(`${API}/events?limit=1`, { headers: { authorization: `Bearer ${key}` } });
  expect(asked.status).toBe(200);
  expect((await browser.get(page)).text).not.toContain(String(key));
  expect((await browser.post(`${page}/rotate`, { key: 'press-9', expiresAt: 'never' })).text).toContain('role="alert"');
  expect((await (await signedIn('OPS')).browser.get(page)).status).toBe(303);
});

describe('the log of requests', () => {
  it('finds what one request did, by the id that its answer had, and by whom', async () => {
    const made = await http.call('POST', `${API}/owners`, {
      sub: 'maker-1',
      body: { name: 'New', email: 'new@example.com' },
    });
    const requestId = made.headers.get('x-request-id') ?? '';
    await http.call('POST', `${API}/owners`, { sub: 'maker-2', body: { name: 'Other', email: 'other@example.com' } });
    const { body } = await http.call('GET', `${API}/audit?requestId=${requestId}`);
    expect(body.data).toMatchObject([{ requestId, userId: 'maker-1' }]);
    const { browser } = await signedIn('OPS');
    const byId = (await browser.get(`${PATH}/requests?requestId=${requestId}`)).text;
    expect([byId.includes('maker-1'), byId.includes('maker-2')]).toEqual([true, false]);
    const byActor = (await browser.get(`${PATH}/requests?requestId=&actor=maker-2&event=`)).text;
    expect([byActor.includes('maker-1'), byActor.includes('maker-2')]).toEqual([false, true]);
  });

  it('finds one whose id somebody else chose within ten minutes of when it is said to have been', async () => {
    const headers = { 'x-request-id': 'mine-1' };
    await http.call('POST', `${API}/owners`, { headers, body: { name: 'Mine', email: 'mine@example.com' } });
    const find = async (query: string) => (await http.call('GET', `${API}/audit?requestId=${query}`)).body.data;
    expect(await find('mine-1')).toMatchObject([{ requestId: 'mine-1' }]);
    const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
    expect(await find(`mine-1&from=${ago(1)}`)).toMatchObject([{ requestId: 'mine-1' }]);
    expect(await find(`mine-1&from=${ago(60)}`)).toEqual([]);
    expect(await find(`mine-2&from=${ago(1)}`)).toEqual([]);
    const { browser } = await signedIn('ADMIN');
    expect((await browser.get(`${PATH}/requests?requestId=mine-1`)).text).toContain('admin-1');
  });
});
