import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepareStays } from '../sagas/confirmation.ts';
import { linkTo } from '../setup/links.ts';
import { type System, startSystem } from '../setup/system.ts';
import { openPhone, type Phone, type Served, serveApp, violations } from './browser.ts';

/** The page on which an owner says yes or no to a repair, on a phone, in both languages. */

const WITHIN_MS = 60_000;

let system: System;
let served: Served;
let phone: Phone;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  served = await serveApp((await system.as({})).app);
  phone = await openPhone();
}, 240_000);
afterAll(async () => {
  await phone?.close();
  await served?.close();
  await system?.close();
});

async function asked(id: string, locale: string): Promise<string> {
  const { db } = system.bed;
  const call = async (method: string, where: string, body: object) =>
    expect([200, 201]).toContain((await system.call(method, where, { body })).status);
  await call('POST', '/owners', { id: `owner-${id}`, name: 'Aisha Rahman', email: 'aisha@example.com', locale });
  const limit = { repairApprovalLimit: { amount: 500, currency: 'AED' } };
  await call('POST', '/properties', { id, name: 'Marina View 1204', ownerId: `owner-${id}`, ...limit });
  const repair = { title: 'New boiler', description: 'The old one leaks; its tank has rusted through.' };
  const estimate = { amount: 1_750, currency: 'AED' };
  const task = { id: `task-${id}`, type: 'MAINTENANCE', propertyId: id, scheduledDate: '2031-05-02T08:00:00Z' };
  await call('POST', '/tasks', { ...task, ...repair, estimate });
  const { token } = await db
    .selectFrom('repair_approval')
    .select('token')
    .where('task_id', '=', `task-${id}`)
    .executeTakeFirstOrThrow();
  return `${served.url}/approvals/${linkTo('approval', token)}`;
}

it.each([
  ['en', 'Yes, have it done', 'Thank you. We are having it done.', 'APPROVED'],
  ['ar-AE', 'لا، اتركوه', 'شكراً لك. لن يُجرى الإصلاح.', 'DECLINED'],
])('is read, answered and accessible in %s', { timeout: WITHIN_MS }, async (locale, button, thanks, approval) => {
  const id = `home-${locale.toLowerCase()}`;
  const page = await phone.context.newPage();
  await page.goto(await asked(id, locale));
  expect(await violations(page)).toEqual([]);
  await page.getByRole('button', { name: button }).click();
  await page.getByRole('status').getByText(thanks).waitFor();
  expect(await violations(page)).toEqual([]);
  const { body } = await system.call('GET', `/tasks/task-${id}`);
  expect(body.data.approval).toBe(approval);
});
