import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errand, runErrand } from '../sagas/errand.ts';
import { createTestbed, duePointer, PRINCIPAL, type Testbed, type TestProcess, until } from '../setup/engine.ts';

/** Statements share few slots; one that waits for a lock of somebody else must not keep the others waiting. */

let bed: Testbed;
/** Accepts and executes on request; its jobs wait, because nobody of its prefix takes any. */
let desk: TestProcess;

beforeAll(async () => {
  bed = await createTestbed([runErrand]);
  await errand.prepare(bed.db);
  desk = await bed.start({ prefix: bed.newPrefix(), works: false });
});
afterAll(() => bed?.drop());

async function standing(step: number): Promise<string> {
  const { sagaId } = await bed.accept(desk, runErrand, await errand.seed(bed.db));
  for (let pointer = await duePointer(bed.db, sagaId); pointer && pointer.step < step; ) {
    await desk.step(pointer);
    pointer = await duePointer(bed.db, sagaId);
  }
  return sagaId;
}
async function run(sagaId: string) {
  const pointer = await duePointer(bed.db, sagaId);
  if (!pointer) throw new Error('nothing is due');
  return desk.step(pointer);
}
/** Keeps rows locked until it is told to let go. */
async function hold(statement: string, ids: readonly string[]) {
  const client = await bed.client();
  await client.query('BEGIN');
  await client.query(statement, [ids]);
  return () => client.query('ROLLBACK');
}
/** Until so many statements of the desk wait for a lock. */
const waitFor = (count: number): Promise<unknown> =>
  until(`${count} statements that wait for a lock`, async () => {
    const { rows } = await sql<{ n: number }>`SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE application_name = ${desk.prefix} AND wait_event_type = 'Lock'`.execute(bed.db);
    return rows[0]?.n === count || undefined;
  });
const isOver = (work: Promise<unknown>): Promise<boolean> =>
  Promise.race([work.then(() => true), new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))]);

describe('while statements wait for locks', () => {
  it('steps of other sagas go on, the same steps too', async () => {
    const held = [await standing(1), await standing(2)];
    const others = [await standing(1), await standing(2), await standing(2)];
    const letGo = await hold('SELECT FROM saga WHERE id = ANY($1) FOR UPDATE', held);
    const waiting = held.map(run);
    await waitFor(held.length);
    for (const sagaId of others) expect(await run(sagaId)).toEqual({ outcome: 'done', steps: 1 });
    for (const one of waiting) expect(await isOver(one)).toBe(false);
    await letGo();
    expect(await Promise.all(waiting)).toEqual(held.map(() => ({ outcome: 'done', steps: 1 })));
  });

  it('sagas about other subjects are accepted, also those asked for in the same moment', async () => {
    const [locked, free] = [await errand.seed(bed.db), await errand.seed(bed.db)];
    const letGo = await hold('SELECT FROM reservation WHERE id = ANY($1) FOR UPDATE', [locked.subjectId]);
    const ask = ({ subjectId, input }: typeof free) =>
      desk.engine.orchestrator.accept(runErrand, { subjectId, input, requester: { sub: PRINCIPAL, requestId: null } });
    const [waiting, other] = [ask(locked), ask(free)];
    expect((await other).replayed).toBe(false);
    await waitFor(1);
    expect(await isOver(waiting)).toBe(false);
    await letGo();
    expect((await waiting).replayed).toBe(false);
  });

  it('sagas about other subjects are accepted that are asked for later', async () => {
    const subject = await errand.seed(bed.db);
    const letGo = await hold('SELECT FROM reservation WHERE id = ANY($1) FOR UPDATE', [subject.subjectId]);
    const waiting = bed.accept(desk, runErrand, subject);
    await waitFor(1);
    expect((await bed.accept(desk, runErrand, await errand.seed(bed.db))).replayed).toBe(false);
    expect(await isOver(waiting)).toBe(false);
    await letGo();
    expect((await waiting).replayed).toBe(false);
  });
});
