import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { unlessRefused } from '../../db/savepoint.ts';
import type { TaskPriority, TaskType } from '../../db/schema.ts';
import { markDisplaced, releaseTasks } from '../tasks/store/assign.ts';
import { book } from './book.ts';
import { firstFeasible, obstacleAt, type Person, standingObstacle } from './candidates.ts';
import { OPEN_TASK, type OpenTask, wantedOf } from './open-task.ts';
import { type Asked, type Planned, planTasks, type Unplanned } from './plan.ts';
import { ALERTED_ONCE, alertAbout, postponeForNobody } from './postpone.ts';
import { type Roster, readRoster, spanAround } from './staffing.ts';
import { slotsBetween } from './window.ts';

/**
 * An emergency for which nobody is free at once takes the time of routine work (domain.md 11). The routine task is planned
 * anew in the same transaction, and gives way only once.
 */

/** A task that somebody has and that is not under way. */
export interface HeldTask extends OpenTask {
  readonly assignee_id: string;
  readonly displaced_by: string | null;
}

/** Work that can as well be done at another time. A guest stands before the door at a meeting; money is the office's own. */
const ROUTINE: Readonly<Record<TaskType, boolean>> = {
  CLEANING: true,
  INSPECTION: true,
  MAINTENANCE: true,
  CHECK_IN: false,
  CHECK_OUT: false,
  EMERGENCY: false,
  FINANCE: false,
};
/** Lowest first; what is higher does not give way. */
const GIVES_WAY: readonly TaskPriority[] = ['LOW', 'NORMAL'];
const DAY_MS = 86_400_000;

/** Only emergencies take anything from anybody, however urgent other work is. */
export const mayDisplace = ({ type }: Pick<OpenTask, 'type'>): boolean => type === 'EMERGENCY';

/**
 * Whether a task that nobody has begun gives way to an emergency: routine work that is not urgent, whose time no person has
 * set, that need not be over within a day after it was to end (a turnover before an arrival), and that has not given way before.
 */
export function givesWay(task: Omit<HeldTask, 'assignee_id'>): boolean {
  if (!ROUTINE[task.type] || !GIVES_WAY.includes(task.priority) || task.displaced_by !== null) return false;
  if (task.manual_fields.includes('scheduledDate')) return false;
  return task.must_finish_by === null || task.must_finish_by.getTime() - endOf(task) >= DAY_MS;
}

const startOf = (task: OpenTask): number => (task.slot_start ?? task.scheduled_at).getTime();
const endOf = (task: OpenTask): number => (task.slot_end ?? task.ends_at).getTime();

/** The changes that are necessary for one person to come. */
interface Way {
  readonly planned: Planned;
  readonly displaced: readonly HeldTask[];
  readonly replanned: readonly Planned[];
  readonly nobody: readonly Unplanned[];
}

/**
 * `booked`: the emergency is given to somebody whose routine work had to go. `free`: nothing needs to go, or nothing that
 * goes would help. `busy`: somebody planned with these people at the same moment; to be looked at again.
 */
export type Displacement =
  | { readonly kind: 'booked'; readonly planned: Planned }
  | { readonly kind: 'free' }
  | { readonly kind: 'busy' };

/** For an emergency that is UNASSIGNED and whose row is locked. `ownHold`: the caller's, which does not stand in its way. */
export async function displaceFor(
  tx: Tx,
  asked: Asked,
  { notifies, ownHold = null }: { readonly notifies: boolean; readonly ownHold?: string | null },
): Promise<Displacement> {
  if (!mayDisplace(asked.task)) return { kind: 'free' };
  const { wanted } = asked;
  const { window, place } = wanted;
  const span = spanAround(place, window.firstMs, asked.untilMs, window.durationMs);
  const first = await readRoster(tx, { wanted: [wanted], spans: [span], ownHold });
  const refusedBy = first.refusals.get(asked.task.id) ?? wanted.refusedBy;
  const asking = { ...asked, wanted: { ...wanted, refusedBy } };
  const free = firstFeasible(first.people, asking.wanted, { fromMs: window.firstMs, toMs: asked.untilMs }, first);
  if (free.ranked.length > 0 && free.startMs === window.firstMs) return { kind: 'free' };
  const able = first.people.filter((person) => standingObstacle(person, asking.wanted) === null);
  const held = (await readHeld(tx, able, span)).filter(givesWay);
  if (held.length === 0) return { kind: 'free' };
  // With everybody who could do what has to go, wherever else it could be done.
  const others = held.map((task) => wantedOf(task, first.nowMs));
  const spans = others.map((other) =>
    spanAround(other.place, other.window.firstMs, other.window.lastMs, other.window.durationMs),
  );
  const roster = await readRoster(tx, { wanted: [wanted, ...others], spans: [span, ...spans], ownHold });
  const untilMs = free.ranked.length > 0 ? free.startMs - 1 : asked.untilMs;
  const way = wayFor({ ...asking, untilMs }, held, roster);
  if (!way) return { kind: 'free' };
  return (await take(tx, way, notifies)) ? { kind: 'booked', planned: way.planned } : { kind: 'busy' };
}

/** Their tasks that are not under way, around the time of an emergency. */
async function readHeld(
  tx: Tx,
  people: readonly Person[],
  { startMs, endMs }: { readonly startMs: number; readonly endMs: number },
): Promise<readonly HeldTask[]> {
  const { rows } = await sql<HeldTask>`
    SELECT ${OPEN_TASK}, t.assignee_id, t.displaced_by FROM task t JOIN property p ON p.id = t.property_id
     WHERE t.assignee_id = ANY(${people.map(({ id }) => id)}::text[]) AND t.status = 'ASSIGNED'
       AND coalesce(t.slot_start, t.scheduled_at) < ${new Date(endMs).toISOString()}::timestamptz
       AND coalesce(t.slot_end, t.ends_at) > ${new Date(startMs).toISOString()}::timestamptz
     ORDER BY t.id`.execute(tx);
  return rows;
}

/** At the earliest start at which anybody can come if routine work goes; of several people, with the least harm. Pure. */
export function wayFor(asked: Asked, held: readonly HeldTask[], roster: Roster): Way | null {
  const { window } = asked.wanted;
  for (const startMs of slotsBetween(window.firstMs, asked.untilMs)) {
    const ways = roster.people.flatMap((person) => {
      const displaced = whatMustGo(person, asked, startMs, held, roster);
      return displaced === null ? [] : [wayOf(person, asked, startMs, displaced, roster)];
    });
    const [best] = ways.toSorted(byHarm);
    if (best) return best;
  }
  return null;
}

/** The least that must go so that this person can come then; null: they cannot, whatever goes. Most worth keeping is kept first. */
function whatMustGo(
  person: Person,
  { wanted }: Asked,
  startMs: number,
  held: readonly HeldTask[],
  { rules }: Roster,
): readonly HeldTask[] | null {
  if (standingObstacle(person, wanted) !== null) return null;
  const own = held.filter((task) => task.assignee_id === person.id);
  let bookings = without(person, own).bookings;
  const can = (some: Person['bookings']): boolean =>
    obstacleAt({ ...person, bookings: some }, wanted, startMs, rules) === null;
  if (own.length === 0 || !can(bookings)) return null;
  const gone: HeldTask[] = [];
  for (const task of own.toSorted((a, b) => byPriority(b, a) || startOf(a) - startOf(b))) {
    const kept = [...bookings, { startMs: startOf(task), endMs: endOf(task), location: task.location }];
    if (can(kept)) bookings = kept;
    else gone.push(task);
  }
  return gone.length === 0 ? null : gone;
}

const byPriority = (a: OpenTask, b: OpenTask): number => GIVES_WAY.indexOf(a.priority) - GIVES_WAY.indexOf(b.priority);

function without(person: Person, tasks: readonly HeldTask[]): Person {
  const times = new Set(tasks.map((task) => `${startOf(task)} ${endOf(task)}`));
  return { ...person, bookings: person.bookings.filter(({ startMs, endMs }) => !times.has(`${startMs} ${endMs}`)) };
}

/** Plans the emergency for this person, and the work that had to go for anybody who can do it. */
function wayOf(person: Person, asked: Asked, startMs: number, displaced: readonly HeldTask[], roster: Roster): Way {
  const people = roster.people.map((one) =>
    one.id === person.id ? without(one, displaced) : { ...one, bookings: [...one.bookings] },
  );
  const window = { ...asked.wanted.window, firstMs: startMs };
  const onlyThem = { ...roster, people: people.filter(({ id }) => id === person.id) };
  const emergency = planTasks([{ ...asked, wanted: { ...asked.wanted, window }, untilMs: startMs }], onlyThem);
  const [planned] = emergency.planned;
  if (!planned) throw new Error(`nobody for ${asked.task.id} after all`);
  const again = displaced.map((task) => {
    // The time that was agreed goes with the person, as in any other release.
    const open = { ...task, slot_start: null, slot_end: null };
    const wanted = wantedOf(open, roster.nowMs);
    return { task: open, wanted, untilMs: wanted.window.lastMs };
  });
  const { planned: replanned, unplanned } = planTasks(again, { ...roster, people });
  return {
    planned: { ...planned, displaces: true },
    displaced,
    // A person who keeps the displaced task gets one mail about both: the emergency, and the task's new time.
    replanned: replanned.map((one) => ({ ...one, isInOtherMessage: one.staffId === person.id })),
    nobody: unplanned,
  };
}

/** Least harm first: all of it is done by somebody, little goes, of low priority, and the latest; then the better person. */
function byHarm(a: Way, b: Way): number {
  const rank = ({ displaced }: Way): number =>
    displaced.reduce((sum, { priority }) => sum + GIVES_WAY.indexOf(priority), 0);
  const earliest = ({ displaced }: Way): number => Math.min(...displaced.map(startOf));
  return (
    a.nobody.length - b.nobody.length ||
    a.displaced.length - b.displaced.length ||
    rank(a) - rank(b) ||
    earliest(b) - earliest(a) ||
    (a.planned.staffId < b.planned.staffId ? -1 : 1)
  );
}

class Outrun extends Error {}

/**
 * False, with nothing changed, when a person or a task is not as it was planned with: another emergency was quicker, the
 * work has begun. People are locked before their tasks, as everywhere; a person who gets other work meanwhile has another counter.
 */
async function take(tx: Tx, way: Way, notifies: boolean): Promise<boolean> {
  const { planned, displaced, replanned, nobody } = way;
  const ids = displaced.map(({ id }) => id);
  let given: ReadonlySet<string> = new Set();
  await sql`SAVEPOINT displacement`.execute(tx);
  try {
    const isFree = await unlessRefused(tx, 'no_double_shift', async () => {
      const { rows } = await sql`
        SELECT id FROM staff WHERE id = ANY(${[...new Set([planned, ...replanned].map(({ staffId }) => staffId))]}::text[])
         ORDER BY id FOR NO KEY UPDATE`.execute(tx);
      if (rows.length === 0) throw new Outrun();
      const { staffId, task } = planned;
      if ((await markDisplaced(tx, ids, { emergencyId: task.id, staffId })) < ids.length) throw new Outrun();
      if ((await releaseTasks(tx, ids)).length < ids.length) throw new Outrun();
      given = await book(tx, [planned, ...replanned], { notifies });
      if (!given.has(planned.task.id)) throw new Outrun();
    });
    if (!isFree) throw new Outrun();
  } catch (error) {
    if (!(error instanceof Outrun)) throw error;
    await sql`ROLLBACK TO SAVEPOINT displacement`.execute(tx);
    return false;
  }
  await sql`RELEASE SAVEPOINT displacement`.execute(tx);
  // One alert for each of these by name, and none in addition.
  await postponeForNobody(
    tx,
    nobody.map((one) => ({ ...one, task: { ...one.task, alert_level: Math.max(ALERTED_ONCE, one.task.alert_level) } })),
  );
  for (const { task } of nobody) await alertAbout(tx, task, 'TASK_DISPLACED', `-${planned.task.id}`);
  return true;
}
