import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../../src/domain/approvals/store.ts';
import type { AccountRow } from '../../src/domain/people/accounts.ts';
import { isSamePerson } from '../../src/domain/people/same-person.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { type System, startSystem } from '../setup/system.ts';
import { addPerson } from './people.ts';

/** A second person is another one, under whatever name the first has asked: every rule, for every way to have two names. */

let system: System;
beforeAll(async () => {
  system = await startSystem(undefined, { payoutFourEyes: true });
  await prepareStays(system.bed.db);
}, 60_000);
afterAll(() => system?.close());
const db = () => system.bed.db;

interface Names {
  /** In whose name was asked, paid or worked. */
  readonly before: string;
  /** Who decides now. */
  readonly now: string;
}
const inAYear = () => new Date(Date.now() + 300 * 86_400_000).toISOString();
async function newKey(sub: string): Promise<{ readonly id: string; readonly version: number }> {
  const body = { name: 'Importer', scopes: ['payments:write'], expiresAt: inAYear() };
  const made = await system.call('POST', '/api-keys', { body, sub });
  expect(made.status, made.text).toBe(201);
  return made.body.data;
}
async function becomesOffice({ id, principal }: AccountRow, role: 'FINANCE' | 'ADMIN' = 'FINANCE'): Promise<Names> {
  const headers = { 'if-match': (await system.call('GET', `/accounts/${id}`)).headers.get('etag') ?? '' };
  const changed = await system.call('PATCH', `/accounts/${id}`, { body: { role }, headers });
  expect([changed.status, changed.body.data?.principal], changed.text).toEqual([200, id]);
  return { before: principal, now: id };
}
/** Each way to have two names. */
const WAYS: Readonly<Record<string, () => Promise<Names>>> = {
  'a key that the person has made': async () => {
    const { id } = await addPerson(db(), 'ADMIN');
    return { before: `service:${(await newKey(id)).id}`, now: id };
  },
  'a key of another that the person has replaced': async () => {
    const { id } = await addPerson(db(), 'ADMIN');
    const key = await newKey('admin-1');
    const body = { expiresAt: inAYear() };
    const rotated = await system.call('POST', `/api-keys/${key.id}/rotate`, { body, sub: id });
    expect(rotated.status, rotated.text).toBe(200);
    return { before: `service:${key.id}`, now: id };
  },
  'the record of an agent': async () => becomesOffice(await addPerson(db(), 'AGENT')),
  'the record of maintenance staff': async () => becomesOffice(await addPerson(db(), 'MAINTENANCE_STAFF')),
  'the record of an owner': async () => becomesOffice(await addPerson(db(), 'OWNER')),
  'the record of a guest': async () => becomesOffice(await addPerson(db(), 'GUEST')),
};

let made = 0;
async function newQuestion(askedBy: string, barred: readonly string[]): Promise<string> {
  made += 1;
  const question = {
    kind: 'OWNER_CHARGE',
    subject: { type: 'task', id: `task-asked-${made}` },
    reservationId: null,
    propertyId: null,
    ownerId: null,
    asked: 'Charge somebody',
    money: { amountMinor: 100, currency: 'AED' },
    barred,
    expiresHours: 1,
  } as const;
  return db()
    .transaction()
    .execute((tx) => ask(tx, question, { actor: askedBy, requestId: null }));
}
async function callAs(account: string, path: string, body: object) {
  const { role } = await db().selectFrom('account').select('role').where('id', '=', account).executeTakeFirstOrThrow();
  return system.call('POST', path, { body, role, sub: account });
}
const decide = (id: string, account: string) =>
  callAs(account, `/approvals/${id}`, { decision: 'DECLINE', reason: 'No' });
async function duePayout(payer: string): Promise<string> {
  made += 1;
  const stay = await seedStay(db());
  const body = { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `ref-person-${made}` };
  const paid = await system.call('POST', `/reservations/${stay}/payment`, { body });
  expect(paid.status, paid.text).toBe(200);
  await db()
    .connection()
    .execute(async (connection) => {
      // The name under which it was paid is a fact that the product keeps.
      await sql`SET session_replication_role = 'replica'`.execute(connection);
      await sql`UPDATE payment SET requested_by = ${payer} WHERE reservation_id = ${stay}`.execute(connection);
      await sql`SET session_replication_role = 'origin'`.execute(connection);
    });
  const { id } = await db()
    .selectFrom('transaction')
    .select('id')
    .where('reservation_id', '=', stay)
    .where('type', '=', 'OWNER_PAYOUT')
    .executeTakeFirstOrThrow();
  return id;
}

/** Each rule of a second person: what it answers to somebody who is the first under another name. */
const RULES: Readonly<Record<string, (names: Names) => Promise<{ readonly status: number; readonly code: string }>>> = {
  'Z18: not who asked': async ({ before, now }) => {
    const { status, body } = await decide(await newQuestion(before, []), now);
    return { status, code: body.code };
  },
  'Z18: nor who did the work': async ({ before, now }) => {
    const { status, body } = await decide(await newQuestion('somebody-else', ['another', before]), now);
    return { status, code: body.code };
  },
  'Z17: nor who took the payment': async ({ before, now }) => {
    const { status, body } = await callAs(now, `/transactions/${await duePayout(before)}/payout`, {});
    return { status, code: body.code };
  },
};

describe('a second person', () => {
  for (const [way, names] of Object.entries(WAYS)) {
    for (const [rule, attempt] of Object.entries(RULES)) {
      it(`${rule}, by ${way}`, async () => {
        expect(await attempt(await names())).toEqual({ status: 403, code: 'SECOND_PERSON_REQUIRED' });
      });
    }
  }

  it('is anybody else, whatever names the first has', async () => {
    const other = await addPerson(db(), 'FINANCE');
    for (const names of Object.values(WAYS)) {
      const { before } = await names();
      const answer = await decide(await newQuestion(before, [before]), other.id);
      expect(answer.status, answer.text).toBe(200);
    }
  });

  it('is told by all names that an account has had, and by keys on both sides', async () => {
    const { before, now } = await becomesOffice(await addPerson(db(), 'AGENT'), 'ADMIN');
    const key = `service:${(await newKey(now)).id}`;
    const all = [before, now, key];
    for (const one of all) for (const two of all) expect(await isSamePerson(db(), one, ['x', two])).toBe(true);
    for (const one of all) expect(await isSamePerson(db(), one, ['x', 'service:y'])).toBe(false);
    expect(await isSamePerson(db(), now, [])).toBe(false);
  });
});
