import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccountRow } from '../../src/domain/people/accounts.ts';
import { linkForAdmin } from '../../src/domain/people/first-admin.ts';
import { issueOneTime, type OneTimeKind } from '../../src/domain/people/one-time.ts';
import { openSession } from '../../src/domain/people/sessions.ts';
import type { VerifiedIdentity } from '../../src/domain/ports-sign-in.ts';
import { operatorSessions } from '../../src/http/accounts/operators.ts';
import { createStandingGuard } from '../../src/http/standing.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createAuthenticator } from '../setup/authenticator.ts';
import { API, type Http, PUBLIC_URL, startHttp, tokenFor } from './harness.ts';
import { addPerson, browserOf } from './people.ts';

/** Every way in which a session begins, at the moment of every way in which all sessions of somebody end (security.md S2, Z12). */

let http: Http;
let identity: VerifiedIdentity | null = null;
beforeAll(async () => {
  http = await startHttp({
    identityProvider: {
      name: 'Acme',
      issuer: 'https://acme.example',
      addressFor: async ({ state }) => `https://acme.example/?state=${state}`,
      identify: async () => identity,
    },
  });
}, 60_000);
afterAll(async () => {
  // What lost a deadlock is run again, and so would be green by itself.
  const circles = await deadlocks();
  await http?.stop();
  expect(circles).toBe(0);
});
const db = () => http.db;
const ORIGIN = { requestId: null, ip: null };

async function openedOf({ id: accountId }: AccountRow) {
  const session = { accountId, method: 'LINK', mfaAt: new Date(), ip: null, userAgent: null, lifetime: 600 } as const;
  return db()
    .transaction()
    .execute((tx) => openSession(tx, session));
}
const secretOf = (kind: OneTimeKind, accountId: string, data = {}): Promise<string> =>
  issueOneTime(db(), { kind, accountId, data, lifetimeSeconds: 600 });

type Press = () => Promise<unknown>;
/** Everything but the last press of a sign-in. */
const BEGINNINGS: Readonly<Record<string, (account: AccountRow) => Promise<Press>>> = {
  'a link of a mail': async ({ id }) => {
    const secret = await secretOf('LINK', id);
    return () => browserOf(http.app).post(`/sign-in/${secret}`);
  },
  'an invitation': async ({ id }) => {
    const secret = await secretOf('INVITATION', id);
    return () => browserOf(http.app).post(`/invitations/${secret}`);
  },
  'a hand-over to the operators’ port': async (account) => {
    const { id } = await openedOf(account);
    const code = await secretOf('HAND_OVER', account.id, { session: id });
    const sessions = operatorSessions(db(), systemClock, createStandingGuard({ db: db(), clock: systemClock }), false);
    return () => sessions.take(code, ORIGIN);
  },
  'a passkey': async (account) => {
    const authenticator = createAuthenticator(PUBLIC_URL);
    const headers = { 'sec-fetch-site': 'same-origin' };
    const post = (path: string, body: unknown, more = {}) =>
      http.call('POST', path, { as: null, body, headers: { ...headers, ...more } });
    const cookie = `roomy_session=${(await openedOf(account)).key}`;
    const { data } = (await post('/account/passkeys/options', {}, { cookie })).body;
    const added = await post('/account/passkeys', { name: 'A', ...authenticator.create(data) }, { cookie });
    expect(added.status, added.text).toBe(201);
    const used = authenticator.get((await post('/passkeys/options', {})).body['data']);
    return () => post('/passkeys/sign-in', used);
  },
  'an identity provider': async (account) => {
    identity = {
      issuer: 'https://acme.example',
      subject: account.id,
      email: account.email,
      emailVerified: true,
      secondFactorAt: null,
    };
    const browser = browserOf(http.app);
    const { headers } = await browser.post('/oidc');
    const state = new URL(/url=(.*)$/.exec(headers.get('refresh') ?? '')?.[1] ?? '').searchParams.get('state');
    return () => browser.get(`/oidc/callback?code=x&state=${encodeURIComponent(state ?? '')}`);
  },
  'one click in the demo': async ({ id }) => {
    await db().updateTable('account').set({ invited_by: 'demo' }).where('id', '=', id).execute();
    return () => browserOf(http.app).post('/sign-in/demo', { account: id });
  },
};

const asAdmin = async (method: string, path: string, body?: object) => {
  const answer = await http.call(method, `${API}${path}`, { headers: { 'if-match': '*' }, ...(body ? { body } : {}) });
  expect(answer.status, answer.text).toBeLessThan(300);
};
let addresses = 0;
/** The presses that end all sessions, from what they need on. */
const ENDS: Readonly<Record<string, (account: AccountRow) => Promise<Press>>> = {
  'signing out everywhere, on the page': async (account) => {
    const { key } = await openedOf(account);
    const headers = { cookie: `roomy_session=${key}`, 'sec-fetch-site': 'same-origin' };
    return async () =>
      (await http.app.request(`${PUBLIC_URL}/sign-out/everywhere`, { method: 'POST', headers })).text();
  },
  'signing out everywhere, by the API': async (account) => {
    const authorization = `Bearer ${await tokenFor({ role: account.role }, account.principal)}`;
    return async () => {
      const ended = await http.app.request(`${API}/me/sessions`, { method: 'DELETE', headers: { authorization } });
      expect(ended.status, await ended.text()).toBe(200);
    };
  },
  'an administrator’s end of sessions':
    async ({ id }) =>
    () =>
      asAdmin('DELETE', `/accounts/${id}/sessions`),
  'a deactivation':
    async ({ id }) =>
    () =>
      asAdmin('POST', `/accounts/${id}/deactivate`),
  'a reset of the authenticator':
    async ({ id }) =>
    () =>
      asAdmin('DELETE', `/accounts/${id}/authenticator`),
  'another role':
    async ({ id }) =>
    () =>
      asAdmin('PATCH', `/accounts/${id}`, { role: 'FINANCE' }),
  'another address':
    async ({ id }) =>
    () => {
      addresses += 1;
      return asAdmin('PATCH', `/accounts/${id}`, { email: `other-${addresses}@people.example` });
    },
  'npm run account with a new authenticator':
    async ({ email }) =>
    () =>
      linkForAdmin(db(), { email, name: undefined, newAuthenticator: true }),
  'staff who leave':
    async ({ principal }) =>
    () =>
      asAdmin('PATCH', `/staff/${principal}`, { active: false }),
  'another role of the staff':
    async ({ principal }) =>
    () =>
      asAdmin('PATCH', `/staff/${principal}`, { role: 'MAINTENANCE_STAFF' }),
};
/** Of whose account it is, where it is not of an operator. */
const ROLES: Readonly<Record<string, AccountRow['role']>> = {
  'npm run account with a new authenticator': 'ADMIN',
  'staff who leave': 'CLEANER',
  'another role of the staff': 'CLEANER',
};

/** They may begin a session after the end: who somebody is, is proved at the press, or the account was not in use before it. */
const MAY_FOLLOW = new Set(['an invitation', 'a passkey', 'an identity provider', 'one click in the demo']);

/** How many connections of this database wait for a lock. */
async function waiting(): Promise<number> {
  const { rows } = await sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(db());
  return rows[0]?.n ?? 0;
}
/** Until so many wait, or the press is through without waiting. */
async function untilWaiting(count: number, press: Promise<unknown>): Promise<void> {
  let isThrough = false;
  const through = press.finally(() => {
    isThrough = true;
  });
  await expect.poll(async () => isThrough || (await waiting()) >= count, { timeout: 10_000, interval: 5 }).toBe(true);
  if (isThrough) await through;
}

/** Presses one while the account is held, then the other, and lets them go in that order. */
async function atOnce({ id }: AccountRow, first: Press, second: Press): Promise<void> {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let hold = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    hold = resolve;
  });
  const holder = db()
    .transaction()
    .execute(async (tx) => {
      await sql`SELECT FROM account WHERE id = ${id} FOR UPDATE`.execute(tx);
      hold();
      await released;
    });
  await held;
  const one = first();
  await untilWaiting(1, one);
  const two = second();
  await untilWaiting(2, two);
  release();
  await Promise.all([holder, one, two]);
}
/** Of this database: a connection tells its own when it ends. */
async function deadlocks(): Promise<number> {
  const others = async () => {
    const { rows } = await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`.execute(db());
    return rows.length;
  };
  while ((await others()) > 0);
  const { rows } = await sql<{ deadlocks: number }>`
    SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()`.execute(db());
  return rows[0]?.deadlocks ?? Number.NaN;
}
const liveOf = async ({ id }: AccountRow): Promise<number> =>
  (await db().selectFrom('session').select('id').where('account_id', '=', id).where('ended_at', 'is', null).execute())
    .length;

describe('S2, Z12: when all sessions of somebody end', () => {
  for (const [beginning, begin] of Object.entries(BEGINNINGS)) {
    for (const [end, make] of Object.entries(ENDS)) {
      it(`by ${end}, none lives on that begins just then by ${beginning}`, async () => {
        const account = await addPerson(db(), ROLES[end] ?? 'OPS');
        const press = await begin(account);
        await atOnce(account, press, await make(account));
        expect(await liveOf(account)).toBe(0);
      });
    }
  }

  for (const [beginning, begin] of Object.entries(BEGINNINGS)) {
    for (const [end, make] of Object.entries(ENDS)) {
      const isOver = !MAY_FOLLOW.has(beginning);
      it(`by ${end}, just before, ${isOver ? 'none' : 'at most one'} begins by ${beginning}`, async () => {
        const account = await addPerson(db(), ROLES[end] ?? 'OPS');
        const press = await begin(account);
        await atOnce(account, await make(account), press);
        expect(await liveOf(account)).toBeLessThanOrEqual(isOver ? 0 : 1);
      });
    }
  }

  for (const [end, make] of Object.entries(ENDS)) {
    it(`by ${end}, nothing opens any more that was on its way`, async () => {
      const account = await addPerson(db(), ROLES[end] ?? 'OPS');
      const { id } = await openedOf(account);
      const sent = ['LINK', 'OIDC_STATE', 'PASSKEY_CHALLENGE'] as const;
      for (const kind of sent) await secretOf(kind, account.id, { session: id });
      const link = await secretOf('LINK', account.id);
      const handOver = await (BEGINNINGS['a hand-over to the operators’ port'] ?? (() => undefined))(account);
      await (await make(account))();
      expect((await browserOf(http.app).post(`/sign-in/${link}`)).status).toBe(404);
      expect(await handOver?.()).toBeNull();
      const open = await db()
        .selectFrom('one_time')
        .select('kind')
        .where('account_id', '=', account.id)
        .where('consumed_at', 'is', null)
        .execute();
      // `npm run account` prints the new link.
      expect(open.map(({ kind }) => kind)).toEqual(ROLES[end] === 'ADMIN' ? ['LINK'] : []);
      expect(await liveOf(account)).toBe(0);
    });
  }
});

describe('S6: after a reset of the authenticator', () => {
  for (const end of ['a reset of the authenticator', 'npm run account with a new authenticator'])
    it(`by ${end}, the passkeys of the lost phone open nothing`, async () => {
      const account = await addPerson(db(), 'ADMIN');
      const signIn = await (BEGINNINGS['a passkey'] ?? (() => undefined))(account);
      await (await ENDS[end]?.(account))?.();
      expect(await db().selectFrom('passkey').select('id').where('account_id', '=', account.id).execute()).toEqual([]);
      expect(await signIn?.()).toMatchObject({ status: 401 });
      expect(await liveOf(account)).toBe(0);
    });
});
