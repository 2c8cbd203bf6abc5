import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { restOf } from '../setup/engine.ts';
import { backsOff, openIncident, openRedrives, parkedCheckOut, type Redrives, wire } from '../setup/redrives.ts';

/** All check-outs that a dead lock has stopped are tried again together, by any process, with nothing but Postgres to go by. */

let bed: Redrives;
beforeAll(async () => {
  bed = await openRedrives();
}, 60_000);
afterAll(() => bed?.close());

describe('a redrive', () => {
  it('tries all sagas of an incident again, so many a second, each once, in the name of who ordered it', async () => {
    const sagas = [await parkedCheckOut(bed), await parkedCheckOut(bed), await parkedCheckOut(bed)];
    for (const { stay } of sagas) await wire(bed, stay, `lock-of-${stay}`);
    const id = await openIncident(bed);
    expect(await bed.standing(id)).toMatchObject({
      group: { saga: 'checkOut', step: 'deactivatePropertyAmenities', isParked: true, count: 3 },
      redrives: [],
    });
    const body = { reason: 'The lock server answers again', perSecond: 2, stopAfterErrors: 5 };
    expect((await bed.post(`/incidents/${id}/redrive`, body, { role: 'FINANCE', sub: 'finance-1' })).status).toBe(404);
    expect((await bed.post(`/incidents/${id}/redrive`, body, { role: 'AGENT', sub: 'agent-1' })).status).toBe(403);
    expect((await bed.post(`/incidents/${id}/redrive`, { ...body, perSecond: 51 })).status).toBe(422);
    expect((await bed.post(`/incidents/${id}/redrive`, { ...body, reason: '' })).status).toBe(422);
    const ordered = await bed.post(`/incidents/${id}/redrive`, body);
    expect([ordered.status, ordered.body.data.status, ordered.body.data.sagas]).toEqual([
      200,
      'OPEN',
      { all: 3, waiting: 3, retried: 0, done: 0, failed: 0, skipped: 0 },
    ]);
    expect((await bed.post(`/incidents/${id}/redrive`, body)).body.code).toBe('INVALID_STATE_TRANSITION');

    expect(await bed.round()).toBe(2);
    // The next second has not come.
    await bed.db
      .updateTable('redrive')
      .set({ due_at: new Date(Date.now() + 60_000) })
      .where('ended_at', 'is', null)
      .execute();
    expect(await bed.driveOne()).toBe(0);
    expect((await bed.standing(id)).redrives[0].sagas.waiting).toBe(1);
    expect(await bed.round()).toBe(1);
    expect(await bed.rested(sagas)).toEqual(['completed', 'completed', 'completed']);
    expect(await bed.round()).toBe(0);
    const [redrive] = (await bed.standing(id)).redrives;
    expect(redrive).toMatchObject({
      status: 'DONE',
      orderedBy: 'ops-1',
      sagas: { all: 3, done: 3, waiting: 0, failed: 0 },
    });
    const audited = await bed.db
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
    expect((await bed.standing(id)).group.count).toBe(0);
    expect((await bed.post(`/incidents/${id}/redrive`, body)).body.error).toBe('No saga of it stands still any more');
  });

  it('stops when too many wait for a person again, and when a person says so', async () => {
    const sagas = [await parkedCheckOut(bed), await parkedCheckOut(bed), await parkedCheckOut(bed)];
    const id = await openIncident(bed);
    await bed.post(`/incidents/${id}/redrive`, { reason: 'x', perSecond: 50, stopAfterErrors: 1 });
    // No more are under way than may fail.
    expect(await bed.round()).toBe(1);
    expect(await bed.rested(sagas)).toEqual(['parked', 'parked', 'parked']);
    expect(await bed.round()).toBe(0);
    const [failed] = (await bed.standing(id)).redrives;
    expect(failed).toMatchObject({ status: 'FAILED', sagas: { all: 3, waiting: 2, failed: 1 } });
    expect(failed.failures).toEqual([{ sagaId: sagas[0]?.id, code: 'AMENITIES_REFUSED' }]);

    expect((await bed.post(`/incidents/${id}/redrive/stop`, { reason: 'x' })).body.code).toBe(
      'INVALID_STATE_TRANSITION',
    );
    await bed.post(`/incidents/${id}/redrive`, { reason: 'Once more', perSecond: 1, stopAfterErrors: 3 });
    const stopped = await bed.post(`/incidents/${id}/redrive/stop`, { reason: 'It refuses still' });
    expect(stopped.body.data).toMatchObject({ status: 'STOPPED', endedBy: 'ops-1', endReason: 'It refuses still' });
    expect(await bed.round()).toBe(0);
    for (const { stay } of sagas) await wire(bed, stay, `lock-of-${stay}`);
    await bed.post(`/incidents/${id}/redrive`, { reason: 'It is mended', perSecond: 50, stopAfterErrors: 5 });
    // Somebody else is faster with one of them.
    await bed.post(`/sagas/executions/${sagas[1]?.id}/retry`, {});
    await bed.round();
    expect(await bed.rested(sagas)).toEqual(['completed', 'completed', 'completed']);
    await bed.round();
    const [last] = (await bed.standing(id)).redrives;
    expect(last).toMatchObject({ status: 'DONE', sagas: { all: 3, done: 2, skipped: 1 } });
  });

  it('that a person stops midway says what became of those that were under way', async () => {
    const sagas = [await parkedCheckOut(bed), await parkedCheckOut(bed), await parkedCheckOut(bed)];
    const [mended, refusing, waiting] = sagas;
    await wire(bed, mended?.stay ?? '', `lock-of-${mended?.stay}`);
    const id = await openIncident(bed);
    await bed.post(`/incidents/${id}/redrive`, { reason: 'x', perSecond: 2, stopAfterErrors: 5 });
    expect(await bed.round()).toBe(2);
    const stopped = await bed.post(`/incidents/${id}/redrive/stop`, { reason: 'Not now' });
    expect(stopped.body.data).toMatchObject({ status: 'STOPPED', sagas: { all: 3, waiting: 1 } });
    expect(await bed.rested(sagas)).toEqual(['completed', 'parked', 'parked']);
    expect(await bed.round()).toBe(0);
    const [redrive] = (await bed.standing(id)).redrives;
    expect(redrive).toMatchObject({
      status: 'STOPPED',
      sagas: { all: 3, waiting: 1, retried: 0, done: 1, failed: 1 },
      failures: [{ sagaId: refusing?.id, code: 'AMENITIES_REFUSED' }],
    });
    for (const { stay } of [refusing, waiting].flatMap((one) => one ?? [])) await wire(bed, stay, `lock-of-${stay}`);
    await bed.post(`/incidents/${id}/redrive`, { reason: 'It is mended' });
    await bed.round();
    expect(await bed.rested(sagas)).toEqual(['completed', 'completed', 'completed']);
    await bed.round();
    // What it has counted stays as it was.
    const [last, before] = (await bed.standing(id)).redrives;
    expect([last.sagas.done, before.sagas]).toEqual([2, redrive.sagas]);
  });

  it('makes the next attempt of those that back off now', async () => {
    const { id: sagaId, stay } = await parkedCheckOut(bed);
    await backsOff(bed, { id: sagaId, stay });
    await wire(bed, stay, `lock-of-${stay}`);
    const id = await openIncident(bed, { kind: 'SAGA_RETRYING' });
    expect((await bed.standing(id)).group).toMatchObject({ isParked: false, count: 1 });
    await bed.post(`/incidents/${id}/redrive`, { reason: 'The lock is back' });
    expect(await bed.round()).toBe(1);
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    await bed.round();
    expect((await bed.standing(id)).redrives[0]).toMatchObject({
      status: 'DONE',
      perSecond: 5,
      sagas: { all: 1, done: 1 },
    });
  });

  it('goes on as it was ordered by a version that did not know of circuits', async () => {
    const { id: sagaId, stay } = await parkedCheckOut(bed);
    await wire(bed, stay, `lock-of-${stay}`);
    const id = await openIncident(bed);
    await bed.post(`/incidents/${id}/redrive`, { reason: 'x' });
    await bed.db
      .updateTable('redrive_saga')
      .set({ act: null, is_undoing: null })
      .where('saga_id', '=', sagaId)
      .execute();
    await bed.round();
    expect(await restOf(bed.db, sagaId)).toBe('completed');
    await bed.round();
    expect((await bed.standing(id)).redrives[0]).toMatchObject({ status: 'DONE', sagas: { done: 1 } });
  });

  it('is of no other incident', async () => {
    const id = await openIncident(bed, { kind: 'NO_WORKER', subject: 'all' });
    expect((await bed.standing(id)).group).toBeNull();
    const refused = await bed.post(`/incidents/${id}/redrive`, { reason: 'x' });
    expect(refused.body.error).toBe('It is about no sagas that can be tried again together');
    expect((await bed.get('/incidents/incident-none/redrive')).status).toBe(404);
  });
});
