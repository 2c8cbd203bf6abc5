import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sql } from 'kysely';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../../src/domain/approvals/store.ts';
import { beat } from '../../src/domain/incidents/processes.ts';
import { localDate } from '../../src/kernel/local-time.ts';
import { sessionCookie } from '../../src/kernel/session-cookie.ts';
import { queuesReader } from '../../src/queues/depths.ts';
import { queuesByHand } from '../../src/queues/paused.ts';
import { schedulesByHand } from '../../src/queues/schedules.ts';
import { keptReader, sealsReader } from '../../src/telemetry/records-kept.ts';
import { dueReader } from '../../src/telemetry/rows-due.ts';
import { JOBS } from '../../src/workers/jobs.ts';
import { addPerson, signInByMail } from '../http/people.ts';
import { addSaga } from '../setup/ledger.ts';
import { type System, startSystem } from '../setup/system.ts';
import { openDesk, type Phone, type Served, serveApp, violations } from './browser.ts';
import { withFewColours } from './few-colours.ts';

/** Every page of the console in a real Chromium: wide and narrow, light and dark, in English and in Arabic. */

const WITHIN_MS = 240_000;
/** Set to take the pictures of the documents anew. */
const PICTURES = process.env['ROOMY_SCREENSHOTS'] ? path.join(import.meta.dirname, '../../docs/console') : null;
const ZONE = 'Asia/Dubai';
const dayFromNow = (days: number): string => localDate(new Date(Date.now() + days * 86_400_000), ZONE);

let system: System;
let served: Served;
let desk: Phone;
let page: Page;
let pages: Readonly<Record<string, string>>;

beforeAll(async () => {
  system = await startSystem(undefined, {
    system: {
      queues: () => queuesReader(system.process.engine.queues)(),
      due: () => dueReader(system.process.db)(),
      kept: () => keptReader(system.process.db, 400)(),
      seals: () => sealsReader(system.process.db)(),
    },
    schedules: {
      get all() {
        return schedulesByHand(system.process.engine.queues, JOBS).all;
      },
      run: (name) => schedulesByHand(system.process.engine.queues, JOBS).run(name),
    },
    queues: {
      get names() {
        return queuesByHand(system.process.engine.queues).names;
      },
      states: () => queuesByHand(system.process.engine.queues).states(),
      set: (name, isPaused) => queuesByHand(system.process.engine.queues).set(name, isPaused),
    },
  });
  const { app } = await system.as({});
  pages = await prepareHouse();
  served = await serveApp(app);
  desk = await openDesk();
  page = desk.context.pages()[0] ?? (await desk.context.newPage());
  const { db } = system.bed;
  const admin = await addPerson(db, 'ADMIN');
  const browser = await signInByMail(app, db, admin.email);
  await sql`UPDATE session SET mfa_at = now()`.execute(db);
  await desk.context.addCookies([{ name: sessionCookie(false), value: browser.key ?? '', url: served.url }]);
}, WITHIN_MS);
afterAll(async () => {
  await desk?.close();
  await served?.close();
  await system?.close();
});

async function addStay(id: string, property: string, days: readonly [number, number], status = 'PENDING') {
  await sql`
    INSERT INTO reservation (id, property_id, guest_id, check_in_date, check_out_date, total_minor, currency, status, guest_count, created_by)
    VALUES (${id}, ${property}, ${`guest-of-${id}`}, ${dayFromNow(days[0])}::date, ${dayFromNow(days[1])}::date, 245000, 'AED', ${status}, 2, 'agent-1')`.execute(
    system.bed.db,
  );
}

/** A day with everything in it, made by real sagas where these are quick. Answers the addresses of the pages. */
async function prepareHouse(): Promise<Readonly<Record<string, string>>> {
  const { db } = system.bed;
  await db.insertInto('owner').values({ id: 'owner-1', name: 'Olga Owner', email: 'olga@example.com' }).execute();
  const guests = {
    'stay-arrives': 'Mariam Al Suwaidi',
    'stay-late': 'John Doe',
    'stay-asks': 'Liu Wei',
    'stay-leaves': 'Anna Berg',
  };
  for (const [stay, name] of Object.entries(guests))
    await db
      .insertInto('guest')
      .values({ id: `guest-of-${stay}`, name, email: 'guest@example.com' })
      .execute();
  for (const [id, name] of Object.entries({
    marina: 'Marina View 1204',
    palm: 'Palm Garden Villa',
    sea: 'Sea View Tower 1807',
  }))
    await db.insertInto('property').values({ id, name, owner_id: 'owner-1', time_zone: ZONE }).execute();
  await addStay('stay-arrives', 'marina', [0, 3]);
  await addStay('stay-leaves', 'marina', [-4, 0], 'CHECKED_IN');
  await addStay('stay-late', 'palm', [-5, -1], 'CHECKED_IN');
  await addStay('stay-asks', 'sea', [0, 2]);
  const confirmed = await system.call('POST', '/reservations/stay-arrives/confirm');
  expect(confirmed.status).toBe(200);
  await db
    .insertInto('staff')
    .values({ id: 'cleaner-1', name: 'Nina Petrova', email: 'nina@example.com', role: 'CLEANER', skills: ['windows'] })
    .execute();
  const { id: task } = await db
    .selectFrom('task')
    .select('id')
    .where('reservation_id', '=', 'stay-arrives')
    .where('type', '=', 'CLEANING')
    .orderBy('scheduled_at')
    .limit(1)
    .executeTakeFirstOrThrow();
  const saga = await addSaga(db, {
    name: 'checkOut',
    subjectId: 'stay-late',
    status: 'parked',
    errorCode: 'AMENITIES_UNAVAILABLE',
  });
  await addSteps(saga);
  await db
    .insertInto('incident')
    .values({
      id: 'incident-1',
      kind: 'SAGA_PARKED',
      subject: 'checkOut.revokeAmenities: AMENITIES_UNAVAILABLE',
      area: 'ENGINE',
      severity: 'CRITICAL',
      count: 1,
      most: 1,
      since: sql`now()`,
      details: JSON.stringify({
        examples: [{ id: saga, sagaId: saga, reservationId: 'stay-late', attempts: 3, code: 'AMENITIES_UNAVAILABLE' }],
      }),
    })
    .execute();
  await addDevelopers();
  const asking = await addAsking();
  const { id: message } = await db
    .selectFrom('notification')
    .select('id')
    .orderBy('id')
    .limit(1)
    .executeTakeFirstOrThrow();
  return {
    today: '/console/today',
    stay: '/console/stays/stay-arrives',
    incidents: '/console/incidents',
    incident: '/console/incidents/incident-1',
    queue: '/console/incidents/incident-2',
    question: '/console/incidents/incident-3',
    asking: `/console/sagas/${asking}`,
    sagas: '/console/sagas',
    saga: `/console/sagas/${saga}`,
    messages: '/console/messages',
    message: `/console/messages/${message}`,
    texts: '/console/texts',
    text: '/console/texts/reservation-confirmed.guest@1',
    task: `/console/tasks/${task}`,
    staff: '/console/staff',
    person: '/console/staff/cleaner-1',
    metrics: '/console/metrics',
    system: '/console/system',
    developers: '/console/developers',
    endpoint: '/console/developers/endpoints/endpoint-1',
    key: '/console/developers/keys/key-1',
    requests: '/console/developers/requests',
    find: '/console/find?q=mariam',
    nothing: '/console/find?q=nothing-like-this',
    nobody: `/console/today?date=${dayFromNow(400)}`,
  };
}

/** A queue that stands, with its incident; and a saga that waits for a second person, with another. Answers the saga. */
async function addAsking(): Promise<string> {
  const { db } = system.bed;
  const paused = await system.call('POST', '/queues/webhooks/pause', { body: { reason: 'The consumer is moved' } });
  expect(paused.status).toBe(200);
  const saga = await addSaga(db, { subjectId: 'stay-leaves', status: 'parked', errorCode: 'APPROVAL_REQUIRED' });
  const question = {
    kind: 'GOODWILL',
    asked: 'Refund AED 6000.00 of stay stay-leaves as goodwill: No hot water',
  } as const;
  const records = { reservationId: 'stay-leaves', propertyId: 'marina', ownerId: null };
  const about = { subject: { type: 'saga', id: saga }, money: { amountMinor: 600_000, currency: 'AED' } } as const;
  const approval = await db
    .transaction()
    .execute((tx) =>
      ask(
        tx,
        { ...question, ...records, ...about, barred: [], expiresHours: 72 },
        { actor: 'agent-1', requestId: null },
      ),
    );
  const stands = { severity: 'CRITICAL', count: 1, most: 1, since: sql<Date>`now()` } as const;
  const waits = JSON.stringify({ examples: [{ id: approval, sagaId: saga, reservationId: 'stay-leaves' }] });
  await db
    .insertInto('incident')
    .values([
      { id: 'incident-2', kind: 'QUEUE_PAUSED', subject: 'webhooks', area: 'ENGINE', details: '{}', ...stands },
      {
        id: 'incident-3',
        kind: 'APPROVAL_WAITS',
        subject: `GOODWILL ${approval}`,
        area: 'MONEY',
        details: waits,
        ...stands,
      },
    ])
    .execute();
  return saga;
}

/** An endpoint that was called in vain, and a key. */
async function addDevelopers(): Promise<void> {
  const { db } = system.bed;
  const endpoint = {
    id: 'endpoint-1',
    url: 'https://accounts.example.com/hooks/roomy',
    secret: 'whsec_x',
    next_seq: 1,
    attempt: 2,
  };
  await db
    .insertInto('webhook_endpoint')
    .values({ ...endpoint, types: ['reservation.*', 'payment.completed'], created_by: 'admin-1' })
    .execute();
  const call = { endpoint_id: 'endpoint-1', seq: 1, type: 'reservation.created' };
  await db
    .insertInto('webhook_attempt')
    .values([
      { ...call, attempt: 1, status_code: null, reason: 'TIMEOUT', ms: 10_000 },
      { ...call, attempt: 2, status_code: 503, reason: null, ms: 180 },
    ])
    .execute();
  const key = { id: 'key-1', name: 'Channel manager', prefix: 'rk_live_Zk3q', key_hash: Buffer.alloc(32) };
  await db
    .insertInto('api_key')
    .values({
      ...key,
      scopes: ['reservations:read', 'reservations:write', 'events:read'],
      created_by: 'admin-1',
      expires_at: new Date(Date.now() + 90 * 86_400_000),
    })
    .execute();
}

/** They count as alive for some seconds. */
async function beatOfAll(): Promise<void> {
  const { db } = system.bed;
  await beat(db, { id: 'api-1', program: 'api', roles: [], version: '0.4.0', circuits: {} });
  const circuits = { amenities: new Date().toISOString() };
  await beat(db, { id: 'worker-1', program: 'worker', roles: ['sagas', 'messages'], version: '0.4.0', circuits });
}

async function addSteps(sagaId: string): Promise<void> {
  const began = Date.now() - 60_000;
  const step = (
    step_no: number,
    name: string,
    status: 'done' | 'failed',
    from: number,
    to: number,
    direction: 'F' | 'C' = 'F',
  ) =>
    system.bed.db
      .insertInto('saga_step')
      .values({
        saga_id: sagaId,
        step_no,
        direction,
        name,
        class: 'COMPENSABLE',
        kind: 'LOCAL',
        status,
        attempt: status === 'failed' ? 3 : 1,
        max_attempts: 3,
        done_at_version: status === 'done' ? step_no : null,
        started_at: new Date(began + from),
        finished_at: new Date(began + to),
        error:
          status === 'failed'
            ? JSON.stringify({ code: 'AMENITIES_UNAVAILABLE', message: 'The lock does not answer' })
            : null,
      })
      .execute();
  await step(1, 'validateStay', 'done', 0, 400);
  await step(2, 'freeNights', 'done', 450, 900);
  await step(3, 'revokeAmenities', 'failed', 1_000, 31_000);
  await step(2, 'freeNights', 'done', 31_500, 32_000, 'C');
}

async function chooseLanguage(language: 'en' | 'ar'): Promise<void> {
  await desk.context.addCookies([{ name: 'roomy_language', value: language, url: served.url }]);
}

describe.each(['en', 'ar'] as const)('the console in %s', (language) => {
  it.each([
    ['wide and light', 1280, 'light'],
    ['wide and dark', 1280, 'dark'],
    ['narrow and light', 390, 'light'],
    ['narrow and dark', 390, 'dark'],
  ] as const)(
    'has no barrier and does not run over the edge, %s',
    { timeout: WITHIN_MS },
    async (_what, width, colorScheme) => {
      await chooseLanguage(language);
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      const problems: string[] = [];
      for (const [name, address] of Object.entries(pages)) {
        await beatOfAll();
        const answer = await page.goto(`${served.url}${address}`);
        if (answer?.status() !== 200) problems.push(`${name}: ${answer?.status()}`);
        for (const problem of await violations(page)) problems.push(`${name}: ${problem}`);
        const over = await page.evaluate<number>('document.documentElement.scrollWidth - window.innerWidth');
        if (over > 0) problems.push(`${name}: ${over} pixels over the edge`);
      }
      expect(problems).toEqual([]);
    },
  );
});

describe('the charts of the metrics', () => {
  it('are drawn from the tables, and nothing breaks the policy of the page', { timeout: WITHIN_MS }, async () => {
    await chooseLanguage('en');
    await page.setViewportSize({ width: 1280, height: 900 });
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => void complaints.push(error.message));
    for (const by of ['day', 'property']) {
      await page.goto(`${served.url}/console/metrics?conversion=${by}`);
      const chart = page.locator('[aria-labelledby="report-conversion"] .chart[role="img"] canvas');
      await chart.waitFor();
      const rows = page.locator('#table-conversion tbody tr');
      expect(await rows.count()).toBeGreaterThan(0);
      const inked = await page.evaluate<boolean>(`(() => {
        const canvas = document.querySelector('[aria-labelledby="report-conversion"] canvas');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.some((value, at) => at % 4 === 3 && value > 0);
      })()`);
      expect(inked, by).toBe(true);
    }
    expect(complaints).toEqual([]);
  });
});

describe('somebody at the desk', () => {
  it('goes by keyboard: to the content first, then through the pages', { timeout: WITHIN_MS }, async () => {
    await chooseLanguage('en');
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.goto(`${served.url}/console/today`);
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
  });

  it('changes the language, and is kept on the page', { timeout: WITHIN_MS }, async () => {
    await page.goto(`${served.url}/console/sagas?status=parked`);
    await page.getByRole('button', { name: 'العربية' }).click();
    await page.waitForURL('**/console/sagas?status=parked');
    expect(await page.evaluate('document.documentElement.dir')).toBe('rtl');
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('heading', { name: 'Sagas', level: 1 }).waitFor();
  });

  it('resumes a queue on the page of its incident', { timeout: WITHIN_MS }, async () => {
    await page.goto(`${served.url}${pages['queue']}`);
    await page.getByText('The consumer is moved').waitFor();
    await page.getByLabel('Why', { exact: true }).first().fill('It has been moved');
    await page.getByRole('button', { name: 'Resume the queue' }).click();
    await page.waitForURL(`**${pages['queue']}`);
    await expect.poll(() => system.process.engine.queues.queue('webhooks').isPaused()).toBe(false);
  });

  it('confirms and checks in by two buttons, and reads why', { timeout: WITHIN_MS }, async () => {
    await page.goto(`${served.url}/console/today`);
    await page.getByRole('button', { name: /^Confirm: Liu Wei/ }).click();
    await page.getByText('Confirm: Done.').waitFor();
    await page.getByRole('button', { name: /^Check in: Liu Wei/ }).click();
    await page.getByText('Check in: Done.').waitFor();
    const stay = await system.bed.db
      .selectFrom('reservation')
      .select('status')
      .where('id', '=', 'stay-asks')
      .executeTakeFirstOrThrow();
    expect(stay.status).toBe('CHECKED_IN');
    await page.getByRole('link', { name: 'stay-asks' }).click();
    await page.getByRole('heading', { name: /Liu Wei/, level: 1 }).waitFor();
    await page.getByText('checkIn took effect.').first().waitFor();
  });
});

/** What an act would do: asked for on the page of the stay. */
async function openPlan(): Promise<void> {
  await page.goto(`${served.url}${pages['stay'] ?? ''}`);
  await page.locator('form[action$="/check-in"] button').click();
  await page.locator('form.act[action$="/check-in"]').waitFor();
}

describe('the plan of an act', () => {
  it.each([
    ['en', 1280],
    ['ar', 390],
  ] as const)(
    'has no barrier and does not run over the edge, in %s',
    { timeout: WITHIN_MS },
    async (language, width) => {
      await chooseLanguage(language);
      await page.setViewportSize({ width, height: 900 });
      await openPlan();
      expect(await violations(page)).toEqual([]);
      expect(
        await page.evaluate<number>('document.documentElement.scrollWidth - window.innerWidth'),
      ).toBeLessThanOrEqual(0);
    },
  );
});

const LOOKS = [
  ['1280', 1280, 'light', 'en'],
  ['1280-dark', 1280, 'dark', 'en'],
  ['1280-ar', 1280, 'light', 'ar'],
  ['390', 390, 'light', 'en'],
  ['390-dark', 390, 'dark', 'en'],
  ['390-ar', 390, 'light', 'ar'],
] as const;

if (PICTURES !== null) {
  const folder = PICTURES;
  describe('the pictures', () => {
    it.each(LOOKS)('are taken: %s', { timeout: WITHIN_MS }, async (look, width, colorScheme, language) => {
      await mkdir(folder, { recursive: true });
      await page.emulateMedia({ colorScheme });
      await chooseLanguage(language);
      await page.setViewportSize({ width, height: width < 500 ? 844 : 800 });
      const take = async (name: string): Promise<void> => {
        const picture = withFewColours(await page.screenshot());
        await writeFile(path.join(folder, `${name}-${look}.png`), picture);
      };
      for (const [name, address] of Object.entries(pages)) {
        if (name === 'nobody' || name === 'nothing') continue;
        await beatOfAll();
        await page.goto(`${served.url}${address}`);
        if (name === 'metrics') await page.locator('.chart canvas').first().waitFor();
        await take(name);
      }
      await openPlan();
      await take('plan');
    });
  });
}
