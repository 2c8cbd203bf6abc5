import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Db, inOneCommit, inSequence, onOneConnection } from '../../src/db/client.ts';
import { inRehearsal } from '../../src/db/rehearsal.ts';
import type { SagaDefinition } from '../../src/engine/definition.ts';
import type { Failpoint } from '../../src/engine/failpoint.ts';
import { confirmReservation } from '../../src/sagas/confirm-reservation/v1.ts';
import { fixture } from '../faults/fixtures/confirm-reservation.ts';
import { PLANT, withFault } from '../faults/with-fault.ts';
import { createTestbed, type Testbed, type TestProcess } from '../setup/engine.ts';

/** A saga that is alone does not wait for the answer of one step before it sends the next. */

let bed: Testbed;
/** Takes no jobs: it executes what a test asks it to. */
let desk: TestProcess;
let moments: string[] = [];

beforeAll(async () => {
  bed = await createTestbed([confirmReservation]);
  await (await bed.client()).query(PLANT);
  await fixture.prepare(bed.db);
  const failpoint: Failpoint = async (name, { step }) => void moments.push(`${name} ${step}`);
  desk = await bed.start({ prefix: bed.newPrefix(), works: false, failpoint });
});
afterAll(() => bed?.drop());

async function accepted(definition: SagaDefinition = confirmReservation) {
  const { sagaId } = await bed.accept(desk, definition, await fixture.seed(bed.db));
  moments = [];
  return sagaId;
}
const execute = (sagaId: string, step: number, direction: 'F' | 'C' = 'F') =>
  desk.engine.execute({ sagaId, step, direction, generation: direction === 'F' ? 1 : 2 }, new AbortController().signal);
const sagaOf = (sagaId: string) =>
  bed.db
    .selectFrom('saga')
    .select(['status', 'current_step', 'generation'])
    .where('id', '=', sagaId)
    .executeTakeFirstOrThrow();
const stepsOf = async (sagaId: string, direction: 'F' | 'C') => {
  const rows = await bed.db
    .selectFrom('saga_step')
    .select(['step_no', sql<string>`xmin::text`.as('commit'), 'result'])
    .where('saga_id', '=', sagaId)
    .where('direction', '=', direction)
    .where('status', '=', 'done')
    .orderBy('step_no')
    .execute();
  return { numbers: rows.map(({ step_no }) => step_no), commits: new Set(rows.map(({ commit }) => commit)) };
};
const isBefore = (one: string, other: string): boolean => {
  expect(moments).toContain(one);
  expect(moments).toContain(other);
  return moments.indexOf(one) < moments.indexOf(other);
};

describe('a saga that is alone', () => {
  it('sends steps before those in front of them are committed, and commits them together', async () => {
    const sagaId = await accepted();
    expect(await execute(sagaId, 1)).toEqual({ outcome: 'done', steps: 8 });
    expect(isBefore('before-step createPostCleaningTask', 'after-commit updateReservationStatus')).toBe(true);
    expect(isBefore('after-commit createPostCleaningTask', 'before-step createFinancialTransaction')).toBe(true);
    // Its statement takes the saga's answer with it, which is read when all before it is done.
    expect(isBefore('after-commit createFinancialTransaction', 'before-step sendConfirmationNotification')).toBe(true);
    const { numbers, commits } = await stepsOf(sagaId, 'F');
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    // The seventh settles turnovers, for which all before it is committed, and the last one has the answer.
    expect(commits.size).toBe(3);
    expect(await sagaOf(sagaId)).toMatchObject({ status: 'completed' });
  });

  it('has nothing done behind a step that fails, though it was sent, and all that is before it', async () => {
    const broken = await withFault(bed, confirmReservation, [{ step: 4, direction: 'F', mode: 'breaks', times: 9 }]);
    const sagaId = await accepted(broken.definition);
    expect(await execute(sagaId, 1)).toEqual({ outcome: 'done', steps: 3 });
    expect(moments).toContain('before-step createCheckOutTask');
    const { numbers, commits } = await stepsOf(sagaId, 'F');
    expect(numbers).toEqual([1, 2, 3]);
    // What failed together was sent again, each step by itself.
    expect(commits.size).toBe(3);
    expect(await sagaOf(sagaId)).toMatchObject({ status: 'running', current_step: 4, generation: 1 });
  });

  it('turns round where it meets a refusal, and undoes its steps in one go; the job of the refused step says so', async () => {
    const refusing = await withFault(bed, confirmReservation, [{ step: 6, direction: 'F', mode: 'refuses' }]);
    const sagaId = await accepted(refusing.definition);
    expect(await execute(sagaId, 1)).toEqual({ outcome: 'done', steps: 5 });
    expect(await sagaOf(sagaId)).toEqual({ status: 'compensating', current_step: 5, generation: 2 });
    expect(await execute(sagaId, 3)).toEqual({ outcome: 'done', steps: 0 });
    expect(await execute(sagaId, 6)).toEqual({ outcome: 'ended', code: 'NO_STAFF_AVAILABLE', refused: true });
    // A person's retry of that job asks Postgres.
    expect(await execute(sagaId, 6)).toEqual({ outcome: 'skipped', reason: 'other-direction' });
    expect(await execute(sagaId, 0)).toEqual({ outcome: 'done', steps: 0 });
    moments = [];
    expect(await execute(sagaId, 5, 'C')).toEqual({ outcome: 'done', steps: 4 });
    expect(isBefore('before-step updateReservationStatus', 'after-commit createCheckOutTask')).toBe(true);
    const { numbers, commits } = await stepsOf(sagaId, 'C');
    expect(numbers).toEqual([2, 3, 4, 5]);
    expect(commits.size).toBe(1);
    expect(await sagaOf(sagaId)).toMatchObject({ status: 'compensated' });
  });
});

const ask = (text: string) => sql<{ at: string; pid: number }>`${sql.raw(text)}`.compile(bed.db);
const TRANSACTION = 'SELECT pg_current_xact_id()::text AS at, pg_backend_pid() AS pid';
const FAILS = 'SELECT 1 / 0 AS at';

describe('statements in sequence', () => {
  it('are transactions of their own, in order, and one that fails does not stop those behind it', async () => {
    const [first, failed, last] = await inSequence(bed.db, (send) =>
      Promise.allSettled([send(ask(TRANSACTION)), send(ask(FAILS)), send(ask(TRANSACTION))]),
    );
    expect(failed).toMatchObject({ status: 'rejected', reason: { code: '22012' } });
    if (first?.status !== 'fulfilled' || last?.status !== 'fulfilled') throw new Error('one of them has failed');
    expect(Number(last.value[0]?.at)).toBeGreaterThan(Number(first.value[0]?.at));
    expect(last.value[0]?.pid).toBe(first.value[0]?.pid);
  });
});

describe('statements in one commit', () => {
  const allOf = (...texts: readonly string[]) =>
    inOneCommit(bed.db, (send) => texts.map((text) => send(ask(text)))).then((rows) => rows && Promise.all(rows));

  it('are one transaction', async () => {
    const [first, second] = (await allOf(TRANSACTION, TRANSACTION)) ?? [];
    expect(first?.[0]?.at).toMatch(/^\d+$/);
    expect(second).toEqual(first);
  });

  it('leave nothing behind when one of them fails, be it the commit itself, and the connection is as it was', async () => {
    const client = await bed.client();
    await client.query('CREATE TABLE once (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)');
    expect(await allOf('INSERT INTO once VALUES (1)', FAILS, TRANSACTION)).toBeNull();
    expect(await allOf('INSERT INTO once VALUES (1)', 'INSERT INTO once VALUES (1)')).toBeNull();
    expect(await allOf('INSERT INTO once VALUES (1)', TRANSACTION)).not.toBeNull();
    expect((await client.query('SELECT id FROM once')).rows).toEqual([{ id: 1 }]);
  });

  it('throw when the connection is cut, and when they cannot be sent; the connection that is lent next is in no transaction', async () => {
    const cut = inOneCommit(bed.db, (send) => [send(ask('SELECT pg_terminate_backend(pg_backend_pid())::text AS at'))]);
    await expect(cut).rejects.toThrow();
    const unsent = inOneCommit(bed.db, (send) => {
      void send(ask(TRANSACTION));
      throw new TypeError('no statement');
    });
    await expect(unsent).rejects.toThrow('no statement');
    const state = await sql<{ is_fresh: boolean }>`SELECT pg_current_xact_id_if_assigned() IS NULL AS is_fresh`.execute(
      bed.db,
    );
    expect(state.rows).toEqual([{ is_fresh: true }]);
  });

  it('are no commit in a rehearsal, and nothing else is', async () => {
    await (await bed.client()).query('CREATE TABLE rehearsed (id int)');
    const insert = ask('INSERT INTO rehearsed VALUES (1) RETURNING id::text AS at');
    await inRehearsal(bed.db, { asker: 'a', subject: 's' }, async (db) => {
      const rows = await inOneCommit(db, (send) => [send(insert), send(insert)]);
      expect(rows).toHaveLength(2);
      expect(await inOneCommit(db, (send) => [send(insert), send(ask(FAILS))])).toBeNull();
      const { rows: kept } = await db.executeQuery(ask('SELECT count(*)::text AS at FROM rehearsed'));
      expect(kept).toEqual([{ at: '2' }]);
      for (const end of ['COMMIT', ' Commit ', 'END', 'ROLLBACK', 'abort', 'BEGIN', "PREPARE TRANSACTION 'x'"])
        await expect(db.executeQuery(ask(end))).rejects.toThrow('does not know');
      // A savepoint of its own is no end.
      await db.transaction().execute(async (tx) => {
        for (const text of ['SAVEPOINT own', 'INSERT INTO rehearsed VALUES (2)', 'ROLLBACK TO SAVEPOINT own'])
          await tx.executeQuery(ask(text));
      });
      expect((await db.executeQuery(ask('SELECT count(*)::text AS at FROM rehearsed'))).rows).toEqual([{ at: '2' }]);
    });
    expect((await (await bed.client()).query('SELECT FROM rehearsed')).rows).toEqual([]);
  });
});

describe('looks on one connection', () => {
  it('are answered in order, one that fails alone, and come to an end with the work', async () => {
    let late: Db | undefined;
    const looks = await onOneConnection(bed.db, async (one) => {
      late = one;
      return Promise.allSettled([TRANSACTION, FAILS, TRANSACTION].map((text) => one.executeQuery(ask(text))));
    });
    expect(looks.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await expect(late?.executeQuery(ask(TRANSACTION))).rejects.toThrow('given back');
  });
});
