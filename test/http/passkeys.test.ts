import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { insertAccount, updateAccount } from '../../src/domain/people/accounts.ts';
import { openSession } from '../../src/domain/people/sessions.ts';
import { type Authenticator, type Circumstances, createAuthenticator } from '../setup/authenticator.ts';
import { type Answer, at, type Http, PUBLIC_URL, seed, startHttp } from './harness.ts';

/** Passkeys against an authenticator in software, which also does what a real one never would. */

let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await seed(http.db);
}, 60_000);
afterAll(() => http?.stop());

interface Browser {
  readonly accountId: string;
  readonly sessionId: string;
  readonly cookie: string;
}

let people = 0;
async function addPerson(staffId: string | null = null): Promise<string> {
  people += 1;
  const role = staffId === null ? 'ADMIN' : 'CLEANER';
  const wanted = { email: `person-${people}@example.com`, name: 'Somebody', role, staffId, invitedBy: null } as const;
  return http.db.transaction().execute(async (tx) => {
    const { id } = await insertAccount(tx, wanted);
    await updateAccount(tx, id, { status: 'ACTIVE' });
    return id;
  });
}
/** As after a link of a mail: one factor. */
async function signInByLink(accountId: string): Promise<Browser> {
  const session = { accountId, method: 'LINK', mfaAt: null, ip: null, userAgent: null, lifetime: 3_600 } as const;
  const { id, key } = await http.db.transaction().execute((tx) => openSession(tx, session));
  return { accountId, sessionId: id, cookie: `roomy_session=${key}` };
}
const OWN_PAGE = { accept: 'application/json', 'sec-fetch-site': 'same-origin' };
const post = (path: string, body: unknown, browser?: Browser, headers: Record<string, string> = OWN_PAGE) =>
  http.call('POST', path, {
    as: null,
    body,
    headers: { ...headers, ...(browser === undefined ? {} : { cookie: browser.cookie }) },
  });
const submit = (path: string, fields: Record<string, string>, browser: Browser) =>
  http.call('POST', path, {
    as: null,
    raw: new URLSearchParams(fields).toString(),
    headers: { ...OWN_PAGE, 'content-type': 'application/x-www-form-urlencoded', cookie: browser.cookie },
  });

const optionsOf = (answer: Answer): unknown => {
  expect(answer.status, answer.text).toBe(200);
  return answer.body.data;
};
const toSignIn = async (): Promise<unknown> => optionsOf(await post('/passkeys/options', {}));
const toAdd = async (browser: Browser): Promise<unknown> =>
  optionsOf(await post('/account/passkeys/options', {}, browser));
async function add(browser: Browser, authenticator: Authenticator, how: Circumstances = {}): Promise<Answer> {
  return post('/account/passkeys', { name: 'My phone', ...authenticator.create(await toAdd(browser), how) }, browser);
}
async function signIn(authenticator: Authenticator, how: Circumstances = {}, browser?: Browser): Promise<Answer> {
  return post('/passkeys/sign-in', authenticator.get(await toSignIn(), how), browser);
}
const sessionsOf = (accountId: string, method: 'PASSKEY' | 'LINK' = 'PASSKEY') =>
  http.db.selectFrom('session').selectAll().where('account_id', '=', accountId).where('method', '=', method).execute();
const passkeysOf = (accountId: string) =>
  http.db.selectFrom('passkey').selectAll().where('account_id', '=', accountId).execute();
async function eventsOf(accountId: string): Promise<string[]> {
  const rows = await http.db
    .selectFrom('audit_log')
    .select('event')
    .where('stream_id', '=', `account:${accountId}`)
    .orderBy('seq')
    .execute();
  return rows.map(({ event }) => event);
}

let accountId: string;
let browser: Browser;
let authenticator: Authenticator;
beforeEach(async () => {
  accountId = await addPerson();
  browser = await signInByLink(accountId);
  authenticator = createAuthenticator(PUBLIC_URL);
});
/** Of a person who has one already. */
async function withPasskey(): Promise<void> {
  expect((await add(browser, authenticator)).status).toBe(201);
}

describe('S5: a passkey', () => {
  it('is added after a sign-in, and then signs in without an address, as two factors', async () => {
    await withPasskey();
    const answer = await signIn(authenticator);
    expect([answer.status, answer.body.data]).toEqual([200, { next: '/account' }]);
    expect(answer.headers.get('set-cookie')).toMatch(/^roomy_session=[\w-]{43};.*HttpOnly; Secure; SameSite=Lax/);
    const [session] = await sessionsOf(accountId);
    expect(session?.mfa_at).toBeInstanceOf(Date);
    const [passkey] = await passkeysOf(accountId);
    expect([passkey?.name, passkey?.counter, passkey?.last_used_at]).toEqual(['My phone', 2, expect.any(Date)]);
    expect(await eventsOf(accountId)).toEqual(['PASSKEY_ADDED', 'SIGNED_IN']);
  });

  it('asks for its holder, is found without a name, and leaves its challenge in no table', async () => {
    const options = await toAdd(browser);
    expect(options).toMatchObject({
      rp: { id: 'roomy.example' },
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    });
    const request = await toSignIn();
    expect(request).toMatchObject({ rpId: 'roomy.example', userVerification: 'required' });
    expect(at(request, 'allowCredentials') ?? []).toEqual([]);
    const rows = JSON.stringify(await http.db.selectFrom('one_time').selectAll().execute());
    for (const one of [options, request]) expect(rows).not.toContain(String(at(one, 'challenge')));
  });

  it('is refused when its holder was not seen, at its making and at its use', async () => {
    const made = await add(browser, authenticator, { verifiesUser: false });
    expect([made.status, made.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect(await passkeysOf(accountId)).toEqual([]);
    await withPasskey();
    const used = await signIn(authenticator, { verifiesUser: false });
    expect([used.status, used.body.code]).toEqual([401, 'UNAUTHENTICATED']);
    expect(await sessionsOf(accountId)).toEqual([]);
  });

  it.each([
    ['another origin', { origin: 'https://roomy.example.evil.example' }],
    ['another host', { rpId: 'evil.example' }],
    ['somebody else as its holder', { userHandle: Buffer.from('account-of-somebody').toString('base64url') }],
  ])('is refused with %s', async (_, how) => {
    await withPasskey();
    expect((await signIn(authenticator, how)).status).toBe(401);
    expect(await sessionsOf(accountId)).toEqual([]);
  });

  it('of nobody, or with the signature of another key, is refused alike', async () => {
    await withPasskey();
    const stranger = await signIn(createAuthenticator(PUBLIC_URL), { userHandle: 'c29tZWJvZHk' });
    const forged = { ...createAuthenticator(PUBLIC_URL).get(await toSignIn()), id: authenticator.id, userHandle: null };
    const other = await post('/passkeys/sign-in', forged);
    expect([stranger.status, other.status]).toEqual([401, 401]);
    expect({ ...other.body, requestId: null }).toEqual({ ...stranger.body, requestId: null });
  });

  it('with a counter that has not gone up is refused, and that is in the trail', async () => {
    await withPasskey();
    expect((await signIn(authenticator, { counter: 7 })).status).toBe(200);
    for (const counter of [7, 6, 0]) expect((await signIn(authenticator, { counter })).status).toBe(401);
    expect(await sessionsOf(accountId)).toHaveLength(1);
    expect((await eventsOf(accountId)).filter((event) => event === 'PASSKEY_REFUSED')).toHaveLength(3);
    expect((await signIn(authenticator, { counter: 8 })).status).toBe(200);
  });

  it('that never counts is taken every time', async () => {
    expect((await add(browser, authenticator, { counter: 0 })).status).toBe(201);
    for (let use = 0; use < 2; use += 1) expect((await signIn(authenticator, { counter: 0 })).status).toBe(200);
  });

  it('is added once: somebody has it already', async () => {
    await withPasskey();
    const other = await signInByLink(await addPerson());
    const again = await add(other, authenticator);
    expect([again.status, again.body.code]).toEqual([409, 'ALREADY_EXISTS']);
  });
});

describe('S5: a challenge', () => {
  it('counts once, whatever comes of it', async () => {
    await withPasskey();
    const used = authenticator.get(await toSignIn());
    expect((await post('/passkeys/sign-in', used)).status).toBe(200);
    expect((await post('/passkeys/sign-in', used)).status).toBe(401);
    // Also after an answer that was wrong.
    const options = await toSignIn();
    expect((await post('/passkeys/sign-in', authenticator.get(options, { verifiesUser: false }))).status).toBe(401);
    expect((await post('/passkeys/sign-in', authenticator.get(options))).status).toBe(401);
    expect(await sessionsOf(accountId)).toHaveLength(1);
  });

  it('counts once of ten at a time', async () => {
    await withPasskey();
    const options = await toSignIn();
    // Each with a counter of its own, so that it is the challenge that decides.
    const uses = Array.from({ length: 10 }, () => authenticator.get(options));
    const answers = await Promise.all(uses.map((used) => post('/passkeys/sign-in', used)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(9).fill(401)]);
    expect(await sessionsOf(accountId)).toHaveLength(1);
  });

  it('is over after five minutes', async () => {
    await withPasskey();
    const options = await toSignIn();
    const { rows } = await openChallenges();
    expect(rows.every(({ seconds }) => seconds > 290 && seconds <= 300)).toBe(true);
    await http.db
      .updateTable('one_time')
      .set({ expires_at: new Date(Date.now() - 1_000) })
      .execute();
    expect((await post('/passkeys/sign-in', authenticator.get(options))).status).toBe(401);
  });

  it('of somebody else, or of a sign-in, adds no passkey, and one that was made to add signs nobody in', async () => {
    const other = await signInByLink(await addPerson());
    for (const options of [await toAdd(other), { ...Object(await toAdd(other)), ...Object(await toSignIn()) }]) {
      const body = { name: 'Mine', ...authenticator.create(options) };
      expect((await post('/account/passkeys', body, browser)).status).toBe(401);
    }
    await withPasskey();
    expect((await post('/passkeys/sign-in', authenticator.get(await toAdd(await fresh())))).status).toBe(401);
    expect(await sessionsOf(accountId)).toEqual([]);
  });
});
/** Somebody who has given a second factor just now; the same person again, where nobody is named. */
async function fresh(person = accountId): Promise<Browser> {
  const again = await signInByLink(person);
  await http.db.updateTable('session').set({ mfa_at: new Date() }).where('id', '=', again.sessionId).execute();
  return again;
}
const openChallenges = async () => {
  const rows = await http.db
    .selectFrom('one_time')
    .select(['created_at', 'expires_at'])
    .where('kind', '=', 'PASSKEY_CHALLENGE')
    .where('consumed_at', 'is', null)
    .where('expires_at', '>', new Date())
    .execute();
  const seconds = ({ created_at: from, expires_at: to }: (typeof rows)[number]): number =>
    (to.getTime() - from.getTime()) / 1_000;
  return { rows: rows.map((row) => ({ seconds: seconds(row) })) };
};

describe('Z12: somebody who may not come in any more', () => {
  it('does not by a passkey: the account is deactivated', async () => {
    await withPasskey();
    await http.db.transaction().execute((tx) => updateAccount(tx, accountId, { status: 'DEACTIVATED' }));
    expect((await signIn(authenticator)).status).toBe(401);
    expect(await sessionsOf(accountId)).toEqual([]);
  });

  it('does not by a passkey: the member of staff has left', async () => {
    accountId = await addPerson('cleaner-1');
    browser = await signInByLink(accountId);
    await withPasskey();
    expect((await signIn(authenticator)).body.data).toEqual({ next: '/work' });
    await http.db.updateTable('staff').set({ active: false }).where('id', '=', 'cleaner-1').execute();
    expect((await signIn(authenticator)).status).toBe(401);
    expect(await sessionsOf(accountId)).toHaveLength(1);
  });
});

describe('S6: what changes the factors of an account', () => {
  it('needs a sign-in of the last 15 minutes', async () => {
    const made = new Date(Date.now() - 16 * 60_000);
    await http.db.updateTable('session').set({ created_at: made }).where('id', '=', browser.sessionId).execute();
    expect((await post('/account/passkeys/options', {}, browser)).body.code).toBe('STEP_UP_REQUIRED');
  });

  it('needs a factor of the account where it has one: a link of a mail alone makes no passkey', async () => {
    await withPasskey();
    const byLink = await signInByLink(accountId);
    expect((await post('/account/passkeys/options', {}, byLink)).body.code).toBe('STEP_UP_REQUIRED');
    const removal = await submit(`/account/passkeys/${authenticator.id}/removal`, {}, byLink);
    expect(removal.headers.get('location')).toBe('/account/second-factor');
    expect(await passkeysOf(accountId)).toHaveLength(1);
    // The passkey itself is such a factor, and the session goes on.
    expect((await signIn(authenticator, {}, byLink)).status).toBe(200);
    expect(await sessionsOf(accountId)).toEqual([]);
    expect((await add(byLink, createAuthenticator(PUBLIC_URL))).status).toBe(201);
    expect(await eventsOf(accountId)).toEqual(['PASSKEY_ADDED', 'SECOND_FACTOR_GIVEN', 'PASSKEY_ADDED']);
  });

  it('needs it inside the transaction too: an answer to a challenge of before adds nothing', async () => {
    const options = await toAdd(browser);
    await withPasskey();
    await http.db.updateTable('session').set({ mfa_at: null }).where('id', '=', browser.sessionId).execute();
    const body = { name: 'Late', ...createAuthenticator(PUBLIC_URL).create(options) };
    expect((await post('/account/passkeys', body, browser)).body.code).toBe('STEP_UP_REQUIRED');
  });

  it('sets up no authenticator app either, for who has a passkey and has not given it', async () => {
    await withPasskey();
    const page = await http.call('GET', '/account/second-factor', {
      as: null,
      headers: { accept: 'text/html', cookie: (await signInByLink(accountId)).cookie },
    });
    expect(page.text).toContain('Use a passkey');
    expect(page.text).not.toContain('authenticator app');
  });

  it('needs a session, and a page of ours', async () => {
    expect((await post('/account/passkeys/options', {})).status).toBe(401);
    const nobody: Browser = { accountId, sessionId: '', cookie: '' };
    const forms = ['/account/passkeys/x/name', '/account/passkeys/x/removal', '/account/identity'];
    for (const path of forms) expect((await submit(path, {}, nobody)).headers.get('location'), path).toBe('/sign-in');
    const elsewhere = { accept: 'application/json', 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' };
    for (const path of [...forms, '/account/passkeys/options', '/passkeys/options', '/oidc'])
      for (const headers of [elsewhere, { accept: 'application/json' }])
        expect((await post(path, {}, browser, headers)).body.code, path).toBe('CROSS_SITE');
  });
});

describe('on the account page', () => {
  const pageOf = (present: Browser) =>
    http.call('GET', '/account', { as: null, headers: { accept: 'text/html', cookie: present.cookie } });

  it('passkeys are listed, named and removed; nobody else’s are', async () => {
    await withPasskey();
    const { id } = authenticator;
    expect((await pageOf(browser)).text).toContain('My phone');
    expect((await submit(`/account/passkeys/${id}/name`, { name: ' <b>Key</b> ' }, browser)).status).toBe(303);
    expect((await pageOf(browser)).text).toContain('&lt;b&gt;Key&lt;/b&gt;');
    expect((await submit(`/account/passkeys/${id}/name`, { name: ' ' }, browser)).status).toBe(422);
    const other = await fresh(await addPerson());
    for (const act of ['name', 'removal'])
      expect((await submit(`/account/passkeys/${id}/${act}`, { name: 'Theirs' }, other)).status).toBe(404);
    expect((await submit(`/account/passkeys/${id}/removal`, {}, browser)).status).toBe(303);
    expect(await passkeysOf(accountId)).toEqual([]);
    expect((await signIn(authenticator)).status).toBe(401);
    expect(await eventsOf(accountId)).toEqual(['PASSKEY_ADDED', 'PASSKEY_RENAMED', 'PASSKEY_REMOVED']);
  });

  it('one too many is refused', async () => {
    for (let n = 0; n < 20; n += 1) {
      await http.db
        .insertInto('passkey')
        .values({ id: `${accountId}-${n}`, account_id: accountId, public_key: Buffer.from('x'), name: `Key ${n}` })
        .execute();
    }
    const answer = await add(await fresh(), authenticator);
    expect([answer.status, answer.body.code]).toEqual([409, 'INVALID_STATE_TRANSITION']);
  });

  it('the scripts are ours, and nothing else runs', async () => {
    await withPasskey();
    const policy = (await pageOf(browser)).headers.get('content-security-policy');
    expect(policy).toContain("script-src 'self'");
    for (const file of ['passkeys.js', 'simplewebauthn.js']) {
      const script = await http.call('GET', `/passkeys/${file}`, { as: null });
      expect([script.status, script.headers.get('content-type')]).toEqual([200, 'text/javascript; charset=utf-8']);
    }
  });
});
