import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Http, startHttp, tokenFor } from '../http/harness.ts';
import { openPhone, type Phone, type Served, serveApp, violations } from './browser.ts';

/** The page of the API’s description in a real Chromium. */

const WITHIN_MS = 120_000;
let http: Http;
let served: Served;
let phone: Phone;
let page: Page;
const outside: string[] = [];
beforeAll(async () => {
  http = await startHttp();
  served = await serveApp(http.app);
  phone = await openPhone();
  page = await phone.context.newPage();
  page.on('request', (request) => {
    if (!request.url().startsWith(served.url)) outside.push(request.url());
  });
  page.on('pageerror', (error) => outside.push(String(error)));
}, WITHIN_MS);
afterAll(async () => {
  await phone?.close();
  await served?.close();
  await http?.stop();
});

describe('the docs page', () => {
  it.each([
    ['light', 390],
    ['dark', 1280],
  ] as const)(
    'is accessible in the %s, %i pixels wide, with parts of it open',
    { timeout: WITHIN_MS },
    async (colorScheme, width) => {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 844 });
      await page.goto(`${served.url}/docs`);
      for (const id of ['processPayment', 'createReconciliation', 'schema-Task']) {
        await page.goto(`${served.url}/docs#${id}`);
        await page.locator(`#${id}[open]`).waitFor();
      }
      expect(await violations(page)).toEqual([]);
      expect(outside).toEqual([]);
    },
  );

  it('sends the requests that are tried', { timeout: WITHIN_MS }, async () => {
    await page.goto(`${served.url}/docs#listOwners`);
    await page.getByLabel('Token to try with').fill(await tokenFor({ role: 'ADMIN' }, 'admin-1'));
    const form = page.locator('#listOwners form.try');
    await form.getByLabel('limit').fill('5');
    await form.getByRole('button', { name: 'Send' }).click();
    await form.getByText('"success": true').waitFor();
    await page.goto(`${served.url}/docs#createOwner`);
    await page.locator('#createOwner form.try').getByRole('button', { name: 'Send' }).click();
    // The form holds the example too: only the answer says that the owner was made.
    await page.getByLabel('Answer of createOwner').getByText('"id": "owner-1"').waitFor();
    expect(await http.db.selectFrom('owner').select('id').execute()).toEqual([{ id: 'owner-1' }]);
  });
});
