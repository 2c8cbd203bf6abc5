import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../setup/engine.ts';
import {
  backsOff,
  closeIncidents,
  confirmedStay,
  openIncident,
  openRedrives,
  type Parked,
  parkedCheckOut,
  placeOf,
  type Redrives,
  wire,
} from '../setup/redrives.ts';

/** What one device has stopped is tried again together: sagas of several names, at several steps, forward and undoing. */

let bed: Redrives;
beforeAll(async () => {
  bed = await openRedrives();
}, 60_000);
afterAll(() => bed?.close());

const OUTAGE = JSON.stringify({ code: 'AMENITIES_UNAVAILABLE' });

/** As if its place had this device, which did not answer. The device that is asked next is its stay's own. */
async function isStoppedBy(device: string, { id, stay }: Parked, next = `lock-of-${stay}`): Promise<void> {
  await wire(bed, stay, next);
  const place = `place-${device}`;
  await sql`INSERT INTO property (id, name, owner_id, amenity_device) SELECT ${place}, 'Shared', owner_id, ${device} FROM property
    WHERE id = ${await placeOf(bed, stay)} ON CONFLICT DO NOTHING`.execute(bed.db);
  await bed.db.updateTable('saga').set({ property_id: place }).where('id', '=', id).execute();
  await sql`UPDATE saga_step SET error = ${OUTAGE}::jsonb WHERE saga_id = ${id} AND status IN ('failed', 'pending')`.execute(
    bed.db,
  );
}

/** A check-in that somebody has cancelled, and whose device could not be switched off. */
async function parkedUndoing(): Promise<Parked> {
  const stay = await confirmedStay(bed);
  await wire(bed, stay, `lock-of-${stay}`);
  const hold = async (scope: string, subject: string): Promise<string> =>
    (await bed.post('/holds', { scope, subject, reason: 'x' })).body.data.id;
  const last = await hold('STEP', 'checkIn.sendWelcomeNotification');
  const { sagaExecutionId: id } = (await bed.system.call('POST', `/reservations/${stay}/check-in`, { body: {} })).body
    .data;
  const at = (status: string, step: number) =>
    until(`it is ${status} at step ${step}`, () =>
      bed.db
        .selectFrom('saga')
        .select('id')
        .where('id', '=', id)
        .where('current_step', '=', step)
        .where(sql`status`, '=', status)
        .executeTakeFirst(),
    );
  await at('running', 6);
  const devices = await hold('GATEWAY', 'devices');
  expect((await bed.post(`/sagas/executions/${id}/cancel`, { reason: 'Another guest' })).status).toBe(200);
  await at('compensating', 5);
  await sql`
    INSERT INTO saga_step (saga_id, step_no, direction, name, kind, class, status, attempt, max_attempts, started_at, finished_at, error)
    SELECT saga_id, step_no, 'C', name, kind, class, 'failed', 8, 8, now(), now(), ${OUTAGE}::jsonb
      FROM saga_step WHERE saga_id = ${id} AND step_no = 5 AND direction = 'F'
    ON CONFLICT (saga_id, step_no, direction) DO UPDATE SET status = 'failed', finished_at = now(), error = ${OUTAGE}::jsonb`.execute(
    bed.db,
  );
  await bed.db.updateTable('saga').set({ status: 'parked' }).where('id', '=', id).execute();
  for (const one of [last, devices]) await bed.post(`/holds/${one}/release`, { reason: 'x' });
  return { id, stay };
}

it('tries all that it has stopped again, each in its own way, also when the circuit lets calls through again', async () => {
  const device = 'lock-shared';
  const [parked, backingOff, undoing] = [
    await parkedCheckOut(bed),
    await parkedCheckOut(bed),
    await parkedUndoing(),
  ] as const;
  const [refused, elsewhere] = [await parkedCheckOut(bed), await parkedCheckOut(bed)] as const;
  for (const saga of [parked, backingOff, undoing, refused]) await isStoppedBy(device, saga);
  await isStoppedBy('lock-elsewhere', elsewhere);
  await backsOff(bed, backingOff);
  // An answer is no outage.
  await sql`UPDATE saga_step SET error = '{"code":"AMENITIES_REFUSED"}' WHERE saga_id = ${refused.id} AND status = 'failed'`.execute(
    bed.db,
  );
  const id = await openIncident(bed, { kind: 'CIRCUIT_OPEN', subject: device });
  await closeIncidents(bed.db);

  expect((await bed.standing(id)).group).toEqual({
    ...{ saga: null, step: null, code: null, isUndoing: null, isParked: null, system: device },
    ...{ count: 3, parked: 2, since: expect.any(String) },
  });
  const body = { reason: 'The lock server answers again', perSecond: 2, stopAfterErrors: 5 };
  expect((await bed.post(`/incidents/${id}/redrive`, body, { role: 'FINANCE', sub: 'finance-1' })).status).toBe(404);
  expect((await bed.post(`/incidents/${id}/redrive`, body)).body.data.sagas.all).toBe(3);
  const { rows: ordered } = await sql<{ saga_id: string; act: string; is_undoing: boolean }>`
    SELECT i.saga_id, i.act, i.is_undoing FROM redrive_saga i JOIN redrive r ON r.id = i.redrive_id WHERE r.incident_id = ${id}`.execute(
    bed.db,
  );
  expect(new Map(ordered.map(({ saga_id, ...how }) => [saga_id, how]))).toEqual(
    new Map([
      [parked.id, { act: 'RETRY', is_undoing: false }],
      [backingOff.id, { act: 'RETRY_NOW', is_undoing: false }],
      [undoing.id, { act: 'RETRY', is_undoing: true }],
    ]),
  );

  expect(await bed.round()).toBe(2);
  expect(await bed.round()).toBe(1);
  expect(await bed.rested([parked, backingOff, undoing])).toEqual(['completed', 'completed', 'compensated']);
  await bed.round();
  expect((await bed.standing(id)).redrives).toMatchObject([{ status: 'DONE', sagas: { all: 3, done: 3 } }]);
  expect(await bed.rested([refused, elsewhere])).toEqual(['parked', 'parked']);
  expect((await bed.standing(id)).group.count).toBe(0);
});

it('stops when the system still does not answer those that back off', async () => {
  const device = 'lock-still-away';
  const sagas = [await parkedCheckOut(bed), await parkedCheckOut(bed)];
  for (const saga of sagas) {
    await isStoppedBy(device, saga, `device-down-${saga.stay}`);
    await backsOff(bed, saga);
  }
  const id = await openIncident(bed, { kind: 'CIRCUIT_OPEN', subject: device });
  await bed.post(`/incidents/${id}/redrive`, { reason: 'x', perSecond: 50, stopAfterErrors: 1 });
  expect(await bed.round()).toBe(1);
  await until('it has failed once more', async () => {
    const { rows } =
      await sql`SELECT FROM step_attempt a JOIN redrive_saga i ON i.saga_id = a.saga_id AND a.claimed_at > i.at
       WHERE a.outcome = 'retry'`.execute(bed.db);
    return rows[0];
  });
  expect(await bed.round()).toBe(0);
  const [redrive] = (await bed.standing(id)).redrives;
  expect(redrive).toMatchObject({ status: 'FAILED', sagas: { all: 2, waiting: 1, failed: 1 } });
  expect(redrive.failures).toEqual([{ sagaId: expect.any(String), code: 'AMENITIES_UNAVAILABLE' }]);
  expect(sagas.map((saga) => saga.id)).toContain(redrive.failures[0].sagaId);
});
