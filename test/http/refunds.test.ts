import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planRefund, refundableOf } from '../../src/domain/finance/refund-booking.ts';
import { ROLES } from '../../src/http/auth.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { type System, startSystem } from '../setup/system.ts';

/** Money that goes back without a cancellation: a guest's credit, and goodwill. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

const REASON = 'No hot water';
let references = 0;
const refund = (id: string, body: object, options: object = {}) =>
  system.call('POST', `/reservations/${id}/refunds`, { body: { reason: REASON, ...body }, ...options });
async function pay(id: string, amount: number, reference = 'ref'): Promise<void> {
  references += 1;
  const order = { amount, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `${reference}-${references}` };
  const answer = await system.call('POST', `/reservations/${id}/payment`, {
    body: { ...order, paymentMethod: 'card' },
  });
  expect(answer.status, answer.text).toBe(200);
}
/** The gateway has captured it and tells so, whether or not the stay owes it. */
async function captured(reservationId: string, amountMinor: number): Promise<void> {
  references += 1;
  const reference = `ref-${references}`;
  const event = { kind: 'charge-succeeded', reference, reservationId, amountMinor, currency: 'AED' };
  const body = { gatewayId: GATEWAY, eventId: `evt-${reference}`, type: 'charge', event };
  const reported = await system.call('POST', '/webhooks/stripe', { body, headers: { 'stripe-signature': 'good' } });
  expect(reported.body.data.outcome).toBe('start-payment');
  await expect.poll(() => openSagas(reservationId), { timeout: 20_000 }).toBe(0);
}
const openSagas = async (subjectId: string): Promise<number> =>
  (
    await system.bed.db
      .selectFrom('saga')
      .select('id')
      .where('subject_id', '=', subjectId)
      .where('finished_at', 'is', null)
      .execute()
  ).length;
async function stayWith(status: 'CONFIRMED' | 'CHECKED_OUT' | 'CANCELLED', paid = 1000): Promise<string> {
  const id = await seedStay(system.bed.db);
  if (paid > 0) await pay(id, paid);
  await system.bed.db.updateTable('reservation').set({ status }).where('id', '=', id).execute();
  return id;
}
const summaryOf = async (id: string) =>
  (await system.call('GET', `/financial/summary?reservationId=${id}`)).body.data.currencies[0];
const stayOf = async (id: string) => (await system.call('GET', `/reservations/${id}`)).body.data;

describe('goodwill', () => {
  it.each([
    ['SPLIT', { ownerShare: 630, agencyFee: 225, referral: 45 }, 70],
    [undefined, { ownerShare: 630, agencyFee: 225, referral: 45 }, 70],
    ['AGENCY', { ownerShare: 700, agencyFee: 150, referral: 50 }, 0],
    ['OWNER', { ownerShare: 600, agencyFee: 250, referral: 50 }, 100],
  ] as const)('after departure is borne by %s', async (bearer, shares, takenFromOwner) => {
    const id = await stayWith('CHECKED_OUT');
    const answer = await refund(id, { amount: 100, ...(bearer ? { bearer } : {}) });
    expect(answer.status, answer.text).toBe(200);
    const reported = {
      amount: 100,
      currency: 'AED',
      reason: REASON,
      bearer: bearer ?? 'SPLIT',
      fromCredit: 0,
      takenFromOwner,
    };
    expect(answer.body.data.refund).toMatchObject({ ...reported, status: 'COMPLETED' });
    const { ownerShare, agencyFee, referral, refunded, netReceived } = await summaryOf(id);
    expect({ ownerShare, agencyFee, referral: referral.retained }).toEqual(shares);
    expect({ refunded, netReceived }).toEqual({ refunded: 100, netReceived: 900 });
    expect(await stayOf(id)).toMatchObject({
      status: 'CHECKED_OUT',
      paymentStatus: 'PARTIALLY_REFUNDED',
      refundStatus: 'COMPLETED',
    });
    const payouts = await system.call('GET', `/transactions?reservationId=${id}&type=OWNER_PAYOUT`);
    expect(payouts.body.data[0].amount).toBe(700 - takenFromOwner);
    await expectIntegrity(system.bed.db);
  });

  it('is told to the guest, and to an owner whose payout it changes', async () => {
    const id = await stayWith('CHECKED_OUT');
    await refund(id, { amount: 100 });
    const reported = () =>
      system.bed.db
        .selectFrom('notification')
        .select(['event', 'recipient_type'])
        .where('reservation_id', '=', id)
        .where('event', 'in', ['REFUND_PROCESSED', 'REFUND_AFFECTS_PAYOUT'])
        .orderBy('event')
        .execute();
    await expect.poll(async () => (await reported()).length, { timeout: 20_000 }).toBe(2);
    expect(await reported()).toEqual([
      { event: 'REFUND_AFFECTS_PAYOUT', recipient_type: 'OWNER' },
      { event: 'REFUND_PROCESSED', recipient_type: 'GUEST' },
    ]);
  });

  it('is in the audit log and in the transaction, with its reason and who bears it', async () => {
    const id = await stayWith('CHECKED_OUT');
    const { refund: started } = (await refund(id, { amount: 100, bearer: 'AGENCY' })).body.data;
    const transaction = await system.call('GET', `/transactions/${started.transactionIds[0]}`);
    expect(transaction.body.data).toMatchObject({ type: 'REFUND', details: { reason: REASON, bearer: 'AGENCY' } });
    const audit = await system.call('GET', `/audit?reservationId=${id}&event=RESERVATION_REFUNDED`);
    expect(audit.text).toContain(REASON);
  });

  it('M6: counts in a later cancellation: both together never give back more than was captured', async () => {
    const id = await stayWith('CONFIRMED');
    await refund(id, { amount: 100, bearer: 'AGENCY' });
    const cancelled = await system.call('POST', `/reservations/${id}/cancel`, { body: {} });
    expect(cancelled.body.data.refund.amount).toBe(900);
    // The agency keeps bearing what it took upon itself: to the others it is as if it had not been refunded.
    expect(await summaryOf(id)).toMatchObject({ refunded: 1000, netReceived: 0, ownerShare: 70, agencyFee: -75 });
    expect((await refund(id, { amount: 1 })).body.code).toBe('NOTHING_TO_REFUND');
    await expectIntegrity(system.bed.db);
  });

  it('beyond what one person may decide waits for another, also in parts', async () => {
    const id = await seedStay(system.bed.db);
    await system.bed.db.updateTable('reservation').set({ total_minor: 2_000_000 }).where('id', '=', id).execute();
    await pay(id, 9_000);
    expect((await refund(id, { amount: 5_000 })).status).toBe(200);
    const held = await refund(id, { amount: 1 });
    expect(held.status).toBe(202);
    expect(held.body.data.waitsFor).toMatchObject({ step: 'validateRefund', code: 'APPROVAL_REQUIRED' });
    expect((await summaryOf(id)).refunded).toBe(5_000);
    const waits = await system.call('GET', `/approvals?sagaExecutionId=${held.body.data.sagaExecutionId}`);
    const approved = await system.call('POST', `/approvals/${waits.body.data[0].id}`, {
      body: { decision: 'APPROVE', reason: 'Agreed' },
      sub: 'admin-2',
    });
    expect(approved.status, approved.text).toBe(200);
    await expect.poll(async () => (await summaryOf(id)).refunded, { timeout: 20_000 }).toBe(5_001);
    await expectIntegrity(system.bed.db);
  });
});

describe('the credit of a guest', () => {
  it('that was paid over the balance goes back first, and nobody bears it', async () => {
    const id = await stayWith('CONFIRMED');
    await captured(id, 20_000);
    expect(await summaryOf(id)).toMatchObject({ ownerShare: 700, guestCredit: 200 });
    const answer = await refund(id, { amount: 250, bearer: 'AGENCY' });
    expect(answer.body.data.refund).toMatchObject({
      amount: 250,
      fromCredit: 200,
      takenFromOwner: 0,
      status: 'COMPLETED',
    });
    expect(await summaryOf(id)).toMatchObject({ ownerShare: 700, agencyFee: 200, guestCredit: 0, refunded: 250 });
    await expectIntegrity(system.bed.db);
  });

  it('that was captured for a cancelled stay has a way out, and needs no second person', async () => {
    const id = await stayWith('CANCELLED', 0);
    await captured(id, 600_000);
    expect(await summaryOf(id)).toMatchObject({ guestCredit: 6000 });
    const answer = await refund(id, { amount: 6000 });
    expect(answer.body.data.refund).toMatchObject({ fromCredit: 6000, status: 'COMPLETED' });
    expect(await summaryOf(id)).toMatchObject({ guestCredit: 0, refunded: 6000, netReceived: 0 });
    await expectIntegrity(system.bed.db);
  });
});

describe('a refund is refused', () => {
  // One for all: what is refused changes nothing.
  let id: string;
  beforeAll(async () => {
    id = await stayWith('CHECKED_OUT');
  }, 60_000);
  it.each([
    ['more than was captured', { amount: 1000.01 }, 422, 'REFUND_EXCEEDS_CAPTURED'],
    ['another currency', { amount: 1, currency: 'USD' }, 422, 'CURRENCY_MISMATCH'],
    ['too many decimals', { amount: '1.001' }, 422, 'AMOUNT_PRECISION'],
    ['nothing', { amount: 0 }, 422, 'AMOUNT_NOT_POSITIVE'],
    ['no amount', {}, 422, 'VALIDATION_FAILED'],
    ['another bearer', { amount: 1, bearer: 'GUEST' }, 422, 'VALIDATION_FAILED'],
    ['no reason', { amount: 1, reason: undefined }, 422, 'VALIDATION_FAILED'],
    ['a field that nobody knows', { amount: 1, percent: 50 }, 422, 'VALIDATION_FAILED'],
  ])('%s', async (_, body, status, code) => {
    expect(await refund(id, body)).toMatchObject({ status, body: { code } });
    expect(await summaryOf(id)).toMatchObject({ refunded: 0, ownerShare: 700 });
  });

  it('for a stay that nothing was captured for, and for one that is not there', async () => {
    expect((await refund(await stayWith('CONFIRMED', 0), { amount: 1 })).body.code).toBe('NOTHING_TO_REFUND');
    expect((await refund('not-there', { amount: 1 })).body.code).toBe('RESERVATION_NOT_FOUND');
  });

  it.each(ROLES.filter((role) => role !== 'ADMIN' && role !== 'FINANCE'))('to %s', async (role) => {
    expect((await refund(id, { amount: 1 }, { role })).status).toBe(403);
    const offered = (await stayOf(id)).actions.find(({ action }: { action: string }) => action === 'refunds');
    expect(offered).toEqual({ action: 'refunds', allowed: true, reason: null });
  });
});

describe('M6: refunds at the same moment', () => {
  it('give back no more than was captured', { timeout: 60_000 }, async () => {
    const id = await stayWith('CHECKED_OUT');
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => refund(id, { amount: 400 }, { role: 'FINANCE' })),
    );
    const done = answers.filter(({ status }) => status === 200).length;
    for (const { status, body } of answers) {
      if (status !== 200) expect(['SAGA_IN_PROGRESS', 'REFUND_EXCEEDS_CAPTURED']).toContain(body.code);
    }
    expect(done).toBeGreaterThanOrEqual(1);
    expect(done).toBeLessThanOrEqual(2);
    expect((await summaryOf(id)).refunded).toBe(400 * done);
    await expectIntegrity(system.bed.db);
  });

  it('under one key are one', async () => {
    const id = await stayWith('CHECKED_OUT');
    const once = { headers: { 'idempotency-key': `goodwill-${id}` } };
    const first = await refund(id, { amount: 100 }, once);
    const again = await refund(id, { amount: 100 }, once);
    expect([first.status, again.text]).toEqual([200, first.text]);
    expect((await refund(id, { amount: 200 }, once)).body.code).toBe('IDEMPOTENCY_KEY_REUSED');
    expect((await summaryOf(id)).refunded).toBe(100);
  });

  it('are left to a person where the gateway refuses them for good', async () => {
    const id = await seedStay(system.bed.db);
    await pay(id, 1000, 'ref-refund-refused');
    expect((await refund(id, { amount: 100 })).body.data.refund.status).toBe('MANUAL_REQUIRED');
    expect(await stayOf(id)).toMatchObject({ paymentStatus: 'PAID', refundStatus: 'MANUAL_REQUIRED' });
    expect((await refund(id, { amount: 901 })).body.details.refundable).toBe(900);
    await expectIntegrity(system.bed.db);
  });
});

describe('which charges a refund goes back to', () => {
  const charge = (id: string, amount_minor: number, refunded_minor = 0, excess_minor = 0, disputed_minor = 0) => ({
    id,
    amount_minor,
    refunded_minor,
    excess_minor,
    disputed_minor,
  });
  const planned = (charges: readonly ReturnType<typeof charge>[], amountMinor: number) =>
    planRefund(charges, amountMinor).map((part) => [part.charge.id, part.amountMinor, part.distributedMinor]);

  it('is the newest first, and what is left of each', () => {
    const charges = [charge('new', 500, 100), charge('old', 300)];
    expect(refundableOf(charges)).toBe(700);
    expect(planned(charges, 450)).toEqual([
      ['new', 400, 400],
      ['old', 50, 50],
    ]);
  });
  it('is the excess of all before anything that was divided, wherever it is', () => {
    const charges = [charge('new', 500), charge('old', 300, 50, 100)];
    expect(planned(charges, 30)).toEqual([['old', 30, 0]]);
    expect(planned(charges, 150)).toEqual([
      ['new', 100, 100],
      ['old', 50, 0],
    ]);
    expect(planned(charges, 750)).toEqual([
      ['new', 500, 500],
      ['old', 250, 200],
    ]);
  });
  it('is nothing of what is disputed, nor more than is left when more is disputed', () => {
    const charges = [charge('new', 500, 100, 200, 250), charge('old', 300, 0, 0, 400)];
    expect(refundableOf(charges)).toBe(150);
    expect(planned(charges, 150)).toEqual([['new', 150, 50]]);
  });
});
