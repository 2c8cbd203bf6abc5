import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RoomyError } from '../../src/kernel/errors.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { API, at, type Call, type Http, startHttp } from './harness.ts';

/** How a saga is started and answered over HTTP; the orchestrator behind is a fake, its own tests are elsewhere. */

let http: Http;
beforeAll(async () => {
  http = await startHttp();
  // An agent acts within a portfolio (security.md Z4).
  await prepareStays(http.db);
  const subjectId = await seedStay(http.db);
  expect(subjectId).toBe('reservation-1');
  await http.db
    .updateTable('property')
    .set({ agent_ids: ['agent-7'] })
    .execute();
}, 60_000);
afterAll(() => http?.stop());
beforeEach(() => http.orchestrator.reset());

const PATH = `${API}/reservations/reservation-1/confirm`;
const confirm = (call: Call = {}) => http.call('POST', PATH, call);
const DONE = {
  success: true,
  data: {
    reservation: { id: 'reservation-1', status: 'CONFIRMED' },
    tasks: [{ id: 'task-1', type: 'CLEANING', title: 'Pre-arrival cleaning' }],
    transaction: { id: 'transaction-1', type: 'GUEST_PAYMENT' },
  },
  message: 'Reservation confirmed successfully',
};
const ended = (status: number, body: object): void => {
  http.orchestrator.end = { status, body: Buffer.from(JSON.stringify(body)) };
};
const hashOf = (index: number): unknown => at(http.orchestrator.accepts[index]?.request, 'idempotency', 'requestHash');

describe('confirming', () => {
  it('answers 200 with the stored bytes when the saga ends in time', async () => {
    ended(200, DONE);
    const answer = await confirm({ body: { confirmedBy: 'agent-1', notes: 'Confirmed after availability check' } });
    expect([answer.status, answer.text]).toEqual([200, JSON.stringify(DONE)]);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.headers.has('idempotency-replayed')).toBe(false);
    expect(http.orchestrator.waits).toEqual([2_000]);
  });

  it('Z9: acts for the caller, whatever name the body has', async () => {
    await confirm({
      as: 'AGENT',
      sub: 'agent-7',
      body: { confirmedBy: 'admin-1' },
      headers: { 'x-request-id': 'trace-9' },
    });
    expect(http.orchestrator.accepts[0]).toEqual({
      name: 'confirmReservation',
      request: {
        subjectId: 'reservation-1',
        input: { reservationId: 'reservation-1', requireAssignment: false },
        requester: { sub: 'agent-7', requestId: 'trace-9', ip: null, credential: expect.stringMatching(/^token:./) },
        // Decided where the saga is accepted, and by who calls alone.
        within: { agentId: 'agent-7' },
        onBehalfOf: 'admin-1',
        notes: null,
        idempotency: null,
      },
    });
    await confirm({ as: { scope: 'reservations:confirm' }, sub: 'agent-7', body: { requireAssignment: true } });
    expect(http.orchestrator.accepts[1]?.request).toMatchObject({
      input: { requireAssignment: true },
      requester: { sub: 'service:agent-7' },
      onBehalfOf: null,
    });
  });

  it('needs no body', async () => {
    for (const call of [{}, { body: {} }, { raw: '', headers: { 'content-type': 'application/json' } }]) {
      expect((await confirm(call)).status).toBe(202);
    }
    expect((await confirm({ raw: 'x' })).status).toBe(415);
  });

  it.each([
    { status: 'CONFIRMED' },
    { totalAmount: 1 },
    { confirmedBy: '../x' },
    { confirmedBy: null },
    { requireAssignment: 'true' },
    { notes: 'x'.repeat(2_001) },
    { notes: 7 },
    [],
    'text',
    null,
  ])('Z8: refuses the body %j and starts nothing', async (body) => {
    const answer = await confirm({ body });
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect(http.orchestrator.accepts).toEqual([]);
  });

  it('answers 202 with a place to look when it does not end in time', async () => {
    const answer = await confirm();
    expect(answer.status).toBe(202);
    expect(answer.headers.get('location')).toBe(`${API}/sagas/executions/saga-1`);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(at(answer.body, 'data')).toMatchObject({ sagaExecutionId: 'saga-1', status: 'pending' });
  });

  it('does not wait when asked not to', async () => {
    ended(200, DONE);
    const answer = await confirm({ headers: { prefer: 'respond-async' } });
    expect([answer.status, answer.headers.get('preference-applied')]).toEqual([202, 'respond-async']);
    expect(http.orchestrator.waits).toEqual([]);
  });

  it('waits as long as asked, and no longer than it may', async () => {
    const asked = await confirm({ headers: { prefer: 'wait=1' } });
    expect(asked.headers.get('preference-applied')).toBe('wait=1');
    const capped = await confirm({ headers: { prefer: 'wait=3600' } });
    expect(capped.headers.has('preference-applied')).toBe(false);
    expect(http.orchestrator.waits).toEqual([1_000, 2_000]);
  });

  it('passes on the refusal that a saga ended with, bytes and status', async () => {
    const refusal = {
      success: false,
      error: 'Property is not available for the selected dates',
      code: 'RESERVATION_CONFLICT',
      requestId: 'trace-1',
      details: { conflictingReservation: 'reservation-2' },
    };
    ended(409, refusal);
    const answer = await confirm();
    expect([answer.status, answer.text]).toEqual([409, JSON.stringify(refusal)]);
  });

  it('says when to come back if a saga ended because something was down', async () => {
    ended(503, { success: false, error: 'x', code: 'STEP_TIMEOUT', requestId: null });
    expect((await confirm()).headers.get('retry-after')).toBe('5');
  });

  it('points at the saga that is in the way', async () => {
    http.orchestrator.refusal = new RoomyError('SAGA_IN_PROGRESS', { details: { sagaExecutionId: 'saga-9' } });
    const answer = await confirm();
    expect([answer.status, answer.body.code]).toEqual([409, 'SAGA_IN_PROGRESS']);
    expect(answer.headers.get('location')).toBe(`${API}/sagas/executions/saga-9`);
  });

  it.each([
    ['RESERVATION_NOT_FOUND', 404],
    ['IDEMPOTENCY_KEY_REUSED', 422],
    ['IDEMPOTENCY_IN_PROGRESS', 409],
  ] as const)('passes on %s from acceptance', async (code, status) => {
    http.orchestrator.refusal = new RoomyError(code);
    const answer = await confirm();
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(answer.headers.get('retry-after')).toBe(code === 'IDEMPOTENCY_IN_PROGRESS' ? '1' : null);
  });
});

describe('an Idempotency-Key', () => {
  const keyed = (key: string, call: Call = {}) => confirm({ ...call, headers: { 'idempotency-key': key } });

  it('comes with a hash of method, path and body as they were understood', async () => {
    await keyed('key-1', { body: { confirmedBy: 'agent-1', notes: 'n' } });
    // Other order, other spaces, and a field given twice, of which the last counts.
    const headers = { 'idempotency-key': 'key-1', 'content-type': 'application/json' };
    await confirm({ raw: '{ "notes":"m", "notes":"n","confirmedBy":"agent-1"}', headers });
    await keyed('key-1', { body: { confirmedBy: 'agent-2', notes: 'n' } });
    expect(at(http.orchestrator.accepts[0]?.request, 'idempotency', 'key')).toBe('key-1');
    expect(hashOf(0)).toEqual(expect.any(Buffer));
    expect(hashOf(1)).toEqual(hashOf(0));
    expect(hashOf(2)).not.toEqual(hashOf(0));
  });

  it('stands for one path', async () => {
    await keyed('key-1');
    await http.call('POST', `${API}/reservations/reservation-2/confirm`, { headers: { 'idempotency-key': 'key-1' } });
    expect(hashOf(1)).not.toEqual(hashOf(0));
  });

  it('is the same for no body and for an empty one', async () => {
    await keyed('key-1');
    await keyed('key-1', { body: {} });
    expect(hashOf(1)).toEqual(hashOf(0));
  });

  it.each(['', 'x'.repeat(256), 'a b', 'é', 'a\tb'])(
    'that is not 1 to 255 visible characters is refused: %j',
    async (key) => {
      const answer = await keyed(key);
      expect([answer.status, answer.body.code]).toEqual([400, 'INVALID_IDEMPOTENCY_KEY']);
      expect(http.orchestrator.accepts).toEqual([]);
    },
  );

  it('of 255 visible characters is taken', async () => {
    expect((await keyed('~'.repeat(255))).status).toBe(202);
  });

  it('that was used before marks the answer as a repeat, ended or not', async () => {
    http.orchestrator.accepted = { ...http.orchestrator.accepted, replayed: true };
    const open = await keyed('key-1');
    expect([open.status, open.headers.get('idempotency-replayed')]).toEqual([202, 'true']);
    ended(200, DONE);
    const over = await confirm({ headers: { 'idempotency-key': 'key-1', prefer: 'respond-async' } });
    expect([over.status, over.text, over.headers.get('idempotency-replayed')]).toEqual([
      200,
      JSON.stringify(DONE),
      'true',
    ]);
    expect(over.headers.has('preference-applied')).toBe(false);
  });
});
