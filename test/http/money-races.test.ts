import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareStays, seedRivals, seedStay } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { createSimulatedDatabase, type SimulatedDatabase } from '../setup/database.ts';
import { restOf } from '../setup/engine.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';

/** Many who want the same at the same moment, and what comes again when the rules have changed meanwhile. The stays begin on 2031-02-01. */

let simulated: SimulatedDatabase;
let system: System;
beforeAll(async () => {
  simulated = await createSimulatedDatabase();
  system = await startSystem(simulated);
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

let made = 0;
const next = (name: string): string => {
  made += 1;
  return `${name}-${made}`;
};
type Headers = Record<string, string>;
const act = (id: string, what: string, body: object = {}, headers: Headers = {}): Promise<Answer> =>
  system.call('POST', `/reservations/${id}/${what}`, { body, headers });
const pay = (id: string, body: object = {}, headers: Headers = {}): Promise<Answer> => {
  const order = { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference: next('ref-race') };
  return act(id, 'payment', { ...order, ...body }, headers);
};
async function paidStay(): Promise<string> {
  const id = await seedStay(system.bed.db);
  expect((await act(id, 'confirm')).status).toBe(200);
  const paid = await pay(id);
  expect(paid.status, paid.text).toBe(200);
  return id;
}
const many = <T>(count: number, one: (n: number) => Promise<T>): Promise<readonly T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => one(n)));
const statusesOf = (answers: readonly Answer[]): readonly number[] => answers.map(({ status }) => status);
const refundedOf = async (id: string): Promise<number> =>
  (await system.call('GET', `/financial/summary?reservationId=${id}`)).body.data.currencies[0].refunded;
const sagasOf = (id: string) =>
  system.bed.db.selectFrom('saga').select(['id', 'status']).where('subject_id', '=', id).execute();
async function atRest(ids: readonly string[]): Promise<void> {
  for (const id of ids)
    for (const saga of await sagasOf(id))
      expect(['completed', 'compensated']).toContain(await restOf(system.bed.db, saga.id));
}

it('M6: fifty cancellations of one stay under keys of their own give its money back once', {
  timeout: 60_000,
}, async () => {
  const id = await paidStay();
  const answers = await many(50, (n) => act(id, 'cancel', {}, { 'idempotency-key': `${id}-${n}` }));
  expect(statusesOf(answers).toSorted()).toEqual([200, ...Array<number>(49).fill(409)]);
  expect((await act(id, 'cancel')).status).toBe(409);
  expect(await refundedOf(id)).toBe(1000);
  const refunds = (await system.sandbox.movements()).filter(({ kind }) => kind === 'REFUND');
  expect(refunds).toHaveLength(1);
  await expectIntegrity(system.bed.db);
});

it('M8: a payment on its way keeps the shares with which it began', { timeout: 60_000 }, async () => {
  const id = await seedStay(system.bed.db);
  expect((await act(id, 'confirm')).status).toBe(200);
  const path = '/financial/income-distribution';
  const begun = await pay(id, { gatewayReference: next('ref-flaky') }, { prefer: 'respond-async' });
  expect(begun.status).toBe(202);
  const { headers, body } = await system.call('GET', path);
  const { ownerIncome, roomyAgencyFee, referringAgent } = body.data;
  const etag = headers.get('etag') ?? '';
  const changed = { ownerIncome: 10, roomyAgencyFee: 85, referringAgent: 5 };
  const set = await system.call('PUT', path, { body: changed, headers: { 'if-match': etag } });
  expect(set.status, set.text).toBe(200);
  await atRest([id]);
  const { transactions } = (await system.call('GET', `/reservations/${id}?include=transactions`)).body.data;
  const payouts = transactions.filter(({ type }: { readonly type: string }) => type === 'OWNER_PAYOUT');
  expect(payouts.map(({ amount }: { readonly amount: number }) => amount)).toEqual([700]);
  const back = { body: { ownerIncome, roomyAgencyFee, referringAgent }, headers: { 'if-match': '*' } };
  expect((await system.call('PUT', path, back)).status).toBe(200);
  await expectIntegrity(system.bed.db);
});

it('M10: of a hundred stays that overlap one is confirmed, and the others are told so', {
  timeout: 120_000,
}, async () => {
  const rivals = await seedRivals(system.bed.db, 100);
  const answers = await many(100, (n) => act(rivals[n] ?? '', 'confirm', {}, { prefer: 'wait=60' }));
  expect(statusesOf(answers).toSorted()).toEqual([200, ...Array<number>(99).fill(409)]);
  expect(new Set(answers.flatMap(({ status, body }) => (status === 409 ? [body.code] : [])))).toEqual(
    new Set(['RESERVATION_CONFLICT']),
  );
  const stays = await system.bed.db.selectFrom('reservation').select('status').where('id', 'in', rivals).execute();
  expect(stays.filter(({ status }) => status === 'CONFIRMED')).toHaveLength(1);
  await atRest(rivals);
});

it('M11: a confirmation, a payment and a cancellation at once end each, fifty times over', {
  timeout: 120_000,
}, async () => {
  const ids: string[] = [];
  for (let n = 0; n < 50; n += 1) ids.push(await seedStay(system.bed.db));
  const orders = [
    ['confirm', 'pay', 'cancel'],
    ['cancel', 'pay', 'confirm'],
    ['pay', 'cancel', 'confirm'],
  ];
  const answers = await many(50, (n) =>
    Promise.all(
      (orders[n % orders.length] ?? []).map((what) => (what === 'pay' ? pay(ids[n] ?? '') : act(ids[n] ?? '', what))),
    ),
  );
  for (const answer of answers.flat()) expect([200, 202, 409], answer.text).toContain(answer.status);
  await atRest(ids);
  await expectIntegrity(system.bed.db);
});

describe('M9: a cancellation that comes again', () => {
  it('after midnight, when the policy gives less, has the answer and the amount of the first', async () => {
    const [id, other] = [await paidStay(), await paidStay()];
    await simulated.clock.moveTo('2031-01-10T19:59:00Z');
    const key = { 'idempotency-key': `cancel-${id}` };
    const first = await act(id, 'cancel', {}, key);
    expect(first.status, first.text).toBe(200);
    await simulated.clock.moveTo('2031-01-31T21:00:00Z');
    const again = await act(id, 'cancel', {}, key);
    expect([again.status, again.text]).toEqual([200, first.text]);
    const late = await act(other, 'cancel');
    expect(late.status, late.text).toBe(200);
    expect(await refundedOf(other)).toBeLessThan(await refundedOf(id));
    await expectIntegrity(system.bed.db);
  });
});
