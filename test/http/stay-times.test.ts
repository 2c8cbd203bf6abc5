import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planDueReminders } from '../../src/domain/messages/reminders.ts';
import { prepareStays } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { deliverAll } from '../setup/deliver.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';

/** One arrival and one departure of a stay: its tasks, its door, its texts, its forecast and its payout name the same. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  const payout_terms = JSON.stringify({ policy: 'AFTER_CHECK_OUT' });
  await system.bed.db.updateTable('owner').set({ payout_terms }).execute();
});
afterAll(() => system?.close());

let made = 0;
async function stay(planned: object): Promise<string> {
  made += 1;
  const propertyId = `timed-${made}`;
  await system.bed.db
    .insertInto('property')
    .values({ id: propertyId, name: 'Marina 12', owner_id: 'owner-1', amenity_device: `timed-lock-${made}` })
    .execute();
  const dates = { checkInDate: '2031-02-01', checkOutDate: '2031-02-04' };
  const body = { propertyId, guestId: 'guest-1', totalAmount: 1000, ...dates, ...planned };
  const answer = await system.call('POST', '/reservations', { body });
  expect(answer.status).toBe(201);
  return answer.body.data.id;
}
const act = (id: string, action: string, body: object = {}): Promise<Answer> =>
  system.call('POST', `/reservations/${id}/${action}`, { body });
const forecastOf = async (id: string) => (await system.call('GET', `/reservations/${id}/forecast`)).body.data;
interface Timed {
  readonly occurrence: string;
  readonly scheduledAt: string;
  readonly mustFinishBy: string | null;
}
const timesIn = (tasks: readonly Timed[]) =>
  tasks
    .map(({ occurrence, scheduledAt, mustFinishBy }) => ({ occurrence, scheduledAt, mustFinishBy }))
    .toSorted((one, other) => one.occurrence.localeCompare(other.occurrence));

/** All that guest and owner are sent about a stay until the guest is in the house, reminders with it. */
async function textsOf(id: string): Promise<ReadonlyMap<string, string>> {
  const { db } = system.bed;
  while ((await planDueReminders(db, 50)) > 0);
  await sql`UPDATE notification SET due_at = now() - interval '1 s' WHERE reservation_id = ${id} AND status = 'QUEUED'`.execute(
    db,
  );
  await deliverAll(db);
  const { rows } = await sql<{ event: string; said: string }>`
    SELECT n.event, string_agg(concat(m.subject, ' ', m.body), ' ') AS said
      FROM notification n JOIN dev_mail m ON m.message_id = '<' || n.effect_key || '@roomy>'
     WHERE n.reservation_id = ${id} AND n.recipient_type IN ('GUEST', 'OWNER') AND n.status = 'SENT' GROUP BY n.event`.execute(
    db,
  );
  return new Map(rows.map(({ event, said }) => [event, said]));
}

describe('arrival and departure', () => {
  it.each([
    ['as agreed', { plannedArrival: '18:30', plannedDeparture: '10:15' }, '18:30', '10:15', '14:30', '06:15'],
    ['of the property where nothing is agreed', {}, '15:00', '11:00', '11:00', '07:00'],
  ])('%s are the same for everybody', async (_, planned, arrival, departure, arrivalUtc, departureUtc) => {
    const id = await stay(planned);
    const before = await forecastOf(id);
    expect((await act(id, 'confirm')).status).toBe(200);
    const forecast = await forecastOf(id);
    expect(timesIn(before.tasks)).toEqual(timesIn(forecast.tasks));
    expect(forecast.tasks).toContainEqual(
      expect.objectContaining({ occurrence: 'DEPARTURE', scheduledAt: `2031-02-04T${departureUtc}:00.000Z` }),
    );
    const texts = await textsOf(id);
    const order = { amount: 1000, currency: 'AED', paymentMethod: 'card', gatewayId: GATEWAY, gatewayReference: id };
    const paid = await act(id, 'payment', order);
    expect(paid.body.data.ownerPayout.scheduledFor).toBe(`2031-02-05T${departureUtc}:00.000Z`);
    const come = await act(id, 'check-in');
    expect(come.body.data.amenities.validUntil).toBe(`2031-02-04T${departureUtc}:00.000Z`);
    const welcome = (await textsOf(id)).get('WELCOME') ?? '';

    expect(texts.get('NEW_RESERVATION')).toContain(`${arrival} (Asia/Dubai)`);
    expect(texts.get('NEW_RESERVATION')).toContain(`${departure} (Asia/Dubai)`);
    expect(texts.get('CHECK_IN_REMINDER')).toContain(`check in from ${arrival} (Asia/Dubai)`);
    expect(texts.get('CHECK_OUT_REMINDER')).toContain(`check out by ${departure} (Asia/Dubai)`);
    expect(welcome).toContain(`${departure} (Asia/Dubai)`);
    const hours = [...texts.values(), welcome].flatMap((said) => said.match(/\d\d:\d\d(?= \(Asia\/Dubai\))/g) ?? []);
    expect([...new Set(hours)].toSorted()).toEqual([arrival, departure].toSorted());
    expect(arrivalUtc).toBe(
      forecast.tasks.find((task: Timed) => task.occurrence === 'ARRIVAL').scheduledAt.slice(11, 16),
    );
  });

  it('are forecast as they will be, also where somebody else arrives on the day of the departure', async () => {
    const id = await stay({ plannedDeparture: '13:30' });
    const { propertyId } = (await system.call('GET', `/reservations/${id}`)).body.data;
    const next = { propertyId, guestId: 'guest-1', checkInDate: '2031-02-04', checkOutDate: '2031-02-06' };
    const { body } = await system.call('POST', '/reservations', { body: { ...next, totalAmount: 1 } });
    expect((await act(body.data.id, 'confirm')).status).toBe(200);
    const before = await forecastOf(id);
    expect((await act(id, 'confirm')).status).toBe(200);
    expect(timesIn(before.tasks)).toEqual(timesIn((await forecastOf(id)).tasks));
  });

  const notified = async (id: string, event: string): Promise<readonly string[]> => {
    await textsOf(id);
    const { rows } = await sql<{ body: string }>`SELECT m.body FROM notification n
      JOIN dev_mail m ON m.message_id = '<' || n.effect_key || '@roomy>'
     WHERE n.reservation_id = ${id} AND n.event = ${event} AND n.channel = 'EMAIL' ORDER BY n.sent_at, n.id`.execute(
      system.bed.db,
    );
    return rows.map(({ body }) => /\d\d:\d\d(?= \(Asia)/.exec(body)?.[0] ?? body);
  };
  it.each([
    ['an arrival', 'CHECK_IN_REMINDER', 'plannedArrival', '15:00'],
    ['a departure', 'CHECK_OUT_REMINDER', 'plannedDeparture', '11:00'],
  ] as const)('%s that is agreed after the guest was reminded is told again, once', async (_, event, field, first) => {
    const id = await stay({});
    await act(id, 'confirm');
    const agree = (at: string | null) => system.call('PATCH', `/reservations/${id}`, { body: { [field]: at } });
    expect(await notified(id, event)).toEqual([first]);
    expect((await agree('08:30')).status).toBe(200);
    expect(await notified(id, event)).toEqual([first, '08:30']);
    // Other changes of the stay, and the same time said in another way, are no news.
    expect((await system.call('PATCH', `/reservations/${id}`, { body: { notes: 'Two cots' } })).status).toBe(200);
    expect((await agree(field === 'plannedArrival' ? '2031-02-01T08:30' : '2031-02-04T08:30')).status).toBe(200);
    expect(await notified(id, event)).toEqual([first, '08:30']);
    // Back to what was told first, which is not what was told last.
    expect((await agree(null)).status).toBe(200);
    expect(await notified(id, event)).toEqual([first, '08:30', first]);
  });

  it('of the property that change after guests were reminded are told again to those who go by them', async () => {
    const [bound, agreed] = [await stay({}), await stay({ plannedArrival: '18:30', plannedDeparture: '09:15' })];
    for (const id of [bound, agreed]) {
      await act(id, 'confirm');
      await textsOf(id);
      const { propertyId } = (await system.call('GET', `/reservations/${id}`)).body.data;
      const body = { checkInTime: '16:00', checkOutTime: '10:00' };
      expect((await system.call('PATCH', `/properties/${propertyId}`, { body })).status).toBe(200);
    }
    expect(await notified(bound, 'CHECK_IN_REMINDER')).toEqual(['15:00', '16:00']);
    expect(await notified(bound, 'CHECK_OUT_REMINDER')).toEqual(['11:00', '10:00']);
    expect(await notified(agreed, 'CHECK_IN_REMINDER')).toEqual(['18:30']);
    expect(await notified(agreed, 'CHECK_OUT_REMINDER')).toEqual(['09:15']);
  });

  it('that were told and change for a moment only are not told again', async () => {
    const id = await stay({});
    await act(id, 'confirm');
    expect(await notified(id, 'CHECK_OUT_REMINDER')).toEqual(['11:00']);
    for (const plannedDeparture of ['08:00', '11:00']) {
      await system.call('PATCH', `/reservations/${id}`, { body: { plannedDeparture } });
      while ((await planDueReminders(system.bed.db, 50)) > 0);
    }
    expect(await notified(id, 'CHECK_OUT_REMINDER')).toEqual(['11:00']);
  });
});
