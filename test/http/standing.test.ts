import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROLES } from '../../src/http/auth.ts';
import { mintToken } from '../../src/http/mint.ts';
import { POLICIES } from '../../src/http/policy.ts';
import { createStandingGuard, type StandingNews } from '../../src/http/standing.ts';
import { createLinkSeal } from '../../src/kernel/link-seal.ts';
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

const GUARDED = Object.entries(POLICIES).flatMap(([name, policy]) =>
  policy === 'anonymous' ? [] : [{ name, policy }],
);

describe('every route of the API', () => {
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

describe('a token', () => {
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

describe('processes', () => {
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

describe('an open stream', () => {
  it('ends within a minute of the deactivation', async () => {
    const person = await addPerson(http.db, 'OPS');
    const token = await tokenFor({ role: 'OPS' }, person.principal, clock);
    const answer = await http.app.request(`${API}/events/stream`, { headers: { authorization: `Bearer ${token}` } });
    expect(answer.status).toBe(200);
    const reader = answer.body?.getReader();
    await deactivate(person.id);
    clock.forward(WITHIN_SECONDS);
    // Something happens, so that the stream has something to say.
    await http.db
      .insertInto('owner')
      .values({ id: `noise-${person.id}`, name: 'O', email: 'o@x.example' })
      .execute();
    for (;;) {
      const chunk = await reader?.read();
      if (chunk === undefined || chunk.done) break;
    }
  }, 40_000);
});

describe('what is read without a token', () => {
  it('a calendar ends with its person', async () => {
    const person = await addPerson(http.db, 'CLEANER');
    const mine = { as: 'CLEANER' as const, sub: person.principal };
    const token = await tokenFor({ role: 'CLEANER' }, mine.sub, clock);
    const opened = await http.app.request(`${API}/me/calendar`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    const url = new URL(String(at(await opened.json(), 'data', 'url')));
    expect((await http.app.request(url.pathname)).status).toBe(200);
    await deactivate(person.id);
    expect((await http.app.request(url.pathname)).status).toBe(404);
  });

  it('the question to an owner ends with the owner', async () => {
    const person = await addPerson(http.db, 'OWNER');
    const ownerId = person.owner_id ?? '';
    await http.db
      .insertInto('property')
      .values({ id: `p-${ownerId}`, name: 'Old', owner_id: ownerId })
      .execute();
    const token = 'q'.repeat(43);
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
      .values({ task_id: `t-${ownerId}`, owner_id: ownerId, token })
      .execute();
    expect((await http.app.request(`/approvals/${token}`)).status).toBe(200);
    // Signed in, the owner lands on what waits.
    const browser = await signInByMail(http.app, http.db, person.email);
    expect((await browser.get('/owner')).text).toContain(`/approvals/${token}`);
    await deactivate(person.id);
    expect((await http.app.request(`/approvals/${token}`)).status).toBe(404);
    expect((await http.app.request(`/approvals/${token}/approve`, { method: 'POST' })).status).toBe(404);
    expect((await browser.get('/owner')).location).toBe('/sign-in');
  });

  it('the offer of a task ends with the person who was asked', async () => {
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
    expect((await http.app.request(`/offers/${token}`)).status).toBe(200);
    await deactivate(person.id);
    expect((await http.app.request(`/offers/${token}`)).status).toBe(404);
    expect((await http.app.request(`/offers/${token}/accept`, { method: 'POST' })).status).toBe(404);
  });

  it('the link to a report ends with the person who made it', async () => {
    const person = await addPerson(http.db, 'FINANCE');
    const links = createLinkSeal(JWT.keys, clock);
    const { token } = links.seal('check-out-report', 'no-such-stay', 600, person.principal);
    const open = async () => at(await (await http.app.request(`/reports/${token}`)).json(), 'code');
    // The link opens, and leads to a stay that is not there.
    expect(await open()).toBe('RESERVATION_NOT_FOUND');
    await deactivate(person.id);
    clock.forward(WITHIN_SECONDS);
    expect(await open()).toBe('NOT_FOUND');
  });
});
