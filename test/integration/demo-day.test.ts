import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import { afterEach, describe, expect, it } from 'vitest';
import { type DemoDayOptions, dayToPlay, playDay } from '../../scripts/demo-day.ts';
import { createDb, createPool } from '../../src/db/client.ts';
import { loadDemo } from '../../src/demo/load.ts';
import { DAY_ZONES, type DayZones } from '../../src/demo/places.ts';
import type { Role } from '../../src/http/auth.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { localDate } from '../../src/kernel/local-time.ts';
import { tokenFor } from '../http/harness.ts';
import { prepareStays, seedStay } from '../sagas/confirmation.ts';
import { createSimulatedDatabase, createTestDatabase } from '../setup/database.ts';
import { startSystem } from '../setup/system.ts';

/** The demo's day as a client plays it over HTTP, at hours and on clocks at which "today" is not what it seems. */

const WITHIN_MS = 120_000;
const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
}, WITHIN_MS);

async function openDay(now: string, zones: DayZones = DAY_ZONES) {
  const simulated = await createSimulatedDatabase();
  await simulated.clock.moveTo(now);
  const system = await startSystem(simulated);
  open.push(() => system.close());
  const { app } = await system.as({});
  const server = await new Promise<ReturnType<typeof serve>>((resolve) => {
    const made = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(made));
  });
  open.push(() => new Promise((resolve) => server.close(() => resolve())));
  await loadDemo(system.bed.db, simulated.clock.now(), zones);
  const said: string[] = [];
  const options: DemoDayOptions = {
    api: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tokenFor: (role, sub) => tokenFor({ role }, sub, simulated.clock),
    say: (line) => said.push(line),
    signal: new AbortController().signal,
    zones,
    now: () => simulated.clock.now(),
  };
  const get = async (path: string, role: Role = 'ADMIN', sub = 'admin-1') => {
    const { status, body } = await system.call('GET', path, { role, sub });
    expect(status, path).toBe(200);
    return body.data;
  };
  const play = async (given: Partial<DemoDayOptions> = {}): Promise<void> => {
    const planned = await dayToPlay(options);
    if (planned === null) throw new Error('there is no day to play');
    await playDay({ ...options, ...given }, planned);
  };
  return { system, simulated, said, get, play, isLeft: async () => (await dayToPlay(options)) !== null };
}

const APART: DayZones = {
  'property-3': 'Pacific/Kiritimati',
  'property-4': 'Pacific/Pago_Pago',
  'property-5': 'America/Los_Angeles',
  'property-6': 'Asia/Kathmandu',
};

describe("the demo's day", () => {
  it.each([
    ['at 23:50 in Dubai', '2026-11-28T19:50:00Z', DAY_ZONES],
    ['at 00:10 in Dubai', '2026-11-28T20:10:00Z', DAY_ZONES],
    ['in the hour that Paris leaves out', '2027-03-28T01:05:00Z', DAY_ZONES],
    ['in the hour that Paris has twice', '2027-10-31T00:40:00Z', DAY_ZONES],
    ['at properties that are a day apart, 23:50 here and 22:50 there', '2026-11-28T09:50:00Z', APART],
  ])('is all there %s', { timeout: WITHIN_MS }, async (_, now, zones) => {
    const { said, get, play, isLeft } = await openDay(now, zones);
    await play();
    expect(said).toEqual([]);
    const stayOf = (id: string) => get(`/reservations/reservation-${id}`);
    const today = (propertyId: keyof DayZones): string => localDate(new Date(now), zones[propertyId]);
    expect(await stayOf('arriving')).toMatchObject({
      status: 'CONFIRMED',
      paymentStatus: 'PAID',
      checkInDate: today('property-3'),
    });
    expect(await stayOf('leaving')).toMatchObject({ status: 'CHECKED_IN', checkOutDate: today('property-5') });
    expect(await stayOf('turnover-out')).toMatchObject({
      status: 'CHECKED_OUT',
      checkOutDate: today('property-4'),
      departureDate: null,
    });
    expect(await stayOf('turnover-in')).toMatchObject({
      status: 'CONFIRMED',
      paymentStatus: 'PARTIALLY_PAID',
      checkInDate: today('property-4'),
    });
    expect(await stayOf('in-house')).toMatchObject({ status: 'CHECKED_IN', paymentStatus: 'PAID' });
    expect(await stayOf('next-week')).toMatchObject({ status: 'CONFIRMED', paymentStatus: 'UNPAID' });
    expect(await stayOf('cancelled')).toMatchObject({ status: 'CANCELLED', refundStatus: 'MANUAL_REQUIRED' });
    expect((await get('/sagas?status=parked')).map((saga: { subjectId: string }) => saga.subjectId)).toEqual([
      'reservation-waiting',
    ]);
    const mine: { readonly local: { readonly date: string } }[] = await get('/me/tasks', 'CLEANER', 'cleaner-1');
    expect(mine.map(({ local }) => local.date)).toContain(today('property-3'));
    expect(await get('/financial/integrity')).toMatchObject({ ok: true });
    expect(await isLeft()).toBe(false);
  });

  it('says in one line what is refused, goes on with the rest, and does not try it again', {
    timeout: WITHIN_MS,
  }, async () => {
    const { system, said, get, play, isLeft } = await openDay('2026-11-30T08:00:00Z');
    await system.call('PATCH', '/properties/property-5', { body: { amenityDevice: 'device-refused-5' } });
    await play();
    expect(said).toEqual([
      expect.stringMatching(
        /^ {2}left out: POST \/reservations\/reservation-leaving\/check-in was refused: .+AMENITIES_REFUSED\)$/,
      ),
    ]);
    expect(await get('/reservations/reservation-leaving')).toMatchObject({ status: 'CONFIRMED' });
    expect(await get('/reservations/reservation-turnover-out')).toMatchObject({ status: 'CHECKED_OUT' });
    expect(await isLeft()).toBe(false);
  });

  it('leaves to the next start what is not done in time, or is stopped, and not to a start of another day', {
    timeout: WITHIN_MS,
  }, async () => {
    const { simulated, said, get, play, isLeft } = await openDay('2026-11-30T08:00:00Z');
    await play({ signal: AbortSignal.abort() });
    expect(said).toEqual([]);
    await play({ api: 'http://127.0.0.1:1', withinMs: 0 });
    expect(said.length).toBeGreaterThan(3);
    for (const line of said) expect(line).toContain('was not done in time');
    expect(await get('/sagas')).toEqual([]);
    expect(await isLeft()).toBe(true);
    await simulated.clock.moveTo('2026-12-01T08:00:00Z');
    expect(await isLeft()).toBe(false);
    await simulated.clock.moveTo('2026-11-30T11:00:00Z');
    said.length = 0;
    await play();
    expect([said, await isLeft()]).toEqual([[], false]);
    expect(await get('/reservations/reservation-turnover-out')).toMatchObject({ status: 'CHECKED_OUT' });
  });

  it('is not put among the stays of somebody who has some already', { timeout: WITHIN_MS }, async () => {
    const { system, simulated } = await openDay('2026-11-30T08:00:00Z');
    const counted = async () =>
      (await system.bed.db.selectFrom('reservation').select('id').execute()).map(({ id }) => id).toSorted();
    const before = await counted();
    await loadDemo(system.bed.db, simulated.clock.now());
    expect(await counted()).toEqual(before);
    const other = await createTestDatabase();
    open.push(() => other.drop());
    const db = createDb(createPool({ connectionString: other.url, max: 1, applicationName: 'demo' }));
    open.push(() => db.destroy());
    await prepareStays(db);
    await seedStay(db);
    await loadDemo(db, systemClock.now());
    const stays = await db.selectFrom('reservation').select('id').execute();
    expect(stays.map(({ id }) => id)).not.toContain('reservation-arriving');
    expect(stays.map(({ id }) => id)).toContain('reservation-4');
  });
});
