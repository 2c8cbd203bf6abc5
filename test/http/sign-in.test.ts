import { sql } from 'kysely';
import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256OfBytes } from '../../src/kernel/json.ts';
import { keptTexts } from '../setup/deliver.ts';
import { API, at, type Http, startHttp, tokenFor } from './harness.ts';
import { addPerson, browserOf, mailedLink, movableClock, signInByMail, tokenOf } from './people.ts';

/** Signing in by a link in a mail, the second factor, and what a session is (security.md S). */

const clock = movableClock();
let http: Http;
beforeAll(async () => {
  http = await startHttp({ clock });
}, 60_000);
afterAll(() => http?.stop());

interface Listed {
  readonly data: readonly { readonly id: string; readonly current: boolean }[];
}
const codeFor = (secret: string, at = clock.now()): string =>
  new TOTP({ algorithm: 'SHA1', digits: 6, period: 30, secret: Secret.fromBase32(secret) }).generate({
    timestamp: at.getTime(),
  });
const fieldOf = (text: string, name: string): string =>
  new RegExp(`name="${name}" value="([^"]+)"`).exec(text)?.[1] ?? '';
const secretOf = (text: string): string => (/<code>([A-Z2-7 ]+)<\/code>/.exec(text)?.[1] ?? '').replaceAll(' ', '');
const withApi = async (token: string, path: string, method = 'GET') =>
  http.app.request(`${API}${path}`, { method, headers: { authorization: `Bearer ${token}` } });
const audited = async (accountId: string) =>
  (await http.db.selectFrom('audit_log').select('event').where('stream_id', '=', `account:${accountId}`).execute()).map(
    ({ event }) => event,
  );

/** Signed in with an authenticator app that was set up just now; its secret. */
async function withApp(email: string) {
  const browser = await signInByMail(http.app, http.db, email);
  const { text } = await browser.get('/account/second-factor');
  const secret = secretOf(text);
  clock.forward(60);
  const done = await browser.post('/account/second-factor', { sealed: fieldOf(text, 'sealed'), code: codeFor(secret) });
  expect([done.status, done.location], done.text).toEqual([303, '/account']);
  return { browser, secret };
}

describe('S1: a link in a mail', () => {
  it('signs in by its button, and not by being looked at', async () => {
    const nina = await addPerson(http.db, 'CLEANER');
    const asking = browserOf(http.app);
    await asking.post('/sign-in', { email: nina.email.toUpperCase() });
    const link = await mailedLink(http.db, nina.email);
    // Programs that check mails open every link, more than once.
    for (let n = 0; n < 3; n += 1) {
      const seen = await browserOf(http.app).get(link);
      expect([seen.status, seen.headers.getSetCookie()]).toEqual([200, []]);
      expect(seen.text).toContain('<button>Sign in</button>');
    }
    const own = browserOf(http.app);
    const done = await own.post(link);
    expect([done.status, done.location]).toEqual([303, '/work']);
    expect((await own.get('/account')).text).toContain(nina.email);
    expect(await audited(nina.id)).toContain('SIGNED_IN');
  });

  it('counts once, also of ten at a time', async () => {
    const nina = await addPerson(http.db, 'CLEANER');
    await browserOf(http.app).post('/sign-in', { email: nina.email });
    const link = await mailedLink(http.db, nina.email);
    const ten = await Promise.all(Array.from({ length: 10 }, () => browserOf(http.app).post(link)));
    expect(ten.map(({ status }) => status).toSorted()).toEqual([303, ...Array(9).fill(404)]);
    expect((await browserOf(http.app).post(link)).status).toBe(404);
    expect((await browserOf(http.app).get(link)).status).toBe(404);
  });

  it('is answered alike for strangers, who get no mail', async () => {
    const known = await addPerson(http.db, 'OWNER');
    const gone = await addPerson(http.db, 'OWNER');
    await http.db.updateTable('account').set({ status: 'DEACTIVATED' }).where('id', '=', gone.id).execute();
    const count = async () => (await http.db.selectFrom('notification').select('id').execute()).length;
    const before = await count();
    const answers = [];
    for (const email of ['stranger@example.com', gone.email, 'nonsense', '', known.email]) {
      const began = performance.now();
      const { status, text } = await browserOf(http.app).post('/sign-in', { email });
      answers.push({ status, text });
      // The work for an address of ours is hidden in a wait that all have.
      expect(performance.now() - began).toBeGreaterThan(200);
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(await count()).toBe(before + 1);
  });

  it('ends with a deactivation, and after 15 minutes', async () => {
    const first = await addPerson(http.db, 'OWNER');
    await browserOf(http.app).post('/sign-in', { email: first.email });
    const link = await mailedLink(http.db, first.email);
    await http.call('POST', `${API}/accounts/${first.id}/deactivate`);
    expect((await browserOf(http.app).post(link)).status).toBe(404);

    const second = await addPerson(http.db, 'OWNER');
    await browserOf(http.app).post('/sign-in', { email: second.email });
    const late = await mailedLink(http.db, second.email);
    await http.db
      .updateTable('one_time')
      .set({ expires_at: new Date(Date.now() - 1_000) })
      .where('account_id', '=', second.id)
      .execute();
    expect((await browserOf(http.app).post(late)).status).toBe(404);
  });

  it('lies nowhere in clear: not in its row, not in the message, not in what is kept of the mail', async () => {
    const nina = await addPerson(http.db, 'CLEANER');
    await browserOf(http.app).post('/sign-in', { email: nina.email });
    const secret = (await mailedLink(http.db, nina.email)).split('/').at(-1) ?? '';
    const rows = await http.db.selectFrom('notification').selectAll().execute();
    const contents = await keptTexts(http.db);
    expect(contents.join()).toContain('••••');
    const links = await http.db.selectFrom('one_time').selectAll().execute();
    expect(JSON.stringify([rows, contents])).not.toContain(secret);
    expect(links.map(({ hash }) => hash.toString('hex'))).toContain(sha256OfBytes(Buffer.from(secret)).toString('hex'));
    expect(JSON.stringify(links)).not.toContain(secret);
  });
});

describe('S2: a session', () => {
  it('has its key in the cookie, and in the database a hash alone', async () => {
    const nina = await addPerson(http.db, 'CLEANER');
    const browser = await signInByMail(http.app, http.db, nina.email);
    const key = browser.key ?? '';
    expect(Buffer.from(key, 'base64url')).toHaveLength(32);
    const rows = await http.db.selectFrom('session').selectAll().where('account_id', '=', nina.id).execute();
    expect(rows.map(({ key_hash }) => key_hash)).toEqual([sha256OfBytes(Buffer.from(key))]);
    expect(JSON.stringify(rows)).not.toContain(key);
    expect(browser.lastSet).toMatch(/; HttpOnly/);
    expect(browser.lastSet).toMatch(/; SameSite=Lax/);
    expect(browser.lastSet).toMatch(/; Path=\//);
    // The address of this installation begins with https.
    expect(browser.lastSet).toMatch(/; Secure/);
  });

  it('counts on pages alone: its cookie is nothing to the API', async () => {
    const nina = await addPerson(http.db, 'CLEANER');
    const browser = await signInByMail(http.app, http.db, nina.email);
    const answer = await http.app.request(`${API}/me/tasks`, { headers: { cookie: browser.cookie } });
    expect(answer.status).toBe(401);
    const token = await tokenOf(browser);
    expect((await withApi(token, '/me/tasks')).status).toBe(200);
  });

  it('lasts as long as the role needs it', async () => {
    const days = async (role: 'CLEANER' | 'OWNER' | 'GUEST' | 'FINANCE') => {
      const person = await addPerson(http.db, role);
      await signInByMail(http.app, http.db, person.email);
      const row = await http.db
        .selectFrom('session')
        .select('expires_at')
        .where('account_id', '=', person.id)
        .executeTakeFirstOrThrow();
      return Math.round(((row.expires_at.getTime() - Date.now()) / 86_400_000) * 2) / 2;
    };
    expect([await days('CLEANER'), await days('OWNER'), await days('GUEST'), await days('FINANCE')]).toEqual([
      30, 7, 7, 0.5,
    ]);
  });

  it.each([
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    ['a sibling of our domain', { 'sec-fetch-site': 'same-site', origin: 'https://other.roomy.example' }],
    ['an old browser on another site', { origin: 'https://evil.example' }],
    ['a sandboxed frame', { origin: 'null' }],
    ['nobody who says where they are', {}],
  ])('takes no form of %s', async (_who, headers) => {
    const nina = await addPerson(http.db, 'CLEANER');
    const browser = await signInByMail(http.app, http.db, nina.email);
    for (const path of ['/session/token', '/sign-out', '/sign-out/everywhere', '/account/second-factor', '/sign-in']) {
      const { status, text } = await browser.post(path, {}, headers);
      expect([path, status, JSON.parse(text).code]).toEqual([path, 403, 'CROSS_SITE']);
    }
    expect((await browser.post('/session/token', {}, { origin: 'https://roomy.example' })).status).toBe(200);
  });

  it('ends with the sign-out, and all of them with that everywhere', async () => {
    const nina = await addPerson(http.db, 'CLEANER');
    const [phone, tablet, other] = [
      await signInByMail(http.app, http.db, nina.email),
      await signInByMail(http.app, http.db, nina.email),
      await signInByMail(http.app, http.db, nina.email),
    ];
    const [ofPhone, ofTablet, ofOther] = [await tokenOf(phone), await tokenOf(tablet), await tokenOf(other)];
    const kept = phone.cookie;
    await phone.post('/sign-out');
    // Somebody who had copied the cookie has nothing.
    const copied = await http.app.request('https://roomy.example/session/token', {
      method: 'POST',
      headers: { cookie: kept, 'sec-fetch-site': 'same-origin' },
    });
    expect([copied.status, phone.key]).toEqual([401, null]);
    expect([(await withApi(ofPhone, '/me/tasks')).status, (await withApi(ofTablet, '/me/tasks')).status]).toEqual([
      401, 200,
    ]);
    await other.post('/sign-out/everywhere');
    expect([(await withApi(ofTablet, '/me/tasks')).status, (await withApi(ofOther, '/me/tasks')).status]).toEqual([
      401, 401,
    ]);
    expect((await tablet.get('/account')).location).toBe('/sign-in');
  });

  it('is listed and ended through the API by its own person alone', async () => {
    const nina = await addPerson(http.db, 'CLEANER');
    const omar = await addPerson(http.db, 'CLEANER');
    const first = await tokenOf(await signInByMail(http.app, http.db, nina.email));
    const second = await tokenOf(await signInByMail(http.app, http.db, nina.email));
    const foreign = await tokenOf(await signInByMail(http.app, http.db, omar.email));
    const { data: listed } = (await (await withApi(first, '/me/sessions')).json()) as Listed;
    expect(listed.map(({ current }) => current).toSorted()).toEqual([false, true]);
    const target = listed.find(({ current }) => !current)?.id;
    expect((await withApi(foreign, `/me/sessions/${target}`, 'DELETE')).status).toBe(404);
    expect((await withApi(first, `/me/sessions/${target}`, 'DELETE')).status).toBe(200);
    expect([(await withApi(second, '/me/tasks')).status, (await withApi(first, '/me/tasks')).status]).toEqual([
      401, 200,
    ]);
  });

  it('that is begun in a browser ends the one that this browser had', async () => {
    const nina = await addPerson(http.db, 'CLEANER');
    const browser = await signInByMail(http.app, http.db, nina.email);
    const before = await tokenOf(browser);
    await browser.post('/sign-in', { email: nina.email });
    await browser.post(await mailedLink(http.db, nina.email));
    expect((await withApi(before, '/me/tasks')).status).toBe(401);
  });
});

describe('S3: a second factor', () => {
  it.each(['ADMIN', 'FINANCE', 'OPS'] as const)('comes before anything else for %s', async (role) => {
    const person = await addPerson(http.db, role);
    const browser = await signInByMail(http.app, http.db, person.email);
    const refused = await browser.post('/session/token');
    expect([refused.status, JSON.parse(refused.text).code]).toEqual([403, 'SECOND_FACTOR_REQUIRED']);
    expect((await browser.get('/account')).location).toBe('/account/second-factor');
    const page = await browser.get('/account/second-factor');
    expect(page.text).toContain('<svg');
    clock.forward(60);
    const done = await browser.post('/account/second-factor', {
      sealed: fieldOf(page.text, 'sealed'),
      code: codeFor(secretOf(page.text)),
    });
    expect([done.status, done.location]).toEqual([303, '/account']);
    expect((await browser.post('/session/token')).status).toBe(200);
    const { totp_secret } = await http.db
      .selectFrom('account')
      .select('totp_secret')
      .where('id', '=', person.id)
      .executeTakeFirstOrThrow();
    expect(totp_secret).not.toContain(secretOf(page.text));
  });

  it('is asked for again at the next sign-in, and each step counts once', async () => {
    const person = await addPerson(http.db, 'OPS');
    const { secret } = await withApp(person.email);
    const next = await signInByMail(http.app, http.db, person.email);
    expect((await next.get('/account')).location).toBe('/account/second-factor');
    // The step that set it up is taken.
    expect((await next.post('/account/second-factor', { code: codeFor(secret) })).status).toBe(200);
    clock.forward(60);
    const code = codeFor(secret);
    const others = [
      await signInByMail(http.app, http.db, person.email),
      await signInByMail(http.app, http.db, person.email),
    ];
    const tried = await Promise.all(
      [next, ...others].map((browser) => browser.post('/account/second-factor', { code })),
    );
    expect(tried.map(({ status }) => status).toSorted()).toEqual([200, 200, 303]);
  });

  it('ends the session with five wrong codes', async () => {
    const person = await addPerson(http.db, 'OPS');
    const { secret } = await withApp(person.email);
    const browser = await signInByMail(http.app, http.db, person.email);
    for (let n = 0; n < 5; n += 1) await browser.post('/account/second-factor', { code: '00000x' });
    clock.forward(60);
    const late = await browser.post('/account/second-factor', { code: codeFor(secret) });
    expect([late.status, late.location]).toEqual([303, '/sign-in']);
  });

  it('of another account does not count: what is sealed for one opens for no other', async () => {
    const [one, other] = [await addPerson(http.db, 'OPS'), await addPerson(http.db, 'OPS')];
    const own = await signInByMail(http.app, http.db, one.email);
    const foreign = await signInByMail(http.app, http.db, other.email);
    const { text } = await own.get('/account/second-factor');
    clock.forward(60);
    const form = { sealed: fieldOf(text, 'sealed'), code: codeFor(secretOf(text)) };
    expect((await foreign.post('/account/second-factor', form)).status).toBe(200);
    expect((await foreign.post('/session/token')).status).toBe(403);
  });

  it('must be of the last 15 minutes for acts on money, and a token of development is not asked', async () => {
    const person = await addPerson(http.db, 'FINANCE');
    const { browser, secret } = await withApp(person.email);
    const pay = async (token: string) => {
      const answer = await http.app.request(`${API}/transactions/nothing/payout`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: '{}',
      });
      return at(await answer.json(), 'code');
    };
    // By the clock of the test, which the database does not have.
    const gaveNow = () =>
      http.db.updateTable('session').set({ mfa_at: clock.now() }).where('account_id', '=', person.id).execute();
    await gaveNow();
    expect(await pay(await tokenOf(browser))).toBeUndefined();
    clock.forward(16 * 60);
    expect(await pay(await tokenOf(browser))).toBe('STEP_UP_REQUIRED');
    // Reading needs none.
    expect((await withApi(await tokenOf(browser), '/transactions')).status).toBe(200);
    expect((await browser.post('/account/second-factor', { code: codeFor(secret) })).status).toBe(303);
    await gaveNow();
    // At once, whatever this process remembered of the session.
    expect(await pay(await tokenOf(browser))).toBeUndefined();
    clock.forward(16 * 60);
    expect(await pay(await tokenFor({ role: 'FINANCE' }, 'finance-1', clock))).toBeUndefined();
  });
});

describe('in development', () => {
  let one: Http;
  /** By the clock of the database. */
  let plain: Http;
  beforeAll(async () => {
    one = await startHttp({ isProduction: true });
    plain = await startHttp();
  }, 60_000);
  afterAll(() => Promise.all([one?.stop(), plain?.stop()]));

  it('one click signs in as somebody of the demo, and as nobody else', async () => {
    const real = await addPerson(http.db, 'ADMIN');
    const demo = await addPerson(http.db, 'CLEANER');
    await http.db.updateTable('account').set({ invited_by: 'demo' }).where('id', '=', demo.id).execute();
    const page = await browserOf(http.app).get('/sign-in');
    expect(page.text).toContain('for development only');
    const browser = browserOf(http.app);
    expect((await browser.post('/sign-in/demo', { account: real.id })).status).toBe(404);
    expect((await browser.post('/sign-in/demo', { account: demo.id })).location).toBe('/work');
  });

  it('one more click is the second factor of the demo, and leads back to what was typed', async () => {
    const demo = await addPerson(plain.db, 'OPS');
    await plain.db.updateTable('account').set({ invited_by: 'demo' }).where('id', '=', demo.id).execute();
    const browser = browserOf(plain.app);
    await browser.post('/sign-in/demo', { account: demo.id });
    await plain.db
      .updateTable('session')
      .set({ created_at: sql<Date>`now() - interval '1 hour'`, mfa_at: sql<Date>`now() - interval '1 hour'` })
      .where('account_id', '=', demo.id)
      .execute();
    const form = { key: 'demo-1', scope: 'NAME', subject: 'checkOut', reason: 'The locks are moved' };
    const refused = (await browser.post('/console/system/pause', form)).text;
    expect(refused).toContain('href="/account/second-factor">Sign in again (one click)</a>');
    expect(refused).not.toContain('second factor again');
    const again = (await browser.get('/account/second-factor')).text;
    expect(again).toContain('action="/sign-in/demo"');
    expect(again).toContain(`value="${demo.id}"`);
    expect((await browser.post('/sign-in/demo', { account: demo.id })).location).toBe('/console/system');
    expect((await browser.get('/console/system')).text).toContain('value="The locks are moved"');
    const done = await browser.post('/console/system/pause', { ...form, key: 'demo-2' });
    expect([/role="alert">(.*?)<\/p>/.exec(done.text)?.[1], done.location]).toEqual([undefined, '/console/system']);
  });

  it('alone: in production there are no such buttons, and the cookie is for this host alone', async () => {
    const demo = await addPerson(one.db, 'CLEANER');
    await one.db.updateTable('account').set({ invited_by: 'demo' }).where('id', '=', demo.id).execute();
    expect((await browserOf(one.app).get('/sign-in')).text).not.toContain('Demo');
    expect((await browserOf(one.app).post('/sign-in/demo', { account: demo.id })).status).toBe(404);
    const browser = await signInByMail(one.app, one.db, demo.email);
    expect(browser.lastSet).toMatch(/^__Host-roomy_session=/);
    expect(browser.lastSet).toMatch(/; Secure/);
    expect(browser.lastSet).not.toMatch(/Domain/i);
  });
});
