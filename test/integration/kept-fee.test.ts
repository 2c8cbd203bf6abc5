import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { type System, startSystem } from '../setup/system.ts';

/** Terms under which the agency keeps its fee of what is refunded. */
let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
}, 60_000);
afterAll(() => system?.close());

it.each(['RETAIN', 'TO_AGENCY', 'TO_OWNER', 'PRO_RATA'] as const)(
  'a full refund leaves the fee to the owner, who was never paid out, and the books agree (%s)',
  async (unassigned) => {
    const { db } = system.bed;
    const owner = `owner-${unassigned}`;
    await db
      .insertInto('income_distribution')
      .values({
        owner_bp: 7_000,
        agency_bp: 2_500,
        referrer_bp: 500,
        unassigned_referral: unassigned,
        agency_fee_refundable: false,
        set_by: 'tester',
      })
      .execute();
    await db.insertInto('owner').values({ id: owner, name: 'O', email: 'o@example.com' }).execute();
    const stay = await seedStay(db);
    const property = db.selectFrom('reservation').select('property_id').where('id', '=', stay);
    await db.updateTable('property').set({ owner_id: owner }).where('id', '=', property).execute();
    const body = { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `kept-${unassigned}` };
    expect((await system.call('POST', `/reservations/${stay}/payment`, { body })).status).toBe(200);
    expect((await system.call('POST', `/reservations/${stay}/confirm`, { body: {} })).status).toBe(200);
    const cancelled = await system.call('POST', `/reservations/${stay}/cancel`, { body: { initiator: 'HOST' } });
    expect(cancelled.body.data.refund).toMatchObject({ percent: 100, amount: 1000 });
    const { currencies } = (await system.call('GET', `/owners/${owner}/balance`)).body.data;
    expect(currencies[0].balance).toBeLessThan(0);
    expect((await system.call('GET', '/financial/integrity?full=true')).body.data).toMatchObject({ differences: [] });
    await expectIntegrity(db);
  },
);
