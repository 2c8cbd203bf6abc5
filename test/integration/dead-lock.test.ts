import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readDevMail } from '../../src/domain/messages/delivery-mailbox.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { createSimulatedDatabase, type SimulatedDatabase } from '../setup/database.ts';
import { deliverAll } from '../setup/deliver.ts';
import { restOf, until } from '../setup/engine.ts';
import { type System, startSystem } from '../setup/system.ts';

/** The lock server refuses everything on a day of many departures: operations read of it, and are not buried in mails. */
let database: SimulatedDatabase;
let system: System;
beforeAll(async () => {
  database = await createSimulatedDatabase();
  system = await startSystem(database);
  await prepareStays(system.bed.db);
  await sql`UPDATE property SET name = name || ' ' || id`.execute(system.bed.db);
});
afterAll(async () => {
  await system?.close();
});

const alertsGone = () =>
  until('the alerts are carried', async () => {
    const left = await system.bed.db
      .selectFrom('outbox')
      .select('id')
      .where('published_at', 'is', null)
      .limit(1)
      .executeTakeFirst();
    return left ? undefined : true;
  });
const moveTo = async (ms: number): Promise<void> => {
  await alertsGone();
  await database.clock.moveTo(new Date(ms));
};
const HOUR_MS = 3_600_000;
/** The first minute of the next hour: what an hour has is not to depend on when the test runs. */
const toNextHour = () => moveTo((Math.floor(database.clock.now().getTime() / HOUR_MS) + 1) * HOUR_MS + 60_000);
const forward = (minutes: number) => moveTo(database.clock.now().getTime() + minutes * 60_000);

async function inHouse(): Promise<string> {
  const id = await seedStay(system.bed.db);
  for (const act of ['confirm', 'check-in'])
    expect((await system.call('POST', `/reservations/${id}/${act}`, { body: {} })).status).toBe(200);
  await sql`UPDATE property SET amenity_device = ${`device-refused-${id}`}
    WHERE id = (SELECT property_id FROM reservation WHERE id = ${id})`.execute(system.bed.db);
  return id;
}
async function checkOut(id: string): Promise<string> {
  const { body } = await system.call('POST', `/reservations/${id}/check-out`, { body: {} });
  expect(body.data.status).toBe('parked');
  return body.data.sagaExecutionId;
}
async function retry(sagaId: string): Promise<void> {
  expect((await system.call('POST', `/sagas/executions/${sagaId}/retry`, { body: {} })).status).toBeLessThan(300);
  expect(await restOf(system.bed.db, sagaId)).toBe('parked');
}
/** The mails to operations so far, oldest first. */
async function toOps(): Promise<readonly { readonly subject: string; readonly body: string }[]> {
  const { db } = system.bed;
  await alertsGone();
  await deliverAll(db, 'https://roomy.example');
  const rows = await db
    .selectFrom('dev_mail')
    .select(['id', 'subject'])
    .where('recipient', 'like', 'ops@%')
    .orderBy('id')
    .execute();
  return Promise.all(
    rows.map(async ({ id, subject }) => ({ subject: subject ?? '', body: (await readDevMail(db, id))?.body ?? '' })),
  );
}

it('tells of the first of twelve departures at once, of the others together, and of none twice', async () => {
  const stays: string[] = [];
  for (let n = 0; n < 12; n += 1) stays.push(await inHouse());
  await toNextHour();
  const sagas: string[] = [];
  for (const id of stays) sagas.push(await checkOut(id));
  const first = await toOps();
  expect(first.map(({ subject }) => subject)).toEqual([
    'The devices of Marina 12 were not switched off: AMENITIES_REFUSED',
  ]);
  for (const words of [
    'Marina 12, guest J.D., 1 February 2031 to ',
    stays[0],
    `https://roomy.example/console/sagas/${sagas[0]}`,
  ])
    expect(first[0]?.body).toContain(words);
  // Each is parked anew, some of them several times.
  for (const sagaId of sagas) await retry(sagaId);
  for (const sagaId of sagas.slice(0, 3)) await retry(sagaId);
  expect(await toOps()).toHaveLength(1);
  await forward(16);
  const [, further, ...more] = await toOps();
  expect(more).toEqual([]);
  expect(further?.subject).toBe('The devices of 12 departures were not switched off: AMENITIES_REFUSED');
  for (const id of stays) expect(further?.body).toContain(id);
  for (const sagaId of sagas) await retry(sagaId);
  await forward(20);
  expect(await toOps()).toHaveLength(2);
  // Every one of them has its alert all the same, as a record.
  const { rows } = await sql<{ sagas: number }>`SELECT count(DISTINCT saga_id)::int AS sagas FROM outbox
    WHERE kind = 'ALERT' AND published_at IS NOT NULL`.execute(system.bed.db);
  expect(rows).toEqual([{ sagas: 12 }]);
});

it('sends nothing of those that were mended meanwhile, and tells one that is parked again once an hour', async () => {
  const before = (await toOps()).length;
  const open = await system.bed.db.selectFrom('saga').select('id').where('status', '=', 'parked').execute();
  const resolve = (id: string) =>
    system.call('POST', `/sagas/executions/${id}/resolve`, { body: { reason: 'Locked by hand' } });
  for (const { id } of open) expect((await resolve(id)).status).toBe(200);
  const stays = [await inHouse(), await inHouse()];
  await toNextHour();
  const sagas = [await checkOut(stays[0] ?? ''), await checkOut(stays[1] ?? '')];
  expect(await toOps()).toHaveLength(before + 1);
  for (const id of sagas) expect((await resolve(id)).status).toBe(200);
  await forward(16);
  expect(await toOps()).toHaveLength(before + 1);
  // One that comes later in the hour is told as well.
  const alone = await checkOut(await inHouse());
  await forward(16);
  expect(await toOps()).toHaveLength(before + 2);
  await toNextHour();
  await retry(alone);
  await retry(alone);
  await forward(16);
  expect(await toOps()).toHaveLength(before + 3);
});
