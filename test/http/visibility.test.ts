import { glob, readFile } from 'node:fs/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EVENT_CATALOGUE } from '../../src/domain/events/catalogue.ts';
import type { Role } from '../../src/http/auth.ts';
import { isCode } from '../../src/http/codes.ts';
import { addSaga, payStay, seedMoneyStay } from '../setup/ledger.ts';
import { API, at, type Call, countRows, type Http, startHttp } from './harness.ts';

/** What each role is shown of a stay, its money and its people: its own, and of that no more than it is for. */

let http: Http;
let sagaId: string;
const SECRETS = {
  name: 'Johanna Secret',
  email: 'johanna@secret.example',
  phone: '+971501112233',
  note: 'Door left open',
};

beforeAll(async () => {
  http = await startHttp();
  const { db } = http;
  const { name, email, phone } = SECRETS;
  await db.insertInto('guest').values({ id: 'guest-1', name, email, phone }).execute();
  await db
    .insertInto('owner')
    .values([
      { id: 'owner-1', name: 'Layla', email: 'layla@example.com', payout_account: 'acct-1' },
      { id: 'owner-2', name: 'Omar', email: 'omar@example.com' },
    ])
    .execute();
  await seedMoneyStay(db, { id: 'stay-1', propertyId: 'property-1' });
  await seedMoneyStay(db, { id: 'stay-2', propertyId: 'property-2', ownerId: 'owner-2' });
  await db
    .updateTable('property')
    .set({ agent_ids: ['agent-1'], address: 'Marina Walk 7' })
    .execute();
  await db.updateTable('reservation').set({ notes: SECRETS.note }).where('id', '=', 'stay-1').execute();
  await payStay(db, { stay: { id: 'stay-1' }, amountMinor: 60_000, reference: 'ref-1' });
  const task = (id: string, property_id: string, type: 'CHECK_IN' | 'MAINTENANCE', title: string) => ({
    id,
    type,
    occurrence: id,
    title,
    description: type === 'CHECK_IN' ? `Ask for ${SECRETS.name}` : 'Drips',
    property_id,
    status: 'UNASSIGNED' as const,
    ...(type === 'MAINTENANCE' && { approval: 'PENDING' as const }),
    scheduled_at: '2031-01-01T09:00:00Z',
    ends_at: '2031-01-01T10:00:00Z',
  });
  await db
    .insertInto('task')
    .values([
      task('meeting-1', 'property-1', 'CHECK_IN', `Check-in for ${SECRETS.name}`),
      task('repair-1', 'property-1', 'MAINTENANCE', 'New boiler'),
      task('repair-2', 'property-2', 'MAINTENANCE', 'New roof'),
    ])
    .execute();
  sagaId = await addSaga(db, {
    subjectId: 'stay-1',
    requestedBy: 'service:desk',
    status: 'parked',
    errorCode: 'STEP_FAILED',
  });
  await sql`UPDATE saga SET notes = ${SECRETS.note}, error_detail = '{"details":{"amountMinor":987654,"code":"CARD_DECLINED"}}' WHERE id = ${sagaId}`.execute(
    db,
  );
  await sql`INSERT INTO saga_step (saga_id, step_no, direction, name, kind, class, status, max_attempts, finished_at, done_at_version, result)
    VALUES (${sagaId}, 1, 'F', 'validatePayment', 'LOCAL', 'READ', 'done', 3, now(), 1,
      ${JSON.stringify({ amountMinor: 987_654, guestName: SECRETS.name, paymentId: 'payment-7', amount: '9876.54' })}::jsonb)`.execute(
    db,
  );
}, 60_000);
afterAll(() => http?.stop());

/** Every text of the sources that may be the name of an event of the trail; more than there are. */
async function auditEvents(): Promise<readonly string[]> {
  const names = new Set<string>();
  for await (const file of glob('src/{domain,engine,http,ops,sagas}/**/*.ts')) {
    for (const [, name = ''] of (await readFile(file, 'utf8')).matchAll(/'([A-Z]+(?:_[A-Z]+)+)'/g)) names.add(name);
  }
  return [...names].filter((name) => name.length <= 64).toSorted();
}

const get = (path: string, as: Call['as'], sub: string) =>
  http.call('GET', `${API}/${path}`, { ...(as === undefined ? {} : { as }), sub });
const idsIn = (body: unknown): readonly unknown[] => {
  const data = at(body, 'data');
  return Array.isArray(data) ? data.map((one) => at(one, 'id')).toSorted() : [];
};

describe('Z2: an owner', () => {
  const own = (path: string) => get(path, 'OWNER', 'owner-1');

  it('sees own properties, stays and work, and nobody else’s', async () => {
    expect(idsIn((await own('properties')).body)).toEqual(['property-1']);
    expect(idsIn((await own('reservations')).body)).toEqual(['stay-1']);
    expect(idsIn((await own('tasks')).body)).toEqual(['meeting-1', 'repair-1']);
    for (const path of ['properties/property-2', 'reservations/stay-2', 'tasks/repair-2', 'owners/owner-2']) {
      expect((await own(path)).status, path).toBe(404);
    }
  });

  it('finds what waits for an answer', async () => {
    expect(idsIn((await own('tasks?approval=PENDING')).body)).toEqual(['repair-1']);
  });

  it('reads nothing of a guest, wherever it looks', async () => {
    const paths = [
      'reservations',
      'reservations/stay-1',
      'reservations/stay-1?include=tasks',
      'tasks',
      'tasks/meeting-1',
    ];
    const timelines = ['reservations/stay-1/timeline', 'properties/property-1/timeline'];
    for (const path of [...paths, ...timelines, 'properties', 'properties/property-1', 'owners/owner-1/statement']) {
      const answer = await own(path);
      expect(answer.status, `${path} ${answer.text}`).toBe(200);
      for (const secret of [...Object.values(SECRETS), 'guest-1']) expect(answer.text, path).not.toContain(secret);
    }
  });

  it('reads the own record with the account, and may include no transactions, messages and sagas', async () => {
    expect(at((await own('owners/owner-1')).body, 'data', 'payoutAccount')).toBe('acct-1');
    for (const part of ['transactions', 'notifications', 'sagas']) {
      const answer = await own(`reservations/stay-1?include=${part}`);
      expect([answer.status, at(answer.body, 'details', 'field')], part).toEqual([403, 'include']);
    }
  });
});

describe('Z3: a guest', () => {
  const own = (path: string, sub = 'guest-1') => get(path, 'GUEST', sub);
  const grant = (from: string, until: string) =>
    sql`INSERT INTO amenity_grant (reservation_id, property_id, device, activation_key, provider_id, status, access_code, valid_from, valid_until, asked_until)
      VALUES ('stay-1', 'property-1', 'lock', 'key', 'provider-1', 'ACTIVE', '4711', ${from}::timestamptz, ${until}::timestamptz, ${until}::timestamptz)
      ON CONFLICT (reservation_id) DO UPDATE SET valid_from = excluded.valid_from, valid_until = excluded.valid_until`.execute(
      http.db,
    );
  const stands = (status: 'PENDING' | 'CONFIRMED' | 'CHECKED_IN') =>
    http.db.updateTable('reservation').set({ status }).where('id', '=', 'stay-1').execute();
  const read = async () => {
    const { status, body } = await own('me/stays/stay-1');
    expect(status).toBe(200);
    return at(body, 'data');
  };

  it('sees what is paid and due of the own stays alone', async () => {
    expect(idsIn((await own('me/stays')).body)).toEqual(['stay-1', 'stay-2']);
    expect(await read()).toMatchObject({ totalAmount: 1000, paid: 600, currency: 'AED' });
    expect(idsIn((await own('me/stays', 'guest-2')).body)).toEqual([]);
    const [foreign, absent] = [await own('me/stays/stay-1', 'guest-2'), await own('me/stays/stay-9', 'guest-2')];
    expect([foreign.status, foreign.body.code]).toEqual([404, 'RESERVATION_NOT_FOUND']);
    expect(absent.status).toBe(404);
  });

  it('gets the address once it is confirmed, and the code of the door only while it opens', async () => {
    await stands('PENDING');
    await grant('2020-01-01', '2020-01-02');
    expect(await read()).toMatchObject({ property: { address: null }, access: null });
    await stands('CONFIRMED');
    await grant('2020-01-01', '2090-01-02');
    expect(await read()).toMatchObject({ property: { address: 'Marina Walk 7' }, access: null });
    await stands('CHECKED_IN');
    expect(await read()).toMatchObject({ access: { code: '4711' } });
    await grant('2020-01-01', '2020-01-02');
    expect(await read()).toMatchObject({ access: null });
  });

  it('cannot read by other addresses', async () => {
    for (const path of ['reservations', 'reservations/stay-1', 'guests/guest-1', 'tasks', 'properties/property-1']) {
      expect((await own(path)).status, path).toBe(403);
    }
  });
});

describe('Z4: how a task came to its assignee', () => {
  it('is shown to an agent with the people and tasks of the portfolio alone', async () => {
    const { db } = http;
    await db
      .updateTable('property')
      .set({ agent_ids: ['agent-2'] })
      .where('id', '=', 'property-2')
      .execute();
    const person = (id: string, place: string) => ({
      id,
      name: id,
      email: 'x@example.com',
      role: 'MAINTENANCE_STAFF' as const,
      property_ids: [place],
    });
    await db
      .insertInto('staff')
      .values([person('near', 'property-1'), person('far', 'property-2')])
      .execute();
    const row = (id: string) => [id, 1, 1, 1, 1, 1, null, 0, 0];
    const explanation = {
      at: '2031-01-01T08:00:00.000Z',
      startsAt: '2031-01-01T09:00:00.000Z',
      weights: [25, 25, 25, 25],
      chosen: null,
      candidates: [row('near'), row('far')],
      excluded: { BUSY: ['near', 'far'], PLACE: ['far'] },
    };
    await db
      .updateTable('task')
      .set({ assignment_explanation: JSON.stringify(explanation), displaced_by: 'repair-2' })
      .where('id', '=', 'repair-1')
      .execute();
    await sql`UPDATE task SET displaced_by = 'repair-1' WHERE id IN ('repair-2', 'meeting-1')`.execute(db);
    const refused = { task_id: 'repair-1', reason: 'DECLINED' } as const;
    await db
      .insertInto('task_refusal')
      .values([
        { ...refused, staff_id: 'near' },
        { ...refused, staff_id: 'far' },
      ])
      .execute();
    const read = async (as: Role, sub: string) => (await get('tasks/repair-1/assignment', as, sub)).body.data;
    const all = JSON.stringify(await read('ADMIN', 'admin-1'));
    for (const id of ['near', 'far', 'repair-2', 'meeting-1']) expect(all).toContain(`"${id}"`);
    const seen = await read('AGENT', 'agent-1');
    for (const id of ['far', 'repair-2']) expect(JSON.stringify(seen)).not.toContain(`"${id}"`);
    expect(seen).toMatchObject({
      explanation: {
        candidates: [{ staffId: 'near' }],
        excluded: [
          { reason: 'PLACE', count: 1, staffIds: [] },
          { reason: 'BUSY', count: 2, staffIds: ['near'] },
        ],
      },
      refusals: [{ staffId: 'near' }],
      displacedTaskIds: ['meeting-1'],
      displacedByTaskId: null,
    });
  });
});

describe('Z4: a service that reads tasks', () => {
  it('reads names of guests with guests:read, and amounts with finance:read', async () => {
    await http.db
      .updateTable('task')
      .set({
        estimate_minor: 98_700,
        estimate_currency: 'AED',
        completion: JSON.stringify({ cost: { amountMinor: 98_700, currency: 'AED' } }),
      })
      .where('id', '=', 'repair-1')
      .execute();
    const paths = ['tasks', 'tasks/meeting-1', 'tasks/repair-1', 'reservations/stay-1?include=tasks'];
    for (const path of paths) {
      for (const more of ['', ' guests:read', ' finance:read']) {
        const { status, text } = await get(path, { scope: `tasks:read reservations:read${more}` }, 'desk');
        expect(status, text).toBe(200);
        const [names, amounts] = [text.includes(SECRETS.name), /987(?:00)?\b/.test(text)];
        const isAbout = {
          meeting: !path.includes('repair') && !path.includes('include'),
          repair: /tasks$|repair/.test(path),
        };
        expect([path, more, names]).toEqual([path, more, isAbout.meeting && more === ' guests:read']);
        expect([path, more, amounts]).toEqual([
          path,
          more,
          isAbout.repair && !path.includes('include') && more === ' finance:read',
        ]);
      }
    }
  });

  it('reads neither in the answer to a change', async () => {
    const as = { scope: 'tasks:read tasks:write' };
    const changed = await http.call('PATCH', `${API}/tasks/meeting-1`, { as, sub: 'desk', body: { priority: 'HIGH' } });
    expect([changed.status, changed.text.includes(SECRETS.name)], changed.text).toEqual([200, false]);
  });
});

describe('O10: who runs the system', () => {
  const hidden = [SECRETS.name, SECRETS.email, SECRETS.phone, SECRETS.note, '987654', '9876.54', '60000'];
  const pages = () => [
    'events?limit=1000',
    'sagas',
    `sagas/executions/${sagaId}`,
    'sagas/processPayment/status',
    'audit',
    'notifications',
    'reservations/stay-1/timeline?limit=100',
    'day?date=2024-02-01',
  ];

  it('sees neither a name nor an amount on any address that it may read', async () => {
    for (const path of pages()) {
      const answer = await get(path, 'OPS', 'ops-1');
      expect(answer.status, path).toBe(200);
      for (const secret of hidden) expect(answer.text, path).not.toContain(secret);
      expect(answer.text, path).not.toMatch(/"\w*(?:[aA]mount|outstanding|Minor)\w*":\d/);
    }
  });

  it('reads no word of a person in the details of any event, with spaces or without', async () => {
    const events = await auditEvents();
    const words = ['mask.guest@secret.example', 'Maskguest', 'Mask guest'];
    const fields = ['reason', 'notes', 'reference', 'comment', 'title', 'text', 'method', 'name', 'anything'];
    const details = Object.fromEntries(fields.map((field) => [field, words]));
    const rows = events.map((event) => ({
      stream_id: `walk:${event}`,
      event,
      ends: false,
      actor: 'admin-1',
      saga_id: null,
      reservation_id: null,
      request_id: 'walk',
      body: JSON.stringify({
        userId: 'admin-1',
        outcome: 'success',
        details: { id: event, deep: [details], ...details },
      }),
    }));
    await http.db.insertInto('audit_log').values(rows).execute();
    const shown: string[] = [];
    for (const event of events) {
      const { body, text } = await get(`audit?event=${event}`, 'OPS', 'ops-1');
      expect(at(body, 'data', 0, 'details', 'id'), event).toBe(event);
      for (const field of fields) {
        const open = JSON.stringify(at(body, 'data', 0, 'details', field)) !== '[null,null,null]';
        if (open) shown.push(`${event} ${field}`);
      }
      expect(text, event).not.toContain('secret.example');
      expect(text, event).not.toContain('Mask guest');
    }
    // In these a code of ours stands there.
    expect(shown).toEqual([
      'ACCESS_DENIED method',
      'AUTHENTICATION_FAILED reason',
      'AUTHENTICATION_FAILED method',
      'OPS_CALL method',
      'PASSKEY_REFUSED reason',
      'RATE_LIMITED method',
      'SIGNED_IN method',
    ]);
    expect(events.length).toBeGreaterThan(80);
  });

  it('reads the codes of every event of the feed', async () => {
    for (const { resource, example } of EVENT_CATALOGUE) {
      for (const [field, value] of Object.entries(example.data.data)) {
        if (typeof value === 'string')
          expect([field, value, isCode(value, field, resource)]).toEqual([field, value, true]);
      }
    }
  });

  it('sees what a process stands at: codes, ids and steps', async () => {
    const { body } = await get(`sagas/executions/${sagaId}`, 'OPS', 'ops-1');
    expect(at(body, 'data')).toMatchObject({
      status: 'parked',
      subjectId: 'stay-1',
      notes: null,
      error: { code: 'STEP_FAILED' },
    });
    expect(at(body, 'data', 'steps', 0)).toMatchObject({
      name: 'validatePayment',
      status: 'done',
      output: { amountMinor: null, guestName: null, paymentId: 'payment-7', amount: null },
    });
  });

  it('reads no message, and no door code', async () => {
    for (const path of ['notifications/x/content', 'guests', 'reservations', 'transactions', 'tasks', 'properties']) {
      expect((await get(path, 'OPS', 'ops-1')).status, path).toBe(403);
    }
  });

  it('sees amounts in events and sagas as a service only with the scope of money', async () => {
    const service = (scope: string) => ({ scope });
    const paths = [
      ['events?limit=1000', 'events:read'],
      [`sagas/executions/${sagaId}`, 'sagas:read'],
    ] as const;
    for (const [path, scope] of paths) {
      const without = await get(path, service(scope), 'desk');
      expect(without.status, without.text).toBe(200);
      expect(without.text, path).not.toMatch(/"amountMinor":\d/);
      expect((await get(path, service(`${scope} finance:read`), 'desk')).text, path).toMatch(/"amountMinor":\d/);
    }
  });

  it('is shown with a stay what it may list: a service’s scope is not the money’s', async () => {
    const include = (part: string, scope: string) => get(`reservations/stay-1?include=${part}`, { scope }, 'desk');
    expect((await include('transactions', 'reservations:read')).status).toBe(403);
    expect((await include('transactions', 'reservations:read finance:read')).status).toBe(200);
    expect((await include('tasks', 'reservations:read')).status).toBe(403);
    expect((await include('notifications', 'reservations:read finance:read')).status).toBe(403);
  });
});

describe('Z7: the stay that is in the way', () => {
  const conflict = {
    success: false,
    error: 'Property is not available for the selected dates',
    code: 'RESERVATION_CONFLICT',
    requestId: null,
    details: {
      conflictingReservation: 'stay-8',
      conflict: { id: 'stay-8', checkInDate: '2024-01-01', checkOutDate: '2024-01-02' },
      checkInDate: '2024-01-01',
      nearestAvailable: [{ checkInDate: '2024-01-05', checkOutDate: '2024-01-06' }],
    },
  };
  const confirm = (call: Call) => http.call('POST', `${API}/reservations/stay-1/confirm`, call);

  it.each([
    ['ADMIN', true],
    ['AGENT', true],
    ['service', false],
  ] as const)('is named to %s: %s', async (who, isNamed) => {
    http.orchestrator.end = { status: 409, body: Buffer.from(JSON.stringify(conflict)) };
    const call: Call =
      who === 'service'
        ? { as: { scope: 'reservations:confirm' }, sub: 'desk' }
        : { as: who satisfies Role, sub: who === 'AGENT' ? 'agent-1' : 'admin-1' };
    const answer = await confirm(call);
    expect([answer.status, answer.body.code]).toEqual([409, 'RESERVATION_CONFLICT']);
    expect(answer.text.includes('stay-8')).toBe(isNamed);
    expect(at(answer.body, 'details', 'nearestAvailable')).toHaveLength(1);
  });
});

describe('what is not the caller’s', () => {
  const refused = async (method: string, path: string, call: Call) => {
    const { status, body } = await http.call(method, `${API}/${path}`, call);
    return [status, body.code];
  };
  const stranger: Call = { as: 'AGENT', sub: 'agent-2' };

  it('Z3: is not cancelled by another guest', async () => {
    http.orchestrator.reset();
    const guest: Call = { as: 'GUEST', sub: 'guest-2', body: {} };
    expect(await refused('POST', 'reservations/stay-1/cancel', guest)).toEqual([404, 'RESERVATION_NOT_FOUND']);
    expect(http.orchestrator.accepts).toEqual([]);
  });

  it('Z4: is not confirmed by the agent of another portfolio', async () => {
    const call: Call = { ...stranger, body: {} };
    expect(await refused('POST', 'reservations/stay-1/confirm', call)).toEqual([404, 'RESERVATION_NOT_FOUND']);
    expect(http.orchestrator.accepts).toEqual([]);
  });

  it('Z6: is not the newest saga of a name to an agent who sees none of that name', async () => {
    await addSaga(http.db, { name: 'confirmReservation', subjectId: 'stay-1', requestedBy: 'agent-1' });
    for (const name of ['confirmReservation', 'processPayment']) {
      expect(await refused('GET', `sagas/${name}/status`, stranger), name).toEqual([404, 'SAGA_NOT_FOUND']);
      expect((await get(`sagas/${name}/status`, 'AGENT', 'agent-1')).status, name).toBe(200);
    }
    // As a name of which there is none at all.
    expect(await refused('GET', 'sagas/cancelReservation/status', stranger)).toEqual([404, 'SAGA_NOT_FOUND']);
  });

  it('Z8: is not changed by fields that are not the caller’s to say', async () => {
    const rows = () => http.db.selectFrom('reservation').selectAll().orderBy('id').execute();
    const before = await rows();
    const counts = await countRows(http.db);
    const forged = { status: 'CONFIRMED', totalAmount: 1, ownerId: 'x' };
    for (const [method, path] of [
      ['POST', 'reservations/stay-1/confirm'],
      ['POST', 'reservations/stay-1/check-in'],
      ['POST', 'reservations/stay-1/cancel'],
      ['PATCH', 'reservations/stay-1'],
    ] as const) {
      for (const as of ['AGENT', 'ADMIN'] as const) {
        const sub = as === 'AGENT' ? 'agent-1' : 'admin-1';
        expect(await refused(method, path, { as, sub, body: forged }), path).toEqual([422, 'VALIDATION_FAILED']);
      }
    }
    expect(http.orchestrator.accepts).toEqual([]);
    expect([await rows(), await countRows(http.db)]).toEqual([before, counts]);
  });

  it('Z13: is refused as soon as what does not exist', async () => {
    const took: Record<string, number[]> = { 'stay-1': [], 'stay-nowhere': [] };
    for (let n = 0; n < 500; n += 1) {
      for (const [id, times] of Object.entries(took)) {
        const start = performance.now();
        await http.call('GET', `${API}/reservations/${id}`, stranger);
        times.push(performance.now() - start);
      }
    }
    const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length / 2] ?? 0;
    const [foreign = 0, absent = 0] = Object.values(took).map(median);
    expect(Math.abs(foreign - absent)).toBeLessThan(5);
  }, 60_000);
});

describe('Z9: a forged actor', () => {
  it('is a note, and gives no right', async () => {
    http.orchestrator.reset();
    const call: Call = { as: 'AGENT', sub: 'agent-7', body: { confirmedBy: 'admin-1' } };
    expect((await http.call('POST', `${API}/reservations/stay-1/confirm`, call)).status).toBe(404);
    expect(http.orchestrator.accepts).toEqual([]);
  });
});
