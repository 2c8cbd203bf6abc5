import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assignDueTasks } from '../../src/domain/assignment/assign-sweep.ts';
import { deliverDue } from '../../src/domain/messages/delivery.ts';
import { planDueReminders } from '../../src/domain/messages/reminders.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { expectAlertsFit } from '../setup/alerts.ts';
import { mailboxDeps } from '../setup/deliver.ts';
import { until } from '../setup/engine.ts';
import { type System, startSystem } from '../setup/system.ts';

/** A stay whose property has a saved time zone that does not exist: its own actions are refused, and nothing else is touched. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

/** By SQL, as rows of before zones were checked have it. */
async function staySavedWith(zone: string): Promise<string> {
  const { db } = system.bed;
  const id = await seedStay(db);
  await sql`UPDATE property SET time_zone = ${zone} WHERE id = (SELECT property_id FROM reservation WHERE id = ${id})`.execute(
    db,
  );
  return id;
}
const TABLES = ['task', 'transaction', 'payment', 'notification', 'sweep_failure'] as const;
async function rowsOf(reservationId: string): Promise<readonly number[]> {
  const { db } = system.bed;
  const counts: number[] = [];
  for (const table of TABLES) {
    const about =
      table === 'sweep_failure' ? sql`row_id LIKE ${`%${reservationId}%`}` : sql`reservation_id = ${reservationId}`;
    const { rows } = await sql<{
      n: number;
    }>`SELECT count(*)::int AS n FROM ${sql.table(table)} WHERE ${about}`.execute(db);
    counts.push(rows[0]?.n ?? -1);
  }
  return counts;
}
/** But for the ones about the stay that is well: it has nobody for its tasks. */
const alerts = async (): Promise<readonly unknown[]> => {
  const { rows } = await sql<{
    params: unknown;
  }>`SELECT params FROM notification WHERE event = 'SYSTEM_ALERT' AND params ->> 'code' <> 'NO_STAFF_AVAILABLE'`.execute(
    system.bed.db,
  );
  return rows.map(({ params }) => params);
};

describe('the confirmation of a stay whose property’s zone is unusable', () => {
  it('is refused at once and changes nothing, others are confirmed, and a person is told once', async () => {
    const { db } = system.bed;
    const bad = [await staySavedWith('IST'), await staySavedWith('IST')];
    const good = await seedStay(db);
    const before = await db.selectFrom('reservation').selectAll().where('id', 'in', bad).orderBy('id').execute();

    const [ist, other, confirmed] = await Promise.all(
      [...bad, good].map((id) => system.call('POST', `/reservations/${id}/confirm`, { body: {} })),
    );
    for (const refused of [ist, other]) {
      expect([refused?.status, refused?.body.code], refused?.text).toEqual([409, 'TIME_ZONE_UNKNOWN']);
      expect(refused?.body).toMatchObject({
        details: { timeZone: 'IST' },
        failedStep: 'validateReservation',
        compensated: true,
      });
    }
    expect([confirmed?.status, confirmed?.body.data.tasks.length], confirmed?.text).toEqual([200, 4]);

    // Nothing was done, so nothing was undone.
    expect(await db.selectFrom('reservation').selectAll().where('id', 'in', bad).orderBy('id').execute()).toEqual(
      before,
    );
    for (const id of bad) expect(await rowsOf(id)).toEqual([0, 0, 0, 0, 0]);
    const steps = await db
      .selectFrom('saga_step as t')
      .innerJoin('saga as s', 's.id', 't.saga_id')
      .select(['t.name', 't.direction', 't.status'])
      .where('s.subject_id', 'in', bad)
      .execute();
    const failed = { name: 'validateReservation', direction: 'F', status: 'failed' };
    expect(steps).toEqual([failed, failed]);

    // The sweeps go on with the others, and have nothing to say about these.
    expect(await planDueReminders(db, 100)).toBeGreaterThan(0);
    await assignDueTasks(db, 50);
    while ((await deliverDue(mailboxDeps(db))) > 0);
    const sent = await db
      .selectFrom('notification')
      .select('status')
      .where('reservation_id', '=', good)
      .where('event', '=', 'RESERVATION_CONFIRMED')
      .where('status', '=', 'SENT')
      .execute();
    expect(sent.length).toBeGreaterThan(0);
    expect((await sql`SELECT FROM sweep_failure`.execute(db)).rows).toEqual([]);

    await until('a person is told', async () => ((await alerts()).length > 0 ? true : undefined));
    // Told of both refusals: their orders of an alert are behind.
    await until('every order of an alert is done', async () => {
      const open = await db
        .selectFrom('outbox')
        .select('kind')
        .where('kind', '=', 'ALERT')
        .where('published_at', 'is', null)
        .execute();
      return open.length === 0 ? true : undefined;
    });
    expect(await alerts()).toEqual([
      expect.objectContaining({
        sagaName: 'confirmReservation',
        step: 'validateReservation',
        code: 'TIME_ZONE_UNKNOWN',
      }),
    ]);
  });

  it('succeeds once the zone is mended, under a new request', async () => {
    const id = await staySavedWith('Mars/Base');
    expect((await system.call('POST', `/reservations/${id}/confirm`, { body: {} })).body.code).toBe(
      'TIME_ZONE_UNKNOWN',
    );
    const { data } = (await system.call('GET', `/reservations/${id}`)).body;
    const mended = await system.call('PATCH', `/properties/${data.propertyId}`, { body: { timeZone: 'Asia/Kolkata' } });
    expect(mended.status, mended.text).toBe(200);
    const confirmed = await system.call('POST', `/reservations/${id}/confirm`, { body: {} });
    expect([confirmed.status, confirmed.body.data.tasks.length], confirmed.text).toEqual([200, 4]);
    const gatewayReference = `ref-${id}`;
    const paid = await system.call('POST', `/reservations/${id}/payment`, {
      body: { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference },
    });
    expect(paid.status, paid.text).toBe(200);
  });
});

it('the alert about a saga that was undone asks for no retry', async () => {
  expect(await expectAlertsFit(system.bed.db)).toMatchObject({ TIME_ZONE_UNKNOWN: 'undone-alert.ops@1' });
});
