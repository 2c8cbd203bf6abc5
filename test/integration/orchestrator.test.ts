import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyAudit } from '../../src/domain/audit/resource.ts';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import { StepDeferred } from '../../src/engine/errors.ts';
import { stepJobId } from '../../src/queues/jobs.ts';
import { COMPENSATION_QUEUE, FORWARD_QUEUE } from '../../src/queues/names.ts';
import { expectInvariants, violations } from '../faults/invariants.ts';
import { PLANT, withFault } from '../faults/with-fault.ts';
import { errand, runErrand, shortErrand } from '../sagas/errand.ts';
import {
  createTestbed,
  drained,
  duePointer,
  PRINCIPAL,
  restOf,
  sha256,
  type Testbed,
  type TestProcess,
  until,
} from '../setup/engine.ts';

let bed: Testbed;
/** Accepts and executes on request; its jobs wait, because nobody of its prefix takes any. */
let desk: TestProcess;
/** Takes jobs. */
let worker: TestProcess;

beforeAll(async () => {
  bed = await createTestbed([runErrand, shortErrand]);
  const planter = await bed.client();
  await planter.query(PLANT);
  await errand.prepare(bed.db);
  desk = await bed.start({ prefix: bed.newPrefix(), works: false });
  worker = await bed.start({ prefix: bed.newPrefix() });
});
afterAll(() => bed?.drop());

const rowOf = (sagaId: string) =>
  bed.db.selectFrom('saga').selectAll().where('id', '=', sagaId).executeTakeFirstOrThrow();
const stepsOf = (sagaId: string) =>
  bed.db.selectFrom('saga_step').selectAll().where('saga_id', '=', sagaId).orderBy('step_no').execute();
const auditOf = async (sagaId: string): Promise<readonly string[]> => {
  const rows = await bed.db
    .selectFrom('audit_log')
    .select('event')
    .where('saga_id', '=', sagaId)
    .orderBy('seq')
    .execute();
  return rows.map((row) => row.event);
};

/** A saga that stands before one of its steps, and that nobody moves. */
async function standing(step: number, definition: SagaDefinition = runErrand) {
  const { sagaId } = await bed.accept(desk, definition, await errand.seed(bed.db));
  for (let moves = 0; moves < step; moves += 1) {
    const pointer = await duePointer(bed.db, sagaId);
    if (!pointer || pointer.step >= step) break;
    await desk.step(pointer);
  }
  expect((await rowOf(sagaId)).current_step).toBe(step);
  return sagaId;
}

/** A saga that was parked behind its pivot, and is cured. */
async function parked(definition: SagaDefinition = runErrand, process = worker) {
  const planned = await withFault(bed, definition, [{ step: 8, direction: 'F', mode: 'refuses' }]);
  const subject = await errand.seed(bed.db);
  const { sagaId, key } = await bed.accept(process, planned.definition, subject);
  expect(await restOf(bed.db, sagaId)).toBe('parked');
  planned.cure();
  return { sagaId, key, subject, definition: planned.definition };
}
const person = { by: 'olivia', requestId: 'request-ops', via: 'api' } as const;

describe('a repeated request', () => {
  const ask = async (
    process: TestProcess,
    key: string,
    subjectId: string,
    changes: { readonly sub?: string; readonly body?: string } = {},
  ) => {
    const requester = { sub: changes.sub ?? PRINCIPAL, requestId: null };
    const idempotency = { key, requestHash: sha256(changes.body ?? 'body') };
    const input = { note: changes.body ?? 'body' };
    return process.engine.orchestrator.accept(shortErrand, { subjectId, input, requester, idempotency });
  };
  const subject = async (): Promise<string> => (await errand.seed(bed.db)).subjectId;

  it('starts one saga, although twenty arrive at once at two processes', async () => {
    const subjectId = await subject();
    const key = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => ask(n % 2 === 0 ? desk : worker, key, subjectId)),
    );
    expect(new Set(answers.map(({ sagaId }) => sagaId)).size).toBe(1);
    expect(new Set(answers.map(({ accepted }) => accepted.body.toString())).size).toBe(1);
    expect(answers.filter(({ replayed }) => !replayed).length).toBe(1);
    const sagas = await bed.db.selectFrom('saga').select('id').where('subject_id', '=', subjectId).execute();
    expect(sagas.length).toBe(1);
  });

  it('is refused with another body, and nothing is executed', async () => {
    const subjectId = await subject();
    const key = randomUUID();
    await ask(desk, key, subjectId);
    const reused = expect.objectContaining({ code: 'IDEMPOTENCY_KEY_REUSED' });
    await expect(ask(desk, key, subjectId, { body: 'other' })).rejects.toEqual(reused);
    const other = await subject();
    await expect(ask(desk, key, other, { body: 'other' })).rejects.toEqual(reused);
    expect(await bed.db.selectFrom('saga').select('id').where('subject_id', '=', other).execute()).toEqual([]);
  });

  it('of somebody else with the same key is a request of its own', async () => {
    const key = randomUUID();
    const [first, second] = [await subject(), await subject()];
    const mine = await ask(desk, key, first);
    const theirs = await ask(desk, key, second, { sub: 'somebody-else', body: 'other' });
    expect(theirs.sagaId).not.toBe(mine.sagaId);
    expect(theirs.replayed).toBe(false);
  });

  it('with another key finds the record busy, and names the saga that keeps it so', async () => {
    const subjectId = await subject();
    const { sagaId } = await ask(desk, randomUUID(), subjectId);
    await expect(ask(desk, randomUUID(), subjectId)).rejects.toEqual(
      expect.objectContaining({ code: 'SAGA_IN_PROGRESS', details: { sagaExecutionId: sagaId } }),
    );
  });

  it('leaves its key free when the first one was refused', async () => {
    const key = randomUUID();
    await expect(ask(desk, key, 'no-such-stay')).rejects.toEqual(
      expect.objectContaining({ code: 'RESERVATION_NOT_FOUND' }),
    );
    expect((await ask(desk, key, await subject())).replayed).toBe(false);
  });
});

describe('a job', () => {
  it('O5: that was forged, edited, or is of an earlier generation does nothing', async () => {
    const sagaId = await standing(4);
    await bed.db.updateTable('saga').set({ generation: 3 }).where('id', '=', sagaId).execute();
    const before = [await rowOf(sagaId), await stepsOf(sagaId)];
    const due = { sagaId, step: 4, direction: 'F', generation: 3 } as const;
    const lies = [
      ...Array.from({ length: 32 }, (_, n) => ({ ...due, step: n + 1 })).filter(({ step }) => step !== 4),
      ...[1, 2, 4, 99].map((generation) => ({ ...due, generation })),
      ...[1, 3, 4, 5].map((step) => ({ ...due, step, direction: 'C' as const })),
      { ...due, sagaId: 'saga-of-nobody' },
    ];
    for (const lie of lies) {
      const outcome = await desk.step(lie);
      expect(['skipped', 'done']).toContain(outcome.outcome);
      if (outcome.outcome === 'done') expect(outcome.steps).toBe(0);
    }
    const queue = worker.engine.queues.queue(FORWARD_QUEUE);
    const shapeless = [
      {},
      { ...due, step: -1 },
      { ...due, step: 33 },
      { ...due, generation: '3' },
      { ...due, sagaId: "' OR 1=1" },
      { ...due, guest: 'John' },
      { ...due, sagaId: 'x'.repeat(1_000_000) },
      { ...due, more: 'x'.repeat(1_000_000) },
      ...lies,
    ];
    const jobs = await Promise.all(shapeless.map((data) => queue.add('runErrand.forged', data)));
    await until('the forged jobs are through', async () => {
      const states = await Promise.all(jobs.map((job) => job.getState()));
      // What did nothing is removed.
      return states.every((state) => state === 'completed' || state === 'unknown') ? true : undefined;
    });
    // A name that no saga has is refused, even with the true pointer.
    const nameless = await queue.add('true', due);
    await until('it is refused', async () => ((await nameless.getState()) === 'failed' ? true : undefined));
    expect([await rowOf(sagaId), await stepsOf(sagaId)]).toEqual(before);
    // The control: the true pointer is worked on, from any sender.
    await queue.add('runErrand.true', due);
    await until('the due step is done', async () => ((await rowOf(sagaId)).current_step > 4 ? true : undefined));
  });

  it('that was stopped before its call began is not without a bound', async () => {
    const planned = await withFault(bed, runErrand, [{ step: 4, direction: 'F', mode: 'hangs-early' }]);
    const sagaId = await standing(4, planned.definition);
    const pointer = await duePointer(bed.db, sagaId);
    if (!pointer) throw new Error('nothing is due');
    await expect(desk.engine.execute(pointer, AbortSignal.abort())).rejects.toMatchObject({ name: 'StepRetry' });
    expect((await stepsOf(sagaId)).at(-1)).toMatchObject({ step_no: 4, status: 'pending', attempt: 1 });
    planned.release();
  });

  it('of the first step is enough for the whole saga', async () => {
    const { sagaId } = await bed.accept(desk, shortErrand, await errand.seed(bed.db));
    const outcome = await desk.engine.execute(
      { sagaId, step: 1, direction: 'F', generation: 1 },
      new AbortController().signal,
    );
    expect(outcome).toEqual({ outcome: 'done', steps: 2 });
    expect((await rowOf(sagaId)).status).toBe('completed');
    const queue = desk.engine.queues.queue(FORWARD_QUEUE);
    const second = await until(
      'the flow is in Redis',
      async () => (await queue.getJob(stepJobId(sagaId, 1, 'F', 2))) ?? undefined,
    );
    expect(await second.getState()).toBe('waiting-children');
    expect(second.processedOn).toBeUndefined();
  });
});

describe('the end of a flow', () => {
  it('has a saga that is still open looked at at once, also by the process that moved it last', async () => {
    const sagaId = await standing(3);
    const { next_check_at } = await rowOf(sagaId);
    await desk.step({ sagaId, step: 0, direction: 'F', generation: 1 });
    const { rows } = await sql<{
      due: boolean;
    }>`SELECT next_check_at <= now() AS due FROM saga WHERE id = ${sagaId}`.execute(bed.db);
    expect(rows).toEqual([{ due: true }]);
    expect((await rowOf(sagaId)).next_check_at.getTime()).toBeLessThan(next_check_at.getTime());
  });
});

describe('a build that does not know a definition', () => {
  it('puts the saga off and uses no attempt; one that knows it goes on', async () => {
    const prefix = bed.newPrefix();
    const planned = await withFault(bed, shortErrand, []);
    const old = await bed.start({
      prefix,
      knows: (name, version) =>
        name === 'shortErrand' && version !== planned.definition.version ? shortErrand : undefined,
    });
    const front = await bed.start({ prefix, works: false });
    const { sagaId } = await bed.accept(front, planned.definition, await errand.seed(bed.db));
    const pointer = { sagaId, step: 1, direction: 'F', generation: 1 } as const;
    await expect(old.step(pointer)).rejects.toThrow(StepDeferred);
    const queue = front.engine.queues.queue(FORWARD_QUEUE);
    await until('the job is put off', async () => {
      const job = await queue.getJob(stepJobId(sagaId, 1, 'F', 1));
      return (await job?.getState()) === 'delayed' ? true : undefined;
    });
    expect(await stepsOf(sagaId)).toEqual([]);
    await old.stop();
    await bed.start({ prefix });
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    expect((await stepsOf(sagaId)).map(({ attempt }) => attempt)).toEqual([1, 1]);
  });
});

describe('a person', () => {
  it('has a parked saga tried again', async () => {
    const { sagaId } = await parked();
    expect(await worker.engine.orchestrator.retry({ sagaId, ...person })).toBe('resumed');
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    expect(await auditOf(sagaId)).toEqual([
      'SAGA_ACCEPTED',
      'STEP_FAILED',
      'SAGA_PARKED',
      'SAGA_RESUMED',
      'ERRAND_RUN',
    ]);
    await until('the alert has gone out', async () => {
      const alert = await bed.db
        .selectFrom('notification')
        .select('id')
        .where('event', '=', 'SYSTEM_ALERT')
        .where(sql<string>`params ->> 'sagaId'`, '=', sagaId)
        .executeTakeFirst();
      return alert ? true : undefined;
    });
    await drained(bed.db, sagaId);
    await expectInvariants(bed.db, [sagaId]);
  });

  it('is waited for no longer than until the saga parks, and every process is told by a notification', async () => {
    const client = await bed.client();
    const notified = new Set<string>();
    client.on('notification', ({ payload }) => {
      for (const id of (payload ?? '').split(',')) notified.add(id);
    });
    await client.query('LISTEN roomy_saga_ended');
    const planned = await withFault(bed, runErrand, [{ step: 8, direction: 'F', mode: 'refuses' }]);
    const subject = await errand.seed(bed.db);
    const { sagaId, key } = await bed.accept(worker, planned.definition, subject);
    const answer = await worker.engine.orchestrator.waitForAnswer(sagaId, 600_000);
    expect(answer?.status).toBe(202);
    expect(JSON.parse(answer?.body.toString() ?? '')).toMatchObject({
      data: { sagaExecutionId: sagaId, status: 'parked', waitsFor: { direction: 'forward' } },
    });
    await until('the notification has come', async () => notified.has(sagaId) || undefined);
    // Parked a second time, it says the same; retried to its end, the end.
    await worker.engine.orchestrator.retry({ sagaId, ...person });
    const parkedAgain = await until('it parks again', async () => {
      const row = await rowOf(sagaId);
      return (row.status === 'parked' && row.generation === 2) || undefined;
    });
    expect(parkedAgain).toBe(true);
    await bed.accept(desk, planned.definition, subject, key);
    expect(await desk.engine.orchestrator.waitForAnswer(sagaId, 0)).toEqual(answer);
    planned.cure();
    await worker.engine.orchestrator.retry({ sagaId, ...person });
    expect((await desk.engine.orchestrator.waitForAnswer(sagaId, 600_000))?.status).toBe(200);
  });

  it('changes nothing by retrying what is not parked, and it is on record', async () => {
    const sagaId = await standing(3);
    expect(await desk.engine.orchestrator.retry({ sagaId, ...person })).toBe('stale');
    const { sagaId: ended } = await bed.accept(worker, shortErrand, await errand.seed(bed.db));
    await restOf(bed.db, ended);
    const before = await rowOf(ended);
    expect(await desk.engine.orchestrator.retry({ sagaId: ended, ...person })).toBe('stale');
    expect(await rowOf(ended)).toEqual(before);
    expect(await auditOf(ended)).toEqual(['SAGA_ACCEPTED', 'ERRAND_RUN', 'STALE_RETRY']);
    await expect(desk.engine.orchestrator.retry({ sagaId: 'saga-of-nobody', ...person })).rejects.toEqual(
      expect.objectContaining({ code: 'SAGA_NOT_FOUND' }),
    );
    await drained(bed.db, ended);
    await expectInvariants(bed.db, [ended]);
  });

  it('closes a parked saga for good, with a reason that repeats then get', async () => {
    const { sagaId, subject, definition, key } = await parked();
    const answer = await worker.engine.orchestrator.resolve({ sagaId, reason: 'settled by hand', ...person });
    expect(JSON.parse(answer.body.toString())).toMatchObject({
      code: 'SAGA_RESOLVED',
      details: { reason: 'settled by hand', resolvedBy: 'olivia' },
    });
    expect(await bed.accept(desk, definition, subject, key)).toMatchObject({ sagaId, replayed: true });
    expect(await desk.engine.orchestrator.waitForAnswer(sagaId, 5_000)).toEqual(answer);
    await expect(desk.engine.orchestrator.resolve({ sagaId, reason: 'again', ...person })).rejects.toEqual(
      expect.objectContaining({ code: 'SAGA_NOT_PARKED' }),
    );
    expect(await desk.engine.orchestrator.retry({ sagaId, ...person })).toBe('stale');
    expect((await rowOf(sagaId)).status).toBe('resolved');
    await drained(bed.db, sagaId);
    // The record is free for the next.
    expect((await bed.accept(desk, shortErrand, subject)).replayed).toBe(false);
    await expectInvariants(bed.db, [sagaId]);
  });

  it('who retries twice at once resumes it once', async () => {
    const { sagaId } = await parked();
    const outcomes = await Promise.all([
      worker.engine.orchestrator.retry({ sagaId, ...person }),
      desk.engine.orchestrator.retry({ sagaId, ...person }),
    ]);
    expect(outcomes.toSorted()).toEqual(['resumed', 'stale']);
  });

  it('presses retry on the jobs of an undoing that gave up: only Postgres decides what is due', async () => {
    const planned = await withFault(bed, runErrand, [
      { step: 6, direction: 'F', mode: 'refuses' },
      { step: 4, direction: 'C', mode: 'breaks', times: 2 },
    ]);
    const { sagaId } = await bed.accept(worker, planned.definition, await errand.seed(bed.db));
    expect(await restOf(bed.db, sagaId)).toBe('parked');
    const before = await stepsOf(sagaId);
    const queue = worker.engine.queues.queue(COMPENSATION_QUEUE);
    const job = await until('the job has failed', async () => {
      const found = await queue.getJob(stepJobId(sagaId, 2, 'C', 4));
      return (await found?.getState()) === 'failed' ? found : undefined;
    });
    await job.retry('failed');
    await until('the job has done nothing', async () => ((await job.getState()) === 'unknown' ? true : undefined));
    expect((await rowOf(sagaId)).status).toBe('parked');
    expect(await stepsOf(sagaId)).toEqual(before);
    expect(await worker.engine.orchestrator.retry({ sagaId, ...person, via: 'bull-board' })).toBe('resumed');
    expect(await restOf(bed.db, sagaId)).toBe('compensated');
    await drained(bed.db, sagaId);
    await expectInvariants(bed.db, [sagaId]);
  });
});

describe('the audit log', () => {
  const CHANGES = {
    event: `event = 'SAGA_RESOLVED'`,
    actor: `actor = 'mallory'`,
    at: `at = at + interval '1 microsecond'`,
    ends: `ends = NOT ends`,
    request_id: `request_id = NULL`,
    saga_id: `saga_id = NULL`,
    reservation_id: `reservation_id = 'another'`,
    body: `body = replace(body, '"outcome":"accepted"', '"outcome":"Accepted"')`,
    prev_hash: `prev_hash = sha256('x')`,
    hash: `hash = sha256('x')`,
  };

  it('shows every change of every column, and what was taken out of the middle', async () => {
    const { sagaId } = await parked();
    expect((await verifyAudit(bed.db, null, 10_000)).broken).toEqual([]);
    const client = await bed.client();
    const tampered = async (statement: string): Promise<void> => {
      await client.query('BEGIN');
      try {
        await client.query('ALTER TABLE audit_log DISABLE TRIGGER frozen');
        const { rowCount } = await client.query(statement, [sagaId]);
        expect(rowCount, statement).toBe(1);
        const { rows } = await client.query(
          `SELECT 1 FROM (SELECT a.*, a.hash <> audit_hash(a) AS bad, lag(hash) OVER w AS last, row_number() OVER w AS n
             FROM audit_log a WHERE stream_id = $1 WINDOW w AS (ORDER BY seq)) c
            WHERE bad OR seq <> n OR prev_hash <> coalesce(last, sha256(convert_to('genesis:' || stream_id, 'UTF8')))`,
          [sagaId],
        );
        expect(rows.length, statement).toBeGreaterThan(0);
      } finally {
        await client.query('ROLLBACK');
      }
    };
    for (const change of Object.values(CHANGES))
      await tampered(`UPDATE audit_log SET ${change} WHERE stream_id = $1 AND seq = 1`);
    await tampered(`DELETE FROM audit_log WHERE stream_id = $1 AND seq = 2`);
    await tampered(`DELETE FROM audit_log WHERE stream_id = $1 AND seq = 1`);
  });

  it('is found broken by the product itself', async () => {
    const { sagaId } = await bed.accept(worker, shortErrand, await errand.seed(bed.db));
    await restOf(bed.db, sagaId);
    const client = await bed.client();
    await client.query('ALTER TABLE audit_log DISABLE TRIGGER frozen');
    try {
      await client.query(`UPDATE audit_log SET actor = 'mallory' WHERE stream_id = $1 AND seq = 1`, [sagaId]);
      expect((await verifyAudit(bed.db, null, 10_000)).broken).toEqual([{ streamId: sagaId, seq: 1 }]);
      await drained(bed.db, sagaId);
      expect(await violations(bed.db, [sagaId])).toEqual([`I27 the audit chain is intact: ${sagaId}`]);
      await client.query(`UPDATE audit_log SET actor = '${PRINCIPAL}' WHERE stream_id = $1 AND seq = 1`, [sagaId]);
    } finally {
      await client.query('ALTER TABLE audit_log ENABLE TRIGGER frozen');
    }
    expect((await verifyAudit(bed.db, null, 10_000)).broken).toEqual([]);
  });

  it.each([
    `UPDATE audit_log SET actor = 'mallory'`,
    'DELETE FROM audit_log',
    'TRUNCATE audit_log',
    'DELETE FROM saga_step',
    'DELETE FROM saga',
    'DELETE FROM transaction',
    `UPDATE saga SET requested_by = 'mallory'`,
  ])('and what stands beside it refuse %s', async (statement) => {
    const client = await bed.client();
    await expect(client.query(statement)).rejects.toThrow('is forbidden');
  });
});

describe('the database', () => {
  it('refuses what no saga may do, even to its owner', async () => {
    const { sagaId } = await bed.accept(worker, shortErrand, await errand.seed(bed.db));
    await restOf(bed.db, sagaId);
    const client = await bed.client();
    await expect(client.query(`UPDATE saga SET status = 'running' WHERE id = $1`, [sagaId])).rejects.toThrow(
      'is terminal',
    );
    await expect(client.query(`UPDATE saga_step SET status = 'pending' WHERE saga_id = $1`, [sagaId])).rejects.toThrow(
      'is final',
    );
    const open = await standing(3);
    await expect(client.query(`UPDATE saga SET status = 'compensated' WHERE id = $1`, [open])).rejects.toThrow(
      'illegal saga transition',
    );
    await expect(client.query('UPDATE saga SET generation = 0 WHERE id = $1', [open])).rejects.toThrow('fell');
  });
});
