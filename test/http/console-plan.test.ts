import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccountRow } from '../../src/domain/people/accounts.ts';
import { ACT_WORDS, STAY_ACTS, type StayAct } from '../../src/web/console/acts.ts';
import { wordIn } from '../../src/web/console/frame.ts';
import { prepareStays, readStay, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { until } from '../setup/engine.ts';
import { addSaga } from '../setup/ledger.ts';
import { type System, startSystem } from '../setup/system.ts';
import { PUBLIC_URL } from './harness.ts';
import { addPerson, type Browser, signInByMail } from './people.ts';
import { digestOfEverything } from './valid-requests.ts';

/** Every act of the page of a stay: first its plan, which leaves nothing behind, then the act with the same input. */

let system: System;
let admin: Browser;
let stay: string;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  stay = await seedStay(system.bed.db);
  admin = await signedIn('ADMIN');
});
afterAll(() => system?.close());

async function signedIn(role: AccountRow['role'], ago = '0'): Promise<Browser> {
  const { app } = await system.as({});
  const { db } = system.bed;
  const account = await addPerson(db, role);
  const browser = await signInByMail(app, db, account.email);
  await sql`UPDATE session SET mfa_at = now() - ${ago}::interval WHERE account_id = ${account.id}`.execute(db);
  return browser;
}

/** The fields of the form that does the act, as a browser would send them. */
function formIn(text: string, act: StayAct): Readonly<Record<string, string>> {
  const forms = [...text.matchAll(/<form method="post" action="([^"]+)"[\s\S]*?<\/form>/g)];
  const [form = ''] = forms.find(([, action]) => action?.endsWith(`/stays/${stay}/${act}`)) ?? [];
  return Object.fromEntries(
    [...form.matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  );
}

const payment = (amount: string, reference: string) => ({
  ...{ amount, currency: 'AED', gatewayId: GATEWAY, gatewayReference: reference },
});
/** What is typed, and what the plan of it says. */
const ACTS: readonly (readonly [act: StayAct, typed: Readonly<Record<string, string>>, said: readonly RegExp[]])[] = [
  ['confirm', {}, [/Stay: state/, /Confirmed/, /Cleaning/, /Made/, /John|guest-1/, /Will be sent/]],
  ['payment', payment('400', 'ref-plan-1'), [/Share of the owner/, /70 %/, /AED.400\.00/, /…an-1/, /takes a payment/]],
  ['check-in', {}, [/Checked in/, /Mind/]],
  [
    'refunds',
    { amount: '50', currency: 'AED', reason: 'No hot water', bearer: 'SPLIT' },
    [/AED.50\.00/, /No hot water/],
  ],
  ['check-out', {}, [/Checked out/, /Cleaning/]],
];

it('shows the plan of each act first, which leaves nothing behind, and then does the same', async () => {
  const { db } = system.bed;
  const at = `/console/stays/${stay}`;
  const digests = async () => {
    // Orders of the act before are marked a moment after they were carried.
    await until('the outbox is drained', async () => {
      const { rows } = await sql`SELECT FROM outbox WHERE published_at IS NULL LIMIT 1`.execute(db);
      return rows.length === 0 ? true : undefined;
    });
    const { session: _, ...rest } = await digestOfEverything(db);
    return rest;
  };
  for (const [act, typed, said] of ACTS) {
    expect(formIn((await admin.get(at)).text, act), act).toMatchObject({ plan: 'first' });
    const before = await digests();
    const { status, text } = await admin.post(`${at}/${act}`, { ...typed, plan: 'first' });
    expect(status, act).toBe(200);
    expect(text, act).toContain('Nothing has been done yet');
    for (const words of said) expect(text, act).toMatch(words);
    expect(await digests(), act).toEqual(before);
    const { key, ...input } = formIn(text, act);
    expect(input, act).toEqual(typed);
    const done = await admin.post(`${at}/${act}`, { ...input, key: key ?? '' });
    expect(done.location, `${act} ${done.text.slice(done.text.indexOf('role="alert"'), 600)}`).toMatch(
      /told=|\/console\/sagas\//,
    );
    // A second press is the same act.
    expect((await admin.post(`${at}/${act}`, { ...input, key: key ?? '' })).location).toBe(done.location);
  }
  expect((await readStay(db, stay)).status).toBe('CHECKED_OUT');
  const paid = await db.selectFrom('payment').select('id').where('reservation_id', '=', stay).execute();
  expect(paid).toHaveLength(1);
});

it('plans a cancellation with what goes back by which rule', async () => {
  stay = await seedStay(system.bed.db);
  const { text } = await admin.post(`/console/stays/${stay}/cancel`, { plan: 'first', reason: 'GUEST_REQUEST' });
  expect(text).toMatch(/Cancelled/);
  expect(formIn(text, 'cancel')).toMatchObject({ reason: 'GUEST_REQUEST' });
  expect((await readStay(system.bed.db, stay)).status).toBe('PENDING');
});

it('says in each language why there is no plan, and asks for a second factor where the act does', async () => {
  stay = await seedStay(system.bed.db);
  const at = `/console/stays/${stay}`;
  expect((await admin.post(`${at}/check-out`, { plan: 'first' })).text).toContain('role="alert"');
  expect((await admin.post(`${at}/payment`, { plan: 'first', ...payment('-4', 'r') })).text).toContain('role="alert"');
  expect((await admin.post('/console/stays/none/confirm', { plan: 'first' })).status).toBe(404);
  const tired = await signedIn('ADMIN', '1 hour');
  const refused = await tired.post(`${at}/payment`, { plan: 'first', ...payment('400', 'ref-plan-2') });
  expect(refused.text).toContain('href="/account/second-factor"');
  await admin.post('/console/language', { language: 'ar' });
  const { text } = await admin.post(`${at}/confirm`, { plan: 'first' });
  expect(text).toContain('dir="rtl"');
  expect(text).toContain(wordIn('ar', 'planText'));
  await admin.post('/console/language', { language: 'en' });
});

describe('a form that waits for a second factor', () => {
  const typed = { ...payment('400', 'ref-kept-1'), paymentMethod: 'Card of <Ann>', notes: 'Says "twice"' };
  const KEPT = ['value="400"', 'value="ref-kept-1"', 'value="Card of &lt;Ann&gt;"', 'value="Says &quot;twice&quot;"'];
  const giveFactor = () => sql`UPDATE session SET mfa_at = now()`.execute(system.bed.db);

  it('comes back filled until it is sent, and is never in an address or readable in the browser', async () => {
    stay = await seedStay(system.bed.db);
    const at = `/console/stays/${stay}`;
    const tired = await signedIn('ADMIN', '1 hour');
    const refused = await tired.post(`${at}/payment`, { plan: 'first', ...typed });
    for (const words of ['href="/account/second-factor"', ...KEPT]) expect(refused.text).toContain(words);
    expect(tired.lastSet).toMatch(/^roomy_form=.*; HttpOnly; Secure; SameSite=Strict$/);
    expect(tired.lastSet).toContain('Path=/console;');
    expect(decodeURIComponent(tired.lastSet)).not.toMatch(/ref-kept|Ann/);
    await giveFactor();
    expect((await tired.get('/console/today')).text).not.toContain('ref-kept-1');
    // An open page asks for itself whenever something has changed.
    for (const look of [1, 2]) {
      const back = await tired.get(at);
      for (const words of KEPT) expect(back.text, `look ${look}`).toContain(words);
      expect(back.text).toMatch(/<details open><summary>Take a payment/);
    }
    const planned = await tired.post(`${at}/payment`, { plan: 'first', ...typed });
    expect(planned.text).toContain('Nothing has been done yet');
    expect(tired.cookie).not.toContain('roomy_form');
    expect((await tired.get(at)).text).not.toContain('ref-kept-1');
  });

  it('opens for the session alone in which it was typed, and one that is refused for something else is not kept', async () => {
    stay = await seedStay(system.bed.db);
    const at = `/console/stays/${stay}`;
    const tired = await signedIn('ADMIN', '1 hour');
    await tired.post(`${at}/payment`, { plan: 'first', ...typed });
    const [, sealed = ''] = /roomy_form=([^;]+)/.exec(tired.cookie) ?? [];
    const { app } = await system.as({});
    const headers = { cookie: `${admin.cookie}; roomy_form=${sealed}`, accept: 'text/html' };
    const text = await (await app.request(`${PUBLIC_URL}${at}`, { headers })).text();
    expect(text).toContain('Take a payment');
    expect(text).not.toContain('ref-kept-1');
    await admin.post(`${at}/payment`, { plan: 'first', ...typed, amount: '-4' });
    expect(admin.cookie).not.toContain('roomy_form');
  });
});

it('offers each role the acts that the API lets it do', async () => {
  stay = await seedStay(system.bed.db);
  const offered = async (role: AccountRow['role']) => {
    const { text } = await (await signedIn(role)).get(`/console/stays/${stay}`);
    const listed = STAY_ACTS.filter((act) => text.includes(wordIn('en', ACT_WORDS[act])));
    return listed;
  };
  expect(await offered('ADMIN')).toEqual([...STAY_ACTS]);
  expect(await offered('FINANCE')).toEqual(['cancel', 'payment', 'refunds']);
  expect(await offered('OPS')).toEqual([]);
});

it('names the process that keeps acts out, with its page', async () => {
  const { db } = system.bed;
  stay = await seedStay(db);
  const saga = await addSaga(db, { name: 'confirmReservation', subjectId: stay, status: 'parked' });
  const { text } = await admin.get(`/console/stays/${stay}`);
  const acts = text.slice(text.indexOf('id="acts"'), text.indexOf('id="timeline"'));
  expect(acts).toContain('At work on this stay now');
  expect(acts).toContain(`/console/sagas/${saga}`);
});
