import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadFacts } from '../../src/domain/messages/delivery-facts.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { releaseDuePayouts } from '../../src/workers/finance.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { restOf } from '../setup/engine.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';

/** Another account for an owner's payouts: the owner is told at the old address, and the money waits. */

let system: System;
let strict: System;
beforeAll(async () => {
  system = await startSystem();
  strict = await startSystem(undefined, { payoutFourEyes: true });
  for (const { bed } of [system, strict]) await prepareStays(bed.db);
}, 60_000);
afterAll(async () => {
  await system?.close();
  await strict?.close();
});

const db = () => system.bed.db;
let made = 0;
/** An owner with an account, and a payout that is due. */
async function owed(of: System = system): Promise<{ readonly owner: string; readonly payout: string }> {
  made += 1;
  const owner = `owner-account-${made}`;
  await of.bed.db
    .insertInto('owner')
    .values({ id: owner, name: 'Olga', email: `old-${made}@example.com`, payout_account: `acct-old-${made}` })
    .execute();
  const stay = await seedStay(of.bed.db);
  const property = of.bed.db.selectFrom('reservation').select('property_id').where('id', '=', stay);
  await of.bed.db.updateTable('property').set({ owner_id: owner }).where('id', '=', property).execute();
  const body = { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `ref-account-${made}` };
  const paid = await of.call('POST', `/reservations/${stay}/payment`, { body, role: 'FINANCE', sub: 'finance-1' });
  expect(paid.status, paid.text).toBe(200);
  const { id } = await of.bed.db
    .selectFrom('transaction')
    .select('id')
    .where('reservation_id', '=', stay)
    .where('type', '=', 'OWNER_PAYOUT')
    .executeTakeFirstOrThrow();
  await of.bed.db
    .updateTable('transaction')
    .set({ scheduled_for: sql<Date>`now() - interval '1 minute'` })
    .where('id', '=', id)
    .execute();
  return { owner, payout: id };
}
const change = (owner: string, body: object): Promise<Answer> => system.call('PATCH', `/owners/${owner}`, { body });
const payOut = (payout: string, who: object = {}): Promise<Answer> =>
  system.call('POST', `/transactions/${payout}/payout`, { body: {}, role: 'FINANCE', sub: 'finance-2', ...who });
const release = () =>
  releaseDuePayouts({
    db: db(),
    ports: system.sandbox.ports,
    orchestrator: system.process.engine.orchestrator,
    log: createLogger('test', 'silent'),
  });
const statusOf = async (payout: string) =>
  (await db().selectFrom('transaction').select('status').where('id', '=', payout).executeTakeFirstOrThrow()).status;
const questionOf = async (owner: string) =>
  (await system.call('GET', '/approvals?status=PENDING&kind=PAYOUT_ACCOUNT&limit=100')).body.data.find(
    (one: { readonly ownerId: string }) => one.ownerId === owner,
  );
const decide = (id: string, decision: string, sub = 'finance-9'): Promise<Answer> =>
  system.call('POST', `/approvals/${id}`, { body: { decision, reason: 'Called the owner' }, role: 'FINANCE', sub });
async function toldAt(owner: string): Promise<readonly (string | null)[]> {
  const rows = await db()
    .selectFrom('notification')
    .select('id')
    .where('event', '=', 'PAYOUT_ACCOUNT_CHANGED')
    .where('recipient_id', '=', owner)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
  const facts = await loadFacts(
    db(),
    rows.map(({ id }) => id),
  );
  return facts.map(({ email }) => email);
}

describe('Z18: a changed payout account', () => {
  it('followed by a payout: refused by hand with the reason, and left alone by the schedule', async () => {
    const { owner, payout } = await owed();
    expect((await change(owner, { payoutAccount: 'acct-thief' })).status).toBe(200);
    for (const who of [{}, { role: 'ADMIN', sub: 'admin-1' }]) {
      const refused = await payOut(payout, who);
      expect([refused.status, refused.body.code, refused.body.details?.reason], refused.text).toEqual([
        409,
        'PAYOUT_NOT_PAYABLE',
        'PAYOUT_ACCOUNT_CHANGED',
      ]);
      const hours = (Date.parse(refused.body.details.until) - Date.now()) / 3_600_000;
      expect(hours).toBeGreaterThan(71.9);
      expect(hours).toBeLessThan(72.1);
    }
    await release();
    expect(await statusOf(payout)).toBe('PENDING');
    expect(await toldAt(owner)).toEqual([`old-${made}@example.com`]);
  });

  it('is paid to after 72 hours', async () => {
    const { owner, payout } = await owed();
    await change(owner, { payoutAccount: 'acct-new' });
    await db().updateTable('owner').set({ payout_account_from: sql<Date>`now()` }).where('id', '=', owner).execute();
    const paid = await payOut(payout);
    expect(paid.status, paid.text).toBe(200);
    await expectIntegrity(db());
  });

  it('is paid to at once when a second person has approved it, who is not the one who changed it', async () => {
    const { owner, payout } = await owed();
    await change(owner, { payoutAccount: 'acct-new' });
    const { id, askedBy } = await questionOf(owner);
    expect(askedBy).toBe('admin-1');
    expect((await decide(id, 'APPROVE', 'admin-1')).body.code).toBe('SECOND_PERSON_REQUIRED');
    expect((await payOut(payout)).status).toBe(409);
    expect((await decide(id, 'APPROVE')).status).toBe(200);
    expect((await payOut(payout)).status).toBe(200);
  });

  it.each([
    ['the one of before', ['acct-thief']],
    ['the last that was in force, and none that waited itself', ['acct-thief', 'acct-thief-2']],
  ])(
    'when a second person has refused it, %s is in force without a wait, and the owner is told',
    async (_, accounts) => {
      const { owner, payout } = await owed();
      const old = `old-${made}@example.com`;
      for (const payoutAccount of accounts) await change(owner, { payoutAccount });
      expect((await decide((await questionOf(owner)).id, 'DECLINE')).status).toBe(200);
      expect((await system.call('GET', `/owners/${owner}`)).body.data.payoutAccount).toBe(`acct-old-${made}`);
      expect(await toldAt(owner)).toEqual([...accounts, 'refused'].map(() => old));
      const told = db().selectFrom('notification').select('id').where('recipient_id', '=', owner);
      expect(await told.where('template', '=', 'payout-account-put-back.owner@1').execute()).toHaveLength(1);
      const paid = await payOut(payout);
      expect(paid.status, paid.text).toBe(200);
      // Another one waits as ever, also after it was taken away.
      const next = await owed();
      await change(next.owner, { payoutAccount: 'acct-thief' });
      await decide((await questionOf(next.owner)).id, 'DECLINE');
      await change(next.owner, { payoutAccount: null });
      await change(next.owner, { payoutAccount: 'acct-thief' });
      expect((await payOut(next.payout)).body.details.reason).toBe('PAYOUT_ACCOUNT_CHANGED');
    },
  );

  it('is the one to put back once it has been in force, by time or by a second person', async () => {
    for (const inForce of ['time', 'approval']) {
      const { owner } = await owed();
      await change(owner, { payoutAccount: 'acct-new' });
      if (inForce === 'approval') await decide((await questionOf(owner)).id, 'APPROVE');
      else
        await db()
          .updateTable('owner')
          .set({ payout_account_from: sql<Date>`now()` })
          .where('id', '=', owner)
          .execute();
      await change(owner, { payoutAccount: 'acct-thief' });
      await decide((await questionOf(owner)).id, 'DECLINE');
      expect((await system.call('GET', `/owners/${owner}`)).body.data.payoutAccount).toBe('acct-new');
    }
  });

  it('is none any more when a second person has refused it and the one of before was taken away', async () => {
    const { owner, payout } = await owed();
    await change(owner, { payoutAccount: null });
    await change(owner, { payoutAccount: 'acct-thief' });
    expect((await decide((await questionOf(owner)).id, 'DECLINE')).status).toBe(200);
    expect((await payOut(payout)).body.details.reason).toBe('NO_PAYOUT_ACCOUNT');
    // The one that is set after that waits like any other.
    await change(owner, { payoutAccount: 'acct-thief' });
    expect((await payOut(payout)).body.details.reason).toBe('PAYOUT_ACCOUNT_CHANGED');
  });

  it('waits also when it was taken away first, and anew with every change', async () => {
    const { owner, payout } = await owed();
    await change(owner, { payoutAccount: null });
    await change(owner, { payoutAccount: 'acct-thief' });
    expect((await payOut(payout)).body.details.reason).toBe('PAYOUT_ACCOUNT_CHANGED');
    const first = await questionOf(owner);
    await change(owner, { payoutAccount: 'acct-other' });
    const second = await questionOf(owner);
    expect(second.id).not.toBe(first.id);
    expect((await decide(first.id, 'APPROVE')).body.code).toBe('INVALID_STATE_TRANSITION');
    expect((await payOut(payout)).status).toBe(409);
    expect((await system.call('GET', `/approvals/${first.id}`)).body.data.status).toBe('WITHDRAWN');
  });

  it('that is the same, and the first that an owner has, do not wait', async () => {
    const { owner, payout } = await owed();
    const { payoutAccount } = (await system.call('GET', `/owners/${owner}`)).body.data;
    await change(owner, { payoutAccount });
    expect((await payOut(payout)).status).toBe(200);
    const other = await owed();
    await db().updateTable('owner').set({ payout_account: null }).where('id', '=', other.owner).execute();
    await change(other.owner, { payoutAccount: 'acct-first' });
    expect((await payOut(other.payout)).status).toBe(200);
  });

  it('is told at the old address, whether it is changed with it, before it or after it, once or twice', async () => {
    const thief = (n: number) => ({ email: `thief-${n}@example.com` });
    const together = await owed();
    const old = `old-${made}@example.com`;
    await change(together.owner, { payoutAccount: 'acct-t', ...thief(1) });
    expect(await toldAt(together.owner)).toEqual([old]);
    const before = await owed();
    const oldBefore = `old-${made}@example.com`;
    await change(before.owner, thief(2));
    await change(before.owner, thief(3));
    await change(before.owner, { payoutAccount: 'acct-t' });
    await change(before.owner, thief(4));
    expect(await toldAt(before.owner)).toEqual([oldBefore]);
    // Long ago, it is the owner's own by now.
    const settled = await owed();
    await change(settled.owner, thief(5));
    await db()
      .updateTable('owner')
      .set({ email_changed_at: sql<Date>`now() - interval '31 days'` })
      .where('id', '=', settled.owner)
      .execute();
    await change(settled.owner, { payoutAccount: 'acct-t' });
    expect(await toldAt(settled.owner)).toEqual(['thief-5@example.com']);
  });
});

describe('Z17: four eyes on payouts', () => {
  it('with PAYOUT_FOUR_EYES who took the payment does not pay its share out: 403 SECOND_PERSON_REQUIRED', async () => {
    const { payout } = await owed(strict);
    const ask = (sub: string, role: 'FINANCE' | 'ADMIN') =>
      strict.call('POST', `/transactions/${payout}/payout`, { body: {}, role, sub });
    for (const role of ['FINANCE', 'ADMIN'] as const) {
      const refused = await ask('finance-1', role);
      expect([refused.status, refused.body.code]).toEqual([403, 'SECOND_PERSON_REQUIRED']);
    }
    const paid = await ask('finance-2', 'FINANCE');
    expect(paid.status, paid.text).toBe(200);
  });

  it('without it one person may do both', async () => {
    const { payout } = await owed();
    expect((await payOut(payout, { sub: 'finance-1' })).status).toBe(200);
    const { id } = await db()
      .selectFrom('saga')
      .select('id')
      .where('subject_id', '=', payout)
      .executeTakeFirstOrThrow();
    expect(await restOf(db(), id)).toBe('completed');
  });
});
