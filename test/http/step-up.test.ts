import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccountRow } from '../../src/domain/people/accounts.ts';
import type { Role } from '../../src/http/auth.ts';
import { mintToken } from '../../src/http/mint.ts';
import { POLICIES, type Policy, policyOf } from '../../src/http/policy.ts';
import { mayNeedStepUp } from '../../src/http/step-up.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { forge, pairOf, signerOf } from '../setup/forge.ts';
import { API, at, type Http, JWT, startHttp } from './harness.ts';
import { addPerson, signInByMail } from './people.ts';

/** security.md S3: acts on money, accounts, keys and webhooks take a second factor of the last minutes. */

const theirs = pairOf('theirs-1', 'ES256');
const keys = http.createServer((_request, response) => {
  const jwk = { ...theirs.publicKey.export({ format: 'jwk' }), kid: 'theirs-1', alg: 'ES256', use: 'sig' };
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ keys: [jwk] }));
});
let one: Http;
beforeAll(async () => {
  await new Promise<void>((resolve) => keys.listen(0, '127.0.0.1', resolve));
  const { port } = keys.address() as AddressInfo;
  const issuer = {
    name: 'okta',
    issuer: 'https://login.example/',
    audience: 'roomy',
    jwksUrl: `http://127.0.0.1:${port}/keys`,
    algorithms: ['ES256' as const],
    maxLifetimeSeconds: 3_600,
    claims: { subject: 'sub', role: { claim: 'groups', values: { admins: 'ADMIN' as const } } },
    secondFactors: ['mfa'],
  };
  one = await startHttp({ jwt: { ...JWT, issuers: [issuer] } });
  await one.db.insertInto('owner').values({ id: 'owner-1', name: 'Olga', email: 'o@example.com' }).execute();
}, 60_000);
afterAll(async () => {
  await one?.stop();
  await new Promise((resolve) => keys.close(resolve));
});

type Office = 'ADMIN' | 'FINANCE' | 'OPS';
const OFFICE: readonly Office[] = ['ADMIN', 'FINANCE', 'OPS'];
const isOffice = (role: Role): role is Office => OFFICE.some((one) => one === role);

/** A token of a session in which a second factor was given so many minutes ago. */
async function tokenOf(account: AccountRow, minutes: number): Promise<string> {
  const sid = `session-${crypto.randomUUID()}`;
  await one.db
    .insertInto('session')
    .values({
      id: sid,
      account_id: account.id,
      key_hash: Buffer.from(sid),
      method: 'LINK',
      mfa_at: new Date(Date.now() - minutes * 60_000),
      expires_at: new Date(Date.now() + 3_600_000),
    })
    .execute();
  const grant = { role: account.role };
  return mintToken(JWT, systemClock, { sub: account.principal, grant, lifetimeSeconds: 600, sid });
}
/** `403 STEP_UP_REQUIRED`. */
async function ask(token: string, name: string, body: object = {}): Promise<string> {
  const [method = '', pattern = ''] = name.split(' ');
  const answer = await one.app.request(pattern.replaceAll(/:[^/]+/g, 'nobody'), {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(method === 'GET' ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  return `${answer.status} ${text === '' ? '' : String(at(JSON.parse(text), 'code') ?? '')}`.trim();
}
const STALE = 16;
const FRESH = 1;
const REFUSED = '403 STEP_UP_REQUIRED';

const CHANGES = Object.entries(POLICIES).flatMap(([name, policy]) =>
  policy === 'anonymous' || name.startsWith('GET ') ? [] : [{ name, policy }],
);

/** Acts that no later table may make everyday work. */
const GRAVE = [
  'POST accounts',
  'PATCH accounts/:id',
  'POST accounts/:id/deactivate',
  'POST approvals/:id',
  'PUT settings/approval-limits',
  'POST reservations/:id/payment',
  'POST reservations/:id/refunds',
  'POST transactions/:id/payout',
  'POST transactions/:id/settlement',
  'PUT financial/income-distribution',
  'POST financial/differences/:id/explanation',
  'DELETE financial/differences/:id/explanation',
  'POST financial/differences/:id/correction',
  'POST api-keys',
  'POST api-keys/:id/rotate',
  'DELETE api-keys/:id',
  'POST webhook-endpoints',
  'PATCH webhook-endpoints/:id',
  'DELETE webhook-endpoints/:id',
  'POST webhook-endpoints/:id/rotate-secret',
  'POST sagas/executions/:id/retry',
  'POST sagas/executions/:id/resolve',
].map((name) => name.replace(' ', ` ${API}/`));

/** Where a field decides: a request with it, and one without. */
const BY_FIELD: Readonly<Record<string, { readonly grave: readonly object[]; readonly everyday: object }>> = {
  [`POST ${API}/owners`]: {
    grave: [{ name: 'Olga', email: 'o@example.com', payoutAccount: 'acct-1' }],
    everyday: { name: 'Olga', email: 'o@example.com' },
  },
  [`PATCH ${API}/owners/:id`]: {
    grave: [
      { payoutAccount: 'acct-1' },
      { payoutAccount: null },
      { email: 'other@example.com' },
      { payoutTerms: null },
    ],
    everyday: { name: 'Olga' },
  },
  [`PATCH ${API}/staff/:id`]: {
    grave: [{ active: false }, { active: true }, { role: 'AGENT' }],
    everyday: { name: 'Clara' },
  },
  [`POST ${API}/properties`]: {
    grave: [{ agentIds: [] }, { amenityDevice: 'lock-9' }, { repairApprovalLimit: null }].map((field) => ({
      name: 'Marina 1204',
      ownerId: 'owner-1',
      ...field,
    })),
    everyday: { name: 'Marina 1204', ownerId: 'owner-1' },
  },
  [`PATCH ${API}/properties/:id`]: {
    grave: [{ ownerId: 'owner-9' }, { agentIds: [] }, { amenityDevice: 'lock-9' }, { repairApprovalLimit: null }],
    everyday: { name: 'Marina 1204' },
  },
  [`POST ${API}/reservations/:id/cancel`]: {
    grave: [
      { refundPercentOverride: 100 },
      { initiator: 'HOST' },
      { initiator: 'AGENCY' },
      { initiator: 'SYSTEM' },
    ].map((override) => ({ ...override, reason: 'GOODWILL' })),
    everyday: { initiator: 'GUEST' },
  },
};

describe('S3: a second factor of the last 15 minutes', () => {
  it('is decided about by every policy of a change, and by none of a read', () => {
    const undecided = Object.entries(POLICIES).filter(
      ([name, policy]) => policy !== 'anonymous' && name.startsWith('GET ') !== (policy.stepUp === null),
    );
    expect(undecided).toEqual([]);
    const [name = ''] = GRAVE;
    const [method = '', pattern = ''] = name.split(' ');
    const policy = POLICIES[name] as Policy;
    const forgetful = POLICIES as Record<string, Policy>;
    try {
      forgetful[name] = { ...policy, stepUp: null };
      expect(() => policyOf(method, pattern)).toThrow('does not say whether it needs a fresh second factor');
    } finally {
      forgetful[name] = policy;
    }
  });

  it('is asked for by every act on money, accounts, keys and webhooks, of each role that may do it', async () => {
    const always = CHANGES.filter(({ policy }) => policy.stepUp === 'ALWAYS').map(({ name }) => name);
    expect(GRAVE.filter((name) => !always.includes(name))).toEqual([]);
    const wrong: string[] = [];
    let asked = 0;
    for (const role of OFFICE) {
      const person = await addPerson(one.db, role);
      const [stale, fresh] = [await tokenOf(person, STALE), await tokenOf(person, FRESH)];
      for (const { name, policy } of CHANGES) {
        if (!policy.roles.includes(role)) continue;
        const answers = [await ask(stale, name), await ask(fresh, name)];
        const expected = policy.stepUp === 'ALWAYS' ? REFUSED : answers[0];
        if (answers[0] !== expected || answers[1] === REFUSED) wrong.push(`${role} ${name}: ${answers.join(', ')}`);
        if (policy.stepUp !== 'ALWAYS' && answers[0] === REFUSED) wrong.push(`${role} ${name} is everyday work`);
        asked += 1;
        // Theirs ends with it.
        if (name.endsWith('me/sessions'))
          await one.db.updateTable('session').set({ ended_at: null, ended_reason: null }).execute();
      }
    }
    expect(wrong).toEqual([]);
    expect(asked).toBeGreaterThan(80);
  });

  it('is asked for by the fields that make such an act of a change', async () => {
    const byField = CHANGES.filter(({ policy }) => typeof policy.stepUp === 'function');
    expect(byField.map(({ name }) => name).toSorted()).toEqual(Object.keys(BY_FIELD).toSorted());
    const answers: string[] = [];
    for (const { name, policy } of byField) {
      const { grave = [], everyday = {} } = BY_FIELD[name] ?? {};
      for (const role of policy.roles.filter(isOffice)) {
        const person = await addPerson(one.db, role);
        const [stale, fresh] = [await tokenOf(person, STALE), await tokenOf(person, FRESH)];
        for (const body of grave) {
          expect(await ask(stale, name, body), `${role} ${name} ${JSON.stringify(body)}`).toBe(REFUSED);
          answers.push(await ask(fresh, name, body));
        }
        answers.push(await ask(stale, name, everyday));
      }
    }
    expect(answers).not.toContain(REFUSED);
    expect(answers.filter((answer) => answer.startsWith('404') || answer.startsWith('20')).length).toBe(answers.length);
  });

  it('is not asked of roles without one: an agent takes a payment at the desk, and cancels by the policy', async () => {
    const others = CHANGES.filter(({ policy }) => mayNeedStepUp(policy)).flatMap(({ name, policy }) =>
      policy.roles.filter((role) => !isOffice(role)).map((role) => [role, name] as const),
    );
    expect(others).toContainEqual(['AGENT', `POST ${API}/reservations/:id/payment`]);
    for (const [role, name] of others) {
      const person = await addPerson(one.db, role);
      expect(await ask(await tokenOf(person, 1_000), name), `${role} ${name}`).not.toBe(REFUSED);
    }
  });
});

describe('S3: a token of somebody else', () => {
  const invite = { email: 'new@example.com', name: 'New', role: 'OPS' };
  const theirToken = (sub: string, more: object = {}): string => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'https://login.example/', aud: 'roomy', sub, groups: ['admins'], iat: now, exp: now + 600 };
    return forge(signerOf(theirs), { ...claims, ...more });
  };

  it('does such an act only if it says that a second factor was given of late', async () => {
    const { principal } = await addPerson(one.db, 'ADMIN');
    const now = Math.floor(Date.now() / 1000);
    const create = (more?: object) => ask(theirToken(principal, more), `POST ${API}/accounts`, invite);
    expect(await create()).toBe(REFUSED);
    expect(await create({ amr: ['mfa'] })).toBe(REFUSED);
    expect(await create({ auth_time: now - 60, amr: ['pwd'] })).toBe(REFUSED);
    expect(await create({ auth_time: now - STALE * 60, amr: ['mfa'] })).toBe(REFUSED);
    expect(await create({ auth_time: now - 60, amr: ['pwd', 'mfa'] })).toBe('201');
    // Everyday work needs none.
    expect(await ask(theirToken(principal), `GET ${API}/owners`)).toBe('200');
  });

  it('is so at every act', async () => {
    const { principal } = await addPerson(one.db, 'ADMIN');
    const token = theirToken(principal);
    for (const { name, policy } of CHANGES) {
      if (policy.stepUp === 'ALWAYS' && policy.roles.includes('ADMIN'))
        expect(await ask(token, name), name).toBe(REFUSED);
    }
  });
});

describe('S3: a session by a mail’s link alone', () => {
  it('of a role that needs a second factor ends itself, and does nothing else', async () => {
    const person = await addPerson(one.db, 'ADMIN');
    const other = await tokenOf(person, FRESH);
    const { id } = await one.db
      .selectFrom('session')
      .select('id')
      .where('account_id', '=', person.id)
      .executeTakeFirstOrThrow();
    const forms = Object.keys(POLICIES).filter(
      (name) => /^POST \/(?:account|sign-out|session)(?:\/|$)/.test(name) && !name.endsWith('/second-factor'),
    );
    expect(forms).toContain('POST /account/sessions/:id/end');
    for (const name of forms.filter((form) => form !== 'POST /sign-out')) {
      const browser = await signInByMail(one.app, one.db, person.email);
      const answer = await browser.post(name.replace('POST ', '').replace(':id', id));
      const isRefused = answer.status === 403 || answer.location === '/account/second-factor';
      // What the script of a passkey begins with is of its own rule (S6).
      if (!name.startsWith('POST /account/passkeys')) expect(isRefused, `${name}: ${answer.status}`).toBe(true);
      expect(await ask(other, `GET ${API}/owners`), name).toBe('200');
      expect((await browser.get('/account')).location, name).toBe('/account/second-factor');
    }
    const browser = await signInByMail(one.app, one.db, person.email);
    expect((await browser.post('/sign-out')).location).toBe('/sign-in');
    expect(browser.key).toBeNull();
    expect(await ask(other, `GET ${API}/owners`)).toBe('200');
  });
});
