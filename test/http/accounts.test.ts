import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, at, type Http, startHttp, tokenFor } from './harness.ts';
import { addPerson, browserOf, mailedLink, signInByMail, tokenOf } from './people.ts';

/** What administrators do with accounts, through the API. */

let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await http.db
    .insertInto('staff')
    .values({ id: 'nina', name: 'Nina', email: 'n@x.example', role: 'CLEANER' })
    .execute();
  await http.db.insertInto('owner').values({ id: 'olga', name: 'Olga', email: 'o@x.example' }).execute();
}, 60_000);
afterAll(() => http?.stop());

const invite = (body: object) => http.call('POST', `${API}/accounts`, { body });
const act = (id: string, word: string) => http.call('POST', `${API}/accounts/${id}/${word}`);
const sessionsOf = (accountId: string) =>
  http.db.selectFrom('session').selectAll().where('account_id', '=', accountId).execute();
const events = async (accountId: string) =>
  (
    await http.db
      .selectFrom('audit_log')
      .select(['event', 'actor'])
      .where('stream_id', '=', `account:${accountId}`)
      .orderBy('seq')
      .execute()
  ).map(({ event }) => event);

describe('S1: an invitation', () => {
  it('is mailed, opens the account by its button, and makes it active', async () => {
    const made = await invite({ email: 'nina@home.example', name: 'Nina Petrova', role: 'CLEANER', staffId: 'nina' });
    expect([made.status, at(made.body, 'data', 'status'), at(made.body, 'data', 'principal')]).toEqual([
      201,
      'INVITED',
      'nina',
    ]);
    // To the address that was invited, and not to that of the record.
    const link = await mailedLink(http.db, 'nina@home.example');
    const browser = browserOf(http.app);
    expect((await browser.get(link)).text).toContain('Nina Petrova');
    const done = await browser.post(link);
    expect([done.status, done.location]).toEqual([303, '/work']);
    const id = String(at(made.body, 'data', 'id'));
    expect(at((await http.call('GET', `${API}/accounts/${id}`)).body, 'data', 'status')).toBe('ACTIVE');
    expect((await browserOf(http.app).post(link)).status).toBe(404);
    expect(await events(id)).toEqual(['ACCOUNT_INVITED', 'SIGNED_IN']);
  });

  it('that is sent again ends the one before, and is not sent to who has signed in', async () => {
    const made = await invite({ email: 'again@home.example', name: 'Ali', role: 'OPS' });
    const id = String(at(made.body, 'data', 'id'));
    const first = await mailedLink(http.db, 'again@home.example');
    expect((await act(id, 'invitation')).status).toBe(200);
    const second = await mailedLink(http.db, 'again@home.example');
    expect([first === second, (await browserOf(http.app).post(first)).status]).toEqual([false, 404]);
    expect((await browserOf(http.app).post(second)).location).toBe('/account/second-factor');
    expect((await act(id, 'invitation')).body.code).toBe('INVALID_STATE_TRANSITION');
  });

  it('does not let in who was not accepted yet, by a link to sign in', async () => {
    await invite({ email: 'early@home.example', name: 'Ali', role: 'OPS' });
    await mailedLink(http.db, 'early@home.example');
    await browserOf(http.app).post('/sign-in', { email: 'early@home.example' });
    expect(await mailedLink(http.db, 'early@home.example')).toContain('/invitations/');
  });

  it('is sent again to an invited person who asks for a link, and one of the two opens the account', async () => {
    const made = await invite({ email: 'late@home.example', name: 'Lea', role: 'OPS' });
    const id = String(at(made.body, 'data', 'id'));
    const first = await mailedLink(http.db, 'late@home.example');
    const passes = (hours: number) =>
      http.db
        .updateTable('one_time')
        .set({ created_at: sql<Date>`created_at - ${hours}::int * interval '1 hour'` })
        .where('account_id', '=', id)
        .execute();
    const ask = () => browserOf(http.app).post('/sign-in', { email: 'late@home.example' });
    // No other is sent within six hours, so that strangers who ask fill no mailbox; the first one still opens.
    await passes(5);
    await ask();
    expect(await mailedLink(http.db, 'late@home.example')).toBe(first);
    await passes(2);
    await ask();
    const second = await mailedLink(http.db, 'late@home.example');
    expect([second.includes('/invitations/'), second === first]).toEqual([true, false]);
    expect((await browserOf(http.app).post(first)).location).toBe('/account/second-factor');
    expect((await browserOf(http.app).post(second)).status).toBe(404);
  });

  it('ends when the member of staff leaves, and is not sent again', async () => {
    const left = { id: 'left', name: 'Lea', email: 'lea@x.example', role: 'CLEANER' } as const;
    await http.db.insertInto('staff').values(left).execute();
    const email = 'left@home.example';
    const made = await invite({ email, name: 'Lea', role: 'CLEANER', staffId: 'left' });
    const link = await mailedLink(http.db, email);
    const { status } = await http.call('PATCH', `${API}/staff/left`, { body: { active: false } });
    expect([made.status, status]).toEqual([201, 200]);
    expect((await browserOf(http.app).get(link)).status).toBe(404);
    await browserOf(http.app).post('/sign-in', { email });
    expect(await mailedLink(http.db, email)).toBe(link);
  });

  it.each([
    ['a cleaner without a record', { role: 'CLEANER' }, 'staffId'],
    ['a record of another role', { role: 'AGENT', staffId: 'nina' }, 'staffId'],
    ['a record that is not there', { role: 'OWNER', ownerId: 'nobody' }, 'ownerId'],
    ['an administrator with a record', { role: 'ADMIN', ownerId: 'olga' }, 'ownerId'],
    ['an owner who is a guest', { role: 'OWNER', ownerId: 'olga', guestId: 'guest-1' }, 'guestId'],
  ])('is not sent to %s', async (_what, fields, path) => {
    const refused = await invite({ email: 'x@home.example', name: 'X', ...fields });
    expect([refused.status, at(refused.body, 'details', 'issues', 0, 'path')]).toEqual([422, path]);
  });

  it('is one for each address, whatever its case, and for each record', async () => {
    await invite({ email: 'olga@home.example', name: 'Olga', role: 'OWNER', ownerId: 'olga' });
    const sameAddress = await invite({ email: 'OLGA@home.example', name: 'Olga', role: 'OPS' });
    const sameRecord = await invite({ email: 'other@home.example', name: 'Olga', role: 'OWNER', ownerId: 'olga' });
    expect([sameAddress.body.code, sameRecord.body.code]).toEqual(['ALREADY_EXISTS', 'ALREADY_EXISTS']);
  });
});

describe('Z12: a deactivation', () => {
  it('ends sessions and links in one transaction with its audit row', async () => {
    const person = await addPerson(http.db, 'CLEANER');
    const browser = await signInByMail(http.app, http.db, person.email);
    const token = await tokenOf(browser);
    expect((await act(person.id, 'deactivate')).status).toBe(200);
    expect((await sessionsOf(person.id)).map(({ ended_reason }) => ended_reason)).toEqual(['DEACTIVATED']);
    expect(await events(person.id)).toEqual(expect.arrayContaining(['ACCOUNT_DEACTIVATED', 'SESSIONS_ENDED']));
    const answer = await http.app.request(`${API}/me/tasks`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(401);
    expect((await browser.get('/account')).location).toBe('/sign-in');
    expect((await act(person.id, 'reactivate')).status).toBe(200);
    // What was ended stays ended.
    expect((await browser.get('/account')).location).toBe('/sign-in');
    await signInByMail(http.app, http.db, person.email);
  });

  it('leaves no session behind that was being opened meanwhile', async () => {
    for (let n = 0; n < 5; n += 1) {
      const person = await addPerson(http.db, 'CLEANER');
      await browserOf(http.app).post('/sign-in', { email: person.email });
      const link = await mailedLink(http.db, person.email);
      await Promise.all([browserOf(http.app).post(link), act(person.id, 'deactivate')]);
      const open = (await sessionsOf(person.id)).filter(({ ended_at }) => ended_at === null);
      expect(open).toEqual([]);
    }
  });

  it('comes with that of the member of staff', async () => {
    const person = await addPerson(http.db, 'CLEANER');
    const browser = await signInByMail(http.app, http.db, person.email);
    const token = await tokenOf(browser);
    await http.call('PATCH', `${API}/staff/${person.staff_id}`, { body: { active: false } });
    const answer = await http.app.request(`${API}/me/tasks`, { headers: { authorization: `Bearer ${token}` } });
    expect([answer.status, (await sessionsOf(person.id))[0]?.ended_reason]).toEqual([401, 'DEACTIVATED']);
    // Nor is there another way in, until the person works here again.
    await browserOf(http.app).post('/sign-in', { email: person.email });
    expect(
      (await http.db.selectFrom('one_time').selectAll().where('account_id', '=', person.id).execute()).length,
    ).toBe(1);
  });
});

describe('Z12: another role', () => {
  it('ends all sessions, and tokens of the old role', async () => {
    const person = await addPerson(http.db, 'OPS');
    const old = await tokenFor({ role: 'OPS' }, person.principal);
    const ask = (token: string, path: string) =>
      http.app.request(`${API}${path}`, { headers: { authorization: `Bearer ${token}` } });
    await signInByMail(http.app, http.db, person.email);
    expect((await ask(old, '/me/sessions')).status).toBe(200);
    const changed = await http.call('PATCH', `${API}/accounts/${person.id}`, { body: { role: 'FINANCE' } });
    expect([changed.status, at(changed.body, 'data', 'role')]).toEqual([200, 'FINANCE']);
    expect((await sessionsOf(person.id)).map(({ ended_reason }) => ended_reason)).toEqual(['ROLE_CHANGED']);
    expect((await ask(old, '/me/sessions')).status).toBe(401);
    expect((await ask(await tokenFor({ role: 'FINANCE' }, person.principal), '/me/sessions')).status).toBe(200);
  });

  it('of a member of staff is that of the account', async () => {
    const person = await addPerson(http.db, 'CLEANER');
    await signInByMail(http.app, http.db, person.email);
    await http.call('PATCH', `${API}/staff/${person.staff_id}`, { body: { role: 'AGENT' } });
    expect(at((await http.call('GET', `${API}/accounts/${person.id}`)).body, 'data', 'role')).toBe('AGENT');
    expect((await sessionsOf(person.id))[0]?.ended_reason).toBe('ROLE_CHANGED');
  });

  it('keeps the sessions when only the name changes', async () => {
    const person = await addPerson(http.db, 'CLEANER');
    const browser = await signInByMail(http.app, http.db, person.email);
    await http.call('PATCH', `${API}/accounts/${person.id}`, { body: { name: 'Nina Haddad' } });
    expect((await browser.get('/account')).text).toContain('Nina Haddad');
  });
});

describe('S4: the last administrator', () => {
  it('can be neither deactivated nor given another role, also when two do it to each other at once', async () => {
    const one = await addPerson(http.db, 'ADMIN');
    const other = await addPerson(http.db, 'ADMIN');
    const both = await Promise.all([
      act(one.id, 'deactivate'),
      http.call('PATCH', `${API}/accounts/${other.id}`, { body: { role: 'OPS' } }),
    ]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 409]);
    expect(both.map(({ body }) => body.code)).toContain('LAST_ADMIN');
    const left = await http.db
      .selectFrom('account')
      .select('id')
      .where('role', '=', 'ADMIN')
      .where('status', '=', 'ACTIVE')
      .execute();
    expect(left).toHaveLength(1);
    const last = left[0]?.id ?? '';
    expect((await act(last, 'deactivate')).body.code).toBe('LAST_ADMIN');
    expect((await http.call('PATCH', `${API}/accounts/${last}`, { body: { role: 'OPS' } })).body.code).toBe(
      'LAST_ADMIN',
    );
    expect((await http.call('PATCH', `${API}/accounts/${last}`, { body: { name: 'Still here' } })).status).toBe(200);
    // An administrator of the demo's data, whom nobody can sign in as, is no other one.
    const madeUp = await addPerson(http.db, 'ADMIN');
    await http.db.updateTable('account').set({ invited_by: 'demo' }).where('id', '=', madeUp.id).execute();
    expect((await act(last, 'deactivate')).body.code).toBe('LAST_ADMIN');
    expect((await act(madeUp.id, 'deactivate')).status).toBe(200);
  });
});

describe('Z12, S2: signing somebody out', () => {
  it('ends every session, with an audit row; a lost phone takes its authenticator app along', async () => {
    const person = await addPerson(http.db, 'CLEANER');
    const browser = await signInByMail(http.app, http.db, person.email);
    const ended = await http.call('DELETE', `${API}/accounts/${person.id}/sessions`);
    expect(at(ended.body, 'data', 'ended')).toBe(1);
    expect((await browser.get('/account')).location).toBe('/sign-in');
    await http.db.updateTable('account').set({ totp_secret: 'x' }).where('id', '=', person.id).execute();
    const reset = await http.call('DELETE', `${API}/accounts/${person.id}/authenticator`);
    expect(at(reset.body, 'data', 'hasAuthenticator')).toBe(false);
    expect(await events(person.id)).toEqual(expect.arrayContaining(['SESSIONS_ENDED', 'ACCOUNT_AUTHENTICATOR_RESET']));
  });
});
