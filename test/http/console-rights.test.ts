import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AccountRow } from '../../src/domain/people/accounts.ts';
import { POLICIES } from '../../src/http/policy.ts';
import { addSaga } from '../setup/ledger.ts';
import { API, type Http, startHttp } from './harness.ts';
import { addPerson, type Browser, signInByMail } from './people.ts';
import { addIncident, prepareWorld } from './valid-requests.ts';

/** Every page of the console × every role × an own, a foreign and an absent id: nothing is shown that the API would not show. */

let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await prepareWorld(http.db);
  await http.db
    .insertInto('property')
    .values({ id: 'property-9', name: 'Foreign House', owner_id: 'owner-1', agent_ids: ['agent-9'] })
    .execute();
  // Not the name that stands in the examples of the texts.
  await http.db.updateTable('guest').set({ name: 'Own Guest' }).where('id', '=', 'guest-1').execute();
  await http.db.insertInto('guest').values({ id: 'guest-9', name: 'Foreign Guest', email: 'f@example.com' }).execute();
  for (const [which, guest] of [
    ['own', 'guest-1'],
    ['foreign', 'guest-9'],
  ] as const) {
    await addStay(`stay-${which}`, which === 'own' ? 'property-1' : 'property-9', guest);
    IDS[which].sagas = await addSaga(http.db, { name: 'checkIn', subjectId: `stay-${which}`, status: 'parked' });
    IDS[which].messages = await addMessage(`stay-${which}`, guest);
    IDS[which].incidents = await addIncident(http);
  }
  for (const which of ['own', 'foreign'] as const) {
    IDS[which].tasks = await addTask(`stay-${which}`, which === 'own' ? 'property-1' : 'property-9');
    const staff = { id: `staff-${which}`, name: 'Nina', email: `${which}@example.com`, role: 'CLEANER' as const };
    await http.db
      .insertInto('staff')
      .values({ ...staff, property_ids: [which === 'own' ? 'property-1' : 'property-9'] })
      .execute();
    IDS[which].staff = staff.id;
  }
  await http.db
    .insertInto('webhook_endpoint')
    .values({ id: 'endpoint-1', url: 'https://example.com/hook', secret: 'whsec_x', next_seq: 1, created_by: 'x' })
    .execute();
  await http.db
    .insertInto('api_key')
    .values({
      id: 'key-1',
      name: 'Machine',
      prefix: 'rk_live_x',
      key_hash: Buffer.alloc(32),
      scopes: ['events:read'],
      created_by: 'x',
      expires_at: new Date(Date.now() + 86_400_000),
    })
    .execute();
  await http.db.updateTable('incident').set({ area: 'ENGINE' }).where('id', '=', IDS.foreign.incidents).execute();
}, 60_000);
afterAll(() => http?.stop());

/** Every text belongs to the agency. */
const TEXT = 'reservation-confirmed.guest@1';
type Noun =
  | 'stays'
  | 'sagas'
  | 'messages'
  | 'incidents'
  | 'tasks'
  | 'staff'
  | 'metrics'
  | 'texts'
  | 'endpoints'
  | 'keys';
type Which = 'own' | 'foreign' | 'absent';
const IDS: Record<Which, Record<Noun, string>> = {
  own: {
    stays: 'stay-own',
    sagas: '',
    messages: '',
    incidents: '',
    tasks: '',
    staff: '',
    metrics: 'payments',
    texts: TEXT,
    endpoints: 'endpoint-1',
    keys: 'key-1',
  },
  // Endpoints and keys are nobody's own.
  foreign: {
    stays: 'stay-foreign',
    sagas: '',
    messages: '',
    incidents: '',
    tasks: '',
    staff: '',
    metrics: 'payouts',
    texts: TEXT,
    endpoints: 'endpoint-1',
    keys: 'key-1',
  },
  absent: {
    stays: 'none',
    sagas: 'none',
    messages: 'none',
    incidents: 'none',
    tasks: 'none',
    staff: 'none',
    metrics: 'none',
    texts: 'none-such.guest@1',
    endpoints: 'none',
    keys: 'none',
  },
};
/** The GET of the API that decides about a page, by its address below the console. */
const DECIDES: Readonly<Record<string, (id: string) => string>> = {
  '/find': () => '/search?q=own',
  '/today': () => `/day?date=${DATE}`,
  '/incidents': () => '/incidents',
  '/incidents/:id': (id) => `/incidents/${id}`,
  '/sagas': () => '/sagas',
  '/sagas/:id': (id) => `/sagas/executions/${id}`,
  '/messages': () => '/notifications',
  '/messages/:id': (id) => `/notifications/${id}`,
  '/stays/:id': (id) => `/reservations/${id}/timeline`,
  '/texts': () => '/templates',
  '/texts/:key': (key) => `/templates/${key}`,
  '/tasks/:id': (id) => `/tasks/${id}`,
  '/staff': () => '/staff',
  '/staff/:id': (id) => `/staff/${id}`,
  '/metrics': () => '/analytics/payments',
  '/metrics/:id': (id) => `/analytics/${id}`,
  '/system': () => '/sweep-failures',
  '/developers': () => '/webhook-endpoints',
  '/developers/requests': () => '/audit',
  '/developers/endpoints/:id': (id) => `/webhook-endpoints/${id}`,
  '/developers/keys/:id': (id) => `/api-keys/${id}`,
};
const DATE = '2031-05-10';
/** With these there is something on the page. */
const QUERIES: Readonly<Record<string, string>> = { '/today': `?date=${DATE}`, '/find': '?q=own' };
/** No pages: a script, and hints that have nothing in them (`console-live.test.ts`). */
const NO_PAGES: readonly string[] = ['/live', '/files/:file'];
const PAGES = Object.keys(POLICIES)
  .flatMap((name) => /^GET \/console(\/.+)$/.exec(name)?.[1] ?? [])
  .filter((page) => !NO_PAGES.includes(page));
const ROLES = ['ADMIN', 'FINANCE', 'OPS', 'AGENT', 'OWNER', 'GUEST', 'CLEANER', 'MAINTENANCE_STAFF'] as const;

async function addStay(id: string, property_id: string, guest_id: string): Promise<void> {
  const stay = { id, property_id, guest_id, check_in_date: DATE, check_out_date: '2031-05-12', created_by: 'test' };
  await http.db
    .insertInto('reservation')
    .values({ ...stay, total_minor: 123_400, currency: 'AED', status: 'CONFIRMED' })
    .execute();
}
async function addTask(reservation_id: string, property_id: string): Promise<string> {
  const id = `task-of-${reservation_id}`;
  const times = { scheduled_at: new Date('2031-05-10T08:00:00Z'), ends_at: new Date('2031-05-10T10:00:00Z') };
  await http.db
    .insertInto('task')
    .values({
      id,
      type: 'CLEANING',
      occurrence: id,
      title: 'A task',
      property_id,
      reservation_id,
      status: 'UNASSIGNED',
      ...times,
    })
    .execute();
  return id;
}
async function addMessage(reservation_id: string, recipient_id: string): Promise<string> {
  const id = `notification-of-${reservation_id}`;
  await http.db
    .insertInto('notification')
    .values({
      id,
      effect_key: id,
      reservation_id,
      event: 'RESERVATION_CONFIRMED',
      template: 'reservation-confirmed.guest@1',
      channel: 'EMAIL',
      recipient_type: 'GUEST',
      recipient_id,
      params: '{}',
      status: 'FAILED',
    })
    .execute();
  await http.db
    .insertInto('notification_content')
    .values({ notification_id: id, subject: 'Welcome', body: 'Words of the letter' })
    .execute();
  return id;
}
async function signedIn(role: AccountRow['role'], staffId?: string) {
  const account = await addPerson(http.db, role, staffId === undefined ? {} : { staffId });
  const browser = await signInByMail(http.app, http.db, account.email);
  await sql`UPDATE session SET mfa_at = now() WHERE account_id = ${account.id}`.execute(http.db);
  return { browser, principal: account.principal };
}

it('knows which answer of the API decides about each page', () => {
  expect(Object.keys(DECIDES).toSorted()).toEqual(PAGES.toSorted());
});

/** What must not be on a page of somebody who may not ask for it. */
const SECRETS: readonly (readonly [words: RegExp, path: string, field: string])[] = [
  [/Own Guest|Foreign Guest/, '/guests', 'name'],
  [/1,234\.00/, '/transactions', 'amount'],
  [/Words of the letter/, `/notifications/notification-of-stay-own/content`, 'body'],
];

it.each(ROLES)('shows %s what the API shows, page by page', async (role) => {
  const { browser, principal } = await signedIn(role, role === 'AGENT' ? 'agent-1' : undefined);
  const ask = (path: string) => http.call('GET', `${API}${path}`, { as: role, sub: principal });
  const wrong: string[] = [];
  let shown = '';
  for (const page of PAGES) {
    for (const which of ['own', 'foreign', 'absent'] as const) {
      const noun = (/\/(\w+)\/:\w+/.exec(page)?.[1] ?? 'stays') as Noun;
      const id = IDS[which][noun] ?? '';
      const expected = (await ask(DECIDES[page]?.(id) ?? '')).status;
      const query = QUERIES[page] ?? '';
      const { status, text } = await browser.get(`/console${page.replace(/:(?:id|key)/, id)}${query}`);
      // Whom the API refuses is led to their own pages.
      if (status !== (expected === 403 ? 303 : expected)) wrong.push(`${page} ${which}: ${status}, API ${expected}`);
      if (status === 200) shown += text;
      if (!page.includes(':')) break;
    }
  }
  expect(wrong).toEqual([]);
  for (const [words, path] of SECRETS) {
    const { status } = await ask(path);
    if (status !== 200) expect(shown, `${role} ${path}`).not.toMatch(words);
  }
  if (role === 'ADMIN') for (const [words] of SECRETS) expect(shown).toMatch(words);
  if (role === 'AGENT') expect(shown).not.toMatch(/Foreign|stay-foreign/);
});

it('lets nobody act by a form on what they could not act on by the API', async () => {
  const forms = Object.keys(POLICIES).flatMap(
    (name) => /^POST \/console(\/[a-z]+\/:id\/[a-z-]+)$/.exec(name)?.[1] ?? [],
  );
  expect(forms.length).toBeGreaterThan(8);
  const people: [string, Browser][] = [];
  for (const role of ['OWNER', 'GUEST', 'CLEANER', 'MAINTENANCE_STAFF'] as const)
    people.push([role, (await signedIn(role)).browser]);
  const stranger = (await signedIn('AGENT')).browser;
  http.orchestrator.reset();
  for (const form of forms) {
    const id = IDS.own[form.split('/')[1] as Noun];
    const path = `/console${form.replace(':id', id)}`;
    const fields = { key: `press-${form.replaceAll(/\W/g, '')}`, reason: 'x', hours: '8', sagaId: IDS.own.sagas };
    for (const [role, browser] of people)
      expect((await browser.post(path, fields)).status, `${role} ${path}`).toBe(303);
    // 404: theirs by role, and not this one.
    expect([303, 404], path).toContain((await stranger.post(path, fields)).status);
  }
  expect(http.orchestrator.accepts).toEqual([]);
  expect(http.orchestrator.interventions).toEqual([]);
  const { n } = await http.db
    .selectFrom('notification')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where('reservation_id', '=', 'stay-own')
    .executeTakeFirstOrThrow();
  expect(Number(n)).toBe(1);
  const open = await http.db.selectFrom('incident').select('id').where('closed_at', 'is', null).execute();
  expect(open.length).toBeGreaterThan(1);
});
