import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AccountStatus } from '../../src/domain/people/accounts.ts';
import { insertAccount, updateAccount } from '../../src/domain/people/accounts.ts';
import { issueOneTime, peekOneTime } from '../../src/domain/people/one-time.ts';
import { openSession } from '../../src/domain/people/sessions.ts';
import type { IdentityProvider } from '../../src/domain/ports-sign-in.ts';
import { createIdentityProvider, type IdentityProviderSettings } from '../../src/gateways/identity-provider.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { type RunningProvider, startIdentityProvider } from '../setup/identity-provider.ts';
import { type Answer, type Http, PUBLIC_URL, seed, startHttp } from './harness.ts';

/** Signing in by a real OpenID provider (`oidc-provider`), which runs on this machine. */

const REDIRECT = `${PUBLIC_URL}/oidc/callback`;
let provider: RunningProvider;
let http: Http;
beforeAll(async () => {
  provider = await startIdentityProvider(REDIRECT);
  http = await startHttp({ identityProvider: clientOf({ secondFactors: ['mfa'] }) });
  await seed(http.db);
}, 60_000);
afterAll(async () => {
  await http?.stop();
  await provider?.close();
});

function clientOf(settings: Partial<IdentityProviderSettings> = {}): IdentityProvider {
  const { issuer, clientId, clientSecret } = provider;
  return createIdentityProvider(
    { issuer, clientId, clientSecret, name: 'Acme', secondFactors: [], ...settings },
    { clock: systemClock, log: createLogger('test', 'silent') },
  );
}

let people = 0;
interface Someone {
  readonly id: string;
  readonly email: string;
  readonly sub: string;
}
/** An account, and somebody at the provider who has its address. */
async function addPerson(status: AccountStatus = 'ACTIVE', staffId: string | null = null): Promise<Someone> {
  people += 1;
  const email = `person-${people}@example.com`;
  const role = staffId === null ? 'ADMIN' : 'CLEANER';
  const id = await http.db.transaction().execute(async (tx) => {
    const account = await insertAccount(tx, { email, name: 'Somebody', role, staffId, invitedBy: null });
    await updateAccount(tx, account.id, { status });
    return account.id;
  });
  return { id, email, sub: `subject-${people}` };
}

const browserHeaders = (cookie: string) => ({ accept: 'text/html', ...(cookie === '' ? {} : { cookie }) });
const press = (path: string, cookie = '', at: Http = http): Promise<Answer> =>
  at.call('POST', path, { as: null, headers: { ...browserHeaders(cookie), 'sec-fetch-site': 'same-origin' } });
const cookieOf = (answer: Answer, name: string): string =>
  answer.headers
    .getSetCookie()
    .map((line) => line.split(';')[0] ?? '')
    .findLast((pair) => pair.startsWith(`${name}=`)) ?? '';

interface Begun {
  /** Of the provider, where the browser is sent. */
  readonly address: string;
  readonly cookie: string;
}
async function begin(path = '/oidc', session = '', at: Http = http): Promise<Begun> {
  const answer = await press(path, session, at);
  expect(answer.status, answer.text).toBe(200);
  const address = /^0; url=(.*)$/.exec(answer.headers.get('refresh') ?? '')?.[1] ?? '';
  return { address, cookie: cookieOf(answer, 'roomy_oidc') };
}
const open = (address: string, cookie: string, at: Http = http): Promise<Answer> =>
  at.call('GET', address.slice(PUBLIC_URL.length), { as: null, headers: browserHeaders(cookie) });
async function signIn(at: Http = http): Promise<Answer> {
  const { address, cookie } = await begin('/oidc', '', at);
  return open(await provider.visit(address), cookie, at);
}
async function expectRefused(answer: Answer): Promise<void> {
  expect([answer.status, cookieOf(answer, 'roomy_session')], answer.text).toEqual([403, '']);
  expect(answer.text).toContain('You are not signed in');
}

const sessionsOf = (accountId: string) =>
  http.db.selectFrom('session').selectAll().where('account_id', '=', accountId).execute();
const identitiesOf = (accountId: string) =>
  http.db.selectFrom('identity').selectAll().where('account_id', '=', accountId).execute();
async function eventsOf(accountId: string): Promise<string[]> {
  const rows = await http.db
    .selectFrom('audit_log')
    .select('event')
    .where('stream_id', '=', `account:${accountId}`)
    .orderBy('seq')
    .execute();
  return rows.map(({ event }) => event);
}

let someone: Someone;
beforeEach(async () => {
  someone = await addPerson();
  provider.person = { sub: someone.sub, email: someone.email.toUpperCase() };
});

describe('S7: a sign-in by the provider', () => {
  it('is refused where a claim is a text that no row can hold, by name and by address', async () => {
    for (const odd of ['a\0b', 'a\u0007b', 'x'.repeat(256)]) {
      provider.person = { sub: odd, email: someone.email };
      await expectRefused(await signIn());
      provider.person = { sub: `strange-${odd.length}`, email: `${odd}@example.com` };
      await expectRefused(await signIn());
    }
    expect(await identitiesOf(someone.id)).toEqual([]);
  });

  it('links the account of a verified address the first time, and knows the subject from then on', async () => {
    const answer = await signIn();
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/account/second-factor']);
    expect(cookieOf(answer, 'roomy_session')).toMatch(/^roomy_session=[\w-]{43}$/);
    expect(await identitiesOf(someone.id)).toMatchObject([{ issuer: provider.issuer, subject: someone.sub }]);
    // The address has changed there: it is the subject that counts.
    provider.person = { sub: someone.sub, email: 'another@example.com', emailVerified: false };
    expect((await signIn()).status).toBe(303);
    expect(await sessionsOf(someone.id)).toMatchObject([
      { method: 'OIDC', mfa_at: null },
      { method: 'OIDC', mfa_at: null },
    ]);
    expect(await eventsOf(someone.id)).toEqual(['IDENTITY_LINKED', 'SIGNED_IN', 'SIGNED_IN']);
  });

  it('is begun with PKCE, state and nonce, in a cookie for the way back alone', async () => {
    const answer = await press('/oidc');
    const asked = new URL(/url=(.*)$/.exec(answer.headers.get('refresh') ?? '')?.[1] ?? '').searchParams;
    expect(Object.fromEntries(asked)).toMatchObject({
      client_id: provider.clientId,
      redirect_uri: REDIRECT,
      response_type: 'code',
      scope: 'openid email',
      code_challenge_method: 'S256',
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect(answer.headers.get('set-cookie')).toMatch(
      /^roomy_oidc=[\w-]{43}; Max-Age=600; Path=\/oidc; HttpOnly; Secure; SameSite=Lax$/,
    );
    const rows = JSON.stringify(await http.db.selectFrom('one_time').selectAll().execute());
    for (const value of [asked.get('state'), asked.get('nonce'), cookieOf(answer, 'roomy_oidc').slice(11)])
      expect(rows).not.toContain(value);
  });

  it('accepts an invitation, whose link opens nothing then', async () => {
    someone = await addPerson('INVITED');
    provider.person = { sub: someone.sub, email: someone.email };
    const secret = await issueOneTime(http.db, { kind: 'INVITATION', accountId: someone.id, lifetimeSeconds: 600 });
    expect((await signIn()).status).toBe(303);
    const { status } = await http.db
      .selectFrom('account')
      .select('status')
      .where('id', '=', someone.id)
      .executeTakeFirstOrThrow();
    expect(status).toBe('ACTIVE');
    expect(await peekOneTime(http.db, 'INVITATION', secret)).toBeNull();
  });

  it('counts for two factors where the settings name what the provider says', async () => {
    provider.person = { ...provider.person, amr: ['pwd', 'mfa'] };
    expect((await signIn()).headers.get('location')).toBe('/account');
    const careful = await startHttp({ identityProvider: clientOf() }, () => ({ db: http.db }));
    expect((await signIn(careful)).headers.get('location')).toBe('/account/second-factor');
    await careful.stop();
    const [trusted, untrusted] = await sessionsOf(someone.id);
    expect([trusted?.mfa_at, untrusted?.mfa_at]).toEqual([expect.any(Date), null]);
  });
});

describe('S7: a way back', () => {
  it('counts once', async () => {
    const { address, cookie } = await begin();
    const back = await provider.visit(address);
    expect((await open(back, cookie)).status).toBe(303);
    await expectRefused(await open(back, cookie));
    expect(await sessionsOf(someone.id)).toHaveLength(1);
  });

  it('counts once of ten at a time, and the provider is asked once', async () => {
    const { address, cookie } = await begin();
    const back = await provider.visit(address);
    const before = provider.redeemed();
    const answers = await Promise.all(Array.from({ length: 10 }, () => open(back, cookie)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([303, ...Array(9).fill(403)]);
    expect([(await sessionsOf(someone.id)).length, provider.redeemed() - before]).toEqual([1, 1]);
  });

  it('is over after ten minutes', async () => {
    const { address, cookie } = await begin();
    const back = await provider.visit(address);
    await http.db
      .updateTable('one_time')
      .set({ expires_at: new Date(Date.now() - 1_000) })
      .execute();
    await expectRefused(await open(back, cookie));
  });

  it('leads nowhere in another browser: nobody is signed in as somebody else by a link', async () => {
    const { address } = await begin();
    const back = await provider.visit(address);
    const other = await begin();
    for (const cookie of ['', other.cookie]) await expectRefused(await open(back, cookie));
    expect(await sessionsOf(someone.id)).toEqual([]);
  });

  it.each([
    ['nonce', 'another-nonce'],
    ['code_challenge', 'a'.repeat(43)],
  ])('is refused when the %s is not the one that it was begun with', async (name, value) => {
    const { address, cookie } = await begin();
    const forged = new URL(address);
    forged.searchParams.set(name, value);
    await expectRefused(await open(await provider.visit(forged.href), cookie));
    expect(await sessionsOf(someone.id)).toEqual([]);
  });

  it('is refused with another state, another issuer, a code of nobody, or a refusal of the provider', async () => {
    for (const change of [{ state: 'x'.repeat(43) }, { iss: 'https://evil.example' }, { code: 'nobody' }, null]) {
      const { address, cookie } = await begin();
      const back = new URL(await provider.visit(address));
      for (const [name, value] of Object.entries(change ?? { error: 'access_denied' }))
        back.searchParams.set(name, value);
      await expectRefused(await open(back.href, cookie));
    }
    expect(await sessionsOf(someone.id)).toEqual([]);
  });

  it('without anything leads to the sign-in', async () => {
    expect((await open(REDIRECT, '')).text).toContain('/sign-in');
  });
});

describe('S7: nobody gets in', () => {
  it('without an account, with an address that is not verified, or deactivated: one page for all', async () => {
    const pages: string[] = [];
    const tryAs = async (person: RunningProvider['person']): Promise<void> => {
      provider.person = person;
      const answer = await signIn();
      await expectRefused(answer);
      pages.push(answer.text);
    };
    await tryAs({ sub: 'a-stranger', email: 'stranger@example.com' });
    await tryAs({ sub: 'without-address' });
    for (const emailVerified of [false, 'true', 1, null])
      await tryAs({ ...provider.person, sub: someone.sub, email: someone.email, emailVerified });
    const gone = await addPerson('DEACTIVATED');
    await tryAs({ sub: gone.sub, email: gone.email });
    const left = await addPerson('INVITED', 'cleaner-1');
    await http.db.updateTable('staff').set({ active: false }).where('id', '=', 'cleaner-1').execute();
    await tryAs({ sub: left.sub, email: left.email });
    expect(new Set(pages).size).toBe(1);
    for (const { id } of [someone, gone, left]) {
      expect([await sessionsOf(id), await identitiesOf(id)]).toEqual([[], []]);
    }
    // Nothing of a refusal is kept: the invitation of who has left is not accepted.
    const statuses = await http.db.selectFrom('account').select('status').where('id', '=', left.id).execute();
    expect(statuses).toEqual([{ status: 'INVITED' }]);
    const stranger = await http.db
      .selectFrom('account')
      .select('id')
      .where('email', '=', 'stranger@example.com')
      .execute();
    expect(stranger).toEqual([]);
  });

  it('by an identity that was linked, once the account is deactivated', async () => {
    expect((await signIn()).status).toBe(303);
    await http.db.transaction().execute((tx) => updateAccount(tx, someone.id, { status: 'DEACTIVATED' }));
    await expectRefused(await signIn());
    expect(await sessionsOf(someone.id)).toHaveLength(1);
  });

  it('by an address that was given to somebody else there', async () => {
    expect((await signIn()).status).toBe(303);
    provider.person = { ...provider.person, sub: 'the-next-one' };
    await expectRefused(await signIn());
    expect(await identitiesOf(someone.id)).toHaveLength(1);
  });
});

describe('S6, S7: a link on the account page', () => {
  const cookieFor = async (accountId: string): Promise<{ readonly id: string; readonly cookie: string }> => {
    const session = {
      accountId,
      method: 'LINK',
      mfaAt: new Date(),
      ip: null,
      userAgent: null,
      lifetime: 3_600,
    } as const;
    const { id, key } = await http.db.transaction().execute((tx) => openSession(tx, session));
    return { id, cookie: `roomy_session=${key}` };
  };

  it('is made by somebody who is signed in, whatever address they have there, and taken away', async () => {
    const { cookie } = await cookieFor(someone.id);
    provider.person = { sub: someone.sub, email: 'private@example.com', emailVerified: false };
    const begun = await begin('/account/identity', cookie);
    // The cookie of the session need not come back from another site.
    expect((await open(await provider.visit(begun.address), begun.cookie)).headers.get('location')).toBe('/account');
    expect(await identitiesOf(someone.id)).toHaveLength(1);
    expect((await open(`${PUBLIC_URL}/account`, cookie)).text).toContain('You can sign in with');
    expect((await signIn()).status).toBe(303);
    expect((await press('/account/identity/removal', cookie)).status).toBe(303);
    await expectRefused(await signIn());
    expect(await eventsOf(someone.id)).toEqual(['IDENTITY_LINKED', 'SIGNED_IN', 'IDENTITY_UNLINKED']);
  });

  it('is not made for a session that has ended meanwhile, nor with somebody else’s identity', async () => {
    const { id, cookie } = await cookieFor(someone.id);
    const begun = await begin('/account/identity', cookie);
    const back = await provider.visit(begun.address);
    await http.db.updateTable('session').set({ ended_at: new Date() }).where('id', '=', id).execute();
    await expectRefused(await open(back, begun.cookie));
    expect((await signIn()).status).toBe(303);
    const other = await addPerson();
    const again = await begin('/account/identity', (await cookieFor(other.id)).cookie);
    await expectRefused(await open(await provider.visit(again.address), again.cookie));
    expect(await identitiesOf(other.id)).toEqual([]);
  });
});

describe('a provider that is away', () => {
  const away = async (issuer: string): Promise<Answer> => {
    const at = await startHttp({ identityProvider: clientOf({ issuer }) }, () => ({ db: http.db }));
    const began = performance.now();
    const answer = await press('/oidc', '', at);
    expect(performance.now() - began).toBeLessThan(12_000);
    expect((await at.call('GET', '/sign-in', { as: null, headers: browserHeaders('') })).status).toBe(200);
    await at.stop();
    return answer;
  };

  it('is said so on a page: it is down, it never answers, or answers nonsense', async () => {
    const server = createServer((request, response) => {
      if (request.url?.startsWith('/nonsense')) response.end('<html>');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const issuer of ['http://127.0.0.1:1', `${url}/silent`, `${url}/nonsense`]) {
      const answer = await away(issuer);
      expect([answer.status, answer.text], issuer).toEqual([503, expect.stringContaining('does not answer')]);
    }
    server.closeAllConnections();
    server.close();
  });

  it('is none where none is set: no button, no address', async () => {
    const plain = await startHttp();
    expect((await plain.call('GET', '/sign-in', { as: null, headers: browserHeaders('') })).text).not.toContain(
      '/oidc',
    );
    expect((await press('/oidc', '', plain)).status).toBe(404);
    await plain.stop();
  });
});
