import { type KyselyPlugin, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReservationStatus } from '../../src/db/schema.ts';
import { type Day, type DayStay, readDay } from '../../src/domain/stays/day.ts';
import { API, at, type Call, type Http, seed, startHttp } from './harness.ts';

/** The day of the office, at properties in three time zones. */

const DATE = '2031-05-10';
/** Evening in Dubai, the next morning in Auckland, noon in New York. */
const NOW = new Date('2031-05-10T16:30:00Z');
const ZONES = { dubai: 'Asia/Dubai', york: 'America/New_York', auckland: 'Pacific/Auckland' } as const;
type Place = keyof typeof ZONES;

let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await seed(http.db);
  for (const [id, time_zone] of Object.entries(ZONES)) {
    await http.db
      .insertInto('property')
      .values({ id, name: `At ${id}`, owner_id: 'owner-1', time_zone, agent_ids: [`agent-${id}`] })
      .execute();
  }
  for (const place of Object.keys(ZONES) as Place[]) {
    await stay(`${place}-long-gone`, place, 'CHECKED_OUT', '2031-05-01', '2031-05-04');
    await stay(`${place}-leaves`, place, 'CHECKED_IN', '2031-05-08', DATE);
    await stay(`${place}-comes`, place, 'CONFIRMED', DATE, '2031-05-13');
    await stay(`${place}-asks`, place, 'PENDING', DATE, '2031-05-11');
    await stay(`${place}-cancelled`, place, 'CANCELLED', DATE, '2031-05-12');
    await stay(`${place}-later`, place, 'CONFIRMED', '2031-05-20', '2031-05-22');
    await task(`${place}-clean`, `${place}-comes`, place, 'PRE_ARRIVAL', '2031-05-09T20:30:00Z', 'cleaner-1');
    await task(`${place}-meet`, `${place}-comes`, place, 'ARRIVAL', `${DATE}T22:00:00Z`, null);
    await task(`${place}-after`, `${place}-comes`, place, 'POST_DEPARTURE', '2031-05-13T10:00:00Z', null);
    await task(`${place}-extra`, `${place}-comes`, place, 'EXTRA', `${DATE}T22:00:00Z`, null);
  }
}, 60_000);
afterAll(() => http?.stop());

async function stay(id: string, property_id: string, status: ReservationStatus, from: string, to: string) {
  await http.db
    .insertInto('reservation')
    .values({
      id,
      property_id,
      guest_id: 'guest-1',
      check_in_date: from,
      check_out_date: to,
      total_minor: 100_000,
      currency: 'AED',
      status,
      created_by: 'test',
    })
    .execute();
}
async function task(
  id: string,
  reservation_id: string,
  property_id: string,
  occurrence: string,
  start: string,
  who: string | null,
) {
  await http.db
    .insertInto('task')
    .values({
      id,
      reservation_id,
      property_id,
      occurrence,
      type: occurrence === 'ARRIVAL' ? 'CHECK_IN' : 'CLEANING',
      title: 'Work for John Doe',
      // One cleaner cannot be at three places at a time.
      status: who === null ? 'UNASSIGNED' : 'COMPLETED',
      completed_at: who === null ? null : start,
      assignee_id: who,
      scheduled_at: start,
      ends_at: new Date(Date.parse(start) + 3_600_000),
    })
    .execute();
}

const ALL = { agentId: null, seesTasks: true, onlyTaskType: undefined, seesStaff: true } as const;
const read = (date = DATE, propertyId?: string): Promise<Day> =>
  readDay(http.db, { date, propertyId, holder: null, now: NOW }, ALL);
const staysOf = (day: Day): readonly DayStay[] => day.properties.flatMap(({ stays }) => stays);
async function found(id: string): Promise<DayStay> {
  const one = staysOf(await read()).find(({ reservationId }) => reservationId === id);
  if (!one) throw new Error(`no ${id}`);
  return one;
}

/** The same without any index in mind. */
async function plainly(date: string): Promise<readonly string[]> {
  const { rows } = await sql<{ text: string }>`
    SELECT r.id || ' ' || CASE WHEN r.check_in_date = d.day THEN 'ARRIVAL' WHEN coalesce(r.departure_date, r.check_out_date) = d.day THEN 'DEPARTURE' ELSE 'IN_HOUSE' END AS text
      FROM reservation r JOIN property p ON p.id = r.property_id, (SELECT ${date}::date AS day) d
     WHERE r.kind <> 'MAINTENANCE_BLOCK' AND (
           (r.status IN ('CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT') AND r.check_in_date <= d.day AND coalesce(r.departure_date, r.check_out_date) >= d.day)
        OR (r.status = 'PENDING' AND r.check_in_date = d.day)
        OR (r.status = 'CHECKED_IN' AND coalesce(r.departure_date, r.check_out_date) < d.day AND d.day <= (${NOW}::timestamptz AT TIME ZONE p.time_zone)::date))
     ORDER BY 1`.execute(http.db);
  return rows.map(({ text }) => text);
}

describe('a day', () => {
  it.each([
    '2031-05-01',
    '2031-05-02',
    '2031-05-04',
    '2031-05-07',
    '2031-05-09',
    DATE,
    '2031-05-11',
    '2031-05-12',
    '2031-05-21',
  ])('%s is what a plain query finds', async (date) => {
    const stays = staysOf(await read(date)).map(({ reservationId, parts }) => `${reservationId} ${parts[0]}`);
    expect(stays.toSorted()).toEqual(await plainly(date));
  });

  it('is by property and time, with counts', async () => {
    const day = await read();
    expect(day.properties.map(({ propertyId, isTurnover }) => [propertyId, isTurnover])).toEqual([
      ['auckland', true],
      ['dubai', true],
      ['york', true],
    ]);
    for (const { propertyId, stays } of day.properties) {
      expect(stays.map(({ reservationId }) => reservationId)).toEqual(
        ['leaves', 'asks', 'comes'].map((what) => `${propertyId}-${what}`),
      );
    }
    expect(day.counts).toMatchObject({
      arrivals: 3,
      departures: 3,
      inHouse: 0,
      turnovers: 3,
      toConfirm: 3,
      unassigned: 3,
    });
    expect(day.complete).toBe(true);
  });

  it('is on the clock of each property', async () => {
    const times = await Promise.all(Object.keys(ZONES).map(async (place) => (await found(`${place}-comes`)).arrivesAt));
    expect(times).toEqual([`${DATE}T11:00:00.000Z`, `${DATE}T19:00:00.000Z`, `${DATE}T03:00:00.000Z`]);
    // Ten in the evening in Greenwich is the same day in New York alone.
    const tasks = await Promise.all(
      Object.keys(ZONES).map(async (place) =>
        (await found(`${place}-comes`)).tasks.map(({ occurrence }) => occurrence),
      ),
    );
    expect(tasks).toEqual([
      ['PRE_ARRIVAL', 'ARRIVAL'],
      ['PRE_ARRIVAL', 'EXTRA', 'ARRIVAL'],
      ['PRE_ARRIVAL', 'ARRIVAL'],
    ]);
  });

  it('says what is late by now, and whom nobody has', async () => {
    const warnings = async (id: string) => (await found(id)).warnings;
    // Fifteen o’clock has passed in Dubai and in Auckland, and has not in New York.
    expect(await warnings('dubai-comes')).toEqual(['NOT_ARRIVED', 'NOT_READY', 'UNASSIGNED']);
    expect(await warnings('york-comes')).toEqual(['UNASSIGNED']);
    expect(await warnings('auckland-comes')).toEqual(['NOT_ARRIVED', 'NOT_READY', 'UNASSIGNED']);
    expect(await warnings('dubai-leaves')).toEqual(['NOT_LEFT']);
    expect(await warnings('dubai-asks')).toEqual([]);
  });

  it('has readiness, people and balance', async () => {
    const comes = await found('dubai-comes');
    expect(comes).toMatchObject({ isCleaned: true, balanceDue: 1000, currency: 'AED', guestName: 'John Doe' });
    expect(comes.tasks[0]).toMatchObject({ assigneeId: 'cleaner-1', assigneeName: 'Clara', status: 'COMPLETED' });
    expect((await found('dubai-leaves')).isCleaned).toBeNull();
  });

  it('takes as many statements for many stays as for one', async () => {
    let sent = 0;
    const counting: KyselyPlugin = {
      transformQuery: ({ node }) => {
        sent += 1;
        return node;
      },
      transformResult: async ({ result }) => result,
    };
    const db = http.db.withPlugin(counting);
    await readDay(db, { date: DATE, holder: null, now: NOW }, ALL);
    expect(sent).toBe(3);
    await readDay(db, { date: DATE, propertyId: 'york', holder: null, now: NOW }, ALL);
    expect(sent).toBe(6);
  });
});

describe('GET day', () => {
  const get = (query: string, call: Call = {}) => http.call('GET', `${API}/day${query}`, call);
  const on = `?date=${DATE}`;
  const idsOf = (body: unknown) => {
    const properties = at(body, 'data', 'properties');
    return Array.isArray(properties) ? properties.map((one) => at(one, 'propertyId')) : null;
  };

  it('is today on the clock of the agency, unless a date is asked for', async () => {
    const { status, body } = await get('');
    expect(status).toBe(200);
    expect(at(body, 'data', 'date')).toMatch(/^\d{4}-\d{2}-\d{2}$/);
    expect((await get('?date=2031-02-30')).status).toBe(422);
  });

  it('is an agent’s for the portfolio, and a foreign property is absent', async () => {
    const agent: Call = { as: 'AGENT', sub: 'agent-york' };
    expect(idsOf((await get(on, agent)).body)).toEqual(['york']);
    expect((await get(`${on}&propertyId=dubai`, agent)).status).toBe(404);
    expect((await get(`${on}&propertyId=nothing`)).status).toBe(404);
    expect(idsOf((await get(`${on}&propertyId=dubai`)).body)).toEqual(['dubai']);
  });

  it('shows each role what it is shown elsewhere', async () => {
    const first = async (call: Call) =>
      at((await get(`${on}&propertyId=york`, call)).body, 'data', 'properties', 0, 'stays', 2);
    const admin = await first({});
    expect(admin).toMatchObject({ guestId: 'guest-1', guestName: 'John Doe', balanceDue: 1000 });
    const finance = await first({ as: 'FINANCE', sub: 'finance-1' });
    expect(finance).toMatchObject({ guestId: 'guest-1', guestName: null, balanceDue: 1000, tasks: [] });
    const ops = await first({ as: 'OPS', sub: 'ops-1' });
    expect(ops).toMatchObject({ guestId: null, guestName: null, balanceDue: null });
    expect(at(ops, 'tasks', 0, 'assigneeId')).toBe('cleaner-1');
    for (const role of ['CLEANER', 'OWNER', 'GUEST', 'MAINTENANCE_STAFF'] as const) {
      expect((await get(on, { as: role, sub: 'owner-1' })).status).toBe(403);
    }
  });
});

describe('a day in pages', () => {
  it('has every property once, and the counts of all on each page', async () => {
    const ask = async (query: string) => {
      const { status, body } = await http.call('GET', `${API}/day?date=${DATE}${query}`);
      expect(status).toBe(200);
      return body.data as Day;
    };
    const whole = await ask('');
    expect(whole.nextAfter).toBeNull();
    for (const limit of [1, 2, whole.properties.length]) {
      const pages: Day[] = [];
      for (let after = ''; ; ) {
        const page = await ask(`&properties=${limit}${after}`);
        pages.push(page);
        if (page.nextAfter === null) break;
        after = `&after=${page.nextAfter}`;
      }
      expect(pages.flatMap(({ properties }) => properties)).toEqual(whole.properties);
      expect(pages).toHaveLength(Math.ceil(whole.properties.length / limit));
      for (const { counts } of pages) expect(counts).toEqual(whole.counts);
    }
    expect((await http.call('GET', `${API}/day?properties=0`)).status).toBe(422);
  });
});
