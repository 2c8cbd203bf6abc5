import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertCancellable, decideRefund, overrideQuestion } from '../../src/domain/finance/cancellation.ts';
import { bookRecord } from '../../src/domain/finance/charge-record.ts';
import { reconcileWithGateway } from '../../src/domain/finance/reconciliation-night.ts';
import type { RecordedDispute } from '../../src/domain/ports.ts';
import { DISPUTE_FEE_MINOR } from '../../src/gateways/sandbox/provider-acts.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { releaseDuePayouts } from '../../src/workers/finance.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { expectAlertsFit } from '../setup/alerts.ts';
import { restOf } from '../setup/engine.ts';
import { createGatewayDesk, type GatewayDesk } from '../setup/gateway-desk.ts';
import { type System, startSystem } from '../setup/system.ts';

/** A guest's bank demands the money of a payment back: what is booked, what it counts in, and what it holds. */
let system: System;
let desk: GatewayDesk;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  desk = createGatewayDesk(system);
});
afterAll(() => system?.close());

const db = () => system.bed.db;
const dashboard = () => system.sandbox.dashboard;
const stayOf = async (id: string) => (await system.call('GET', `/reservations/${id}`)).body.data;
const quoteOf = async (id: string) =>
  (await system.call('GET', `/reservations/${id}/cancellation-quote`)).body.data.today;
const summaryOf = async (id: string) =>
  (await system.call('GET', `/financial/summary?reservationId=${id}`)).body.data.currencies[0];
const rowsOf = (id: string, type: 'DISPUTE' | 'REFUND' | 'OWNER_PAYOUT' | 'GATEWAY_FEE') =>
  db()
    .selectFrom('transaction')
    .select(['id', 'status', 'amount_minor', 'settled_minor'])
    .where('reservation_id', '=', id)
    .where('type', '=', type)
    .orderBy('created_at')
    .orderBy('id')
    .execute();
const statusesOf = async (id: string, type: Parameters<typeof rowsOf>[1]) =>
  (await rowsOf(id, type)).map(({ status, amount_minor }) => [status, amount_minor]);
const balanceOf = async (ownerId: string) =>
  (await system.call('GET', `/owners/${ownerId}/balance`)).body.data.currencies[0];
const eventsOf = async (id: string) => {
  const { rows } = await sql<{ type: string }>`
    SELECT type FROM domain_event WHERE reservation_id = ${id} AND resource = 'dispute' ORDER BY id`.execute(db());
  return rows.map(({ type }) => type);
};
const tasksOf = (id: string) =>
  db()
    .selectFrom('task')
    .select(['status', 'title'])
    .where('reservation_id', '=', id)
    .where('type', '=', 'FINANCE')
    .execute();

let owners = 0;
async function newOwner(): Promise<string> {
  owners += 1;
  const id = `owner-of-disputes-${owners}`;
  const person = { id, name: 'Olga', email: 'olga@example.com', payout_account: `acct-${id}` };
  await db().insertInto('owner').values(person).execute();
  return id;
}
interface Paid {
  readonly id: string;
  readonly reference: string;
  readonly ownerId: string;
}
/** Confirmed, far ahead, paid with all of 1000, of an owner of its own whose payout is due at once. */
async function paidStay(of?: string): Promise<Paid> {
  const ownerId = of ?? (await newOwner());
  const id = await seedStay(db());
  const property = db().selectFrom('reservation').select('property_id').where('id', '=', id);
  await db().updateTable('property').set({ owner_id: ownerId }).where('id', '=', property).execute();
  expect((await system.call('POST', `/reservations/${id}/confirm`)).status).toBe(200);
  const reference = `ref-${id}`;
  const body = { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference: reference };
  expect((await system.call('POST', `/reservations/${id}/payment`, { body })).status).toBe(200);
  await db()
    .updateTable('transaction')
    .set({ scheduled_for: sql<Date>`now() - interval '1 minute'` })
    .where('reservation_id', '=', id)
    .where('type', '=', 'OWNER_PAYOUT')
    .execute();
  return { id, reference, ownerId };
}
async function reported(reference: string): Promise<void> {
  await desk.report(reference);
  await desk.takeUp();
}
async function sweepPayouts(): Promise<void> {
  const { orchestrator } = system.process.engine;
  await releaseDuePayouts({ db: db(), ports: system.sandbox.ports, orchestrator, log: createLogger('test', 'silent') });
  const open = await db().selectFrom('saga').select('id').where('name', '=', 'processOwnerPayout').execute();
  for (const { id } of open) await restOf(db(), id);
}
const FEE = DISPUTE_FEE_MINOR / 100;

describe('a dispute', () => {
  it('that is open holds the owner’s payout, cannot be refunded, and asks a person for evidence', async () => {
    const { id, reference, ownerId } = await paidStay();
    const providerId = dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 100_000 });
    await reported(reference);
    expect(await balanceOf(ownerId)).toMatchObject({ balance: 700, openPayouts: 700, heldPayouts: 700 });
    expect(await statusesOf(id, 'DISPUTE')).toEqual([['PROCESSING', 100_000]]);
    expect(await quoteOf(id)).toMatchObject({ amount: 0 });
    expect(await stayOf(id)).toMatchObject({ paymentStatus: 'PAID', refundStatus: 'NONE' });
    const clearing = 1000 - 29 - 1000 - FEE;
    expect(await summaryOf(id)).toMatchObject({
      received: 1000,
      refunded: 0,
      disputed: 1000,
      gatewayClearing: clearing,
    });
    expect(await summaryOf(id)).toMatchObject({ gatewayFees: 29 + FEE, ownerShare: 700 });
    await sweepPayouts();
    expect(await statusesOf(id, 'OWNER_PAYOUT')).toEqual([['PENDING', 70_000]]);
    const [payout] = await rowsOf(id, 'OWNER_PAYOUT');
    const asked = await system.call('POST', `/transactions/${payout?.id}/payout`, { body: { netting: true } });
    expect([asked.status, asked.body.code, asked.body.details.reason]).toEqual([409, 'PAYOUT_NOT_PAYABLE', 'DISPUTED']);
    const refund = { amount: 10, currency: 'AED', reason: 'GOODWILL', bearer: 'AGENCY' };
    const refused = await system.call('POST', `/reservations/${id}/refunds`, { body: refund });
    expect([refused.status, refused.body.code]).toEqual([409, 'NOTHING_TO_REFUND']);
    expect(await tasksOf(id)).toEqual([{ status: 'UNASSIGNED', title: 'Answer a dispute' }]);
    const { rows } = await sql`SELECT params ->> 'code' AS code FROM notification
      WHERE starts_with(effect_key, ${`alert-gateway-${providerId}-`})`.execute(db());
    expect(rows).toEqual([{ code: 'DISPUTE_OPENED' }]);
    expect(await eventsOf(id)).toEqual(['dispute.opened', 'dispute.funds_withdrawn']);
    const listed = await system.call('GET', `/transactions?providerId=${providerId}`);
    expect(listed.body.data).toMatchObject([{ type: 'DISPUTE', amount: 1000, details: { reason: 'FRAUDULENT' } }]);
    await expectIntegrity(db());
  });

  it('that is won gives the payout free', async () => {
    const { id, reference } = await paidStay();
    const providerId = dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 100_000 });
    await reported(reference);
    dashboard().decide(providerId, 'WON', DISPUTE_FEE_MINOR);
    await reported(reference);
    expect(await statusesOf(id, 'DISPUTE')).toEqual([['REVERSED', 100_000]]);
    expect(await summaryOf(id)).toMatchObject({ disputed: 0, gatewayFees: 29, gatewayClearing: 971 });
    expect(await quoteOf(id)).toMatchObject({ amount: 1000 });
    expect(await tasksOf(id)).toMatchObject([{ status: 'COMPLETED' }]);
    await sweepPayouts();
    expect(await statusesOf(id, 'OWNER_PAYOUT')).toEqual([['COMPLETED', 70_000]]);
    expect(await eventsOf(id)).toEqual(['dispute.opened', 'dispute.funds_withdrawn', 'dispute.won']);
    await expectIntegrity(db());
  });

  describe('of a stay that is called off meanwhile', () => {
    interface Case {
      readonly disputed: number;
      readonly percentOverride?: number;
      readonly goodwill?: number;
      readonly atOnce: number;
      readonly inAll: number;
      readonly owner: number;
    }
    it.each<Case>([
      { disputed: 1000, atOnce: 0, inAll: 1000, owner: 0 },
      { disputed: 1000, percentOverride: 50, atOnce: 0, inAll: 500, owner: 350 },
      { disputed: 400, percentOverride: 50, atOnce: 300, inAll: 500, owner: 350 },
      { disputed: 400, percentOverride: 0, atOnce: 0, inAll: 0, owner: 700 },
      { disputed: 400, percentOverride: 50, goodwill: 100, atOnce: 300, inAll: 600, owner: 350 },
    ])('and is won: what the guest was to get is sent then, and no more: %o', async (one) => {
      const { id, reference, ownerId } = await paidStay();
      const providerId = dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: one.disputed * 100 });
      await reported(reference);
      const { percentOverride } = one;
      const body = {
        ...(percentOverride === undefined ? {} : { refundPercentOverride: percentOverride }),
        reason: 'A guest who cannot come',
      };
      const cancelled = await system.call('POST', `/reservations/${id}/cancel`, { body });
      expect(cancelled.body.data.refund).toMatchObject({ amount: one.atOnce });
      await desk.takeUpUntilQuiet();
      // The dispute is to be answered all the same.
      expect(await tasksOf(id)).toEqual([{ status: 'UNASSIGNED', title: 'Answer a dispute' }]);
      if (one.goodwill) {
        const kind = { amount: one.goodwill, currency: 'AED', reason: 'GOODWILL', bearer: 'AGENCY' };
        expect((await system.call('POST', `/reservations/${id}/refunds`, { body: kind })).status).toBe(200);
        await desk.takeUpUntilQuiet();
      }
      dashboard().decide(providerId, 'WON', DISPUTE_FEE_MINOR);
      await reported(reference);
      await desk.takeUpUntilQuiet();
      await reported(reference);
      await desk.takeUpUntilQuiet();
      expect(await summaryOf(id)).toMatchObject({ refunded: one.inAll, disputed: 0, ownerShare: one.owner });
      expect(new Set((await rowsOf(id, 'REFUND')).map(({ status }) => status))).toEqual(
        new Set(one.inAll > 0 ? ['COMPLETED'] : []),
      );
      expect(await balanceOf(ownerId)).toMatchObject({ balance: one.owner, openPayouts: one.owner, heldPayouts: 0 });
      expect(dashboard().leftOf(GATEWAY, reference)).toBe((1000 - one.inAll) * 100);
      expect(await tasksOf(id)).toEqual([{ status: 'COMPLETED', title: 'Answer a dispute' }]);
      await expectIntegrity(db());
    });
  });

  it('that is lost counts as refunded, and takes the owner’s share off the payout', async () => {
    const { id, reference } = await paidStay();
    const providerId = dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 40_000 });
    await reported(reference);
    dashboard().decide(providerId, 'LOST');
    await reported(reference);
    expect(await statusesOf(id, 'DISPUTE')).toEqual([['COMPLETED', 40_000]]);
    expect(await statusesOf(id, 'REFUND')).toEqual([['COMPLETED', 40_000]]);
    expect(await stayOf(id)).toMatchObject({ paymentStatus: 'PARTIALLY_REFUNDED', refundStatus: 'COMPLETED' });
    expect(await quoteOf(id)).toMatchObject({ amount: 600 });
    expect(await summaryOf(id)).toMatchObject({ refunded: 400, disputed: 0, ownerShare: 420, gatewayFees: 29 + FEE });
    await sweepPayouts();
    expect(await statusesOf(id, 'OWNER_PAYOUT')).toEqual([['COMPLETED', 42_000]]);
    expect(await eventsOf(id)).toEqual(['dispute.opened', 'dispute.funds_withdrawn', 'dispute.lost']);
    await expectIntegrity(db());
  });

  it('that is lost after the payout is owed by the owner, and netted from the next payout', async () => {
    const { id, reference, ownerId } = await paidStay();
    await sweepPayouts();
    const providerId = dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 100_000 });
    await reported(reference);
    dashboard().decide(providerId, 'LOST');
    await reported(reference);
    expect(await balanceOf(ownerId)).toMatchObject({ balance: -700, carriedForward: -700 });
    expect(await stayOf(id)).toMatchObject({ paymentStatus: 'REFUNDED' });
    await expectIntegrity(db());
  });

  it('holds no other payout of the owner, and is not paid by one either', async () => {
    const { reference, ownerId } = await paidStay();
    const other = await paidStay(ownerId);
    dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 100_000 });
    await reported(reference);
    await sweepPayouts();
    expect(await statusesOf(other.id, 'OWNER_PAYOUT')).toEqual([['COMPLETED', 70_000]]);
    expect(await balanceOf(ownerId)).toMatchObject({ balance: 700, paid: 700, heldPayouts: 700 });
    await expectIntegrity(db());
  });

  it('told once at its end, or many times and out of order, is booked once', async () => {
    const { id, reference } = await paidStay();
    const providerId = dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 100_000 });
    dashboard().decide(providerId, 'LOST');
    await desk.report(reference);
    await desk.report(reference);
    await Promise.all([desk.takeUp(), desk.takeUp()]);
    await reported(reference);
    expect(await statusesOf(id, 'DISPUTE')).toEqual([['COMPLETED', 100_000]]);
    expect(await statusesOf(id, 'REFUND')).toEqual([['COMPLETED', 100_000]]);
    expect(await statusesOf(id, 'GATEWAY_FEE')).toEqual([
      ['COMPLETED', 2_900],
      ['COMPLETED', DISPUTE_FEE_MINOR],
    ]);
    expect(await eventsOf(id)).toEqual(['dispute.opened', 'dispute.funds_withdrawn', 'dispute.lost']);
    await expectIntegrity(db());
  });

  it('that is an inquiry holds the payout without taking money, and becomes a dispute or ends', async () => {
    const [grows, ends] = [await paidStay(), await paidStay()];
    const demands = [grows, ends].map(({ reference }) =>
      dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 100_000, inquiry: true }),
    );
    for (const { reference } of [grows, ends]) await reported(reference);
    await sweepPayouts();
    for (const { id } of [grows, ends]) {
      expect(await statusesOf(id, 'DISPUTE')).toEqual([['PENDING', 100_000]]);
      expect(await statusesOf(id, 'OWNER_PAYOUT')).toEqual([['PENDING', 70_000]]);
      expect(await quoteOf(id)).toMatchObject({ amount: 1000 });
    }
    dashboard().withdraw(demands[0] ?? '');
    dashboard().decide(demands[1] ?? '', 'CLOSED');
    for (const { reference } of [grows, ends]) await reported(reference);
    expect(await statusesOf(grows.id, 'DISPUTE')).toEqual([['PROCESSING', 100_000]]);
    expect(await statusesOf(ends.id, 'DISPUTE')).toEqual([['CANCELLED', 100_000]]);
    expect(await eventsOf(ends.id)).toEqual(['dispute.opened', 'dispute.closed']);
    await sweepPayouts();
    expect(await statusesOf(ends.id, 'OWNER_PAYOUT')).toEqual([['COMPLETED', 70_000]]);
    await expectIntegrity(db());
  });

  it('of money that was refunded before is a cost, and not a second refund', async () => {
    const { id, reference } = await paidStay();
    dashboard().refund({ gatewayId: GATEWAY, reference, amountMinor: 30_000 });
    const providerId = dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 100_000 });
    await reported(reference);
    expect(await summaryOf(id)).toMatchObject({ refunded: 300, disputed: 700, gatewayFees: 29 + FEE + 300 });
    await expectIntegrity(db());
    dashboard().decide(providerId, 'WON');
    await reported(reference);
    expect(await summaryOf(id)).toMatchObject({ refunded: 300, disputed: 0, gatewayFees: 29 + FEE });
    await expectIntegrity(db());
  });

  it('that is decided the other way after its end changes nothing by itself: a person is called', async () => {
    const { id, reference } = await paidStay();
    const providerId = dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 100_000 });
    dashboard().decide(providerId, 'WON');
    await reported(reference);
    dashboard().decide(providerId, 'LOST');
    await reported(reference);
    expect(await statusesOf(id, 'REFUND')).toEqual([]);
    const { rows } = await sql`SELECT params ->> 'code' AS code FROM notification
      WHERE starts_with(effect_key, ${`alert-gateway-${providerId}-`})`.execute(db());
    expect(rows).toEqual([{ code: 'DISPUTE_DECIDED_ANEW' }]);
    await expectIntegrity(db());
  });

  it('that is lost settles a refund which the guest was still owed', async () => {
    const { id, reference } = await paidStay();
    dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 100_000 });
    // Nobody here can know yet: the cancellation promises the money, and the gateway refuses.
    expect((await system.call('POST', `/reservations/${id}/cancel`, { body: {} })).body.data.refund.amount).toBe(1000);
    await desk.takeUpUntilQuiet();
    expect(await statusesOf(id, 'REFUND')).toEqual([['MANUAL_REQUIRED', 100_000]]);
    expect(await statusesOf(id, 'DISPUTE')).toEqual([['PROCESSING', 100_000]]);
    // Nobody is asked to send by hand what the bank may give, nor may.
    expect((await tasksOf(id)).map(({ title }) => title)).toEqual(['Answer a dispute']);
    const [owed] = await rowsOf(id, 'REFUND');
    const body = { reference: 'bank-1', method: 'BANK_TRANSFER', alreadySent: false };
    const byHand = await system.call('POST', `/transactions/${owed?.id}/settlement`, { body });
    expect([byHand.status, byHand.body.code, byHand.body.details.reason]).toEqual([
      409,
      'INVALID_STATE_TRANSITION',
      'DISPUTED',
    ]);
    await expectIntegrity(db());
    const { rows } = await sql<{ provider_id: string }>`
      SELECT provider_id FROM transaction WHERE reservation_id = ${id} AND type = 'DISPUTE'`.execute(db());
    dashboard().decide(rows[0]?.provider_id ?? '', 'LOST');
    await reported(reference);
    expect(await statusesOf(id, 'REFUND')).toEqual([['COMPLETED', 100_000]]);
    expect((await tasksOf(id)).map(({ status }) => status)).not.toContain('UNASSIGNED');
    await expectIntegrity(db());
  });

  it('that is won has the refund sent which it had refused', async () => {
    const { id, reference } = await paidStay();
    const providerId = dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 100_000 });
    expect((await system.call('POST', `/reservations/${id}/cancel`, { body: {} })).body.data.refund.amount).toBe(1000);
    await desk.takeUpUntilQuiet();
    expect(await statusesOf(id, 'REFUND')).toEqual([['MANUAL_REQUIRED', 100_000]]);
    dashboard().decide(providerId, 'WON');
    await reported(reference);
    await desk.takeUpUntilQuiet();
    expect(await statusesOf(id, 'REFUND')).toEqual([['COMPLETED', 100_000]]);
    expect(dashboard().leftOf(GATEWAY, reference)).toBe(0);
    expect((await tasksOf(id)).map(({ title }) => title)).toEqual(['Answer a dispute']);
    await expectIntegrity(db());
  });

  describe('is booked by what its gateway’s own lines say', () => {
    const INQUIRY = { amountMinor: 100_000, status: 'OPEN', withdrawn: false, feeMinor: 0 } as const;
    const taken = (takenMinor: number, more: Partial<RecordedDispute> = {}) =>
      ({ amountMinor: takenMinor, status: 'OPEN', withdrawn: true, feeMinor: 1_500, takenMinor, ...more }) as const;
    type Said = Pick<RecordedDispute, 'amountMinor' | 'status' | 'withdrawn' | 'feeMinor'> & Partial<RecordedDispute>;
    it.each<[string, readonly Said[], { refundMinor?: number; clearing: number; refunded: number; fees: number }]>([
      [
        'an inquiry of more than is disputed',
        [INQUIRY, taken(60_000), taken(60_000, { status: 'LOST' })],
        { clearing: 356, refunded: 600, fees: 44 },
      ],
      [
        'less taken than is demanded, as some had gone back',
        [taken(70_000, { amountMinor: 100_000 })],
        { refundMinor: 30_000, clearing: -44, refunded: 300, fees: 44 },
      ],
      [
        'less given back than taken',
        [taken(100_000), taken(100_000, { status: 'WON', returnedMinor: 70_000 })],
        { clearing: 656, refunded: 0, fees: 344 },
      ],
      [
        'won, and nothing given back yet',
        [taken(100_000), taken(100_000, { status: 'WON', returnedMinor: 0 })],
        { clearing: 956, refunded: 0, fees: 44 },
      ],
      [
        'an inquiry, a refund, and the rest lost',
        [INQUIRY, taken(70_000), taken(70_000, { status: 'LOST' })],
        { refundMinor: 30_000, clearing: -44, refunded: 1000, fees: 44 },
      ],
    ])('%s', async (_, said, { refundMinor, clearing, refunded, fees }) => {
      const { id, reference } = await paidStay();
      const { id: paymentId, provider_id: chargeId } = await db()
        .selectFrom('payment')
        .select(['id', 'provider_id'])
        .where('reservation_id', '=', id)
        .executeTakeFirstOrThrow();
      const charge = { paymentId, reservationId: id, gatewayId: GATEWAY, reference, chargeId: chargeId ?? '' };
      for (const [look, dispute] of said.entries()) {
        const refunded = { providerId: `re-${id}`, amountMinor: refundMinor ?? 0, currency: 'AED', cameBack: null };
        const refunds = refundMinor !== undefined && (look > 0 || said.length === 1) ? [refunded] : [];
        const base = { providerId: `dp-${id}`, currency: 'AED', reason: null, respondBy: null };
        const record = { refunds, disputes: [{ ...base, ...dispute }] };
        await db()
          .transaction()
          .execute((tx) => bookRecord(tx, charge, record, new Date(), { amountStep: () => 1 }));
      }
      expect(await summaryOf(id)).toMatchObject({ gatewayClearing: clearing, refunded, gatewayFees: fees });
      await expectIntegrity(db());
    });
  });

  it('whose events were lost is found by the reconciliation, and so is how it ended', async () => {
    const { id, reference } = await paidStay();
    const providerId = dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 100_000 });
    const look = (occasion: string) =>
      reconcileWithGateway(db(), system.sandbox.ports, {
        gatewayId: GATEWAY,
        from: new Date(0),
        to: new Date(4e12),
        occasion,
        startedBy: 'tester',
      });
    await look(`opened-${id}`);
    expect(await statusesOf(id, 'DISPUTE')).toEqual([['PROCESSING', 100_000]]);
    dashboard().decide(providerId, 'LOST');
    await look(`ended-${id}`);
    expect(await statusesOf(id, 'DISPUTE')).toEqual([['COMPLETED', 100_000]]);
    await expectIntegrity(db());
  });

  it('counts in what a second person is asked for, as the guest gets it in the end', async () => {
    const { id, reference } = await paidStay();
    dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 60_000 });
    await reported(reference);
    const stay = await assertCancellable(db(), id, new Date());
    const order = { initiator: 'AGENCY', percentOverride: 50 } as const;
    const refund = await decideRefund(db(), system.sandbox.ports, stay, order, new Date());
    expect(refund).toMatchObject({ amountMinor: 20_000, wonMinor: 50_000 });
    const asked = (wonMinor: number) => overrideQuestion(db(), stay, order, { ...refund, wonMinor }, new Date());
    expect(await asked(500_000)).toBeNull();
    expect(await asked(500_001)).toMatchObject({ kind: 'REFUND_OVERRIDE', amountMinor: 500_001, currency: 'AED' });
  });

  it('leaves clearing like what is handed over, and so does what is given back', async () => {
    const { id, reference } = await paidStay();
    const look = (occasion: string) =>
      reconcileWithGateway(db(), system.sandbox.ports, {
        gatewayId: GATEWAY,
        from: new Date(0),
        to: new Date(4e12),
        occasion: `${occasion}-${id}`,
        startedBy: 'tester',
      });
    await look('handed-over');
    expect(await summaryOf(id)).toMatchObject({ gatewayClearing: 0 });
    const providerId = dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 100_000 });
    await reported(reference);
    expect(await summaryOf(id)).toMatchObject({ gatewayClearing: -1000 - FEE });
    await look('taken');
    await look('again');
    expect(await summaryOf(id)).toMatchObject({ gatewayClearing: 0 });
    dashboard().decide(providerId, 'WON', DISPUTE_FEE_MINOR);
    await reported(reference);
    expect(await summaryOf(id)).toMatchObject({ gatewayClearing: 1000 + FEE });
    await look('given-back');
    expect(await summaryOf(id)).toMatchObject({ gatewayClearing: 0 });
    const settled = await db()
      .selectFrom('settlement')
      .select(['revision', 'net_minor'])
      .where('reservation_id', '=', id)
      .where('movement', '=', 'DISPUTE')
      .orderBy('revision')
      .execute();
    expect(settled.map(({ net_minor }) => net_minor)).toEqual([-101_500, 101_500]);
    await expectIntegrity(db());
  });

  it.each(['OWNER', 'PRO_RATA'] as const)(
    'whose fee is borne by %s takes it off the payout, and gives it back',
    async (bearer) => {
      await db()
        .insertInto('income_distribution')
        .values({ owner_bp: 7_000, agency_bp: 2_500, referrer_bp: 500, gateway_fee_bearer: bearer, set_by: 'tester' })
        .execute();
      const { id, reference } = await paidStay();
      const before = (await rowsOf(id, 'OWNER_PAYOUT')).reduce((sum, row) => sum + row.amount_minor, 0);
      const providerId = dashboard().dispute({ gatewayId: GATEWAY, reference, amountMinor: 100_000 });
      await reported(reference);
      const openMinor = async () =>
        (await rowsOf(id, 'OWNER_PAYOUT'))
          .filter(({ status }) => status === 'PENDING')
          .reduce((sum, row) => sum + row.amount_minor, 0);
      expect(await openMinor()).toBe(before - (bearer === 'OWNER' ? 1_500 : 1_050));
      await expectIntegrity(db());
      dashboard().decide(providerId, 'WON', DISPUTE_FEE_MINOR);
      await reported(reference);
      expect(await openMinor()).toBe(before);
      await expectIntegrity(db());
      // With nothing to take it off, a fee is the owner's debt; given back, it is a payout that the debt is netted from.
      const refunded = await paidStay();
      expect((await system.call('POST', `/reservations/${refunded.id}/cancel`, { body: {} })).status).toBe(200);
      await desk.takeUpUntilQuiet();
      const late = { gatewayId: GATEWAY, reference: refunded.reference, amountMinor: 100_000, inquiry: true };
      const lateId = dashboard().dispute(late);
      dashboard().withdraw(lateId);
      await reported(refunded.reference);
      await expectIntegrity(db());
      dashboard().decide(lateId, 'WON', DISPUTE_FEE_MINOR);
      await reported(refunded.reference);
      await expectIntegrity(db());
    },
  );
});

it('no alert about a dispute says that a saga waits', async () => {
  expect(await expectAlertsFit(db())).toMatchObject({
    DISPUTE_OPENED: 'notice-alert.ops@1',
    DISPUTE_DECIDED_ANEW: 'notice-alert.ops@1',
  });
});
