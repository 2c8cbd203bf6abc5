import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { restOf, until } from '../setup/engine.ts';
import { type Answer, type CallOptions, type System, startSystem } from '../setup/system.ts';

/** The acts on an execution and what is shown of it, through the API. That they are right at every step is in test/faults. */
let system: System;
beforeAll(async () => {
  system = await startSystem(undefined, { sagaWaitMs: 500 });
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

const post = (path: string, body: object, options: CallOptions = {}): Promise<Answer> =>
  system.call('POST', path, { role: 'OPS', sub: 'ops-1', body, ...options });
const get = (path: string, options: CallOptions = {}): Promise<Answer> => system.call('GET', path, options);

async function confirm(stay: string, key: string): Promise<Answer> {
  return system.call('POST', `/reservations/${stay}/confirm`, { body: {}, headers: { 'idempotency-key': key } });
}

/** The execution that a request has started; it may be over by the time that it is answered. */
async function newestOf(stay: string): Promise<string> {
  const saga = await system.bed.db
    .selectFrom('saga')
    .select('id')
    .where('subject_id', '=', stay)
    .orderBy('requested_at', 'desc')
    .executeTakeFirstOrThrow();
  return saga.id;
}

/** An execution that people have paused before its first step, so that it can be cancelled at leisure. */
async function heldConfirmation(): Promise<{ id: string; stay: string; key: string; holdId: string }> {
  const stay = await seedStay(system.bed.db);
  const hold = await post('/holds', { scope: 'NAME', subject: 'confirmReservation', reason: 'x' });
  const key = `confirm-${stay}`;
  const id: string = (await confirm(stay, key)).body.data.sagaExecutionId;
  return { id, stay, key, holdId: hold.body.data.id };
}

describe('cancelling', () => {
  it('answers the caller who asked for it with who cancelled it and why', async () => {
    const { id, stay, key, holdId } = await heldConfirmation();
    const cancelled = await post(`/sagas/executions/${id}/cancel`, { reason: 'The guest has called' });
    expect([cancelled.status, cancelled.body.data.status]).toEqual([200, 'compensated']);
    await post(`/holds/${holdId}/release`, { reason: 'x' });
    const again = await until('the request is answered', async () => {
      const answer = await confirm(stay, key);
      return answer.status === 202 ? undefined : answer;
    });
    expect([again.status, again.body.code, again.body.details]).toEqual([
      409,
      'SAGA_CANCELLED',
      { reason: 'The guest has called', cancelledBy: 'ops-1' },
    ]);
    // The stay is free for another request.
    await confirm(stay, `${key}-again`);
    expect(await restOf(system.bed.db, await newestOf(stay))).toBe('completed');
    expect((await post(`/sagas/executions/${id}/cancel`, { reason: 'x' })).body.code).toBe('INVALID_STATE_TRANSITION');
  });

  it('is not for FINANCE where it is not about money, and needs a reason', async () => {
    const { id, holdId } = await heldConfirmation();
    const path = `/sagas/executions/${id}/cancel`;
    expect((await post(path, { reason: 'x' }, { role: 'FINANCE', sub: 'finance-1' })).status).toBe(403);
    expect((await post(path, {})).status).toBe(422);
    expect((await post('/sagas/executions/saga-none/cancel', { reason: 'x' })).body.code).toBe('SAGA_NOT_FOUND');
    await post(`/holds/${holdId}/release`, { reason: 'x' });
    expect(await restOf(system.bed.db, id)).toBe('completed');
  });
});

describe('a retry now', () => {
  it('is refused for what does not back off, and says what to do', async () => {
    const { id, holdId } = await heldConfirmation();
    const paused = await post(`/sagas/executions/${id}/retry-now`, {});
    expect([paused.body.code, paused.body.error]).toEqual([
      'INVALID_STATE_TRANSITION',
      'It is paused: release the hold first',
    ]);
    await post(`/holds/${holdId}/release`, { reason: 'x' });
    await restOf(system.bed.db, id);
    expect((await post(`/sagas/executions/${id}/retry-now`, {})).body.error).toBe('It has ended');
  });
});

/** A check-out whose lock says no: parked behind its point of no return. */
async function parkedCheckOut(): Promise<{ id: string; stay: string }> {
  const stay = await seedStay(system.bed.db);
  const rests = async (name: string): Promise<string> => {
    await system.call('POST', `/reservations/${stay}/${name}`, { body: {} });
    const id = await newestOf(stay);
    await restOf(system.bed.db, id);
    return id;
  };
  const wire = async (device: string): Promise<void> => {
    const { property_id } = await system.bed.db
      .selectFrom('reservation')
      .select('property_id')
      .where('id', '=', stay)
      .executeTakeFirstOrThrow();
    await system.bed.db.updateTable('property').set({ amenity_device: device }).where('id', '=', property_id).execute();
  };
  await rests('confirm');
  await wire(`lock-of-${stay}`);
  await rests('check-in');
  await wire(`device-refused-${stay}`);
  return { id: await rests('check-out'), stay };
}

/** What the report says of the devices, and what somebody has to do there. */
async function leftAtTheDoor(stay: string) {
  const { report } = (await get(`/reservations/${stay}/check-out-report`)).body.data;
  const tasks = await system.bed.db
    .selectFrom('task')
    .select(['type', 'status', 'priority'])
    .where('reservation_id', '=', stay)
    .where('occurrence', '=', 'DOOR_CODE_OFF')
    .execute();
  expect(report.incidents).toEqual([]);
  const entries = (await get(`/reservations/${stay}/timeline?limit=100`)).body.data;
  const access = entries.filter((entry: { kind: string }) => entry.kind === 'access');
  expect(access.map((entry: { details: { change: string } }) => entry.details.change)).toEqual([
    'GRANTED',
    'REVOKED_BY_HAND',
  ]);
  return {
    report: report.amenities.status,
    tasks: tasks.map(({ type, status, priority }) => `${type} ${status} ${priority}`),
  };
}

describe('resolving', () => {
  it('a check-out whose lock is dead leaves no code on and no report missing', async () => {
    const { id, stay } = await parkedCheckOut();
    const path = `/sagas/executions/${id}`;
    const { ifResolved } = (await get(path)).body.data;
    expect(ifResolved).toMatchObject({ refused: null, runs: ['generateCheckOutReport'] });
    expect(ifResolved.byHand.map((one: { step: string }) => one.step)).toEqual([
      'deactivatePropertyAmenities',
      'sendThankYouNotification',
    ]);
    const resolved = await post(`${path}/resolve`, { reason: 'Taken off the door' });
    expect([resolved.status, resolved.body.data.status, resolved.body.data.ifResolved]).toEqual([
      200,
      'resolved',
      null,
    ]);
    expect(await leftAtTheDoor(stay)).toEqual({ report: 'REVOKED_BY_HAND', tasks: ['MAINTENANCE UNASSIGNED HIGH'] });
    const grants = await system.bed.db
      .selectFrom('amenity_grant')
      .select('status')
      .where('reservation_id', '=', stay)
      .execute();
    expect(grants).toEqual([{ status: 'REVOKED' }]);
    expect((await post(`${path}/resolve`, { reason: 'x' })).body.code).toBe('SAGA_NOT_PARKED');
  });
});

describe('skipping a step', () => {
  const REVOKE = 'deactivatePropertyAmenities';
  it('lets a check-out end whose lock is dead, and says who did it, why, and what to do by hand', async () => {
    const { id, stay } = await parkedCheckOut();
    const path = `/sagas/executions/${id}`;
    const parked = await get(path, { role: 'OPS', sub: 'ops-1' });
    expect(parked.body.data.status).toBe('parked');
    const step = (answer: Answer) => answer.body.data.steps.find(({ name }: { name: string }) => name === REVOKE);
    expect(step(parked)).toMatchObject({ skipped: null, ifSkipped: expect.stringContaining('by hand') });

    expect((await post(`${path}/skip`, { step: REVOKE })).status).toBe(422);
    expect((await post(`${path}/skip`, { step: REVOKE, reason: ' ' })).status).toBe(422);
    const other = await post(`${path}/skip`, { step: 'generateCheckOutReport', reason: 'x' });
    expect([other.body.code, other.body.error]).toEqual(['INVALID_STATE_TRANSITION', 'It stands at another step']);
    const finance = { role: 'FINANCE', sub: 'finance-1' } as const;
    expect((await post(`${path}/skip`, { step: REVOKE, reason: 'x' }, finance)).status).toBe(403);
    expect((await post(`${path}/skip`, { step: REVOKE, reason: 'x' }, { role: 'AGENT', sub: 'agent-1' })).status).toBe(
      403,
    );

    const amended = await post(`${path}/amend`, { input: { actualTime: 'x' }, reason: 'x' });
    expect([amended.status, amended.body.details.known]).toEqual([422, []]);
    expect((await post(`${path}/amend`, { input: {}, reason: 'x' })).status).toBe(422);
    expect((await post(`${path}/retry`, { fromStep: 'updateReservationStatus' })).body.error).toContain(
      'is done, and is not done twice',
    );

    const skipped = await post(`${path}/skip`, { step: REVOKE, reason: 'Taken off the door with Mr Smith' });
    expect(skipped.status).toBe(200);
    expect(step(skipped)).toMatchObject({
      status: 'skipped',
      skipped: { by: 'ops-1', reason: 'Taken off the door with Mr Smith' },
      output: { amenities: 'REVOKED_BY_HAND' },
    });
    expect(await restOf(system.bed.db, id)).toBe('completed');
    expect((await get(`/reservations/${stay}`)).body.data.status).toBe('CHECKED_OUT');
    expect(await leftAtTheDoor(stay)).toEqual({ report: 'REVOKED_BY_HAND', tasks: ['MAINTENANCE UNASSIGNED HIGH'] });
    const ended = (await get(path)).body.data;
    expect(ended.stepsCompleted).toBe(ended.totalSteps);
    expect((await post(`${path}/skip`, { step: REVOKE, reason: 'x' })).body.code).toBe('SAGA_NOT_PARKED');
    const attempts = (await get(`${path}/attempts`)).body.data.attempts;
    expect(attempts.find(({ name }: { name: string }) => name === REVOKE)).toMatchObject({ outcome: 'failed' });
    const { text, body } = await get(`${path}/export`);
    expect(text).not.toContain('Smith');
    expect(step({ ...skipped, body: { data: body.data } })).toMatchObject({ skipped: { by: 'ops-1', reason: null } });
    expect(body.data.audit.map(({ event }: { event: string }) => event)).toContain('SAGA_STEP_SKIPPED');
  });
});

/** A payment whose gateway was asked, and a stay whose guest wrote something. */
async function payment(): Promise<string> {
  const stay = await seedStay(system.bed.db);
  await system.bed.db.updateTable('reservation').set({ status: 'CONFIRMED' }).where('id', '=', stay).execute();
  const body = { amount: 10, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `ref-${stay}` };
  await system.call('POST', `/reservations/${stay}/payment`, { body });
  const id = await newestOf(stay);
  await restOf(system.bed.db, id);
  return id;
}

describe('what is shown of an execution', () => {
  it('is each attempt with worker, duration and output, and the masked input', async () => {
    const id = await payment();
    const { body } = await get(`/sagas/executions/${id}/attempts`);
    expect(body.data.input).toMatchObject({ gatewayId: GATEWAY, amountMinor: 1_000 });
    const call = body.data.attempts.find(({ name }: { name: string }) => name === 'createGuestPaymentTransaction');
    expect(call).toMatchObject({
      attempt: 1,
      outcome: 'done',
      worker: expect.stringMatching(/^process-/),
      error: null,
    });
    expect(call.durationMs).toBeGreaterThanOrEqual(0);
    expect(body.data.attempts.map(({ outcome }: { outcome: string }) => outcome)).not.toContain('later');
    const masked = await get(`/sagas/executions/${id}/attempts`, { role: 'OPS', sub: 'ops-1' });
    expect(masked.body.data.input).toMatchObject({ gatewayId: GATEWAY, amountMinor: null });
  });

  it('is one document without a word of a person', async () => {
    const hold = await post('/holds', { scope: 'GATEWAY', subject: GATEWAY, reason: 'Mr Smith is moving it' });
    const stay = await seedStay(system.bed.db);
    await system.bed.db.updateTable('reservation').set({ status: 'CONFIRMED' }).where('id', '=', stay).execute();
    const body = {
      amount: 10,
      currency: 'AED',
      gatewayId: GATEWAY,
      gatewayReference: `ref-${stay}`,
      notes: 'For Mr Smith',
    };
    const paid = await system.call('POST', `/reservations/${stay}/payment`, { body });
    const id: string = paid.body.data.sagaExecutionId;
    await post(`/holds/${hold.body.data.id}/release`, { reason: 'Mr Smith is back' });
    await restOf(system.bed.db, id);
    const { status, body: shown, text } = await get(`/sagas/executions/${id}/export`);
    expect(status).toBe(200);
    expect(text).not.toContain('Smith');
    expect(shown.data).toMatchObject({
      execution: { id, status: 'completed', notes: null },
      holds: [expect.objectContaining({ id: hold.body.data.id, scope: 'GATEWAY', subject: GATEWAY, heldBy: 'ops-1' })],
    });
    expect(shown.data.steps.length).toBe(shown.data.execution.totalSteps);
    expect(shown.data.attempts.length).toBeGreaterThanOrEqual(shown.data.execution.totalSteps);
    const events = shown.data.audit.map(({ event }: { event: string }) => event);
    expect(events.length).toBeGreaterThan(1);
    expect((await get('/sagas/executions/saga-none/export')).body.code).toBe('SAGA_NOT_FOUND');
    expect((await get(`/sagas/executions/${id}/export`, { role: 'AGENT', sub: 'agent-1' })).status).toBe(403);
  });
});
