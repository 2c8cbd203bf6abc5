import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bookRecord } from '../../src/domain/finance/charge-record.ts';
import { findDueEvents, processEvents } from '../../src/domain/finance/due-events.ts';
import { reconcileWithGateway } from '../../src/domain/finance/reconciliation-night.ts';
import { closeRefundTask, resumeRefusedRefunds } from '../../src/domain/finance/refund-task.ts';
import { noteRefusedBehind } from '../../src/domain/finance/store/refunds.ts';
import { required } from '../../src/kernel/errors.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { expectAlertsFit } from '../setup/alerts.ts';
import { createGatewayDesk, type GatewayDesk } from '../setup/gateway-desk.ts';
import { type System, startSystem } from '../setup/system.ts';

/** A refund that somebody has made in the gateway's own dashboard is in our books, without a person. */
let system: System;
let desk: GatewayDesk;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  desk = createGatewayDesk(system);
});
afterAll(() => system?.close());

const db = () => system.bed.db;
const stayOf = async (id: string) => (await system.call('GET', `/reservations/${id}`)).body.data;
const quoteOf = async (id: string) =>
  (await system.call('GET', `/reservations/${id}/cancellation-quote`)).body.data.today;
const summaryOf = async (id: string) =>
  (await system.call('GET', `/financial/summary?reservationId=${id}`)).body.data.currencies[0];
const refundsOf = (id: string) =>
  db()
    .selectFrom('transaction')
    .select(['id', 'status', 'amount_minor', 'provider_id', 'parent_id'])
    .where('reservation_id', '=', id)
    .where('type', '=', 'REFUND')
    .orderBy('created_at')
    .orderBy('id')
    .execute();
const payoutsOf = (id: string) =>
  db()
    .selectFrom('transaction')
    .select(['status', 'amount_minor'])
    .where('reservation_id', '=', id)
    .where('type', '=', 'OWNER_PAYOUT')
    .execute();
const financeTasksOf = (id: string) =>
  db().selectFrom('task').select(['status']).where('reservation_id', '=', id).where('type', '=', 'FINANCE').execute();

/** Confirmed, far ahead, and paid with 400. */
async function paidStay(prefix = 'ref'): Promise<{ readonly id: string; readonly reference: string }> {
  const id = await seedStay(db());
  expect((await system.call('POST', `/reservations/${id}/confirm`)).status).toBe(200);
  const reference = `${prefix}-${id}`;
  const body = { amount: 400, currency: 'AED', gatewayId: GATEWAY, gatewayReference: reference };
  expect((await system.call('POST', `/reservations/${id}/payment`, { body })).status).toBe(200);
  return { id, reference };
}
const cancel = (id: string) => system.call('POST', `/reservations/${id}/cancel`, { body: {} });

describe('a refund in the gateway’s dashboard', () => {
  it('counts in status, quote, summary, ledger and the owner’s payout, and leaves nothing to promise', async () => {
    const { id, reference } = await paidStay();
    expect(await quoteOf(id)).toMatchObject({ amount: 400 });
    const providerId = system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 40_000 });
    expect(await desk.report(reference)).toBe('waiting');
    await desk.takeUp();
    expect(await stayOf(id)).toMatchObject({ paymentStatus: 'REFUNDED', refundStatus: 'COMPLETED' });
    expect(await quoteOf(id)).toMatchObject({ amount: 0 });
    expect(await summaryOf(id)).toMatchObject({ received: 400, refunded: 400, netReceived: 0, ownerShare: 0 });
    expect(await payoutsOf(id)).toEqual([{ status: 'CANCELLED', amount_minor: 28_000 }]);
    expect(await refundsOf(id)).toMatchObject([{ status: 'COMPLETED', amount_minor: 40_000, provider_id: providerId }]);
    const notified = await db()
      .selectFrom('notification')
      .select('event')
      .where('reservation_id', '=', id)
      .where('event', 'in', ['REFUND_PROCESSED', 'REFUND_AFFECTS_PAYOUT'])
      .orderBy('event')
      .execute();
    expect(notified.map(({ event }) => event)).toEqual(['REFUND_AFFECTS_PAYOUT', 'REFUND_PROCESSED']);
    expect((await cancel(id)).body.data.refund).toMatchObject({ amount: 0, status: 'NONE' });
    expect(await financeTasksOf(id)).toEqual([]);
    await expectIntegrity(db());
  });

  it('of a part leaves the rest to the quote and to the owner', async () => {
    const { id, reference } = await paidStay();
    system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 10_000 });
    system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 5_001 });
    await desk.report(reference);
    await desk.takeUp();
    expect(await stayOf(id)).toMatchObject({ paymentStatus: 'PARTIALLY_REFUNDED' });
    expect(await quoteOf(id)).toMatchObject({ amount: 249.99 });
    expect(await payoutsOf(id)).toEqual([{ status: 'PENDING', amount_minor: 17_499 }]);
    expect((await cancel(id)).body.data.refund).toMatchObject({ amount: 249.99, status: 'COMPLETED' });
    expect(await system.sandbox.netOf(reference)).toBe(0);
    await expectIntegrity(db());
  });

  it('is booked once, however often and in whatever order it is told, and so is one of our own', async () => {
    const { id, reference } = await paidStay();
    system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 10_000 });
    expect(await desk.report(reference, 'evt-once')).toBe('waiting');
    await desk.takeUp();
    expect(await desk.report(reference, 'evt-once')).toBe('repeated');
    await desk.report(reference);
    await desk.report(reference);
    await Promise.all([desk.takeUp(), desk.takeUp()]);
    await cancel(id);
    await desk.report(reference);
    await desk.takeUp();
    expect((await refundsOf(id)).map((row) => row.amount_minor)).toEqual([10_000, 30_000]);
    const outcomes = await db()
      .selectFrom('gateway_event')
      .select('outcome')
      .where('reservation_id', '=', id)
      .execute();
    expect(outcomes.map(({ outcome }) => outcome).toSorted()).toEqual(['booked', 'known', 'known', 'known']);
    await expectIntegrity(db());
  });

  it('waits while a saga of the stay is open or parked, and is then taken up by itself', async () => {
    const { id, reference } = await paidStay();
    const open = await desk.holdStay(id);
    system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 10_000 });
    await desk.report(reference);
    await desk.takeUp();
    expect(await refundsOf(id)).toEqual([]);
    const { id: payoutId } = await db()
      .selectFrom('transaction')
      .select('id')
      .where('reservation_id', '=', id)
      .where('type', '=', 'OWNER_PAYOUT')
      .executeTakeFirstOrThrow();
    const early = await system.call('POST', `/transactions/${payoutId}/payout`, { body: {} });
    expect([early.status, early.body.details?.reason]).toEqual([409, 'GATEWAY_NEWS_WAITING']);
    await open.release();
    await desk.takeUp();
    expect(await refundsOf(id)).toMatchObject([{ status: 'COMPLETED', amount_minor: 10_000 }]);
    await expectIntegrity(db());
  });

  it('is not booked by a record that is older than what another process has booked meanwhile', async () => {
    const { id, reference } = await paidStay();
    const providerId = system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 10_000 });
    await desk.report(reference);
    const [news] = (await findDueEvents(db(), 50)).filter(({ reservationId }) => reservationId === id);
    const gateway = system.sandbox.ports.gateway(GATEWAY);
    const recordOf: typeof gateway.recordOf = async (...asked) => {
      const record = await gateway.recordOf(...asked);
      system.sandbox.dashboard.failRefund(providerId, 'CARD_CLOSED');
      await desk.takeUp();
      return record;
    };
    const ports = { ...system.sandbox.ports, gateway: () => ({ ...gateway, recordOf }) };
    await processEvents(db(), ports, required(news, 'what was told'));
    expect(await refundsOf(id)).toEqual([]);
    await expectIntegrity(db());
  });

  it('whose event was lost is found by the reconciliation, which then finds nothing wrong', async () => {
    const { id, reference } = await paidStay();
    system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 10_000 });
    const done = await reconcileWithGateway(db(), system.sandbox.ports, {
      gatewayId: GATEWAY,
      from: new Date(0),
      to: new Date(4e12),
      occasion: `lost-${id}`,
      startedBy: 'tester',
    });
    expect(done.missingInLedger).toBe(0);
    expect(await refundsOf(id)).toMatchObject([{ status: 'COMPLETED', amount_minor: 10_000 }]);
    await expectIntegrity(db());
  });

  it('that comes before a cancellation which promises the same money settles that promise', async () => {
    const { id, reference } = await paidStay();
    system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 40_000 });
    // The event is still on its way: nobody here can know, and the gateway refuses.
    expect((await cancel(id)).body.data.refund.amount).toBe(400);
    await desk.takeUpUntilQuiet();
    expect(await refundsOf(id)).toMatchObject([{ status: 'COMPLETED', amount_minor: 40_000 }]);
    expect(await financeTasksOf(id)).toEqual([]);
    await desk.report(reference);
    await desk.takeUp();
    expect(await refundsOf(id)).toHaveLength(1);
    await expectIntegrity(db());
  });

  it('settles what a gateway has refused to send, also a part of it, and closes the task for a person', async () => {
    const { id, reference } = await paidStay('ref-refund-refused');
    await cancel(id);
    await desk.takeUpUntilQuiet();
    expect(await financeTasksOf(id)).toEqual([{ status: 'UNASSIGNED' }]);
    system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 15_000 });
    await desk.report(reference);
    await desk.takeUp();
    expect((await refundsOf(id)).map((row) => [row.status, row.amount_minor])).toEqual([
      ['MANUAL_REQUIRED', 25_000],
      ['COMPLETED', 15_000],
    ]);
    expect(await stayOf(id)).toMatchObject({ paymentStatus: 'PARTIALLY_REFUNDED', refundStatus: 'MANUAL_REQUIRED' });
    await expectIntegrity(db());
    system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 25_000 });
    await desk.report(reference);
    await desk.takeUp();
    expect(await financeTasksOf(id)).toEqual([{ status: 'COMPLETED' }]);
    expect(await stayOf(id)).toMatchObject({ paymentStatus: 'REFUNDED', refundStatus: 'COMPLETED' });
    await expectIntegrity(db());
  });

  it('that comes back is owed to the guest again, and a person is asked', async () => {
    const { id, reference } = await paidStay();
    const providerId = system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 40_000 });
    await desk.report(reference);
    await desk.takeUp();
    system.sandbox.dashboard.failRefund(providerId, 'CARD_CLOSED');
    await desk.report(reference);
    await desk.takeUp();
    expect(await refundsOf(id)).toMatchObject([{ status: 'MANUAL_REQUIRED' }]);
    expect(await stayOf(id)).toMatchObject({ paymentStatus: 'PARTIALLY_PAID', refundStatus: 'MANUAL_REQUIRED' });
    expect(await financeTasksOf(id)).toEqual([{ status: 'UNASSIGNED' }]);
    await expectIntegrity(db());
  });

  it('at the same moment as a cancellation gives back no more than was paid', async () => {
    const { id, reference } = await paidStay();
    system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 10_000 });
    await desk.report(reference);
    const [, cancelled] = await Promise.all([desk.takeUp(), cancel(id)]);
    expect(cancelled.status).toBe(200);
    await desk.takeUpUntilQuiet();
    const refunds = await refundsOf(id);
    expect(refunds.reduce((sum, row) => sum + row.amount_minor, 0)).toBe(40_000);
    expect(await system.sandbox.netOf(reference)).toBe(
      refunds.filter(({ status }) => status !== 'COMPLETED').reduce((sum, row) => sum + row.amount_minor, 0),
    );
    await expectIntegrity(db());
  });

  it.each([
    ['JPY', 40_000, 12_345, 27_655],
    ['KWD', 400, 12_345, 387.655],
  ])('is of the charge’s own minor units: %s', async (currency, amount, refundMinor, left) => {
    const id = await seedStay(db());
    await db().updateTable('reservation').set({ currency, total_minor: 1_000_000 }).where('id', '=', id).execute();
    const reference = `ref-${id}`;
    const body = { amount, currency, gatewayId: GATEWAY, gatewayReference: reference };
    expect((await system.call('POST', `/reservations/${id}/payment`, { body })).status).toBe(200);
    system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: refundMinor });
    await desk.report(reference);
    await desk.takeUp();
    expect(await summaryOf(id)).toMatchObject({ currency, netReceived: left });
    expect(await quoteOf(id)).toMatchObject({ amount: left, currency });
    await expectIntegrity(db());
  });

  it('that was booked days after it was made, like its charge, is not missing at the gateway then', async () => {
    const { id, reference } = await paidStay();
    system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 40_000 });
    await desk.report(reference);
    await desk.takeUp();
    const later = sql<Date>`now() + interval '5 days'`;
    await db().updateTable('payment').set({ completed_at: later }).where('reservation_id', '=', id).execute();
    await db()
      .updateTable('transaction')
      .set({ completed_at: later })
      .where('reservation_id', '=', id)
      .where('type', '=', 'REFUND')
      .execute();
    const day = 24 * 60 * 60_000;
    const compared = await reconcileWithGateway(db(), system.sandbox.ports, {
      gatewayId: GATEWAY,
      from: new Date(Date.now() + 4 * day),
      to: new Date(Date.now() + 6 * day),
      occasion: `late-${id}`,
      startedBy: 'tester',
    });
    expect(compared).toMatchObject({ missingAtGateway: 0, missingInLedger: 0 });
  });

  it('in another currency than the charge is not booked: a person is called', async () => {
    const { id } = await paidStay();
    const payment = await db()
      .selectFrom('payment')
      .selectAll()
      .where('reservation_id', '=', id)
      .executeTakeFirstOrThrow();
    const charge = {
      paymentId: payment.id,
      reservationId: id,
      gatewayId: GATEWAY,
      reference: payment.gateway_reference,
      chargeId: payment.provider_id ?? '',
    };
    const foreign = { amountMinor: 100, currency: 'USD' };
    const refunds = [{ ...foreign, providerId: `re-usd-${id}`, cameBack: null }];
    const open = { status: 'OPEN', withdrawn: true, feeMinor: 0, reason: null, respondBy: null } as const;
    const disputes = [{ ...foreign, ...open, providerId: `dp-usd-${id}` }];
    const book = () =>
      db()
        .transaction()
        .execute((tx) => bookRecord(tx, charge, { refunds, disputes }, new Date(), { amountStep: () => 1 }));
    expect(await book()).toBe('noted');
    expect(await summaryOf(id)).toMatchObject({ refunded: 0, disputed: 0 });
    const { rows } = await sql<{ code: string }>`SELECT params ->> 'code' AS code FROM notification
      WHERE starts_with(effect_key, 'alert-gateway-') AND effect_key LIKE ${`%-usd-${id}-%`} ORDER BY 1`.execute(db());
    expect(rows.map(({ code }) => code)).toEqual(['DISPUTE_IN_OTHER_CURRENCY', 'REFUND_IN_OTHER_CURRENCY']);
    await expectIntegrity(db());
  });

  it('of a part, before a cancellation which promises all of it, has the rest sent', async () => {
    const { id, reference } = await paidStay();
    system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 10_000 });
    expect((await cancel(id)).body.data.refund.amount).toBe(400);
    await desk.takeUpUntilQuiet();
    expect((await refundsOf(id)).map((row) => [row.status, row.amount_minor]).toSorted()).toEqual([
      ['COMPLETED', 10_000],
      ['COMPLETED', 30_000],
    ]);
    expect(system.sandbox.dashboard.leftOf(GATEWAY, reference)).toBe(0);
    expect(await financeTasksOf(id)).toEqual([]);
    await expectIntegrity(db());
  });

  it('that is refused while the books are behind is sent once more, and after that asks a person', async () => {
    const { id } = await paidStay('ref-refund-refused');
    expect((await cancel(id)).status).toBe(200);
    await desk.takeUpUntilQuiet();
    const [refund] = await refundsOf(id);
    const refundId = refund?.id ?? '';
    const { id: paymentId } = await db()
      .selectFrom('payment')
      .select('id')
      .where('reservation_id', '=', id)
      .executeTakeFirstOrThrow();
    const seen = () =>
      db()
        .transaction()
        .execute(async (tx) => {
          await noteRefusedBehind(tx, refundId);
          await resumeRefusedRefunds(tx, paymentId, 40_000);
        });
    await closeRefundTask(db(), refundId);
    await seen();
    expect(await refundsOf(id)).toMatchObject([{ status: 'PENDING' }]);
    await desk.takeUpUntilQuiet();
    expect(await refundsOf(id)).toMatchObject([{ status: 'MANUAL_REQUIRED' }]);
    await closeRefundTask(db(), refundId);
    await seen();
    await desk.takeUpUntilQuiet();
    expect(await refundsOf(id)).toMatchObject([{ status: 'MANUAL_REQUIRED' }]);
    expect((await financeTasksOf(id)).map(({ status }) => status)).toContain('UNASSIGNED');
    const sagas = await db().selectFrom('saga').select('id').where('subject_id', '=', refundId).execute();
    expect(sagas).toHaveLength(2);
    await expectIntegrity(db());
  });

  it('of money that was sent by hand as well is not booked beyond what was captured: a person is called', async () => {
    const { id, reference } = await paidStay('ref-refund-refused');
    await cancel(id);
    await desk.takeUpUntilQuiet();
    const [refund] = await refundsOf(id);
    const body = { reference: 'bank-transfer-1', method: 'BANK_TRANSFER' };
    expect((await system.call('POST', `/transactions/${refund?.id}/settlement`, { body })).status).toBe(200);
    const providerId = system.sandbox.dashboard.refund({ gatewayId: GATEWAY, reference, amountMinor: 1_000 });
    await desk.report(reference);
    await desk.takeUp();
    expect(await refundsOf(id)).toHaveLength(1);
    const { rows } = await sql`SELECT params ->> 'code' AS code FROM notification
      WHERE starts_with(effect_key, ${`alert-gateway-${providerId}-`})`.execute(db());
    expect(rows).toEqual([{ code: 'REFUNDED_MORE_THAN_CAPTURED' }]);
    await expectIntegrity(db());
  });
});

it('money that was captured while a saga of the stay was open is booked afterwards', async () => {
  const { id } = await paidStay();
  const open = await desk.holdStay(id);
  const event = { reservationId: id, amountMinor: 10_000, currency: 'AED', reference: `late-${id}` };
  expect(await desk.send({ kind: 'charge-succeeded', ...event })).toBe('waiting');
  await open.release();
  await desk.takeUpUntilQuiet();
  expect(await summaryOf(id)).toMatchObject({ received: 500 });
  await expectIntegrity(db());
});

it('no alert about a gateway’s refunds says that a saga waits', async () => {
  expect(await expectAlertsFit(db())).toMatchObject({
    REFUND_FAILED: 'notice-alert.ops@1',
    DISPUTE_IN_OTHER_CURRENCY: 'notice-alert.ops@1',
    REFUND_IN_OTHER_CURRENCY: 'notice-alert.ops@1',
    REFUNDED_MORE_THAN_CAPTURED: 'notice-alert.ops@1',
    MANUAL_REQUIRED: 'refund-alert.ops@1',
  });
});
