import type { Insertable } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SagaStepTable, SagaTable } from '../../src/db/schema.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { confirmReservation } from '../../src/sagas/index.ts';
import { API, addReservation, at, type Http, seed, startHttp } from './harness.ts';

const STEPS = confirmReservation.steps.length;

let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await seed(http.db);
  for (const id of ['stay-a', 'stay-b', 'stay-c', 'stay-d']) await addReservation(http.db, id);
  await addSaga('saga-done', 'stay-a', { status: 'completed', requested_by: 'service:booker' }, 1);
  await addSaga('saga-undone', 'stay-b', { status: 'compensated', error_code: 'RESERVATION_CONFLICT' }, 2);
  await addSaga('saga-parked', 'stay-c', { status: 'parked', current_step: 4, error_code: 'STEP_FAILED' }, 3);
  await addSaga('saga-going', 'stay-d', { status: 'running', current_step: 4 }, 4);
  await addSteps();
}, 60_000);
afterAll(() => http?.stop());
beforeEach(() => http.orchestrator.reset());

/** `minute` orders them: the last is the newest. */
async function addSaga(
  id: string,
  stay: string,
  fields: Partial<Insertable<SagaTable>>,
  minute: number,
): Promise<void> {
  const over = fields.status === 'completed' || fields.status === 'compensated';
  await http.db
    .insertInto('saga')
    .values({
      id,
      name: 'confirmReservation',
      definition_ver: confirmReservation.version,
      subject_type: 'reservation',
      subject_id: stay,
      input: '{}',
      input_hash: Buffer.alloc(32),
      requested_by: 'agent-1',
      requested_at: new Date(Date.UTC(2024, 0, 15, 10, minute)),
      total_steps: STEPS,
      current_step: STEPS,
      deadline_at: new Date(Date.UTC(2024, 0, 15, 11)),
      error_detail: fields.error_code
        ? JSON.stringify({ code: fields.error_code, failedStep: 'x', cause: 'Error: secret' })
        : null,
      ...(over ? { finished_at: new Date(), response_status: 200, response_body: Buffer.from('{}') } : {}),
      ...fields,
    })
    .execute();
}

const step = (saga: string, no: number, direction: 'F' | 'C', fields: Partial<Insertable<SagaStepTable>>) => {
  const started = new Date('2024-01-15T10:00:00.000Z');
  const done = fields.status === 'done';
  return {
    saga_id: saga,
    step_no: no,
    direction,
    name: confirmReservation.steps[no - 1]?.name ?? '',
    kind: 'LOCAL' as const,
    class: no === 1 ? ('READ' as const) : ('COMPENSABLE' as const),
    attempt: 1,
    max_attempts: 8,
    started_at: started,
    finished_at: fields.status === 'pending' ? null : new Date(started.getTime() + 40),
    done_at_version: done ? no : null,
    ...fields,
  };
};

async function addSteps(): Promise<void> {
  const done = (saga: string, no: number, result: object, direction: 'F' | 'C' = 'F') =>
    step(saga, no, direction, { status: 'done', result: JSON.stringify(result) });
  await http.db
    .insertInto('saga_step')
    .values([
      done('saga-going', 1, { propertyId: 'property-1', amountMinor: 5 }),
      done('saga-going', 2, { version: 2 }),
      done('saga-going', 3, { cleaningTaskId: 'task-1', assignee: null }),
      done('saga-undone', 1, {}),
      done('saga-undone', 2, {}),
      step('saga-undone', 3, 'F', {
        status: 'failed',
        error: JSON.stringify({ code: 'STEP_FAILED', cause: 'Error: secret' }),
      }),
      done('saga-undone', 3, {}, 'C'),
      done('saga-undone', 2, {}, 'C'),
    ])
    .execute();
}

const ids = (body: unknown): unknown[] => {
  const items = at(body, 'data');
  return Array.isArray(items) ? items.map((item) => at(item, 'id')) : [];
};

describe('sagas', () => {
  it('are listed newest first, with counts by status', async () => {
    const all = await http.call('GET', `${API}/sagas`);
    expect(ids(all.body)).toEqual(['saga-going', 'saga-parked', 'saga-undone', 'saga-done']);
    expect(all.body.counts).toEqual({
      pending: 0,
      running: 1,
      compensating: 0,
      parked: 1,
      completed: 1,
      compensated: 1,
      resolved: 0,
    });
  });

  it('are filtered, and counted for the filter without its status', async () => {
    const of = async (query: string) => ids((await http.call('GET', `${API}/sagas?${query}`)).body);
    expect(await of('status=parked')).toEqual(['saga-parked']);
    expect(await of('name=checkIn')).toEqual([]);
    expect(await of('reservationId=stay-b')).toEqual(['saga-undone']);
    expect(await of('from=2024-01-15T10:03:00Z')).toEqual(['saga-going', 'saga-parked']);
    expect(await of('to=2024-01-15T10:02:00Z')).toEqual(['saga-done']);
    const one = await http.call('GET', `${API}/sagas?status=parked&reservationId=stay-a`);
    expect([at(one.body, 'data'), at(one.body, 'counts', 'completed'), at(one.body, 'counts', 'running')]).toEqual([
      [],
      1,
      0,
    ]);
    expect((await http.call('GET', `${API}/sagas?status=done`)).status).toBe(422);
  });

  it('are paged', async () => {
    const first = await http.call('GET', `${API}/sagas?limit=3`);
    const second = await http.call('GET', `${API}/sagas?limit=3&cursor=${String(first.body.nextCursor)}`);
    expect(ids(second.body)).toEqual(['saga-done']);
    expect(second.body.nextCursor).toBeNull();
  });

  it('are shown to a service only when it started them', async () => {
    const as = { scope: 'sagas:read' };
    const mine = await http.call('GET', `${API}/sagas`, { as, sub: 'booker' });
    expect([ids(mine.body), at(mine.body, 'counts', 'running')]).toEqual([['saga-done'], 0]);
    expect(ids((await http.call('GET', `${API}/sagas`, { as, sub: 'agent-1' })).body)).toEqual([]);
    expect((await http.call('GET', `${API}/sagas/executions/saga-going`, { as, sub: 'booker' })).status).toBe(404);
    expect((await http.call('GET', `${API}/sagas/executions/saga-done`, { as, sub: 'booker' })).status).toBe(200);
  });
});

describe('the status of a saga by name', () => {
  const PATH = `${API}/sagas/confirmReservation/status`;

  it('is that of its newest execution, in the brief’s fields', async () => {
    const answer = await http.call('GET', PATH);
    expect(at(answer.body, 'data')).toEqual({
      name: 'confirmReservation',
      status: 'running',
      currentStep: 4,
      totalSteps: STEPS,
      createdAt: '2024-01-15T10:04:00.000Z',
      updatedAt: expect.any(String),
      data: { reservationId: 'stay-d', propertyId: 'property-1', cleaningTaskId: 'task-1' },
      currentStepName: 'createCheckInTask',
      stepsCompleted: 3,
      executionId: 'saga-going',
    });
  });

  it('is that of a reservation or of an execution when asked', async () => {
    const of = async (query: string) => at((await http.call('GET', `${PATH}?${query}`)).body, 'data', 'executionId');
    expect(await of('reservationId=stay-a')).toBe('saga-done');
    expect(await of('executionId=saga-undone')).toBe('saga-undone');
    expect(await of('executionId=saga-undone&reservationId=stay-a')).toBeUndefined();
  });

  it('ends at the last step', async () => {
    const answer = await http.call('GET', `${PATH}?executionId=saga-done`);
    expect(at(answer.body, 'data')).toMatchObject({ status: 'completed', currentStep: STEPS, totalSteps: STEPS });
  });

  it('is not found for a saga that never ran, or has no such name', async () => {
    for (const name of ['checkIn', 'nope', 'executions']) {
      const answer = await http.call('GET', `${API}/sagas/${name}/status`);
      expect([answer.status, answer.body.code]).toEqual([404, 'SAGA_NOT_FOUND']);
    }
  });
});

describe('an execution', () => {
  const steps = async (id: string, as: 'ADMIN' | 'AGENT' = 'ADMIN') => {
    const answer = await http.call('GET', `${API}/sagas/executions/${id}`, { as });
    const found = at(answer.body, 'data', 'steps');
    return Array.isArray(found) ? found : [];
  };

  it('shows what is done, and what is to come', async () => {
    const timeline = await steps('saga-going');
    expect(timeline.map((s) => at(s, 'name'))).toEqual(confirmReservation.steps.map((s) => s.name));
    expect(timeline.map((s) => at(s, 'status'))).toEqual(['done', 'done', 'done', ...Array(STEPS - 3).fill('pending')]);
    expect(timeline[2]).toEqual({
      step: 3,
      name: 'createCleaningTask',
      direction: 'forward',
      kind: 'statement',
      class: 'compensable',
      status: 'done',
      attempts: 1,
      maxAttempts: 8,
      effectKey: 'saga-going-3-F',
      output: { cleaningTaskId: 'task-1', assignee: null },
      error: null,
      startedAt: '2024-01-15T10:00:00.000Z',
      endedAt: '2024-01-15T10:00:00.040Z',
      durationMs: 40,
      waitsUntil: null,
      skipped: null,
      ifSkipped: null,
      readsAgain: false,
    });
  });

  it('that was undone shows so: backwards, after what it had done', async () => {
    const timeline = await steps('saga-undone');
    expect(timeline.map((s) => `${at(s, 'direction')} ${at(s, 'step')} ${at(s, 'status')}`)).toEqual([
      'forward 1 done',
      'forward 2 done',
      'forward 3 failed',
      ...Array.from({ length: STEPS - 3 }, (_, index) => `forward ${index + 4} skipped`),
      'compensation 3 done',
      'compensation 2 done',
    ]);
  });

  it('tells technical causes to operators alone', async () => {
    expect(JSON.stringify(await steps('saga-undone', 'ADMIN'))).toContain('secret');
    expect(JSON.stringify(await steps('saga-undone', 'AGENT'))).not.toContain('secret');
    const listed = await http.call('GET', `${API}/sagas`, { as: 'AGENT' });
    expect(listed.text).not.toContain('secret');
  });

  it('that is not there is not found', async () => {
    const answer = await http.call('GET', `${API}/sagas/executions/nope`);
    expect([answer.status, answer.body.code]).toEqual([404, 'SAGA_NOT_FOUND']);
  });

  it('is at work on its reservation, which then cannot be changed', async () => {
    const stay = await http.call('GET', `${API}/reservations/stay-d?include=sagas`);
    expect(at(stay.body, 'data', 'activeSagaId')).toBe('saga-going');
    expect(at(stay.body, 'data', 'sagas', 0, 'id')).toBe('saga-going');
    for (const id of ['stay-c', 'stay-d']) {
      const change = await http.call('PATCH', `${API}/reservations/${id}`, { body: { notes: 'x' } });
      expect([change.status, change.body.code]).toEqual([409, 'SAGA_IN_PROGRESS']);
      expect(change.headers.get('location')).toMatch(/\/sagas\/executions\/saga-/);
    }
    expect((await http.call('PATCH', `${API}/reservations/stay-a`, { body: { notes: 'x' } })).status).toBe(200);
  });
});

describe('an operator', () => {
  const PATH = `${API}/sagas/executions/saga-parked`;

  it('resumes a parked execution, with or without a reason', async () => {
    const answer = await http.call('POST', `${PATH}/retry`, { as: 'OPS', sub: 'ops-1', body: { reason: 'fixed' } });
    expect([answer.status, at(answer.body, 'data', 'id')]).toEqual([200, 'saga-parked']);
    expect(http.orchestrator.interventions).toEqual([
      {
        sagaId: 'saga-parked',
        by: 'ops-1',
        requestId: answer.headers.get('x-request-id'),
        ip: null,
        credential: expect.stringMatching(/^token:./),
        via: 'api',
        reason: 'fixed',
      },
    ]);
    expect((await http.call('POST', `${PATH}/retry`)).status).toBe(200);
  });

  it('is told when there was nothing to resume', async () => {
    http.orchestrator.retryOutcome = 'stale';
    const answer = await http.call('POST', `${PATH}/retry`);
    expect([answer.status, answer.body.code]).toEqual([409, 'SAGA_NOT_PARKED']);
  });

  it('closes one with a reason only', async () => {
    const closed = await http.call('POST', `${PATH}/resolve`, { body: { reason: 'settled by hand' } });
    expect(closed.status).toBe(200);
    expect(http.orchestrator.interventions.at(-1)).toMatchObject({ via: 'api', reason: 'settled by hand' });
    for (const body of [
      {},
      { reason: '' },
      { reason: '  ' },
      { reason: 'x'.repeat(501) },
      { reason: 'x', force: true },
    ]) {
      expect((await http.call('POST', `${PATH}/resolve`, { body })).status).toBe(422);
    }
    expect((await http.call('POST', `${PATH}/resolve`)).status).toBe(400);
  });

  it('is told what the orchestrator refuses', async () => {
    http.orchestrator.refusal = new RoomyError('SAGA_NOT_PARKED');
    const answer = await http.call('POST', `${PATH}/resolve`, { body: { reason: 'x' } });
    expect([answer.status, answer.body.code]).toEqual([409, 'SAGA_NOT_PARKED']);
  });
});
