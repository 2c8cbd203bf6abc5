import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { addSaga, payStay, seedMoneyStay } from '../setup/ledger.ts';
import { type Answer, API, at, type Call, declaredRoutes, type Http, recordKeeper, startHttp } from './harness.ts';

/** One rule for the ends of a period, in every list and report that has them: an instant is an instant, a date a whole local day. */

let http: Http;
beforeAll(async () => {
  http = await startHttp({ ports: recordKeeper([]) });
  const email = 'someone@example.com';
  await http.db.insertInto('owner').values({ id: 'owner-1', name: 'Layla', email }).execute();
  await http.db.insertInto('guest').values({ id: 'guest-1', name: 'John', email }).execute();
  await http.db.insertInto('staff').values({ id: 'worker', name: 'Clara', email, role: 'CLEANER' }).execute();
  await http.db
    .insertInto('webhook_endpoint')
    .values({ id: 'hook', url: 'https://example.com/', secret: 'whsec_test', next_seq: 1, created_by: 'test' })
    .execute();
  for (const day of DAYS) await prepare(day);
}, 120_000);
afterAll(() => http?.stop());

interface Day {
  readonly zone: string;
  readonly date: string;
  readonly start: string;
  readonly end: string;
}
/** Midnight in Dubai, and the days of 23 and of 25 hours in Paris. */
const DAYS: readonly Day[] = [
  { zone: 'Asia/Dubai', date: '2024-02-01', start: '2024-01-31T20:00:00.000Z', end: '2024-02-01T20:00:00.000Z' },
  { zone: 'Europe/Paris', date: '2024-03-31', start: '2024-03-30T23:00:00.000Z', end: '2024-03-31T22:00:00.000Z' },
  { zone: 'Europe/Paris', date: '2024-10-27', start: '2024-10-26T22:00:00.000Z', end: '2024-10-27T23:00:00.000Z' },
];
const earlier = (instant: string): string => new Date(Date.parse(instant) - 1).toISOString();
/** The last moment before the day, its first, its last, and the first after it. */
const momentsOf = ({ start, end }: Day): readonly string[] => [earlier(start), start, earlier(end), end];
const placeOf = ({ date }: Day, n: number): string => `${date}-${n}`;
const propertyOf = ({ date }: Day): string => `property-of-${date}`;
const ownerOf = ({ date }: Day): string => `owner-of-${date}`;

/** Something of everything at each of the four moments. */
async function prepare(day: Day): Promise<void> {
  const { db } = http;
  const propertyId = propertyOf(day);
  for (const [n, moment] of momentsOf(day).entries()) {
    const id = placeOf(day, n);
    const stay = { id: `stay-${id}`, propertyId, ownerId: ownerOf(day), totalMinor: 10_000 * 2 ** n };
    await seedMoneyStay(db, stay);
    await prepareReported(id, day.zone, moment);
    await db
      .insertInto('staff')
      .values({ id: `staff-${id}`, name: id, email: 'x@example.com', role: 'CLEANER' })
      .execute();
    const task = { type: 'INSPECTION', title: 'x', property_id: propertyId, status: 'ASSIGNED' } as const;
    const ends_at = new Date(Date.parse(moment) + 1);
    await db
      .insertInto('task')
      .values([
        {
          ...task,
          id: `planned-${id}`,
          occurrence: 'MANUAL',
          assignee_id: 'worker',
          scheduled_at: moment,
          ends_at,
          must_finish_by: '2030-01-01T00:00:00Z',
        },
        {
          ...task,
          id: `due-${id}`,
          occurrence: 'MANUAL',
          assignee_id: `staff-${id}`,
          scheduled_at: '2030-01-01T00:00:00Z',
          ends_at: '2030-01-01T00:00:00.001Z',
          must_finish_by: moment,
        },
      ])
      .execute();
    await addSaga(db, { subjectId: stay.id, requestedAt: new Date(moment), requestedBy: id });
    const stuck = { subjectId: `stuck-${id}`, status: 'parked', errorCode: id } as const;
    await addSaga(db, { ...stuck, requestedAt: new Date(moment) });
    await db
      .insertInto('audit_log')
      .values({ stream_id: id, at: new Date(moment), event: 'TESTED', actor: id, body: '{}' })
      .execute();
    await db
      .insertInto('notification')
      .values({
        id: `message-${id}`,
        effect_key: id,
        event: 'TESTED',
        template: 'x',
        channel: 'EMAIL',
        recipient_type: 'GUEST',
        recipient_id: 'guest-1',
        reservation_id: stay.id,
        params: '{}',
        created_at: new Date(moment),
      })
      .execute();
    await db
      .insertInto('sweep_failure')
      .values({ sweep: 'offers', row_id: id, reason: 'x', last_at: new Date(moment), next_try_at: new Date(moment) })
      .execute();
    const { sagaId } = await payStay(db, { stay, at: new Date(moment) });
    await db.transaction().execute(async (tx) => {
      // A booking is never changed; in this test it is made earlier.
      await sql`SET LOCAL session_replication_role = replica`.execute(tx);
      await tx
        .updateTable('ledger_tx')
        .set({ created_at: new Date(moment) })
        .where('saga_id', '=', sagaId)
        .execute();
      await tx
        .updateTable('transaction')
        .set({ created_at: new Date(moment) })
        .where('created_by_saga', '=', sagaId)
        .execute();
      // What triggers keep of it.
      await sql`SELECT ledger_totals_anew()`.execute(tx);
    });
  }
  await db.updateTable('property').set({ time_zone: day.zone }).where('id', '=', propertyId).execute();
}

type Ask = (path: string, call?: Call) => Promise<Answer>;
const get: Ask = (path, call) => http.call('GET', `${API}${path}`, call);
async function ok(answer: Promise<Answer>): Promise<Answer> {
  const answered = await answer;
  expect([200, 201], answered.text).toContain(answered.status);
  return answered;
}
/** What five reports count, at a property of its own for each moment. */
async function prepareReported(id: string, zone: string, moment: string): Promise<void> {
  const { db } = http;
  const propertyId = `reported-${id}`;
  const stay = { id: `reported-stay-${id}`, propertyId, ownerId: 'owner-1', totalMinor: 10_000 };
  await seedMoneyStay(db, stay);
  await db.updateTable('property').set({ time_zone: zone }).where('id', '=', propertyId).execute();
  const at = new Date(moment);
  await db
    .updateTable('reservation')
    .set({ status: 'CHECKED_OUT', created_at: at, actual_check_out_at: at })
    .where('id', '=', stay.id)
    .execute();
  await db
    .insertInto('payment')
    .values({
      id: `reported-payment-${id}`,
      reservation_id: stay.id,
      saga_id: await addSaga(db, { subjectId: stay.id, requestedAt: new Date('2020-01-01T00:00:00Z') }),
      gateway_id: 'sandbox',
      gateway_reference: `reported-${id}`,
      amount_minor: 10_000,
      currency: 'AED',
      status: 'FAILED',
      requested_by: 'test',
      created_at: at,
    })
    .execute();
  await db
    .insertInto('transaction')
    .values({
      id: `reported-payout-${id}`,
      type: 'OWNER_PAYOUT',
      status: 'COMPLETED',
      owner_id: 'owner-1',
      property_id: propertyId,
      amount_minor: 1,
      outstanding_minor: 0,
      settled_minor: 1,
      currency: 'AED',
      completed_at: at,
    })
    .execute();
}
const report = (name: string): Probe => ({
  path: () => `/analytics/${name}?groupBy=property`,
  seen: (answer, day) =>
    numbersIn(
      (at(answer.body, 'data', 'groups') as { key: string }[]).map(({ key }) => key),
      day,
    ),
});
const rowsOf = (answer: Answer): readonly Record<string, unknown>[] => at(answer.body, 'data') as never;
const numbersIn = (texts: readonly unknown[], day: Day): readonly number[] =>
  [0, 1, 2, 3].filter((n) => texts.some((text) => String(text).endsWith(placeOf(day, n))));
const bits = (sum: number): readonly number[] => [0, 1, 2, 3].filter((n) => (Math.round(sum) & (2 ** n)) !== 0);

/** Which of a day's four moments an answer to this query holds; `path` is for the refusals. */
interface Probe {
  readonly path: (day: Day) => string;
  readonly call?: Call;
  readonly seen: (answer: Answer, day: Day) => readonly number[];
}
const byField = (field: string) => (answer: Answer, day: Day) =>
  numbersIn(
    rowsOf(answer).map((row) => row[field]),
    day,
  );
const LISTS: Readonly<Record<string, Probe>> = {
  'GET /tasks': { path: () => '/tasks?limit=100', seen: byField('id') },
  'GET /me/tasks': { path: () => '/me/tasks?limit=100', call: { as: 'CLEANER', sub: 'worker' }, seen: byField('id') },
  'GET /tasks/statistics': {
    path: () => '/tasks/statistics?',
    seen: (answer, day) =>
      numbersIn(
        (at(answer.body, 'data', 'byAssignee') as { assigneeId: string }[]).map((one) => one.assigneeId),
        day,
      ),
  },
  'GET /analytics/conversion': report('conversion'),
  'GET /analytics/payments': report('payments'),
  'GET /analytics/tasks': {
    path: () => '/analytics/tasks?groupBy=assignee',
    seen: (answer, day) =>
      numbersIn(
        (at(answer.body, 'data', 'groups') as { key: string }[]).map(({ key }) => key),
        day,
      ),
  },
  'GET /analytics/satisfaction': report('satisfaction'),
  'GET /analytics/payouts': report('payouts'),
  'GET /sagas': { path: () => '/sagas?limit=100', seen: byField('requestedBy') },
  'GET /sagas/failures': {
    path: () => '/sagas/failures?',
    seen: (answer, day) =>
      numbersIn(
        (at(answer.body, 'data', 'shown') as { code: string }[]).map(({ code }) => code),
        day,
      ),
  },
  'GET /audit': { path: () => '/audit?limit=100', seen: byField('userId') },
  'GET /notifications': { path: () => '/notifications?limit=100', seen: byField('id') },
  'GET /search': {
    path: () => '/search?q=TESTED&perKind=50',
    seen: (answer, day) =>
      numbersIn(
        (at(answer.body, 'data', 'kinds') as { kind: string; hits: { id: string }[] }[]).flatMap(({ kind, hits }) =>
          kind === 'MESSAGE' ? hits.map(({ id }) => id) : [],
        ),
        day,
      ),
  },
  'GET /sweep-failures': { path: () => '/sweep-failures?limit=100', seen: byField('rowId') },
  'GET /transactions': { path: () => '/transactions?limit=100', seen: byField('reservationId') },
  'GET /financial/summary': {
    path: (day) => `/financial/summary?ownerId=${ownerOf(day)}`,
    seen: (answer) => bits(Number(at(answer.body, 'data', 'currencies', 0, 'received') ?? 0) / 100),
  },
  'GET /owners/{id}/statement': {
    path: (day) => `/owners/${ownerOf(day)}/statement?limit=100`,
    seen: byField('reservationId'),
  },
};
const WINDOW = { gatewayId: 'sandbox' };
const csv = (day: Day): string =>
  `type,reference,provider_id,amount,currency,fee,date,settled\ncharge,r-${day.date},c-${day.date},1.00,AED,,${earlier(day.end)},yes\n`;
const windowOf = (answer: Answer) => ({ from: at(answer.body, 'data', 'from'), to: at(answer.body, 'data', 'to') });
interface Made {
  readonly make: (
    day: Day,
    ends: { readonly from: string; readonly to: string; readonly zone?: string },
  ) => Promise<Answer>;
}
/** A record that is made with a period names the instants that it was taken for. */
const MADE: Readonly<Record<string, Made>> = {
  'POST /financial/reconciliations': {
    make: (_day, ends) => http.call('POST', `${API}/financial/reconciliations`, { body: { ...WINDOW, ...ends } }),
  },
  'POST /financial/reconciliations?': {
    make: (day, ends) =>
      http.call('POST', `${API}/financial/reconciliations?${new URLSearchParams({ ...WINDOW, ...ends })}`, {
        raw: csv(day),
        headers: {
          'content-type': 'text/csv',
          'idempotency-key': JSON.stringify([day.date, ends]).replaceAll(' ', ''),
        },
      }),
  },
  'POST /notifications/resend': {
    make: (_day, ends) => http.call('POST', `${API}/notifications/resend`, { body: { ...ends, reason: 'x' } }),
  },
  'POST /staff/{id}/leave': { make: (_day, ends) => http.call('POST', `${API}/staff/worker/leave`, { body: ends }) },
};
/** Not periods of time: nights of the calendar, which end with the morning of `to`, are dates alone (domain.md 3). */
const ENDS = ['from', 'to', 'asOf', 'since'];

const keysOf = (schema: unknown): readonly string[] =>
  typeof schema === 'object' && schema !== null && 'shape' in schema ? Object.keys((schema as z.ZodObject).shape) : [];

describe('every route with a period', () => {
  it('is tried here', () => {
    const found = declaredRoutes(http.app).flatMap(({ route }) => {
      const name = `${route.method.toUpperCase()} ${route.path.replace(API, '')}`;
      const body = route.request?.body?.content as Readonly<Record<string, { schema: unknown }>> | undefined;
      return [
        ...(keysOf(route.request?.query).some((key) => ENDS.includes(key)) ? [body ? `${name}?` : name] : []),
        ...(keysOf(body?.['application/json']?.schema).some((key) => ENDS.includes(key)) ? [name] : []),
      ];
    });
    const tried = [
      ...Object.keys(LISTS),
      ...Object.keys(MADE),
      'GET /reservations',
      'POST /webhook-endpoints/{id}/replay',
    ];
    expect(found.toSorted()).toEqual(tried.toSorted());
  });
});

describe.each(Object.entries(LISTS))('%s', (_name, { path, call = {}, seen }) => {
  const ask = async (day: Day, ends: object) =>
    seen(await ok(get(`${path(day)}&${new URLSearchParams({ ...ends })}`, call)), day);

  it.each(DAYS)('takes a date for the whole day: $date in $zone', async (day) => {
    const { date, zone, start, end } = day;
    expect(await ask(day, { from: date, to: date, zone })).toEqual([1, 2]);
    expect(await ask(day, { from: start, to: end })).toEqual([1, 2]);
    // A date at one end and an instant at the other.
    expect(await ask(day, { from: date, to: earlier(end), zone })).toEqual([1]);
    expect(await ask(day, { from: earlier(end), to: date, zone })).toEqual([2]);
    expect(await ask(day, { from: earlier(start), to: start })).toEqual([0]);
    expect(await ask(day, { from: end, to: end })).toEqual([]);
  });

  it('means the agency’s day when no zone is given', async () => {
    const [dubai] = DAYS;
    if (dubai) expect(await ask(dubai, { from: dubai.date, to: dubai.date })).toEqual([1, 2]);
  });

  it.each([
    { from: '2024-02-02', to: '2024-02-01' },
    { from: '2024-02-01T20:00:00Z', to: '2024-02-01' },
    { from: '2024-02-02', to: '2024-02-01T19:00:00Z' },
    { from: '2024-02-01T10:00:00.001Z', to: '2024-02-01T10:00:00Z' },
    { from: '2024-02-30' },
    { to: 'yesterday' },
    { from: '2024-02-01', zone: 'Dubai' },
    { from: '2024-02-01', zone: '+04:00' },
  ])('N12: refuses %j', async (ends) => {
    const [day] = DAYS;
    if (!day) return;
    const answer = await get(`${path(day)}&${new URLSearchParams(ends)}`, call);
    expect([answer.status, answer.body['code']]).toEqual([422, 'VALIDATION_FAILED']);
  });
});

describe.each(Object.entries(MADE))('%s', (_name, { make }) => {
  it.each(DAYS)('takes dates for whole days: $date in $zone', async (day) => {
    const { date, zone, start, end } = day;
    expect(windowOf(await ok(make(day, { from: date, to: date, zone })))).toEqual({ from: start, to: end });
  });
  it('refuses an end before its beginning', async () => {
    const [day] = DAYS;
    if (!day) return;
    expect((await make(day, { from: '2024-02-02', to: '2024-02-01' })).body['code']).toBe('VALIDATION_FAILED');
  });
});

describe('the zone', () => {
  it.each(['tasks', 'tasks/statistics'])('of the property that is named comes before any other (%s)', async (list) => {
    const [, paris] = DAYS;
    if (!paris) return;
    const query = `propertyId=${propertyOf(paris)}&from=${paris.date}&to=${paris.date}&zone=Asia/Dubai`;
    const probe = LISTS[`GET /${list}`];
    expect(probe?.seen(await ok(get(`/${list}?${query}`)), paris)).toEqual([1, 2]);
  });
  it.each(['notifications', 'transactions', 'sagas', 'audit'])('of a stay is its property’s (%s)', async (list) => {
    const [, paris] = DAYS;
    if (!paris) return;
    const stay = `stay-${placeOf(paris, 2)}`;
    const count = async (zone: string): Promise<number> =>
      rowsOf(await ok(get(`/${list}?reservationId=${stay}&from=${paris.date}&to=${paris.date}&zone=${zone}`))).length;
    expect(await count('Pacific/Auckland')).toBe(await count('Europe/Paris'));
  });
});

describe('a sum as of', () => {
  it.each(DAYS)('$date is of its end in $zone', async (day) => {
    const summary = async (asOf: string, zone: string) => {
      const answer = await ok(get(`/financial/summary?ownerId=${ownerOf(day)}&${new URLSearchParams({ asOf, zone })}`));
      return bits(Number(at(answer.body, 'data', 'currencies', 0, 'received')) / 100);
    };
    expect(await summary(day.date, day.zone)).toEqual([0, 1, 2]);
    expect(await summary(day.start, day.zone)).toEqual([0, 1]);
  });
});

describe('a stay', () => {
  it('is found by its days at its property, whose day an instant stands for', async () => {
    const stay = async (query: string) => rowsOf(await ok(get(`/reservations?propertyId=auckland&${query}`))).length;
    await http.db
      .insertInto('property')
      .values({ id: 'auckland', name: 'x', owner_id: 'owner-1', time_zone: 'Pacific/Auckland' })
      .execute();
    await http.db
      .insertInto('reservation')
      .values({
        id: 'far-away',
        property_id: 'auckland',
        guest_id: 'guest-1',
        check_in_date: '2024-05-10',
        check_out_date: '2024-05-12',
        total_minor: 1,
        currency: 'NZD',
        created_by: 'x',
      })
      .execute();
    for (const [query, found] of [
      ['from=2024-05-12&to=2024-05-12', 1],
      ['from=2024-05-10&to=2024-05-10', 1],
      ['from=2024-05-13', 0],
      ['to=2024-05-09', 0],
      // Auckland is twelve hours ahead: its 13 May begins at noon of the 12th, its 10 May at noon of the 9th.
      ['from=2024-05-12T11:59:59.999Z', 1],
      ['from=2024-05-12T12:00:00Z', 0],
      ['to=2024-05-09T12:00:00Z', 0],
      ['to=2024-05-09T12:00:00.001Z', 1],
    ] as const) {
      expect([query, await stay(query)]).toEqual([query, found]);
    }
    expect((await get('/reservations?from=2024-05-12&to=2024-05-11')).status).toBe(422);
  });
});

describe('a replay since', () => {
  it('a date begins with its first event on the clock of the zone', async () => {
    const since = async (text: string, zone?: string) =>
      at(
        (
          await ok(
            http.call('POST', `${API}/webhook-endpoints/hook/replay`, { body: { since: text, ...(zone && { zone }) } }),
          )
        ).body,
        'data',
        'nextSeq',
      );
    const [dubai] = DAYS;
    if (!dubai) return;
    const reset = async (): Promise<void> => {
      await sql`DELETE FROM domain_event`.execute(http.db);
      await sql`DELETE FROM event_run`.execute(http.db);
      for (const [n, moment] of momentsOf(dubai).entries()) {
        await sql`WITH e AS (INSERT INTO domain_event (type, resource, resource_id, data, at)
            VALUES ('task.created', 'task', 'x', '{}', ${moment}::timestamptz) RETURNING id)
          INSERT INTO event_run (seq, event_id) SELECT ${n + 1}, id FROM e`.execute(http.db);
      }
      await sql`UPDATE event_feed SET last_seq = 4`.execute(http.db);
      await sql`UPDATE webhook_endpoint SET next_seq = 5`.execute(http.db);
    };
    await reset();
    expect(await since(dubai.date)).toBe(2);
    await reset();
    expect(await since(dubai.end)).toBe(4);
    await reset();
    expect(await since(dubai.date, 'Pacific/Auckland')).toBe(1);
  });
});

describe('a cursor', () => {
  it('belongs to the moments of a period, however they are written, and to no others', async () => {
    const [dubai] = DAYS;
    if (!dubai) return;
    const first = await ok(get(`/tasks?limit=1&from=${dubai.date}&to=${dubai.date}`));
    const cursor = String(first.body['nextCursor']);
    const page = (ends: object) => get(`/tasks?limit=1&${new URLSearchParams({ ...ends, cursor })}`);
    expect((await page({ from: dubai.date, to: dubai.date, zone: 'Asia/Dubai' })).status).toBe(200);
    expect((await page({ from: dubai.start, to: '2024-02-02T00:00:00+04:00' })).status).toBe(200);
    expect((await page({ from: dubai.date, to: dubai.date, zone: 'Europe/Paris' })).body['code']).toBe(
      'INVALID_CURSOR',
    );
  });
});
