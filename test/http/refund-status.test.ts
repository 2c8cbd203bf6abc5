import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventData } from '../../src/domain/events/stored.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { type System, startSystem } from '../setup/system.ts';

/** Only money that has gone back counts as refunded; the state of the rest is beside it. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

let references = 0;
/** A confirmed stay of 1000, paid in these parts by references that behave in these ways at a refund. */
async function paidStay(parts: readonly (readonly [amount: number, reference: string])[]): Promise<string> {
  const id = await seedStay(system.bed.db);
  expect((await system.call('POST', `/reservations/${id}/confirm`, { body: {} })).status).toBe(200);
  for (const [amount, reference] of parts) {
    references += 1;
    const order = { amount, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `${reference}-${references}` };
    const body = { ...order, paymentMethod: 'card' };
    expect((await system.call('POST', `/reservations/${id}/payment`, { body })).status).toBe(200);
  }
  return id;
}
const cancel = async (id: string, body: object = {}) =>
  (await system.call('POST', `/reservations/${id}/cancel`, { body })).body.data.refund;
const settle = (refundId: string) =>
  system.call('POST', `/transactions/${refundId}/settlement`, { body: { reference: `FT-${refundId}` } });
/** All places that show the refunds of a stay. */
async function statusOf(id: string) {
  const { paymentStatus, refundStatus } = (await system.call('GET', `/reservations/${id}`)).body.data;
  const list = await system.call('GET', '/reservations?limit=100');
  const listed = list.body.data.find((stay: { id: string }) => stay.id === id);
  expect([listed.paymentStatus, listed.refundStatus]).toEqual([paymentStatus, refundStatus]);
  const summary = await system.call('GET', `/financial/summary?reservationId=${id}`);
  return { paymentStatus, refundStatus, refunded: summary.body.data.currencies[0]?.refunded ?? 0 };
}

describe('the refunds of a stay', () => {
  it.each([
    ['none', [], { paymentStatus: 'UNPAID', refundStatus: 'NONE', refunded: 0 }],
    ['gone back', [[1000, 'ref']], { paymentStatus: 'REFUNDED', refundStatus: 'COMPLETED', refunded: 1000 }],
    ['on its way', [[1000, 'ref-refund-down']], { paymentStatus: 'PAID', refundStatus: 'PENDING', refunded: 0 }],
    [
      'one gone back, one on its way',
      [
        [400, 'ref'],
        [600, 'ref-refund-down'],
      ],
      { paymentStatus: 'PARTIALLY_REFUNDED', refundStatus: 'PENDING', refunded: 400 },
    ],
    [
      'one gone back, one for a person',
      [
        [400, 'ref'],
        [600, 'ref-refund-refused'],
      ],
      { paymentStatus: 'PARTIALLY_REFUNDED', refundStatus: 'MANUAL_REQUIRED', refunded: 400 },
    ],
  ] as const)('%s: status, list and summary say the same', async (_, parts, told) => {
    const id = await paidStay(parts);
    expect((await statusOf(id)).refundStatus).toBe('NONE');
    const refund = await cancel(id);
    expect(refund.status).toBe(told.refundStatus);
    expect(await statusOf(id)).toEqual(told);
    await expectIntegrity(system.bed.db);
  });

  it('that are settled by hand at the same moment are counted both', async () => {
    const id = await paidStay([
      [400, 'ref-refund-refused'],
      [600, 'ref-refund-refused'],
    ]);
    const refund = await cancel(id);
    expect(await statusOf(id)).toEqual({ paymentStatus: 'PAID', refundStatus: 'MANUAL_REQUIRED', refunded: 0 });
    const answers = await Promise.all(refund.transactionIds.map(settle));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(await statusOf(id)).toEqual({ paymentStatus: 'REFUNDED', refundStatus: 'COMPLETED', refunded: 1000 });
    const events = await system.bed.db
      .selectFrom('domain_event')
      .select(['resource', 'data'])
      .where('type', '=', 'reservation.payment_status_changed')
      .where('resource_id', '=', id)
      .orderBy('id')
      .execute();
    expect(events.map(({ resource, data }) => eventData(resource, data)).at(-1)).toMatchObject({
      paymentStatus: 'REFUNDED',
    });
    await expectIntegrity(system.bed.db);
  });
});
