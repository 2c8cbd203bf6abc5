import type { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordAudit } from '../../src/domain/audit/record.ts';
import { createTokenVerifier } from '../../src/http/auth.ts';
import { mintToken } from '../../src/http/mint.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLogger } from '../../src/kernel/log.ts';
import { createOpsApp } from '../../src/ops/app.ts';
import type { OpsEnv } from '../../src/ops/guard.ts';
import { settleJobId, stepJobId } from '../../src/queues/jobs.ts';
import { COMPENSATION_QUEUE, FORWARD_QUEUE } from '../../src/queues/names.ts';
import { checkIn, checkOut, confirmReservation, processPayment } from '../../src/sagas/index.ts';
import { PLANT, withFault } from '../faults/with-fault.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { openSandbox, paymentInput, type Sandbox } from '../sagas/money.ts';
import { createTestbed, restOf, type Testbed, type TestProcess, until } from '../setup/engine.ts';

/** Operators press Retry in the real Bull Board, over the real orchestrator. */

const ORIGIN = 'http://ops.test';
const jwt = {
  keys: [{ kid: 'k1', secret: new TextEncoder().encode('a secret of the tests that is long enough') }],
  issuer: 'roomy',
  audience: 'roomy-api',
};

let bed: Testbed;
let sandbox: Sandbox;
let process: TestProcess;
let board: Hono<OpsEnv>;
let cookie: string;

beforeAll(async () => {
  sandbox = await openSandbox();
  bed = await createTestbed([confirmReservation, checkIn, checkOut, processPayment], sandbox.ports);
  await PLANT_IN(bed);
  await prepareStays(bed.db);
  process = await bed.start({ prefix: bed.newPrefix() });
  const verify = createTokenVerifier(jwt, systemClock);
  board = createOpsApp({
    db: process.db,
    queues: process.engine.queues.queues,
    orchestrator: process.engine.orchestrator,
    verifyToken: async (token) => {
      const caller = await verify(`Bearer ${token}`);
      return { sub: caller.principal, role: caller.kind === 'person' ? caller.role : null };
    },
    audit: (entry) => recordAudit(process.db, entry),
    log: createLogger('test', 'silent'),
  });
  const token = await mintToken(jwt, systemClock, { sub: 'olivia', grant: { role: 'OPS' }, lifetimeSeconds: 600 });
  const answer = await call('/login', { method: 'POST', body: new URLSearchParams({ token }) });
  cookie = (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
});
afterAll(async () => {
  await bed?.drop();
  await sandbox?.close();
});

const PLANT_IN = async (target: Testbed): Promise<void> => {
  const client = await target.client();
  await client.query(PLANT);
};

const call = (path: string, init: RequestInit = {}): Promise<Response> => {
  const headers = new Headers({ 'sec-fetch-site': 'same-origin', ...(cookie ? { cookie } : {}) });
  return Promise.resolve(board.request(`${ORIGIN}${path}`, { redirect: 'manual', ...init, headers }));
};
const pressRetry = (queue: string, jobId: string): Promise<Response> =>
  call(`/queues/api/queues/${queue}/${encodeURIComponent(jobId)}/retry`, { method: 'PUT' });

const auditsOf = async (sagaId: string): Promise<string[]> => {
  const rows = await bed.db
    .selectFrom('audit_log')
    .select(['event', 'actor'])
    .where('saga_id', '=', sagaId)
    .orderBy('seq')
    .execute();
  return rows.map(({ event, actor }) => `${event} ${actor}`);
};
const failedJob = (queue: string, jobId: string): Promise<true> =>
  until(`job ${jobId} is red`, async () =>
    (await process.engine.queues.queue(queue).getJobState(jobId)) === 'failed' ? true : undefined,
  );

/** The number of a confirmation's step. */
const no = (name: string): number => confirmReservation.steps.findIndex((step) => step.name === name) + 1;

describe('Retry in Bull Board', () => {
  it('resumes a compensation that gave up, to the end of the chain, in the name of the operator', async () => {
    const { definition } = await withFault(bed, confirmReservation, [
      { step: no('createPostCleaningTask'), direction: 'F', mode: 'refuses' },
      { step: no('createCheckInTask'), direction: 'C', mode: 'breaks', times: 2 },
    ]);
    const id = await seedStay(bed.db);
    const { sagaId } = await bed.accept(process, definition, { subjectId: id, input: { reservationId: id } });
    expect(await restOf(bed.db, sagaId)).toBe('parked');
    const jobId = stepJobId(sagaId, 2, 'C', no('createCheckInTask'));
    await failedJob(COMPENSATION_QUEUE, jobId);

    expect((await pressRetry(COMPENSATION_QUEUE, jobId)).status).toBeLessThan(300);
    expect(await restOf(bed.db, sagaId)).toBe('compensated');
    const steps = await bed.db
      .selectFrom('saga_step')
      .select(['step_no', 'status', 'done_at_version'])
      .where('saga_id', '=', sagaId)
      .where('direction', '=', 'C')
      .orderBy('done_at_version')
      .execute();
    const undone = confirmReservation.steps.slice(1, no('createPostCleaningTask') - 1).map((step) => step.no);
    expect(steps.map(({ step_no }) => step_no)).toEqual(undone.toReversed());
    expect(new Set(steps.map(({ status }) => status))).toEqual(new Set(['done']));
    expect(await auditsOf(sagaId)).toContain('SAGA_RESUMED olivia');
  });

  it('leaves nothing waiting in the queues when the chain was resumed through the API instead', async () => {
    const { definition } = await withFault(bed, confirmReservation, [
      { step: no('createPostCleaningTask'), direction: 'F', mode: 'refuses' },
      { step: no('createCheckOutTask'), direction: 'C', mode: 'breaks', times: 2 },
    ]);
    const id = await seedStay(bed.db);
    const { sagaId } = await bed.accept(process, definition, { subjectId: id, input: { reservationId: id } });
    expect(await restOf(bed.db, sagaId)).toBe('parked');
    await failedJob(COMPENSATION_QUEUE, stepJobId(sagaId, 2, 'C', no('createCheckOutTask')));
    await process.engine.orchestrator.retry({ sagaId, by: 'olivia', requestId: null, via: 'api' });
    expect(await restOf(bed.db, sagaId)).toBe('compensated');
    await until('no job of the old chain waits', async () => {
      const counts = await process.engine.queues
        .queue(COMPENSATION_QUEUE)
        .getJobCounts('waiting-children', 'wait', 'active', 'delayed');
      return Object.values(counts).every((count) => count === 0) ? true : undefined;
    });
  });

  it('does nothing for a saga that has ended, says so in the audit trail, and leaves no job that looks done', async () => {
    const { definition } = await withFault(bed, confirmReservation, [
      { step: no('createCleaningTask'), direction: 'F', mode: 'breaks', times: 9 },
    ]);
    const hasty = { ...definition, steps: definition.steps.map((step) => ({ ...step, maxAttempts: 1 })) };
    bed.register(hasty);
    const id = await seedStay(bed.db);
    const { sagaId } = await bed.accept(process, hasty, { subjectId: id, input: { reservationId: id } });
    expect(await restOf(bed.db, sagaId)).toBe('compensated');
    const jobId = stepJobId(sagaId, 1, 'F', no('createCleaningTask'));
    await failedJob(FORWARD_QUEUE, jobId);
    const before = await bed.db.selectFrom('saga').selectAll().where('id', '=', sagaId).executeTakeFirstOrThrow();

    expect((await pressRetry(FORWARD_QUEUE, jobId)).status).toBeLessThan(300);
    await until('the job has run', async () =>
      (await process.engine.queues.queue(FORWARD_QUEUE).getJobState(jobId)) === 'unknown' ? true : undefined,
    );
    expect(await bed.db.selectFrom('saga').selectAll().where('id', '=', sagaId).executeTakeFirstOrThrow()).toEqual(
      before,
    );
    expect((await auditsOf(sagaId)).at(-1)).toBe('STALE_RETRY olivia');
  });

  it('has nothing to press for a refusal: its job is not red, and no job of what did not run looks done', async () => {
    const { definition } = await withFault(bed, confirmReservation, [
      { step: no('createCleaningTask'), direction: 'F', mode: 'refuses' },
    ]);
    const id = await seedStay(bed.db);
    const { sagaId } = await bed.accept(process, definition, { subjectId: id, input: { reservationId: id } });
    expect(await restOf(bed.db, sagaId)).toBe('compensated');
    const queue = process.engine.queues.queue(FORWARD_QUEUE);
    await until('the flow is over', async () =>
      (await queue.getJobState(settleJobId(sagaId, 1))) === 'completed' ? true : undefined,
    );
    const states = await Promise.all(
      definition.steps.map(({ no: step }) => queue.getJobState(stepJobId(sagaId, 1, 'F', step))),
    );
    const refusedAt = no('createCleaningTask');
    expect(states).toEqual(definition.steps.map(({ no: step }) => (step <= refusedAt ? 'completed' : 'unknown')));
    expect((await queue.getJob(stepJobId(sagaId, 1, 'F', refusedAt)))?.returnvalue).toMatchObject({
      outcome: 'ended',
      refused: true,
    });
  });

  it('resumes a forward step that was parked for a person', async () => {
    const { definition } = await withFault(bed, confirmReservation, [
      { step: no('createCheckInTask'), direction: 'F', mode: 'breaks', times: 2 },
    ]);
    const patient = {
      ...definition,
      steps: definition.steps.map((step) => ({ ...step, onExhausted: 'park' as const })),
    };
    bed.register(patient);
    const id = await seedStay(bed.db);
    const { sagaId } = await bed.accept(process, patient, { subjectId: id, input: { reservationId: id } });
    expect(await restOf(bed.db, sagaId)).toBe('parked');
    const jobId = stepJobId(sagaId, 1, 'F', no('createCheckInTask'));
    await failedJob(FORWARD_QUEUE, jobId);

    expect((await pressRetry(FORWARD_QUEUE, jobId)).status).toBeLessThan(300);
    expect(await restOf(bed.db, sagaId)).toBe('completed');
  });
});

describe('a saga that waits for an approval', () => {
  it('is let go on by nobody’s Retry, neither of its job nor of all that failed', async () => {
    const id = await seedStay(bed.db);
    const reference = `ref-board-${id}`;
    const signals = [{ rule: 'VELOCITY', points: 50, observed: 10, threshold: 10 }];
    const input = { ...paymentInput(id, reference), review: { score: 50, signals } };
    const { sagaId } = await bed.accept(process, processPayment, { subjectId: id, input });
    expect(await restOf(bed.db, sagaId)).toBe('parked');
    const jobId = stepJobId(sagaId, 1, 'F', 1);
    await failedJob(FORWARD_QUEUE, jobId);
    const saga = () => bed.db.selectFrom('saga').selectAll().where('id', '=', sagaId).executeTakeFirstOrThrow();
    const before = await saga();

    const one = await pressRetry(FORWARD_QUEUE, jobId);
    expect(one.status).toBe(409);
    expect(await one.text()).toContain('waits for an approval');
    expect(await saga()).toEqual(before);
    const all = await call(`/queues/api/queues/${FORWARD_QUEUE}/retry/failed`, { method: 'PUT' });
    expect(all.status).toBe(409);
    expect(await all.text()).toContain('were left as they are');
    expect(await process.engine.queues.queue(FORWARD_QUEUE).getJobState(jobId)).toBe('failed');
    expect(await saga()).toEqual(before);
    expect(before).toMatchObject({ status: 'parked', error_code: 'APPROVAL_REQUIRED' });
    expect(await sandbox.netOf(reference)).toBe(0);
    expect(await auditsOf(sagaId)).toEqual(expect.arrayContaining(['RETRY_WITHOUT_APPROVAL olivia']));
    const { status } = await bed.db
      .selectFrom('approval')
      .select('status')
      .where('saga_id', '=', sagaId)
      .executeTakeFirstOrThrow();
    expect(status).toBe('PENDING');
  });
});

describe('devices that are down at a check-out', () => {
  it('are seen to by a person, who presses Retry; nothing is left on', async () => {
    const id = await seedStay(bed.db);
    const { property_id } = await bed.db
      .selectFrom('reservation')
      .select('property_id')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    const wire = (device: string) =>
      bed.db.updateTable('property').set({ amenity_device: device }).where('id', '=', property_id).execute();
    const device = `lock-of-${property_id}`;
    await wire(device);
    for (const definition of [confirmReservation, checkIn]) {
      const before = await bed.accept(process, definition, { subjectId: id, input: { reservationId: id } });
      expect(await restOf(bed.db, before.sagaId)).toBe('completed');
    }
    const deactivating = checkOut.steps.findIndex(({ name }) => name === 'deactivatePropertyAmenities');
    await wire(`device-down-${property_id}`);
    const { sagaId } = await bed.accept(process, checkOut, { subjectId: id, input: { reservationId: id } });
    expect(await restOf(bed.db, sagaId)).toBe('parked');
    const jobId = stepJobId(sagaId, 1, 'F', deactivating + 1);
    await failedJob(FORWARD_QUEUE, jobId);
    const alerts = () =>
      bed.db.selectFrom('notification').select('event').where('saga_id', '=', sagaId).orderBy('event').execute();
    expect(await alerts()).toEqual([{ event: 'MAINTENANCE_ALERT' }]);

    await wire(device);
    expect((await pressRetry(FORWARD_QUEUE, jobId)).status).toBeLessThan(300);
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    const grants = await sandbox.ports.amenities.grantsOf(device, AbortSignal.timeout(5_000));
    expect(grants.map((grant) => grant.active)).toEqual([false]);
  });
});

describe('an undoing', () => {
  it('does not revert a reservation that somebody changed since, but calls a person', async () => {
    const { definition } = await withFault(bed, confirmReservation, [
      { step: no('createCleaningTask'), direction: 'F', mode: 'refuses' },
    ]);
    const id = await seedStay(bed.db);
    const changing = await bed.start({
      prefix: bed.newPrefix(),
      failpoint: async (name) => {
        if (name !== 'before-fail') return;
        await bed.db.updateTable('reservation').set({ version: 99 }).where('id', '=', id).execute();
      },
    });
    const { sagaId } = await bed.accept(changing, definition, { subjectId: id, input: { reservationId: id } });
    expect(await restOf(bed.db, sagaId)).toBe('parked');
    const step = await bed.db
      .selectFrom('saga_step')
      .select('error')
      .where('saga_id', '=', sagaId)
      .where('direction', '=', 'C')
      .where('status', '=', 'failed')
      .executeTakeFirstOrThrow();
    expect(step.error).toMatchObject({ code: 'SUPERSEDED' });
    const stay = await bed.db
      .selectFrom('reservation')
      .select(['status', 'version'])
      .where('id', '=', id)
      .executeTakeFirst();
    expect(stay).toEqual({ status: 'CONFIRMED', version: 99 });
  });
});
