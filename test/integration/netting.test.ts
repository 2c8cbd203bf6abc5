import { afterAll, beforeAll, expect, it } from 'vitest';
import { createLogger } from '../../src/kernel/log.ts';
import { releaseDuePayouts } from '../../src/workers/finance.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { restOf } from '../setup/engine.ts';
import { type System, startSystem } from '../setup/system.ts';

/** An owner of whose stays many were refunded after they had been paid out: what is available is paid, no more. */
let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
}, 60_000);
afterAll(() => system?.close());

async function paidStay(ownerId: string): Promise<{ readonly stay: string; readonly payoutId: string }> {
  const { db } = system.bed;
  const stay = await seedStay(db);
  const property = db.selectFrom('reservation').select('property_id').where('id', '=', stay);
  await db.updateTable('property').set({ owner_id: ownerId }).where('id', '=', property).execute();
  const body = { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `netting-${stay}` };
  const paid = await system.call('POST', `/reservations/${stay}/payment`, { body });
  return { stay, payoutId: paid.body.data.ownerPayout.id };
}
const payOut = (payoutId: string, body: object) => system.call('POST', `/transactions/${payoutId}/payout`, { body });

/** Nine payouts of 700 are open, and the balance is 2450: the owner owes 3850. */
async function ownerWhoOwes(id: string, terms: object | null = null): Promise<readonly string[]> {
  const { db } = system.bed;
  await db
    .insertInto('owner')
    .values({
      id,
      name: 'O',
      email: 'o@example.com',
      payout_account: `acct-${id}`,
      payout_terms: terms === null ? null : JSON.stringify(terms),
    })
    .execute();
  const early = [];
  for (let n = 0; n < 6; n += 1) early.push(await paidStay(id));
  for (const { payoutId } of early) expect((await payOut(payoutId, {})).status).toBe(200);
  for (const [n, { stay }] of early.entries()) {
    expect((await system.call('POST', `/reservations/${stay}/confirm`, { body: {} })).status).toBe(200);
    const body = { refundPercentOverride: n === 0 ? 50 : 100, reason: 'GOODWILL' };
    expect((await system.call('POST', `/reservations/${stay}/cancel`, { body })).status).toBe(200);
  }
  const open: string[] = [];
  for (let n = 0; n < 9; n += 1) open.push((await paidStay(id)).payoutId);
  expect(await balanceOf(id)).toBe(2450);
  return open;
}
const balanceOf = async (id: string) =>
  (await system.call('GET', `/owners/${id}/balance`)).body.data.currencies[0].balance;

it('each payout that is asked for alone brings what is available, until nothing is', async () => {
  const open = await ownerWhoOwes('owner-single');
  const answers = [];
  for (const id of open.toReversed()) answers.push(await payOut(id, { netting: true }));
  const paid = answers.map(({ status, body }) =>
    status === 200 ? [body.data.payout.amountPaid, body.data.payout.amountNetted] : body.code,
  );
  expect(paid).toEqual([[700, 0], [700, 0], [700, 0], [350, 350], ...Array(5).fill('PAYOUT_EXCEEDS_BALANCE')]);
  expect(await balanceOf('owner-single')).toBe(0);
  await expectIntegrity(system.bed.db);
});

it('without netting, too, what is owed is paid, and what is not is refused', async () => {
  const open = await ownerWhoOwes('owner-plain');
  const answers = [];
  for (const id of open) answers.push(await payOut(id, {}));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 409, 409, 409, 409, 409, 409]);
  expect(await balanceOf('owner-plain')).toBe(350);
  await expectIntegrity(system.bed.db);
});

it.each([
  ['all of it', null, 2450],
  ['all but the working capital', { workingCapitalMinor: { AED: 20_000 } }, 2250],
])('the schedule pays what is available: %s', async (_what, terms, paid) => {
  const { db } = system.bed;
  const owner = `owner-swept-${paid}`;
  await ownerWhoOwes(owner, terms);
  const due = { scheduled_for: new Date(0) };
  await db.updateTable('transaction').set(due).where('owner_id', '=', owner).where('status', '=', 'PENDING').execute();
  const { orchestrator } = system.process.engine;
  await releaseDuePayouts({ db, ports: system.sandbox.ports, orchestrator, log: createLogger('test', 'silent') });
  for (const { id } of await db.selectFrom('saga').select('id').where('name', '=', 'processOwnerPayout').execute())
    await restOf(db, id);
  expect(await balanceOf(owner)).toBe(2450 - paid);
  await expectIntegrity(db);
});
