import type { KyselyPlugin } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EVENT_CATALOGUE } from '../../src/domain/events/catalogue.ts';
import { numberEvents } from '../../src/domain/events/feed.ts';
import { createLiveFeed } from '../../src/http/live/feed.ts';
import { TooSlow, tell } from '../../src/http/live/tell.ts';
import { ROLES, type Role } from '../../src/kernel/roles.ts';
import { API, type Http, startHttp, tokenFor } from './harness.ts';
import { type OpenStream, openStream } from './live-streams.ts';

/** Many streams of one feed: what each hears, and what all of them cost. */

const statements: string[] = [];
const counting: KyselyPlugin = {
  transformQuery: ({ node }) => {
    statements.push(JSON.stringify(node));
    return node;
  },
  transformResult: async ({ result }) => result,
};
const closing = new AbortController();
let http: Http;
beforeAll(async () => {
  http = await startHttp({ closing: closing.signal }, (db) => ({ db: db.withPlugin(counting) }));
}, 60_000);
afterAll(() => http?.stop());

const streams: OpenStream[] = [];
beforeEach(async () => {
  await Promise.all(streams.splice(0).map((stream) => stream.close()));
});
type Who = Role | { readonly scope: string };
async function listen(query = '', who: Who = 'ADMIN', more: Readonly<Record<string, string>> = {}) {
  const token = await tokenFor(typeof who === 'string' ? { role: who } : who, 'listener');
  const stream = await openStream(http.app, query, { authorization: `Bearer ${token}`, ...more });
  streams.push(stream);
  return stream;
}
/** One event of each type that there is, of stays that take turns; answers the first place. */
async function happenAll(): Promise<number> {
  const start = await numberEvents(http.db);
  await http.db
    .insertInto('domain_event')
    .values(
      EVENT_CATALOGUE.map(({ type, resource, example }, n) => ({
        type,
        resource,
        resource_id: `r-${n}`,
        reservation_id: n % 3 === 0 ? null : `stay-${n % 3}`,
        data: JSON.stringify(example.data.data),
      })),
    )
    .execute();
  return start;
}
const ALL = EVENT_CATALOGUE.length;
const placesFrom = (start: number, count = ALL): number[] => Array.from({ length: count }, (_, n) => start + 1 + n);

describe('a stream', () => {
  const READERS: readonly Who[] = [
    'ADMIN',
    'OPS',
    { scope: 'events:read' },
    { scope: 'events:read finance:read sagas:read' },
  ];

  it.each(READERS)('tells every type of event exactly as the feed does, as it happens and later: %j', async (who) => {
    const now = await listen('', who);
    const start = await happenAll();
    const later = await listen(`?after=${start}`, who);
    const feed = await http.call('GET', `${API}/events?after=${start}&limit=1000`, { as: who, sub: 'listener' });
    for (const stream of [now, later]) {
      await expect.poll(stream.places, { timeout: 10_000 }).toEqual(placesFrom(start));
      expect(stream.heard().map(({ data }) => data)).toEqual(feed.body.data);
      expect(stream.heard().map(({ event }) => event)).toEqual(EVENT_CATALOGUE.map(({ type }) => type));
    }
  });

  it('is refused to everybody to whom the feed is', async () => {
    for (const role of ROLES) {
      const expected = (await http.call('GET', `${API}/events`, { as: role })).status;
      expect([role, (await listen('', role)).status]).toEqual([role, expected]);
      expect([role, (await listen('?steps=true', role)).status]).toEqual([role, expected]);
    }
    expect((await listen('', { scope: 'reservations:read' })).status).toBe(403);
    expect((await listen('?steps=true', { scope: 'events:read' })).status).toBe(403);
  });

  it.each([
    'type=task.*',
    'type=saga.parked',
    'reservationId=stay-1',
    'reservationId=nowhere',
    'type=payment.*&reservationId=stay-2',
  ])('chooses like the feed, from memory and from the database: %s', async (query) => {
    const now = await listen(`?${query}`);
    const start = await happenAll();
    const later = await listen(`?${query}&after=${start}`);
    const all = await listen(`?after=${start}`);
    const feed = await http.call('GET', `${API}/events?after=${start}&limit=1000&${query}`);
    await expect.poll(() => all.places().length, { timeout: 10_000 }).toBe(ALL);
    for (const stream of [now, later])
      await expect.poll(() => stream.heard().map(({ data }) => data), { timeout: 10_000 }).toEqual(feed.body.data);
  });

  it('goes on at each place, and nothing is lost or comes twice', { timeout: 60_000 }, async () => {
    const start = await happenAll();
    const places = placesFrom(start);
    const again = await Promise.all(
      [start, ...places].map((place) => listen('', 'ADMIN', { 'last-event-id': String(place) })),
    );
    await happenAll();
    const all = placesFrom(start, ALL * 2);
    for (const [n, stream] of again.entries())
      await expect.poll(stream.places, { timeout: 20_000 }).toEqual(all.slice(n));
  });

  it('of which there are 200 costs one reading of what happened', { timeout: 60_000 }, async () => {
    const start = await numberEvents(http.db);
    await Promise.all(Array.from({ length: 200 }, () => listen(`?after=${start}`)));
    expect(streams.every(({ status }) => status === 200)).toBe(true);
    expect((await listen()).status).toBe(503);
    // One that is told something is live, and the others began before it.
    await happenAll();
    for (const stream of streams.slice(0, 200))
      await expect.poll(() => stream.places().length, { timeout: 20_000 }).toBe(ALL);
    statements.length = 0;
    await happenAll();
    for (const stream of streams.slice(0, 200))
      await expect.poll(() => stream.places().length, { timeout: 20_000 }).toBe(ALL * 2);
    const readings = statements.filter((text) => text.includes('CROSS JOIN LATERAL (SELECT e.* FROM domain_event e'));
    expect(readings).toHaveLength(1);
    // Besides: the looks themselves, and who is in force once for all.
    expect(statements.length).toBeLessThan(100);
  });

  it('costs nothing once nobody listens', async () => {
    const stream = await listen();
    await stream.close();
    let before = -1;
    const isQuiet = (): boolean => {
      const same = statements.length === before;
      before = statements.length;
      return same;
    };
    // Longer than the time between two looks.
    await expect.poll(isQuiet, { timeout: 10_000, interval: 600 }).toBe(true);
  });
});

describe('a client', () => {
  it('that does not read is let go, and the others hear on', async () => {
    const services = {
      db: http.db,
      live: createLiveFeed(http.db),
      clock: { now: () => new Date() },
      apiKeys: { isOne: () => false, verify: () => Promise.reject(new Error()), assertInForce: async () => undefined },
      standing: { inForce: async <T>(caller: T) => caller, forget: () => undefined, changed: () => undefined },
    };
    const caller = { kind: 'person', principal: 'slow', role: 'ADMIN' } as const;
    const start = await happenAll();
    const other = await listen(`?after=${start}`);
    const never = () => new Promise<never>(() => undefined);
    const slow = tell(
      services,
      { caller, start, filter: {}, steps: false, patienceMs: 50 },
      { event: never, step: never, place: never },
      new AbortController().signal,
    );
    await expect(slow).rejects.toBeInstanceOf(TooSlow);
    await expect.poll(other.places, { timeout: 10_000 }).toEqual(placesFrom(start));
  });
});

describe('a process that ends', () => {
  it('ends its streams', async () => {
    const open = await Promise.all([listen(), listen('?type=task.*'), listen('?steps=true')]);
    closing.abort();
    await Promise.all(open.map(({ ended }) => ended));
  });
});
