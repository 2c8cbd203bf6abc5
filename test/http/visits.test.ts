import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StayCheck } from '../../src/db/schema.ts';
import { openField } from '../../src/db/sealed-fields.ts';
import { assignDueTasks } from '../../src/domain/assignment/assign-sweep.ts';
import { advanceLateCleanings } from '../../src/domain/stay-tasks/late-turnovers.ts';
import { datesAreFree, prepareStays } from '../sagas/confirmation.ts';
import { expectIntegrity, GATEWAY } from '../sagas/money.ts';
import { restOf } from '../setup/engine.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';
import { API } from './harness.ts';

/** Arrivals and departures through HTTP, on a real database, queue, sandbox gateway and sandbox devices. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
});
afterAll(() => system?.close());

interface Place {
  readonly timeZone?: string;
  readonly checkInTime?: string;
  readonly device?: string | null;
  readonly strictChecks?: StayCheck[];
}
interface Nights {
  readonly from?: string;
  readonly to?: string;
  readonly propertyId?: string;
}
let made = 0;
async function property({ timeZone = 'Asia/Dubai', checkInTime = '15:00', device, strictChecks = [] }: Place = {}) {
  made += 1;
  const id = `house-${made}`;
  await system.bed.db
    .insertInto('property')
    .values({
      id,
      name: 'Marina 12',
      owner_id: 'owner-1',
      time_zone: timeZone,
      check_in_time: checkInTime,
      amenity_device: device === undefined ? `lock-${made}` : device,
      strict_checks: strictChecks,
    })
    .execute();
  return id;
}
async function stay(place: Place = {}, { from = '2024-02-01', to = '2024-02-03', propertyId }: Nights = {}) {
  made += 1;
  const id = `visit-${made}`;
  await system.bed.db
    .insertInto('reservation')
    .values({
      id,
      property_id: propertyId ?? (await property(place)),
      guest_id: 'guest-1',
      check_in_date: from,
      check_out_date: to,
      total_minor: 100_000,
      currency: 'AED',
      created_by: 'tester',
    })
    .execute();
  return id;
}
const act = (id: string, action: string, body: object = {}, options: object = {}): Promise<Answer> =>
  system.call('POST', `/reservations/${id}/${action}`, { body, ...options });
async function confirmed(place: Place = {}, nights: Nights = {}): Promise<string> {
  const id = await stay(place, nights);
  expect((await act(id, 'confirm')).status).toBe(200);
  return id;
}
async function inHouse(place: Place = {}, nights: Nights = {}, actualTime?: string): Promise<string> {
  const id = await confirmed(place, nights);
  expect((await act(id, 'check-in', actualTime ? { actualTime } : {})).status).toBe(200);
  return id;
}
const pay = (id: string, amount = 1000) =>
  act(id, 'payment', {
    amount,
    currency: 'AED',
    paymentMethod: 'Credit Card',
    gatewayId: GATEWAY,
    gatewayReference: `ref-${id}`,
  });
// biome-ignore lint/suspicious/noExplicitAny: a test asserts what it reads.
const tasksOf = async (id: string): Promise<Record<string, any>> => {
  const { body } = await system.call('GET', `/reservations/${id}?include=tasks`);
  return Object.fromEntries(body.data.tasks.map((task: { occurrence: string }) => [task.occurrence, task]));
};
const rowOf = (id: string) =>
  system.bed.db.selectFrom('reservation').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const propertyOf = async (id: string) =>
  system.bed.db
    .selectFrom('property')
    .selectAll()
    .where('id', '=', (await rowOf(id)).property_id)
    .executeTakeFirstOrThrow();
const grantsOf = async (device: string) => system.sandbox.ports.amenities.grantsOf(device, AbortSignal.timeout(5_000));

describe('the life of a stay', () => {
  it.each([
    // Check-in, its cleaning the day before, the departure and the cleaning two hours after it; domain.md 10.
    [
      'Asia/Dubai',
      '15:00',
      '2024-02-01',
      '2024-02-03',
      '2024-02-01T11:00',
      '2024-01-31T11:00',
      '2024-02-03T07:00',
      '2024-02-03T09:00',
    ],
    [
      'Europe/Paris',
      '15:00',
      '2024-03-31',
      '2024-04-02',
      '2024-03-31T13:00',
      '2024-03-30T14:00',
      '2024-04-02T09:00',
      '2024-04-02T11:00',
    ],
    [
      'Europe/Paris',
      '02:30',
      '2024-10-27',
      '2024-10-28',
      '2024-10-27T00:30',
      '2024-10-26T00:30',
      '2024-10-28T10:00',
      '2024-10-28T12:00',
    ],
    [
      'Africa/Cairo',
      '00:30',
      '2024-04-26',
      '2024-04-27',
      '2024-04-25T22:30',
      '2024-04-24T22:30',
      '2024-04-27T08:00',
      '2024-04-27T10:00',
    ],
  ])(
    'in %s at %s: confirmed, paid, checked in and out ends with four tasks at the right times',
    async (timeZone, checkInTime, from, to, arrival, before, departure, after) => {
      const id = await confirmed({ timeZone, checkInTime }, { from, to });
      expect((await pay(id)).status).toBe(200);
      const arrived = await act(id, 'check-in', { checkedInBy: 'agent-1', actualTime: `${arrival}:00Z` });
      expect(arrived.status).toBe(200);
      expect(arrived.body).toMatchObject({
        success: true,
        data: {
          reservation: { id, status: 'CHECKED_IN', actualCheckInAt: `${arrival}:00.000Z`, paymentStatus: 'PAID' },
          amenities: { status: 'ACTIVE' },
          warnings: [],
        },
        message: 'Guest checked in successfully',
      });
      const left = await act(id, 'check-out', { actualTime: `${departure}:00Z` });
      expect(left.status).toBe(200);
      expect(left.body.data).toMatchObject({
        reservation: { status: 'CHECKED_OUT', actualCheckOutAt: `${departure}:00.000Z`, departureDate: null },
        property: { readiness: 'DIRTY' },
        amenities: { status: 'REVOKED' },
        warnings: [],
      });
      expect(left.body.data.tasks).toHaveLength(4);
      const tasks = await tasksOf(id);
      expect({
        before: tasks['PRE_ARRIVAL'].scheduledDate,
        arrival: tasks['ARRIVAL'].scheduledDate,
        departure: tasks['DEPARTURE'].scheduledDate,
        after: tasks['POST_DEPARTURE'].scheduledDate,
      }).toEqual({
        before: `${before}:00.000Z`,
        arrival: `${arrival}:00.000Z`,
        departure: `${departure}:00.000Z`,
        after: `${after}:00.000Z`,
      });
      const sagas = await system.bed.db.selectFrom('saga').select('status').where('subject_id', '=', id).execute();
      expect(sagas.map(({ status }) => status)).toEqual(['completed', 'completed', 'completed', 'completed']);
    },
  );

  it('leaves a report whose figures are the ledger’s, and which never changes', async () => {
    const id = await inHouse();
    await pay(id, 600);
    const { body } = await act(id, 'check-out');
    expect(body.data.warnings).toContain('BALANCE_DUE');
    const before = await system.call('GET', `/reservations/${id}/check-out-report`);
    expect(before.body.data).toEqual(body.data.report);
    expect(before.body.data.report).toMatchObject({
      nights: { booked: 2, stayed: 2, unused: 0 },
      money: {
        total: 1000,
        received: 600,
        ownerShare: 420,
        agencyFee: 150,
        balanceDue: 400,
        paymentStatus: 'PARTIALLY_PAID',
      },
      payments: [{ amount: 600, status: 'COMPLETED' }],
      deposit: { state: 'NONE', held: 0 },
      amenities: { status: 'REVOKED' },
      incidents: [],
    });
    const summary = await system.call('GET', `/financial/summary?reservationId=${id}`);
    const { received, ownerShare, agencyFee, gatewayFees, referral } = before.body.data.report.money;
    expect(summary.body.data.currencies).toMatchObject([{ received, ownerShare, agencyFee, gatewayFees, referral }]);

    expect((await pay(id, 400)).status).toBe(409);
    expect(
      (await act(id, 'payment', { amount: 400, currency: 'AED', gatewayId: GATEWAY, gatewayReference: `late-${id}` }))
        .status,
    ).toBe(200);
    const after = await system.call('GET', `/reservations/${id}/check-out-report`);
    expect(after.text).toBe(before.text);
    await expect(system.bed.db.updateTable('check_out_report').set({ body: '{}' }).execute()).rejects.toThrow(
      /forbidden/,
    );
    await expectIntegrity(system.bed.db);
  });

  it('tells in its report what happened, and not what is due by the calendar', async () => {
    const id = await inHouse();
    const { property_id } = await rowOf(id);
    const repair = { title: 'Filters', property_id, status: 'UNASSIGNED', next_assign_at: null } as const;
    const time = { scheduled_at: '2031-01-01T08:00:00Z', ends_at: '2031-01-01T09:00:00Z' };
    for (const [occurrence, type] of [
      ['RECURRING', 'MAINTENANCE'],
      ['FINDING', 'MAINTENANCE'],
      ['MANUAL', 'MAINTENANCE'],
      ['MANUAL', 'EMERGENCY'],
    ] as const) {
      const taskId = `${id}-${occurrence}-${type}`;
      await system.bed.db
        .insertInto('task')
        .values({ ...repair, ...time, id: taskId, occurrence, type })
        .execute();
    }
    const { body } = await act(id, 'check-out');
    const incidents: { id: string }[] = body.data.report.report.incidents;
    expect(incidents.map((one) => one.id).toSorted()).toEqual(
      ['FINDING-MAINTENANCE', 'MANUAL-EMERGENCY', 'MANUAL-MAINTENANCE'].map((kind) => `${id}-${kind}`),
    );
  });

  it('has its report as a page to print, without a script', async () => {
    const id = await inHouse();
    await act(id, 'check-out');
    const { app, headers } = await system.as({ headers: { accept: 'text/html,application/xhtml+xml' } });
    const page = await app.request(`/api/production/reservations/${id}/check-out-report`, { headers });
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'; style-src 'sha256-/);
    const text = await page.text();
    for (const part of ['Check-out report', 'John Doe', '1000.00 AED', '@media print']) expect(text).toContain(part);
    expect(text).not.toContain('<script');
  });

  it('opens its report in a browser by a link that somebody who may read it has made, without a token', async () => {
    const id = await inHouse();
    expect((await system.call('GET', `/reservations/${id}/check-out-report/link`)).body.code).toBe('NOT_FOUND');
    await act(id, 'check-out');
    const { status, body } = await system.call('GET', `/reservations/${id}/check-out-report/link`);
    expect(status).toBe(200);
    expect(Date.parse(body.data.expiresAt) - Date.now()).toBeLessThanOrEqual(600_000);
    const { app } = await system.as({});
    const page = await app.request(new URL(body.data.url).pathname, { headers: { accept: 'text/html' } });
    expect([page.status, page.headers.get('referrer-policy')]).toEqual([200, 'no-referrer']);
    expect(await page.text()).toContain('John Doe');
    const absent = await system.call('GET', '/reservations/nobody/check-out-report/link');
    expect([absent.status, absent.body.code]).toEqual([404, 'RESERVATION_NOT_FOUND']);
  });

  it('has its money for services with finance:read alone, on the page and by the link too', async () => {
    const id = await inHouse();
    await act(id, 'check-out');
    const path = `/reservations/${id}/check-out-report`;
    const page = { headers: { accept: 'text/html' } };
    const few = { scope: 'reservations:read' };
    const { report } = (await system.call('GET', path, few)).body.data;
    expect([report.reservationId, report.money, report.payments]).toEqual([id, null, null]);
    for (const asked of [
      await system.call('GET', path, { ...few, ...page }),
      await system.call('GET', `${path}/link`, few),
    ])
      expect([asked.status, asked.body.details]).toEqual([403, { permission: 'finance:read' }]);
    const both = { scope: 'reservations:read finance:read' };
    expect((await system.call('GET', path, both)).body.data.report.money.total).toBe(1000);
    expect((await system.call('GET', `${path}/link`, both)).status).toBe(200);
  });

  it('has no report before the departure, and none of a stay that does not exist', async () => {
    const id = await inHouse();
    expect((await system.call('GET', `/reservations/${id}/check-out-report`)).body).toMatchObject({
      code: 'NOT_FOUND',
    });
    const absent = await system.call('GET', '/reservations/nobody/check-out-report');
    expect([absent.status, absent.body.code]).toEqual([404, 'RESERVATION_NOT_FOUND']);
  });
});

describe('the report’s page', () => {
  it('is for who wants a page more than data', async () => {
    const id = await inHouse({}, {}, '2024-02-01T12:00:00Z');
    expect((await act(id, 'check-out')).status).toBe(200);
    const { app, headers } = await system.as({});
    const typeFor = async (accept: string) => {
      const answer = await app.request(`${API}/reservations/${id}/check-out-report`, {
        headers: { ...headers, accept },
      });
      return answer.headers.get('content-type')?.split(';')[0];
    };
    expect(await typeFor('text/html')).toBe('text/html');
    expect(await typeFor('text/html;q=0.1, application/json')).toBe('application/json');
    expect(await typeFor('text/html;q=0')).toBe('application/json');
    expect(await typeFor('text/html, application/json;q=0.9, */*;q=0.8')).toBe('text/html');
  });
});

describe('a check-in', () => {
  it.each(['PENDING', 'CHECKED_IN', 'CHECKED_OUT', 'CANCELLED', 'NO_SHOW'] as const)(
    'of a stay that is %s is refused',
    async (status) => {
      const id = await stay();
      await system.bed.db.updateTable('reservation').set({ status }).where('id', '=', id).execute();
      const { status: code, body } = await act(id, 'check-in');
      expect([code, body.code]).toEqual([409, 'INVALID_STATE_TRANSITION']);
      expect(body.details).toMatchObject({ currentStatus: status, action: 'check-in' });
    },
  );

  it('of two at once is one, and the other hears so', async () => {
    const id = await confirmed();
    const answers = await Promise.all([act(id, 'check-in'), act(id, 'check-in')]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
  });

  it('warns of a guest who is early, owes money, and finds the rooms not ready', async () => {
    const id = await confirmed({}, { from: '2031-02-01', to: '2031-02-03' });
    await system.bed.db
      .updateTable('property')
      .set({ readiness: 'DIRTY' })
      .where('id', '=', (await rowOf(id)).property_id)
      .execute();
    const { status, body } = await act(id, 'check-in');
    expect([status, body.data.warnings]).toEqual([200, ['CHECK_IN_TOO_EARLY', 'BALANCE_DUE', 'PROPERTY_NOT_READY']]);
  });

  it('is late without harm, also years late', async () => {
    const id = await confirmed();
    expect((await act(id, 'check-in')).body.data.warnings).toEqual(['BALANCE_DUE', 'CHECK_IN_LATE']);
  });

  it.each([
    ['CHECK_IN_TOO_EARLY', { from: '2031-02-01', to: '2031-02-03' }, { checkInDate: '2031-02-01' }],
    ['BALANCE_DUE', {}, { outstanding: 1000, currency: 'AED' }],
    ['PROPERTY_NOT_READY', {}, { readiness: 'DIRTY' }],
  ] as const)(
    'is refused with %s where the property is strict about it, and leaves nothing behind',
    async (check, nights, details) => {
      const id = await confirmed({ strictChecks: [check] }, nights);
      await system.bed.db
        .updateTable('property')
        .set({ readiness: 'DIRTY' })
        .where('id', '=', (await rowOf(id)).property_id)
        .execute();
      const { status, body } = await act(id, 'check-in');
      expect([status, body.code]).toEqual([409, check]);
      expect(body.details).toMatchObject({ checks: [check], ...details });
      expect(await rowOf(id)).toMatchObject({ status: 'CONFIRMED', version: 2 });
    },
  );

  it('is refused for everything at once when the request is strict', async () => {
    const id = await confirmed({}, { from: '2031-02-01', to: '2031-02-03' });
    const { status, body } = await act(id, 'check-in', { strict: true });
    expect([status, body.code, body.details.checks]).toEqual([
      409,
      'CHECK_IN_TOO_EARLY',
      ['CHECK_IN_TOO_EARLY', 'BALANCE_DUE'],
    ]);
  });

  it('finds a property not ready while the last guest is still there', async () => {
    const propertyId = await property({ strictChecks: ['PROPERTY_NOT_READY'] });
    const first = await inHouse({}, { propertyId });
    const second = await confirmed({}, { propertyId, from: '2024-02-03', to: '2024-02-05' });
    const { body } = await act(second, 'check-in');
    expect(body).toMatchObject({ code: 'PROPERTY_NOT_READY', details: { occupiedBy: first } });
  });

  it.each([
    ['a time that is still to come', { actualTime: '2032-01-01T00:00:00Z' }],
    ['a time without an offset', { actualTime: '2024-02-01T15:00' }],
    ['an unknown field', { status: 'CHECKED_IN' }],
  ])('with %s is not valid', async (_what, body) => {
    const id = await confirmed();
    const refused = await act(id, 'check-in', body);
    expect([refused.status, refused.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect((await rowOf(id)).status).toBe('CONFIRMED');
  });

  it('belongs to agents of the portfolio', async () => {
    const id = await confirmed();
    for (const action of ['confirm', 'check-in', 'check-out']) {
      const foreign = await act(id, action, {}, { role: 'AGENT', sub: 'agent-9' });
      expect([foreign.status, foreign.body.code]).toEqual([404, 'RESERVATION_NOT_FOUND']);
    }
    expect((await act(id, 'check-in', {}, { role: 'CLEANER', sub: 'cleaner-1' })).status).toBe(403);
  });

  it('tells the guest the code of the door, and nobody else', async () => {
    const id = await confirmed();
    const answer = await act(id, 'check-in');
    const { access_code } = await system.bed.db
      .selectFrom('amenity_grant')
      .select('access_code')
      .where('reservation_id', '=', id)
      .executeTakeFirstOrThrow();
    const code = await openField(system.bed.db, 'amenity_grant.access_code', id, access_code);
    expect(code).toMatch(/^\d{6}$/);
    const saga = await system.call('GET', `/sagas/checkIn/status?reservationId=${id}`);
    expect(answer.text + saga.text).not.toContain(String(code));
    const audit = await system.call('GET', `/audit?reservationId=${id}&limit=100`);
    expect(audit.text).not.toContain(String(code));
  });

  it('needs no devices', async () => {
    const id = await confirmed({ device: null });
    expect((await act(id, 'check-in')).body.data.amenities).toEqual({ status: 'NONE', device: null, validUntil: null });
    expect((await act(id, 'check-out')).body.data.amenities.status).toBe('NONE');
  });
});

describe('the tasks of an arrival', () => {
  type Given = Record<string, { status: 'UNASSIGNED' | 'ASSIGNED' | 'IN_PROGRESS'; at?: Date }>;
  /** Of a stay that is confirmed; who is assigned is a person of its own. */
  async function arriving(given: Given, place: Place = {}) {
    const id = await confirmed(place, { from: '2031-06-01', to: '2031-06-03' });
    const { db } = system.bed;
    const who = `of-${id}`;
    const { property_id } = await rowOf(id);
    await db
      .insertInto('staff')
      .values({ id: who, name: 'Nina', email: 'nina@example.com', role: 'CLEANER', property_ids: [property_id] })
      .execute();
    for (const [occurrence, { status, at }] of Object.entries(given)) {
      await db
        .updateTable('task')
        .set({
          status,
          assignee_id: status === 'UNASSIGNED' ? null : who,
          next_assign_at: new Date(0),
          ...(at && { slot_start: at, slot_end: new Date(at.getTime() + 3_600_000) }),
        })
        .where('reservation_id', '=', id)
        .where('occurrence', '=', occurrence)
        .execute();
    }
    return { id, who };
  }
  const states = async (id: string) => {
    const rows = await system.bed.db
      .selectFrom('task')
      .select(['occurrence', 'status', 'assignee_id', 'slot_start', 'next_assign_at'])
      .where('reservation_id', '=', id)
      .execute();
    return Object.fromEntries(rows.map(({ occurrence, ...row }) => [occurrence, row]));
  };
  const notified = async (id: string, who: string) => {
    const rows = await system.bed.db
      .selectFrom('notification as n')
      .innerJoin('task as t', 't.id', 'n.task_id')
      .select('n.event')
      .where('n.recipient_id', '=', who)
      .where('t.reservation_id', '=', id)
      .where('t.occurrence', 'in', ['PRE_ARRIVAL', 'ARRIVAL'])
      .execute();
    return rows.map(({ event }) => event);
  };
  const over = { status: 'OVERTAKEN', assignee_id: null, next_assign_at: null };
  const hours = (n: number): Date => new Date(Date.now() + n * 3_600_000);

  it('are over with it: nobody is sent to clean where a guest is, and who was is told once', async () => {
    const { id, who } = await arriving({ PRE_ARRIVAL: { status: 'ASSIGNED' }, ARRIVAL: { status: 'UNASSIGNED' } });
    const { status, body } = await act(id, 'check-in');
    expect(status).toBe(200);
    expect(body.data.tasks).toContainEqual(
      expect.objectContaining({ title: 'Pre-arrival cleaning', status: 'OVERTAKEN', assigneeId: null }),
    );
    await assignDueTasks(system.bed.db, 100);
    expect(await states(id)).toMatchObject({ PRE_ARRIVAL: over, ARRIVAL: over });
    expect(await notified(id, who)).toEqual(['TASK_WITHDRAWN']);
    expect(Object.keys(await tasksOf(id))).toHaveLength(4);
  });

  it.each([-11, 11])('but the meeting of %i hours from now is taking place, and is completed afterwards', async (n) => {
    const { id, who } = await arriving({ ARRIVAL: { status: 'ASSIGNED', at: hours(n) } });
    await act(id, 'check-in');
    const { ARRIVAL } = await tasksOf(id);
    expect(ARRIVAL).toMatchObject({ status: 'ASSIGNED', assigneeId: who });
    expect((await system.call('POST', `/tasks/${ARRIVAL.id}/complete`, { body: {} })).status).toBe(200);
    expect(await notified(id, who)).toEqual([]);
  });

  it.each([-13, 13])('and the meeting of %i hours from now is not', async (n) => {
    const { id, who } = await arriving({ ARRIVAL: { status: 'ASSIGNED', at: hours(n) } });
    await act(id, 'check-in');
    expect((await states(id))['ARRIVAL']).toMatchObject(over);
    expect(await notified(id, who)).toEqual(['TASK_WITHDRAWN']);
  });

  it.each([
    [-30, 'ASSIGNED'],
    [1, 'OVERTAKEN'],
  ])('go by when the guest came, reported later: a meeting of %i hours from now is %s', async (n, status) => {
    const { id } = await arriving({ ARRIVAL: { status: 'ASSIGNED', at: hours(n) } });
    expect((await act(id, 'check-in', { actualTime: hours(-31).toISOString() })).status).toBe(200);
    expect((await states(id))['ARRIVAL']).toMatchObject({ status });
  });

  it('nobody is looked for any more to hold a meeting that nobody had', async () => {
    const { id } = await arriving({ ARRIVAL: { status: 'UNASSIGNED', at: hours(1) } });
    await act(id, 'check-in');
    expect((await states(id))['ARRIVAL']).toMatchObject(over);
  });

  it('that are being done are left', async () => {
    const { id, who } = await arriving({ PRE_ARRIVAL: { status: 'IN_PROGRESS' } });
    await act(id, 'check-in');
    expect((await states(id))['PRE_ARRIVAL']).toMatchObject({ status: 'IN_PROGRESS', assignee_id: who });
    expect(await notified(id, who)).toEqual([]);
  });

  it('are as they were when the check-in is taken back, and nobody has heard of it', async () => {
    const given: Given = { PRE_ARRIVAL: { status: 'ASSIGNED', at: hours(100) }, ARRIVAL: { status: 'UNASSIGNED' } };
    const { id, who } = await arriving(given, { device: 'device-refused-3' });
    const before = await states(id);
    expect((await act(id, 'check-in')).body.code).toBe('AMENITIES_REFUSED');
    expect(await states(id)).toEqual(before);
    expect(await notified(id, who)).toEqual([]);
  });
});

describe('tasks that life has overtaken', () => {
  const stateOf = async (id: string): Promise<Record<string, string>> =>
    Object.fromEntries(Object.entries(await tasksOf(id)).map(([occurrence, { status }]) => [occurrence, status]));
  const listed = async (query: string): Promise<string[]> => {
    const { body } = await system.call('GET', `/tasks?limit=100&${query}`);
    return body.data.map(({ occurrence }: { occurrence: string }) => occurrence);
  };
  const unassignedDue = (id: string) =>
    system.bed.db
      .updateTable('task')
      .set({ status: 'UNASSIGNED', assignee_id: null, next_assign_at: new Date(0) })
      .where('reservation_id', '=', id)
      .execute();

  it('are out of the lists, the sweep and the rates, but not out of the record of their stay', async () => {
    const id = await inHouse({}, { from: '2024-02-01', to: '2024-02-08' }, '2024-02-01T12:00:00Z');
    expect((await act(id, 'check-out', { actualTime: '2024-02-08T05:00:00Z' })).status).toBe(200);
    const gone = { PRE_ARRIVAL: 'OVERTAKEN', ARRIVAL: 'OVERTAKEN', DEPARTURE: 'OVERTAKEN' };
    expect(await stateOf(id)).toEqual({ ...gone, POST_DEPARTURE: 'UNASSIGNED' });
    const { property_id } = await rowOf(id);
    const at = `propertyId=${property_id}`;
    expect(await listed(at)).toEqual(['POST_DEPARTURE']);
    expect((await listed(`${at}&status=OVERTAKEN`)).toSorted()).toEqual(['ARRIVAL', 'DEPARTURE', 'PRE_ARRIVAL']);
    expect(await listed(`reservationId=${id}`)).toHaveLength(4);
    await assignDueTasks(system.bed.db, 100);
    expect(await stateOf(id)).toMatchObject(gone);
    const { body } = await system.call('GET', `/tasks/statistics?${at}&from=2024-01-01&to=2024-03-01`);
    expect(body.data).toMatchObject({ overdue: 1, completionRate: { onTime: 0, due: 1 }, byStatus: { OVERTAKEN: 3 } });
    const { DEPARTURE: meeting } = await tasksOf(id);
    const change = await system.call('PATCH', `/tasks/${meeting.id}`, { body: { priority: 'LOW' } });
    expect([change.status, change.body.code]).toEqual([409, 'INVALID_STATE_TRANSITION']);
    const alerts = await system.bed.db
      .selectFrom('notification')
      .select('effect_key')
      .where('effect_key', 'like', `alert-${meeting.id}-%`)
      .execute();
    expect(alerts).toEqual([]);
    // It was done after all, and is reported late.
    expect((await system.call('POST', `/tasks/${meeting.id}/complete`, { body: {} })).status).toBe(200);
  });

  it('are the cleaning after a stay as well, once the next guest has moved in', async () => {
    const house = await property({ device: null });
    const first = await inHouse(
      {},
      { propertyId: house, from: '2024-02-01', to: '2024-02-03' },
      '2024-02-01T12:00:00Z',
    );
    await act(first, 'check-out', { actualTime: '2024-02-03T05:00:00Z' });
    expect(await stateOf(first)).toMatchObject({ POST_DEPARTURE: 'UNASSIGNED' });
    const next = await confirmed({}, { propertyId: house, from: '2024-02-05', to: '2024-02-07' });
    await act(next, 'check-in', { actualTime: '2024-02-05T12:00:00Z' });
    expect(await stateOf(first)).toMatchObject({ POST_DEPARTURE: 'OVERTAKEN' });
    expect(await stateOf(next)).toMatchObject({ POST_DEPARTURE: 'UNASSIGNED' });
  });

  it.each([
    ['while the guest is there', false, { PRE_ARRIVAL: 'OVERTAKEN', ARRIVAL: 'OVERTAKEN' }],
    ['after the departure', true, { PRE_ARRIVAL: 'OVERTAKEN', ARRIVAL: 'OVERTAKEN', DEPARTURE: 'OVERTAKEN' }],
  ] as const)('are found when they become nobody’s %s, before anybody is looked for', async (_when, left, over) => {
    const id = await inHouse({}, { from: '2024-02-01', to: '2024-02-08' }, '2024-02-01T12:00:00Z');
    if (left) await act(id, 'check-out', { actualTime: '2024-02-08T05:00:00Z' });
    await unassignedDue(id);
    await assignDueTasks(system.bed.db, 100);
    const rest = left ? ['POST_DEPARTURE'] : ['DEPARTURE', 'POST_DEPARTURE'];
    const states = await stateOf(id);
    expect(states).toMatchObject(over);
    for (const occurrence of rest) expect(states[occurrence], occurrence).not.toBe('OVERTAKEN');
  });
});

describe('devices that fail', () => {
  it('by being down at a check-in: tried again, then all is undone and nothing is on', async () => {
    const device = 'device-down-at-arrival';
    const id = await confirmed({ device });
    const { status, body } = await act(id, 'check-in');
    expect([status, body.code]).toEqual([503, 'AMENITIES_UNAVAILABLE']);
    expect(await rowOf(id)).toMatchObject({ status: 'CONFIRMED', actual_check_in_at: null });
    expect((await grantsOf(device)).filter((grant) => grant.active)).toEqual([]);
    expect(await propertyOf(id)).toMatchObject({ amenity_status: 'INACTIVE' });
    const attempts = await system.bed.db
      .selectFrom('step_attempt as a')
      .innerJoin('saga as s', 's.id', 'a.saga_id')
      .where('s.subject_id', '=', id)
      .where('a.direction', '=', 'F')
      .select('a.outcome')
      .execute();
    expect(attempts).toHaveLength(4);
    expect(Object.keys(await tasksOf(id))).toHaveLength(4);
  });

  it('by refusing at a check-in', async () => {
    const id = await confirmed({ device: 'device-refused-1' });
    const { status, body } = await act(id, 'check-in');
    expect([status, body.code]).toEqual([409, 'AMENITIES_REFUSED']);
    expect((await rowOf(id)).status).toBe('CONFIRMED');
  });

  it('by losing an answer: on once, off once', async () => {
    const device = 'device-timeout-after-1';
    const id = await confirmed({ device });
    expect((await act(id, 'check-in')).status).toBe(200);
    expect((await grantsOf(device)).filter((grant) => grant.active)).toHaveLength(1);
    expect((await act(id, 'check-out')).status).toBe(200);
    expect((await grantsOf(device)).filter((grant) => grant.active)).toEqual([]);
  });

  it('by refusing at a check-out: the guest has left, a person sees to the door', async () => {
    const id = await inHouse();
    const { property_id } = await rowOf(id);
    await system.bed.db
      .updateTable('property')
      .set({ amenity_device: 'device-refused-2' })
      .where('id', '=', property_id)
      .execute();
    const pending = await act(id, 'check-out', {}, { headers: { prefer: 'respond-async' } });
    expect(pending.status).toBe(202);
    const sagaId = pending.body.data.sagaExecutionId;
    expect(await restOf(system.bed.db, sagaId)).toBe('parked');
    expect((await rowOf(id)).status).toBe('CHECKED_OUT');
    const alert = await system.bed.db
      .selectFrom('notification')
      .select('recipient_type')
      .where('saga_id', '=', sagaId)
      .where('event', '=', 'MAINTENANCE_ALERT')
      .execute();
    expect(alert).toEqual([{ recipient_type: 'OPS' }]);
  });
});

describe('a check-out', () => {
  it('of a guest who leaves early frees the nights at once', async () => {
    const id = await inHouse({}, { from: '2024-02-01', to: '2024-02-08' }, '2024-02-01T12:00:00Z');
    expect(await datesAreFree(system.bed.db, id)).toBe(false);
    const { body } = await act(id, 'check-out', { actualTime: '2024-02-03T06:00:00Z' });
    expect(body.data).toMatchObject({
      reservation: { departureDate: '2024-02-03' },
      report: { report: { nights: { booked: 7, stayed: 2, unused: 5 } } },
    });
    expect(body.data.warnings).toContain('CHECK_OUT_EARLY');
    const { property_id } = await rowOf(id);
    expect(await confirmed({}, { propertyId: property_id, from: '2024-02-03', to: '2024-02-08' })).toBeDefined();
    const tasks = await tasksOf(id);
    expect(tasks['DEPARTURE'].scheduledDate).toBe('2024-02-03T06:00:00.000Z');
    expect(tasks['POST_DEPARTURE'].scheduledDate).toBe('2024-02-03T08:00:00.000Z');
  });

  it('before the first night leaves its cleanings as two', async () => {
    const id = await inHouse({}, { from: '2031-04-01', to: '2031-04-03' });
    await act(id, 'check-out');
    await system.bed.db
      .updateTable('task')
      .set({ next_assign_at: new Date(0) })
      .where('reservation_id', '=', id)
      .execute();
    await assignDueTasks(system.bed.db, 100);
    const tasks = await tasksOf(id);
    expect([tasks['PRE_ARRIVAL'].mergedIntoTaskId, tasks['POST_DEPARTURE'].mustFinishBy]).toEqual([null, null]);
  });

  it('frees the next guest’s cleaning when it leaves the night before free', async () => {
    const propertyId = await property();
    const first = await inHouse({}, { propertyId, from: '2024-02-01', to: '2024-02-08' }, '2024-02-01T12:00:00Z');
    const next = await confirmed({}, { propertyId, from: '2024-02-08', to: '2024-02-10' });
    expect((await tasksOf(next))['PRE_ARRIVAL']).toMatchObject({ status: 'MERGED' });
    await act(first, 'check-out', { actualTime: '2024-02-03T06:00:00Z' });
    // Also once the sweep has looked at it.
    await assignDueTasks(system.bed.db, 100);
    expect((await tasksOf(next))['PRE_ARRIVAL']).toMatchObject({ mergedIntoTaskId: null });
    expect((await tasksOf(first))['POST_DEPARTURE']).toMatchObject({ mustFinishBy: null });
  });

  it('begins the cleaning at once when two hours later would be too late for the next guest', async () => {
    const propertyId = await property({ checkInTime: '12:00' });
    const first = await inHouse({}, { propertyId }, '2024-02-01T12:00:00Z');
    const next = await confirmed({}, { propertyId, from: '2024-02-03', to: '2024-02-05' });
    expect((await tasksOf(next))['PRE_ARRIVAL']).toMatchObject({ status: 'MERGED' });
    const { body } = await act(first, 'check-out', { actualTime: '2024-02-03T07:00:00Z' });
    expect(body.data.warnings).toContain('TURNOVER_TOO_SHORT');
    expect((await tasksOf(first))['POST_DEPARTURE']).toMatchObject({
      scheduledDate: '2024-02-03T07:00:00.000Z',
      mustFinishBy: '2024-02-03T08:00:00.000Z',
    });
  });

  it.each(['PENDING', 'CONFIRMED', 'CHECKED_OUT', 'CANCELLED', 'NO_SHOW'] as const)(
    'of a stay that is %s is refused',
    async (status) => {
      const id = await stay();
      await system.bed.db.updateTable('reservation').set({ status }).where('id', '=', id).execute();
      const { status: code, body } = await act(id, 'check-out');
      expect([code, body.code]).toEqual([409, 'INVALID_STATE_TRANSITION']);
    },
  );

  it('cannot have been before the check-in', async () => {
    const id = await inHouse();
    const { status, body } = await act(id, 'check-out', { actualTime: '2024-01-01T00:00:00Z' });
    expect([status, body.code]).toEqual([422, 'VALIDATION_FAILED']);
  });

  it('is refused while money is owed where the property is strict about it', async () => {
    const id = await inHouse();
    const { status, body } = await act(id, 'check-out', { strict: true });
    expect([status, body.code]).toEqual([409, 'BALANCE_DUE']);
    expect((await rowOf(id)).status).toBe('CHECKED_IN');
    await pay(id);
    expect((await act(id, 'check-out', { strict: true })).status).toBe(200);
  });

  it('keeps a time that a person has set, and says so', async () => {
    const id = await inHouse();
    const { id: taskId } = (await tasksOf(id))['POST_DEPARTURE'];
    await system.call('PATCH', `/tasks/${taskId}`, { body: { scheduledDate: '2024-02-04T09:00:00Z' } });
    const { body } = await act(id, 'check-out');
    expect(body.data.warnings).toContain('TASK_TIME_KEPT');
    expect((await tasksOf(id))['POST_DEPARTURE'].scheduledDate).toBe('2024-02-04T09:00:00.000Z');
  });
});

describe('the meeting at a departure', () => {
  const LEFT = '2024-02-03T06:00:00Z';
  const withMeeting = async (values: {
    status: 'UNASSIGNED' | 'ASSIGNED' | 'IN_PROGRESS';
    assignee_id: string | null;
    slot_start?: Date;
    slot_end?: Date;
  }) => {
    const id = await inHouse({}, { from: '2024-02-01', to: '2024-02-08' }, '2024-02-01T12:00:00Z');
    const { DEPARTURE } = await tasksOf(id);
    await system.bed.db
      .updateTable('task')
      .set({ ...values, next_assign_at: new Date(0) })
      .where('id', '=', DEPARTURE.id)
      .execute();
    expect((await act(id, 'check-out', { actualTime: LEFT })).status).toBe(200);
    return DEPARTURE.id;
  };
  const meets = async (id: string) =>
    system.bed.db
      .selectFrom('task')
      .select(['status', 'assignee_id', 'next_assign_at'])
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
  const notified = async (taskId: string) => {
    const rows = await system.bed.db
      .selectFrom('notification')
      .select(['event', 'recipient_id'])
      .where('task_id', '=', taskId)
      .execute();
    return rows.map(({ event, recipient_id }) => `${event} ${recipient_id}`);
  };
  beforeAll(async () => {
    const agent = { id: 'agent-of-departures', name: 'Sara', email: 'sara@example.com', role: 'AGENT' };
    expect((await system.call('POST', '/staff', { body: agent })).status).toBe(201);
  });
  afterAll(async () => {
    await system.call('PATCH', '/staff/agent-of-departures', { body: { active: false } });
  });

  it('is over once the guest has left: who was to meet them is told, and nobody else is sent', async () => {
    const id = await withMeeting({ status: 'ASSIGNED', assignee_id: 'agent-of-departures' });
    expect(await meets(id)).toEqual({ status: 'OVERTAKEN', assignee_id: null, next_assign_at: null });
    expect(await notified(id)).toEqual(['TASK_WITHDRAWN agent-of-departures']);
    const mine = await system.call('GET', '/me/tasks', { role: 'AGENT', sub: 'agent-of-departures' });
    expect(mine.body.data).toEqual([]);
    await assignDueTasks(system.bed.db, 100);
    expect(await meets(id)).toMatchObject({ status: 'OVERTAKEN' });
  });

  it('is given to nobody afterwards that nobody had before', async () => {
    const id = await withMeeting({ status: 'UNASSIGNED', assignee_id: null });
    await assignDueTasks(system.bed.db, 100);
    expect(await meets(id)).toEqual({ status: 'OVERTAKEN', assignee_id: null, next_assign_at: null });
    expect(await notified(id)).toEqual([]);
  });

  it.each([
    ['half a day before they left', -12, 'ASSIGNED'],
    ['when they left', 0, 'ASSIGNED'],
    ['an hour later', 1, 'ASSIGNED'],
    ['longer before', -12.5, 'OVERTAKEN'],
    ['later still', 1.5, 'OVERTAKEN'],
  ] as const)('that was to begin %s (%o h) is %s afterwards', async (_when, hours, status) => {
    const start = Date.parse(LEFT) + hours * 3_600_000;
    const slot = { slot_start: new Date(start), slot_end: new Date(start + 3_600_000) };
    const id = await withMeeting({ status: 'ASSIGNED', assignee_id: 'agent-of-departures', ...slot });
    expect((await meets(id)).status).toBe(status);
    expect(await notified(id)).toEqual(status === 'ASSIGNED' ? [] : ['TASK_WITHDRAWN agent-of-departures']);
    // Free for the next of these.
    expect((await system.call('POST', `/tasks/${id}/complete`, { body: {} })).status).toBe(200);
  });

  it('that is taking place stays with who is there', async () => {
    const id = await withMeeting({ status: 'IN_PROGRESS', assignee_id: 'agent-of-departures' });
    expect(await meets(id)).toMatchObject({ status: 'IN_PROGRESS', assignee_id: 'agent-of-departures' });
  });
});

describe('a departure that is reported late', () => {
  it('leaves its cleaning with somebody for a time that has not passed', async () => {
    const id = await inHouse({}, {}, '2024-02-01T12:00:00Z');
    const { propertyId } = (await system.call('GET', `/reservations/${id}`)).body.data;
    const cleaner = { id: `late-cleaner-${made}`, name: 'Nina', email: 'nina@example.com', role: 'CLEANER' };
    await system.call('POST', '/staff', { body: { ...cleaner, propertyIds: [propertyId] } });
    await system.bed.db.updateTable('task').set({ next_assign_at: null }).where('reservation_id', '<>', id).execute();
    await system.bed.db
      .updateTable('task')
      .set({ next_assign_at: new Date(0) })
      .where('reservation_id', '=', id)
      .execute();
    await assignDueTasks(system.bed.db, 50);
    expect((await tasksOf(id))['POST_DEPARTURE']).toMatchObject({ status: 'ASSIGNED', assigneeId: cleaner.id });
    expect((await act(id, 'check-out', { actualTime: '2024-02-03T06:40:00Z' })).status).toBe(200);
    const { POST_DEPARTURE: cleaning } = await tasksOf(id);
    expect(cleaning.scheduledDate).toBe('2024-02-03T08:40:00.000Z');
    expect(Date.parse(cleaning.startsAt)).toBeGreaterThan(Date.now() - 60_000);
    expect(cleaning).toMatchObject({ status: 'ASSIGNED', assigneeId: cleaner.id });
    // Of the arrival nobody has to do anything any more.
    await assignDueTasks(system.bed.db, 50);
    const { PRE_ARRIVAL, ARRIVAL } = await tasksOf(id);
    expect([PRE_ARRIVAL.assigneeId, ARRIVAL.assigneeId]).toEqual([null, null]);
  });

  it('does not make a dirty property of one that was cleaned since the guest had left', async () => {
    const id = await inHouse({}, {}, '2024-02-01T12:00:00Z');
    const { DEPARTURE, POST_DEPARTURE } = await tasksOf(id);
    for (const { id: task } of [DEPARTURE, POST_DEPARTURE]) {
      expect((await system.call('POST', `/tasks/${task}/complete`, { body: {} })).status).toBe(200);
    }
    expect((await act(id, 'check-out')).body.data).toMatchObject({ property: { readiness: 'CLEAN' } });
  });

  it('is not cleaned by what was to be done before the guest came, and is reported now', async () => {
    const id = await inHouse({}, {}, '2024-02-01T12:00:00Z');
    expect((await act(id, 'check-out')).body.data).toMatchObject({ property: { readiness: 'DIRTY' } });
    const { PRE_ARRIVAL } = await tasksOf(id);
    const done = await system.call('POST', `/tasks/${PRE_ARRIVAL.id}/complete`, { body: {} });
    expect(done.status).toBe(200);
    const actions: readonly { readonly action: string }[] = done.body.data.nextActions;
    expect(actions.map(({ action }) => action)).toEqual(['SUPERVISOR_TOLD']);
    const { body } = await system.call('GET', `/properties/${PRE_ARRIVAL.propertyId}`);
    expect(body.data.readiness).toBe('DIRTY');
  });
});

describe('a stay that was over before its first night', () => {
  it('is no neighbour of the next one', async () => {
    const place = await property();
    const nights = { propertyId: place, from: '2031-12-20', to: '2031-12-24' };
    const first = await inHouse({}, nights);
    expect((await act(first, 'check-out')).status).toBe(200);
    const next = await confirmed({}, nights);
    expect((await tasksOf(next))['PRE_ARRIVAL'].status).toBe('UNASSIGNED');
  });
});

describe('stays that follow each other and are confirmed at once', () => {
  it('share their cleanings, which are hurried, whichever comes first', async () => {
    const place = await property();
    const days = ['2031-01-01', '2031-01-02', '2031-01-03', '2031-01-04', '2031-01-05', '2031-01-06'];
    const ids = await Promise.all(
      days.slice(1).map((to, n) => stay({}, { propertyId: place, from: days[n] ?? '', to })),
    );
    const answers = await Promise.all(ids.map((id) => act(id, 'confirm')));
    expect(answers.map(({ status }) => status)).toEqual(ids.map(() => 200));
    for (const [n, id] of ids.entries()) {
      const { PRE_ARRIVAL: before, POST_DEPARTURE: after } = await tasksOf(id);
      expect(before.status).toBe(n === 0 ? 'UNASSIGNED' : 'MERGED');
      const isLast = n === ids.length - 1;
      expect([after.priority, after.mustFinishBy]).toEqual(
        isLast ? ['NORMAL', null] : ['HIGH', `${days[n + 1]}T11:00:00.000Z`],
      );
    }
  });
});

describe('a turnover that leaves too little time', () => {
  const turnover = async (assignee: string | null) => {
    const propertyId = await property({ checkInTime: '12:00' });
    const leaving = await confirmed({}, { propertyId, from: '2031-03-01', to: '2031-03-03' });
    if (assignee !== null) {
      await system.bed.db
        .updateTable('task')
        .set({ status: 'ASSIGNED', assignee_id: assignee })
        .where('reservation_id', '=', leaving)
        .where('occurrence', '=', 'POST_DEPARTURE')
        .execute();
    }
    const arriving = await stay({}, { propertyId, from: '2031-03-03', to: '2031-03-05' });
    const { body } = await act(arriving, 'confirm');
    expect(body.data.warnings).toContain('TURNOVER_TOO_SHORT');
    return { leaving, arriving };
  };

  it('has its cleaning begin with the departure, and two hours later again when the next guest does not come', async () => {
    const { leaving, arriving } = await turnover(null);
    expect((await tasksOf(leaving))['POST_DEPARTURE']).toMatchObject({
      scheduledDate: '2031-03-03T07:00:00.000Z',
      mustFinishBy: '2031-03-03T08:00:00.000Z',
      priority: 'HIGH',
    });
    await act(arriving, 'cancel');
    expect((await tasksOf(leaving))['POST_DEPARTURE']).toMatchObject({
      scheduledDate: '2031-03-03T09:00:00.000Z',
      mustFinishBy: null,
    });
  });

  it('also of one who has it already, and is told', async () => {
    await system.bed.db
      .insertInto('staff')
      .values({ id: 'cleaner-of-turnovers', name: 'Nina', email: 'nina@example.com', role: 'CLEANER' })
      .execute();
    const { leaving } = await turnover('cleaner-of-turnovers');
    expect(await advanceLateCleanings(system.bed.db, 10)).toBe(1);
    expect(await advanceLateCleanings(system.bed.db, 10)).toBe(0);
    const { id, scheduledDate, assigneeId } = (await tasksOf(leaving))['POST_DEPARTURE'];
    expect([scheduledDate, assigneeId]).toEqual(['2031-03-03T07:00:00.000Z', 'cleaner-of-turnovers']);
    const notified = await system.bed.db
      .selectFrom('notification')
      .select('event')
      .where('task_id', '=', id)
      .where('recipient_id', '=', assigneeId)
      .execute();
    expect(notified).toEqual([{ event: 'TASK_CHANGED' }]);
  });
});

describe('a turnover whose cleaning would come too late', () => {
  const cleanerOf = async (propertyId: string) => {
    made += 1;
    const body = { id: `cleaner-${made}`, name: 'Nina', email: 'nina@example.com', role: 'CLEANER' };
    await system.call('POST', '/staff', { body: { ...body, propertyIds: [propertyId] } });
    return body.id;
  };
  const booked = (propertyId: string, assignee: string, from: string, to: string) =>
    system.bed.db
      .insertInto('task')
      .values({
        id: `booked-${assignee}-${from}`,
        property_id: propertyId,
        type: 'CLEANING',
        occurrence: 'MANUAL',
        title: 'Other',
        status: 'ASSIGNED',
        assignee_id: assignee,
        scheduled_at: from,
        ends_at: to,
      })
      .execute();
  /** Confirmed, with its cleaning given to somebody who was busy until 16:00Z and so agreed to come then. */
  const agreedLate = async () => {
    const propertyId = await property();
    const cleaner = await cleanerOf(propertyId);
    const leaving = await confirmed({}, { propertyId, from: '2031-05-01', to: '2031-05-03' });
    const { id } = (await tasksOf(leaving))['POST_DEPARTURE'];
    const slot = { slot_start: '2031-05-03T16:00:00Z', slot_end: '2031-05-03T18:00:00Z' };
    await system.bed.db
      .updateTable('task')
      .set({ status: 'ASSIGNED', assignee_id: cleaner, ...slot })
      .where('id', '=', id)
      .execute();
    const arrive = async () => {
      const arriving = await stay({}, { propertyId, from: '2031-05-03', to: '2031-05-05' });
      const { body } = await act(arriving, 'confirm');
      expect(body.data.warnings).toEqual([]);
      expect((await tasksOf(arriving))['PRE_ARRIVAL']).toMatchObject({ status: 'MERGED', mergedIntoTaskId: id });
    };
    const notified = async () => {
      const { rows } = await sql<{ event: string }>`
        SELECT event FROM notification WHERE task_id = ${id} AND recipient_id = ${cleaner} ORDER BY created_at`.execute(
        system.bed.db,
      );
      return rows.map(({ event }) => event);
    };
    return { propertyId, cleaner, leaving, arrive, told: notified };
  };
  const sweep = () => advanceLateCleanings(system.bed.db, 10);

  it('by a person’s wish is not theirs who come next', async () => {
    const propertyId = await property();
    const leaving = await confirmed({}, { propertyId, from: '2031-05-01', to: '2031-05-03' });
    const { POST_DEPARTURE: cleaning } = await tasksOf(leaving);
    await system.call('PATCH', `/tasks/${cleaning.id}`, { body: { scheduledDate: '2031-05-06T05:00:00Z' } });
    const arriving = await stay({}, { propertyId, from: '2031-05-03', to: '2031-05-05' });
    const { body: forecast } = await system.call('GET', `/reservations/${arriving}/forecast`);
    expect(forecast.data.tasks[0]).toMatchObject({ occurrence: 'PRE_ARRIVAL', status: 'EXPECTED' });
    const { body } = await act(arriving, 'confirm');
    expect(body.data.warnings).toEqual(['TURNOVER_TOO_SHORT']);
    const own = (await tasksOf(arriving))['PRE_ARRIVAL'];
    expect(own).toMatchObject({ status: 'UNASSIGNED', scheduledDate: '2031-05-02T11:00:00.000Z' });
    // Also when the sweep looks at it, which has it done between the two.
    const cleaner = await cleanerOf(propertyId);
    await system.bed.db
      .updateTable('task')
      .set({ next_assign_at: new Date(0) })
      .where('id', '=', own.id)
      .execute();
    await assignDueTasks(system.bed.db, 100);
    expect((await tasksOf(arriving))['PRE_ARRIVAL']).toMatchObject({
      assigneeId: cleaner,
      startsAt: '2031-05-03T09:00:00.000Z',
    });
    expect((await tasksOf(leaving))['POST_DEPARTURE']).toMatchObject({
      scheduledDate: '2031-05-06T05:00:00.000Z',
      mustFinishBy: null,
      priority: 'NORMAL',
    });
  });

  it('by a person’s wish is not theirs any more', async () => {
    const propertyId = await property();
    const leaving = await confirmed({}, { propertyId, from: '2031-05-01', to: '2031-05-03' });
    const arriving = await confirmed({}, { propertyId, from: '2031-05-03', to: '2031-05-05' });
    const { POST_DEPARTURE: cleaning } = await tasksOf(leaving);
    const move = async (scheduledDate: string) => {
      const { body } = await system.call('PATCH', `/tasks/${cleaning.id}`, { body: { scheduledDate } });
      return [body.data.mustFinishBy, (await tasksOf(arriving))['PRE_ARRIVAL'].status];
    };
    expect(await move('2031-05-03T08:30:00Z')).toEqual(['2031-05-03T11:00:00.000Z', 'MERGED']);
    expect(await move('2031-05-03T09:30:00Z')).toEqual([null, 'UNASSIGNED']);
  });

  it('is agreed anew with who has it', async () => {
    const { leaving, cleaner, arrive, told: notified } = await agreedLate();
    await arrive();
    await sweep();
    expect((await tasksOf(leaving))['POST_DEPARTURE']).toMatchObject({
      assigneeId: cleaner,
      startsAt: '2031-05-03T09:00:00.000Z',
      endsAt: '2031-05-03T11:00:00.000Z',
    });
    expect(await sweep()).toBe(0);
    expect(await notified()).toEqual(['TASK_CHANGED']);
  });

  it('is given to another when who has it cannot come sooner', async () => {
    const { propertyId, leaving, cleaner, arrive, told: notified } = await agreedLate();
    await booked(propertyId, cleaner, '2031-05-03T10:00:00Z', '2031-05-03T16:00:00Z');
    await arrive();
    await sweep();
    expect((await tasksOf(leaving))['POST_DEPARTURE']).toMatchObject({
      status: 'UNASSIGNED',
      startsAt: '2031-05-03T09:00:00.000Z',
      mustFinishBy: '2031-05-03T11:00:00.000Z',
    });
    expect(await sweep()).toBe(0);
    expect(await notified()).toEqual(['TASK_WITHDRAWN']);
  });
});

describe('a guest who comes or leaves at another time', () => {
  const plan = (id: string, body: object) => system.call('PATCH', `/reservations/${id}`, { body });

  it('does so within the stay, and says so before it is over', async () => {
    const id = await inHouse({}, { from: '2024-02-01', to: '2024-02-05' }, '2024-02-01T12:00:00Z');
    const plan = (body: object) => system.call('PATCH', `/reservations/${id}`, { body });
    expect((await plan({ plannedDeparture: '2024-01-20T14:00' })).status).toBe(422);
    expect((await plan({ plannedDeparture: '2024-02-05T14:00' })).status).toBe(200);
    expect((await act(id, 'check-out', { actualTime: '2024-02-05T10:00:00Z' })).status).toBe(200);
    expect((await plan({ guestCount: 3 })).body.code).toBe('INVALID_STATE_TRANSITION');
    expect((await plan({ notes: 'left an umbrella' })).status).toBe(200);
  });

  it('comes before leaving', async () => {
    const id = await confirmed({}, { from: '2031-02-01', to: '2031-02-06' });
    const refused = async (body: object) => {
      const answer = await plan(id, body);
      expect([answer.status, answer.body.details.issues[0].path]).toEqual([422, 'plannedDeparture']);
    };
    await refused({ plannedArrival: '2031-02-04T10:00', plannedDeparture: '2031-02-03T10:00' });
    await refused({ plannedArrival: '2031-02-06T10:00', plannedDeparture: '10:00' });
    expect((await plan(id, { plannedArrival: '2031-02-04T10:00' })).status).toBe(200);
    await refused({ plannedDeparture: '2031-02-04T09:00' });
    expect((await plan(id, { plannedArrival: '18:00', plannedDeparture: '09:00' })).status).toBe(200);
    const { propertyId } = (await system.call('GET', `/reservations/${id}`)).body.data;
    const nights = { checkInDate: '2031-03-01', checkOutDate: '2031-03-06' };
    const times = { plannedArrival: '2031-03-04T10:00', plannedDeparture: '2031-03-04T10:00' };
    const made = { propertyId, guestId: 'guest-1', totalAmount: 100, ...nights, ...times };
    expect((await system.call('POST', '/reservations', { body: made })).status).toBe(422);
  });

  it('is met then', async () => {
    const id = await confirmed();
    await system.call('PATCH', `/reservations/${id}`, { body: { plannedArrival: '18:30', plannedDeparture: '09:00' } });
    const tasks = await tasksOf(id);
    expect(tasks['ARRIVAL'].scheduledDate).toBe('2024-02-01T14:30:00.000Z');
    expect(tasks['DEPARTURE'].scheduledDate).toBe('2024-02-03T05:00:00.000Z');
    expect(tasks['POST_DEPARTURE'].scheduledDate).toBe('2024-02-03T07:00:00.000Z');
  });

  const neighbours = async () => {
    const propertyId = await property();
    const leaving = await confirmed({}, { propertyId, from: '2031-06-01', to: '2031-06-03' });
    const arriving = await confirmed({}, { propertyId, from: '2031-06-03', to: '2031-06-05' });
    return { leaving, arriving };
  };

  it('finds it clean then, also where somebody leaves that day', async () => {
    const propertyId = await property();
    const arriving = await stay({}, { propertyId, from: '2031-06-03', to: '2031-06-05' });
    await plan(arriving, { plannedArrival: '13:30' });
    await act(arriving, 'confirm');
    expect((await tasksOf(arriving))['PRE_ARRIVAL']).toMatchObject({
      scheduledDate: '2031-06-02T11:00:00.000Z',
      mustFinishBy: '2031-06-03T09:30:00.000Z',
    });
    const leaving = await stay({}, { propertyId, from: '2031-06-01', to: '2031-06-03' });
    expect((await act(leaving, 'confirm')).body.data.warnings).toEqual(['TURNOVER_TOO_SHORT']);
    const cleaning = async () => {
      const { scheduledDate, mustFinishBy } = (await tasksOf(leaving))['POST_DEPARTURE'];
      return [scheduledDate, mustFinishBy];
    };
    expect(await cleaning()).toEqual(['2031-06-03T07:00:00.000Z', '2031-06-03T09:30:00.000Z']);
    const steps = [
      ['14:00', ['TURNOVER_TOO_SHORT'], '07:00', '10:00'],
      ['16:00', [], '09:00', '12:00'],
      ['12:30', ['TURNOVER_TOO_SHORT'], '07:00', '08:30'],
      [null, [], '09:00', '11:00'],
    ] as const;
    for (const [plannedArrival, warnings, start, by] of steps) {
      expect((await plan(arriving, { plannedArrival })).body.data.warnings).toEqual(warnings);
      expect(await cleaning()).toEqual([`2031-06-03T${start}:00.000Z`, `2031-06-03T${by}:00.000Z`]);
      expect((await tasksOf(arriving))['PRE_ARRIVAL'].mustFinishBy).toBe(`2031-06-03T${by}:00.000Z`);
    }
  });

  it('has a cleaning of their own when a person’s time for the one before has become too late', async () => {
    const { leaving, arriving } = await neighbours();
    const { POST_DEPARTURE: cleaning } = await tasksOf(leaving);
    await system.call('PATCH', `/tasks/${cleaning.id}`, { body: { scheduledDate: '2031-06-03T08:30:00Z' } });
    const { body } = await plan(arriving, { plannedArrival: '14:00' });
    expect(body.data.warnings).toEqual(['TURNOVER_TOO_SHORT']);
    expect((await tasksOf(arriving))['PRE_ARRIVAL'].status).toBe('UNASSIGNED');
    expect((await tasksOf(leaving))['POST_DEPARTURE']).toMatchObject({
      scheduledDate: '2031-06-03T08:30:00.000Z',
      mustFinishBy: null,
    });
  });

  it('is told what that leaves to be seen to', async () => {
    const { leaving, arriving } = await neighbours();
    const warned = async (id: string, body: object) => (await plan(id, body)).body.data.warnings;
    expect(await warned(leaving, { plannedDeparture: '10:30' })).toEqual([]);
    expect(await warned(leaving, { plannedDeparture: '14:30' })).toEqual(['TURNOVER_TOO_SHORT']);
    expect(await warned(leaving, { guestCount: 2 })).toEqual([]);
    const { PRE_ARRIVAL: before, POST_DEPARTURE: after } = await tasksOf(leaving);
    await system.call('PATCH', `/tasks/${after.id}`, { body: { scheduledDate: '2031-06-03T09:00:00Z' } });
    expect(await warned(leaving, { plannedDeparture: '10:00' })).toEqual(['TASK_TIME_KEPT']);
    // In the way of nobody who comes later than it ends.
    await system.call('PATCH', `/tasks/${before.id}`, { body: { scheduledDate: '2031-06-01T07:00:00Z' } });
    expect(await warned(leaving, { plannedArrival: '14:00' })).toEqual([]);
    expect(await warned(leaving, { plannedArrival: '12:00' })).toEqual(['TASK_TIME_KEPT']);
    await system.call('PATCH', `/tasks/${after.id}`, { body: { scheduledDate: '2031-06-03T10:00:00Z' } });
    expect((await tasksOf(arriving))['PRE_ARRIVAL'].status).toBe('UNASSIGNED');
  });

  it('as well when the clock of the property changes, except where a person has set a time', async () => {
    const place = await property();
    const id = await confirmed({}, { propertyId: place, from: '2031-02-01', to: '2031-02-03' });
    const { DEPARTURE: departure } = await tasksOf(id);
    await system.call('PATCH', `/tasks/${departure.id}`, { body: { scheduledDate: '2031-02-03T05:00:00Z' } });
    await system.call('PATCH', `/properties/${place}`, { body: { timeZone: 'Europe/Paris', checkInTime: '16:00' } });
    const moved = await tasksOf(id);
    expect(moved['PRE_ARRIVAL'].scheduledDate).toBe('2031-01-31T15:00:00.000Z');
    expect(moved['ARRIVAL'].scheduledDate).toBe('2031-02-01T15:00:00.000Z');
    expect(moved['DEPARTURE'].scheduledDate).toBe('2031-02-03T05:00:00.000Z');
    expect(moved['POST_DEPARTURE'].scheduledDate).toBe('2031-02-03T12:00:00.000Z');
  });
});
