import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, addReservation, at, countRows, type Http, seed, startHttp } from './harness.ts';

let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await seed(http.db);
}, 60_000);
afterAll(() => http?.stop());

const email = 'a@example.com';
const RESOURCES = [
  {
    path: 'owners',
    create: { name: 'Olga', email, phone: '+971 50 123', locale: 'ar-AE', payoutAccount: 'acct-1' },
    change: { phone: null, name: 'Olga O.' },
  },
  {
    path: 'guests',
    create: { name: 'José 👩‍👩‍👧', email, timeZone: 'Europe/Paris' },
    change: { timeZone: null, locale: 'fr' },
  },
  {
    path: 'staff',
    create: {
      name: 'Clara',
      email,
      role: 'CLEANER',
      skills: ['deep-clean'],
      homeLocation: { lat: 25.08, lng: 55.14 },
      propertyIds: ['property-1'],
      shifts: [{ weekday: 1, from: '09:00', to: '17:00', zone: 'Asia/Dubai' }],
      maxMinutesPerDay: 480,
      active: true,
    },
    change: { active: false, shifts: null, skills: [] },
  },
  {
    path: 'properties',
    create: {
      name: 'Creek 3',
      ownerId: 'owner-1',
      region: 'Deira',
      timeZone: 'Europe/Paris',
      checkInTime: '16:30',
      checkOutTime: '10:00',
      location: { lat: 25, lng: 55 },
      cleaningMinutes: 90,
      agentIds: ['agent-1'],
      amenityDevice: 'device-1',
    },
    change: { cleaningMinutes: 60, location: null },
  },
  {
    path: 'tasks',
    create: {
      type: 'EMERGENCY',
      title: 'Water',
      propertyId: 'property-1',
      scheduledDate: '2024-02-01T09:00:00.000Z',
      priority: 'URGENT',
      description: 'line one\nline two',
    },
    change: { title: 'Water!', priority: 'HIGH' },
  },
  {
    path: 'reservations',
    create: {
      propertyId: 'property-1',
      guestId: 'guest-1',
      checkInDate: '2024-02-01',
      checkOutDate: '2024-02-03',
      totalAmount: 99.99,
      currency: 'AED',
      referringAgentId: 'agent-1',
      guestCount: 2,
      plannedArrival: '18:30',
      plannedDeparture: '2024-02-03T09:00',
      notes: 'عربى\n\u202e<script>',
    },
    change: { totalAmount: 120.5, notes: null, checkOutDate: '2024-02-04' },
  },
];

describe.each(RESOURCES)('$path', ({ path, create, change }) => {
  it('come back as they were made, at their own address', async () => {
    const made = await http.call('POST', `${API}/${path}`, { body: { id: `${path}-a`, ...create } });
    expect([made.status, made.headers.get('location'), made.headers.get('etag')]).toEqual([
      201,
      `${API}/${path}/${path}-a`,
      '"1"',
    ]);
    const read = await http.call('GET', `${API}/${path}/${path}-a`);
    expect(read.status).toBe(200);
    expect(at(read.body, 'data')).toEqual(at(made.body, 'data'));
    expect(at(read.body, 'data')).toMatchObject({ id: `${path}-a`, ...create, version: 1 });
  });

  it('get an id when the client gives none', async () => {
    // A device is of one property.
    const { amenityDevice: _device, ...body }: { amenityDevice?: unknown } = create;
    const made = await http.call('POST', `${API}/${path}`, { body });
    expect(at(made.body, 'data', 'id')).toMatch(/^[a-z]+-[0-9a-f-]{36}$/);
  });

  it('exist once per id', async () => {
    const before = await countRows(http.db);
    const again = await http.call('POST', `${API}/${path}`, { body: { id: `${path}-a`, ...create } });
    expect([again.status, again.body.code]).toEqual([409, 'ALREADY_EXISTS']);
    expect(await countRows(http.db)).toEqual(before);
  });

  it('change field by field, under the version that was read', async () => {
    const address = `${API}/${path}/${path}-a`;
    const stale = await http.call('PATCH', address, { body: change, headers: { 'if-match': '"7"' } });
    expect([stale.status, stale.body.code]).toEqual([412, 'PRECONDITION_FAILED']);
    const changed = await http.call('PATCH', address, { body: change, headers: { 'if-match': '"1"' } });
    expect([changed.status, changed.headers.get('etag')]).toEqual([200, '"2"']);
    expect(at(changed.body, 'data')).toMatchObject({ ...create, ...change, version: 2 });
    const weak = await http.call('PATCH', address, { body: change, headers: { 'if-match': 'W/"2"' } });
    expect(weak.status).toBe(412);
    const any = await http.call('PATCH', address, { body: change, headers: { 'if-match': '*' } });
    expect(any.status).toBe(200);
  });

  it('refuse a change of nothing, of what is not theirs, and of what is not there', async () => {
    const address = `${API}/${path}/${path}-a`;
    for (const body of [{}, { id: 'x' }, { version: 9 }, { status: 'CONFIRMED' }, { createdAt: 'x' }, []]) {
      expect((await http.call('PATCH', address, { body })).status, JSON.stringify(body)).toBe(422);
    }
    const absent = await http.call('PATCH', `${API}/${path}/nobody`, { body: change });
    expect(absent.status).toBe(404);
    expect((await http.call('GET', `${API}/${path}/nobody`)).status).toBe(404);
  });

  it('leave audit rows that name fields and what was changed, and nothing that somebody is or wrote', async () => {
    const noun =
      { owners: 'owner', guests: 'guest', properties: 'property', tasks: 'task', reservations: 'reservation' }[path] ??
      path;
    const rows = await http.db
      .selectFrom('audit_log')
      .selectAll()
      .where('stream_id', '=', `${noun}:${path}-a`)
      .orderBy('seq')
      .execute();
    expect(rows.map((row) => row.event)).toEqual([
      `${noun.toUpperCase()}_CREATED`,
      `${noun.toUpperCase()}_UPDATED`,
      `${noun.toUpperCase()}_UPDATED`,
    ]);
    const bodies = rows.map((row) => row.body).join('\n');
    expect(bodies).toContain('"fields"');
    expect(bodies).toContain('"changes"');
    for (const [field, value] of Object.entries(create)) {
      if (!/^(?:name|email|phone|notes|title|description|address|payoutAccount)$/.test(field)) continue;
      expect(bodies).not.toContain(`"${value}"`);
    }
  });
});

describe('lists', () => {
  const ids = (body: unknown): string[] => {
    const items = at(body, 'data');
    return Array.isArray(items) ? items.map((item) => String(at(item, 'id'))) : [];
  };

  it('are walked once through, whatever is added meanwhile', async () => {
    const wanted = new Set<string>();
    for (let i = 0; i < 7; i += 1) {
      await http.call('POST', `${API}/properties`, {
        body: { id: `walk-${i}`, name: 'x', ownerId: 'owner-1', region: 'walk' },
      });
      wanted.add(`walk-${i}`);
    }
    const seen: string[] = [];
    let cursor = '';
    for (let turn = 0; turn < 10; turn += 1) {
      const page = await http.call('GET', `${API}/properties?region=walk&limit=2${cursor}`);
      seen.push(...ids(page.body));
      await http.call('POST', `${API}/properties`, { body: { name: 'y', ownerId: 'owner-1', region: 'walk' } });
      const next = at(page.body, 'nextCursor');
      if (next === null) break;
      cursor = `&cursor=${String(next)}`;
    }
    expect(seen).toHaveLength(7);
    expect(new Set(seen)).toEqual(wanted);
  });

  it('made in one transaction, so at one instant, are walked by id', async () => {
    await http.db
      .insertInto('owner')
      .values(Array.from({ length: 5 }, (_, i) => ({ id: `twin-${i}`, name: 'x', email })))
      .execute();
    const first = await http.call('GET', `${API}/owners?limit=3`);
    const second = await http.call('GET', `${API}/owners?limit=3&cursor=${String(at(first.body, 'nextCursor'))}`);
    expect([...ids(first.body), ...ids(second.body)].slice(0, 5)).toEqual([
      'twin-4',
      'twin-3',
      'twin-2',
      'twin-1',
      'twin-0',
    ]);
  });

  it('refuse a cursor that was changed, or that belongs elsewhere', async () => {
    const page = await http.call('GET', `${API}/properties?region=walk&limit=1`);
    const cursor = String(at(page.body, 'nextCursor'));
    const flipped = `${cursor[0] === 'A' ? 'B' : 'A'}${cursor.slice(1)}`;
    for (const query of [
      `properties?region=walk&cursor=${flipped}`,
      `properties?region=other&cursor=${cursor}`,
      `properties?cursor=${cursor}`,
      `owners?cursor=${cursor}`,
      'owners?cursor=bm90LW91cnM',
    ]) {
      const answer = await http.call('GET', `${API}/${query}`);
      expect([answer.status, answer.body.code], query).toEqual([400, 'INVALID_CURSOR']);
    }
    expect((await http.call('GET', `${API}/properties?region=walk&limit=5&cursor=${cursor}`)).status).toBe(200);
  });

  it('filter', async () => {
    const count = async (query: string): Promise<number> =>
      ids((await http.call('GET', `${API}/${query}`)).body).length;
    expect(await count('staff?role=AGENT&active=true')).toBe(1);
    expect(await count('staff?active=false')).toBe(1);
    expect(await count('properties?ownerId=nobody')).toBe(0);
    expect(await count('tasks?type=EMERGENCY&from=2024-02-01&to=2024-02-02')).toBe(2);
    expect(await count('tasks?from=2024-02-01T09:00:00.001Z')).toBe(0);
    expect(await count('reservations?status=PENDING&from=2024-02-04&to=2024-02-10')).toBe(1);
    expect(await count('reservations?from=2024-02-05')).toBe(0);
    expect(await count('reservations?status=CONFIRMED')).toBe(0);
    expect((await http.call('GET', `${API}/reservations?status=confirmed`)).status).toBe(422);
  });
});

describe('fields', () => {
  const stay = RESOURCES.find((resource) => resource.path === 'reservations')?.create ?? {};

  it.each<[string, object]>([
    ['zero nights', { checkOutDate: '2024-02-01' }],
    ['nights backwards', { checkOutDate: '2024-01-31' }],
    ['30 February', { checkInDate: '2024-02-30', checkOutDate: '2024-03-03' }],
    ['an instant for a date', { checkInDate: '2024-02-01T00:00:00Z' }],
    ['an epoch', { checkInDate: 1706745600 }],
    ['the end of time', { checkOutDate: '9999-12-31' }],
    ['a negative amount', { totalAmount: -1 }],
    ['minus zero as text', { totalAmount: '-0' }],
    ['an amount in scientific notation', { totalAmount: '1e3' }],
    ['a hexadecimal amount', { totalAmount: '0x10' }],
    ['an amount as array', { totalAmount: [1000] }],
    ['an operator for an amount', { totalAmount: { $gt: 0 } }],
    ['a true amount', { totalAmount: true }],
    ['no amount', { totalAmount: null }],
    ['an amount beyond what can be counted', { totalAmount: '90071992547409.92' }],
    ['a lower-case currency', { currency: 'aed' }],
    ['a long currency', { currency: 'AED ' }],
    ['half a guest', { guestCount: 1.5 }],
    ['no guest', { guestCount: 0 }],
    ['25 o’clock', { plannedArrival: '25:00' }],
    ['a status', { status: 'CONFIRMED' }],
    ['long notes', { notes: 'x'.repeat(2_001) }],
  ])('N6, N12: of a reservation are refused: %s', async (_name, wrong) => {
    const before = await countRows(http.db);
    const answer = await http.call('POST', `${API}/reservations`, { body: { ...stay, ...wrong } });
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect(at(answer.body, 'details', 'issues', 0, 'path')).toEqual(expect.any(String));
    expect(await countRows(http.db)).toEqual(before);
  });

  it('of money are exact to the decimals of the currency', async () => {
    const create = (totalAmount: unknown, currency: string) =>
      http.call('POST', `${API}/reservations`, { body: { ...stay, totalAmount, currency } });
    for (const [amount, currency] of [
      [10.005, 'AED'],
      ['10.5', 'JPY'],
      [0.0001, 'KWD'],
      ['0.001', 'AED'],
    ] as const) {
      const answer = await create(amount, currency);
      expect([answer.status, answer.body.code], `${amount} ${currency}`).toEqual([422, 'AMOUNT_PRECISION']);
    }
    for (const [amount, currency, shown] of [
      [4.35, 'AED', 4.35],
      ['0.29', 'AED', 0.29],
      [10.005, 'KWD', 10.005],
      ['1000.00', 'AED', 1000],
      [0, 'AED', 0],
    ] as const) {
      const answer = await create(amount, currency);
      expect([answer.status, at(answer.body, 'data', 'totalAmount')], `${amount} ${currency}`).toEqual([201, shown]);
    }
  });

  it.each<[string, string, object, string]>([
    ['a property', 'reservations', { ...stay, propertyId: 'nowhere' }, 'propertyId'],
    ['a guest', 'reservations', { ...stay, guestId: 'nobody' }, 'guestId'],
    ['a referring agent', 'reservations', { ...stay, referringAgentId: 'nobody' }, 'referringAgentId'],
    ['an agent by role', 'reservations', { ...stay, referringAgentId: 'cleaner-1' }, 'referringAgentId'],
    ['an owner', 'properties', { name: 'x', ownerId: 'nobody' }, 'ownerId'],
  ])('that refer to %s must find it', async (_name, path, body, field) => {
    const answer = await http.call('POST', `${API}/${path}`, { body });
    expect([answer.status, answer.body.code]).toEqual([422, 'REFERENCE_NOT_FOUND']);
    expect(at(answer.body, 'details', 'field')).toBe(field);
  });

  it.each<[string, object]>([
    ['guests', { name: 'A\r\nBcc: evil@example.com', email }],
    ['guests', { name: 'A\u2028B', email }],
    ['guests', { name: 'A\n folded', email }],
    ['owners', { name: 'A\rBcc: evil@example.com', email }],
    ['staff', { name: 'A\u0085B', email, role: 'AGENT' }],
    ['properties', { name: 'A\r\nBcc: evil@example.com', ownerId: 'owner-1' }],
    ['owners', { name: 'A', email: 'a@x\nb@y' }],
    ['owners', { name: 'A', email: 'A <a@x.io>' }],
    ['staff', { name: 'A', email: 'a@x.io;b@y.io', role: 'AGENT' }],
    ['staff', { name: 'A', email: 'a b@x.io', role: 'AGENT' }],
    ['guests', { name: '   ', email }],
    ['guests', { name: 'x'.repeat(201), email }],
    ['guests', { name: 'A', email: 'a@x.io,b@y.io' }],
    ['guests', { name: 'A', email: 'a@x.io\nBcc:b@y.io' }],
    ['guests', { name: 'A', email: `${'a'.repeat(300)}@x.io` }],
    ['guests', { name: 'A', email, timeZone: 'Mars/Base' }],
    ['guests', { name: 'A', email, timeZone: '+04:00' }],
    ['guests', { name: 'A', email, timeZone: 'IST' }],
    ['properties', { name: 'A', ownerId: 'owner-1', timeZone: 'IST' }],
    ['staff', { name: 'A', email, role: 'AGENT', shifts: [{ weekday: 1, from: '09:00', to: '10:00', zone: 'IST' }] }],
    ['guests', { name: 'A', email, phone: '0701234567' }],
    ['guests', { name: 'A', email, locale: 'not a locale' }],
    ['guests', { name: 'A', email, phone: 'call me' }],
    ['staff', { name: 'A', email, role: 'ADMIN' }],
    ['staff', { name: 'A', email, role: 'AGENT', homeLocation: { lat: 91, lng: 0 } }],
    ['staff', { name: 'A', email, role: 'AGENT', shifts: [{ weekday: 0, from: '09:00', to: '10:00' }] }],
    ['staff', { name: 'A', email, role: 'AGENT', shifts: [{ weekday: 1, from: '10:00', to: '09:00' }] }],
    ['properties', { name: 'A', ownerId: 'owner-1', checkInTime: '3pm' }],
    ['properties', { name: 'A', ownerId: 'owner-1', cleaningMinutes: 0 }],
    ['tasks', { type: 'CLEANING', title: 'A', propertyId: 'property-1', scheduledDate: '2024-02-01T09:00:00Z' }],
    ['tasks', { type: 'INSPECTION', title: 'A', propertyId: 'property-1', scheduledDate: '2024-02-01T09:00:00' }],
    ['tasks', { type: 'INSPECTION', title: 'A', propertyId: 'property-1', scheduledDate: '2024-02-30T09:00:00Z' }],
  ])('N12, X1, X2: of %s are refused: %j', async (path, body) => {
    const answer = await http.call('POST', `${API}/${path}`, { body });
    expect([answer.status, answer.body.code]).toEqual([422, 'VALIDATION_FAILED']);
  });

  it('N7: hold hostile text as text', async () => {
    for (const text of [
      "'; DROP TABLE saga;--",
      "' OR '1'='1",
      '$1',
      "<img src=x onerror='x'>",
      '{ownerEmail}',
      '<%= 1 %>',
      '__proto__',
    ]) {
      const made = await http.call('POST', `${API}/guests`, { body: { name: text, email } });
      expect(at(made.body, 'data', 'name')).toBe(text);
    }
  });

  it('are checked in time that grows with their length, not faster', async () => {
    const started = performance.now();
    for (const evil of [
      `${'a'.repeat(60_000)}!`,
      '@'.repeat(60_000),
      `${'a.'.repeat(30_000)}@`,
      `${'+'.repeat(60_000)}`,
    ]) {
      await http.call('POST', `${API}/guests`, { body: { name: evil, email: evil } });
      await http.call('POST', `${API}/guests`, { body: { id: evil, phone: evil, locale: evil, timeZone: evil } });
      await http.call('POST', `${API}/reservations`, {
        body: { totalAmount: evil, checkInDate: evil, plannedArrival: evil },
      });
    }
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('a reservation', () => {
  it('shows what may be done with it, what is paid, and the saga at work', async () => {
    const id = await addReservation(http.db);
    const read = await http.call('GET', `${API}/reservations/${id}`);
    expect(at(read.body, 'data')).toMatchObject({
      status: 'PENDING',
      paymentStatus: 'UNPAID',
      activeSagaId: null,
      allowedActions: ['confirm', 'cancel', 'payment'],
      totalAmount: 1000,
    });
  });

  it('brings what belongs to it when asked', async () => {
    const id = await addReservation(http.db);
    await http.db
      .insertInto('transaction')
      .values({
        id: `due-${id}`,
        type: 'GUEST_PAYMENT',
        status: 'PENDING',
        reservation_id: id,
        amount_minor: 100_000,
        outstanding_minor: 40_000,
        currency: 'AED',
      })
      .execute();
    const all = await http.call('GET', `${API}/reservations/${id}?include=tasks,transactions,notifications,sagas`);
    expect(at(all.body, 'data', 'transactions', 0)).toMatchObject({ amount: 1000, amountOutstanding: 400 });
    expect(at(all.body, 'data')).toMatchObject({
      tasks: [],
      notifications: [],
      sagas: [],
      paymentStatus: 'UNPAID',
    });
    expect(at((await http.call('GET', `${API}/reservations/${id}`)).body, 'data', 'tasks')).toBeUndefined();
    expect((await http.call('GET', `${API}/reservations/${id}?include=guest`)).status).toBe(422);
  });

  it('keeps its dates, price and parties once it is confirmed', async () => {
    const id = await addReservation(http.db);
    await http.db.updateTable('reservation').set({ status: 'CONFIRMED' }).where('id', '=', id).execute();
    for (const body of [
      { checkOutDate: '2024-02-09' },
      { totalAmount: 1 },
      { propertyId: 'property-1' },
      { guestId: 'guest-1' },
    ]) {
      const answer = await http.call('PATCH', `${API}/reservations/${id}`, { body });
      expect([answer.status, answer.body.code]).toEqual([409, 'INVALID_STATE_TRANSITION']);
      expect(at(answer.body, 'details')).toMatchObject({ currentStatus: 'CONFIRMED', fields: Object.keys(body) });
    }
    const notes = await http.call('PATCH', `${API}/reservations/${id}`, { body: { notes: 'late' } });
    expect(notes.status).toBe(200);
    await http.db.updateTable('reservation').set({ status: 'CANCELLED' }).where('id', '=', id).execute();
  });

  it('keeps its nights in order when one date is changed alone', async () => {
    const id = await addReservation(http.db);
    const answer = await http.call('PATCH', `${API}/reservations/${id}`, { body: { checkInDate: '2024-02-05' } });
    expect([answer.status, at(answer.body, 'details', 'issues', 0, 'path')]).toEqual([422, 'checkOutDate']);
    const currency = await http.call('PATCH', `${API}/reservations/${id}`, { body: { currency: 'KWD' } });
    expect(currency.status).toBe(422);
  });
});

describe('a task', () => {
  const task = { type: 'INSPECTION', title: 'Look', propertyId: 'property-1', scheduledDate: '2024-03-01T09:00:00Z' };
  const make = async (): Promise<string> =>
    String(at((await http.call('POST', `${API}/tasks`, { body: task })).body, 'data', 'id'));

  it('is given to a person, and taken back', async () => {
    const id = await make();
    const give = { body: { assigneeId: 'inspector-1' } };
    const inspector = { id: 'inspector-1', name: 'Ines', email: 'ines@example.com', role: 'MAINTENANCE_STAFF' };
    expect((await http.call('POST', `${API}/staff`, { body: inspector })).status).toBe(201);
    const given = await http.call('PATCH', `${API}/tasks/${id}`, give);
    expect(at(given.body, 'data')).toMatchObject({
      status: 'ASSIGNED',
      assigneeId: 'inspector-1',
      manualFields: ['assigneeId'],
    });
    const busy = await http.call('PATCH', `${API}/tasks/${await make()}`, give);
    expect([busy.status, busy.body.code]).toEqual([409, 'ASSIGNEE_BUSY']);
    const back = await http.call('PATCH', `${API}/tasks/${id}`, { body: { assigneeId: null } });
    expect(at(back.body, 'data')).toMatchObject({ status: 'UNASSIGNED', assigneeId: null });
    const absent = await http.call('GET', `${API}/tasks/absent`);
    expect([absent.status, absent.body.code]).toEqual([404, 'TASK_NOT_FOUND']);
    const nobody = await http.call('PATCH', `${API}/tasks/${id}`, { body: { assigneeId: 'nobody' } });
    expect([nobody.status, at(nobody.body, 'details', 'field')]).toEqual([422, 'assigneeId']);
  });

  it('keeps its length when it is moved', async () => {
    const id = await make();
    const moved = await http.call('PATCH', `${API}/tasks/${id}`, {
      body: { scheduledDate: '2024-03-02T10:00:00+04:00' },
    });
    expect(at(moved.body, 'data')).toMatchObject({
      scheduledDate: '2024-03-02T06:00:00.000Z',
      endsAt: '2024-03-02T07:00:00.000Z',
    });
  });

  it('that is over stays as it was', async () => {
    const id = await make();
    await http.db
      .updateTable('task')
      .set({ status: 'COMPLETED', completed_at: new Date() })
      .where('id', '=', id)
      .execute();
    const answer = await http.call('PATCH', `${API}/tasks/${id}`, { body: { title: 'x' } });
    expect([answer.status, answer.body.code]).toEqual([409, 'INVALID_STATE_TRANSITION']);
  });

  it('that was withdrawn is out of lists, unless asked for', async () => {
    const id = await make();
    await http.db
      .updateTable('task')
      .set({ status: 'CANCELLED', deleted_at: new Date() })
      .where('id', '=', id)
      .execute();
    const usual = await http.call('GET', `${API}/tasks?limit=100`);
    expect(usual.text).not.toContain(id);
    const all = await http.call('GET', `${API}/tasks?limit=100&includeDeleted=true`);
    expect(all.text).toContain(id);
    expect((await http.call('GET', `${API}/tasks/${id}`)).status).toBe(200);
  });
});
