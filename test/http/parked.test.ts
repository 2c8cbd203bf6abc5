import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { restOf } from '../setup/engine.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';
import { API } from './harness.ts';

/** A request whose saga parks is answered when it parks. Every saga's ways to park are in test/faults; here: through HTTP. */
let system: System;
beforeAll(async () => {
  // Long beyond the test's own time limit: who is not woken fails.
  system = await startSystem(undefined, { sagaWaitMs: 600_000 });
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

const act = (path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> =>
  system.call('POST', path, { body, headers, role: 'ADMIN' });
const payment = (id: string, amount: number) => ({
  amount,
  currency: 'AED',
  gatewayId: GATEWAY,
  gatewayReference: `ref-${id}`,
});

/** A departure whose door cannot be locked: past the point of no return. */
async function departure() {
  const id = await seedStay(system.bed.db);
  await act(`/reservations/${id}/confirm`, {});
  await act(`/reservations/${id}/check-in`, {});
  const { property_id } = await system.bed.db
    .selectFrom('reservation')
    .select('property_id')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  await system.bed.db
    .updateTable('property')
    .set({ amenity_device: `device-refused-${id}` })
    .where('id', '=', property_id)
    .execute();
  return { path: `/reservations/${id}/check-out`, body: {}, by: 'admin-1' };
}
/** A refund that needs a second pair of eyes. */
async function cancellation() {
  const id = await seedStay(system.bed.db);
  await system.bed.db.updateTable('reservation').set({ total_minor: 2_000_000 }).where('id', '=', id).execute();
  await act(`/reservations/${id}/confirm`, {});
  expect((await act(`/reservations/${id}/payment`, payment(id, 20_000))).status).toBe(200);
  // The policy gives nothing back any more.
  const dates = { check_in_date: '2024-02-01', check_out_date: '2024-02-03' };
  await system.bed.db.updateTable('reservation').set(dates).where('id', '=', id).execute();
  return { path: `/reservations/${id}/cancel`, body: { refundPercentOverride: 100, reason: 'GOODWILL' } };
}

describe.each([
  ['past its point of no return', departure, 'forward'],
  ['for a second person', cancellation, 'forward'],
])('a saga that parks %s', (_how, prepare, direction) => {
  it('answers 202 at once, with what it waits for, and the same bytes on every repeat', async () => {
    const { path, body } = await prepare();
    const key = `key-${path}`;
    const first = await act(path, body, { 'idempotency-key': key });
    expect([first.status, first.body.data.status]).toEqual([202, 'parked']);
    const { sagaExecutionId, waitsFor } = first.body.data;
    expect(waitsFor).toEqual({
      step: expect.any(String),
      direction,
      code: expect.stringMatching(/^[A-Z_]+$/),
      message: expect.any(String),
    });
    const self = `${API}/sagas/executions/${sagaExecutionId}`;
    expect(first.body.data.links).toEqual({ self });
    expect(first.headers.get('location')).toBe(self);
    expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0);
    const again = await act(path, body, { 'idempotency-key': key });
    expect([again.status, again.text]).toEqual([202, first.text]);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    // The person closes it: from then on its end is the answer.
    await system.call('POST', `/sagas/executions/${sagaExecutionId}/resolve`, {
      body: { reason: 'settled' },
      sub: 'ops-2',
    });
    expect(await restOf(system.bed.db, sagaExecutionId)).toBe('resolved');
    expect((await act(path, body, { 'idempotency-key': key })).body.code).toBe('SAGA_RESOLVED');
  });
});
