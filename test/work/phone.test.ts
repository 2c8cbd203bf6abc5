import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { tokenFor } from '../http/harness.ts';
import { prepareStays } from '../sagas/confirmation.ts';
import { until } from '../setup/engine.ts';
import { type System, startSystem } from '../setup/system.ts';
import { openPhone, type Phone, type Served, serveApp, violations } from './browser.ts';

/** The phone page in a real Chromium, against the real API: with a network, without one, and with a bad one. */

const WITHIN_MS = 60_000;

let system: System;
let served: Served;
const phones: Phone[] = [];

beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  await system.bed.db
    .insertInto('staff')
    .values({ id: 'cleaner-1', name: 'Nina', email: 'nina@example.com', role: 'CLEANER' })
    .execute();
  await system.bed.db
    .insertInto('property')
    .values({
      id: 'marina',
      name: 'Marina View 1204',
      owner_id: 'owner-1',
      region: 'Dubai Marina',
      location: JSON.stringify({ lat: 25.08, lng: 55.14 }),
      checklists: JSON.stringify({
        CLEANING: [
          { id: 'beds', label: 'Beds made', required: true },
          { id: 'bath', label: 'Bathroom cleaned', required: true },
          { id: 'plants', label: 'Plants watered', required: false },
        ],
      }),
    })
    .execute();
  const { app } = await system.as({});
  served = await serveApp(app);
}, 240_000);
afterAll(async () => {
  await served?.close();
  await system?.close();
});
afterEach(async () => {
  for (const phone of phones.splice(0)) await phone.close();
});

let made = 0;
/** Begins soon, so that it is today's wherever the clock stands: what is late counts as today's. */
async function task(title = 'Pre-arrival cleaning', values: object = {}): Promise<string> {
  made += 1;
  const id = `phone-task-${made}`;
  const start = Date.now() - 3_600_000 + made * 1_000;
  await system.bed.db.updateTable('task').set({ assignee_id: null, status: 'CANCELLED', completed_at: null }).execute();
  await system.bed.db
    .insertInto('task')
    .values({
      id,
      type: 'CLEANING',
      occurrence: `PHONE-${made}`,
      title,
      property_id: 'marina',
      status: 'ASSIGNED',
      assignee_id: 'cleaner-1',
      scheduled_at: new Date(start),
      ends_at: new Date(start + 7_200_000),
      next_assign_at: null,
      ...values,
    })
    .execute();
  return id;
}
/** More of a day's work, so that the list is one. */
const alsoToday = () =>
  system.bed.db
    .insertInto('task')
    .values(
      [
        ['Filters of the air conditioning', 'MAINTENANCE', 'URGENT', 3],
        ['Quarterly inspection', 'INSPECTION', 'NORMAL', 27],
      ].map(([title, type, priority, hours]) => ({
        id: `phone-more-${made}-${hours}`,
        type: type as 'MAINTENANCE' | 'INSPECTION',
        occurrence: `PHONE-${made}`,
        title: String(title),
        property_id: 'marina',
        status: 'ASSIGNED' as const,
        priority: priority as 'URGENT' | 'NORMAL',
        assignee_id: 'cleaner-1',
        scheduled_at: new Date(Date.now() + Number(hours) * 3_600_000),
        ends_at: new Date(Date.now() + (Number(hours) + 1) * 3_600_000),
        next_assign_at: null,
      })),
    )
    .execute();
const rowOf = (id: string) =>
  system.bed.db.selectFrom('task').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const completed = (id: string) =>
  until(`${id} is completed`, async () => ((await rowOf(id)).status === 'COMPLETED' ? true : undefined), 20_000);
const mails = async (id: string) =>
  (await system.bed.db.selectFrom('notification').select('event').where('task_id', '=', id).execute()).map(
    ({ event }) => event,
  );

async function signedIn(colorScheme: 'light' | 'dark' = 'light'): Promise<{ page: Page; context: BrowserContext }> {
  const phone = await openPhone(colorScheme);
  phones.push(phone);
  const page = phone.context.pages()[0] ?? (await phone.context.newPage());
  await page.goto(`${served.url}/work`);
  await page.getByLabel('Code').fill(await tokenFor({ role: 'CLEANER' }, 'cleaner-1'));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Today' }).waitFor();
  return { page, context: phone.context };
}
/** The page answers from its own cache when there is no network: a worker is ready once it has kept every file, and none of before. */
const keptOffline = (page: Page) =>
  page.evaluate(`(async () => {
    await navigator.serviceWorker.ready;
    const kept = async () => (await (await caches.open('roomy-work-1')).keys()).map(({ url }) => url.includes('__WB_REVISION__'));
    for (let files = await kept(); files.length < 10 || files.includes(false); files = await kept()) await new Promise(requestAnimationFrame);
  })()`);
const ONE_PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

describe('the phone page', () => {
  it('shows what is to be done today, and finishes it with its checklist and a photo', {
    timeout: WITHIN_MS,
  }, async () => {
    const id = await task();
    await alsoToday();
    const { page } = await signedIn();
    await page.getByRole('link', { name: /Pre-arrival cleaning/ }).click();
    await page.getByRole('heading', { name: 'Checklist' }).waitFor();
    await page.getByRole('button', { name: 'Finish' }).click();
    await page.getByRole('alert').getByText('Still open: Beds made, Bathroom cleaned.').waitFor();
    await page.getByRole('checkbox', { name: /Beds made/ }).check();
    await page.getByRole('checkbox', { name: /Bathroom cleaned/ }).check();
    await page
      .getByLabel('Photo of Beds made')
      .setInputFiles({ name: 'beds.png', mimeType: 'image/png', buffer: ONE_PIXEL });
    await page.getByRole('img', { name: 'Photo of Beds made' }).waitFor();
    await page.getByLabel('Notes').fill('All clean');
    await page.getByRole('button', { name: 'Finish' }).click();
    await completed(id);
    const row = await rowOf(id);
    expect(row).toMatchObject({ completed_by: 'cleaner-1' });
    const { checklist, notes } = row.completion ?? {};
    const [beds] = checklist ?? [];
    expect([notes, checklist?.map((item) => item.done)]).toEqual(['All clean', [true, true, false]]);
    const photos = await system.bed.db
      .selectFrom('task_photo')
      .select(['id', 'content_type'])
      .where('task_id', '=', id)
      .execute();
    expect(photos).toEqual([{ id: beds?.photoIds?.[0], content_type: 'image/jpeg' }]);
    await page.getByRole('heading', { name: 'Done' }).waitFor();
  });

  const asked = (minutes: number) => ({ accept_by: new Date(Date.now() + minutes * 60_000) });

  it('asks whether one takes a task, says until when, and sends the yes', { timeout: WITHIN_MS }, async () => {
    const id = await task('Pre-arrival cleaning', asked(125));
    const { page } = await signedIn();
    await page.getByText(/Please answer: 2 h [0-5] min left/).waitFor();
    await page.getByRole('link', { name: /Pre-arrival cleaning/ }).click();
    await page.getByText(/Please answer by .+ \(Asia\/Dubai\): 2 h [0-5] min left\./).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Yes, I take it' }).click();
    await page.getByRole('button', { name: 'Yes, I take it' }).waitFor({ state: 'detached' });
    await until(`${id} is accepted`, async () => (await rowOf(id)).accepted_at ?? undefined, 20_000);
    await page.getByRole('button', { name: 'I begin' }).waitFor();
    expect((await rowOf(id)).assignee_id).toBe('cleaner-1');
  });

  it('sends a no with its reason, once there is a network', { timeout: WITHIN_MS }, async () => {
    const id = await task('Pre-arrival cleaning', asked(20));
    const { page, context } = await signedIn();
    await keptOffline(page);
    await page.getByRole('link', { name: /Pre-arrival cleaning/ }).click();
    await context.setOffline(true);
    await page.getByLabel(/If not, why/).fill('My car broke down');
    await page.getByRole('button', { name: 'No, I cannot' }).click();
    await page.getByText(/Waiting to be sent \(1\)/).waitFor();
    expect((await rowOf(id)).assignee_id).toBe('cleaner-1');
    await context.setOffline(false);
    const refused = () =>
      system.bed.db.selectFrom('task_refusal').select(['reason', 'note']).where('task_id', '=', id).executeTakeFirst();
    expect(await until(`${id} is declined`, refused, 20_000)).toEqual({
      reason: 'DECLINED',
      note: 'My car broke down',
    });
  });

  it('works without a network, and sends once when it is back', { timeout: WITHIN_MS }, async () => {
    const id = await task();
    const { page, context } = await signedIn();
    await keptOffline(page);
    await context.setOffline(true);
    await page.reload();
    await page.getByText(/No network\. This is how it was at/).waitFor();
    await page.getByRole('link', { name: /Pre-arrival cleaning/ }).click();
    await page.getByRole('button', { name: 'I begin' }).click();
    await page.getByText(/Waiting to be sent \(1\)/).waitFor();
    await page.getByRole('checkbox', { name: /Beds made/ }).check();
    await page.getByRole('checkbox', { name: /Bathroom cleaned/ }).check();
    await page.getByRole('button', { name: 'Finish' }).click();
    await page.getByText(/Waiting to be sent \(2\)/).waitFor();
    // It survives the phone being switched off.
    await page.reload();
    await page.getByText(/Waiting to be sent \(2\)/).waitFor();
    expect((await rowOf(id)).status).toBe('ASSIGNED');
    const online = Date.now();
    await context.setOffline(false);
    await completed(id);
    // Begun when the phone says, and not when it could tell.
    expect((await rowOf(id)).started_at?.getTime()).toBeLessThanOrEqual(online);
    await page.getByText(/Waiting to be sent \(/).waitFor({ state: 'hidden' });
    expect(await mails(id)).toEqual(['TASK_COMPLETED']);
  });

  it('counts once what was sent twice because the answer was lost', { timeout: WITHIN_MS }, async () => {
    const id = await task();
    const { page } = await signedIn();
    const sent = served.loseAnswerTo(`${id}/complete`);
    await page.getByRole('link', { name: /Pre-arrival cleaning/ }).click();
    await page.getByRole('checkbox', { name: /Beds made/ }).check();
    await page.getByRole('checkbox', { name: /Bathroom cleaned/ }).check();
    await page.getByRole('button', { name: 'Finish' }).click();
    await page.getByText(/Waiting to be sent \(1\)/).waitFor();
    await completed(id);
    await page.evaluate(`dispatchEvent(new Event('online'))`);
    await page.getByText(/Waiting to be sent \(/).waitFor({ state: 'hidden' });
    expect(sent.came()).toBe(2);
    expect(await mails(id)).toEqual(['TASK_COMPLETED']);
  });

  it('says why something was not accepted, and keeps it until it was seen', { timeout: WITHIN_MS }, async () => {
    const id = await task();
    const { page, context } = await signedIn();
    await page.getByRole('link', { name: /Pre-arrival cleaning/ }).click();
    await page.getByRole('checkbox', { name: /Beds made/ }).check();
    await page.getByRole('checkbox', { name: /Bathroom cleaned/ }).check();
    await context.setOffline(true);
    await page.getByRole('button', { name: 'Finish' }).click();
    await page.getByText(/Waiting to be sent \(1\)/).waitFor();
    await system.bed.db
      .updateTable('task')
      .set({ status: 'COMPLETED', completed_at: new Date() })
      .where('id', '=', id)
      .execute();
    await context.setOffline(false);
    await page
      .getByRole('alert')
      .getByText('Not accepted: Pre-arrival cleaning. The task has been completed already.')
      .waitFor();
    await page.getByRole('button', { name: 'I have seen it' }).click();
    await page.getByRole('alert').waitFor({ state: 'hidden' });
  });

  it('begins a task, and forgets everything at the sign-out', { timeout: WITHIN_MS }, async () => {
    const id = await task();
    const { page } = await signedIn();
    await page.getByRole('link', { name: /Pre-arrival cleaning/ }).click();
    await page.getByRole('button', { name: 'I begin' }).click();
    await until('it has begun', async () => ((await rowOf(id)).status === 'IN_PROGRESS' ? true : undefined));
    // The phone has the answer: while something waits to be sent, it asks before it forgets it.
    await until('nothing waits', async () => ((await page.locator('#status').textContent()) === '' ? true : undefined));
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Code').waitFor();
    const left = await page.evaluate(
      `(async () => [localStorage.length, (await indexedDB.databases()).length, (await caches.keys()).length])()`,
    );
    expect(left).toEqual([0, 0, 0]);
  });

  it('keeps nothing of an answer that comes after the sign-out', { timeout: WITHIN_MS }, async () => {
    await task();
    const { page } = await signedIn();
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    await page.route('**/me/tasks**', async (route) => {
      asked.resolve();
      await answer.promise;
      await route.continue();
    });
    await page.evaluate(`dispatchEvent(new Event('online'))`);
    await asked.promise;
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Code').waitFor();
    const answered = page.waitForResponse(/me\/tasks/);
    answer.resolve();
    await answered;
    await page.getByLabel('Code').waitFor();
    const lists = await page.evaluate(
      `(async () => { const { database } = await import(document.querySelector('script[type=module]').src.replace('app.js', 'store.js')); return (await (await database()).getAll('lists')).length; })()`,
    );
    expect(lists).toBe(0);
  });

  it('goes by the clock of the service where its own is an hour fast', { timeout: WITHIN_MS }, async () => {
    const id = await task();
    const { page } = await signedIn();
    await page.clock.setSystemTime(Date.now() + 3_600_000);
    await page.reload();
    await page.getByRole('link', { name: /Pre-arrival cleaning/ }).click();
    for (const name of [/Beds made/, /Bathroom cleaned/]) await page.getByRole('checkbox', { name }).check();
    await page.getByRole('button', { name: 'Finish' }).click();
    await completed(id);
    const { completed_at: at } = await rowOf(id);
    expect(Math.abs((at?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  it('sends what an older version of the page had queued, and clears its old files away', {
    timeout: WITHIN_MS,
  }, async () => {
    const id = await task();
    const phone = await openPhone();
    phones.push(phone);
    const page = phone.context.pages()[0] ?? (await phone.context.newPage());
    await page.goto(`${served.url}/healthz`);
    const token = await tokenFor({ role: 'CLEANER' }, 'cleaner-1');
    const entry = {
      id: `${Date.now() - 60_000}-00000000-0000-4000-8000-000000000000`,
      key: crypto.randomUUID(),
      who: 'cleaner-1',
      kind: 'start',
      taskId: id,
      title: 'Pre-arrival cleaning',
      body: { startedAt: new Date(Date.now() - 60_000).toISOString() },
      photos: [],
      state: 'waiting',
    };
    // As its first version wrote it.
    await page.evaluate(`(async () => {
      localStorage.setItem('roomy-token', ${JSON.stringify(token)});
      const db = await new Promise((resolve, reject) => {
        const request = indexedDB.open('roomy-work', 1);
        request.onupgradeneeded = () => {
          for (const store of ['lists', 'drafts', 'outbox']) request.result.createObjectStore(store, { keyPath: 'id' });
        };
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
      const writing = db.transaction('outbox', 'readwrite');
      writing.objectStore('outbox').put(${JSON.stringify(entry)});
      await new Promise((resolve) => { writing.oncomplete = resolve; });
      db.close();
      const cache = await caches.open('roomy-work-1');
      for (const file of ['/work', '/work/app.js', '/work/style.css']) await cache.put(file, new Response('of before'));
    })()`);
    await page.goto(`${served.url}/work`);
    await until('it has begun', async () => ((await rowOf(id)).status === 'IN_PROGRESS' ? true : undefined));
    await keptOffline(page);
    const files = await page.evaluate<string[]>(
      `caches.open('roomy-work-1').then((cache) => cache.keys()).then((keys) => keys.map(({ url }) => url))`,
    );
    expect(files.filter((url) => !url.includes('__WB_REVISION__'))).toEqual([]);
    await phone.context.setOffline(true);
    await page.reload();
    await page.getByText(/No network\. This is how it was at/).waitFor();
    await phone.context.setOffline(false);
  });

  it('lets nobody in with a code that is not one', { timeout: WITHIN_MS }, async () => {
    const phone = await openPhone();
    phones.push(phone);
    const page = phone.context.pages()[0] ?? (await phone.context.newPage());
    await page.goto(`${served.url}/work`);
    await page.getByLabel('Code').fill('nonsense');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('This code is not valid, or has expired.').waitFor();
  });

  it.each(['light', 'dark'] as const)('is accessible in the %s', { timeout: WITHIN_MS }, async (scheme) => {
    await task('Inspection of the balcony', { type: 'INSPECTION', priority: 'URGENT' });
    const { page } = await signedIn(scheme);
    expect(await violations(page)).toEqual([]);
    await page.getByRole('link', { name: /Inspection/ }).click();
    await page.getByRole('group', { name: 'Result of the inspection' }).waitFor();
    await page.getByRole('button', { name: 'Finish' }).click();
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Code').waitFor();
    expect(await violations(page)).toEqual([]);
  });
});
