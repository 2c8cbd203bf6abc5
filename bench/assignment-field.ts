import { sql } from 'kysely';
import type { Db } from '../src/db/client.ts';
import { assignDueTasks } from '../src/domain/assignment/assign-sweep.ts';
import {
  type Booking,
  minutesWithin,
  obstacleAt,
  type Person,
  standingObstacle,
  type Wanted,
} from '../src/domain/assignment/candidates.ts';
import { OPEN_TASK, type OpenTask, wantedOf } from '../src/domain/assignment/open-task.ts';
import { type Roster, readRoster } from '../src/domain/assignment/staffing.ts';
import { distanceKm } from '../src/domain/assignment/travel.ts';
import { getTask } from '../src/domain/tasks/resource.ts';
import { localMoment } from '../src/kernel/local-day.ts';
import { median } from './load.ts';

/** Made-up staff and work, and what came of assigning it. The bench prints it; test/integration/assignment.test.ts asserts it. */

export interface FieldPlan {
  readonly staff: number;
  readonly tasks: number;
  readonly days: number;
  /** Whether properties and homes have places; without, all staff is equal. */
  readonly places: boolean;
}
const ZONE = 'Asia/Dubai';
const PROPERTIES = 100;
/** Later than any clock on which this runs. */
const FIRST_DAY = '2031-03-03';
const CAP_MINUTES = 480;
const TASK_MINUTES = 60;

/** Numbers from 0 to 1 that are the same on every run (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Somewhere in a city of some 20 km. */
const somewhere = (roll: () => number) => ({ lat: 25.05 + roll() * 0.18, lng: 55.15 + roll() * 0.2 });

export async function seedField(db: Db, plan: FieldPlan): Promise<void> {
  const roll = dice(plan.tasks + plan.staff);
  const shifts = JSON.stringify(
    [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, from: '08:00', to: '18:00', zone: ZONE })),
  );
  await db.insertInto('owner').values({ id: 'field-owner', name: 'Olga', email: 'olga@example.com' }).execute();
  await db
    .insertInto('property')
    .values(
      Array.from({ length: PROPERTIES }, (_, n) => ({
        id: `field-${n}`,
        name: `Flat ${n}`,
        owner_id: 'field-owner',
        location: plan.places ? JSON.stringify(somewhere(roll)) : null,
      })),
    )
    .execute();
  await db
    .insertInto('staff')
    .values(
      Array.from({ length: plan.staff }, (_, n) => ({
        id: `field-cleaner-${String(n).padStart(3, '0')}`,
        name: `Cleaner ${n}`,
        email: `cleaner-${n}@example.com`,
        role: 'CLEANER' as const,
        shifts,
        max_minutes_per_day: CAP_MINUTES,
        home_location: plan.places ? JSON.stringify(somewhere(roll)) : null,
      })),
    )
    .execute();
  const first = Date.parse(`${FIRST_DAY}T08:00:00+04:00`);
  const tasks = Array.from({ length: plan.tasks }, (_, n) => {
    const start = first + (n % plan.days) * 86_400_000 + Math.floor(roll() * 19) * 30 * 60_000;
    return {
      id: `field-task-${String(n).padStart(5, '0')}`,
      property_id: `field-${Math.floor(roll() * PROPERTIES)}`,
      type: 'CLEANING' as const,
      occurrence: 'MANUAL',
      title: 'Clean',
      status: 'UNASSIGNED' as const,
      scheduled_at: new Date(start),
      ends_at: new Date(start + TASK_MINUTES * 60_000),
    };
  });
  for (let from = 0; from < tasks.length; from += 500) {
    await db
      .insertInto('task')
      .values(tasks.slice(from, from + 500))
      .execute();
  }
  await sql`ANALYZE task, staff, property`.execute(db);
}

/** `atOnce` sweeps beside each other, until nothing is due any more. */
export async function sweepAll(db: Db, atOnce: number): Promise<void> {
  const loop = async (): Promise<void> => {
    for (let round = 0; round < 2_000; round += 1) {
      if ((await assignDueTasks(db, 50)) === 0) return;
    }
  };
  const left = () =>
    db
      .selectFrom('task')
      .select('id')
      .where('status', '=', 'UNASSIGNED')
      .where('assign_attempts', '=', 0)
      .limit(1)
      .execute();
  for (let look = 0; look < 100; look += 1) {
    await Promise.all(Array.from({ length: atOnce }, loop));
    if ((await left()).length === 0) return;
    // What was put off by a second, because somebody else was quicker.
    await sql`UPDATE task SET next_assign_at = now() WHERE status = 'UNASSIGNED' AND assign_attempts = 0`.execute(db);
  }
  throw new Error('the sweeps did not come to an end');
}

export interface FieldResult {
  readonly assigned: number;
  readonly unassigned: number;
  readonly overlaps: number;
  readonly capsBroken: number;
  /** The most less the least booked minutes of a day, on the day where they differ most. */
  readonly spreadMinutes: number;
  readonly travelKm: number;
  /** Of a random assignment of the same tasks by the same filters. */
  readonly randomTravelKm: number;
}

interface AssignedRow {
  readonly id: string;
  readonly assignee_id: string;
  readonly starts: Date;
  readonly ends: Date;
  readonly location: Booking['location'];
}

export async function measureField(db: Db, plan: FieldPlan): Promise<FieldResult> {
  const { rows } = await sql<AssignedRow>`
    SELECT t.id, t.assignee_id, coalesce(t.slot_start, t.scheduled_at) AS starts, coalesce(t.slot_end, t.ends_at) AS ends, p.location
      FROM task t JOIN property p ON p.id = t.property_id WHERE t.status = 'ASSIGNED' AND t.id LIKE 'field-task-%' ORDER BY 3`.execute(
    db,
  );
  const roster = await rosterOf(db);
  const work = new Map<string, Booking[]>(roster.people.map(({ id }) => [id, []]));
  for (const { assignee_id, starts, ends, location } of rows) {
    work.get(assignee_id)?.push({ startMs: starts.getTime(), endMs: ends.getTime(), location });
  }
  const lists = [...work.values()];
  const days = Array.from({ length: plan.days }, (_, n) =>
    localMoment(Date.parse(`${FIRST_DAY}T12:00:00+04:00`) + n * 86_400_000, ZONE),
  );
  const byDay = days.map((day) => lists.map((list) => minutesWithin(day, list)));
  return {
    assigned: rows.length,
    unassigned: plan.tasks - rows.length,
    overlaps: lists.reduce((sum, list) => sum + overlapsIn(list), 0),
    capsBroken: byDay.flat().filter((minutes) => minutes > CAP_MINUTES).length,
    spreadMinutes: Math.max(...byDay.map((minutes) => Math.max(...minutes) - Math.min(...minutes))),
    travelKm: travelOf(roster.people, work),
    randomTravelKm: await randomTravel(db, roster),
  };
}

const overlapsIn = (list: readonly Booking[]): number =>
  list.filter((one, n) => list.slice(n + 1).some((other) => one.startMs < other.endMs && other.startMs < one.endMs))
    .length;

/** From home, each day anew. */
function travelOf(people: readonly Person[], work: ReadonlyMap<string, readonly Booking[]>): number {
  let total = 0;
  for (const { id, home } of people) {
    let before: { readonly date: string; readonly location: Booking['location'] } | null = null;
    for (const { startMs, location } of (work.get(id) ?? []).toSorted((a, b) => a.startMs - b.startMs)) {
      const { date } = localMoment(startMs, ZONE);
      total += distanceKm(before?.date === date ? before.location : home, location) ?? 0;
      before = { date, location };
    }
  }
  return total;
}

/** With nothing booked. */
async function rosterOf(db: Db): Promise<Roster> {
  const place = { propertyId: '', region: null, timeZone: ZONE, location: null, primaryIds: [] };
  return readRoster(db, { wanted: [{ taskId: '', type: 'CLEANING', place }], spans: [] });
}

async function randomTravel(db: Db, { people, rules }: Roster): Promise<number> {
  const roll = dice(7);
  const { rows } = await sql<OpenTask>`
    SELECT ${OPEN_TASK} FROM task t JOIN property p ON p.id = t.property_id WHERE t.id LIKE 'field-task-%' ORDER BY t.scheduled_at, t.id`.execute(
    db,
  );
  for (const task of rows) {
    const wanted: Wanted = wantedOf(task, 0);
    const startMs = wanted.window.firstMs;
    const able = people.filter(
      (one) => standingObstacle(one, wanted) === null && obstacleAt(one, wanted, startMs, rules) === null,
    );
    const person = able[Math.floor(roll() * able.length)];
    person?.bookings.push({ startMs, endMs: startMs + wanted.window.durationMs, location: wanted.place.location });
  }
  return travelOf(people, new Map(people.map(({ id, bookings }) => [id, bookings])));
}

const SEEDED_AT_ONCE = 5_000;

/** A house with this many people, of three roles in twenty regions, and tasks, a third of them past, in which one task is to be assigned. */
export async function seedHouse(db: Db, staff: number, tasks: number): Promise<void> {
  await sql`INSERT INTO owner (id, name, email) VALUES ('house-owner', 'Olga', 'olga@example.com')`.execute(db);
  await sql`
    INSERT INTO property (id, name, owner_id, region, location)
    SELECT 'house-' || n, 'Flat ' || n, 'house-owner', 'region-' || n % 20,
           jsonb_build_object('lat', 25.05 + n * 0.0003, 'lng', 55.15 + n % 37 * 0.005) FROM generate_series(0, 499) n`.execute(
    db,
  );
  await sql`
    INSERT INTO staff (id, name, email, role, region, shifts, max_minutes_per_day, home_location)
    SELECT 'house-staff-' || n, 'Staff ' || n, 'staff-' || n || '@example.com', (ARRAY['CLEANER','CLEANER','CLEANER','AGENT','MAINTENANCE_STAFF'])[1 + n % 5],
           CASE WHEN n % 20 > 0 THEN 'region-' || n / 5 % 20 END,
           (SELECT jsonb_agg(jsonb_build_object('weekday', d, 'from', '07:00', 'to', '19:00', 'zone', 'Asia/Dubai')) FROM generate_series(1, 7) d),
           480, jsonb_build_object('lat', 25.05 + n * 0.0003, 'lng', 55.15 + n % 41 * 0.005) FROM generate_series(0, ${staff - 1}::int) n`.execute(
    db,
  );
  // In parts: a statement of the product's connections must end within seconds, on a slow machine too.
  for (let first = 0; first < tasks; first += SEEDED_AT_ONCE)
    await seedHouseTasks(db, staff, first, Math.min(first + SEEDED_AT_ONCE, tasks));
  await seedHouseMessages(db);
  // What autovacuum does within minutes: every task has counted on its person's row.
  await sql`VACUUM (FULL) staff`.execute(db);
  await sql`VACUUM (ANALYZE)`.execute(db);
}

/** Each person has four tasks of one hour a day: half of them in the morning, half in the afternoon. */
async function seedHouseTasks(db: Db, staff: number, first: number, end: number): Promise<void> {
  await sql`
    INSERT INTO task (id, property_id, type, occurrence, title, status, assignee_id, scheduled_at, ends_at, next_assign_at, completed_at)
    SELECT 'house-task-' || n, 'house-' || n % 500, 'CLEANING', 'MANUAL', 'Clean', CASE WHEN n / ${staff}::int / 4 < 8 THEN 'COMPLETED' ELSE 'ASSIGNED' END,
           'house-staff-' || n % ${staff}::int, slot.at, slot.at + interval '1 hour', NULL,
           CASE WHEN n / ${staff}::int / 4 < 8 THEN slot.at + interval '1 hour' END
      FROM generate_series(${first}::int, ${end - 1}::int) n,
           LATERAL (SELECT timestamptz '2031-03-01 08:00+04' + n / ${staff}::int / 4 * interval '1 day'
             + (n / ${staff}::int % 4 + n % 2 * 5) * interval '1 hour' AS at) slot`.execute(db);
}

/** To those who have got some of the tasks: where nothing was ever sent, every message is read to find one. */
async function seedHouseMessages(db: Db): Promise<void> {
  await sql`
    INSERT INTO notification (id, effect_key, task_id, event, template, channel, recipient_type, recipient_id, status, sent_at)
    SELECT 'house-message-' || t.id, t.id || '-assigned-' || t.assignee_id || '-2', t.id, 'TASK_ASSIGNED', 'task-assigned.staff@1', 'EMAIL', 'STAFF', t.assignee_id, 'SENT', now()
      FROM task t WHERE t.id LIKE 'house-task-%0'`.execute(db);
}

/** Of each so many values on end. */
const sumsOf = (values: readonly number[], size: number): readonly number[] =>
  values.flatMap((_, n) => (n % size === size - 1 ? [values.slice(n + 1 - size, n + 1).reduce((a, b) => a + b)] : []));

export interface HouseResult {
  /** How many people may be given one of these tasks, by role and place: what an assignment costs goes with it. */
  readonly people: number;
  /** Medians. */
  readonly assignMs: number;
  readonly selectMs: number;
  readonly ratio: number;
}

/** Between two assignments. */
const READS = 5;
/** So many reads take about as long as an assignment may, so that a neighbour's load is met by both as often. */
const READS_AT_ONCE = 20;
const WARM_UP = 5;

/**
 * Each time one more task is made, outside of what is measured, and assigned; between them tasks are read by their keys. What
 * else runs on this machine interrupts what takes long more often than what is short, and a median of short reads
 * hides it: so the reads are added up to as many as are compared with.
 */
export async function measureHouse(db: Db, times: number, run = 'first'): Promise<HouseResult> {
  const assigned: number[] = [];
  const reads: number[] = [];
  for (let n = -WARM_UP; n < times; n += 1) {
    await sql`
      INSERT INTO task (id, property_id, type, occurrence, title, status, scheduled_at, ends_at)
      SELECT 'house-new-' || ${`${run}-${n}`}::text, 'house-' || 250 + ${n}::int, 'CLEANING', 'MANUAL', 'Clean', 'UNASSIGNED', slot.at, slot.at + interval '1 hour'
        FROM (SELECT timestamptz '2031-03-12 09:00+04' + ${n + 5}::int / 8 * interval '1 day' AS at) slot`.execute(db);
    const before = performance.now();
    const looked = await assignDueTasks(db, 50);
    const took = performance.now() - before;
    if (looked !== 1) throw new Error(`${looked} tasks were due`);
    const from = performance.now();
    for (let read = 0; read < READS; read += 1) {
      await getTask(db, `house-task-${(n + 5) * 7 + read}`);
    }
    const look = performance.now() - from;
    // Those before the first warm up what is prepared once a connection.
    if (n < 0) continue;
    assigned.push(took);
    reads.push(look);
  }
  const selected = sumsOf(reads, READS_AT_ONCE / READS).map((sum) => sum / READS_AT_ONCE);
  const assignMs = median(assigned) ?? 0;
  const selectMs = median(selected) ?? 1;
  const { rows } = await sql<{ n: number }>`
    SELECT count(*) AS n FROM staff s WHERE s.role = 'CLEANER' AND (s.region IS NULL OR s.region = (SELECT region FROM property WHERE id = 'house-250'))`.execute(
    db,
  );
  return { people: rows[0]?.n ?? 0, assignMs, selectMs, ratio: assignMs / selectMs };
}
