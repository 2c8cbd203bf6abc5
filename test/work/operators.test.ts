import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { Secret, TOTP } from 'otpauth';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { assignDueTasks } from '../../src/domain/assignment/assign-sweep.ts';
import { numberEvents } from '../../src/domain/events/feed.ts';
import { beat } from '../../src/domain/incidents/processes.ts';
import { readDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import type { OutgoingMessage, PaymentGateway } from '../../src/domain/ports.ts';
import { deliverWebhooks } from '../../src/domain/webhooks/deliver.ts';
import type { ConfiguredProvider } from '../../src/gateways/payment-provider.ts';
import { sandboxPayments } from '../../src/gateways/sandbox/provider.ts';
import { createWebhookSender } from '../../src/gateways/webhooks.ts';
import type { App } from '../../src/http/context.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { initialsOf } from '../../src/kernel/initials.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { createOutages } from '../../src/kernel/outages.ts';
import { createWatch } from '../../src/watching.ts';
import { WORKER_ROLES } from '../../src/workers/roles.ts';
import { addPerson, mailedLink } from '../http/people.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { createSimulatedDatabase, type SimulatedDatabase } from '../setup/database.ts';
import { deliverAll } from '../setup/deliver.ts';
import { until } from '../setup/engine.ts';
import { createGatewayDesk } from '../setup/gateway-desk.ts';
import { type System, startSystem } from '../setup/system.ts';
import { openDesk, type Phone, type Served, serveApp } from './browser.ts';

/**
 * What operators do at night, each from the link of the mail to the end of the incident, in a real Chromium and without anything else.
 * The trouble is real, and so is what mends it; only time is moved.
 */

const WITHIN_MS = 240_000;
const ROUND_MS = 10_000;
const BANK = 'northern-bank';

let database: SimulatedDatabase;
let system: System;
let served: Served;
let desk: Phone;
let page: Page;
let email = '';
let totp: TOTP;
let home = '';
let monotonicMs = 0;
let watch: ReturnType<typeof createWatch>;
let calls = 0;
let areWorkersAlive = true;
const mails: OutgoingMessage[] = [];
/** What the bank refuses to answer, for the while. */
const silent = new Set<keyof PaymentGateway>();

/** Else a refund that is tried by itself might be quicker than who has it tried. */
async function isRefundTriedByHand(): Promise<boolean> {
  const { rows } = await sql`SELECT FROM audit_log a JOIN saga s ON s.id = a.stream_id
    WHERE a.event = 'SAGA_RETRIED_NOW' AND s.name = 'executeRefund'`.execute(system.bed.db);
  return rows.length > 0;
}

/** A bank of its own that can be told to keep silent. */
function northernBank(dir: string): ConfiguredProvider {
  const base = sandboxPayments.with({ dir, feeBp: 290, gatewayIds: [] });
  return {
    ...base,
    id: BANK,
    create: async (parts) => {
      const { gateway, close } = await base.create(parts);
      const moody = new Proxy(gateway, {
        get: (target, name: keyof PaymentGateway) =>
          silent.has(name)
            ? async (...request: Parameters<PaymentGateway['refund']>) => {
                if (name === 'refund' && (await isRefundTriedByHand())) return target.refund(...request);
                throw new RoomyError('GATEWAY_UNAVAILABLE', { details: { gatewayError: 'NO_ANSWER' } });
              }
            : target[name],
      });
      return {
        gateway: moody,
        gatewayIds: [BANK],
        accepts: () => false,
        // Each call stands for itself: what is shown here is retries, not a circuit that is open.
        circuitOf: () => {
          calls += 1;
          return `${BANK}/${calls}`;
        },
        ...(close ? { close } : {}),
      };
    },
  };
}

beforeAll(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'roomy-bank-'));
  database = await createSimulatedDatabase();
  let fetch: App['fetch'] = () => new Response(null, { status: 503 });
  served = await serveApp({ fetch: (...call) => fetch(...call) });
  system = await startSystem(database, { publicUrl: served.url }, [northernBank(home)]);
  ({ fetch } = (await system.as({})).app);
  await prepareStays(system.bed.db);
  watch = createWatch({
    db: system.process.db,
    queues: system.process.engine.queues,
    holder: 'api-1',
    timeZone: 'Asia/Dubai',
    seals: null,
    log: createLogger('test', 'silent'),
    now: () => monotonicMs,
    sayAllIsWell: async () => undefined,
    teller: {
      mail: {
        maxBatch: 20,
        send: async (messages) => {
          mails.push(...messages);
          return messages.map(() => ({ sent: true, providerId: 'x' }));
        },
        close: async () => undefined,
      },
      opsEmail: 'ops@roomy.example',
      publicUrl: served.url,
      clock: database.clock,
      webhook: null,
    },
  });
  await system.process.engine.upsertSchedules();
  desk = await openDesk();
  page = desk.context.pages()[0] ?? (await desk.context.newPage());
}, WITHIN_MS);
afterAll(async () => {
  await desk?.close();
  await served?.close();
  await system?.close();
  rmSync(home, { recursive: true, force: true });
});
beforeEach(() => {
  mails.length = 0;
  silent.clear();
  areWorkersAlive = true;
});

const forward = (ms: number) => database.clock.moveTo(new Date(database.clock.now().getTime() + ms));
/** No sweep runs here. */
const leaveNothingDue = async (): Promise<void> => {
  await sql`UPDATE notification SET status = 'SKIPPED', reason = 'TEST' WHERE status = 'QUEUED' AND event <> 'SIGN_IN_LINK'`.execute(
    system.bed.db,
  );
  await sql`UPDATE task SET next_assign_at = NULL`.execute(system.bed.db);
};
async function rounds(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    await forward(ROUND_MS);
    monotonicMs += ROUND_MS;
    await leaveNothingDue();
    if (areWorkersAlive)
      await beat(system.bed.db, { id: 'worker-1', program: 'worker', roles: WORKER_ROLES, version: '1', circuits: {} });
    expect(await watch.round()).toBe(true);
  }
}
/** Within a minute it is told; opens the link of the mail that says so. */
async function openMailAbout(words: RegExp | string): Promise<void> {
  await rounds(6);
  const mail = mails.find(({ text }) => text.match(words));
  expect(mail, mails.map(({ subject }) => subject).join()).toBeDefined();
  const [link] =
    /https?:\S+\/console\/incidents\/incident-\S+/.exec(mail?.text.slice(mail.text.search(words)) ?? '') ?? [];
  await page.goto(link ?? '');
}
async function expectNothingOpen(): Promise<void> {
  await rounds(6);
  const { body } = await system.call('GET', '/incidents?status=OPEN');
  expect(body.data.map(({ summary }: { summary: string }) => summary)).toEqual([]);
}
/** The incident has ended by itself, and everybody who was told of it hears so. */
async function expectMended(): Promise<void> {
  mails.length = 0;
  await expectNothingOpen();
  expect(mails.map(({ subject }) => subject).join()).toMatch(/over/i);
}
/** Presses a button of a form, in the folded part of the page with that title if one is named; gives the second factor where it is asked for. */
async function act(button: string, fill: Readonly<Record<string, string>>, folded?: string): Promise<void> {
  const details = page.locator('details').filter({ hasText: folded ?? '' });
  const formOf = () => {
    const named = page.getByRole('button', { name: button, exact: true });
    return (folded === undefined ? page : details).locator('form').filter({ has: named }).first();
  };
  const press = async (): Promise<void> => {
    // A click does not wait for the page that comes of it.
    const loaded = page.waitForEvent('load');
    await formOf().getByRole('button', { name: button, exact: true }).click();
    await loaded;
  };
  if (folded !== undefined) await details.locator('summary').click();
  for (const [label, value] of Object.entries(fill)) await formOf().getByLabel(label).fill(value);
  await press();
  const asked = page.getByRole('link', { name: 'Give your second factor' });
  if ((await asked.count()) === 0) return;
  await asked.click();
  await page.waitForURL(/second-factor/);
  await giveCode();
  await page.waitForURL(/\/console\//);
  // What was typed is still there.
  for (const [label, value] of Object.entries(fill)) expect(await formOf().getByLabel(label).inputValue()).toBe(value);
  await press();
}
/** By the link of a mail, up to the question for the second factor. */
async function signIn(): Promise<void> {
  await page.waitForURL(/\/sign-in/);
  await page.getByLabel(/mail/i).fill(email);
  await page.getByRole('button').first().click();
  await page.waitForLoadState();
  await page.goto(`${served.url}${await mailedLink(system.bed.db, email)}`);
  await page.getByRole('button').first().click();
  await page.waitForURL(/second-factor/);
}
/** A session does not last over the night. */
async function signInAgain(): Promise<void> {
  await signIn();
  await giveCode();
  await page.waitForURL(/\/console\//);
}
async function giveCode(): Promise<void> {
  // A code counts once.
  await forward(31_000);
  await page.getByLabel('Code', { exact: true }).fill(totp.generate({ timestamp: database.clock.now().getTime() }));
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.waitForLoadState();
}
const statusOf = async (id: string): Promise<string> =>
  (await system.call('GET', `/reservations/${id}`)).body.data.status;
const stayIn = async (...acts: readonly string[]): Promise<string> => {
  const id = await seedStay(system.bed.db);
  for (const one of acts)
    expect((await system.call('POST', `/reservations/${id}/${one}`, { body: {} })).status).toBe(200);
  return id;
};
const deviceOf = (id: string, device: string) =>
  sql`UPDATE property SET amenity_device = ${device} WHERE id = (SELECT property_id FROM reservation WHERE id = ${id})`.execute(
    system.bed.db,
  );
const ended = (sagaId: string, status: string) =>
  until(`the saga is ${status}`, async () => {
    const row = await system.bed.db.selectFrom('saga').select('status').where('id', '=', sagaId).executeTakeFirst();
    return row?.status === status ? true : undefined;
  });

/** A check-out whose lock refuses, parked for an hour. */
async function parkedCheckOut(): Promise<{ readonly id: string; readonly sagaId: string }> {
  const id = await stayIn('confirm', 'check-in');
  await deviceOf(id, `device-refused-${id}`);
  const { body } = await system.call('POST', `/reservations/${id}/check-out`, { body: {} });
  expect(body.data.status).toBe('parked');
  await forward(3_600_000);
  return { id, sagaId: body.data.sagaExecutionId };
}

/** What operations are told at once, and not by the watch: the mails with these words, one for each cause. */
async function alertsAbout(subject: string, words: string): Promise<readonly string[]> {
  const { db } = system.bed;
  return until('operations are told at once', async () => {
    await deliverAll(db, served.url);
    const rows = await db.selectFrom('dev_mail').select('id').where('subject', 'like', `${subject}%`).execute();
    const all = await Promise.all(rows.map(async ({ id }) => (await readDevMail(db, id))?.body ?? ''));
    const found = all.filter((body) => body.includes(words));
    return found.length > 0 ? found : undefined;
  });
}
/** Follows the link to that page which the mail has, and says what else every such mail tells. */
async function openAlert(mail: string, kind: 'sagas' | 'messages' | 'tasks' | 'stays'): Promise<void> {
  for (const words of ['Whom it concerns', 'Marina 12, guest J.D., 1 February 2031 to ', 'Since'])
    expect(mail).toContain(words);
  if (kind !== 'sagas')
    for (const words of ['What happens by itself: ', 'What you can do: ']) expect(mail).toContain(words);
  const link = new RegExp(`https?:[^"\\s]+/console/${kind}/[^"\\s]+`).exec(mail)?.[0];
  expect(link, mail).toBeDefined();
  await page.goto(link ?? '');
}

describe('an operator', () => {
  it('signs in from the mail of a dead lock at check-out, and has it tried again once it is mended', {
    timeout: WITHIN_MS,
  }, async () => {
    const { id, sagaId } = await parkedCheckOut();
    ({ email } = await addPerson(system.bed.db, 'ADMIN'));
    await openMailAbout('deactivatePropertyAmenities');
    await signIn();
    const secret = ((await page.locator('code').textContent()) ?? '').replaceAll(' ', '');
    totp = new TOTP({ secret: Secret.fromBase32(secret) });
    await giveCode();
    await page.waitForURL(/\/console\/incidents\/incident-/);
    await page.getByText('AMENITIES_REFUSED').first().waitFor();
    await deviceOf(id, `device-new-${id}`);
    await act('Retry', { Why: 'The lock has a new battery' });
    await ended(sagaId, 'completed');
    expect(await statusOf(id)).toBe('CHECKED_OUT');
    await expectMended();
  });

  it('ends a wrong check-out by what was done by hand, and leaves nothing half done', {
    timeout: WITHIN_MS,
  }, async () => {
    const { id, sagaId } = await parkedCheckOut();
    const [mail = ''] = await alertsAbout('The devices of Marina 12', sagaId);
    const { rows } = await sql<{
      property: string;
      guest: string;
    }>`SELECT p.name AS property, g.name AS guest FROM reservation r
      JOIN property p ON p.id = r.property_id JOIN guest g ON g.id = r.guest_id WHERE r.id = ${id}`.execute(
      system.bed.db,
    );
    expect(mail).toContain(`${rows[0]?.property}, guest ${initialsOf(rows[0]?.guest ?? '')}, `);
    expect(mail).not.toContain(rows[0]?.guest);
    await openAlert(mail, 'sagas');
    expect(page.url()).toContain(sagaId);
    await act('Resolve', { 'What was done instead': 'The key was taken back, the lock is off' });
    await ended(sagaId, 'resolved');
    expect(await statusOf(id)).toBe('CHECKED_OUT');
    await expectNothingOpen();
  });

  it('has a payment of unknown outcome tried again once its bank answers', { timeout: WITHIN_MS }, async () => {
    const id = await stayIn('confirm');
    for (const call of ['charge', 'undoCharge', 'recordOf'] as const) silent.add(call);
    const money = { amount: 1000, currency: 'AED', paymentMethod: 'Credit Card', gatewayId: BANK };
    const asked = await system.call('POST', `/reservations/${id}/payment`, {
      body: { ...money, gatewayReference: `ref-${id}` },
      headers: { prefer: 'respond-async' },
    });
    const { sagaExecutionId: sagaId } = asked.body.data;
    await until('it is parked', async () => {
      const { body } = await system.call('POST', `/sagas/executions/${sagaId}/retry-now`, {
        body: { reason: 'Again' },
      });
      const row = await system.bed.db.selectFrom('saga').select('status').where('id', '=', sagaId).executeTakeFirst();
      return row?.status === 'parked' ? body : undefined;
    });
    await forward(3_600_000);
    await openMailAbout('processPayment.createGuestPaymentTransaction');
    silent.clear();
    await act('Retry', { Why: 'The bank is back' });
    await ended(sagaId, 'compensated');
    await expectMended();
    // Else it would be told that nobody has paid since.
    await system.call('POST', `/reservations/${id}/cancel`, { body: {} });
  });

  it('has a refund that is stuck at the bank tried at once when the bank is back', { timeout: WITHIN_MS }, async () => {
    const id = await stayIn('confirm');
    const money = { amount: 1000, currency: 'AED', paymentMethod: 'Credit Card', gatewayId: BANK };
    const paid = await system.call('POST', `/reservations/${id}/payment`, {
      body: { ...money, gatewayReference: `ref-${id}` },
    });
    expect(paid.status).toBe(200);
    silent.add('refund');
    await system.call('POST', `/reservations/${id}/cancel`, { body: {} });
    const sagaId = await until('the refund has failed', async () => {
      const { rows } = await sql<{ id: string }>`SELECT s.id FROM saga s JOIN saga_step st ON st.saga_id = s.id
         WHERE s.name = 'executeRefund' AND s.finished_at IS NULL AND st.error IS NOT NULL`.execute(system.bed.db);
      return rows[0]?.id;
    });
    await forward(660_000);
    await openMailAbout('executeRefund.refundAtGateway');
    await page.getByRole('link', { name: sagaId }).click();
    await page.waitForURL(/\/console\/sagas\//);
    const saga = page.url();
    await until('it is tried by hand', async () => {
      await act('Try now', { Why: 'The bank is back' });
      if (await isRefundTriedByHand()) return true;
      // One of its own was just being made.
      await page.getByText('An attempt is under way').waitFor();
      await page.goto(saga);
      return undefined;
    });
    await ended(sagaId, 'completed');
    const { body } = await system.call('GET', `/reservations/${id}`);
    expect(body.data.refundStatus).toBe('COMPLETED');
    await expectMended();
  });

  it('is told that no worker is alive, sees it on the page of the system, and starts one', {
    timeout: WITHIN_MS,
  }, async () => {
    areWorkersAlive = false;
    await forward(60_000);
    await openMailAbout('No worker is alive');
    await page.getByText('Start a worker with this role').waitFor();
    await page.getByRole('link', { name: 'System' }).last().click();
    await page.getByText('No program says that it is alive.').waitFor();
    areWorkersAlive = true;
    await expectMended();
    await page.reload();
    expect(await page.getByText('No program says that it is alive.').count()).toBe(0);
  });

  it('mends the text of a message that was wrong, and sends it again', { timeout: WITHIN_MS }, async () => {
    const wrong = { locale: 'en', subject: 'Welcome', message: 'Dear {guestName}, your code is {accessCode}.' };
    const saved = await system.call('POST', '/templates/welcome-without-code.guest@1/versions', { body: wrong });
    expect(saved.status, saved.text).toBe(201);
    // Nothing opens by a code there.
    const id = await stayIn('confirm', 'check-in');
    await deliverAll(system.bed.db);
    await forward(16 * 60_000);
    const told = await alertsAbout('A message was not sent', `(${id})`);
    // One for both channels.
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('MISSING accessCode');
    expect(told[0]).not.toContain('John');
    await openAlert(told[0] ?? '', 'messages');
    await page.getByText('MISSING accessCode').first().waitFor();
    const message = page.url();
    await page.getByRole('link', { name: 'Change this text' }).click();
    const panel = page.locator('section').filter({ has: page.getByRole('heading', { name: /^en/ }) });
    await panel.getByLabel('Text').fill('Dear {guestName}, welcome to {propertyName}.');
    await panel.getByRole('button', { name: 'Preview' }).click();
    await page.getByText('welcome to', { exact: false }).first().waitFor();
    await panel.getByRole('button', { name: 'Save' }).click();
    const asked = page.getByRole('link', { name: 'Give your second factor' });
    await asked.or(page.getByText('Saved.')).first().waitFor();
    if ((await asked.count()) > 0) {
      await asked.click();
      await page.waitForURL(/second-factor/);
      await giveCode();
      await page.waitForURL(/\/console\/texts\//);
      await panel.getByRole('button', { name: 'Save' }).click();
    }
    await page.getByText('Saved.').waitFor();
    await page.goto(message);
    await page.getByRole('button', { name: 'Send again' }).click();
    await page.getByText('Sent again.').waitFor();
    await deliverAll(system.bed.db);
    await page.reload();
    await page.getByText('welcome to', { exact: false }).first().waitFor();
  });

  it('takes a payment with another card where one was declined', { timeout: WITHIN_MS }, async () => {
    const id = await stayIn('confirm');
    const declined = await system.call('POST', `/reservations/${id}/payment`, {
      body: { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `ref-declined-${id}` },
    });
    expect(declined.body.code).toBe('PAYMENT_DECLINED');
    // Most guests try again themselves.
    await forward(16 * 60_000);
    await openMailAbout('The payment of one stay has failed, and nobody has paid since');
    const mail = mails.find(({ text }) => text.includes('nobody has paid since'))?.text ?? '';
    for (const words of ['Marina 12, guest J.D., 2031-02-01 to 2031-02-03', `${served.url}/console/stays/${id}`])
      expect(mail).toContain(words);
    expect(mail).not.toMatch(/John|1,?000/);
    await page.getByRole('link', { name: id }).click();
    await page.waitForURL(/\/console\/stays\//);
    expect(await page.content()).toContain('PAYMENT_DECLINED');
    await act('See what it would do', { Amount: '1000', 'Card token or reference': `ref-${id}` }, 'Take a payment');
    await page.getByText('Nothing has been done yet.', { exact: false }).waitFor();
    await act('Do it: Take a payment', {});
    await until('it is paid', async () => {
      const { body } = await system.call('GET', `/reservations/${id}`);
      return body.data.paymentStatus === 'PAID' ? true : undefined;
    });
    await expectMended();
  });

  it('gives back what a guest was charged twice, and nothing more', { timeout: WITHIN_MS }, async () => {
    const id = await stayIn('confirm');
    for (const n of [1, 2]) {
      const paid = await system.call('POST', `/reservations/${id}/payment`, {
        body: { amount: 500, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `ref-${id}-${n}` },
      });
      expect(paid.status).toBe(200);
    }
    const reference = `ref-${id}-2`;
    const bank = createGatewayDesk(system);
    const claim = { gatewayId: GATEWAY, reference, amountMinor: 50_000, inquiry: true };
    const claimId = system.sandbox.dashboard.dispute(claim);
    await bank.report(reference);
    await bank.takeUp();
    // Operations have an alert, which leads to the stay; the incident is told to those who look after the money.
    const [alert = ''] = await alertsAbout('Roomy needs a person', `(${id})`);
    expect(alert).toContain(`${served.url}/console/stays/${id}`);
    await openMailAbout('claims the payment of one stay back');
    expect(mails.filter(({ text }) => text.includes('claims the payment')).map(({ to }) => to)).toEqual([email]);
    await page.getByRole('link', { name: id }).click();
    await page.waitForURL(/\/console\/stays\//);
    await act('See what it would do', { Amount: '500', Why: 'Charged twice' }, 'Give money back');
    await page.getByText('Nothing has been done yet.', { exact: false }).waitFor();
    await act('Do it: Give money back', {});
    await until('it is given back', async () => {
      const { body } = await system.call('GET', `/reservations/${id}`);
      return body.data.refundStatus === 'COMPLETED' ? true : undefined;
    });
    const { rows } = await sql<{ refunded: number }>`SELECT sum(amount_minor)::int AS refunded FROM transaction
      WHERE reservation_id = ${id} AND type = 'REFUND'`.execute(system.bed.db);
    expect(rows).toEqual([{ refunded: 50_000 }]);
    // The bank has what it asked for.
    system.sandbox.dashboard.decide(claimId, 'CLOSED');
    await bank.report(reference);
    await bank.takeUp();
    await expectMended();
  });

  it('enters who is ill, and somebody else has the work', { timeout: WITHIN_MS }, async () => {
    const { db } = system.bed;
    const names = new Map(['Nina', 'Omar', 'Pia'].map((name) => [name.toLowerCase(), name]));
    for (const [id, name] of names)
      await db
        .insertInto('staff')
        .values({ id, name, email: `${name}@example.com`, role: 'CLEANER' })
        .execute();
    for (let stays = 0; stays < 2; stays += 1) await stayIn('confirm');
    while ((await assignDueTasks(db, 50)) > 0);
    const work = () =>
      db
        .selectFrom('task')
        .select(['id', 'assignee_id', sql<string>`(scheduled_at AT TIME ZONE 'Asia/Dubai')::date::text`.as('day')])
        .where('assignee_id', 'in', [...names.keys()])
        .orderBy('scheduled_at')
        .orderBy('id')
        .execute();
    const all = await work();
    const [ill = ''] = [...names.keys()].filter((id) => all.filter(({ assignee_id }) => assignee_id === id).length > 1);
    const [first, ...rest] = all.filter(({ assignee_id }) => assignee_id === ill);
    expect(rest.length).toBeGreaterThan(0);
    const said = await system.call('POST', `/tasks/${first?.id}/decline`, { body: { reason: 'I am ill' } });
    expect(said.status, said.text).toBe(200);
    const told = await alertsAbout('Roomy needs a person', 'Somebody has declined a task');
    await openAlert(told[0] ?? '', 'tasks');
    await page
      .getByRole('link', { name: names.get(ill) ?? '' })
      .first()
      .click();
    const [day = '', last = ''] = [rest[0]?.day, rest.at(-1)?.day];
    await act('Mark as absent', { From: day, 'Until the end of': last });
    await page.getByText('These tasks go to others:').waitFor();
    while ((await assignDueTasks(db, 50)) > 0);
    const after = await work();
    expect(after.filter(({ assignee_id }) => assignee_id === ill)).toEqual([]);
    await page.reload();
    await page.getByText('now with').first().waitFor();
  });

  it('has sent again what a program missed that was away for a day', { timeout: WITHIN_MS }, async () => {
    const { db } = system.bed;
    const taken: string[] = [];
    let isAway = true;
    const consumer = createServer((request, response) => {
      if (!isAway) taken.push(String(request.headers['webhook-id']));
      request.resume();
      response.writeHead(isAway ? 503 : 204).end();
    });
    await new Promise<void>((resolve) => consumer.listen(0, '127.0.0.1', resolve));
    const { port } = consumer.address() as AddressInfo;
    const sender = createWebhookSender({ clock: database.clock, allowed: [`127.0.0.1:${port}`] });
    const outages = createOutages(createLogger('test', 'silent'));
    const deliver = () => deliverWebhooks({ db, sender, random: () => 0.5, outages });
    await sql`INSERT INTO webhook_endpoint (id, url, secret, next_seq, created_by)
      VALUES ('endpoint-1', ${`http://127.0.0.1:${port}/`}, 'whsec_dGVzdC10ZXN0LXRlc3QtdGVzdA==', 1, 'admin-1')`.execute(
      db,
    );
    try {
      for (let hours = 0; hours < 24; hours += 1) {
        await deliver();
        await forward(3_600_000);
      }
      await openMailAbout('webhook endpoint endpoint-1');
      await signInAgain();
      isAway = false;
      await page.getByRole('link', { name: 'Developers' }).last().click();
      await page.getByText('503').first().waitFor();
      await act('Send again', { 'Send again what came after place': '0' });
      const newest = await numberEvents(db);
      while ((await deliver()) > 0);
      expect(new Set(taken).size).toBe(newest);
      await expectMended();
    } finally {
      consumer.close();
      await sql`DELETE FROM webhook_endpoint`.execute(db);
    }
  });
});
