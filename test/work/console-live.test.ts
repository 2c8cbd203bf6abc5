import { sql } from 'kysely';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { localDate } from '../../src/kernel/local-time.ts';
import { sessionCookie } from '../../src/kernel/session-cookie.ts';
import { addPerson, signInByMail } from '../http/people.ts';
import { type System, startSystem } from '../setup/system.ts';
import { openDesk, type Phone, type Served, serveApp, violations } from './browser.ts';

/** Open pages of the console keep themselves up to date, and leave alone what somebody is at work with. */

const WITHIN_MS = 120_000;
const SOON = { timeout: 2_000 };
const ZONE = 'Asia/Dubai';
const dayFromNow = (days: number): string => localDate(new Date(Date.now() + days * 86_400_000), ZONE);

let system: System;
let served: Served;
let desk: Phone;
beforeAll(async () => {
  system = await startSystem();
  const { db } = system.bed;
  await db.insertInto('owner').values({ id: 'owner-1', name: 'Olga Owner', email: 'olga@example.com' }).execute();
  await db.insertInto('guest').values({ id: 'guest-1', name: 'Liu Wei', email: 'guest@example.com' }).execute();
  await db
    .insertInto('property')
    .values({ id: 'sea', name: 'Sea View', owner_id: 'owner-1', time_zone: ZONE })
    .execute();
  await db
    .insertInto('property')
    .values({ id: 'palm', name: 'Palm Villa', owner_id: 'owner-1', time_zone: ZONE })
    .execute();
  await addStay('arrives', 'sea');
  await addStay('asks', 'palm');
  expect((await system.call('POST', '/reservations/arrives/confirm')).status).toBe(200);
  const { app } = await system.as({});
  served = await serveApp(app);
  desk = await openDesk();
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

async function addStay(id: string, property: string): Promise<void> {
  await sql`
    INSERT INTO reservation (id, property_id, guest_id, check_in_date, check_out_date, total_minor, currency, status, guest_count, created_by)
    VALUES (${id}, ${property}, 'guest-1', ${dayFromNow(0)}::date, ${dayFromNow(2)}::date, 245000, 'AED', 'PENDING', 2, 'agent-1')`.execute(
    system.bed.db,
  );
}
/** A hint, and what came of it. */
const ASK_AND_WAIT = `new Promise((over) => {
  document.addEventListener('htmx:finally:request', () => over(null), { once: true });
  document.querySelector('#live').dispatchEvent(new CustomEvent('changed'));
})`;

/** A page that is open, and has heard of the first hint: what comes after is news. */
async function open(address: string): Promise<Page> {
  const page = await desk.context.newPage();
  const refreshed = page.waitForResponse((answer) => answer.request().resourceType() === 'fetch');
  await page.goto(`${served.url}${address}`);
  await refreshed;
  return page;
}

it('shows a check-in by the API on the day and on the stay within two seconds, and says so', {
  timeout: WITHIN_MS,
}, async () => {
  const day = await open('/console/today');
  const stay = await open('/console/stays/arrives');
  await day.evaluate('globalThis.isTheSame = true');
  await stay.evaluate('globalThis.isTheSame = true');
  expect((await system.call('POST', '/reservations/arrives/check-in')).status).toBe(200);
  const began = performance.now();
  const arrived = day.locator('section.property', { hasText: 'Sea View' });
  await Promise.all([
    arrived.getByText('In house').or(arrived.getByText('Checked in')).first().waitFor(SOON),
    stay.locator('dl.facts').getByText('Checked in').first().waitFor(SOON),
    stay.getByText('checkIn took effect.').first().waitFor(SOON),
  ]);
  expect(performance.now() - began).toBeLessThan(2_000);
  for (const page of [day, stay]) {
    expect(await page.evaluate('globalThis.isTheSame')).toBe(true);
    await page
      .getByRole('status')
      .filter({ hasText: /^Updated at \d/ })
      .waitFor(SOON);
    expect(await violations(page)).toEqual([]);
    await page.close();
  }
});

it('leaves a form alone while somebody writes, and the focus where it is', { timeout: WITHIN_MS }, async () => {
  const stay = await open('/console/stays/asks');
  await stay.locator('summary', { hasText: 'Cancel the stay' }).click();
  await stay.getByLabel('Why').fill('They have');
  await stay.getByLabel('Why').evaluate('document.activeElement.setAttribute("data-mine", "")');
  expect((await system.call('POST', '/reservations/asks/confirm')).status).toBe(200);
  await stay.locator('dl.facts').getByText('Confirmed').first().waitFor(SOON);
  await stay.keyboard.type(' called');
  expect(await stay.getByLabel('Why').inputValue()).toBe('They have called');
  expect(await stay.evaluate('document.activeElement.hasAttribute("data-mine")')).toBe(true);
  // Once the field is as it was, and left, the acts are those of a confirmed stay.
  await stay.getByLabel('Why').fill('');
  await stay.getByLabel('Why').blur();
  await stay.getByRole('button', { name: /^Check in/ }).waitFor({ timeout: 5_000 });
  // Nothing is there twice, and nothing is missing.
  const parts = (page: Page): Promise<readonly string[]> => page.locator('main h2').allTextContents();
  const fresh = await open('/console/stays/asks');
  expect(await parts(stay)).toEqual(await parts(fresh));
  await Promise.all([stay.close(), fresh.close()]);
});

it('takes nothing over but pages: no refusal, and no form to sign in', { timeout: WITHIN_MS }, async () => {
  const page = await desk.context.newPage();
  let refused = 0;
  await page.route('**/console/live?*', async (route) => {
    refused += 1;
    await route.fulfill({ status: 429, contentType: 'application/problem+json', body: '{"code":"RATE_LIMITED"}' });
  });
  const asked = page.waitForResponse((answer) => answer.status() === 429);
  await page.goto(`${served.url}/console/today`);
  await asked;
  const shown = await page.locator('body').textContent();
  // What a hint makes the page do, for somebody who was signed out meanwhile, and at a server with a fault.
  for (const answer of [
    { status: 303, headers: { location: '/sign-in' } },
    { status: 500, body: '<main id="main">Broken</main>', contentType: 'text/html' },
  ]) {
    await page.route('**/console/today', (route) => route.fulfill(answer));
    await page.evaluate(ASK_AND_WAIT);
  }
  expect(await page.locator('body').textContent()).toBe(shown);
  expect(refused).toBe(1);
  await page.close();
});

it('is as it was without the script', { timeout: WITHIN_MS }, async () => {
  const page = await desk.context.newPage();
  await page.route('**/live.js', (route) => route.abort());
  const answer = await page.goto(`${served.url}/console/today`);
  expect(answer?.status()).toBe(200);
  await page.getByRole('heading', { name: 'Today', level: 1 }).waitFor();
  await page.close();
});
