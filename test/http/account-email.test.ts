import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import { issueOneTime } from '../../src/domain/people/one-time.ts';
import { mintToken } from '../../src/http/mint.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { deliverAll } from '../setup/deliver.ts';
import { API, at, type Http, JWT, startHttp, tokenFor } from './harness.ts';
import { addPerson, browserOf, mailedLink, signInByMail, tokenOf } from './people.ts';

/** An administrator gives an account another e-mail address (security.md S4). */

let http: Http;
beforeAll(async () => {
  http = await startHttp();
}, 60_000);
afterAll(() => http?.stop());

let made = 0;
const newAddress = (): string => {
  made += 1;
  return `new-${made}@people.example`;
};
const patch = (id: string, body: object, headers: Readonly<Record<string, string>> = {}) =>
  http.call('PATCH', `${API}/accounts/${id}`, { body, headers });
const sessionsOf = (accountId: string) =>
  http.db.selectFrom('session').select(['ended_reason']).where('account_id', '=', accountId).execute();
const openSecrets = (accountId: string) =>
  http.db
    .selectFrom('one_time')
    .select('kind')
    .where('account_id', '=', accountId)
    .where('consumed_at', 'is', null)
    .execute();
async function mailsTo(email: string): Promise<readonly string[]> {
  await deliverAll(http.db);
  const rows = await http.db
    .selectFrom('dev_mail')
    .select(['id', 'subject'])
    .where('recipient', '=', email)
    .orderBy('id')
    .execute();
  return rows.map(({ subject }) => subject ?? '');
}
const FORMER = 'Your e-mail address was changed';
const CURRENT = 'You sign in with this e-mail address now';

describe('another e-mail address', () => {
  it('is told to the one before and to the new one, whatever the role', async () => {
    for (const role of ['OPS', 'OWNER', 'CLEANER', 'GUEST'] as const) {
      const person = await addPerson(http.db, role);
      const email = newAddress();
      const changed = await patch(person.id, { email });
      expect([changed.status, at(changed.body, 'data', 'email')], changed.text).toEqual([200, email]);
      expect(await mailsTo(person.email), role).toEqual([FORMER]);
      expect(await mailsTo(email), role).toEqual([CURRENT]);
    }
  });

  it('is told to the addresses of that change, although there was another change before the mails went out', async () => {
    const person = await addPerson(http.db, 'OPS');
    const [second, third] = [newAddress(), newAddress()];
    await patch(person.id, { email: second });
    await patch(person.id, { email: third });
    expect(await mailsTo(person.email)).toEqual([FORMER]);
    expect((await mailsTo(second)).toSorted()).toEqual([CURRENT, FORMER].toSorted());
    expect(await mailsTo(third)).toEqual([CURRENT]);
  });

  it('goes to nobody else where its address cannot be opened any more', async () => {
    const person = await addPerson(http.db, 'CLEANER');
    const email = newAddress();
    await patch(person.id, { email });
    await sql`UPDATE notification SET params = params || '{"sealedAddress":"gone.AAAA"}' WHERE params ->> 'accountId' = ${person.id}`.execute(
      http.db,
    );
    expect([await mailsTo(person.email), await mailsTo(email)]).toEqual([[], []]);
    const rows = await http.db
      .selectFrom('notification')
      .select(['status', 'reason'])
      .where('event', '=', 'ACCOUNT_EMAIL_CHANGED')
      .where(sql`params ->> 'accountId'`, '=', person.id)
      .execute();
    expect(rows.map(({ status, reason }) => `${status} ${reason}`)).toEqual([
      'SKIPPED NO_ADDRESS',
      'SKIPPED NO_ADDRESS',
    ]);
  });

  it('ends sessions and every unfinished link, in one transaction with its audit row', async () => {
    const person = await addPerson(http.db, 'CLEANER');
    const browser = await signInByMail(http.app, http.db, person.email);
    const token = await tokenOf(browser);
    await browserOf(http.app).post('/sign-in', { email: person.email });
    const link = await mailedLink(http.db, person.email);
    for (const kind of ['INVITATION', 'HAND_OVER', 'OIDC_STATE', 'PASSKEY_CHALLENGE'] as const)
      await issueOneTime(http.db, { kind, accountId: person.id, lifetimeSeconds: 600 });
    const email = newAddress();
    expect((await patch(person.id, { email })).status).toBe(200);
    expect(await openSecrets(person.id)).toEqual([]);
    expect((await sessionsOf(person.id)).map(({ ended_reason }) => ended_reason)).toEqual(['REVOKED']);
    const answer = await http.app.request(`${API}/me/tasks`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(401);
    expect((await browserOf(http.app).post(link)).status).toBe(404);
    const audit = await http.db
      .selectFrom('audit_log')
      .select(['event', 'body', sql<string>`xmin::text`.as('by')])
      .where('stream_id', '=', `account:${person.id}`)
      .where('event', 'in', ['ACCOUNT_UPDATED', 'SESSIONS_ENDED'])
      .execute();
    expect(audit.map(({ event }) => event)).toEqual(['ACCOUNT_UPDATED', 'SESSIONS_ENDED']);
    const { rows } = await sql<{ by: string }>`
      SELECT xmin::text AS by FROM account WHERE id = ${person.id}
      UNION SELECT xmin::text FROM session WHERE account_id = ${person.id}`.execute(http.db);
    expect(new Set([...audit, ...rows].map(({ by }) => by)).size).toBe(1);
    // The trail names the field, and holds no address.
    expect(audit.map(({ body }) => body).join()).toMatch(/"fields":\["email"\]/);
    expect(audit.map(({ body }) => body).join()).not.toContain('people.example');
    // By the new address there is a way in, by the one before none.
    await signInByMail(http.app, http.db, email);
    const told = (await mailsTo(person.email)).length;
    await browserOf(http.app).post('/sign-in', { email: person.email });
    expect(await mailsTo(person.email)).toHaveLength(told);
  });

  it('leaves no session behind of a link that was opened meanwhile', async () => {
    for (let n = 0; n < 5; n += 1) {
      const person = await addPerson(http.db, 'CLEANER');
      await browserOf(http.app).post('/sign-in', { email: person.email });
      const link = await mailedLink(http.db, person.email);
      const [, changed] = await Promise.all([
        browserOf(http.app).post(link),
        patch(person.id, { email: newAddress() }),
      ]);
      expect(changed.status).toBe(200);
      expect((await sessionsOf(person.id)).filter(({ ended_reason }) => ended_reason === null)).toEqual([]);
    }
  });

  it('leaves no link behind that was asked for meanwhile', async () => {
    for (let n = 0; n < 5; n += 1) {
      const person = await addPerson(http.db, 'CLEANER');
      await Promise.all([
        browserOf(http.app).post('/sign-in', { email: person.email }),
        patch(person.id, { email: newAddress() }),
      ]);
      expect(await openSecrets(person.id)).toEqual([]);
    }
  });

  it('is one for each account, whatever its case, and a refused one changes and tells nothing', async () => {
    const [one, other] = [await addPerson(http.db, 'OPS'), await addPerson(http.db, 'OPS')];
    const refused = await patch(one.id, { email: other.email.toUpperCase() });
    expect([refused.status, refused.body.code]).toEqual([409, 'ALREADY_EXISTS']);
    expect([await mailsTo(one.email), await mailsTo(other.email)]).toEqual([[], []]);
    expect((await patch(one.id, { email: newAddress() }, { 'if-match': '"99"' })).body.code).toBe(
      'PRECONDITION_FAILED',
    );
    expect(at((await http.call('GET', `${API}/accounts/${one.id}`)).body, 'data', 'email')).toBe(one.email);
    expect((await patch(one.id, { email: 'no address' })).status).toBe(422);
  });

  it('that is the same ends nothing and tells nobody', async () => {
    const person = await addPerson(http.db, 'CLEANER');
    await signInByMail(http.app, http.db, person.email);
    const before = await mailsTo(person.email);
    expect((await patch(person.id, { email: person.email })).status).toBe(200);
    expect((await sessionsOf(person.id)).map(({ ended_reason }) => ended_reason)).toEqual([null]);
    expect(await mailsTo(person.email)).toEqual(before);
  });

  it('of somebody who is only invited ends the invitation, and a new one goes to the new address', async () => {
    const invited = await http.call('POST', `${API}/accounts`, {
      body: { email: 'wrong@people.example', name: 'Ali', role: 'OPS' },
    });
    const id = String(at(invited.body, 'data', 'id'));
    const link = await mailedLink(http.db, 'wrong@people.example');
    const email = newAddress();
    await patch(id, { email });
    expect((await browserOf(http.app).post(link)).status).toBe(404);
    expect((await http.call('POST', `${API}/accounts/${id}/invitation`)).status).toBe(200);
    expect((await browserOf(http.app).post(await mailedLink(http.db, email))).status).toBe(303);
  });

  it('is an administrator’s to give, and with a fresh second factor only, the own too', async () => {
    const admin = await addPerson(http.db, 'ADMIN');
    const other = await addPerson(http.db, 'OPS');
    const session = async (minutes: number | null) => {
      const id = `session-${crypto.randomUUID()}`;
      await http.db
        .insertInto('session')
        .values({
          id,
          account_id: admin.id,
          key_hash: Buffer.from(id),
          method: 'LINK',
          mfa_at: minutes === null ? null : new Date(Date.now() - minutes * 60_000),
          expires_at: new Date(Date.now() + 3_600_000),
        })
        .execute();
      return id;
    };
    const change = async (id: string, sid: string) => {
      const grant = { role: 'ADMIN' } as const;
      const token = await mintToken(JWT, systemClock, { sub: admin.principal, grant, lifetimeSeconds: 600, sid });
      const answer = await http.app.request(`${API}/accounts/${id}`, {
        method: 'PATCH',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ email: newAddress() }),
      });
      return [answer.status, at(await answer.json(), 'code')];
    };
    const [without, stale, fresh] = [await session(null), await session(16), await session(1)];
    for (const id of [admin.id, other.id]) {
      expect((await change(id, without))[0]).toBe(403);
      expect(await change(id, stale)).toEqual([403, 'STEP_UP_REQUIRED']);
    }
    expect((await change(other.id, fresh))[0]).toBe(200);
    expect((await change(admin.id, fresh))[0]).toBe(200);
    // That was the end of the own session as well.
    expect((await change(other.id, fresh))[0]).toBe(401);
    const token = await tokenFor({ role: 'OPS' }, 'ops-1');
    const refused = await http.app.request(`${API}/accounts/${other.id}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ email: newAddress() }),
    });
    expect(refused.status).toBe(403);
  });

  it('is in no row of a message but sealed', async () => {
    const person = await addPerson(http.db, 'OPS');
    const email = newAddress();
    await patch(person.id, { email });
    const rows = await http.db
      .selectFrom('notification')
      .select(sql<string>`notification::text`.as('row'))
      .where(sql`params ->> 'accountId'`, '=', person.id)
      .execute();
    expect(rows).toHaveLength(2);
    for (const { row } of rows) for (const address of [person.email, email]) expect(row).not.toContain(address);
    await deliverAll(http.db);
    const mail = await http.db
      .selectFrom('dev_mail')
      .select('id')
      .where('recipient', '=', person.email)
      .executeTakeFirst();
    const body = mail ? (await readDevMail(http.db, mail.id))?.body : '';
    // Who reads the mailbox of before does not learn the new address.
    expect(body).not.toContain(email);
  });
});
