import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, inject, it } from 'vitest';
import { getExecution } from '../../src/engine/read/executions.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { unpacked } from '../../src/kernel/packed.ts';
import { expectInvariants } from '../faults/invariants.ts';
import { ranOf } from '../faults/verify.ts';
import { arrival, letWaitPass, signal } from '../faults/waits.ts';
import { shortErrand } from '../sagas/errand.ts';
import { patient, patientErrand } from '../sagas/patient-errand.ts';
import { createTestbed, drained, restOf, type Testbed, type TestProcess } from '../setup/engine.ts';

let bed: Testbed;
/** A Redis of this file's own, so that it can be emptied. */
let redisUrl: string;
let redis: Redis;
let prefix: string;

beforeAll(async () => {
  bed = await createTestbed([patientErrand, shortErrand]);
  await patient.prepare(bed.db);
  const url = new URL(bed.redisUrl);
  url.pathname = '/10';
  redisUrl = url.href;
  const admin = new URL(inject('redisAdminUrl'));
  admin.pathname = url.pathname;
  redis = new Redis(admin.href);
  await redis.flushdb();
});
afterAll(async () => {
  await bed?.drop();
  await redis?.flushdb();
  redis?.disconnect();
});
beforeEach(() => {
  prefix = bed.newPrefix();
});

/** After a loss of Redis checks are spread over some milliseconds, so one round may come too early for a saga. */
const reconcileUntil = (
  process: TestProcess,
  sagaId: string,
  isSo: (row: Awaited<ReturnType<typeof rowOf>>) => boolean,
) =>
  expect
    .poll(
      async () => {
        await process.engine.reconciler.tick();
        return isSo(await rowOf(sagaId));
      },
      { timeout: 15_000 },
    )
    .toBe(true);

const start = (works = true) => bed.start({ prefix, redisUrl, works });
const rowOf = (sagaId: string) =>
  bed.db.selectFrom('saga').selectAll().where('id', '=', sagaId).executeTakeFirstOrThrow();
const ask = async (process: TestProcess) =>
  (await bed.accept(process, patientErrand, await patient.seed(bed.db))).sagaId;
const secondsToDeadline = async (sagaId: string): Promise<number> => {
  const row = await bed.db
    .selectFrom('saga')
    .select(sql<number>`extract(epoch FROM deadline_at - now())::float8`.as('seconds'))
    .where('id', '=', sagaId)
    .executeTakeFirstOrThrow();
  return row.seconds;
};
async function expectCompleted(sagaId: string): Promise<void> {
  expect(await restOf(bed.db, sagaId)).toBe('completed');
  await drained(bed.db, sagaId);
  await patient.completed(bed.db, ranOf(patientErrand, sagaId, (await rowOf(sagaId)).subject_id));
  await expectInvariants(bed.db, [sagaId]);
}
const stepsOf = (name: string, version: number) =>
  name === patientErrand.name && version === 1 ? patientErrand.steps : null;
const read = (sagaId: string) =>
  getExecution(bed.db, sagaId, { stepsOf, seesCauses: true, detailsFor: (details) => details, startedBy: null });
const refusal = async (sent: Promise<unknown>): Promise<unknown> => {
  const error: unknown = await sent.catch((thrown: unknown) => thrown);
  return error instanceof RoomyError ? [error.status, error.code] : error;
};

it('waits through the death of its workers and the loss of Redis, and goes on at the signal', async () => {
  const first = await start();
  await first.engine.reconciler.tick();
  const sagaId = await ask(first);
  await arrival(bed.db, sagaId, 'approval');
  await drained(bed.db, sagaId);
  await first.vanish();
  await redis.flushdb();
  const heir = await start();
  // It looks at every open saga, because Redis is empty, and has nothing to dispatch.
  await heir.engine.reconciler.tick();
  expect(await rowOf(sagaId)).toMatchObject({ status: 'running', current_step: 2, generation: 1 });
  expect(await signal(heir, sagaId, 'approval')).toBe('taken');
  await arrival(bed.db, sagaId, 'receipt');
  // Its next check is the end of its time.
  await reconcileUntil(heir, sagaId, ({ next_check_at }) => next_check_at.getTime() > Date.now() + 3_600_000);
  expect(await signal(heir, sagaId, 'receipt')).toBe('taken');
  await expectCompleted(sagaId);
});

it('is undone when the time of a wait is up that may fail', async () => {
  const process = await start();
  const sagaId = await ask(process);
  await arrival(bed.db, sagaId, 'approval');
  await process.engine.reconciler.tick();
  expect((await rowOf(sagaId)).status).toBe('running');
  await letWaitPass(bed.db, sagaId);
  await reconcileUntil(process, sagaId, ({ status }) => status !== 'running');
  expect(await restOf(bed.db, sagaId)).toBe('compensated');
  const { response_status, response_body, subject_id } = await rowOf(sagaId);
  expect(response_status).toBe(409);
  const answer: unknown = JSON.parse(String(unpacked(response_body ?? Buffer.alloc(0))));
  expect(answer).toMatchObject({ code: 'WAIT_TIMED_OUT', failedStep: 'approval', compensated: true });
  await patient.compensated(bed.db, ranOf(patientErrand, sagaId, subject_id));
  expect(await refusal(signal(process, sagaId, 'approval'))).toEqual([409, 'SAGA_NOT_WAITING']);
});

it('goes on without a signal when the time of a wait is up that may not fail', async () => {
  const process = await start();
  const sagaId = await ask(process);
  await signal(process, sagaId, 'approval');
  await arrival(bed.db, sagaId, 'receipt');
  await letWaitPass(bed.db, sagaId);
  await reconcileUntil(process, sagaId, ({ status }) => status !== 'running');
  await expectCompleted(sagaId);
  const { response_body } = await rowOf(sagaId);
  expect(JSON.parse(String(unpacked(response_body ?? Buffer.alloc(0))))).toMatchObject({ data: { receipt: null } });
  expect(await refusal(signal(process, sagaId, 'receipt'))).toEqual([409, 'SAGA_NOT_WAITING']);
});

it('takes one signal for each wait, by its key', async () => {
  const process = await start();
  const sagaId = await ask(process);
  await arrival(bed.db, sagaId, 'approval');
  const sent = { sagaId, name: 'approval', payload: { decision: 'no' }, key: 'k', by: 'olivia', requestId: null };
  const send = (change: Partial<typeof sent> & { payload?: unknown } = {}) =>
    process.engine.orchestrator.signal({ ...sent, ...change });
  expect(await refusal(send({ sagaId: 'saga-unknown' }))).toEqual([404, 'SAGA_NOT_FOUND']);
  expect(await refusal(send({ name: 'nothing' }))).toEqual([409, 'SAGA_NOT_WAITING']);
  expect(await refusal(send({ name: 'noteVisit' }))).toEqual([409, 'SAGA_NOT_WAITING']);
  expect(await refusal(send({ payload: { decision: 'perhaps' } }))).toEqual([422, 'VALIDATION_FAILED']);
  expect(await send()).toBe('taken');
  expect(await send()).toBe('repeated');
  expect(await refusal(send({ payload: { decision: 'yes' } }))).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  expect(await refusal(send({ key: 'another' }))).toEqual([409, 'SAGA_NOT_WAITING']);
  await signal(process, sagaId, 'receipt');
  expect(await restOf(bed.db, sagaId)).toBe('completed');
  expect(await send()).toBe('repeated');
  expect((await read(sagaId)).steps[1]).toMatchObject({ attempts: 1, output: { signal: { decision: 'no' } } });
  const audit = await bed.db
    .selectFrom('audit_log')
    .select(['event', 'actor'])
    .where('saga_id', '=', sagaId)
    .where('event', '=', 'SAGA_SIGNALLED')
    .execute();
  expect(audit).toEqual([
    { event: 'SAGA_SIGNALLED', actor: 'olivia' },
    { event: 'SAGA_SIGNALLED', actor: 'olivia' },
  ]);
});

it('shows where it waits, since when and until when; its deadline stands still meanwhile', async () => {
  const process = await start();
  const sagaId = await ask(process);
  await arrival(bed.db, sagaId, 'approval');
  const shown = await read(sagaId);
  expect(shown).toMatchObject({ status: 'running', currentStepName: 'approval', stepsCompleted: 1 });
  const [since, until] = [Date.parse(shown.waiting?.since ?? ''), Date.parse(shown.waiting?.until ?? '')];
  expect(shown.waiting?.step).toBe('approval');
  expect(until - since).toBe(48 * 3_600_000);
  expect(shown.steps.map(({ kind, status }) => `${kind} ${status}`)).toEqual([
    'statement done',
    'wait waiting',
    'tx pending',
    'wait pending',
    'statement pending',
  ]);
  expect(shown.steps[1]?.waitsUntil).toBe(shown.waiting?.until);
  expect(await secondsToDeadline(sagaId)).toBeGreaterThan(48 * 3_600);
  await signal(process, sagaId, 'approval');
  await arrival(bed.db, sagaId, 'receipt');
  await signal(process, sagaId, 'receipt');
  expect(await secondsToDeadline(sagaId)).toBeLessThan(15 * 60);
  await expectCompleted(sagaId);
  expect((await read(sagaId)).waiting).toBeNull();
});

it('holds the kinds of its remaining steps, and is nothing for a person to retry or to close', async () => {
  const process = await start();
  const sagaId = await ask(process);
  await arrival(bed.db, sagaId, 'approval');
  expect(await rowOf(sagaId)).toMatchObject({ holds_state: true, holds_money: true });
  const person = { sagaId, by: 'olivia', requestId: null, via: 'api' } as const;
  expect(await process.engine.orchestrator.retry(person)).toBe('stale');
  const closed = process.engine.orchestrator.resolve({ ...person, reason: 'done by hand' });
  expect(await refusal(closed)).toEqual([409, 'SAGA_NOT_PARKED']);
  await signal(process, sagaId, 'approval');
  await arrival(bed.db, sagaId, 'receipt');
  expect(await rowOf(sagaId)).toMatchObject({ holds_state: false, holds_money: true });
  await signal(process, sagaId, 'receipt');
  await expectCompleted(sagaId);
});

it('keeps a signal that comes before the saga arrives', async () => {
  const desk = await start(false);
  const sagaId = await ask(desk);
  expect(await signal(desk, sagaId, 'receipt')).toBe('kept');
  expect(await signal(desk, sagaId, 'approval')).toBe('kept');
  expect(await rowOf(sagaId)).toMatchObject({ status: 'pending', current_step: 1 });
  await start();
  await expectCompleted(sagaId);
  expect(await rowOf(sagaId)).toMatchObject({ generation: 1 });
});
