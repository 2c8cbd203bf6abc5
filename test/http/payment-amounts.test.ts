import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventData } from '../../src/domain/events/stored.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { type System, startSystem } from '../setup/system.ts';

/** One amount of one payment, wherever it is read: what it received. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

let references = 0;
async function pay(id: string, amount: number): Promise<string> {
  references += 1;
  const order = { amount, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `amount-${references}` };
  const { status, body } = await system.call('POST', `/reservations/${id}/payment`, {
    body: { ...order, paymentMethod: 'card' },
  });
  expect([status, body.data.guestPayment.amount]).toEqual([200, amount]);
  return body.data.guestPayment.id;
}
const confirm = (id: string) => system.call('POST', `/reservations/${id}/confirm`, { body: {} });
type Row = Readonly<Record<string, unknown>>;
/** A transaction by every read that shows it, and its newest event. */
async function shown(id: string, reservationId: string): Promise<readonly Row[]> {
  const lists = [
    `/transactions?reservationId=${reservationId}`,
    `/transactions?reservationId=${reservationId}&type=GUEST_PAYMENT&status=COMPLETED`,
  ];
  const found = await Promise.all(
    lists.map(async (path) => (await system.call('GET', path)).body.data.find((row: Row) => row['id'] === id)),
  );
  const stay = await system.call('GET', `/reservations/${reservationId}?include=transactions`);
  const event = await system.bed.db
    .selectFrom('domain_event')
    .select('data')
    .where('resource', '=', 'transaction')
    .where('resource_id', '=', id)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirstOrThrow();
  const data = eventData('transaction', event.data);
  return [
    (await system.call('GET', `/transactions/${id}`)).body.data,
    ...found,
    stay.body.data.transactions.find((row: Row) => row['id'] === id),
    { amount: Number(data['amountMinor']) / 100, amountDue: Number(data['amountDueMinor']) / 100 },
  ];
}

describe('the amount of a completed payment', () => {
  it.each([
    ['in one sum', [1000], [1000]],
    ['in two parts', [300, 700], [300, 1000]],
    ['in three parts', [100.01, 200, 699.99], [100.01, 200, 1000]],
  ])('paid %s is what it received, and all add up', async (_, amounts, due) => {
    const id = await seedStay(system.bed.db);
    await confirm(id);
    const payments: string[] = [];
    for (const amount of amounts) payments.push(await pay(id, amount));
    for (const [n, payment] of payments.entries()) {
      for (const row of await shown(payment, id)) {
        expect({ amount: row['amount'], amountDue: row['amountDue'] }).toEqual({
          amount: amounts[n],
          amountDue: due[n],
        });
      }
    }
    const all = (await system.call('GET', `/transactions?reservationId=${id}`)).body.data as Row[];
    const completed = all.filter((row) => row['type'] === 'GUEST_PAYMENT' && row['status'] === 'COMPLETED');
    const sum = completed.reduce((total, row) => total + Math.round(Number(row['amount']) * 100), 0) / 100;
    const summary = await system.call('GET', `/financial/summary?reservationId=${id}`);
    expect([sum, summary.body.data.currencies[0].received]).toEqual([1000, 1000]);
    for (const row of all.filter((one) => one['type'] !== 'GUEST_PAYMENT')) expect(row['amountDue']).toBeNull();
    await expectIntegrity(system.bed.db);
  });

  it('that is still asked for is what is asked, also after a part of it, and in the answer of a confirmation', async () => {
    const id = await seedStay(system.bed.db);
    await pay(id, 300);
    const asked = (await confirm(id)).body.data.transaction;
    expect(asked).toMatchObject({ status: 'PENDING', amount: 1000, amountDue: 1000 });
    for (const row of await shown(asked.id, id)) if (row) expect(row).toMatchObject({ amount: 1000, amountDue: 1000 });
    await pay(id, 700);
    const again = await seedStay(system.bed.db);
    await pay(again, 300);
    await pay(again, 700);
    expect((await confirm(again)).body.data.transaction).toMatchObject({
      status: 'COMPLETED',
      amount: 700,
      amountDue: 1000,
    });
  });
});
