import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccountRow } from '../../src/domain/people/accounts.ts';
import { openSession } from '../../src/domain/people/sessions.ts';
import { ROLES } from '../../src/http/auth.ts';
import type { Caller } from '../../src/http/caller.ts';
import { textOf } from '../../src/http/link-maker.ts';
import { mintToken } from '../../src/http/mint.ts';
import { POLICIES } from '../../src/http/policy.ts';
import { createStandingGuard, type StandingNews } from '../../src/http/standing.ts';
import { sha256OfBytes } from '../../src/kernel/json.ts';
import { createLinkSeal } from '../../src/kernel/link-seal.ts';
import { linkTo } from '../setup/links.ts';
import { API, at, type Http, JWT, startHttp, tokenFor } from './harness.ts';
import { addPerson, movableClock, signInByMail, tokenOf } from './people.ts';

/**
 * Who is deactivated is out everywhere within 60 s (security.md Z12). Rows are changed here behind the back of the process, as
 * another process without a word would: what it remembers must be too old soon enough.
 */

const clock = movableClock();
let http: Http;
beforeAll(async () => {
  http = await startHttp({ clock });
}, 60_000);
afterAll(() => http?.stop());

const deactivate = (id: string) =>
  http.db.updateTable('account').set({ status: 'DEACTIVATED' }).where('id', '=', id).execute();
const ask = async (token: string, path: string) =>
  (await http.app.request(`${API}${path}`, { headers: { authorization: `Bearer ${token}` } })).status;
const WITHIN_SECONDS = 59;
/** As an administrator, by the clock of the app. */
async function asAdmin(method: string, path: string, body?: object) {
  const headers = {
    authorization: `Bearer ${await tokenFor({ role: 'ADMIN' }, 'admin-1', clock)}`,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const answer = await http.app.request(`${API}${path}`, init);
  const text = await answer.text();
  expect(answer.ok, text).toBe(true);
  return text === '' ? null : (JSON.parse(text) as unknown);
}

const GUARDED = Object.entries(POLICIES).flatMap(([name, policy]) =>
  policy === 'anonymous' ? [] : [{ name, policy }],
);

describe('Z12: every route of the API', () => {
  it('refuses who was deactivated, whatever the role', async () => {
    const tokens = new Map<string, string>();
    for (const role of ROLES) {
      const person = await addPerson(http.db, role);
      tokens.set(role, await tokenFor({ role }, person.principal, clock));
      await deactivate(person.id);
    }
    const open: string[] = [];
    for (const { name, policy } of GUARDED) {
      const [method = '', pattern = ''] = name.split(' ');
      const path = pattern.replaceAll(/:[^/]+/g, 'nobody');
      const token = tokens.get(policy.roles[0] ?? '') ?? '';
      const { status } = await http.app.request(path, { method, headers: { authorization: `Bearer ${token}` } });
      if (status !== 401) open.push(`${name}: ${status}`);
    }
    expect([GUARDED.length > 100, open]).toEqual([true, []]);
  });
});

describe('Z12: a token', () => {
  it('of somebody who was deactivated is refused within a minute', async () => {
    const person = await addPerson(http.db, 'CLEANER');
    const token = await tokenFor({ role: 'CLEANER' }, person.principal, clock);
    expect(await ask(token, '/me/tasks')).toBe(200);
    await deactivate(person.id);
    clock.forward(WITHIN_SECONDS);
    expect(await ask(token, '/me/tasks')).toBe(401);
  });

  it('of a session that has ended is refused within a minute', async () => {
    const person = await addPerson(http.db, 'CLEANER');
    const token = await tokenOf(await signInByMail(http.app, http.db, person.email));
    expect(await ask(token, '/me/tasks')).toBe(200);
    await http.db
      .updateTable('session')
      .set({ ended_at: new Date(), ended_reason: 'REVOKED' })
      .where('account_id', '=', person.id)
      .execute();
    clock.forward(WITHIN_SECONDS);
    expect(await ask(token, '/me/tasks')).toBe(401);
  });

  it('of another role than the account has is refused', async () => {
    const person = await addPerson(http.db, 'CLEANER');
    expect(await ask(await tokenFor({ role: 'ADMIN' }, person.principal, clock), '/owners')).toBe(401);
  });

  it('that names a session of somebody else is refused', async () => {
    const [one, other] = [await addPerson(http.db, 'CLEANER'), await addPerson(http.db, 'CLEANER')];
    await signInByMail(http.app, http.db, one.email);
    const { id } = await http.db
      .selectFrom('session')
      .select('id')
      .where('account_id', '=', one.id)
      .executeTakeFirstOrThrow();
    const grant = { role: 'CLEANER' } as const;
    const forged = await mintToken(JWT, clock, { sub: other.principal, grant, lifetimeSeconds: 600, sid: id });
    expect(await ask(forged, '/me/tasks')).toBe(401);
  });

  it('costs no statement while it is remembered', async () => {
    const person = await addPerson(http.db, 'CLEANER');
    let statements = 0;
    const counted = http.db.withPlugin({
      transformQuery: ({ node }) => {
        statements += 1;
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    const guard = createStandingGuard({ db: counted, clock });
    const caller = { kind: 'person', principal: person.principal, role: 'CLEANER' } as const;
    await Promise.all([guard.inForce(caller), guard.inForce(caller)]);
    await guard.inForce(caller);
    expect(statements).toBe(1);
    clock.forward(31);
    await guard.inForce(caller);
    expect(statements).toBe(2);
  });

  it('without an account is nobody in production, and a developer’s elsewhere', async () => {
    const strict = createStandingGuard({ db: http.db, clock, isProduction: true });
    const caller = { kind: 'person', principal: 'pasted', role: 'ADMIN' } as const;
    await expect(strict.inForce(caller)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    const machine = { kind: 'service', principal: 'service:x', scopes: new Set<string>() } as const;
    expect(await strict.inForce(machine)).toBe(machine);
    expect(await createStandingGuard({ db: http.db, clock }).inForce(caller)).toBe(caller);
  });
});

describe('Z12: processes', () => {
  it('tell each other at once, where they can', async () => {
    const person = await addPerson(http.db, 'CLEANER');
    const heard: ((principals: readonly string[] | null) => void)[] = [];
    const news: StandingNews = {
      tell: (principals) => {
        for (const listener of heard) listener(principals);
      },
      hear: (listener) => void heard.push(listener),
    };
    const [one, other] = [1, 2].map(() => createStandingGuard({ db: http.db, clock, standingNews: news }));
    const caller = { kind: 'person', principal: person.principal, role: 'CLEANER' } as const;
    await other?.inForce(caller);
    await deactivate(person.id);
    // Nobody has said a word: the other still believes what it has read.
    await other?.inForce(caller);
    one?.changed(person.principal);
    await expect(other?.inForce(caller)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

/** The ways in which somebody loses a right, each behind the back of the process. */
const ENDS: Readonly<Record<string, (person: AccountRow) => Promise<unknown>>> = {
  'is deactivated': ({ id }) => deactivate(id),
  'has another role': ({ id }) =>
    http.db.updateTable('account').set({ role: 'FINANCE' }).where('id', '=', id).execute(),
  'is signed out': ({ id }) =>
    http.db
      .updateTable('session')
      .set({ ended_at: new Date(), ended_reason: 'REVOKED' })
      .where('account_id', '=', id)
      .execute(),
};
/** Somebody who runs the system, and the session in which they do. */
async function operator() {
  const person = await addPerson(http.db, 'OPS');
  const { id: sid } = await http.db.transaction().execute((tx) =>
    openSession(tx, {
      accountId: person.id,
      method: 'PASSKEY',
      mfaAt: clock.now(),
      ip: null,
      userAgent: null,
      lifetime: 3_600,
    }),
  );
  const grant = { role: 'OPS' } as const;
  const token = await mintToken(JWT, clock, { sub: person.principal, grant, lifetimeSeconds: 900, sid });
  return { person, sid, token };
}
const STREAM = `${API}/events/stream`;
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
async function ticketOf(token: string): Promise<string> {
  const answer = await http.app.request(`${API}/events/tickets`, { method: 'POST', ...bearer(token) });
  return String(at(await answer.json(), 'data', 'ticket'));
}

describe('Z12: an open stream', () => {
  const cases = Object.keys(ENDS).flatMap((how) => ['token', 'ticket'].map((by) => [how, by] as const));

  it.each(cases)(
    'of somebody who %s ends within a minute, opened by a %s',
    async (how, by) => {
      const { person, token } = await operator();
      const answer = await (by === 'token'
        ? http.app.request(STREAM, bearer(token))
        : http.app.request(`${STREAM}?ticket=${await ticketOf(token)}`));
      expect(answer.status).toBe(200);
      const heard = answer.text();
      await ENDS[how]?.(person);
      clock.forward(WITHIN_SECONDS);
      // Something happens, so that the stream has something to say.
      const noise = `noise-${person.id}`;
      await http.db.insertInto('owner').values({ id: noise, name: 'O', email: 'o@x.example' }).execute();
      expect(await heard).not.toContain(noise);
    },
    40_000,
  );

  it.each(Object.keys(ENDS))('is not opened by the ticket of somebody who %s', async (how) => {
    const { person, token } = await operator();
    const ticket = await ticketOf(token);
    await ENDS[how]?.(person);
    clock.forward(WITHIN_SECONDS);
    expect((await http.app.request(`${STREAM}?ticket=${ticket}`)).status).toBe(401);
  });

  it('is not opened by the ticket of a key that was revoked', async () => {
    const { id, key } = await machine(['events:read']);
    const ticket = await ticketOf(key);
    await asAdmin('DELETE', `/api-keys/${id}`);
    clock.forward(WITHIN_SECONDS);
    expect((await http.app.request(`${STREAM}?ticket=${ticket}`)).status).toBe(401);
  });
});
async function machine(scopes: readonly string[]): Promise<{ readonly id: string; readonly key: string }> {
  const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
  const body = await asAdmin('POST', '/api-keys', { name: 'Machine', scopes, expiresAt });
  return { id: String(at(body, 'data', 'id')), key: String(at(body, 'data', 'key')) };
}

describe('Z12: a page', () => {
  it.each(['another role', 'the end of all sessions', 'a deactivation'])('is closed at once by %s', async (how) => {
    const person = await addPerson(http.db, 'CLEANER');
    const browser = await signInByMail(http.app, http.db, person.email);
    expect((await browser.get('/account')).status).toBe(200);
    const path = `/accounts/${person.id}`;
    if (how === 'another role') await asAdmin('PATCH', path, { role: 'OPS' });
    else if (how === 'a deactivation') await asAdmin('POST', `${path}/deactivate`);
    else await asAdmin('DELETE', `${path}/sessions`);
    expect((await browser.get('/account')).location).toBe('/sign-in');
    expect((await browser.post('/session/token')).status).toBe(401);
  });
});

type Loss = readonly [name: string, lose: (person: AccountRow) => Promise<unknown>];
const LOSSES: readonly Loss[] = [
  ['is deactivated', ({ id }) => deactivate(id)],
  ['has another role', ({ id }) => asAdmin('PATCH', `/accounts/${id}`, { role: 'OPS' })],
  ['keeps the books', ({ id }) => asAdmin('PATCH', `/accounts/${id}`, { role: 'FINANCE' })],
  ['does other work', ({ staff_id }) => asAdmin('PATCH', `/staff/${staff_id}`, { role: 'MAINTENANCE_STAFF' })],
  ['works here no more', ({ staff_id }) => asAdmin('PATCH', `/staff/${staff_id}`, { active: false })],
];

describe('Z12: what is read without a token', () => {
  it.each(LOSSES)('a calendar ends with its person, who %s', async (_, lose) => {
    const person = await addPerson(http.db, 'CLEANER');
    const mine = { as: 'CLEANER' as const, sub: person.principal };
    const token = await tokenFor({ role: 'CLEANER' }, mine.sub, clock);
    const opened = await http.app.request(`${API}/me/calendar`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    const url = new URL(String(at(await opened.json(), 'data', 'url')));
    expect((await http.app.request(url.pathname)).status).toBe(200);
    await lose(person);
    expect((await http.app.request(url.pathname)).status).toBe(404);
  });

  it.each(LOSSES.slice(0, 3))('the question to an owner ends with the owner, who %s', async (_, lose) => {
    const person = await addPerson(http.db, 'OWNER');
    const ownerId = person.owner_id ?? '';
    await http.db
      .insertInto('property')
      .values({ id: `p-${ownerId}`, name: 'Old', owner_id: ownerId })
      .execute();
    const token = ownerId.padEnd(43, 'q');
    await http.db
      .insertInto('task')
      .values({
        id: `t-${ownerId}`,
        type: 'MAINTENANCE',
        occurrence: 'MANUAL',
        title: 'Boiler',
        property_id: `p-${ownerId}`,
        status: 'UNASSIGNED',
        approval: 'PENDING',
        scheduled_at: new Date(),
        ends_at: new Date(Date.now() + 3_600_000),
        next_assign_at: null,
      })
      .execute();
    await http.db
      .insertInto('repair_approval')
      .values({ task_id: `t-${ownerId}`, owner_id: ownerId, token, property_id: `p-${ownerId}`, title: 'Boiler' })
      .execute();
    expect((await http.app.request(`/approvals/${linkTo('approval', token)}`)).status).toBe(200);
    // Signed in, the owner lands on what waits.
    const browser = await signInByMail(http.app, http.db, person.email);
    expect((await browser.get('/owner')).text).toContain(`/approvals/${linkTo('approval', token)}`);
    await lose(person);
    expect((await http.app.request(`/approvals/${linkTo('approval', token)}`)).status).toBe(404);
    expect((await http.app.request(`/approvals/${linkTo('approval', token)}/approve`, { method: 'POST' })).status).toBe(
      404,
    );
    expect((await browser.get('/owner')).location).toBe('/sign-in');
  });

  it.each(LOSSES)('the offer of a task ends with the person who was asked, who %s', async (_, lose) => {
    const person = await addPerson(http.db, 'CLEANER');
    const staffId = person.staff_id ?? '';
    await http.db
      .insertInto('owner')
      .values({ id: `o-${staffId}`, name: 'O', email: 'o@x.example' })
      .execute();
    await http.db
      .insertInto('property')
      .values({ id: `p-${staffId}`, name: 'P', owner_id: `o-${staffId}` })
      .execute();
    await http.db
      .insertInto('task')
      .values({
        id: `t-${staffId}`,
        type: 'CLEANING',
        occurrence: 'MANUAL',
        title: 'Cleaning',
        property_id: `p-${staffId}`,
        status: 'ASSIGNED',
        assignee_id: staffId,
        accept_by: new Date(Date.now() + 3_600_000),
        scheduled_at: new Date(Date.now() + 7_200_000),
        ends_at: new Date(Date.now() + 10_800_000),
        next_assign_at: null,
      })
      .execute();
    const { token } = await http.db
      .selectFrom('task_offer')
      .select('token')
      .where('staff_id', '=', staffId)
      .executeTakeFirstOrThrow();
    expect((await http.app.request(`/offers/${linkTo('offer', token)}`)).status).toBe(200);
    await lose(person);
    expect((await http.app.request(`/offers/${linkTo('offer', token)}`)).status).toBe(404);
    expect((await http.app.request(`/offers/${linkTo('offer', token)}/accept`, { method: 'POST' })).status).toBe(404);
  });

  it.each(Object.keys(ENDS))('the link to a report ends with the person who made it, who %s', async (how) => {
    const { person, sid } = await operator();
    const session = { id: sid, mfaAt: null };
    const made = linkBy({ kind: 'person', principal: person.principal, role: 'OPS', session });
    expect(await made()).toBe('RESERVATION_NOT_FOUND');
    await ENDS[how]?.(person);
    clock.forward(WITHIN_SECONDS);
    expect(await made()).toBe('NOT_FOUND');
  });

  it('the link to a report ends with the key by which it was made', async () => {
    const { id, key } = await machine(['reservations:read']);
    const keyDigest = sha256OfBytes(Buffer.from(key)).toString('base64url');
    const made = linkBy({ kind: 'service', principal: `service:${id}`, scopes: new Set(), keyDigest });
    expect(await made()).toBe('RESERVATION_NOT_FOUND');
    await asAdmin('DELETE', `/api-keys/${id}`);
    clock.forward(WITHIN_SECONDS);
    expect(await made()).toBe('NOT_FOUND');
  });
});

/** What the link answers that this caller has made: it opens, and leads to a stay that is not there. */
function linkBy(caller: Caller): () => Promise<unknown> {
  const { token } = createLinkSeal(JWT.keys, clock).seal('check-out-report', 'no-such-stay', 600, textOf(caller));
  return async () => at(await (await http.app.request(`/reports/${token}`)).json(), 'code');
}
