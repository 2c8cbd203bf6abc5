import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planDueReminders } from '../../src/domain/messages/reminders.ts';
import { prepareStays } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';

/** A stay of price 0 is paid once it is confirmed: nothing is asked, booked, refunded or paid out for it. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

let made = 0;
async function stay(totalAmount: number): Promise<string> {
  made += 1;
  const propertyId = `free-${made}`;
  await system.bed.db
    .insertInto('property')
    .values({ id: propertyId, name: 'Marina 12', owner_id: 'owner-1', payment_due_days: 3 })
    .execute();
  const body = { propertyId, guestId: 'guest-1', totalAmount, checkInDate: '2031-02-01', checkOutDate: '2031-02-04' };
  const answer = await system.call('POST', '/reservations', { body });
  expect(answer.status).toBe(201);
  return answer.body.data.id;
}
const act = (id: string, action: string, body: object = {}): Promise<Answer> =>
  system.call('POST', `/reservations/${id}/${action}`, { body });
const read = async (id: string) => (await system.call('GET', `/reservations/${id}`)).body.data;
const order = (id: string, amount: number) => ({
  amount,
  currency: 'AED',
  paymentMethod: 'card',
  gatewayId: GATEWAY,
  gatewayReference: id,
});
const transactionsOf = (id: string) =>
  system.bed.db.selectFrom('transaction').select(['type', 'status']).where('reservation_id', '=', id).execute();
const paymentOffer = async (id: string) =>
  (await read(id)).actions.find(({ action }: { action: string }) => action === 'payment')?.reason?.code;

describe('a stay of price 0', () => {
  it('is paid when it is confirmed, without a row of money, and stays so until the guest has left', async () => {
    const id = await stay(0);
    expect((await read(id)).paymentStatus).toBe('UNPAID');
    expect(await paymentOffer(id)).toBe('PAYMENT_EXCEEDS_BALANCE');
    expect((await act(id, 'payment', order(id, 1))).body.code).toBe('PAYMENT_EXCEEDS_BALANCE');

    const confirmed = await act(id, 'confirm');
    expect([confirmed.status, confirmed.body.data.transaction]).toEqual([200, null]);
    expect((await read(id)).paymentStatus).toBe('PAID');
    expect(await transactionsOf(id)).toEqual([]);
    expect(await paymentOffer(id)).toBe('ALREADY_PAID');
    expect((await act(id, 'payment', order(id, 1))).body.code).toBe('ALREADY_PAID');
    const forecast = await system.call('GET', `/reservations/${id}/forecast`);
    const events = forecast.body.data.messages.map(({ event }: { event: string }) => event);
    expect(events.filter((event: string) => /PAY/.test(event))).toEqual([]);
    while ((await planDueReminders(system.bed.db, 50)) > 0);
    const { rows } = await sql`SELECT FROM notification WHERE reservation_id = ${id} AND event = 'PAYMENT_DUE'`.execute(
      system.bed.db,
    );
    expect(rows).toEqual([]);

    for (const action of ['check-in', 'check-out']) {
      const visit = await act(id, action, { strict: false });
      expect(visit.body.data.reservation.paymentStatus).toBe('PAID');
      expect(visit.body.data.warnings).not.toContain('BALANCE_DUE');
    }
    expect((await system.call('GET', `/reservations/${id}/check-out-report`)).body.data.report.money).toMatchObject({
      total: 0,
      balanceDue: 0,
      paymentStatus: 'PAID',
    });
    await expectIntegrity(system.bed.db);
  });

  it('is cancelled without a refund', async () => {
    const id = await stay(0);
    await act(id, 'confirm');
    const quote = await system.call('GET', `/reservations/${id}/cancellation-quote`);
    expect(quote.status).toBe(200);
    const cancelled = await act(id, 'cancel', { reason: 'changed plans' });
    expect(cancelled.status).toBe(200);
    expect(await transactionsOf(id)).toEqual([]);
    await expectIntegrity(system.bed.db);
  });

  it('of which a price was asked before it was lowered owes nothing', async () => {
    const id = await stay(100);
    const declined = { ...order(id, 100), gatewayReference: `ref-declined-${id}` };
    await act(id, 'payment', declined);
    await system.call('PATCH', `/reservations/${id}`, { body: { totalAmount: 0 } });
    expect((await act(id, 'confirm')).body.data.transaction).toBeNull();
    expect((await transactionsOf(id)).filter(({ status }) => status === 'PENDING')).toEqual([]);
    expect((await read(id)).paymentStatus).toBe('PAID');
    await expectIntegrity(system.bed.db);
  });

  it('is not paid any more when its confirmation is undone', async () => {
    const id = await stay(0);
    const answer = await act(id, 'confirm', { requireAssignment: true });
    expect(answer.body.code).toBe('NO_STAFF_AVAILABLE');
    expect(await read(id)).toMatchObject({ status: 'PENDING', paymentStatus: 'UNPAID' });
    await expectIntegrity(system.bed.db);
  });
});
