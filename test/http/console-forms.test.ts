import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask } from '../../src/domain/approvals/store.ts';
import { POLICIES } from '../../src/http/policy.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import { sureForm } from '../../src/web/console/acts.ts';
import type { Frame } from '../../src/web/console/frame.ts';
import { addSaga } from '../setup/ledger.ts';
import { type Http, startHttp } from './harness.ts';
import { addPerson, type Browser, signInByMail } from './people.ts';
import {
  addBackingOff,
  addHold,
  addIncident,
  addQuestion,
  addSent,
  addStuckIncident,
  digestOfEverything,
  prepareWorld,
} from './valid-requests.ts';

/** Every form of the console, as its page has it: each that acts carries a key, and sent twice it acts once. */

const DATE = '2031-05-10';
let http: Http;
let admin: Browser;
/** Of calls to others, which leave no row. */
const outside: string[] = [];
let pages: readonly string[] = [];
beforeAll(async () => {
  http = await startHttp({
    webhooks: {
      refusalOf: async () => null,
      send: async ({ id }) => {
        outside.push(id);
        return { taken: true, statusCode: 204, reason: null, ms: 12 };
      },
    },
    queues: {
      names: ['finance', 'tasks'],
      states: async () => null,
      set: async (name, isPaused) => {
        outside.push(`${name} ${isPaused}`);
        return true;
      },
    },
    schedules: {
      all: [{ name: 'assign-sweep', queue: 'tasks', job: 'sweep', everyMs: 10_000 }],
      run: async (name) => {
        outside.push(name);
        return true;
      },
    },
    system: {
      queues: async () => ({ queues: [queue('finance', true), queue('tasks', false)], schedules: [] }),
      due: async () => [],
    },
  });
  await prepareWorld(http.db);
  pages = await preparePages();
  const account = await addPerson(http.db, 'ADMIN');
  admin = await signInByMail(http.app, http.db, account.email);
  await sql`UPDATE session SET mfa_at = now()`.execute(http.db);
}, 60_000);
afterAll(() => http?.stop());

const queue = (name: string, isPaused: boolean) => ({
  ...{ name, isPaused, waiting: 0, active: 0, delayed: 0, failed: 0 },
  oldestSeconds: null,
});
/** The step of a saga by its name, from one on. */
const stepOf = (saga: string, step: string): number =>
  1 + (DEFINITIONS.find(({ name }) => name === saga)?.steps.findIndex(({ name }) => name === step) ?? -1);

async function about(kind: string, subject: string, examples: readonly object[]): Promise<string> {
  const id = await addIncident(http);
  await http.db
    .updateTable('incident')
    .set({ kind, subject, details: JSON.stringify({ examples }) })
    .where('id', '=', id)
    .execute();
  return id;
}

/** Records on whose pages all forms stand. Answers the addresses of the pages. */
async function preparePages(): Promise<readonly string[]> {
  const { db } = http;
  for (const [id, status, check_in_date, check_out_date] of [
    ['asks', 'PENDING', '2031-05-10', '2031-05-12'],
    ['comes', 'CONFIRMED', '2031-05-10', '2031-05-12'],
    ['leaves', 'CHECKED_IN', '2031-05-01', '2031-05-10'],
  ] as const)
    await db
      .insertInto('reservation')
      .values({
        ...{ id, property_id: 'property-1', guest_id: 'guest-1', check_in_date, check_out_date },
        ...{ total_minor: 100_000, currency: 'AED', status, created_by: 'test' },
      })
      .execute();
  const stuck = (): Promise<string> =>
    addSaga(db, {
      ...{ name: 'checkOut', subjectId: `stay-${Math.round(performance.now() * 1_000)}`, status: 'parked' },
      step: stepOf('checkOut', 'deactivatePropertyAmenities'),
    });
  const example = async () => {
    const sagaId = await stuck();
    return { id: sagaId, sagaId };
  };
  const asking = await addQuestion(http);
  const waiting = await addSaga(db, { subjectId: 'leaves', status: 'parked', errorCode: 'APPROVAL_REQUIRED' });
  const amendable = await addSaga(db, {
    ...{ name: 'changeAccess', subjectId: 'asks', status: 'parked' },
    step: 1,
  });
  const held = await addSaga(db, { name: 'checkIn', subjectId: 'comes', status: 'running' });
  await db
    .insertInto('hold')
    .values({ id: 'hold-of-one', scope: 'SAGA', subject: held, reason: 'x', held_by: 'x' })
    .execute();
  await addHold(http);
  const question = { kind: 'GOODWILL', asked: 'Give something back', subject: { type: 'saga', id: waiting } } as const;
  const records = { reservationId: 'leaves', propertyId: 'property-1', ownerId: null };
  const bounds = { money: { amountMinor: 5_000, currency: 'AED' }, barred: [], expiresHours: 72 };
  await db
    .transaction()
    .execute((tx) => ask(tx, { ...question, ...records, ...bounds }, { actor: 'somebody-else', requestId: null }));
  const endpoint = { id: 'endpoint-1', url: 'https://example.com/hook', secret: 'whsec_x', next_seq: 1 };
  await db
    .insertInto('webhook_endpoint')
    .values({ ...endpoint, attempt: 3, created_by: 'x' })
    .execute();
  await db
    .insertInto('api_key')
    .values({
      ...{ id: 'key-1', name: 'Machine', prefix: 'rk_live_x', key_hash: Buffer.alloc(32), scopes: ['events:read'] },
      ...{ created_by: 'x', expires_at: new Date(Date.now() + 86_400_000) },
    })
    .execute();
  for (const id of ['nina-1', 'omar-1'])
    await db
      .insertInto('staff')
      .values({ id, name: id, email: `${id}@example.com`, role: 'CLEANER' })
      .execute();
  await db
    .insertInto('task')
    .values({
      ...{ id: 'cleaning-1', type: 'CLEANING', occurrence: 'MANUAL-1', title: 'Windows', status: 'UNASSIGNED' },
      ...{ property_id: 'property-1', reservation_id: 'comes', next_assign_at: null },
      ...{ scheduled_at: new Date(`${DATE}T08:00:00Z`), ends_at: new Date(`${DATE}T09:00:00Z`) },
    })
    .execute();
  const incidents = [
    await about('SAGA_PARKED', 'checkOut', [await example(), await example(), await example()]),
    await about('QUEUE_PAUSED', 'finance', []),
    await about('APPROVAL_WAITS', `PAYOUT_ACCOUNT ${asking}`, [{ id: asking }]),
    await addStuckIncident(http),
  ];
  const sagas = [await stuck(), amendable, held, waiting, await addBackingOff(http)];
  return [
    `/console/today?date=${DATE}`,
    ...['asks', 'comes', 'leaves'].map((id) => `/console/stays/${id}`),
    ...incidents.map((id) => `/console/incidents/${id}`),
    ...sagas.map((id) => `/console/sagas/${id}`),
    `/console/messages/${await addSent(http)}`,
    '/console/texts/reservation-confirmed.guest@1',
    `/console/tasks/cleaning-1?date=${DATE}`,
    '/console/staff/nina-1',
    '/console/system',
    '/console/developers/endpoints/endpoint-1',
    '/console/developers/keys/key-1',
  ];
}

interface Form {
  readonly action: string;
  readonly fields: Readonly<Record<string, string>>;
}
const attribute = (tag: string, name: string): string | null =>
  new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]?.replaceAll('&quot;', '"').replaceAll('&amp;', '&') ?? null;
/** What a person types who fills in no more than they must. */
const TYPED: Readonly<Record<string, string>> = {
  reason: 'Because',
  afterSeq: '0',
  expiresAt: new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10),
  subject: 'checkOut',
  'input.until': '2031-05-13T09:00:00.000Z',
};

/** The forms of a page as they are sent, without those of the frame. */
function formsOf(text: string): readonly Form[] {
  const [, main = ''] = text.split('<main');
  return [...main.matchAll(/<form method="post"[^>]*>[\s\S]*?<\/form>/g)].map(([form]) => {
    const fields: Record<string, string> = {};
    for (const [tag] of form.matchAll(/<input\b[^>]*>/g)) {
      const name = attribute(tag, 'name');
      if (name !== null) fields[name] = attribute(tag, 'value') || TYPED[name] || '';
    }
    for (const [, tag = '', inner = ''] of form.matchAll(/(<select\b[^>]*>)([\s\S]*?)<\/select>/g)) {
      const options = [...inner.matchAll(/<option\b([^>]*)>([^<]*)/g)].map(
        ([, attributes = '', words = '']) => attribute(attributes, 'value') ?? words,
      );
      fields[attribute(tag, 'name') ?? ''] = options.find((option) => option !== '') ?? '';
    }
    for (const [, tag = '', inner = ''] of form.matchAll(/(<textarea\b[^>]*>)([\s\S]*?)<\/textarea>/g))
      fields[attribute(tag, 'name') ?? ''] = inner;
    return { action: attribute(form, 'action') ?? '', fields };
  });
}
/** Its place in the table of rights. */
const routeOf = (action: string): string => {
  const found = ROUTES.find((route) => new RegExp(`^${route.replaceAll(/:\w+/g, '[^/]+')}$`).test(action));
  if (found === undefined) throw new Error(`no route of ${action}`);
  return found;
};
const ROUTES = Object.keys(POLICIES).flatMap((name) => /^POST (\/console\/.+)$/.exec(name)?.[1] ?? []);
/** They change nothing of the house: a language, and the look of a text. */
const CHANGES_NOTHING: readonly string[] = ['/console/language', '/console/texts/:key/preview'];
/** Their form leads to a plan, below which the act itself stands. */
const PLANNED: readonly string[] = [
  '/console/stays/:id/cancel',
  '/console/stays/:id/payment',
  '/console/stays/:id/refunds',
  '/console/tasks/:id/assign',
];
const ACTING = ROUTES.filter((route) => ![...CHANGES_NOTHING, ...PLANNED].includes(route));

const keyOf = (request: unknown): string | undefined =>
  z.object({ idempotency: z.object({ key: z.string() }) }).safeParse(request).data?.idempotency.key;

/** All that an act leaves behind. What is accepted counts once for each key. */
async function left(): Promise<unknown> {
  const { session: _, ...rows } = await digestOfEverything(http.db);
  const keys = new Set(http.orchestrator.accepts.map(({ request }) => keyOf(request)));
  return [rows, keys.size, http.orchestrator.interventions.length, [...outside]];
}

it('has a key in every form that acts, and none acts twice when it is sent twice', { timeout: 120_000 }, async () => {
  const done = new Set<string>();
  const wrong: string[] = [];
  for (const page of pages) {
    for (;;) {
      const { status, text } = await admin.get(page);
      expect(status, page).toBe(200);
      const acting = formsOf(text).filter(
        ({ action, fields }) => fields['plan'] !== 'first' && !CHANGES_NOTHING.includes(routeOf(action)),
      );
      for (const { action, fields } of acting) if (!fields['key']) wrong.push(`${page}: ${action} has no key`);
      const left = acting.filter(({ action }) => !done.has(routeOf(action)));
      // What ends the page is pressed last.
      const next = left.find(({ action }) => !action.endsWith('/close')) ?? left[0];
      if (next === undefined) break;
      done.add(routeOf(next.action));
      wrong.push(...(await pressTwice(next)));
    }
  }
  expect(wrong).toEqual([]);
  expect([...done].toSorted()).toEqual(ACTING.toSorted());
});

async function pressTwice({ action, fields }: Form): Promise<readonly string[]> {
  const before = await left();
  const first = await admin.post(action, fields);
  const refused = /role="alert">([\s\S]*?)<\/p>/.exec(first.text)?.[1];
  if (first.status >= 400 || refused !== undefined) return [`${action}: ${first.status} ${refused}`];
  const after = await left();
  const problems = JSON.stringify(after) === JSON.stringify(before) ? [`${action} did nothing`] : [];
  const second = await admin.post(action, fields);
  if (second.status !== first.status) problems.push(`${action}: ${first.status}, then ${second.status}`);
  const changed = JSON.stringify(await left()) === JSON.stringify(after) ? [] : [`${action} acted twice`];
  return [...problems, ...changed];
}

describe('the act below a plan', () => {
  it('has a key as well', () => {
    const input = { action: '/console/stays/comes/cancel', word: 'cancel', input: { reason: 'x' } } as const;
    expect(String(sureForm({ language: 'en' } as Frame, input))).toContain('name="key" value="press-');
  });
});
