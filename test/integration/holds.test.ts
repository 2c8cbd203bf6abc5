import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FORWARD_QUEUE } from '../../src/queues/names.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { restOf, until } from '../setup/engine.ts';
import { type Answer, type CallOptions, type System, startSystem } from '../setup/system.ts';

/** Pausing and resuming through the API. That a hold keeps every step of every saga is in test/faults/holds.test.ts. */
let system: System;
beforeAll(async () => {
  // What is paused is answered 202 at once.
  system = await startSystem(undefined, { sagaWaitMs: 1 });
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

const post = (path: string, body: object, options: CallOptions = {}): Promise<Answer> =>
  system.call('POST', path, { role: 'OPS', sub: 'ops-1', body, ...options });
const pause = (hold: object, options?: CallOptions): Promise<Answer> =>
  post('/holds', { reason: 'It is being moved', ...hold }, options);
const resume = (id: string, options?: CallOptions): Promise<Answer> =>
  post(`/holds/${id}/release`, { reason: 'It is back' }, options);
const execution = async (id: string): Promise<Answer['body']> =>
  (await system.call('GET', `/sagas/executions/${id}`)).body.data;

async function confirmStay(stay: string): Promise<string> {
  return (await system.call('POST', `/reservations/${stay}/confirm`, { body: {} })).body.data.sagaExecutionId;
}
async function confirmedStay(): Promise<string> {
  const stay = await seedStay(system.bed.db);
  await system.bed.db.updateTable('reservation').set({ status: 'CONFIRMED' }).where('id', '=', stay).execute();
  return stay;
}
async function pay(stay: string): Promise<string> {
  const body = { amount: 10, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `ref-${stay}` };
  return (await system.call('POST', `/reservations/${stay}/payment`, { body })).body.data.sagaExecutionId;
}

/** Its job has come, and was sent away again. */
const comesToStand = (sagaId: string) =>
  until(`the job of ${sagaId} waits`, async () => {
    const jobs = await system.process.engine.queues.queue(FORWARD_QUEUE).getJobs(['delayed']);
    return jobs.some((job) => job?.data.sagaId === sagaId) ? true : undefined;
  });

describe.each([
  ['every saga', { scope: 'ALL' }, 'ALL', () => seedStay(system.bed.db), confirmStay],
  [
    'a name',
    { scope: 'NAME', subject: 'confirmReservation' },
    'confirmReservation',
    () => seedStay(system.bed.db),
    confirmStay,
  ],
  ['a gateway', { scope: 'GATEWAY', subject: GATEWAY }, GATEWAY, confirmedStay, pay],
])('pausing %s', (_what, hold, subject, prepare, begin) => {
  it('keeps what is new, says so, and lets it go on when it is resumed', async () => {
    const stay = await prepare();
    const paused = await pause(hold);
    expect([paused.status, paused.body.data.status]).toEqual([201, 'OPEN']);
    const holdId: string = paused.body.data.id;
    const id = await begin(stay);
    await comesToStand(id);
    const pausedBy = { holdId, subject, scope: hold.scope, by: 'ops-1', reason: 'It is being moved' };
    expect(await execution(id)).toMatchObject({ status: 'pending', pausedBy });
    const listed = await system.call('GET', `/sagas?status=pending`);
    expect(listed.body.data).toEqual([expect.objectContaining({ id, pausedBy: expect.objectContaining({ holdId }) })]);
    expect(await resume(holdId)).toMatchObject({ status: 200, body: { data: { status: 'RELEASED' } } });
    expect(await restOf(system.bed.db, id)).toBe('completed');
    expect(await execution(id)).toMatchObject({ pausedBy: null });
  });
});

describe('a hold', () => {
  it('is audited with person and reason, when it is set and when it is released', async () => {
    const { body } = await pause({ scope: 'STEP', subject: 'checkOut.deactivatePropertyAmenities' });
    await resume(body.data.id, { role: 'ADMIN', sub: 'admin-7' });
    const rows = await system.bed.db
      .selectFrom('audit_log')
      .select(['event', 'actor', 'body'])
      .where('stream_id', '=', `hold:${body.data.id}`)
      .orderBy('seq')
      .execute();
    expect(rows.map(({ event, actor }) => `${event} ${actor}`)).toEqual(['HOLD_SET ops-1', 'HOLD_RELEASED admin-7']);
    expect(rows.map(({ body: text }) => JSON.parse(text).details.reason)).toEqual(['It is being moved', 'It is back']);
  });

  it('stands once for each thing, and is released once', async () => {
    const hold = { scope: 'NAME', subject: 'checkOut' };
    const { body } = await pause(hold);
    expect((await pause(hold)).body.code).toBe('INVALID_STATE_TRANSITION');
    expect((await resume(body.data.id)).status).toBe(200);
    expect((await resume(body.data.id)).body.code).toBe('INVALID_STATE_TRANSITION');
    expect((await resume('hold-nowhere')).body.code).toBe('NOT_FOUND');
    expect(body.data.id).not.toBe((await pause(hold)).body.data.id);
  });

  it.each([
    [{ scope: 'NAME', subject: 'checkOuts' }, 422, 'VALIDATION_FAILED'],
    [{ scope: 'STEP', subject: 'checkOut.nothing' }, 422, 'VALIDATION_FAILED'],
    [{ scope: 'GATEWAY', subject: 'gateway-nowhere' }, 422, 'GATEWAY_UNKNOWN'],
    [{ scope: 'SAGA', subject: 'saga-nowhere' }, 404, 'SAGA_NOT_FOUND'],
    [{ scope: 'SAGA' }, 422, 'VALIDATION_FAILED'],
    [{ scope: 'ALL', subject: 'checkOut' }, 422, 'VALIDATION_FAILED'],
    [{ scope: 'EVERYTHING' }, 422, 'VALIDATION_FAILED'],
  ])('of nothing is refused: %j', async (hold, status, code) => {
    const answer = await pause(hold);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  it('of an execution that has ended is refused', async () => {
    const id = await confirmStay(await seedStay(system.bed.db));
    await restOf(system.bed.db, id);
    expect((await pause({ scope: 'SAGA', subject: id })).body.code).toBe('INVALID_STATE_TRANSITION');
  });

  it.each([
    [{ scope: 'NAME', subject: 'executeRefund' }, 201],
    [{ scope: 'STEP', subject: 'processOwnerPayout.executePayout' }, 201],
    [{ scope: 'GATEWAY', subject: 'bank' }, 201],
    [{ scope: 'GATEWAY', subject: 'devices' }, 403],
    [{ scope: 'NAME', subject: 'checkIn' }, 403],
    [{ scope: 'ALL' }, 403],
  ])('is for FINANCE where it is about money: %j', async (hold, status) => {
    expect((await pause(hold, { role: 'FINANCE', sub: 'finance-1' })).status).toBe(status);
  });

  it('of something else is not for FINANCE to release', async () => {
    const { body } = await pause({ scope: 'NAME', subject: 'changeAccess' });
    expect((await resume(body.data.id, { role: 'FINANCE', sub: 'finance-1' })).status).toBe(403);
  });
});
