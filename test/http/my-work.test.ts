import ICAL from 'ical.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TaskStatus, TaskType } from '../../src/db/schema.ts';
import { prepareStays } from '../sagas/confirmation.ts';
import { API, at, type Http, startHttp } from './harness.ts';

/** The own work of staff: a list, and a calendar. */

let http: Http;
beforeAll(async () => {
  http = await startHttp();
  await prepareStays(http.db);
  await http.db
    .insertInto('staff')
    .values([
      { id: 'cleaner-1', name: 'Nina', email: 'nina@example.com', role: 'CLEANER' },
      { id: 'cleaner-2', name: 'Ravi', email: 'ravi@example.com', role: 'CLEANER' },
      { id: 'agent-1', name: 'Sara', email: 'sara@example.com', role: 'AGENT' },
    ])
    .execute();
  await http.db
    .insertInto('property')
    .values({
      id: 'loft',
      name: 'Canal Loft',
      owner_id: 'owner-1',
      region: 'paris',
      time_zone: 'Europe/Paris',
      checklists: JSON.stringify({ CLEANING: [{ id: 'beds', label: 'Beds', required: true }] }),
    })
    .execute();
}, 60_000);
afterAll(() => http?.stop());

interface Made {
  readonly who?: string;
  readonly status?: TaskStatus;
  readonly type?: TaskType;
  readonly occurrence?: string;
  readonly title?: string;
}
let made = 0;
const HOUR = 3_600_000;
async function task(
  fromNowHours: number,
  { who = 'cleaner-1', status = 'ASSIGNED', type = 'CLEANING', occurrence, title }: Made = {},
) {
  made += 1;
  const id = `mine-${made}`;
  const start = Date.now() + fromNowHours * HOUR + made * 1000;
  await http.db
    .insertInto('task')
    .values({
      id,
      type,
      occurrence: occurrence ?? `MANUAL-${made}`,
      title: title ?? 'Clean the loft',
      property_id: 'loft',
      status,
      assignee_id: who,
      completed_at: status === 'COMPLETED' ? new Date() : null,
      scheduled_at: new Date(start),
      ends_at: new Date(start + HOUR / 2),
      next_assign_at: null,
    })
    .execute();
  return id;
}
const mine = (query = '', sub = 'cleaner-1', as: 'CLEANER' | 'AGENT' = 'CLEANER') =>
  http.call('GET', `${API}/me/tasks${query}`, { as, sub });
const idsOf = (body: Record<string, unknown>): string[] => (at(body, 'data') as { id: string }[]).map(({ id }) => id);

describe('my tasks', () => {
  it('are mine, in the order of the work: what is open and late, and a week from today', async () => {
    const late = await task(-60);
    const done = await task(-60, { status: 'COMPLETED' });
    const soon = await task(24);
    const sooner = await task(23);
    const far = await task(24 * 12);
    const cancelled = await task(25, { status: 'CANCELLED' });
    const foreign = await task(26, { who: 'cleaner-2' });
    const { status, body } = await mine();
    expect([status, idsOf(body)]).toEqual([200, [late, sooner, soon]]);
    expect(idsOf((await mine('?status=COMPLETED&from=2020-01-01')).body)).toEqual([done]);
    expect(idsOf((await mine('?from=2020-01-01')).body)).toContain(far);
    for (const other of [cancelled, foreign]) expect(idsOf((await mine('?from=2020-01-01')).body)).not.toContain(other);
  });

  it('are what was done today, also where it began before midnight, and no longer tomorrow', async () => {
    const done = await task(-30, { status: 'COMPLETED' });
    expect(idsOf((await mine()).body)).toContain(done);
    const yesterday = new Date(Date.now() - 25 * HOUR);
    await http.db.updateTable('task').set({ completed_at: yesterday }).where('id', '=', done).execute();
    expect(idsOf((await mine()).body)).not.toContain(done);
  });

  it('come page by page', async () => {
    const first = await mine('?limit=2');
    const next = await mine(`?limit=2&cursor=${encodeURIComponent(String(at(first.body, 'nextCursor')))}`);
    expect([...idsOf(first.body), ...idsOf(next.body)]).toEqual(idsOf((await mine()).body));
    expect((await mine('?cursor=nonsense')).body['code']).toBe('INVALID_CURSOR');
    expect((await mine('?from=tomorrow')).body['code']).toBe('VALIDATION_FAILED');
  });

  it('say when and where, by the clock of the property, and what is to be ticked', async () => {
    const [first] = at((await mine()).body, 'data') as { startsAt: string; local: unknown }[];
    const local = new Date(first?.startsAt ?? '').toLocaleString('sv-SE', { timeZone: 'Europe/Paris' });
    expect(first).toMatchObject({
      local: { date: local.slice(0, 10), from: local.slice(11, 16), timeZone: 'Europe/Paris' },
      property: { id: 'loft', name: 'Canal Loft', region: 'paris', location: null },
      checklist: [{ id: 'beds', label: 'Beds', required: true }],
    });
  });

  it('name a guest to those who meet them only', async () => {
    const meeting = { type: 'CHECK_IN', title: 'Check-in for John Doe', occurrence: 'ARRIVAL' } as const;
    await task(2, { who: 'agent-1', ...meeting });
    expect((await mine('', 'agent-1', 'AGENT')).text).toContain('John Doe');
    await task(3, meeting);
    const { text } = await mine();
    expect(text).toContain('Check-in meeting');
    expect(text).not.toContain('John Doe');
  });

  it('are of staff alone', async () => {
    expect((await http.call('GET', `${API}/me/tasks`, { as: 'FINANCE' })).status).toBe(403);
  });
});

describe('a calendar', () => {
  const open = async (sub = 'cleaner-1') => {
    const { status, body, headers } = await http.call('POST', `${API}/me/calendar`, { as: 'CLEANER', sub });
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
    return new URL(String(at(body, 'data', 'url'))).pathname;
  };
  const read = (path: string, headers: Record<string, string> = {}) => http.app.request(path, { headers });

  it('has my tasks, under names that stay, and no guest', async () => {
    const done = await task(30);
    const gone = await task(31, { status: 'CANCELLED' });
    const askedAt = Date.now();
    const answer = await read(await open());
    expect(answer.headers.get('content-type')).toBe('text/calendar; charset=utf-8');
    const text = await answer.text();
    expect(text).not.toContain('John Doe');
    expect(text.endsWith('END:VCALENDAR\r\n')).toBe(true);
    expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
    const calendar = new ICAL.Component(ICAL.parse(text));
    expect(calendar.getFirstPropertyValue('version')).toBe('2.0');
    const events = calendar.getAllSubcomponents('vevent').map((one) => new ICAL.Event(one));
    const known = await http.db
      .selectFrom('task')
      .select(['id', 'scheduled_at', 'version'])
      .where('id', '=', done)
      .executeTakeFirstOrThrow();
    const event = events.find(({ uid }) => uid === `${done}@roomy`);
    expect(event?.startDate.toJSDate().getTime()).toBe(Math.floor(known.scheduled_at.getTime() / 1000) * 1000);
    const stamps = new Set(
      calendar.getAllSubcomponents('vevent').map((one) => String(one.getFirstPropertyValue('dtstamp'))),
    );
    // When it was made, which is not when a task begins.
    expect(stamps.size).toBe(1);
    const madeAt = Date.parse([...stamps][0] ?? '');
    expect(madeAt).toBeGreaterThanOrEqual(askedAt - 1000);
    expect(madeAt).toBeLessThanOrEqual(Date.now());
    expect([event?.sequence, event?.location]).toEqual([known.version, 'Canal Loft, paris']);
    const cancelled = events.find(({ uid }) => uid === `${gone}@roomy`);
    expect(cancelled?.component.getFirstPropertyValue('status')).toBe('CANCELLED');
    expect(new Set(events.map(({ uid }) => uid)).size).toBe(events.length);
  });

  it('is told apart by its tag, so that it is read only when it has changed', async () => {
    const path = await open();
    const first = await read(path);
    const tag = first.headers.get('etag') ?? '';
    expect((await read(path, { 'if-none-match': tag })).status).toBe(304);
    await task(40);
    expect((await read(path, { 'if-none-match': tag })).status).toBe(200);
  });

  it('has one address at a time, which can be taken back', async () => {
    const old = await open();
    const path = await open();
    expect((await read(old)).status).toBe(404);
    expect((await read(path)).status).toBe(200);
    const closed = await http.call('DELETE', `${API}/me/calendar`, { as: 'CLEANER', sub: 'cleaner-1' });
    expect(closed.status).toBe(204);
    expect((await read(path)).status).toBe(404);
    const rows = await http.db
      .selectFrom('audit_log')
      .select('event')
      .where('stream_id', '=', 'staff:cleaner-1')
      .execute();
    expect(rows.at(-1)).toEqual({ event: 'CALENDAR_CLOSED' });
  });

  it('ends with the job of its owner', async () => {
    const path = await open('cleaner-2');
    await http.db.updateTable('staff').set({ active: false }).where('id', '=', 'cleaner-2').execute();
    expect((await read(path)).status).toBe(404);
  });

  it.each(['/calendar/nothing.ics', `/calendar/${'a'.repeat(43)}.ics`, `/calendar/${'a'.repeat(43)}`])(
    'is not at %s',
    async (path) => {
      const answer = await read(path);
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([404, 'NOT_FOUND']);
    },
  );

  it('is for members of the staff', async () => {
    const { status, body } = await http.call('POST', `${API}/me/calendar`, { as: 'AGENT', sub: 'nobody' });
    expect([status, body['code']]).toEqual([404, 'NOT_FOUND']);
  });
});
