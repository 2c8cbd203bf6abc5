import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tx } from '../../src/db/client.ts';
import type { SystemReader } from '../../src/domain/incidents/overview.ts';
import { beat } from '../../src/domain/incidents/processes.ts';
import type { AccountRow } from '../../src/domain/people/accounts.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { newId } from '../../src/kernel/ids.ts';
import { addSaga } from '../setup/ledger.ts';
import { API, type Http, startHttp } from './harness.ts';
import { addPerson, type Browser, browserOf, mailedLink, signInByMail } from './people.ts';
import { addIncident, prepareWorld } from './valid-requests.ts';

/** The frame of the console, the day of the office and the page of a stay, with the forms by which people act there. */

const DATE = '2031-05-10';
let http: Http;
/** Whose only property is `property-1`. */
let agent: Browser;
/** How the queues stand; null: they do not answer. */
let standing: Awaited<ReturnType<SystemReader['queues']>> = null;
const system: SystemReader = {
  queues: async () => standing,
  kept: async () => [
    { what: 'events', days: 400, oldestAt: new Date('2024-01-01T00:00:00Z') },
    { what: 'keys', days: 30, oldestAt: null },
  ],
  seals: async () => ({
    watch: { lookedAt: new Date(), walkBeganAt: null, walkDoneAt: new Date(), broken: 0 },
    money: { finishedAt: new Date(), differences: 3 },
  }),
  due: async () => [{ what: 'messages', count: 2, oldestSeconds: 600, lateAfterMinutes: 2 }],
};
beforeAll(async () => {
  http = await startHttp({ system });
  await prepareWorld(http.db);
  await http.db
    .insertInto('property')
    .values({ id: 'property-2', name: 'Palm <7>', owner_id: 'owner-1', agent_ids: ['agent-2'] })
    .execute();
  await stay('asks', 'PENDING', DATE, '2031-05-12');
  await stay('comes', 'CONFIRMED', DATE, '2031-05-12', 'property-2');
  await stay('late', 'CHECKED_IN', '2024-02-01', '2024-02-03');
  agent = await signedIn('AGENT', { staffId: 'agent-1' });
}, 60_000);
afterAll(() => http?.stop());

type Status = 'PENDING' | 'CONFIRMED' | 'CHECKED_IN';
async function stay(id: string, status: Status, from: string, to: string, property_id = 'property-1') {
  await http.db
    .insertInto('reservation')
    .values({
      id,
      property_id,
      guest_id: 'guest-1',
      check_in_date: from,
      check_out_date: to,
      total_minor: 100_000,
      currency: 'AED',
      status,
      created_by: 'test',
    })
    .execute();
}
/** One that was sent. */
async function addMessage(tx: Tx, reservation_id: string): Promise<string> {
  const id = newId('notification-t');
  await tx
    .insertInto('notification')
    .values({
      id,
      effect_key: id,
      reservation_id,
      event: 'RESERVATION_CONFIRMED',
      template: 'reservation-confirmed.guest@1',
      channel: 'EMAIL',
      recipient_type: 'GUEST',
      recipient_id: 'guest-1',
      params: '{}',
      status: 'FAILED',
    })
    .execute();
  await tx
    .insertInto('notification_content')
    .values({ notification_id: id, subject: 'Welcome', body: 'Hello <John>' })
    .execute();
  return id;
}
async function signedIn(
  role: AccountRow['role'],
  links: Parameters<typeof addPerson>[2] = {},
  ago = '0',
): Promise<Browser> {
  const account = await addPerson(http.db, role, links);
  const browser = await signInByMail(http.app, http.db, account.email);
  await sql`UPDATE session SET mfa_at = now() - ${ago}::interval WHERE account_id = ${account.id}`.execute(http.db);
  return browser;
}
const navigationOf = (text: string): string[] =>
  [...(/<nav[\s\S]*?<\/nav>/.exec(text)?.[0] ?? '').matchAll(/href="\/console\/([a-z]+)"/g)].map(
    ([, name = '']) => name,
  );
const keyOf = (text: string): string => /name="key" value="([^"]+)"/.exec(text)?.[1] ?? '';
const mainOf = (text: string): string => text.slice(text.indexOf('<main'));

describe('a link of a mail', () => {
  it('leads there after the sign-in, once, and never to another site', async () => {
    const { email } = await addPerson(http.db, 'AGENT');
    const browser = browserOf(http.app);
    const signIn = async (): Promise<string | null> => {
      await browser.post('/sign-in', { email });
      return (await browser.post(await mailedLink(http.db, email))).location;
    };
    const page = '/console/sagas?status=parked&from=2031-05-10';
    expect((await browser.get(page)).location).toBe('/sign-in');
    expect(await signIn()).toBe(page);
    await browser.post('/sign-out');
    expect(await signIn()).toBe('/work');
    await browser.post('/sign-out');
    for (const path of ['/console/sagas?name=//evil.example', '/console//evil.example', '/account']) {
      await browser.get(path);
      expect(await signIn(), path).toBe('/work');
      await browser.post('/sign-out');
    }
  });

  it('is found again after the code that was asked for first', async () => {
    const { email } = await addPerson(http.db, 'OPS');
    const browser = browserOf(http.app);
    await browser.get('/console/incidents/incident-1');
    await browser.post('/sign-in', { email });
    expect((await browser.post(await mailedLink(http.db, email))).location).toBe('/account/second-factor');
    await sql`UPDATE session SET mfa_at = now() WHERE ended_at IS NULL AND account_id = (SELECT id FROM account WHERE email = ${email})`.execute(
      http.db,
    );
    expect((await browser.get('/sign-in')).location).toBe('/console/incidents/incident-1');
  });
});

describe('the frame', () => {
  it('leads each role to its first page, and whom it is not for to where they belong', async () => {
    expect((await browserOf(http.app).get('/console')).location).toBe('/sign-in');
    const homes = {
      ADMIN: '/console/today',
      OPS: '/console/today',
      AGENT: '/console/today',
      FINANCE: '/console/incidents',
      OWNER: '/owner',
      CLEANER: '/work',
    } as const;
    for (const [role, home] of Object.entries(homes) as [keyof typeof homes, string][])
      expect((await (await signedIn(role)).get('/console')).location, role).toBe(home);
  });

  it('names the pages that the reader may open, and marks the one that is open', async () => {
    for (const role of ['ADMIN', 'OPS', 'FINANCE', 'AGENT'] as const) {
      const browser = await signedIn(role);
      const { text, headers } = await browser.get('/console/today');
      expect(text).toContain('aria-current="page">Today');
      expect(headers.get('content-security-policy')).toContain(
        "default-src 'none'; script-src 'self'; style-src 'self'",
      );
      for (const page of navigationOf(text)) expect((await browser.get(`/console/${page}`)).status, page).toBe(200);
      expect(navigationOf(text).includes('incidents'), role).toBe(role !== 'AGENT');
    }
  });

  it('speaks the language of the browser, and another that was chosen', async () => {
    const browser = await signedIn('ADMIN');
    const inArabic = async (acceptLanguage: string) => {
      const headers = { cookie: browser.cookie, accept: 'text/html', 'accept-language': acceptLanguage };
      return (await http.app.request('https://roomy.example/console/today', { headers })).text();
    };
    expect(await inArabic('ar-AE,en;q=0.5')).toContain('<html lang="ar" dir="rtl">');
    expect(await inArabic('en-GB,ar;q=0.5')).toContain('<html lang="en" dir="ltr">');
    const back = `/console/today?date=${DATE}`;
    expect((await browser.post('/console/language', { language: 'ar', back })).location).toBe(back);
    expect((await browser.get('/console/today')).text).toContain('dir="rtl"');
    for (const elsewhere of ['https://evil.example/', '//evil.example', '/console/../sign-out', '/consoles', ''])
      expect((await browser.post('/console/language', { language: 'en', back: elsewhere })).location).toBe('/console');
    expect((await browser.post('/console/language', { language: 'xx' })).status).toBe(422);
    expect(
      (await browser.post('/console/language', { language: 'ar' }, { origin: 'https://evil.example' })).status,
    ).toBe(403);
  });
});

describe('the day', () => {
  it('shows who comes and what is late, with the acts that the reader has', async () => {
    const admin = await signedIn('ADMIN');
    const { text } = await admin.get(`/console/today?date=${DATE}`);
    expect(text).toContain('Palm &lt;7&gt;');
    expect(text).toContain('John Doe');
    expect(text).toContain('action="/console/stays/asks/confirm"');
    expect(text).toContain('action="/console/stays/comes/check-in"');
    expect((await admin.get('/console/today')).text).toContain('Guest has not left');
    const ops = (await (await signedIn('OPS')).get(`/console/today?date=${DATE}`)).text;
    expect(mainOf(ops)).not.toMatch(/John Doe|method="post"|Balance due/);
    const finance = (await (await signedIn('FINANCE')).get(`/console/today?date=${DATE}`)).text;
    expect(mainOf(finance)).not.toMatch(/John Doe|method="post"/);
    expect(finance).toContain('Balance due');
  });

  it('has the open incidents on top, for those who may read them', async () => {
    const id = await addIncident(http);
    expect((await (await signedIn('OPS')).get('/console/today')).text).toContain(`/console/incidents/${id}`);
    expect((await agent.get('/console/today')).text).not.toContain(id);
  });

  it('shows an agent their own properties, and no others', async () => {
    const { text } = await agent.get(`/console/today?date=${DATE}`);
    expect([text.includes('Marina 1204'), text.includes('Palm')]).toEqual([true, false]);
  });

  it('goes to the days beside it, and refuses what is no day', async () => {
    const admin = await signedIn('ADMIN');
    const { text } = await admin.get('/console/today?date=2031-03-01');
    expect(text).toContain('date=2031-02-28');
    expect(text).toContain('date=2031-03-02');
    expect((await admin.get('/console/today?date=2031-02-30')).status).toBe(422);
  });
});

describe('an act on a stay', () => {
  const end = (status: number, body: object) => ({ status, body: Buffer.from(JSON.stringify(body)) });

  it('is the request of the API: the same saga, by the same person, once for each key', async () => {
    const admin = await signedIn('ADMIN');
    http.orchestrator.reset();
    http.orchestrator.end = end(200, { success: true, data: { reservation: {} } });
    const key = keyOf((await admin.get(`/console/today?date=${DATE}`)).text);
    const { location } = await admin.post('/console/stays/asks/confirm', { key, date: DATE });
    expect(location).toBe(`/console/today?date=${DATE}&told=confirm`);
    expect((await admin.get(location ?? '')).text).toContain('role="status">Confirm: Done.');
    expect(http.orchestrator.accepts).toMatchObject([
      { name: 'confirmReservation', request: { subjectId: 'asks', idempotency: { key } } },
    ]);
  });

  it('leads to the saga that has not ended', async () => {
    const admin = await signedIn('ADMIN');
    http.orchestrator.reset();
    expect((await admin.post('/console/stays/late/check-out', { key: 'k-1' })).location).toBe('/console/sagas/saga-1');
  });

  it('says on the same page why it was refused, and whom it refuses', async () => {
    const admin = await signedIn('ADMIN');
    http.orchestrator.reset();
    http.orchestrator.refusal = new RoomyError('SAGA_IN_PROGRESS', { details: { sagaExecutionId: 'saga-7' } });
    const onDay = await admin.post('/console/stays/asks/confirm', { key: 'k-2', date: DATE });
    expect(onDay.text).toMatch(/role="alert"[\s\S]*saga-7/);
    expect(onDay.text).toContain('Marina 1204');
    const onStay = await admin.post('/console/stays/asks/cancel', { key: 'k-3', reason: 'GUEST_REQUEST' });
    expect(onStay.text).toContain('role="alert"');
    expect((await admin.post('/console/stays/asks/cancel', { key: 'k-4', reason: ' ' })).text).toContain(
      'role="alert"',
    );
    expect((await admin.post('/console/stays/asks/confirm', {})).text).toContain('role="alert"');
    expect((await admin.post('/console/stays/none/confirm', { key: 'k-5' })).status).toBe(404);
    expect(
      (await admin.post('/console/stays/asks/confirm', { key: 'k' }, { origin: 'https://evil.example' })).status,
    ).toBe(403);
    expect((await agent.post('/console/stays/comes/check-in', { key: 'k-6' })).status).toBe(404);
    const finance = await signedIn('FINANCE');
    expect((await finance.post('/console/stays/asks/confirm', { key: 'k-7' })).location).toBe('/account');
    expect(http.orchestrator.accepts).toEqual([]);
  });
});

it('shows a stay with its acts and their reasons, its money and what happened', async () => {
  const admin = await signedIn('ADMIN');
  const { text } = await admin.get('/console/stays/asks');
  expect(text).toContain('John Doe, Marina 1204');
  expect(text).toContain('action="/console/stays/asks/cancel"');
  expect(text).toContain('Not possible now');
  expect(text).toMatch(/AED.1,000\.00/);
  expect(text).toContain('class="now"');
  const ops = (await (await signedIn('OPS')).get('/console/stays/asks')).text;
  expect(mainOf(ops)).not.toMatch(/John Doe|1,000|method="post"/);
  expect((await admin.get('/console/stays/none')).status).toBe(404);
});

describe('a saga', () => {
  it('shows its steps with their undo, errors and times, and is found in the list', async () => {
    const id = await addSaga(http.db, { name: 'executeRefund', status: 'parked', subjectId: 'transaction-1' });
    const row = (step_no: number, direction: 'F' | 'C', status: 'done' | 'failed') =>
      http.db
        .insertInto('saga_step')
        .values({
          saga_id: id,
          step_no,
          direction,
          name: `step-${step_no}`,
          class: 'RETRIABLE',
          kind: 'LOCAL',
          status,
          attempt: 3,
          done_at_version: status === 'done' ? 1 : null,
          max_attempts: 5,
          started_at: new Date('2031-05-10T10:00:00Z'),
          finished_at: new Date('2031-05-10T10:00:02Z'),
          error: status === 'failed' ? JSON.stringify({ code: 'GATEWAY_UNAVAILABLE' }) : null,
        })
        .execute();
    await row(1, 'F', 'done');
    await row(2, 'F', 'failed');
    await row(1, 'C', 'done');
    const admin = await signedIn('ADMIN');
    const { text } = await admin.get(`/console/sagas/${id}`);
    expect(text).toMatch(/class="undo"/);
    expect(text).toContain('GATEWAY_UNAVAILABLE');
    expect(text).toMatch(/<rect class="stopped" x="\d+"/);
    expect(text).not.toMatch(/ style=/);
    expect((await admin.get('/console/sagas?status=parked&name=&reservationId=&from=&to=')).text).toContain(id);
    expect((await admin.get('/console/sagas?status=completed')).text).not.toContain(id);
    expect((await admin.get('/console/sagas?status=nonsense')).status).toBe(422);
    expect((await admin.get('/console/sagas/none')).status).toBe(404);
  });

  it('is let go on and settled with a reason and a fresh second factor, by those who may', async () => {
    const id = await addSaga(http.db, { name: 'executeRefund', status: 'parked', subjectId: 'transaction-2' });
    const other = await addSaga(http.db, { name: 'checkOut', status: 'parked', subjectId: 'comes' });
    const at = `/console/sagas/${id}`;
    const finance = await signedIn('FINANCE');
    const { text } = await finance.get(at);
    expect([text.includes(`${at}/retry`), text.includes(`${at}/resolve`)]).toEqual([true, false]);
    expect((await finance.get(`/console/sagas/${other}`)).text).not.toContain('/retry"');
    http.orchestrator.reset();
    expect((await finance.post(`${at}/retry`, { key: 'r-1', reason: 'It is back' })).location).toBe(at);
    expect((await finance.post(`${at}/resolve`, { key: 'r-2', reason: 'x' })).location).toBe('/account');
    expect((await finance.post(`/console/sagas/${other}/retry`, { key: 'r-3', reason: 'x' })).text).toContain(
      'role="alert"',
    );
    expect(http.orchestrator.interventions).toMatchObject([{ sagaId: id, reason: 'It is back' }]);
    const ops = await signedIn('OPS');
    expect((await ops.post(`${at}/resolve`, { key: 'r-4', reason: ' ' })).text).toContain('role="alert"');
    expect((await ops.post(`${at}/resolve`, { key: 'r-5', reason: 'Paid by hand' })).location).toBe(at);
    http.orchestrator.reset();
    const tired = await signedIn('OPS', {}, '1 hour');
    const refused = await tired.post(`${at}/retry`, { key: 'r-6', reason: 'x' });
    expect(refused.text).toContain('href="/account/second-factor"');
    expect(http.orchestrator.interventions).toEqual([]);
    expect((await agent.get(at)).status).toBe(404);
    expect((await agent.post(`${at}/retry`, { key: 'r-7', reason: 'x' })).location).toBe('/work');
  });
});

describe('a saga that is parked', () => {
  it('has its step skipped, or its input changed, where its definition allows it', async () => {
    const ops = await signedIn('OPS');
    const parked = { status: 'parked', errorCode: 'STEP_FAILED', subjectId: 'parked-stay' } as const;
    const id = await addSaga(http.db, { ...parked, name: 'cancelReservation', step: 6 });
    const at = `/console/sagas/${id}`;
    const { text } = await ops.get(at);
    expect(text).toContain('Nothing is sent: tell the guest');
    expect(text).toContain('name="input.reason"');
    // Beside the button: what resolving it does, and what it does not.
    expect(text).toContain('Resolving closes it for good');
    expect(text).toContain('This counts as seen to by a person, and is not done:');
    expect(text).toContain(`${at}/resolve`);
    const headers = { cookie: ops.cookie, accept: 'text/html', 'accept-language': 'ar' };
    const arabic = await (await http.app.request(`https://roomy.example${at}`, { headers })).text();
    expect(arabic).toContain('التسوية تغلق العملية نهائياً');
    http.orchestrator.reset();
    const skipped = { key: 's-1', step: 'sendCancellationNotification', reason: 'Told by telephone' };
    expect((await ops.post(`${at}/skip`, skipped)).location).toBe(at);
    const amended = { key: 's-2', 'input.reason': 'OTHER', reason: 'It was another' };
    expect((await ops.post(`${at}/amend`, amended)).location).toBe(at);
    expect(http.orchestrator.interventions).toMatchObject([
      { sagaId: id, step: 'sendCancellationNotification', reason: 'Told by telephone' },
      { sagaId: id, input: { reason: 'OTHER' }, reason: 'It was another' },
    ]);
    http.orchestrator.reset();
    const access = await addSaga(http.db, { ...parked, name: 'changeAccess', subjectId: 'parked-access', step: 2 });
    const page = (await ops.get(`/console/sagas/${access}`)).text;
    expect(page).toContain('<option>validateAccess</option>');
    const retried = { key: 's-3', from: 'validateAccess', reason: 'A new lock' };
    expect((await ops.post(`/console/sagas/${access}/retry`, retried)).location).toBe(`/console/sagas/${access}`);
    expect(http.orchestrator.interventions).toMatchObject([{ sagaId: access, from: 'validateAccess' }]);
    // Of one that is being undone, the undo at which it stopped is skipped, and nothing is amended.
    const undoing = await addSaga(http.db, { ...parked, name: 'checkIn', subjectId: 'parked-undoing', step: 5 });
    await http.db
      .insertInto('saga_step')
      .values({
        ...{ saga_id: undoing, step_no: 5, direction: 'C', kind: 'EXTERNAL' },
        ...{ name: 'activatePropertyAmenities', class: 'COMPENSABLE', status: 'failed', max_attempts: 8, attempt: 8 },
        ...{ finished_at: new Date(), error: JSON.stringify({ code: 'AMENITIES_UNAVAILABLE' }) },
      })
      .execute();
    const door = (await ops.get(`/console/sagas/${undoing}`)).text;
    expect(door).toContain('take the code of the guest off it by hand');
    expect(door).toContain('name="step" value="activatePropertyAmenities"');
    expect(door).not.toContain(`${undoing}/amend`);
    expect(door).not.toContain('name="from"');
    expect(door).toContain('It cannot be resolved where it stands:');
    expect(door).toContain('skip this undo');
    expect(door).not.toContain(`${undoing}/resolve`);
    // Neither is offered at a step that moves money.
    const refund = await addSaga(http.db, { ...parked, name: 'executeRefund', subjectType: 'transaction', step: 2 });
    const money = (await ops.get(`/console/sagas/${refund}`)).text;
    expect(money).not.toContain(`${refund}/skip`);
    expect(money).not.toContain(`${refund}/amend`);
    http.orchestrator.reset();
  });
});

describe('a saga that runs', () => {
  it('is paused and resumed on its page, which offers what can be done as it stands', async () => {
    const id = await addSaga(http.db, { name: 'checkOut', status: 'running', subjectId: 'runs-on' });
    const at = `/console/sagas/${id}`;
    const ops = await signedIn('OPS');
    const offers = async (): Promise<readonly string[]> => {
      const { text } = await ops.get(at);
      return [...text.matchAll(/action="[^"]*\/sagas\/[^/"]+\/([a-z-]+)"/g)].map(([, name = '']) => name);
    };
    expect(await offers()).toEqual(['pause', 'cancel']);
    expect((await ops.post(`${at}/pause`, { key: 'h-1', reason: 'The lock is being changed' })).location).toBe(at);
    expect(await offers()).toEqual(['resume', 'cancel']);
    const paused = (await ops.get(at)).text;
    expect(paused).toContain('The lock is being changed');
    const hold = /name="hold" value="([^"]+)"/.exec(paused)?.[1] ?? '';
    expect((await ops.post(`${at}/resume`, { key: 'h-2', reason: 'Changed', hold })).location).toBe(at);
    expect((await ops.post(`${at}/resume`, { key: 'h-3', reason: 'Changed', hold })).text).toContain('role="alert"');
    expect(await offers()).toEqual(['pause', 'cancel']);
    await http.db.updateTable('saga').set({ status: 'compensating' }).where('id', '=', id).execute();
    expect(await offers()).toEqual(['pause']);
    const tired = await signedIn('OPS', {}, '1 hour');
    expect((await tired.post(`${at}/pause`, { key: 'h-4', reason: 'x' })).text).toContain('/account/second-factor');
    const finance = await signedIn('FINANCE');
    expect((await finance.get(at)).text).not.toContain('/pause"');
  });
});

it('shows a message with its words to those who may read them, and sends it again', async () => {
  const id = await http.db.transaction().execute((tx) => addMessage(tx, 'asks'));
  const admin = await signedIn('ADMIN');
  const { text } = await admin.get(`/console/messages/${id}`);
  expect(text).toContain('Hello &lt;John&gt;');
  expect((await admin.get('/console/messages?reservationId=asks&status=&recipientId=')).text).toContain(id);
  expect((await admin.get('/console/messages?reservationId=comes')).text).not.toContain(id);
  const ops = await signedIn('OPS');
  expect((await ops.get(`/console/messages/${id}`)).text).not.toContain('Hello');
  const { location } = await ops.post(`/console/messages/${id}/resend`, { key: keyOf(text) });
  expect(location).toMatch(/^\/console\/messages\/.+\?told=resent$/);
  expect(location).not.toContain(`/${id}?`);
  expect((await ops.get(location ?? '')).text).toContain('role="status">Sent again.');
  expect((await ops.post('/console/messages/none/resend', { key: 'm-1' })).status).toBe(404);
  expect((await agent.get('/console/messages/none')).status).toBe(404);
});

describe('the texts of messages', () => {
  const AT = '/console/texts/reservation-confirmed.guest@1';
  const draft = { locale: 'en', subject: 'Welcome, {guestName}', message: 'Dear {guestName}\r\nSee you.', key: '' };

  it('are seen as their readers would, and changed, by those who may', async () => {
    const admin = await signedIn('ADMIN');
    const { text } = await admin.get(AT);
    expect(text).toContain('<code>{guestName}</code>');
    const seen = await admin.post(`${AT}/preview`, draft);
    expect(seen.text).toMatch(/Welcome, (?!\{guestName\})[^<]+<\/strong>/);
    expect(seen.text).toContain('See you.</textarea>');
    const saved = await admin.post(`${AT}/save`, { ...draft, key: keyOf(text) });
    expect(saved.text).toContain('role="status">Saved.');
    await admin.post(`${AT}/save`, { ...draft, key: keyOf(text) });
    const { body } = await http.call('GET', `${API}/templates/reservation-confirmed.guest@1`, { as: 'ADMIN' });
    expect(body).toMatchObject({ data: { versions: [{ version: 1, message: 'Dear {guestName}\nSee you.' }] } });
    expect((await admin.get(AT)).text).toContain('Version 1');
  });

  it('keep what was written when it is refused, and say why', async () => {
    const admin = await signedIn('ADMIN');
    const { text } = await admin.post(`${AT}/save`, { ...draft, message: 'Dear {nobody}', key: 'text-9' });
    expect(text).toContain('role="alert"');
    expect(text).toContain('Dear {nobody}</textarea>');
  });

  it('are read, and not written, by operations', async () => {
    const ops = await signedIn('OPS');
    const { text } = await ops.get(AT);
    expect(text).not.toContain('<textarea');
    expect((await ops.post(`${AT}/save`, { ...draft, key: 'text-8' })).status).toBe(303);
  });
});

describe('the system', () => {
  it('shows programs, queues, what is due and what is late, in words', async () => {
    await beat(http.db, {
      id: 'w-1',
      program: 'worker',
      roles: ['sagas'],
      version: '9.9.9',
      circuits: { sandbox: '2031-05-10T10:00:00Z' },
    });
    standing = {
      queues: [{ name: 'sagas', isPaused: true, waiting: 3, active: 1, delayed: 0, failed: 2, oldestSeconds: 90 }],
      schedules: [{ queue: 'sweeps', job: 'assign', everyMs: 60_000, nextAt: new Date('2031-05-10T10:00:00Z') }],
    };
    const ops = await signedIn('OPS');
    const { text } = await ops.get('/console/system');
    for (const words of ['9.9.9', 'sandbox', 'Paused', '1 min 30 s', 'assign', 'messages', '(Late)'])
      expect(text, words).toContain(words);
    await ops.post('/console/system/pause', { key: 's-1', scope: 'NAME', subject: 'checkOut', reason: 'Locks move' });
    const held = (await ops.get('/console/system')).text;
    expect(held).toContain('Locks move');
    const wrong = await ops.post('/console/system/pause', {
      key: 's-2',
      scope: 'NAME',
      subject: 'nothing',
      reason: 'x',
    });
    expect(wrong.text).toContain('role="alert"');
    const hold = /name="hold" value="([^"]+)"/.exec(held)?.[1] ?? '';
    await ops.post('/console/system/resume', { key: 's-3', hold, reason: 'Done' });
    expect((await ops.get('/console/system')).text).not.toContain('Locks move');
    expect(text).toMatch(/name="name"[\s\S]*assign-sweep/);
    const ran = await ops.post('/console/system/run', { key: 's-4', name: 'assign-sweep', reason: 'Staff are back' });
    expect((await ops.get(ran.location ?? '')).text).toContain('role="status">Asked for');
    expect((await ops.post('/console/system/run', { key: 's-5', name: 'none', reason: 'x' })).status).toBe(404);
    expect((await ops.post('/console/system/run', { key: 's-6', name: 'assign-sweep', reason: ' ' })).text).toContain(
      'role="alert"',
    );
    expect(text).toContain('Nobody has changed it.');
    expect(text).toContain('Differences:');
    expect(text).toMatch(/Too old[\s\S]*In time/);
    standing = null;
    const away = (await ops.get('/console/system')).text;
    expect(away).toContain('The queues do not answer just now');
    expect(away).toContain('messages');
    expect((await (await signedIn('FINANCE')).get('/console/system')).location).toBe('/account');
  });
});
