import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { restOf } from '../setup/engine.ts';
import { createGatewayDesk } from '../setup/gateway-desk.ts';
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
    const cancelled = await system.call('POST', `/reservations/${stay}/cancel`, {
      body: { initiator: 'HOST', reason: 'OVERBOOKED' },
    });
    expect(cancelled.body.data.refund).toMatchObject({ percent: 100, amount: 1000 });
    const { currencies } = (await system.call('GET', `/owners/${owner}/balance`)).body.data;
    expect(currencies[0].balance).toBeLessThan(0);
    expect((await system.call('GET', '/financial/integrity?full=true')).body.data).toMatchObject({ differences: [] });
    await expectIntegrity(db);
  },
);

describe('money that was shared before a confirmation', () => {
  let made = 0;
  async function setTerms(ownerBp: number, agencyFeeRefundable: boolean): Promise<void> {
    const terms = { owner_bp: ownerBp, agency_bp: 9_500 - ownerBp, referrer_bp: 500, set_by: 'tester' };
    await system.bed.db
      .insertInto('income_distribution')
      .values({ ...terms, agency_fee_refundable: agencyFeeRefundable })
      .execute();
  }
  /** A stay over 1000, of an owner of its own, of which a part is paid. */
  async function paidInPart(amount: number): Promise<{ readonly stay: string; readonly owner: string }> {
    made += 1;
    const { db } = system.bed;
    const owner = `early-owner-${made}`;
    await db.insertInto('owner').values({ id: owner, name: 'O', email: 'o@example.com' }).execute();
    const stay = await seedStay(db);
    const property = db.selectFrom('reservation').select('property_id').where('id', '=', stay);
    await db.updateTable('property').set({ owner_id: owner }).where('id', '=', property).execute();
    expect((await pay(stay, amount)).status).toBe(200);
    return { stay, owner };
  }
  const pay = (stay: string, amount: number) => {
    made += 1;
    const body = { amount, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `early-${made}` };
    return system.call('POST', `/reservations/${stay}/payment`, { body });
  };
  /** The gateway tells us of money that it has captured for the stay. */
  async function capture(reservationId: string, amountMinor: number): Promise<void> {
    made += 1;
    const event = { kind: 'charge-succeeded', reservationId, amountMinor, currency: 'AED', reference: `late-${made}` };
    const text = JSON.stringify({ gatewayId: GATEWAY, eventId: `evt-${made}`, type: event.kind, event });
    const reported = await system.call('POST', '/webhooks/stripe', { text, headers: { 'stripe-signature': 'good' } });
    expect(reported.body.data.outcome).toBe('start-payment');
    const { id } = await system.bed.db
      .selectFrom('saga')
      .select('id')
      .where('subject_id', '=', reservationId)
      .orderBy('requested_at', 'desc')
      .limit(1)
      .executeTakeFirstOrThrow();
    expect(await restOf(system.bed.db, id)).toBe('completed');
    // Its refunds since then are looked at; until then payouts of the stay are held.
    await createGatewayDesk(system).takeUp();
  }
  const summaryOf = async (stay: string) =>
    (await system.call('GET', `/financial/summary?reservationId=${stay}`)).body.data.currencies[0];
  const balanceOf = async (owner: string) =>
    (await system.call('GET', `/owners/${owner}/balance`)).body.data.currencies;
  const sharesIn = async (stay: string) => {
    const { ownerShare, agencyFee, referral } = await summaryOf(stay);
    return { ownerShare, agencyFee, retained: referral.retained };
  };

  it.each([
    ['all of it given back', undefined],
    ['half of it given back', 50],
    ['nothing given back', 0],
  ])('is not shared again by later terms when money comes in after the cancellation (%s)', async (_, percent) => {
    await setTerms(7_000, false);
    const { stay, owner } = await paidInPart(400);
    const order = percent === undefined ? {} : { refundPercentOverride: percent, reason: 'As agreed with the guest' };
    expect((await system.call('POST', `/reservations/${stay}/cancel`, { body: order })).status).toBe(200);
    const [shares, balance] = [await sharesIn(stay), await balanceOf(owner)];
    expect(shares.agencyFee).toBe(100);
    await setTerms(4_000, true);
    await capture(stay, 30_000);
    expect(await sharesIn(stay)).toEqual(shares);
    expect(await balanceOf(owner)).toEqual(balance);
    expect((await summaryOf(stay)).guestCredit).toBe(300);
    expect((await system.call('GET', '/financial/integrity?full=true')).body.data).toMatchObject({ differences: [] });
    await expectIntegrity(system.bed.db);
  });

  it('keeps its terms at the confirmation', async () => {
    await setTerms(7_000, true);
    const { stay } = await paidInPart(400);
    await setTerms(4_000, true);
    expect((await system.call('POST', `/reservations/${stay}/confirm`, { body: {} })).status).toBe(200);
    expect((await pay(stay, 600)).status).toBe(200);
    expect(await sharesIn(stay)).toEqual({ ownerShare: 700, agencyFee: 250, retained: 50 });
    await expectIntegrity(system.bed.db);
  });

  it('that was declined binds nothing: the terms of the confirmation hold', async () => {
    await setTerms(7_000, true);
    const stay = await seedStay(system.bed.db);
    const body = { amount: 400, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `ref-declined-${stay}` };
    expect((await system.call('POST', `/reservations/${stay}/payment`, { body })).status).toBe(402);
    await setTerms(4_000, true);
    expect((await system.call('POST', `/reservations/${stay}/confirm`, { body: {} })).status).toBe(200);
    expect((await pay(stay, 1000)).status).toBe(200);
    expect(await sharesIn(stay)).toEqual({ ownerShare: 400, agencyFee: 550, retained: 50 });
  });
});
