import type { GeoPoint, StaffRole, TaskType } from '../../db/schema.ts';
import { type LocalMoment, localMoment } from '../../kernel/local-day.ts';
import { compareScored, type Scored, type ScoreRules, scoreOf } from './score.ts';
import { distanceKm, travelMinutes } from './travel.ts';
import { type StartWindow, slotsBetween } from './window.ts';

/** Which people can do a task at a time, and in which order they are preferred (domain.md 11). Pure; all instants in milliseconds. */

export const ROLES: Readonly<Record<TaskType, readonly StaffRole[]>> = {
  CLEANING: ['CLEANER'],
  CHECK_IN: ['AGENT'],
  CHECK_OUT: ['AGENT'],
  INSPECTION: ['AGENT', 'MAINTENANCE_STAFF'],
  MAINTENANCE: ['MAINTENANCE_STAFF'],
  EMERGENCY: ['MAINTENANCE_STAFF'],
  FINANCE: [],
};
const TASK_TYPES = Object.keys(ROLES) as readonly TaskType[];

/** Whether a role may do a type of task. The office's own types have no role: a person assigns them to anybody. */
export const mayDo = (type: TaskType, role: StaffRole): boolean =>
  ROLES[type].length === 0 || ROLES[type].includes(role);

/** The types of task that a role may do. */
export const workOf = (role: StaffRole): readonly TaskType[] => TASK_TYPES.filter((type) => ROLES[type].includes(role));

/** Why a person cannot do a task, in the order in which it is checked. */
export const OBSTACLES = [
  'ROLE',
  'INACTIVE',
  'SKILLS',
  'PLACE',
  'OFF_SHIFT',
  'ON_LEAVE',
  'BUSY',
  'DAY_FULL',
  'REFUSED',
] as const;
export type Obstacle = (typeof OBSTACLES)[number];

export interface Span {
  readonly startMs: number;
  readonly endMs: number;
}
/** A task that somebody has, or a time that is kept free: a hold. */
export interface Booking extends Span {
  readonly location: GeoPoint | null;
}
/** Of one weekday and zone; shifts that touch are one. */
export interface ShiftSpan {
  readonly weekday: number;
  readonly zone: string;
  readonly fromMinute: number;
  readonly toMinute: number;
}
export interface Person {
  readonly id: string;
  readonly role: StaffRole;
  readonly skills: readonly string[];
  readonly home: GeoPoint | null;
  /** Null: everywhere. */
  readonly propertyIds: readonly string[] | null;
  readonly region: string | null;
  /** Null: always. */
  readonly shifts: readonly ShiftSpan[] | null;
  readonly capMinutes: number | null;
  readonly leave: readonly Span[];
  /** Grows while a plan is made: what the plan gives counts at once. */
  readonly bookings: Booking[];
  lastJobMs: number | null;
  /** The counter with which this was read. */
  readonly counted: number;
}
export interface Place {
  readonly propertyId: string;
  readonly region: string | null;
  readonly timeZone: string;
  readonly location: GeoPoint | null;
  readonly primaryIds: readonly string[];
}
export interface Wanted {
  readonly taskId: string;
  readonly type: TaskType;
  readonly skills: readonly string[];
  readonly place: Place;
  readonly window: StartWindow;
  /** The people who have declined it before, or have not answered. */
  readonly refusedBy: ReadonlySet<string>;
}
export interface Rules extends ScoreRules {
  readonly speedKmh: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** The obstacle that keeps a person from a task at any time; null: none. */
export function standingObstacle(person: Person, wanted: Wanted): Obstacle | null {
  if (!ROLES[wanted.type].includes(person.role)) return 'ROLE';
  if (!wanted.skills.every((skill) => person.skills.includes(skill))) return 'SKILLS';
  const { propertyIds, region } = person;
  const here = propertyIds === null || propertyIds.includes(wanted.place.propertyId);
  return here && (region === null || region === wanted.place.region) ? null : 'PLACE';
}

/** The obstacle for a person without a standing one, for work that starts at `startMs`; null: none. */
export function obstacleAt(person: Person, wanted: Wanted, startMs: number, rules: Rules): Obstacle | null {
  const endMs = startMs + wanted.window.durationMs;
  if (!onShift(person, startMs, endMs)) return 'OFF_SHIFT';
  if (person.leave.some((span) => span.startMs < endMs && startMs < span.endMs)) return 'ON_LEAVE';
  if (person.bookings.some((booking) => collides(booking, wanted.place, startMs, endMs, rules))) return 'BUSY';
  if (exceedsCap(person, wanted.place.timeZone, startMs, endMs)) return 'DAY_FULL';
  return wanted.refusedBy.has(person.id) ? 'REFUSED' : null;
}

/** One shift after the other, where one ends with its day and the next begins with the day after. */
function onShift(person: Person, startMs: number, endMs: number): boolean {
  if (person.shifts === null) return true;
  return person.shifts.some(({ weekday, zone, fromMinute, toMinute }) => {
    const from = localMoment(startMs, zone);
    if (from.weekday !== weekday || from.minute < fromMinute || from.minute >= toMinute) return false;
    if (toMinute >= DAY_MINUTES) return endMs <= from.dayEndMs || onShift(person, from.dayEndMs, endMs);
    const to = localMoment(endMs, zone);
    return to.date === from.date && to.minute <= toMinute;
  });
}
const DAY_MINUTES = 1_440;

/** Overlaps, or leaves too little time for the way between the two. */
function collides(booking: Booking, place: Place, startMs: number, endMs: number, rules: Rules): boolean {
  if (booking.startMs < endMs && startMs < booking.endMs) return true;
  const gapMs = booking.endMs <= startMs ? startMs - booking.endMs : booking.startMs - endMs;
  return gapMs < MAX_TRAVEL_MS && gapMs < travelMinutes(booking.location, place.location, rules.speedKmh) * MINUTE_MS;
}
/** So long before and after its own day a task looks for neighbours that it must be reached from. */
export const MAX_TRAVEL_MS = 3 * HOUR_MS;

function exceedsCap({ capMinutes, bookings }: Person, timeZone: string, startMs: number, endMs: number): boolean {
  if (capMinutes === null) return false;
  const task = { startMs, endMs };
  // The last moment of the work, not the one after it: work until midnight is of one day.
  return [localMoment(startMs, timeZone), localMoment(endMs - MINUTE_MS, timeZone)].some(
    (day) => minutesWithin(day, bookings) + minutesWithin(day, [task]) > capMinutes,
  );
}

/** The minutes of the spans that lie within a local day. */
export function minutesWithin({ dayStartMs, dayEndMs }: LocalMoment, spans: readonly Span[]): number {
  let total = 0;
  for (const { startMs, endMs } of spans) {
    total += Math.max(0, Math.min(endMs, dayEndMs) - Math.max(startMs, dayStartMs));
  }
  return total / MINUTE_MS;
}

/** The score of a person who can do the task at that time, with the figures that it is made from. */
export function scored(person: Person, wanted: Wanted, startMs: number, rules: Rules, nowMs: number): Scored {
  const day = localMoment(startMs, wanted.place.timeZone);
  let before: Booking | null = null;
  let tasksThatDay = 0;
  for (const booking of person.bookings) {
    if (booking.endMs <= day.dayStartMs || booking.startMs >= day.dayEndMs) continue;
    tasksThatDay += 1;
    if (booking.endMs <= startMs && (before === null || booking.endMs > before.endMs)) before = booking;
  }
  const standing = {
    bookedMinutes: minutesWithin(day, person.bookings),
    tasksThatDay,
    capMinutes: person.capMinutes,
    travelKm: distanceKm(before === null ? person.home : before.location, wanted.place.location),
    isPrimary: wanted.place.primaryIds.includes(person.id),
    hoursSinceLastJob: person.lastJobMs === null ? null : Math.max(0, nowMs - person.lastJobMs) / HOUR_MS,
  };
  return { staffId: person.id, ...standing, score: scoreOf(standing, rules) };
}

export interface Found {
  readonly startMs: number;
  /** The people who can then, best first; empty when nobody can at any start that was looked at. */
  readonly ranked: readonly Scored[];
  /** The obstacle of each of the others at that start. */
  readonly obstacles: ReadonlyMap<string, Obstacle>;
}

/** The earliest slot from `fromMs` to `toMs` at which somebody can, and who can then; the first slot when nobody can. */
export function firstFeasible(
  people: readonly Person[],
  wanted: Wanted,
  span: { readonly fromMs: number; readonly toMs: number },
  { rules, nowMs }: { readonly rules: Rules; readonly nowMs: number },
): Found {
  const standing = new Map<string, Obstacle>();
  const able: Person[] = [];
  for (const person of people) {
    const obstacle = standingObstacle(person, wanted);
    if (obstacle === null) able.push(person);
    else standing.set(person.id, obstacle);
  }
  let first: ReadonlyMap<string, Obstacle> = standing;
  for (const startMs of able.length === 0 ? [] : slotsBetween(span.fromMs, span.toMs)) {
    const free: Person[] = [];
    const obstacles = new Map(standing);
    for (const person of able) {
      const obstacle = obstacleAt(person, wanted, startMs, rules);
      if (obstacle === null) free.push(person);
      else obstacles.set(person.id, obstacle);
    }
    if (startMs === span.fromMs) first = obstacles;
    if (free.length === 0) continue;
    const ranked = free.map((person) => scored(person, wanted, startMs, rules, nowMs)).sort(compareScored);
    return { startMs, ranked, obstacles };
  }
  return { startMs: span.fromMs, ranked: [], obstacles: first };
}
