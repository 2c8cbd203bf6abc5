import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { Secret, TOTP } from 'otpauth';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { recordAudit } from '../../src/domain/audit/record.ts';
import { operatorSessions } from '../../src/http/accounts/operators.ts';
import { createStandingGuard } from '../../src/http/standing.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { createOpsApp } from '../../src/ops/app.ts';
import { mailedLink } from '../http/people.ts';
import { type System, startSystem } from '../setup/system.ts';
import { openPhone, type Phone, violations } from './browser.ts';

/** Somebody's first sign-in, in a real browser and from the mail of the invitation on. */

const WITHIN_MS = 90_000;

interface Port {
  readonly url: string;
  answerWith(fetch: (request: Request, env?: object) => Response | Promise<Response>): void;
  close(): Promise<void>;
}
/** Apps name each other's addresses, so a port is there before its app is. */
function openPort(): Promise<Port> {
  let answer: Parameters<Port['answerWith']>[0] = () => new Response(null, { status: 503 });
  return new Promise((resolve) => {
    const server = serve(
      { fetch: (request, env) => answer(request, env), port: 0, hostname: '127.0.0.1' },
      (address) => {
        resolve({
          url: `http://127.0.0.1:${(address as AddressInfo).port}`,
          answerWith: (fetch) => {
            answer = fetch;
          },
          close: () =>
            new Promise((closed) => {
              server.close(() => closed());
              if ('closeAllConnections' in server) server.closeAllConnections();
            }),
        });
      },
    );
  });
}

let system: System;
let api: Port;
let operators: Port;
const phones: Phone[] = [];
beforeAll(async () => {
  [api, operators] = await Promise.all([openPort(), openPort()]);
  system = await startSystem(undefined, { publicUrl: api.url, opsUrl: operators.url });
  const { db } = system.bed;
  api.answerWith((await system.as({})).app.fetch);
  const ops = createOpsApp({
    db,
    queues: system.process.engine.queues.queues,
    orchestrator: system.process.engine.orchestrator,
    verifyToken: async () => {
      throw new Error('no token is pasted here');
    },
    takesTokens: false,
    sessions: operatorSessions(db, systemClock, createStandingGuard({ db, clock: systemClock }), false),
    signInUrl: `${api.url}/sign-in`,
    audit: (entry) => recordAudit(db, entry),
    log: createLogger('test', 'silent'),
  });
  operators.answerWith(ops.fetch);
  await db
    .insertInto('staff')
    .values({ id: 'cleaner-1', name: 'Nina', email: 'nina@example.com', role: 'CLEANER' })
    .execute();
  await db.insertInto('owner').values({ id: 'owner-1', name: 'Layla', email: 'layla@example.com' }).execute();
  await db.insertInto('property').values({ id: 'marina', name: 'Marina View', owner_id: 'owner-1' }).execute();
  const at = { scheduled_at: new Date(), ends_at: new Date(Date.now() + 7_200_000), next_assign_at: null };
  const task = { ...at, property_id: 'marina', occurrence: 'MANUAL' };
  await db
    .insertInto('task')
    .values([
      { ...task, id: 'clean', type: 'CLEANING', title: 'Deep cleaning', status: 'ASSIGNED', assignee_id: 'cleaner-1' },
      { ...task, id: 'boiler', type: 'MAINTENANCE', title: 'New boiler', status: 'UNASSIGNED', approval: 'PENDING' },
    ])
    .execute();
  const token = 'b'.repeat(43);
  await db
    .insertInto('repair_approval')
    .values({ task_id: 'boiler', owner_id: 'owner-1', token, property_id: 'marina', title: 'New boiler' })
    .execute();
}, 240_000);
afterAll(async () => {
  await Promise.all([api?.close(), operators?.close()]);
  await system?.close();
});
afterEach(async () => {
  for (const phone of phones.splice(0)) await phone.close();
});

/** Opens the link of the invitation's mail in a new browser, and presses its button. */
async function begin(person: { readonly email: string; readonly [field: string]: string }): Promise<Page> {
  const invited = await system.call('POST', '/accounts', { body: person });
  expect(invited.status, invited.text).toBe(201);
  const phone = await openPhone();
  phones.push(phone);
  const page = phone.context.pages()[0] ?? (await phone.context.newPage());
  await page.goto(`${api.url}${await mailedLink(system.bed.db, person.email)}`);
  expect(await violations(page)).toEqual([]);
  await page.getByRole('button', { name: 'Begin' }).click();
  return page;
}

describe('the first sign-in', () => {
  it('of a cleaner leads to the day’s tasks, and lasts', { timeout: WITHIN_MS }, async () => {
    const page = await begin({
      email: 'nina@home.example',
      name: 'Nina Petrova',
      role: 'CLEANER',
      staffId: 'cleaner-1',
    });
    await page.waitForURL(`${api.url}/work`);
    await page.getByRole('link', { name: /Deep cleaning/ }).waitFor();
    await page.reload();
    await page.getByRole('link', { name: /Deep cleaning/ }).waitFor();
    // Ended elsewhere: the page asks for a sign-in, by mail as well as by what development has.
    const { id } = await system.bed.db.selectFrom('account').select('id').executeTakeFirstOrThrow();
    await system.call('DELETE', `/accounts/${id}/sessions`);
    await page.evaluate(`localStorage.setItem('roomy-token-until', '0')`);
    await page.reload();
    await page.getByRole('link', { name: 'Sign in by e-mail' }).click();
    await page.getByLabel('E-mail address').fill('nina@home.example');
    expect(await violations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Send me a link' }).click();
    await page.getByText('If this address has an account here').waitFor();
    await page.goto(`${api.url}${await mailedLink(system.bed.db, 'nina@home.example')}`);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('link', { name: /Deep cleaning/ }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('link', { name: 'Sign in by e-mail' }).waitFor();
    const open = await system.bed.db.selectFrom('session').select('id').where('ended_at', 'is', null).execute();
    expect(open).toEqual([]);
  });

  it('of an owner leads to what waits for an answer', { timeout: WITHIN_MS }, async () => {
    const page = await begin({ email: 'layla@home.example', name: 'Layla Haddad', role: 'OWNER', ownerId: 'owner-1' });
    await page.waitForURL(`${api.url}/owner`);
    await page.getByText('New boiler').waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole('link', { name: 'Answer' }).click();
    await page.getByRole('button', { name: 'Yes, have it done' }).click();
    await page.getByText('We are having it done').waitFor();
    await page.goto(`${api.url}/owner`);
    await page.getByText('Nothing waits for you.').waitFor();
  });

  it('of an operator sets up a second factor, and leads to the operators’ port', { timeout: WITHIN_MS }, async () => {
    const page = await begin({ email: 'olga@home.example', name: 'Olga Weiss', role: 'OPS' });
    await page.waitForURL(`${api.url}/account/second-factor`);
    expect(await violations(page)).toEqual([]);
    // Nothing opens before it is given, on the other port neither.
    await page.goto(`${operators.url}/queues`);
    await page.getByRole('link', { name: 'Sign in' }).click();
    await page.waitForURL(`${api.url}/account/second-factor`);
    const secret = ((await page.locator('code').textContent()) ?? '').replaceAll(' ', '');
    const totp = new TOTP({ secret: Secret.fromBase32(secret) });
    await page.getByLabel('Code', { exact: true }).fill(totp.generate());
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.waitForURL(`${api.url}/account`);
    expect(await violations(page)).toEqual([]);
    await page.getByRole('link', { name: 'Operations: queues and mailbox' }).click();
    await page.goto(`${operators.url}/mailbox`);
    await page.getByRole('button', { name: /Log out/ }).click();
    await page.goto(`${api.url}/account`);
    await page.waitForURL(`${api.url}/sign-in`);
  });
});
