import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { planDueReminders } from '../../src/domain/messages/reminders.ts';
import type { Amenities } from '../../src/domain/ports.ts';
import { followDepartures } from '../../src/domain/stays/access.ts';
import { PropertyChange } from '../../src/http/schemas/properties.ts';
import { ReservationChange } from '../../src/http/schemas/reservations.ts';
import { RoomyError } from '../../src/kernel/errors.ts';
import { startAccessChange } from '../../src/sagas/change-access/start.ts';
import { DEFINITIONS } from '../../src/sagas/index.ts';
import { prepareStays } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { deliverAll } from '../setup/deliver.ts';
import { restOf } from '../setup/engine.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';

/**
 * The door of a guest in the house follows the departure, however that changes: the code serves as long as the guest is
 * told, and no text is ahead of it.
 */

let system: System;
/** The devices, which a test can put out of order. */
let devices: Amenities;
beforeAll(async () => {
  system = await startSystem();
  devices = system.sandbox.ports.amenities;
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());
beforeEach(() => use({}));

const use = (changed: Partial<Amenities>): void => {
  Object.assign(system.sandbox.ports, { amenities: { ...devices, ...changed } });
};
const isDown = async (): Promise<never> => {
  throw new RoomyError('AMENITIES_UNAVAILABLE', { details: { amenityError: 'DEVICE_DOWN' }, unsent: true });
};

let made = 0;
interface InHouse {
  readonly id: string;
  readonly propertyId: string;
  readonly lock: string;
}
async function confirmed(planned: object = {}): Promise<InHouse> {
  made += 1;
  const propertyId = `followed-${made}`;
  const lock = `followed-lock-${made}`;
  await system.bed.db
    .insertInto('property')
    .values({ id: propertyId, name: 'Marina 12', owner_id: 'owner-1', amenity_device: lock })
    .execute();
  const dates = { checkInDate: '2031-02-01', checkOutDate: '2031-02-04' };
  const body = { propertyId, guestId: 'guest-1', totalAmount: 1000, ...dates, ...planned };
  const answer = await system.call('POST', '/reservations', { body });
  expect(answer.status, answer.text).toBe(201);
  const { id } = answer.body.data;
  expect((await act(id, 'confirm')).status).toBe(200);
  return { id, propertyId, lock };
}
async function inHouse(planned: object = {}): Promise<InHouse> {
  const stay = await confirmed(planned);
  expect((await act(stay.id, 'check-in')).status).toBe(200);
  await follow();
  return stay;
}
const act = (id: string, action: string, body: object = {}): Promise<Answer> =>
  system.call('POST', `/reservations/${id}/${action}`, { body });
const agree = async ({ id }: InHouse, body: object): Promise<Answer> => {
  const answer = await system.call('PATCH', `/reservations/${id}`, { body });
  expect(answer.status, answer.text).toBe(200);
  return answer;
};
const changeProperty = async ({ propertyId }: InHouse, body: object): Promise<void> => {
  const answer = await system.call('PATCH', `/properties/${propertyId}`, { body });
  expect(answer.status, answer.text).toBe(200);
};

/** The work of a worker by the clock; with the sagas that it starts, unless a device keeps them waiting. */
async function follow({ waits = true } = {}): Promise<void> {
  const { db } = system.bed;
  // As a process of its own: only then its relay has what it orders.
  while ((await followDepartures(system.process.db, startAccessChange, 50)) > 0);
  if (!waits) return;
  const open = await db
    .selectFrom('saga')
    .select('id')
    .where('name', '=', 'changeAccess')
    .where('finished_at', 'is', null)
    .execute();
  for (const { id } of open) await restOf(db, id);
}
/** Until when the lock itself lets the guest in. */
async function servesUntil({ lock }: InHouse): Promise<string | undefined> {
  const [grant, ...others] = await devices.grantsOf(lock, AbortSignal.timeout(5_000));
  expect(others).toEqual([]);
  return grant?.active === true ? grant.until : undefined;
}
async function departureOf({ id }: InHouse): Promise<string> {
  const { tasks } = (await system.call('GET', `/reservations/${id}/forecast`)).body.data;
  return tasks.find(({ occurrence }: { occurrence: string }) => occurrence === 'DEPARTURE').scheduledAt;
}
/** Has everything that is due about the stay sent, and answers what its guest was told of the departure by mail, in order. */
async function notified({ id }: InHouse, event = 'CHECK_OUT_REMINDER'): Promise<readonly string[]> {
  const { db } = system.bed;
  while ((await planDueReminders(db, 50)) > 0);
  await sql`UPDATE notification SET due_at = now() - interval '1 s' WHERE reservation_id = ${id} AND status = 'QUEUED'`.execute(
    db,
  );
  await deliverAll(db);
  const { rows } = await sql<{ body: string }>`SELECT m.body FROM notification n
    JOIN dev_mail m ON m.message_id = '<' || n.effect_key || '@roomy>'
   WHERE n.reservation_id = ${id} AND n.event = ${event} AND n.channel = 'EMAIL' ORDER BY n.sent_at, n.id`.execute(db);
  return rows.map(({ body }) => /\d\d:\d\d(?= \()/.exec(body)?.[0] ?? body);
}
const remindersOf = async ({ id }: InHouse): Promise<readonly string[]> => {
  const { rows } = await sql<{ said: string }>`SELECT concat_ws(' ', status, reason) AS said FROM notification
    WHERE reservation_id = ${id} AND event = 'CHECK_OUT_REMINDER' AND channel = 'EMAIL' AND status <> 'SKIPPED'
    ORDER BY created_at, id`.execute(system.bed.db);
  return rows.map(({ said }) => said);
};
const sagaOf = async ({ id }: InHouse) =>
  (await system.call('GET', `/sagas?name=changeAccess&reservationId=${id}`)).body.data[0];

const ELEVEN = '2031-02-04T07:00:00.000Z';
const ONE = '2031-02-04T09:00:00.000Z';

/** A value for every field that a stay or a property can be changed in: a new field wants one here. */
const RESERVATION: Readonly<Record<keyof typeof ReservationChange.shape, unknown>> = {
  propertyId: 'followed-1',
  guestId: 'guest-1',
  checkInDate: '2031-02-02',
  checkOutDate: '2031-02-05',
  totalAmount: 2000,
  currency: 'AED',
  referringAgentId: null,
  guestCount: 2,
  plannedArrival: '08:30',
  plannedDeparture: '13:00',
  notes: 'Two cots',
};
const PROPERTY: Readonly<Record<keyof typeof PropertyChange.shape, unknown>> = {
  name: 'Marina 13',
  ownerId: 'owner-1',
  region: 'Marina',
  address: 'Marina Walk 12',
  timeZone: 'Europe/London',
  checkInTime: '08:30',
  checkOutTime: '13:00',
  location: { lat: 25, lng: 55 },
  cleaningMinutes: 90,
  agentIds: [],
  amenityDevice: 'another-lock',
  readiness: 'CLEAN',
  inspectionRequired: true,
  strictChecks: [],
  autoCheckIn: true,
  autoCheckOut: true,
  checklists: {},
  primaryStaffIds: [],
  acceptMinutes: 60,
  checkInReminderTime: '09:00',
  checkOutReminderTime: '17:00',
  paymentDueDays: 3,
  requireTranslation: true,
  repairApprovalLimit: { amount: 500, currency: 'AED' },
};
const FIELDS = [
  ...Object.entries(RESERVATION).map(([field, value]) => ['reservations', field, value] as const),
  ...Object.entries(PROPERTY).map(([field, value]) => ['properties', field, value] as const),
];
const MOVING = ['properties.checkOutTime', 'properties.timeZone', 'reservations.plannedDeparture'];

describe('the door of a guest in the house', () => {
  it('serves until the departure, whichever field of the stay or of its property changes', async () => {
    expect(Object.keys(RESERVATION).toSorted()).toEqual(Object.keys(ReservationChange.shape).toSorted());
    expect(Object.keys(PROPERTY).toSorted()).toEqual(Object.keys(PropertyChange.shape).toSorted());
    const moved: string[] = [];
    let stay = await inHouse();
    for (const [collection, field, value] of FIELDS) {
      const path = `/${collection}/${collection === 'properties' ? stay.propertyId : stay.id}`;
      await system.call('PATCH', path, { body: { [field]: value } });
      await follow();
      const departure = await departureOf(stay);
      expect(await servesUntil(stay), `${collection}.${field}`).toBe(departure);
      if (departure === ELEVEN) continue;
      moved.push(`${collection}.${field}`);
      stay = await inHouse();
    }
    expect(moved.toSorted()).toEqual(MOVING);
  });

  it('keeps its code and serves everybody in the house when the property lets guests stay longer', async () => {
    const [bound, agreed] = [await inHouse(), await inHouse({ plannedDeparture: '10:15' })];
    const codes = async () =>
      system.bed.db
        .selectFrom('amenity_grant')
        .select(['reservation_id', 'access_code', 'activation_key'])
        .orderBy('reservation_id')
        .execute();
    const before = await codes();
    for (const stay of [bound, agreed]) await changeProperty(stay, { checkOutTime: '13:00' });
    await follow();
    expect(await servesUntil(bound)).toBe(ONE);
    expect(await servesUntil(agreed)).toBe('2031-02-04T06:15:00.000Z');
    expect(await codes()).toEqual(before);
    const { body } = await system.call('GET', `/sagas?name=changeAccess&reservationId=${bound.id}`);
    expect(body.data).toMatchObject([{ status: 'completed', data: { reservationId: bound.id } }]);
  });

  it('follows a departure that changes while the guest is being checked in', async () => {
    const stay = await confirmed();
    use({
      activate: async (request, signal) => {
        const activation = await devices.activate(request, signal);
        await changeProperty(stay, { checkOutTime: '13:00' });
        return activation;
      },
    });
    expect((await act(stay.id, 'check-in')).status).toBe(200);
    expect(await servesUntil(stay)).toBe(ELEVEN);
    expect(await notified(stay, 'WELCOME')).toEqual([]);
    await follow();
    expect(await servesUntil(stay)).toBe(ONE);
    expect(await notified(stay, 'WELCOME')).toEqual(['13:00']);
  });

  it('has no time of arrival: a guest who comes sooner than agreed gets the code then', async () => {
    const stay = await confirmed({ plannedArrival: '18:00' });
    await agree(stay, { plannedArrival: '08:30' });
    const come = new Date().toISOString();
    expect((await act(stay.id, 'check-in', { actualTime: come })).status).toBe(200);
    expect((await devices.grantsOf(stay.lock, AbortSignal.timeout(5_000)))[0]).toMatchObject({
      from: come,
      active: true,
    });
  });
});

describe('a later departure', () => {
  it('is told only when the lock serves so long, however long that takes, and holds nothing else up', async () => {
    const stay = await inHouse();
    expect(await notified(stay)).toEqual(['11:00']);
    use({ changePeriod: isDown });
    const { warnings } = (await agree(stay, { plannedDeparture: '13:00' })).body.data;
    expect(warnings).toEqual([]);
    // Before the sweep has come, and while the lock does not answer.
    expect(await notified(stay)).toEqual(['11:00']);
    await follow({ waits: false });
    expect(await notified(stay)).toEqual(['11:00']);
    expect(await remindersOf(stay)).toEqual(['SENT', 'QUEUED ACCESS_BEHIND']);
    const paid = {
      amount: 1000,
      currency: 'AED',
      paymentMethod: 'card',
      gatewayId: GATEWAY,
      gatewayReference: stay.id,
    };
    expect((await act(stay.id, 'payment', paid)).status).toBe(200);
    await agree(stay, { notes: 'Two cots' });

    use({});
    await follow();
    expect(await servesUntil(stay)).toBe(ONE);
    // The saga has woken it.
    while ((await planDueReminders(system.bed.db, 50)) > 0);
    await deliverAll(system.bed.db);
    expect(await remindersOf(stay)).toEqual(['SENT', 'SENT']);
    expect(await notified(stay)).toEqual(['11:00', '13:00']);
  });

  it('that becomes a later one still while the lock does not answer ends at the last', async () => {
    const stay = await inHouse();
    use({ changePeriod: isDown });
    await agree(stay, { plannedDeparture: '13:00' });
    await follow({ waits: false });
    await agree(stay, { plannedDeparture: '14:30' });
    await follow({ waits: false });
    use({});
    await follow();
    await follow();
    expect(await servesUntil(stay)).toBe('2031-02-04T10:30:00.000Z');
    expect(await notified(stay)).toEqual(['14:30']);
  });

  it('that the lock refuses waits for a person, who is told, and the guest hears nothing before', async () => {
    const stay = await inHouse();
    use({
      changePeriod: async () => {
        throw new RoomyError('AMENITIES_REFUSED', { details: { amenityError: 'TIME_NOT_CHANGED' }, unsent: true });
      },
    });
    await agree(stay, { plannedDeparture: '13:00' });
    await follow();
    expect(await sagaOf(stay)).toMatchObject({ status: 'parked', error: { code: 'AMENITIES_REFUSED' } });
    expect(await notified(stay)).toEqual([]);
    const alerts = await system.bed.db
      .selectFrom('notification')
      .select('template')
      .where('reservation_id', '=', stay.id)
      .where('event', '=', 'MAINTENANCE_ALERT')
      .execute();
    expect(alerts).toEqual([{ template: 'maintenance-alert-access.ops@1' }]);

    const { id } = await sagaOf(stay);
    const body = { reason: 'The guest was given a key' };
    expect((await system.call('POST', `/sagas/executions/${id}/resolve`, { body })).status).toBe(200);
    expect(await notified(stay)).toEqual(['13:00']);
    // A person has decided: it is not asked for again.
    await follow();
    expect(await sagaOf(stay)).toMatchObject({ id, status: 'resolved' });
  });

  it('that is retried from a read which finds another grant goes out under another key: none has two contents', async () => {
    // A read that may be read again, with a call behind it, is tried here.
    const reread = DEFINITIONS.filter(({ steps }) => steps.some((step) => step.readsAgain === true));
    expect(reread.map(({ name }) => name)).toEqual(['changeAccess']);
    const stay = await inHouse();
    const sent: { readonly key: string; readonly content: string }[] = [];
    use({
      changePeriod: async ({ key, ...content }) => {
        sent.push({ key, content: JSON.stringify(content) });
        throw new RoomyError('AMENITIES_REFUSED', { details: { amenityError: 'TIME_NOT_CHANGED' } });
      },
    });
    await agree(stay, { plannedDeparture: '13:00' });
    await follow();
    const { id } = await sagaOf(stay);
    const retried = async (fromStep?: string): Promise<void> => {
      const body = { reason: 'Again', ...(fromStep === undefined ? {} : { fromStep }) };
      expect((await system.call('POST', `/sagas/executions/${id}/retry`, { body })).status).toBe(200);
      expect(await restOf(system.bed.db, id)).toBe('parked');
    };
    await retried();
    const grantAt = (device: string, activationKey: string) =>
      sql`UPDATE amenity_grant SET device = ${device}, activation_key = ${activationKey} WHERE reservation_id = ${stay.id}`.execute(
        system.bed.db,
      );
    const { rows } = await sql<{ device: string; activation_key: string }>`
      SELECT device, activation_key FROM amenity_grant WHERE reservation_id = ${stay.id}`.execute(system.bed.db);
    await grantAt('another-lock', 'another-key');
    await retried('validateAccess');
    await grantAt(rows[0]?.device ?? '', rows[0]?.activation_key ?? '');
    await retried('validateAccess');
    expect(sent).toHaveLength(4);
    expect(sent[0]).toEqual(sent[1]);
    expect(sent[2]?.content).toContain('another-lock');
    expect(sent[3]?.content).toBe(sent[0]?.content);
    // A device that knows a key answers as the first time, and would keep what came between.
    expect(new Set(sent.map(({ key }) => key)).size).toBe(3);
  });

  it('that the lock has perhaps taken is taken back where it cannot be, and the guest is not told', async () => {
    const { db } = system.bed;
    const stay = await inHouse();
    let attempts = 0;
    use({
      changePeriod: async (request, signal) => {
        const isUndo = request.key.endsWith('-C');
        attempts += isUndo ? 0 : 1;
        if (isUndo || attempts === 1) await devices.changePeriod(request, signal);
        if (isUndo) return;
        throw new RoomyError(attempts === 1 ? 'STEP_TIMEOUT' : 'INVALID_STATE_TRANSITION');
      },
    });
    await agree(stay, { plannedDeparture: '13:00' });
    await follow();
    expect(await sagaOf(stay)).toMatchObject({ status: 'compensated' });
    expect(await servesUntil(stay)).toBe(ELEVEN);
    const known = db.selectFrom('amenity_grant').select('valid_until').where('reservation_id', '=', stay.id);
    expect((await known.executeTakeFirstOrThrow()).valid_until).toEqual(new Date(ELEVEN));
    expect(await notified(stay)).toEqual([]);
    expect(await remindersOf(stay)).toEqual(['BLOCKED ACCESS_BEHIND']);
    // The time that is agreed next is asked for again.
    use({});
    await agree(stay, { plannedDeparture: '14:30' });
    await follow();
    expect(await servesUntil(stay)).toBe('2031-02-04T10:30:00.000Z');
  });

  it('of a guest who leaves before the lock has answered changes nothing any more', async () => {
    const stay = await inHouse();
    use({ changePeriod: isDown });
    await agree(stay, { plannedDeparture: '13:00' });
    await follow({ waits: false });
    expect((await act(stay.id, 'check-out')).status).toBe(200);
    use({});
    await follow();
    expect(await sagaOf(stay)).toMatchObject({ status: 'completed' });
    expect(await servesUntil(stay)).toBeUndefined();
  });
});

it('a guest who came too late to be reminded is told of another departure all the same', async () => {
  const today = Temporal.Now.plainDateISO('Asia/Dubai');
  const stay = await confirmed({ checkInDate: today.toString(), checkOutDate: today.add({ days: 1 }).toString() });
  await changeProperty(stay, { checkOutReminderTime: '00:00' });
  expect((await act(stay.id, 'check-in')).status).toBe(200);
  await follow();
  expect(await notified(stay)).toEqual([]);
  await changeProperty(stay, { checkOutTime: '09:00' });
  expect(await notified(stay)).toEqual(['09:00']);
  await agree(stay, { plannedDeparture: '08:00' });
  expect(await notified(stay)).toEqual(['09:00', '08:00']);
  expect(await notified(stay)).toEqual(['09:00', '08:00']);
});

describe('an earlier departure', () => {
  it('ends the code when the guest has been told of it, and not before', async () => {
    const stay = await inHouse();
    await agree(stay, { plannedDeparture: '10:15' });
    await follow();
    expect(await servesUntil(stay)).toBe(ELEVEN);
    expect(await notified(stay)).toEqual(['10:15']);
    await follow();
    expect(await servesUntil(stay)).toBe('2031-02-04T06:15:00.000Z');
    // Longer again: first the door, then the word.
    await agree(stay, { plannedDeparture: null });
    expect(await notified(stay)).toEqual(['10:15']);
    await follow();
    expect(await servesUntil(stay)).toBe(ELEVEN);
    expect(await notified(stay)).toEqual(['10:15', '11:00']);
    // The time of the first message is not that of the last.
    await agree(stay, { plannedDeparture: '10:15' });
    await follow();
    expect(await servesUntil(stay)).toBe(ELEVEN);
  });
});
