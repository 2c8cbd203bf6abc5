import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningRedis, startRedis } from '../../scripts/services/redis.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { stepJobId } from '../../src/queues/jobs.ts';
import { FORWARD_QUEUE } from '../../src/queues/names.ts';
import { confirmReservation } from '../../src/sagas/index.ts';
import type { SagaRequest } from '../../src/sagas/orchestrator/types.ts';
import { expectInvariants } from '../faults/invariants.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { createTestbed, PRINCIPAL, restOf, sha256, type Testbed, type TestProcess, until } from '../setup/engine.ts';

/** What is lost on the way is found again; what is asked twice is done once. A Redis of its own, to be emptied and stopped. */

let bed: Testbed;
let redis: RunningRedis;
let home: string;
let process: TestProcess;

beforeAll(async () => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), 'roomy-recovery-'));
  redis = await startRedis({ dir: home, appendonly: false });
  bed = await createTestbed([confirmReservation]);
  await prepareStays(bed.db);
  process = await bed.start({ prefix: 'recovery', redisUrl: redis.url });
});
afterAll(async () => {
  await process.stop();
  await bed.drop();
  await redis.stop();
  fs.rmSync(home, { recursive: true, force: true });
});

const accept = async (by: TestProcess): Promise<string> => {
  const id = await seedStay(bed.db);
  return (await bed.accept(by, confirmReservation, { subjectId: id, input: { reservationId: id } })).sagaId;
};
const dueNow = (table: 'outbox' | 'saga') =>
  table === 'outbox'
    ? sql`UPDATE outbox SET available_at = now() WHERE published_at IS NULL`.execute(bed.db)
    : sql`UPDATE saga SET next_check_at = now() WHERE finished_at IS NULL`.execute(bed.db);
const emptyRedis = async (): Promise<void> => {
  const client = new Redis(redis.url);
  await client.flushall();
  client.disconnect();
};

describe('the relay', () => {
  it('publishes what the accepting process did not live to publish', async () => {
    const dying = await bed.start({
      prefix: 'recovery',
      redisUrl: redis.url,
      works: false,
      relay: false,
      failpoint: (name) => (name === 'before-publish' ? new Promise(() => undefined) : Promise.resolve()),
    });
    const sagaId = await accept(dying);
    await dying.vanish();
    await dueNow('outbox');
    expect(await restOf(bed.db, sagaId)).toBe('completed');
  });

  it('publishes out of order what was committed out of order', async () => {
    const idle = await bed.start({
      prefix: 'recovery',
      redisUrl: redis.url,
      works: false,
      relay: false,
      failpoint: (name) => (name === 'before-publish' ? new Promise(() => undefined) : Promise.resolve()),
    });
    const [first, second] = [await accept(idle), await accept(idle)];
    await sql`UPDATE outbox SET available_at = now() WHERE saga_id = ${second}`.execute(bed.db);
    expect(await restOf(bed.db, second)).toBe('completed');
    await sql`UPDATE outbox SET available_at = now() WHERE saga_id = ${first}`.execute(bed.db);
    expect(await restOf(bed.db, first)).toBe('completed');
    await idle.vanish();
  });

  it('does no harm when it publishes again', async () => {
    const sagaId = await accept(process);
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    await until('the order is marked', async () => {
      const row = await bed.db
        .selectFrom('outbox')
        .select('published_at')
        .where('saga_id', '=', sagaId)
        .executeTakeFirst();
      return row?.published_at ? true : undefined;
    });
    await sql`UPDATE outbox SET published_at = NULL, available_at = now() WHERE saga_id = ${sagaId}`.execute(bed.db);
    await until('the order is marked again', async () => {
      const row = await bed.db
        .selectFrom('outbox')
        .select('published_at')
        .where('saga_id', '=', sagaId)
        .executeTakeFirst();
      return row?.published_at ? true : undefined;
    });
    await expectInvariants(bed.db);
  });
});

describe('a saga is accepted while Redis is away', () => {
  it('and completes when it is back', async () => {
    await redis.stop();
    const sagaIds = [await accept(process), await accept(process)];
    expect(
      await bed.db
        .selectFrom('saga')
        .select('status')
        .where('id', '=', sagaIds[0] ?? '')
        .executeTakeFirst(),
    ).toEqual({ status: 'pending' });
    await redis.restart({ empty: true });
    for (const sagaId of sagaIds) expect(await restOf(bed.db, sagaId, 30_000)).toBe('completed');
  });
});

describe('the reconciler', () => {
  it('dispatches anew every open saga that an emptied Redis has forgotten', async () => {
    const holding = await bed.start({ prefix: 'forgotten', redisUrl: redis.url, works: false });
    const sagaIds = await Promise.all(Array.from({ length: 20 }, () => accept(holding)));
    const queue = holding.engine.queues.queue(FORWARD_QUEUE);
    await until('all flows are in Redis', async () =>
      (await queue.getWaitingCount()) === sagaIds.length ? true : undefined,
    );
    await holding.engine.reconciler.tick();
    await emptyRedis();
    const worker = await bed.start({ prefix: 'forgotten', redisUrl: redis.url });
    await worker.engine.reconciler.tick();
    for (const sagaId of sagaIds) expect(await restOf(bed.db, sagaId)).toBe('completed');
    const row = await bed.db
      .selectFrom('saga')
      .select('generation')
      .where('id', '=', sagaIds[0] ?? '')
      .executeTakeFirstOrThrow();
    expect(row.generation).toBe(2);
    await Promise.all([holding.stop(), worker.stop()]);
  });

  it('dispatches anew a chain of waiting parents below which no job is left', async () => {
    const holding = await bed.start({ prefix: 'beheaded', redisUrl: redis.url, works: false });
    const sagaId = await accept(holding);
    const queue = holding.engine.queues.queue(FORWARD_QUEUE);
    const first = await until(
      'the flow is in Redis',
      async () => (await queue.getJob(stepJobId(sagaId, 1, 'F', 1))) ?? undefined,
    );
    const client = new Redis(redis.url);
    await client.del(`{beheaded}:${FORWARD_QUEUE}:${first.id}`);
    await client.lrem(`{beheaded}:${FORWARD_QUEUE}:wait`, 0, first.id ?? '');
    client.disconnect();
    const worker = await bed.start({ prefix: 'beheaded', redisUrl: redis.url });
    await until('the order is marked', async () => {
      const row = await bed.db
        .selectFrom('outbox')
        .select('published_at')
        .where('saga_id', '=', sagaId)
        .executeTakeFirst();
      return row?.published_at ? true : undefined;
    });
    await dueNow('saga');
    await worker.engine.reconciler.tick();
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    await Promise.all([holding.stop(), worker.stop()]);
  });

  it('leaves alone a saga whose job only waits in a long queue', async () => {
    const holding = await bed.start({ prefix: 'patient', redisUrl: redis.url, works: false });
    const sagaId = await accept(holding);
    const queue = holding.engine.queues.queue(FORWARD_QUEUE);
    await until('the flow is in Redis', async () => (await queue.getJob(stepJobId(sagaId, 1, 'F', 1))) ?? undefined);
    await until('the order is marked', async () => {
      const row = await bed.db
        .selectFrom('outbox')
        .select('published_at')
        .where('saga_id', '=', sagaId)
        .executeTakeFirst();
      return row?.published_at ? true : undefined;
    });
    await dueNow('saga');
    await holding.engine.reconciler.tick();
    expect(await bed.db.selectFrom('saga').select('generation').where('id', '=', sagaId).executeTakeFirst()).toEqual({
      generation: 1,
    });
    const worker = await bed.start({ prefix: 'patient', redisUrl: redis.url });
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    await Promise.all([holding.stop(), worker.stop()]);
  });

  it('undoes a saga that is past its deadline', async () => {
    const holding = await bed.start({ prefix: 'late', redisUrl: redis.url, works: false });
    const sagaId = await accept(holding);
    await sql`UPDATE saga SET deadline_at = now() - interval '1 second', next_check_at = now() WHERE id = ${sagaId}`.execute(
      bed.db,
    );
    await holding.engine.reconciler.tick();
    expect(await restOf(bed.db, sagaId)).toBe('compensated');
    const row = await bed.db
      .selectFrom('saga')
      .select(['error_code', 'response_status'])
      .where('id', '=', sagaId)
      .executeTakeFirst();
    expect(row).toEqual({ error_code: 'SAGA_DEADLINE', response_status: 503 });
    await holding.stop();
  });
});

describe('a job', () => {
  it('that is forged, edited or of an earlier generation asks in vain', async () => {
    const sagaId = await accept(process);
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    const open = await bed.start({ prefix: 'forged', redisUrl: redis.url, works: false });
    const waiting = await accept(open);
    const snapshot = async () => ({
      sagas: await bed.db.selectFrom('saga').selectAll().orderBy('id').execute(),
      steps: await bed.db.selectFrom('saga_step').selectAll().orderBy('effect_key').execute(),
      tasks: await bed.db.selectFrom('task').select(['id', 'status']).orderBy('id').execute(),
    });
    const before = await snapshot();
    const queue = process.engine.queues.queue(FORWARD_QUEUE);
    const forgeries = [
      { sagaId, step: 3, direction: 'F', generation: 1 },
      { sagaId, step: 3, direction: 'C', generation: 1 },
      { sagaId: waiting, step: 5, direction: 'F', generation: 1 },
      { sagaId: waiting, step: 1, direction: 'C', generation: 1 },
      { sagaId: waiting, step: 1, direction: 'F', generation: 7 },
      { sagaId: 'nobody', step: 1, direction: 'F', generation: 1 },
      { sagaId: "' OR 1=1 --", step: 1, direction: 'F', generation: 1 },
      { sagaId, step: 'x'.repeat(100_000), direction: 'F', generation: 1 },
      {},
    ];
    const jobs = await queue.addBulk(
      forgeries.map((data, n) => ({ name: 'forged', data, opts: { jobId: `forged-${n}` } })),
    );
    await until('all of them have run', async () => {
      const states = await Promise.all(jobs.map((job) => queue.getJobState(job.id ?? '')));
      return states.every((state) => state === 'completed') ? true : undefined;
    });
    expect(await snapshot()).toEqual(before);
    const worker = await bed.start({ prefix: 'forged', redisUrl: redis.url });
    expect(await restOf(bed.db, waiting)).toBe('completed');
    await Promise.all([open.stop(), worker.stop()]);
  });
});

describe('a job that BullMQ fails', () => {
  it('without having asked the step is not a failed step: the saga completes', async () => {
    const holding = await bed.start({ prefix: 'stalled', redisUrl: redis.url, works: false });
    const sagaId = await accept(holding);
    const queue = holding.engine.queues.queue(FORWARD_QUEUE);
    const first = stepJobId(sagaId, 1, 'F', 1);
    await until('the flow is in Redis', async () =>
      (await queue.getJobState(first)) === 'waiting' ? true : undefined,
    );
    // As if its workers had died five times: taken, without a lock, and at its limit of stalls.
    const client = new Redis(redis.url);
    const keys = `{stalled}:${FORWARD_QUEUE}`;
    await client.lmove(`${keys}:wait`, `${keys}:active`, 'RIGHT', 'LEFT');
    await client.hset(`${keys}:${first}`, 'stc', 5);
    await client.sadd(`${keys}:stalled`, first);
    client.disconnect();
    const worker = await bed.start({ prefix: 'stalled', redisUrl: redis.url });
    await until('BullMQ has given the job up', async () =>
      (await queue.getJobState(first)) === 'failed' ? true : undefined,
    );
    await until('the saga is dispatched anew', async () => {
      await worker.engine.reconciler.tick();
      const row = await bed.db
        .selectFrom('saga')
        .select(['generation', 'status'])
        .where('id', '=', sagaId)
        .executeTakeFirstOrThrow();
      return row.generation > 1 || row.status === 'parked' ? row : undefined;
    });
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    await Promise.all([holding.stop(), worker.stop()]);
  });
});

describe('an idempotency key', () => {
  const request = (
    id: string,
    key: string,
    body = id,
    sub = PRINCIPAL,
  ): SagaRequest<{ reservationId: string; requireAssignment: boolean }> => ({
    subjectId: id,
    input: { reservationId: id, requireAssignment: false },
    requester: { sub, requestId: null },
    idempotency: { key, requestHash: sha256(body) },
  });
  const code = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'accepted',
      (error: unknown) => (error instanceof RoomyError ? error.code : String(error)),
    );

  it('that comes twenty times at once starts one saga, and all get the same bytes', async () => {
    const id = await seedStay(bed.db);
    const { orchestrator } = process.engine;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => orchestrator.accept(confirmReservation, request(id, 'twenty'))),
    );
    expect(new Set(answers.map(({ sagaId }) => sagaId)).size).toBe(1);
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(new Set(answers.map(({ accepted }) => accepted.body.toString())).size).toBe(1);
    const ends = await Promise.all(answers.map(({ sagaId }) => orchestrator.waitForEnd(sagaId, 20_000)));
    expect(new Set(ends.map((end) => end?.body.toString())).size).toBe(1);
    const replay = await orchestrator.accept(confirmReservation, request(id, 'twenty'));
    expect(replay.replayed).toBe(true);
  });

  it('with another body is refused and writes nothing', async () => {
    const id = await seedStay(bed.db);
    const { orchestrator } = process.engine;
    const { sagaId } = await orchestrator.accept(confirmReservation, request(id, 'reused'));
    await restOf(bed.db, sagaId);
    const other = await seedStay(bed.db);
    expect(await code(orchestrator.accept(confirmReservation, request(other, 'reused', 'another body')))).toBe(
      'IDEMPOTENCY_KEY_REUSED',
    );
    expect(await bed.db.selectFrom('saga').select('id').where('subject_id', '=', other).execute()).toEqual([]);
  });

  it('belongs to its principal', async () => {
    const [mine, theirs] = [await seedStay(bed.db), await seedStay(bed.db)];
    const { orchestrator } = process.engine;
    const first = await orchestrator.accept(confirmReservation, request(mine, 'shared'));
    const second = await orchestrator.accept(confirmReservation, request(theirs, 'shared', theirs, 'somebody-else'));
    expect(second.replayed).toBe(false);
    expect(second.sagaId).not.toBe(first.sagaId);
  });

  it('is not used up by a request that was refused', async () => {
    const { orchestrator } = process.engine;
    expect(await code(orchestrator.accept(confirmReservation, request('absent', 'free')))).toBe(
      'RESERVATION_NOT_FOUND',
    );
    const idle = await bed.start({ prefix: 'idle', redisUrl: redis.url, works: false });
    const id = await seedStay(bed.db);
    const { sagaId } = await idle.engine.orchestrator.accept(confirmReservation, request(id, 'first'));
    expect(await code(orchestrator.accept(confirmReservation, request(id, 'free')))).toBe('SAGA_IN_PROGRESS');
    expect(await bed.db.selectFrom('idempotency_key').select('key').where('key', '=', 'free').execute()).toEqual([]);
    const worker = await bed.start({ prefix: 'idle', redisUrl: redis.url });
    await restOf(bed.db, sagaId);
    await Promise.all([idle.stop(), worker.stop()]);
  });
});

describe('the audit trail', () => {
  it('shows which row was tampered with', async () => {
    const sagaId = await accept(process);
    await restOf(bed.db, sagaId);
    const client = await bed.client();
    await client.query('ALTER TABLE audit_log DISABLE TRIGGER frozen');
    await client.query(
      `UPDATE audit_log SET body = replace(body, 'accepted', 'refused') WHERE stream_id = $1 AND seq = 1`,
      [sagaId],
    );
    await client.query('ALTER TABLE audit_log ENABLE TRIGGER frozen');
    const { verifyAudit } = await import('../../src/domain/audit/resource.ts');
    const { broken } = await verifyAudit(bed.db, null, 10_000);
    expect(broken.map(({ streamId, seq }) => `${streamId} ${seq}`)).toContain(`${sagaId} 1`);
    await expect(client.query('DELETE FROM audit_log')).rejects.toMatchObject({ code: '42501' });
  });
});
