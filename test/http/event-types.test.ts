import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVENT_CATALOGUE, EVENT_TYPES, isEventType } from '../../src/domain/events/catalogue.ts';
import { EVENT_DATA, type EventResource } from '../../src/domain/events/shapes.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { GATEWAY } from '../sagas/money.ts';
import { restOf } from '../setup/engine.ts';
import { type Answer, type System, startSystem } from '../setup/system.ts';

/** The catalogue of event types: closed in the database, published, and what patterns are checked against. */

let system: System;
beforeAll(async () => {
  system = await startSystem();
  await prepareStays(system.bed.db);
  await system.bed.db.updateTable('owner').set({ payout_account: 'acct-owner' }).execute();
});
afterAll(() => system?.close());

const post = (path: string, body: object = {}): Promise<Answer> => system.call('POST', path, { body });
const pay = (id: string, gatewayReference = `ref-${id}`): Promise<Answer> =>
  post(`/reservations/${id}/payment`, { amount: 1000, currency: 'AED', gatewayId: GATEWAY, gatewayReference });

/** Stays that go well, are cancelled, are undone, are declined and are parked; people, properties, tasks and messages. */
async function live(): Promise<void> {
  const { db } = system.bed;
  const [good, cancelled, undone, parked] = [
    await seedStay(db),
    await seedStay(db),
    await seedStay(db),
    await seedStay(db),
  ];
  expect((await post(`/reservations/${good}/confirm`)).status).toBe(200);
  expect((await pay(good, 'ref-declined-1')).status).toBe(402);
  const paid = await pay(good);
  expect(paid.status).toBe(200);
  for (const action of ['check-in', 'check-out'])
    expect((await post(`/reservations/${good}/${action}`)).status).toBe(200);
  expect((await post(`/transactions/${paid.body.data.ownerPayout.id}/payout`)).status).toBe(200);
  await post(`/reservations/${cancelled}/confirm`);
  await pay(cancelled);
  expect((await post(`/reservations/${cancelled}/cancel`)).status).toBe(200);
  expect((await post(`/reservations/${undone}/confirm`, { requireAssignment: true })).status).toBe(409);
  await db.updateTable('reservation').set({ total_minor: 2_000_000 }).where('id', '=', parked).execute();
  await post(`/reservations/${parked}/confirm`);
  await post(`/reservations/${parked}/payment`, {
    amount: 20_000,
    currency: 'AED',
    gatewayId: GATEWAY,
    gatewayReference: `ref-${parked}`,
  });
  // The policy gives nothing back any more, so that a second person has to approve it.
  const dates = { check_in_date: '2024-02-01', check_out_date: '2024-02-03' };
  await db.updateTable('reservation').set(dates).where('id', '=', parked).execute();
  const waits = await post(`/reservations/${parked}/cancel`, { refundPercentOverride: 100, reason: 'GOODWILL' });
  expect(waits.body.data.status).toBe('parked');
  await post(`/sagas/executions/${waits.body.data.sagaExecutionId}/resolve`, { reason: 'no' });
  expect(await restOf(db, waits.body.data.sagaExecutionId)).toBe('resolved');
  const guest = await post('/guests', { name: 'Nora', email: 'nora@example.com' });
  await system.call('PATCH', `/guests/${guest.body.data.id}`, { body: { locale: 'ar' } });
  await system.call('PATCH', '/properties/house-1', { body: { region: 'Marina' } });
  const { property_id } = await db
    .selectFrom('reservation')
    .select('property_id')
    .where('id', '=', good)
    .executeTakeFirstOrThrow();
  const task = await post('/tasks', {
    type: 'INSPECTION',
    title: 'Look',
    propertyId: property_id,
    scheduledDate: '2030-05-01T08:00:00Z',
  });
  expect(task.status).toBe(201);
  await system.call('PATCH', `/tasks/${task.body.data.id}`, { body: { scheduledDate: '2030-05-02T08:00:00Z' } });
  // Each state that a message may come to, without a provider.
  for (const status of ['SENT', 'DELIVERED', 'FAILED', 'SKIPPED', 'BLOCKED'] as const) {
    await sql`UPDATE notification SET status = ${status} WHERE id = (SELECT id FROM notification WHERE status = 'QUEUED' LIMIT 1)`.execute(
      db,
    );
  }
}

interface Event {
  readonly type: string;
  readonly resource: { readonly type: string };
  readonly data: unknown;
}

describe('the catalogue', () => {
  it('holds every event of a full life, each of its documented shape', { timeout: 60_000 }, async () => {
    await live();
    const events: Event[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body } = await system.call('GET', `/events?limit=100${cursor && `&cursor=${cursor}`}`);
      events.push(...body.data);
      cursor = body.nextCursor;
    }
    for (const { type, resource, data } of events) {
      expect(isEventType(type), type).toBe(true);
      const parsed = EVENT_DATA[resource.type as EventResource].safeParse(data);
      expect(parsed.success, `${type} ${JSON.stringify(data)}: ${parsed.error?.message}`).toBe(true);
    }
    const seen = new Set(events.map(({ type }) => type));
    expect(seen.size).toBeGreaterThanOrEqual(30);
    expect([...seen]).toEqual(
      expect.arrayContaining(['saga.parked', 'saga.resolved', 'payment.failed', 'reservation.cancelled']),
    );
  });

  it('is what the database takes, and no other type can be written', async () => {
    const { db } = system.bed;
    const { rows } = await sql<{ rule: string }>`
      SELECT pg_get_constraintdef(oid) AS rule FROM pg_constraint WHERE conname = 'known_event_type'`.execute(db);
    const written = [...(rows[0]?.rule ?? '').matchAll(/'([a-z]+\.[a-z_]+)'/g)].map(([, type]) => type);
    expect(written.toSorted()).toEqual(EVENT_TYPES.toSorted());
    await expect(
      sql`INSERT INTO domain_event (type, resource, resource_id, data) VALUES ('task.forgotten', 'task', 'x', '{}')`.execute(
        db,
      ),
    ).rejects.toThrow('known_event_type');
  });

  it('gives an example of each, of the shape that it documents', () => {
    for (const { resource, type, example } of EVENT_CATALOGUE) {
      const shape = EVENT_DATA[resource].safeParse(example.data.data);
      expect(shape.success, `${type}: ${shape.error?.message}`).toBe(true);
    }
  });

  it('is published, for those who may read events', async () => {
    const { status, body } = await system.call('GET', '/event-types');
    expect([status, body.data.map(({ type }: Event) => type)]).toEqual([200, EVENT_TYPES]);
    expect(body.data[1]).toMatchObject({
      type: 'reservation.confirmed',
      resource: 'reservation',
      description: expect.any(String),
      example: { type: 'reservation.confirmed', data: { data: { status: 'CONFIRMED' } } },
    });
    expect((await system.call('GET', '/event-types', { role: 'CLEANER' })).status).toBe(403);
  });

  it('is in the webhooks of the OpenAPI document, with an example each', async () => {
    const { app, headers } = await system.as({});
    const document = (await (await app.request('/openapi.json', { headers })).json()) as {
      readonly webhooks: Readonly<
        Record<string, { readonly post: { readonly operationId: string; readonly requestBody: unknown } }>
      >;
    };
    expect(Object.keys(document.webhooks).toSorted()).toEqual(EVENT_TYPES.toSorted());
    for (const [type, { post: sent }] of Object.entries(document.webhooks)) {
      expect(JSON.stringify(sent.requestBody), type).toContain(`"type":"${type}","timestamp"`);
    }
  });
});

describe('a pattern', () => {
  const url = 'https://example.com/hooks';

  it('that no type matches is refused, with what was probably meant', async () => {
    const wrong = await post('/webhook-endpoints', { url, types: ['task.*', 'reservation.confirmd'] });
    expect([wrong.status, wrong.body.code]).toEqual([422, 'EVENT_TYPE_UNKNOWN']);
    expect(wrong.body.details.unknown).toEqual([
      { type: 'reservation.confirmd', near: expect.arrayContaining(['reservation.confirmed']) },
    ]);
    expect((await post('/webhook-endpoints', { url, types: ['reservations.*'] })).body.details.unknown[0].near[0]).toBe(
      'reservation.*',
    );
    expect((await system.call('GET', '/webhook-endpoints')).body.data).toEqual([]);
    for (const path of ['/events?type=task.asigned', '/events/stream?type=tasks.*']) {
      expect((await system.call('GET', path)).body.code).toBe('EVENT_TYPE_UNKNOWN');
    }
    for (const type of [...EVENT_TYPES, 'reservation.*', 'staff.*']) {
      expect((await system.call('GET', `/events?limit=1&type=${type}`)).status, type).toBe(200);
    }
  });

  it('of before that matches nothing is named, and the endpoint goes on', async () => {
    const row = { url, secret: 'x', next_seq: 1, created_by: 'x', types: ['reservation.confirmd', 'task.*'] };
    await system.bed.db
      .insertInto('webhook_endpoint')
      .values({ ...row, id: 'old' })
      .execute();
    expect((await system.call('GET', '/webhook-endpoints/old')).body.data).toMatchObject({
      types: ['reservation.confirmd', 'task.*'],
      unknownTypes: ['reservation.confirmd'],
      status: 'ACTIVE',
    });
    const described = await system.call('PATCH', '/webhook-endpoints/old', { body: { description: 'Ours' } });
    expect([described.status, described.body.data.unknownTypes]).toEqual([200, ['reservation.confirmd']]);
    const kept = await system.call('PATCH', '/webhook-endpoints/old', { body: { types: ['reservation.confirmd'] } });
    expect(kept.body.code).toBe('EVENT_TYPE_UNKNOWN');
    const cured = await system.call('PATCH', '/webhook-endpoints/old', { body: { types: ['reservation.confirmed'] } });
    expect(cured.body.data.unknownTypes).toEqual([]);
  });
});

describe('a filter by a name of a closed catalogue', () => {
  it.each([
    ['/sagas?name=confirmReservatoin', 'name', 'confirmReservation'],
    ['/notifications?event=CHECKIN_REMINDER', 'event', 'CHECK_IN_REMINDER'],
  ])('refuses one that is misspelt, as it would select nothing: %s', async (address, field, meant) => {
    const answer = await system.call('GET', address);
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect(answer.body.details.issues).toEqual([{ path: field, message: expect.stringContaining(`"${meant}"`) }]);
  });
});
