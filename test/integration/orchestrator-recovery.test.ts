import { Redis } from 'ioredis';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import type { FailpointName } from '../../src/engine/failpoint.ts';
import { createReconciliation } from '../../src/engine/reconcile.ts';
import { createStateLoader } from '../../src/engine/store/load.ts';
import { unpacked } from '../../src/kernel/packed.ts';
import { settleJobId, stepJobId } from '../../src/queues/jobs.ts';
import { COMPENSATION_QUEUE, FORWARD_QUEUE, NOTIFICATION_QUEUE, TASK_QUEUE } from '../../src/queues/names.ts';
import { type Cuttable, cuttable } from '../faults/cuttable.ts';
import { expectInvariants } from '../faults/invariants.ts';
import { ranOf } from '../faults/verify.ts';
import { PLANT, withFault } from '../faults/with-fault.ts';
import { errand, runErrand, shortErrand } from '../sagas/errand.ts';
import {
  createTestbed,
  drained,
  duePointer,
  letTimePass,
  restOf,
  type Testbed,
  type TestProcess,
  until,
} from '../setup/engine.ts';

let bed: Testbed;
/** A Redis of this file's own, so that it can be emptied: the server's other databases do not notice. */
let redisUrl: string;
let redis: Redis;
const cuts: Cuttable[] = [];

beforeAll(async () => {
  bed = await createTestbed([runErrand, shortErrand]);
  const planter = await bed.client();
  await planter.query(PLANT);
  await errand.prepare(bed.db);
  const url = new URL(bed.redisUrl);
  url.pathname = '/9';
  redisUrl = url.href;
  const admin = new URL(inject('redisAdminUrl'));
  admin.pathname = url.pathname;
  redis = new Redis(admin.href);
  await redis.flushdb();
});
afterAll(async () => {
  for (const cut of cuts) await cut.mend();
  await bed?.drop();
  for (const cut of cuts) await cut.close();
  await redis?.flushdb();
  redis?.disconnect();
});

let prefix: string;
beforeEach(() => {
  prefix = bed.newPrefix();
});
/** Accepts, relays and reconciles; takes no jobs. */
const startDesk = () => bed.start({ prefix, redisUrl, works: false });
const startWorker = () => bed.start({ prefix, redisUrl });

const rowOf = (sagaId: string) =>
  bed.db.selectFrom('saga').selectAll().where('id', '=', sagaId).executeTakeFirstOrThrow();
const ask = async (process: TestProcess, definition: SagaDefinition = shortErrand): Promise<string> =>
  (await bed.accept(process, definition, await errand.seed(bed.db))).sagaId;
const published = (sagaId: string) => drained(bed.db, sagaId);
/** Quiet, and without a broken invariant. */
async function expectSound(sagaId: string): Promise<void> {
  await published(sagaId);
  await expectInvariants(bed.db, [sagaId]);
}
const attemptsOf = async (sagaId: string): Promise<readonly number[]> => {
  const rows = await bed.db
    .selectFrom('saga_step')
    .select('attempt')
    .where('saga_id', '=', sagaId)
    .orderBy('step_no')
    .execute();
  return rows.map((row) => row.attempt);
};
/** The saga is looked at by the next round of the reconciler; all others of this database are not. */
async function dueForACheck(sagaId: string): Promise<void> {
  await bed.db
    .updateTable('saga')
    .set({ next_check_at: sql<Date>`now() + interval '1 hour'` })
    .where('status', 'in', ['pending', 'running', 'compensating'])
    .where('id', '<>', sagaId)
    .execute();
  await bed.db
    .updateTable('saga')
    .set({ next_check_at: sql<Date>`now() - interval '1 s'` })
    .where('id', '=', sagaId)
    .execute();
}
async function walkTo(desk: TestProcess, sagaId: string, step: number, direction: 'F' | 'C' = 'F'): Promise<void> {
  for (let moves = 0; moves < 40; moves += 1) {
    const pointer = await duePointer(bed.db, sagaId);
    if (!pointer) break;
    if (pointer.step === step && pointer.direction === direction) return;
    await desk.step(pointer);
  }
  throw new Error(`step ${step}${direction} was not reached`);
}

describe('the relay', () => {
  it('keeps what was accepted while Redis is away, and carries it when Redis is back', async () => {
    const way = await cuttable(redisUrl);
    cuts.push(way);
    const process = await bed.start({ prefix, redisUrl: way.url });
    await way.cut();
    const sagaIds = [await ask(process), await ask(process), await ask(process)];
    await letTimePassFor(sagaIds);
    const since = process.engine.relay.lastDrainedAt();
    await until(
      'the relay has come round',
      async () => process.engine.relay.lastDrainedAt() > since + 300 || undefined,
    );
    for (const sagaId of sagaIds) expect((await rowOf(sagaId)).status).toBe('pending');
    await way.mend();
    for (const sagaId of sagaIds) expect(await restOf(bed.db, sagaId)).toBe('completed');
    for (const sagaId of sagaIds) await expectSound(sagaId);
    await process.stop();
  });
  const letTimePassFor = (sagaIds: readonly string[]) =>
    bed.db.updateTable('outbox').set({ available_at: sql<Date>`now()` }).where('saga_id', 'in', sagaIds).execute();

  it('may carry an order twice, before and after the saga has ended', async () => {
    const desk = await startDesk();
    const sagaId = await ask(desk);
    const again = async (): Promise<void> => {
      await bed.db
        .updateTable('outbox')
        .set({ published_at: null, available_at: sql<Date>`now()` })
        .where('saga_id', '=', sagaId)
        .execute();
      await published(sagaId);
    };
    await published(sagaId);
    await again();
    await startWorker();
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    await again();
    expect(await attemptsOf(sagaId)).toEqual([1, 1]);
    await expectSound(sagaId);
  });

  it.each<FailpointName>(['before-publish', 'after-publish'])(
    'leaves nothing undone when its process dies %s',
    async (name) => {
      const struck = Promise.withResolvers<void>();
      const mortal = await bed.start({
        prefix,
        redisUrl,
        works: false,
        failpoint: async (reached) => {
          if (reached !== name) return;
          struck.resolve();
          await new Promise(() => undefined);
        },
      });
      const sagaId = await ask(mortal);
      await struck.promise;
      await mortal.vanish();
      expect((await rowOf(sagaId)).status).toBe('pending');
      await startWorker();
      await letTimePass(bed, prefix, sagaId, redisUrl);
      expect(await restOf(bed.db, sagaId)).toBe('completed');
      await published(sagaId);
      expect(await attemptsOf(sagaId)).toEqual([1, 1]);
      await expectSound(sagaId);
    },
  );

  it('carries orders whose transactions committed out of order', async () => {
    const desk = await bed.start({ prefix, redisUrl, works: false, relay: false });
    const client = await bed.client();
    // The order with the lower number commits last.
    const early = await ask(desk);
    await published(early);
    await client.query('BEGIN');
    const { rows } = await client.query<{ id: string }>(
      `INSERT INTO outbox (kind, dedupe_key, saga_id, payload, installation)
       SELECT 'FLOW_F', id || '-F-late', id, '{}', $2 FROM saga WHERE id = $1 RETURNING id`,
      [early, prefix],
    );
    const later = await ask(desk);
    await published(later);
    await client.query('COMMIT');
    await bed.start({ prefix, redisUrl, works: false });
    await published(early);
    expect(Number(rows[0]?.id)).toBeLessThan(await orderNumber(later));
  });
  const orderNumber = async (sagaId: string): Promise<number> => {
    const row = await bed.db.selectFrom('outbox').select('id').where('saga_id', '=', sagaId).executeTakeFirstOrThrow();
    return row.id;
  };

  it('leaves no flow of an undoing behind in Redis after it gave up and was retried', async () => {
    const planned = await withFault(bed, runErrand, [
      { step: 6, direction: 'F', mode: 'refuses' },
      { step: 4, direction: 'C', mode: 'breaks', times: 2 },
    ]);
    const process = await startWorker();
    const sagaId = await ask(process, planned.definition);
    expect(await restOf(bed.db, sagaId)).toBe('parked');
    await process.engine.orchestrator.retry({ sagaId, by: 'olivia', requestId: null, via: 'api' });
    expect(await restOf(bed.db, sagaId)).toBe('compensated');
    await until('nothing waits in Redis any more', async () => {
      const queues = [FORWARD_QUEUE, COMPENSATION_QUEUE].map((name) => process.engine.queues.queue(name));
      const counts = await Promise.all(
        queues.map((queue) => queue.getJobCountByTypes('waiting-children', 'wait', 'active', 'delayed')),
      );
      return counts.every((count) => count === 0) ? true : undefined;
    });
  });
});

describe('the reconciler', () => {
  it('dispatches anew what was lost with Redis, in either direction, and once', async () => {
    const desk = await startDesk();
    await desk.engine.reconciler.tick();
    const planned = await withFault(bed, runErrand, [{ step: 6, direction: 'F', mode: 'refuses' }]);
    const sagaIds = [await ask(desk), await ask(desk, runErrand), await ask(desk, planned.definition)] as const;
    await walkTo(desk, sagaIds[1], 4);
    await walkTo(desk, sagaIds[2], 4, 'C');
    for (const sagaId of sagaIds) await published(sagaId);
    const before = await Promise.all(sagaIds.map(rowOf));
    await redis.flushdb();
    const worker = await startWorker();
    await desk.engine.reconciler.tick();
    const ends = [];
    for (const sagaId of sagaIds) ends.push(await restOf(bed.db, sagaId));
    expect(ends).toEqual(['completed', 'completed', 'compensated']);
    for (const [n, sagaId] of sagaIds.entries()) {
      expect((await rowOf(sagaId)).generation).toBe((before[n]?.generation ?? 0) + 1);
      await expectSound(sagaId);
    }
    const schedules = [NOTIFICATION_QUEUE, TASK_QUEUE].map((name) => worker.engine.queues.queue(name));
    const counts = await Promise.all(schedules.map((queue) => queue.getJobSchedulersCount()));
    expect(counts).toEqual([2, 2]);
  });

  it('takes a chain of waiting jobs for lost when nothing below them can run', async () => {
    const desk = await startDesk();
    const sagaId = await ask(desk);
    await published(sagaId);
    const queue = desk.engine.queues.queue(FORWARD_QUEUE);
    const first = stepJobId(sagaId, 1, 'F', 1);
    // As if this one job had been lost: removing it properly would release the next.
    await redis.lrem(`{${prefix}}:${FORWARD_QUEUE}:wait`, 0, first);
    await redis.del(`{${prefix}}:${FORWARD_QUEUE}:${first}`);
    expect(await queue.getJobState(settleJobId(sagaId, 1))).toBe('waiting-children');
    await startWorker();
    await dueForACheck(sagaId);
    await desk.engine.reconciler.tick();
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    expect((await rowOf(sagaId)).generation).toBe(2);
    await expectSound(sagaId);
  });

  it('leaves alone what waits in a long queue, what is yet to be published, and what a worker holds', async () => {
    const desk = await startDesk();
    const queued = await ask(desk);
    await published(queued);
    const [unpublished, held] = [await ask(desk), await ask(desk, runErrand)];
    await published(unpublished);
    await bed.db
      .updateTable('outbox')
      .set({ published_at: null, available_at: sql<Date>`now() + interval '1 hour'` })
      .where('saga_id', '=', unpublished)
      .execute();
    const hung = await withFault(bed, runErrand, [{ step: 4, direction: 'F', mode: 'hangs-early' }]);
    const holding = await ask(desk, hung.definition);
    await walkTo(desk, holding, 4);
    const call = desk.step({ sagaId: holding, step: 4, direction: 'F', generation: 1 });
    await hung.hung();
    await redis.flushdb();
    await desk.engine.reconciler.tick();
    for (const sagaId of [queued, held]) expect((await rowOf(sagaId)).generation).toBe(2);
    for (const sagaId of [unpublished, holding]) expect((await rowOf(sagaId)).generation).toBe(1);
    // Now that its new jobs are there, time alone does not make another generation.
    await published(queued);
    await dueForACheck(queued);
    await desk.engine.reconciler.tick();
    expect((await rowOf(queued)).generation).toBe(2);
    hung.release();
    await call;
    // Left by this test on purpose.
    await bed.db
      .updateTable('outbox')
      .set({ available_at: sql<Date>`now()` })
      .where('saga_id', '=', unpublished)
      .execute();
  });

  it('calls a person when a saga had to be dispatched again and again', async () => {
    const desk = await startDesk();
    const sagaId = await ask(desk);
    await published(sagaId);
    for (let round = 1; round <= 4; round += 1) {
      await redis.flushdb();
      await dueForACheck(sagaId);
      await desk.engine.reconciler.tick();
      await published(sagaId);
    }
    const alerts = await bed.db
      .selectFrom('outbox')
      .select('payload')
      .where('saga_id', '=', sagaId)
      .where('kind', '=', 'ALERT')
      .execute();
    expect(alerts.map(({ payload }) => payload)).toEqual([expect.objectContaining({ what: 'stuck', step: 'owe' })]);
  });

  it('undoes a saga that is past its deadline', async () => {
    const desk = await startDesk();
    const sagaId = await ask(desk, runErrand);
    await walkTo(desk, sagaId, 4);
    await bed.db
      .updateTable('saga')
      .set({ deadline_at: sql<Date>`now() - interval '1 s'` })
      .where('id', '=', sagaId)
      .execute();
    await dueForACheck(sagaId);
    await desk.engine.reconciler.tick();
    expect((await rowOf(sagaId)).status).toBe('compensating');
    await startWorker();
    expect(await restOf(bed.db, sagaId)).toBe('compensated');
    const { response_status, response_body, subject_id } = await rowOf(sagaId);
    expect(response_status).toBe(503);
    expect(JSON.parse(String(unpacked(response_body ?? Buffer.alloc(0))))).toMatchObject({
      code: 'SAGA_DEADLINE',
      compensated: true,
    });
    await errand.compensated(bed.db, ranOf(runErrand, sagaId, subject_id));
    await expectSound(sagaId);
  });

  it('parks a saga that is past its deadline and its point of no return', async () => {
    const desk = await startDesk();
    const sagaId = await ask(desk, runErrand);
    await walkTo(desk, sagaId, 7);
    await bed.db
      .updateTable('saga')
      .set({ deadline_at: sql<Date>`now() - interval '1 s'` })
      .where('id', '=', sagaId)
      .execute();
    await dueForACheck(sagaId);
    await desk.engine.reconciler.tick();
    expect((await rowOf(sagaId)).status).toBe('parked');
    await startWorker();
    await desk.engine.orchestrator.retry({ sagaId, by: 'olivia', requestId: null, via: 'api' });
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    await expectSound(sagaId);
  });

  it('does not cut short an undoing that began while it looked', async () => {
    const desk = await startDesk();
    const planned = await withFault(bed, runErrand, [{ step: 6, direction: 'F', mode: 'refuses' }]);
    const sagaId = await ask(desk, planned.definition);
    await walkTo(desk, sagaId, 4, 'C');
    const definitionOf = () => planned.definition;
    const { expire } = createReconciliation(desk.db, createStateLoader(desk.db), definitionOf, () => undefined);
    await bed.db
      .updateTable('saga')
      .set({ deadline_at: sql<Date>`now() - interval '1 s'` })
      .where('id', '=', sagaId)
      .execute();
    expect(await expire(sagaId)).toBeNull();
    expect((await rowOf(sagaId)).status).toBe('compensating');
    await walkTo(desk, sagaId, 2, 'C');
  });

  it('does not cut short what a release has given time while it looked', async () => {
    const desk = await startDesk();
    const sagaId = await ask(desk, runErrand);
    await walkTo(desk, sagaId, 2);
    const { expire } = createReconciliation(
      desk.db,
      createStateLoader(desk.db),
      () => runErrand,
      () => undefined,
    );
    expect(await expire(sagaId)).toBeNull();
    expect((await rowOf(sagaId)).status).toBe('running');
  });

  it('works beside another one: one of them dispatches', async () => {
    const [desk, other] = [await startDesk(), await startDesk()];
    const sagaId = await ask(desk);
    await published(sagaId);
    await redis.flushdb();
    await dueForACheck(sagaId);
    await Promise.all([desk.engine.reconciler.tick(), other.engine.reconciler.tick()]);
    const orders = await bed.db
      .selectFrom('outbox')
      .select('dedupe_key')
      .where('saga_id', '=', sagaId)
      .orderBy('id')
      .execute();
    expect(orders.map(({ dedupe_key }) => dedupe_key.slice(sagaId.length))).toEqual(['-F-1', '-F-2']);
  });
});

describe('BullMQ', () => {
  it('may give up on a job: that is no failed step', async () => {
    const struck = Promise.withResolvers<void>();
    const mortal = await bed.start({
      prefix,
      redisUrl,
      failpoint: async (name, { step }) => {
        if (name !== 'before-step' || step !== 'owe') return;
        struck.resolve();
        await new Promise(() => undefined);
      },
    });
    const sagaId = await ask(mortal);
    await struck.promise;
    // Else the heir carries the order again, between the ends of two of its jobs, and the flow waits for a job that has ended.
    await published(sagaId);
    await mortal.vanish();
    const heir = await bed.start({ prefix, redisUrl, stalledIntervalMs: 50, maxStalledCount: 0 });
    await letTimePass(bed, prefix, sagaId, redisUrl);
    const queue = heir.engine.queues.queue(FORWARD_QUEUE);
    await until('the job has failed in Redis', async () => {
      const job = await queue.getJob(stepJobId(sagaId, 1, 'F', 1));
      return (await job?.getState()) === 'failed' ? true : undefined;
    });
    // Its last job has found nothing to settle, and is removed.
    await until('the flow is over', async () =>
      (await queue.getJobState(settleJobId(sagaId, 1))) === 'unknown' ? true : undefined,
    );
    await published(sagaId);
    // The flow ran to its end without the step; the saga is open, and due for a check.
    expect(await attemptsOf(sagaId)).toEqual([]);
    await heir.engine.reconciler.tick();
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    await expectSound(sagaId);
  });
});

describe('Postgres', () => {
  it('may go away under a worker: no attempt is used, and the saga goes on when it is back', async () => {
    const way = await cuttable(bed.url);
    cuts.push(way);
    const process = await bed.start({ prefix, redisUrl, databaseUrl: way.url });
    const front = await startDesk();
    const hung = await withFault(bed, runErrand, [{ step: 4, direction: 'F', mode: 'hangs-early' }]);
    const sagaId = await ask(front, hung.definition);
    await hung.hung();
    await way.cut();
    hung.release();
    await until('the worker has noticed', async () => {
      const job = await process.engine.queues.queue(FORWARD_QUEUE).getJob(stepJobId(sagaId, 1, 'F', 4));
      return (await job?.getState()) === 'delayed' ? true : undefined;
    });
    await letTimePass(bed, prefix, sagaId, redisUrl);
    await way.mend();
    expect(await restOf(bed.db, sagaId, 20_000)).toBe('completed');
    await expectSound(sagaId);
    await process.stop();
  });
});
