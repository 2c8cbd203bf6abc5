import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { Shift } from '../../db/schema.ts';
import { releaseTasks } from '../tasks/store/assign.ts';
import { obstacleAt, type Person, standingObstacle, type Wanted } from './candidates.ts';
import { OPEN_TASK, type OpenTask, wantedOf } from './open-task.ts';
import { notifyReleased } from './release.ts';
import { mergedShifts, type Roster, readRoster, spanAround } from './staffing.ts';

/** The fields of a person that decide which tasks the person can do, and that may change. */
export interface Abilities {
  readonly skills: readonly string[];
  readonly property_ids: readonly string[] | null;
  readonly region: string | null;
  readonly shifts: readonly Shift[] | null;
  readonly max_minutes_per_day: number | null;
}

interface Held {
  readonly id: string;
  readonly wanted: Wanted;
  readonly startMs: number;
  readonly endMs: number;
  readonly isOver: boolean;
}
/** Somebody’s tasks as they stand, with what else that person has to do. */
export interface HeldTasks {
  readonly tasks: readonly Held[];
  readonly person: Person | undefined;
  readonly roster: Roster;
}

/** Of before the change; the person’s row must be locked. */
export async function readHeldTasks(tx: Tx, staffId: string): Promise<HeldTasks | null> {
  const { rows } = await sql<OpenTask & { now_ms: number }>`
    SELECT ${OPEN_TASK}, (extract(epoch FROM now()) * 1000)::bigint AS now_ms FROM task t JOIN property p ON p.id = t.property_id
     WHERE t.assignee_id = ${staffId} AND t.status = 'ASSIGNED' AND t.type <> 'FINANCE'
     ORDER BY coalesce(t.slot_start, t.scheduled_at), t.id FOR UPDATE OF t`.execute(tx);
  if (rows.length === 0) return null;
  const tasks = rows.map((task): Held => {
    const startMs = (task.slot_start ?? task.scheduled_at).getTime();
    const endMs = (task.slot_end ?? task.ends_at).getTime();
    const wanted = wantedOf(task, startMs, true);
    const window = { ...wanted.window, firstMs: startMs, durationMs: endMs - startMs };
    return { id: task.id, wanted: { ...wanted, window }, startMs, endMs, isOver: endMs <= task.now_ms };
  });
  const roster = await readRoster(tx, {
    wanted: tasks.map(({ wanted }) => wanted),
    spans: tasks.map(({ wanted: { place }, startMs, endMs }) => spanAround(place, startMs, startMs, endMs - startMs)),
  });
  return { tasks, person: roster.people.find(({ id }) => id === staffId), roster };
}

/**
 * After a change of a person's abilities: the tasks that the person could do before and cannot do any more go to others, as
 * for leave, with a message to the person. Of a day that has become too full, the first tasks are kept. A task that somebody
 * had assigned against the rules stays.
 */
export async function releaseLostTasks(tx: Tx, held: HeldTasks, now: Abilities): Promise<void> {
  const { person } = held;
  if (!person) return;
  const changed: Person = {
    ...person,
    skills: now.skills,
    propertyIds: now.property_ids,
    region: now.region,
    shifts: now.shifts === null ? null : mergedShifts(now.shifts),
    capMinutes: now.max_minutes_per_day,
  };
  const could = doable(held, person);
  const can = doable(held, changed);
  const lost = held.tasks.filter(({ id }) => could.has(id) && !can.has(id)).map(({ id }) => id);
  await notifyReleased(tx, await releaseTasks(tx, lost));
}

/**
 * After a change of a property's region: the tasks there of people who work in its former region go to others, with a message
 * to each person.
 */
export async function releaseTasksElsewhere(tx: Tx, propertyId: string, formerRegion: string): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    SELECT t.id FROM task t JOIN staff s ON s.id = t.assignee_id
     WHERE t.property_id = ${propertyId} AND t.status = 'ASSIGNED' AND t.type <> 'FINANCE' AND s.region = ${formerRegion}
     ORDER BY t.id FOR UPDATE OF t`.execute(tx);
  const released = await releaseTasks(
    tx,
    rows.map(({ id }) => id),
  );
  await notifyReleased(tx, released);
}

/** One after the other, so that a task is judged beside those that are kept. A task whose time is over may be done already, and is kept. */
function doable({ tasks, roster }: HeldTasks, person: Person): ReadonlySet<string> {
  const bookings = [...person.bookings];
  for (const { startMs, endMs } of tasks) {
    const own = bookings.findIndex((booking) => booking.startMs === startMs && booking.endMs === endMs);
    if (own >= 0) bookings.splice(own, 1);
  }
  const working = { ...person, bookings };
  const kept = new Set<string>();
  for (const { id, wanted, startMs, endMs, isOver } of tasks) {
    if (standingObstacle(working, wanted) !== null) continue;
    if (!isOver && obstacleAt(working, wanted, startMs, roster.rules) !== null) continue;
    kept.add(id);
    bookings.push({ startMs, endMs, location: wanted.place.location });
  }
  return kept;
}
