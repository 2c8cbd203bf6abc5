import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addSaga } from '../setup/ledger.ts';
import { API, at, type Call, type Http, seed, startHttp } from './harness.ts';

/** The figures of the business over a made-up quarter, each reckoned once more here, from the same rows and the formulas of domain.md 15. */

let http: Http;
let random = 20_260_501;
/** The same numbers in every run. */
const next = (below: number): number => {
  random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
  return Math.floor((random / 2_147_483_648) * below);
};
const pick = <T>(...values: readonly T[]): T => values[next(values.length)] as T;

const HOUR = 3_600_000;
const START = Date.parse('2025-01-01T00:00:00Z');
const someTime = (): Date => new Date(START + next(90 * 24) * HOUR + next(3_600_000));
const later = (from: Date, hours: number): Date => new Date(from.getTime() + next(hours * 60) * 60_000);
const PROPERTIES = ['property-1', 'property-2', 'property-3'];
const PERIOD = { from: '2025-01-11T00:00:00Z', to: '2025-03-02T00:00:00Z' };

interface Fixture {
  readonly stays: readonly {
    id: string;
    property: string;
    kind: 'STAY' | 'OWNER_STAY';
    status: 'PENDING' | 'CONFIRMED' | 'CHECKED_OUT' | 'CANCELLED';
    created: Date;
    confirmed: Date | null;
    left: Date | null;
    score: number | null;
  }[];
  readonly payments: readonly {
    id: string;
    stay: string;
    status: 'COMPLETED' | 'FAILED' | 'REVERSED' | 'CANCELLED' | 'PROCESSING';
    code: string | null;
    gateway: string;
    created: Date;
    completed: Date | null;
  }[];
  readonly tasks: readonly {
    id: string;
    property: string;
    type: 'INSPECTION' | 'MAINTENANCE';
    status: 'COMPLETED' | 'ASSIGNED' | 'CANCELLED' | 'OVERTAKEN';
    deadline: Date;
    done: Date | null;
  }[];
  readonly payouts: readonly {
    id: string;
    property: string;
    status: 'COMPLETED' | 'PENDING';
    payment: string | null;
    completed: Date | null;
    scheduled: Date;
  }[];
}
let fixture: Fixture;

const makeStay = (n: number): Fixture['stays'][number] => {
  const status = pick('PENDING', 'CONFIRMED', 'CHECKED_OUT', 'CHECKED_OUT', 'CANCELLED' as const);
  const created = someTime();
  return {
    id: `stay-r${n}`,
    property: pick(...PROPERTIES),
    kind: pick('STAY', 'STAY', 'STAY', 'OWNER_STAY' as const),
    status,
    created,
    confirmed: status === 'PENDING' || (status === 'CANCELLED' && next(2) === 0) ? null : later(created, 100),
    left: status === 'CHECKED_OUT' ? later(created, 900) : null,
    score: status === 'CHECKED_OUT' && next(3) > 0 ? 1 + next(5) : null,
  };
};
const makePayment = (n: number, stay: string): Fixture['payments'][number] => {
  const status = pick('COMPLETED', 'COMPLETED', 'FAILED', 'REVERSED', 'CANCELLED', 'PROCESSING' as const);
  const created = someTime();
  return {
    id: `payment-r${n}`,
    stay,
    status,
    code: status === 'FAILED' ? pick('CARD_DECLINED', 'EXPIRED_CARD', null) : null,
    gateway: pick('sandbox', 'bank'),
    created,
    completed: status === 'COMPLETED' || status === 'REVERSED' ? later(created, 3) : null,
  };
};
const makeTask = (n: number): Fixture['tasks'][number] => {
  const status = pick('COMPLETED', 'COMPLETED', 'ASSIGNED', 'CANCELLED', 'OVERTAKEN' as const);
  const deadline = someTime();
  const done = status === 'COMPLETED' ? new Date(deadline.getTime() + (next(20) - 12) * HOUR) : null;
  return {
    id: `task-r${n}`,
    property: pick(...PROPERTIES),
    type: pick('INSPECTION', 'MAINTENANCE'),
    status,
    deadline,
    done,
  };
};
const makePayout = (n: number, payments: Fixture['payments']): Fixture['payouts'][number] => {
  const status = pick('COMPLETED', 'COMPLETED', 'PENDING' as const);
  const payment = next(5) === 0 ? undefined : pick(...payments.filter(({ completed }) => completed !== null));
  const scheduled = someTime();
  return {
    id: `payout-r${n}`,
    property: pick(...PROPERTIES),
    status,
    payment: payment?.id ?? null,
    scheduled,
    completed: status === 'COMPLETED' ? new Date(scheduled.getTime() + (next(90) - 10) * HOUR) : null,
  };
};
const list = <T>(count: number, make: (n: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, n) => make(n));

beforeAll(async () => {
  http = await startHttp();
  const { db } = http;
  await seed(db);
  await db
    .insertInto('property')
    .values(
      ['property-2', 'property-3'].map((id) => ({
        id,
        name: id,
        owner_id: 'owner-1',
        region: 'Marina',
        agent_ids: ['agent-2'],
      })),
    )
    .execute();
  const stays = list(240, makeStay);
  const payments = list(300, (n) => makePayment(n, pick(...stays).id));
  fixture = { stays, payments, tasks: list(200, makeTask), payouts: list(120, (n) => makePayout(n, payments)) };
  await insert();
}, 120_000);
afterAll(() => http?.stop());

async function insert(): Promise<void> {
  const { db } = http;
  await db
    .insertInto('reservation')
    .values(
      fixture.stays.map((stay, n) => ({
        id: stay.id,
        property_id: stay.property,
        kind: stay.kind,
        guest_id: stay.kind === 'STAY' ? 'guest-1' : null,
        // Each has nights of its own.
        check_in_date: new Date(Date.UTC(2027, 0, 1 + n)).toISOString().slice(0, 10),
        check_out_date: new Date(Date.UTC(2027, 0, 2 + n)).toISOString().slice(0, 10),
        total_minor: 100,
        currency: 'AED',
        created_by: 'test',
        status: stay.status,
        created_at: stay.created,
        confirmed_at: stay.confirmed,
        actual_check_out_at: stay.left,
      })),
    )
    .execute();
  await db
    .insertInto('rating')
    .values(
      fixture.stays.flatMap(({ id, score }) =>
        score === null ? [] : [{ reservation_id: id, score, given_by: 'guest-1' }],
      ),
    )
    .execute();
  const sagas = new Map<string, string>();
  for (const { id, stay } of fixture.payments) sagas.set(id, await addSaga(db, { subjectId: stay }));
  await db
    .insertInto('payment')
    .values(
      fixture.payments.map((payment) => ({
        id: payment.id,
        reservation_id: payment.stay,
        saga_id: sagas.get(payment.id) ?? '',
        gateway_id: payment.gateway,
        gateway_reference: payment.id,
        amount_minor: 100,
        currency: 'AED',
        status: payment.status,
        error_code: payment.code,
        requested_by: 'test',
        created_at: payment.created,
        completed_at: payment.completed,
      })),
    )
    .execute();
  await db
    .insertInto('task')
    .values(
      fixture.tasks
        .map((task) => ({
          id: task.id,
          type: task.type,
          occurrence: task.id,
          title: 'x',
          property_id: task.property,
          status: task.status,
          assignee_id: null,
          scheduled_at: new Date(task.deadline.getTime() - 2 * HOUR),
          ends_at: new Date(task.deadline.getTime() - HOUR),
          must_finish_by: task.deadline,
          completed_at: task.done,
          next_assign_at: null,
        }))
        .map((row, n) =>
          row.status === 'ASSIGNED'
            ? {
                ...row,
                assignee_id: 'cleaner-1',
                slot_start: new Date(Date.UTC(2028, 0, 1, n)),
                slot_end: new Date(Date.UTC(2028, 0, 1, n, 30)),
              }
            : row,
        ),
    )
    .execute();
  await db
    .insertInto('transaction')
    .values(
      fixture.payouts.map((payout) => ({
        id: payout.id,
        type: 'OWNER_PAYOUT' as const,
        status: payout.status,
        owner_id: 'owner-1',
        property_id: payout.property,
        payment_id: payout.payment,
        amount_minor: 100,
        outstanding_minor: payout.status === 'COMPLETED' ? 0 : 100,
        settled_minor: payout.status === 'COMPLETED' ? 100 : 0,
        currency: 'AED',
        completed_at: payout.completed,
        scheduled_for: payout.scheduled,
      })),
    )
    .execute();
}

const round = (value: number, digits: number): number => Math.round(value * 10 ** digits) / 10 ** digits;
const rate = (part: number, whole: number): number | null => (whole === 0 ? null : round(part / whole, 4));
/** Between two values, on the line between them. */
function percentile(values: readonly number[], part: number): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const place = part * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)] ?? 0, sorted[Math.ceil(place)] ?? 0];
  return round(low + (high - low) * (place - Math.floor(place)), 2);
}
const inPeriod = (when: Date | null): boolean =>
  when !== null && when.getTime() >= Date.parse(PERIOD.from) && when.getTime() < Date.parse(PERIOD.to);
const propertyOfStay = (id: string): string => fixture.stays.find((stay) => stay.id === id)?.property ?? '';
const hoursBetween = (later: Date, earlier: Date): number => (later.getTime() - earlier.getTime()) / HOUR;
const DECIDED = ['COMPLETED', 'REVERSED', 'FAILED'];

/** Each report: the rows that count, what they may be grouped by, and the figures of some of them. */
interface Reckoned<Row> {
  readonly rows: () => readonly Row[];
  readonly keys: Readonly<Record<string, (row: Row) => string | null>>;
  readonly figures: (rows: readonly Row[]) => Readonly<Record<string, number | null>>;
}
/** In Dubai, as the properties here are. */
const local = (when: Date): string => new Date(when.getTime() + 4 * HOUR).toISOString();
const dayOf = (when: Date | null): string => local(when ?? new Date(0)).slice(0, 10);
const monthOf = (when: Date | null): string => local(when ?? new Date(0)).slice(0, 7);
const reckoned = <Row>(one: Reckoned<Row>): Reckoned<unknown> => one as unknown as Reckoned<unknown>;

const REPORTS: Readonly<Record<string, Reckoned<unknown>>> = {
  conversion: reckoned<Fixture['stays'][number]>({
    rows: () => fixture.stays.filter(({ kind, created }) => kind === 'STAY' && inPeriod(created)),
    keys: { day: (row) => dayOf(row.created), month: (row) => monthOf(row.created), property: (row) => row.property },
    figures: (rows) => {
      const confirmed = rows.filter((row) => row.confirmed !== null).length;
      return { created: rows.length, confirmed, rate: rate(confirmed, rows.length) };
    },
  }),
  payments: reckoned<Fixture['payments'][number]>({
    rows: () => fixture.payments.filter(({ status, created }) => DECIDED.includes(status) && inPeriod(created)),
    keys: {
      day: (row) => dayOf(row.created),
      month: (row) => monthOf(row.created),
      property: (row) => propertyOfStay(row.stay),
      gateway: (row) => row.gateway,
      code: (row) => (row.status === 'FAILED' ? (row.code ?? 'UNKNOWN') : null),
    },
    figures: (rows) => {
      const isFirst = (row: (typeof rows)[number]): boolean =>
        fixture.payments
          .filter(({ stay, status }) => stay === row.stay && DECIDED.includes(status))
          .toSorted((a, b) => a.created.getTime() - b.created.getTime())[0] === row;
      const taken = rows.filter((row) => row.status !== 'FAILED');
      const firsts = rows.filter(isFirst);
      const firstTaken = firsts.filter((row) => row.status !== 'FAILED').length;
      return {
        attempts: rows.length,
        completed: taken.length,
        failed: rows.length - taken.length,
        rate: rate(taken.length, rows.length),
        firstAttempts: firsts.length,
        firstCompleted: firstTaken,
        firstRate: rate(firstTaken, firsts.length),
      };
    },
  }),
  tasks: reckoned<Fixture['tasks'][number]>({
    rows: () =>
      fixture.tasks.filter(({ status, deadline }) => ['COMPLETED', 'ASSIGNED'].includes(status) && inPeriod(deadline)),
    keys: {
      day: (row) => dayOf(row.deadline),
      month: (row) => monthOf(row.deadline),
      property: (row) => row.property,
      type: (row) => row.type,
      assignee: (row) => (row.status === 'ASSIGNED' ? 'cleaner-1' : null),
    },
    figures: (rows) => {
      const onTime = rows.filter(({ done, deadline }) => done !== null && done <= deadline).length;
      const late = rows.filter(({ done, deadline }) => done !== null && done > deadline).length;
      const open = rows.filter(({ done }) => done === null).length;
      return { due: rows.length, onTime, late, open, rate: rate(onTime, rows.length) };
    },
  }),
  satisfaction: reckoned<Fixture['stays'][number]>({
    rows: () => fixture.stays.filter(({ kind, left }) => kind === 'STAY' && inPeriod(left)),
    keys: { day: (row) => dayOf(row.left), month: (row) => monthOf(row.left), property: (row) => row.property },
    figures: (rows) => {
      const scores = rows.flatMap(({ score }) => (score === null ? [] : [score]));
      const mean = scores.length === 0 ? null : round(scores.reduce((a, b) => a + b, 0) / scores.length, 2);
      return { stays: rows.length, ratings: scores.length, mean, responseRate: rate(scores.length, rows.length) };
    },
  }),
  payouts: reckoned<Fixture['payouts'][number]>({
    rows: () => fixture.payouts.filter(({ completed }) => inPeriod(completed)),
    keys: {
      day: (row) => dayOf(row.completed),
      month: (row) => monthOf(row.completed),
      property: (row) => row.property,
      owner: () => 'owner-1',
    },
    figures: (rows) => {
      const hours = rows.flatMap(({ payment, completed }) => {
        const paid = fixture.payments.find(({ id }) => id === payment)?.completed;
        return paid && completed ? [hoursBetween(completed, paid)] : [];
      });
      const lateness = rows.flatMap(({ scheduled, completed }) =>
        completed ? [hoursBetween(completed, scheduled)] : [],
      );
      return {
        payouts: rows.length,
        medianHours: percentile(hours, 0.5),
        p95Hours: percentile(hours, 0.95),
        medianLatenessHours: percentile(lateness, 0.5),
        p95LatenessHours: percentile(lateness, 0.95),
      };
    },
  }),
};

const get = (name: string, query: Readonly<Record<string, string>> = {}, call: Call = {}) =>
  http.call('GET', `${API}/analytics/${name}?${new URLSearchParams({ ...PERIOD, ...query })}`, call);

describe.each(Object.entries(REPORTS))('%s', (name, { rows, keys, figures }) => {
  it('is what its formula says, as a whole', async () => {
    const { status, body } = await get(name);
    expect(status).toBe(200);
    expect(rows().length).toBeGreaterThan(20);
    expect(at(body, 'data')).toEqual({
      from: '2025-01-11T00:00:00.000Z',
      to: '2025-03-02T00:00:00.000Z',
      groupBy: null,
      total: figures(rows()),
      groups: [],
    });
  });

  it.each(Object.keys(keys))('and by %s', async (groupBy) => {
    const keyOf = keys[groupBy] ?? (() => null);
    const { body } = await get(name, { groupBy });
    const names = [...new Set(rows().map(keyOf))];
    const wanted = names.map((key) => ({ key, ...figures(rows().filter((row) => keyOf(row) === key)) }));
    const byKey = (one: { key: string | null }, other: { key: string | null }): number =>
      (one.key ?? '~').localeCompare(other.key ?? '~');
    const groups = at(body, 'data', 'groups') as { key: string | null }[];
    expect(groups.toSorted(byKey)).toEqual(wanted.toSorted(byKey));
    expect(at(body, 'data', 'total')).toEqual(figures(rows()));
  });

  it('of one property, and of nothing where there is none', async () => {
    const [total] = [at((await get(name, { propertyId: 'property-2' })).body, 'data', 'total')];
    const [property] = [keys['property'] ?? (() => null)];
    expect(total).toEqual(figures(rows().filter((row) => property(row) === 'property-2')));
    const empty = await get(name, { from: '2020-01-01', to: '2020-01-02' });
    expect(at(empty.body, 'data', 'total')).toEqual(figures([]));
  });

  it('as a file says the same', async () => {
    const { body } = await get(name, { groupBy: 'property' });
    const { text, headers } = await get(name, { groupBy: 'property', format: 'csv' });
    expect(headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const [head = '', ...lines] = text.trimEnd().split('\r\n');
    const cells = (row: object): string =>
      Object.values(row)
        .map((value) => value ?? '')
        .join(',');
    const { total, groups } = at(body, 'data') as { total: object; groups: object[] };
    expect(head).toBe(['key', ...Object.keys(total)].join(','));
    expect(lines).toEqual([`TOTAL,${cells(total)}`, ...groups.map(cells)]);
  });

  it('is not for longer than three years', async () => {
    expect((await get(name, { from: '2020-01-01', to: '2024-01-01' })).status).toBe(422);
  });
});

it('an agent sees the figures of the own portfolio alone', async () => {
  for (const name of ['conversion', 'payments', 'tasks', 'satisfaction']) {
    const { rows, keys, figures } = REPORTS[name] as Reckoned<unknown>;
    const { body } = await get(name, { groupBy: 'property' }, { as: 'AGENT', sub: 'agent-2' });
    const own = rows().filter((row) => ['property-2', 'property-3'].includes(keys['property']?.(row) ?? ''));
    expect(at(body, 'data', 'total'), name).toEqual(figures(own));
    expect(at(body, 'data', 'groups', 0, 'key'), name).toBe('property-2');
  }
});

it('a stay that waits and is younger than a day is not counted yet', async () => {
  const recent = {
    from: new Date(Date.now() - 48 * HOUR).toISOString(),
    to: new Date(Date.now() + HOUR).toISOString(),
  };
  const stay = (id: string, hours: number) => ({
    id,
    property_id: 'property-3',
    guest_id: 'guest-1',
    check_in_date: '2035-01-01',
    check_out_date: '2035-01-02',
    total_minor: 100,
    currency: 'AED',
    created_by: 'test',
    created_at: new Date(Date.now() - hours * HOUR),
  });
  await http.db
    .insertInto('reservation')
    .values([stay('young', 23), stay('old', 25)])
    .execute();
  const { body } = await get('conversion', { ...recent, propertyId: 'property-3' });
  expect(at(body, 'data', 'total')).toEqual({ created: 1, confirmed: 0, rate: 0 });
});

describe('a rating', () => {
  const path = (id: string): string => `${API}/reservations/${id}/rating`;
  const unrated = (): string =>
    fixture.stays.find((one) => one.left && one.kind === 'STAY' && one.score === null)?.id ?? '';
  it('is given by the guest, once, and read by the office', async () => {
    const id = unrated();
    const guest = { as: 'GUEST', sub: 'guest-1' } as const;
    expect((await http.call('GET', path(id))).status).toBe(404);
    const given = await http.call('POST', path(id), { ...guest, body: { score: 4, comment: 'A quiet place' } });
    expect([given.status, at(given.body, 'data')]).toMatchObject([200, { score: 4, givenBy: 'guest-1' }]);
    const again = await http.call('POST', path(id), { ...guest, body: { score: 1 } });
    expect([again.status, again.body.code]).toEqual([409, 'INVALID_STATE_TRANSITION']);
    expect(at((await http.call('GET', path(id))).body, 'data')).toEqual(at(given.body, 'data'));
    const audit = await http.db.selectFrom('audit_log').selectAll().where('event', '=', 'RESERVATION_RATED').execute();
    expect(audit).toHaveLength(1);
    expect(audit[0]?.body).not.toContain('quiet');
  });

  it.each(['PENDING', 'CONFIRMED', 'CANCELLED'])('is refused while the stay is %s', async (status) => {
    const id = fixture.stays.find((one) => one.status === status && one.kind === 'STAY')?.id ?? '';
    expect((await http.call('POST', path(id), { body: { score: 5 } })).status).toBe(409);
  });

  it('is not of an owner’s own stay, of another guest’s stay, or beyond its scale', async () => {
    const own = fixture.stays.find((one) => one.left && one.kind === 'OWNER_STAY')?.id ?? '';
    expect((await http.call('POST', path(own), { body: { score: 5 } })).status).toBe(409);
    const foreign = await http.call('POST', path(unrated()), { as: 'GUEST', sub: 'guest-2', body: { score: 5 } });
    expect([foreign.status, foreign.body.code]).toEqual([404, 'RESERVATION_NOT_FOUND']);
    for (const score of [0, 6, 4.5, '5', null]) {
      expect((await http.call('POST', path(unrated()), { body: { score } })).status, String(score)).toBe(422);
    }
  });
});
