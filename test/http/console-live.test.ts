import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccountRow } from '../../src/domain/people/accounts.ts';
import { ROLES } from '../../src/kernel/roles.ts';
import { sessionCookie } from '../../src/kernel/session-cookie.ts';
import { addSaga } from '../setup/ledger.ts';
import { API, type Http, startHttp } from './harness.ts';
import { addPerson, signInByMail } from './people.ts';
import { addIncident, prepareWorld } from './valid-requests.ts';

/** The hints by which open pages of the console keep themselves up to date: who gets them, and when. */

let http: Http;
const sagas = { own: '', foreign: '' };
beforeAll(async () => {
  http = await startHttp();
  await prepareWorld(http.db);
  await http.db
    .insertInto('property')
    .values({ id: 'property-9', name: 'Foreign House', owner_id: 'owner-1', agent_ids: ['agent-9'] })
    .execute();
  for (const [which, property_id] of [
    ['own', 'property-1'],
    ['foreign', 'property-9'],
  ] as const) {
    const id = `stay-${which}`;
    const days = { check_in_date: '2031-05-10', check_out_date: '2031-05-12' };
    await http.db
      .insertInto('reservation')
      .values({
        id,
        property_id,
        guest_id: 'guest-1',
        ...days,
        total_minor: 1,
        currency: 'AED',
        status: 'PENDING',
        created_by: 'x',
      })
      .execute();
    sagas[which] = await addSaga(http.db, { name: 'checkIn', subjectId: id, status: 'parked' });
  }
}, 60_000);
afterAll(() => http?.stop());

/** One of each role: an agent is a member of staff, who has one account. */
const signedIn = remembered(async (role: AccountRow['role']) => {
  const account = await addPerson(http.db, role, role === 'AGENT' ? { staffId: 'agent-1' } : {});
  const browser = await signInByMail(http.app, http.db, account.email);
  await sql`UPDATE session SET mfa_at = now() WHERE account_id = ${account.id}`.execute(http.db);
  return { account, cookie: `${sessionCookie(false)}=${browser.key}` };
});
function remembered<Key, Value>(make: (key: Key) => Promise<Value>): (key: Key) => Promise<Value> {
  const known = new Map<Key, Promise<Value>>();
  return (key) => {
    const value = known.get(key) ?? make(key);
    known.set(key, value);
    return value;
  };
}
async function follow(cookie: string, query: string) {
  const answer = await http.app.request(`/console/live?${query}`, { headers: { cookie } });
  const reader = answer.body?.getReader();
  let text = '';
  const isStream = answer.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  const ended = (async () => {
    for (;;) {
      const part = await reader?.read().catch(() => undefined);
      if (!part || part.done) return;
      text += Buffer.from(part.value).toString();
    }
  })();
  return {
    status: answer.status,
    isStream,
    text: () => text,
    hints: () => text.match(/event: changed/g)?.length ?? 0,
    ended,
    close: async () => reader?.cancel().catch(() => undefined),
  };
}
/** The GET of the API that decides. */
const DECIDES: Readonly<Record<string, string>> = {
  'about=day': '/day',
  'about=incidents': '/incidents',
  'about=system': '/sweep-failures',
  'about=stay&of=stay-own': '/reservations/stay-own/timeline',
  'about=stay&of=stay-foreign': '/reservations/stay-foreign/timeline',
  'about=stay&of=none': '/reservations/none/timeline',
  'about=stay': '/reservations/none/timeline',
  'about=saga&of=none': '/sagas/executions/none',
};

it.each(ROLES)('are for those who may read the page: %s', async (role) => {
  const { account, cookie } = await signedIn(role);
  const cases = {
    ...DECIDES,
    [`about=saga&of=${sagas.own}`]: `/sagas/executions/${sagas.own}`,
    [`about=saga&of=${sagas.foreign}`]: `/sagas/executions/${sagas.foreign}`,
  };
  for (const [query, path] of Object.entries(cases)) {
    const { status } = await http.call('GET', `${API}${path}`, { as: role, sub: account.principal });
    const opened = await follow(cookie, query);
    expect([role, query, opened.status]).toEqual([role, query, status === 403 ? 303 : status]);
    expect([role, query, opened.isStream]).toEqual([role, query, status === 200]);
    await opened.close();
  }
});

it('are for nobody who is not signed in', async () => {
  expect((await http.app.request('/console/live?about=day')).status).toBe(303);
});

describe('a page', () => {
  const change = (id: string) =>
    http.db
      .updateTable('reservation')
      .set({ version: sql`version + 1` as never, notes: 'changed' })
      .where('id', '=', id)
      .execute();

  it('is told at once, and then when something of it has changed, and nothing but that', async () => {
    const { cookie } = await signedIn('AGENT');
    const [day, own, saga] = [
      await follow(cookie, 'about=day'),
      await follow(cookie, 'about=stay&of=stay-own'),
      await follow(cookie, `about=saga&of=${sagas.own}`),
    ];
    const all = [day, own, saga];
    for (const page of all) await expect.poll(page.hints, { timeout: 10_000 }).toBe(1);
    await change('stay-foreign');
    await expect.poll(day.hints, { timeout: 10_000 }).toBe(2);
    await change('stay-own');
    await expect.poll(own.hints, { timeout: 10_000 }).toBe(2);
    await http.db.updateTable('saga').set({ status: 'running' }).where('id', '=', sagas.own).execute();
    await http.db.updateTable('saga').set({ status: 'parked' }).where('id', '=', sagas.own).execute();
    await expect.poll(saga.hints, { timeout: 10_000 }).toBe(2);
    for (const page of all) {
      expect(page.text().replaceAll(/event: changed\ndata: \n\n|: \n\n/g, '')).toBe('');
      await page.close();
    }
  });

  it('of incidents is told when one begins and when it ends, and so is the day', async () => {
    const { cookie } = await signedIn('ADMIN');
    const pages = [await follow(cookie, 'about=incidents'), await follow(cookie, 'about=day')];
    for (const page of pages) await expect.poll(page.hints, { timeout: 10_000 }).toBe(1);
    const id = await addIncident(http);
    for (const page of pages) await expect.poll(page.hints, { timeout: 10_000 }).toBe(2);
    await sql`UPDATE incident SET closed_at = now(), closed_by = 'watchdog' WHERE id = ${id}`.execute(http.db);
    for (const page of pages) await expect.poll(page.hints, { timeout: 10_000 }).toBe(3);
    for (const page of pages) await page.close();
  });

  it('is told nothing more once its session has ended', { timeout: 20_000 }, async () => {
    const { account, cookie } = await signedIn('OPS');
    const page = await follow(cookie, 'about=incidents');
    await expect.poll(page.hints, { timeout: 10_000 }).toBe(1);
    expect((await http.call('DELETE', `${API}/accounts/${account.id}/sessions`)).status).toBeLessThan(300);
    await page.ended;
  });
});

it('come with a script of our own origin, which has a tag, and no other runs', async () => {
  const { cookie } = await signedIn('ADMIN');
  const page = await http.app.request('/console/today', { headers: { cookie } });
  expect(page.headers.get('content-security-policy')).toContain("script-src 'self';");
  const text = await page.text();
  expect(text.match(/<script[^>]*>/g)).toEqual(['<script type="module" src="/console/files/live.js">']);
  // The script, and what it imports: htmx with its extension for streams, as they are published.
  for (const name of ['live.js', 'htmx.js', 'hx-sse.js']) {
    const script = await http.app.request(`/console/files/${name}`);
    expect(script.headers.get('content-type')).toContain('text/javascript');
    const again = await http.app.request(`/console/files/${name}`, {
      headers: { 'if-none-match': script.headers.get('etag') ?? '' },
    });
    expect(again.status).toBe(304);
  }
  expect((await http.app.request('/console/files/frame.ts')).status).toBe(404);
});
