import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { driveRedrives } from '../../src/engine/redrive.ts';
import { newId } from '../../src/kernel/ids.ts';
import { checkOut } from '../../src/sagas/index.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { restOf, type TestProcess, until } from '../setup/engine.ts';
import { type Answer, type CallOptions, type System, startSystem } from '../setup/system.ts';

/** All check-outs that a dead lock has stopped are tried again together, by any process, with nothing but Postgres to go by. */

let system: System;
/** They share their jobs, and have none that were made before: Redis has been emptied. */
let heirs: readonly [TestProcess, TestProcess];
beforeAll(async () => {
  system = await startSystem(undefined, { sagaWaitMs: 500 });
  await prepareStays(system.bed.db);
  const prefix = system.bed.newPrefix();
  heirs = [await system.bed.start({ prefix }), await system.bed.start({ prefix })];
}, 60_000);
afterAll(() => system?.close());

const OPS = { role: 'OPS', sub: 'ops-1' } as const;
const post = (path: string, body: object, options: CallOptions = OPS): Promise<Answer> =>
  system.call('POST', path, { body, ...options });
const get = (path: string, options: CallOptions = OPS): Promise<Answer> => system.call('GET', path, options);
const db = () => system.bed.db;

async function wire(stay: string, device: string): Promise<void> {
  const { property_id } = await db()
    .selectFrom('reservation')
    .select('property_id')
    .where('id', '=', stay)
    .executeTakeFirstOrThrow();
  await db().updateTable('property').set({ amenity_device: device }).where('id', '=', property_id).execute();
}

interface Parked {
  readonly id: string;
  readonly stay: string;
}
async function parkedCheckOut(): Promise<Parked> {
  const stay = await seedStay(db());
  await db().updateTable('reservation').set({ status: 'CONFIRMED' }).where('id', '=', stay).execute();
  await system.call('POST', `/reservations/${stay}/check-in`, { body: {} });
  await until('the guest is in', async () => {
    const open = await db()
      .selectFrom('saga')
      .select('id')
      .where('subject_id', '=', stay)
      .where('finished_at', 'is', null)
      .executeTakeFirst();
    return open ? undefined : true;
  });
  await wire(stay, `device-refused-${stay}`);
  const { sagaId } = await system.bed.accept(system.process, checkOut, {
    subjectId: stay,
    input: { reservationId: stay, actualTime: null, strict: false },
  });
  expect(await restOf(db(), sagaId)).toBe('parked');
  return { id: sagaId, stay };
}

async function incident(): Promise<string> {
  const id = newId('incident');
  await db()
    .updateTable('incident')
    .set({ closed_at: new Date(), closed_by: 'watchdog' })
    .where('closed_at', 'is', null)
    .execute();
  await db()
    .insertInto('incident')
    .values({
      id,
      kind: 'SAGA_PARKED',
      subject: 'checkOut.deactivatePropertyAmenities: AMENITIES_REFUSED',
      ...{ area: 'ENGINE', severity: 'WARNING', count: 1, most: 1, since: new Date(), details: '{"examples":[]}' },
    })
    .execute();
  return id;
}

/** The second of each redrive is over. */
const passSecond = () =>
  db()
    .updateTable('redrive')
    .set({ due_at: new Date(0) })
    .where('ended_at', 'is', null)
    .execute();
/** Both processes at once. */
const round = async (): Promise<number> => {
  await passSecond();
  const tried = await Promise.all(
    heirs.map(({ db: own, engine }) => driveRedrives({ db: own, orchestrator: engine.orchestrator })),
  );
  return tried.reduce((all, count) => all + count, 0);
};
const standing = async (incidentId: string) => (await get(`/incidents/${incidentId}/redrive`)).body.data;
const rested = (sagas: readonly Parked[]) => Promise.all(sagas.map(({ id }) => restOf(db(), id)));

describe('a redrive', () => {
  it('tries all sagas of an incident again, so many a second, each once, in the name of who ordered it', async () => {
    const sagas = [await parkedCheckOut(), await parkedCheckOut(), await parkedCheckOut()];
    for (const { stay } of sagas) await wire(stay, `lock-of-${stay}`);
    const id = await incident();
    expect(await standing(id)).toMatchObject({
      group: { saga: 'checkOut', step: 'deactivatePropertyAmenities', isParked: true, count: 3 },
      redrives: [],
    });
    const body = { reason: 'The lock server answers again', perSecond: 2, stopAfterErrors: 5 };
    expect((await post(`/incidents/${id}/redrive`, body, { role: 'FINANCE', sub: 'finance-1' })).status).toBe(404);
    expect((await post(`/incidents/${id}/redrive`, body, { role: 'AGENT', sub: 'agent-1' })).status).toBe(403);
    expect((await post(`/incidents/${id}/redrive`, { ...body, perSecond: 51 })).status).toBe(422);
    expect((await post(`/incidents/${id}/redrive`, { ...body, reason: '' })).status).toBe(422);
    const ordered = await post(`/incidents/${id}/redrive`, body);
    expect([ordered.status, ordered.body.data.status, ordered.body.data.sagas]).toEqual([
      200,
      'OPEN',
      { all: 3, waiting: 3, retried: 0, done: 0, failed: 0, skipped: 0 },
    ]);
    expect((await post(`/incidents/${id}/redrive`, body)).body.code).toBe('INVALID_STATE_TRANSITION');

    expect(await round()).toBe(2);
    // The next second has not come.
    await db()
      .updateTable('redrive')
      .set({ due_at: new Date(Date.now() + 60_000) })
      .where('ended_at', 'is', null)
      .execute();
    expect(await driveRedrives({ db: heirs[0].db, orchestrator: heirs[0].engine.orchestrator })).toBe(0);
    expect((await standing(id)).redrives[0].sagas.waiting).toBe(1);
    expect(await round()).toBe(1);
    expect(await rested(sagas)).toEqual(['completed', 'completed', 'completed']);
    expect(await round()).toBe(0);
    const [redrive] = (await standing(id)).redrives;
    expect(redrive).toMatchObject({
      status: 'DONE',
      orderedBy: 'ops-1',
      sagas: { all: 3, done: 3, waiting: 0, failed: 0 },
    });
    const audited = await db()
      .selectFrom('audit_log')
      .select(['actor', 'body'])
      .where('event', '=', 'SAGA_RESUMED')
      .where(
        'saga_id',
        'in',
        sagas.map((saga) => saga.id),
      )
      .execute();
    expect(audited.map(({ actor }) => actor)).toEqual(['ops-1', 'ops-1', 'ops-1']);
    expect(audited.every(({ body: text }) => text.includes('The lock server answers again'))).toBe(true);
    expect((await standing(id)).group.count).toBe(0);
    expect((await post(`/incidents/${id}/redrive`, body)).body.error).toBe('No saga of it stands still any more');
  });

  it('stops when too many wait for a person again, and when a person says so', async () => {
    const sagas = [await parkedCheckOut(), await parkedCheckOut(), await parkedCheckOut()];
    const id = await incident();
    await post(`/incidents/${id}/redrive`, { reason: 'x', perSecond: 50, stopAfterErrors: 1 });
    // No more are under way than may fail.
    expect(await round()).toBe(1);
    expect(await rested(sagas)).toEqual(['parked', 'parked', 'parked']);
    expect(await round()).toBe(0);
    const [failed] = (await standing(id)).redrives;
    expect(failed).toMatchObject({ status: 'FAILED', sagas: { all: 3, waiting: 2, failed: 1 } });
    expect(failed.failures).toEqual([{ sagaId: sagas[0]?.id, code: 'AMENITIES_REFUSED' }]);

    expect((await post(`/incidents/${id}/redrive/stop`, { reason: 'x' })).body.code).toBe('INVALID_STATE_TRANSITION');
    await post(`/incidents/${id}/redrive`, { reason: 'Once more', perSecond: 1, stopAfterErrors: 3 });
    const stopped = await post(`/incidents/${id}/redrive/stop`, { reason: 'It refuses still' });
    expect(stopped.body.data).toMatchObject({ status: 'STOPPED', endedBy: 'ops-1', endReason: 'It refuses still' });
    expect(await round()).toBe(0);
    for (const { stay } of sagas) await wire(stay, `lock-of-${stay}`);
    await post(`/incidents/${id}/redrive`, { reason: 'It is mended', perSecond: 50, stopAfterErrors: 5 });
    // Somebody else is faster with one of them.
    await post(`/sagas/executions/${sagas[1]?.id}/retry`, {});
    await round();
    expect(await rested(sagas)).toEqual(['completed', 'completed', 'completed']);
    await round();
    const [last] = (await standing(id)).redrives;
    expect(last).toMatchObject({ status: 'DONE', sagas: { all: 3, done: 2, skipped: 1 } });
  });

  it('makes the next attempt of those that back off now', async () => {
    const { id: sagaId, stay } = await parkedCheckOut();
    // As if its step had failed once, and its job came back in an hour.
    await db()
      .updateTable('saga_step')
      .set({ status: 'pending', finished_at: null, max_attempts: 8 })
      .where('saga_id', '=', sagaId)
      .where('status', '=', 'failed')
      .execute();
    const later = new Date(Date.now() + 3_600_000);
    await db().updateTable('saga').set({ status: 'running', next_check_at: later }).where('id', '=', sagaId).execute();
    await wire(stay, `lock-of-${stay}`);
    const id = await incident();
    await db().updateTable('incident').set({ kind: 'SAGA_RETRYING' }).where('id', '=', id).execute();
    expect((await standing(id)).group).toMatchObject({ isParked: false, count: 1 });
    await post(`/incidents/${id}/redrive`, { reason: 'The lock is back' });
    expect(await round()).toBe(1);
    expect(await restOf(db(), sagaId)).toBe('completed');
    await round();
    expect((await standing(id)).redrives[0]).toMatchObject({
      status: 'DONE',
      perSecond: 5,
      sagas: { all: 1, done: 1 },
    });
  });

  it('is of no other incident', async () => {
    const id = await incident();
    await db().updateTable('incident').set({ kind: 'NO_WORKER', subject: 'all' }).where('id', '=', id).execute();
    expect((await standing(id)).group).toBeNull();
    const refused = await post(`/incidents/${id}/redrive`, { reason: 'x' });
    expect(refused.body.error).toBe('It is about no sagas that can be tried again together');
    expect((await get('/incidents/incident-none/redrive')).status).toBe(404);
  });
});
