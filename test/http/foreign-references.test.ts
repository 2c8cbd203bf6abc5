import { z } from '@hono/zod-openapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTokenVerifier } from '../../src/http/auth.ts';
import { filtersBy, noReference, referencesOf, refersTo } from '../../src/http/references.ts';
import { createRegister } from '../../src/http/route.ts';
import { Id } from '../../src/http/schemas/common.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { type Answer, API, at, type Call, declaredRoutes, type Http, JWT, startHttp } from './harness.ts';

/**
 * A record that a body names is checked like the one in the path (security.md Z4): two agencies in one house, and what the agent
 * of one may not do to the other.
 */

let http: Http;
const mine: Call = { as: 'AGENT', sub: 'agent-1' };

beforeAll(async () => {
  http = await startHttp();
  const { db } = http;
  for (const n of [1, 2]) {
    const email = `number-${n}@example.com`;
    await db
      .insertInto('owner')
      .values({ id: `owner-${n}`, name: 'An owner', email })
      .execute();
    await db
      .insertInto('staff')
      .values([
        { id: `agent-${n}`, name: 'An agent', email, role: 'AGENT' },
        { id: `cleaner-${n}`, name: 'A cleaner', email, role: 'CLEANER', property_ids: [`property-${n}`] },
      ])
      .execute();
    const agency = { owner_id: `owner-${n}`, agent_ids: [`agent-${n}`], amenity_device: `lock-${n}` };
    await db
      .insertInto('property')
      .values({ id: `property-${n}`, name: 'A home', ...agency })
      .execute();
    await db
      .insertInto('guest')
      .values({ id: `guest-${n}`, name: 'A guest', email })
      .execute();
    await db
      .insertInto('reservation')
      .values({
        id: `stay-${n}`,
        property_id: `property-${n}`,
        guest_id: `guest-${n}`,
        check_in_date: '2030-02-01',
        check_out_date: '2030-02-03',
        total_minor: 100_000,
        currency: 'AED',
        created_by: `agent-${n}`,
      })
      .execute();
  }
  await db
    .insertInto('task')
    .values({
      id: 'task-1',
      type: 'CLEANING',
      occurrence: 'MANUAL',
      title: 'Clean',
      property_id: 'property-1',
      status: 'UNASSIGNED',
      scheduled_at: '2030-02-01T09:00:00Z',
      ends_at: '2030-02-01T10:00:00Z',
    })
    .execute();
}, 60_000);
afterAll(() => http?.stop());

const send = (method: string, path: string, body?: unknown, call: Call = mine): Promise<Answer> =>
  http.call(method, `${API}/${path}`, { ...call, ...(body === undefined ? {} : { body }) });
const booking = {
  propertyId: 'property-1',
  guestId: 'guest-1',
  checkInDate: '2030-03-01',
  checkOutDate: '2030-03-03',
  totalAmount: 1000,
};
const refusal = ({ status, body: { requestId: _id, ...body } }: Answer) => ({ status, ...body });
const notFound = (field: string) => ({
  status: 422,
  success: false,
  error: 'A referenced record does not exist',
  code: 'REFERENCE_NOT_FOUND',
  details: { field },
});

describe('the guest of another agency', () => {
  it('Z4: is not booked by id, no more than one who does not exist', async () => {
    for (const guestId of ['guest-2', 'guest-of-nobody']) {
      expect(refusal(await send('POST', 'reservations', { ...booking, guestId }))).toEqual(notFound('guestId'));
      expect(refusal(await send('PATCH', 'reservations/stay-1', { guestId }))).toEqual(notFound('guestId'));
    }
  });

  it('Z4: is not read, and the e-mail not changed, after an attempt to book', async () => {
    await send('POST', 'reservations', { ...booking, guestId: 'guest-2' });
    expect((await send('GET', 'guests/guest-2')).status).toBe(404);
    expect((await send('PATCH', 'guests/guest-2', { email: 'thief@example.com' })).status).toBe(404);
    const row = await http.db.selectFrom('guest').select('email').where('id', '=', 'guest-2').executeTakeFirstOrThrow();
    expect(row.email).toBe('number-2@example.com');
  });

  it('Z4: whom an agent has added is that agent’s to book, and nobody else’s', async () => {
    const added = await send('POST', 'guests', { name: 'New', email: 'new@example.com' });
    const guestId = String(at(added.body, 'data', 'id'));
    const theirs: Call = { as: 'AGENT', sub: 'agent-2' };
    const elsewhere = { ...booking, propertyId: 'property-2', guestId };
    expect((await send('GET', `guests/${guestId}`, undefined, theirs)).status).toBe(404);
    expect(refusal(await send('POST', 'reservations', elsewhere, theirs))).toEqual(notFound('guestId'));
    expect((await send('POST', 'reservations', { ...booking, guestId })).status).toBe(201);
  });

  it('Z4: is booked by an administrator, and is then known to both agencies', async () => {
    const stay = { ...booking, checkInDate: '2030-05-01', checkOutDate: '2030-05-02', guestId: 'guest-2' };
    expect((await send('POST', 'reservations', stay, {})).status).toBe(201);
    expect((await send('GET', 'guests/guest-2')).status).toBe(200);
    expect((await send('GET', 'guests/guest-2', undefined, { as: 'AGENT', sub: 'agent-2' })).status).toBe(200);
  });
});

describe('the lock of another property', () => {
  const devices = () => http.db.selectFrom('property').select(['id', 'amenity_device']).orderBy('id').execute();

  it('Z4: is bound by no agent, neither to a property nor to a new one', async () => {
    const before = await devices();
    const tries = [
      await send('PATCH', 'properties/property-1', { amenityDevice: 'lock-2' }),
      await send('PATCH', 'properties/property-1', { amenityDevice: null }),
      await send('POST', 'properties', { name: 'New', ownerId: 'owner-1', amenityDevice: 'lock-2' }),
      await send('POST', 'properties', { name: 'New', ownerId: 'owner-1', amenityDevice: 'lock-of-nobody' }),
    ];
    for (const answer of tries) {
      expect([answer.status, answer.body.code, at(answer.body, 'details', 'field')]).toEqual([
        403,
        'FORBIDDEN',
        'amenityDevice',
      ]);
    }
    expect(await devices()).toEqual(before);
  });

  it('Z4: belongs to one property, whoever binds it', async () => {
    for (const answer of [
      await send('PATCH', 'properties/property-1', { amenityDevice: 'lock-2' }, {}),
      await send('POST', 'properties', { name: 'New', ownerId: 'owner-1', amenityDevice: 'lock-2' }, {}),
    ]) {
      expect([answer.status, answer.body.code]).toEqual([409, 'DEVICE_IN_USE']);
    }
    expect((await send('PATCH', 'properties/property-2', { amenityDevice: 'lock-3' }, {})).status).toBe(200);
    expect((await send('PATCH', 'properties/property-1', { amenityDevice: 'lock-2' }, {})).status).toBe(200);
  });
});

describe('the owner of another agency', () => {
  it('Z4: is given no property, so that nothing is charged to that owner', async () => {
    for (const ownerId of ['owner-2', 'owner-of-nobody']) {
      expect(refusal(await send('POST', 'properties', { name: 'New', ownerId }))).toEqual(notFound('ownerId'));
    }
    expect((await send('POST', 'properties', { name: 'New', ownerId: 'owner-1' })).status).toBe(201);
    expect((await send('PATCH', 'properties/property-1', { ownerId: 'owner-2' })).status).toBe(403);
  });

  it('Z4: and what a person wants to get is not told of a foreign person', async () => {
    for (const who of ['owners/owner', 'staff/cleaner']) {
      expect((await send('GET', `${who}-2/notification-preferences`)).status, who).toBe(404);
      expect((await send('GET', `${who}-1/notification-preferences`)).status, who).toBe(200);
    }
  });

  it('Z4: is not read, nor listed', async () => {
    expect((await send('GET', 'owners/owner-2')).status).toBe(404);
    expect((await send('GET', 'owners')).text).not.toContain('number-2@example.com');
    expect((await send('GET', 'owners/owner-1')).status).toBe(200);
  });
});

describe('leave', () => {
  const year = { from: '2030-01-01', to: '2030-12-31' };

  it('Z4: is not entered for another agent, nor for who works for another agency', async () => {
    for (const staffId of ['agent-2', 'cleaner-2', 'nobody']) {
      const answer = await send('POST', `staff/${staffId}/leave`, year);
      expect([answer.status, answer.body.code, answer.body.error]).toEqual([
        404,
        'NOT_FOUND',
        'Staff member not found',
      ]);
      expect((await send('GET', `staff/${staffId}/leave`)).status).toBe(404);
    }
    expect(await http.db.selectFrom('staff_leave').select('id').execute()).toEqual([]);
  });

  it('Z4: is entered for oneself, and for who cleans the portfolio; nobody else takes it back', async () => {
    for (const staffId of ['agent-1', 'cleaner-1']) {
      const added = await send('POST', `staff/${staffId}/leave`, year);
      expect(added.status, added.text).toBe(201);
      const path = `staff/${staffId}/leave/${String(at(added.body, 'data', 'id'))}`;
      expect((await send('DELETE', path, undefined, { as: 'AGENT', sub: 'agent-2' })).status).toBe(404);
      expect((await send('DELETE', path)).status).toBe(200);
    }
  });

  it('Z4: who works elsewhere is not seen at all', async () => {
    expect((await send('GET', 'staff/cleaner-2')).status).toBe(404);
    expect((await send('GET', 'staff')).text).not.toContain('cleaner-2');
  });

  it('Z4: nor given a task of this agency', async () => {
    const assign = (assigneeId: string) => send('PATCH', 'tasks/task-1', { assigneeId });
    for (const assigneeId of ['cleaner-2', 'nobody']) {
      expect(refusal(await assign(assigneeId))).toEqual(notFound('assigneeId'));
    }
    expect((await assign('cleaner-1')).status).toBe(200);
  });
});

describe('the referring agent of a stay', () => {
  it('Z4: is named by no agent, neither oneself nor anybody, and not taken away', async () => {
    const tries = [
      await send('POST', 'reservations', { ...booking, referringAgentId: 'agent-1' }),
      await send('POST', 'reservations', { ...booking, referringAgentId: 'agent-2' }),
      await send('PATCH', 'reservations/stay-1', { referringAgentId: 'agent-1' }),
      await send('PATCH', 'reservations/stay-1', { referringAgentId: null }),
    ];
    for (const answer of tries) {
      expect([answer.status, at(answer.body, 'details', 'field')], answer.text).toEqual([403, 'referringAgentId']);
    }
    const stay = await http.db
      .selectFrom('reservation')
      .select('referring_agent_id')
      .where('id', '=', 'stay-1')
      .executeTakeFirstOrThrow();
    expect(stay.referring_agent_id).toBeNull();
    expect((await send('PATCH', 'reservations/stay-1', { referringAgentId: 'agent-2' }, {})).status).toBe(200);
  });

  it('Z4: and the agents of a property are named by an administrator alone', async () => {
    for (const body of [{ agentIds: ['agent-1', 'agent-2'] }, { agentIds: [] }]) {
      expect((await send('PATCH', 'properties/property-1', body)).status).toBe(403);
      expect((await send('POST', 'properties', { name: 'New', ownerId: 'owner-1', ...body })).status).toBe(403);
    }
    expect((await send('PATCH', 'properties/property-1', { agentIds: ['agent-1'] }, {})).status).toBe(200);
  });
});

describe('the declarations', () => {
  it('are made for every field that looks like an id, on every route', () => {
    const all = declaredRoutes(http.app).flatMap(({ route }) => referencesOf(route, route.path));
    const records = all.filter((field) => field.in === 'body' && field.reference.kind === 'record');
    expect(records.length).toBeGreaterThanOrEqual(16);
    expect(all.length).toBeGreaterThan(60);
  });

  it('cannot be left out: a route without one is not registered', () => {
    const register = createRegister(http.app, { clock: systemClock } as never, createTokenVerifier(JWT, systemClock));
    const content = (schema: z.ZodType) => ({ body: { content: { 'application/json': { schema } } } });
    const add = (request: object) =>
      register.mutation(
        { method: 'post', path: `${API}/guests`, request, responses: {} } as never,
        async () => undefined as never,
      );
    const named = { guestId: z.string() };
    const shaped = { whoever: Id.nullish() };
    for (const fields of [named, shaped, { list: z.array(z.strictObject(named)) }, { ownerIds: z.array(z.string()) }]) {
      expect(() => add(content(z.strictObject(fields)))).toThrow(/POST .*\/guests takes .* without a declaration/);
      expect(() => add({ query: z.strictObject(fields) })).toThrow(/without a declaration/);
    }
  });

  it('are found behind whatever wraps a field, and belong to the one field', () => {
    const schema = z.strictObject({
      a: refersTo(Id, 'guest').nullish(),
      b: z.array(z.strictObject({ c: noReference(Id, 'why').default('x') })),
      d: filtersBy(Id, 'stay').optional(),
      e: z.string().transform(Number),
    });
    const request = { body: { content: { 'application/json': { schema } } } };
    const found = referencesOf({ method: 'post', path: '/', request, responses: {} }, 'POST /');
    expect(found.map(({ path, reference }) => [path.join('.'), reference.kind])).toEqual([
      ['a', 'record'],
      ['b.[].c', 'none'],
      ['d', 'filter'],
    ]);
  });
});
