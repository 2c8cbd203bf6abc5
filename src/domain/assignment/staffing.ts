import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { compiledOver } from '../../db/compiled-once.ts';
import { literal } from '../../db/literal.ts';
import type { GeoPoint, RefusalReason, Shift, StaffRole } from '../../db/schema.ts';
import { required } from '../../kernel/errors.ts';
import { localMoment } from '../../kernel/local-day.ts';
import { isTimeZone } from '../../kernel/time-zone.ts';
import type { QuietSpan } from '../messages/quiet-hours.ts';
import {
  type Booking,
  MAX_TRAVEL_MS,
  type Person,
  type Place,
  ROLES,
  type Rules,
  type ShiftSpan,
  type Span,
  type Wanted,
} from './candidates.ts';

/**
 * The people who may get tasks and their bookings, read by one statement and so of one moment: a person who gets a booking
 * afterwards has another count (`Person.counted`).
 */
export interface Roster {
  readonly nowMs: number;
  readonly rules: AssignmentRules;
  /** Active, of the right role, and working at one of the places; in the order of their ids. */
  readonly people: readonly Person[];
  readonly census: Census;
  /** For each task, the people who have refused it. */
  readonly refusals: ReadonlyMap<string, ReadonlySet<string>>;
  /** Of these, the people who have declined, or have not answered twice, and are not asked again. */
  readonly lastRefusals: ReadonlyMap<string, ReadonlySet<string>>;
  /** Tasks of which somebody was asked and has not answered. */
  readonly unanswered: ReadonlySet<string>;
}
export interface AssignmentRules extends Rules {
  readonly holdMinutes: number;
  readonly emergencyAcceptMinutes: number;
  readonly acceptQuiet: QuietSpan;
}
/** Everybody, counted; by name as well while they are few. */
export interface Census {
  readonly counts: readonly { readonly role: StaffRole; readonly active: boolean; readonly n: number }[];
  readonly everybody: readonly { readonly id: string; readonly role: StaffRole; readonly active: boolean }[] | null;
}
/** So often a person is asked whether they take a task, without an answer. */
const MAX_ASKED = 2;
/** So many people are explained one by one. */
export const MAX_EXPLAINED = 50;

export interface RosterRequest {
  readonly wanted: readonly Pick<Wanted, 'taskId' | 'type' | 'place'>[];
  /** Bookings outside of these are not read. */
  readonly spans: readonly Span[];
  /** The caller's own hold does not stand in the caller's way. */
  readonly ownHold?: string | null | undefined;
  /** This task's own booking does not stand in its way. */
  readonly exceptTaskId?: string | undefined;
}

/** `id, role, skills, home, propertyIds, region, which of the sets of shifts, cap, lastJobMs, bookings` */
type PersonRow = readonly [
  string,
  StaffRole,
  readonly string[],
  GeoPoint | null,
  readonly string[] | null,
  string | null,
  number,
  number | null,
  number | null,
  number,
];
/** `staffId, startMs, endMs, location` */
type BookingRow = readonly [string, number, number, GeoPoint | null];

interface RosterRow {
  readonly now_ms: number;
  readonly rules: Readonly<Record<string, number | string>>;
  readonly people: readonly PersonRow[] | null;
  /** Each of the sets; null: always. */
  readonly shifts: readonly (readonly Shift[] | null)[] | null;
  /** `staffId startMs endMs propertyId`, separated by commas. */
  readonly booked: string | null;
  readonly places: Readonly<Record<string, GeoPoint | null>> | null;
  readonly held: readonly BookingRow[] | null;
  readonly leave: readonly (readonly [string, number, number])[] | null;
  readonly refused: readonly (readonly [string, string, RefusalReason, number])[] | null;
  readonly counts: readonly (readonly [StaffRole, boolean, number])[] | null;
  readonly everybody: readonly (readonly [string, StaffRole, boolean])[] | null;
}

/** Not `extract`, whose arithmetic is numeric and ten times as slow. */
const ms = (column: string) => sql`(date_part('epoch', ${sql.ref(column)}) * 1000)::bigint`;

interface RosterValues {
  readonly roles: readonly StaffRole[];
  readonly propertyIds: readonly string[];
  readonly regions: readonly string[];
  /** Of the spans, ISO instants. */
  readonly starts: readonly string[];
  readonly ends: readonly string[];
  readonly taskIds: readonly string[];
  readonly exceptTaskId: string | null;
  readonly ownHold: string | null;
}

const selectRoster = compiledOver<RosterValues, RosterRow>(
  (value) => sql`
    WITH person AS MATERIALIZED (
      -- Many have the same shifts: each set is written out once. Compared as the bytes that they are stored as, not item by item.
      SELECT id, role, skills, home_location, property_ids, region, shifts, max_minutes_per_day, last_job_at, bookings,
             dense_rank() OVER (ORDER BY ROW(shifts) USING OPERATOR(pg_catalog.*<)) - 1 AS shift_set FROM staff
       WHERE active AND role = ANY(${value('roles')}::text[])
         AND (property_ids IS NULL OR property_ids && ${value('propertyIds')}::text[]) AND (region IS NULL OR region = ANY(${value('regions')}::text[]))),
    span AS MATERIALIZED (SELECT starts, ends FROM unnest(${value('starts')}::timestamptz[], ${value('ends')}::timestamptz[]) AS s(starts, ends)),
    -- One look into an index for each person and span, whatever the planner thinks of their number.
    booked AS MATERIALIZED (
      SELECT person.id AS assignee_id, o.starts, o.ends, o.property_id FROM person CROSS JOIN span CROSS JOIN LATERAL (
          SELECT t.property_id, coalesce(t.slot_start, t.scheduled_at) AS starts, coalesce(t.slot_end, t.ends_at) AS ends FROM task t
           WHERE t.assignee_id = person.id AND t.status IN ('ASSIGNED', 'IN_PROGRESS') AND t.id IS DISTINCT FROM ${value('exceptTaskId')}::text
             AND coalesce(t.slot_start, t.scheduled_at) >= span.starts - interval '1 day' AND coalesce(t.slot_start, t.scheduled_at) < span.ends
             AND coalesce(t.slot_end, t.ends_at) > span.starts
          OFFSET 0) o)
    SELECT (date_part('epoch', now()) * 1000)::bigint AS now_ms,
      (SELECT to_json(r) FROM assignment_rule r) AS rules,
      (SELECT json_agg(json_build_array(p.id, p.role, p.skills, p.home_location, p.property_ids, p.region, p.shift_set, p.max_minutes_per_day,
          ${ms('p.last_job_at')}, p.bookings) ORDER BY p.id) FROM person p) AS people,
      (SELECT json_agg(s.shifts ORDER BY s.shift_set) FROM (SELECT DISTINCT ON (shift_set) shift_set, shifts FROM person ORDER BY shift_set) s) AS shifts,
      (SELECT string_agg(b.assignee_id || ' ' || ${ms('b.starts')} || ' ' || ${ms('b.ends')} || ' ' || b.property_id, ',') FROM booked b) AS booked,
      (SELECT json_object_agg(b.property_id, p.location) FROM (SELECT DISTINCT property_id FROM booked) b
        CROSS JOIN LATERAL (SELECT location FROM property WHERE id = b.property_id OFFSET 0) p) AS places,
      (SELECT json_agg(json_build_array(h.staff_id, ${ms('h.starts_at')}, ${ms('h.ends_at')}, p.location))
         FROM staff_hold h JOIN property p ON p.id = h.property_id
        WHERE h.expires_at > now() AND h.id IS DISTINCT FROM ${value('ownHold')}::text AND ${holdCounts}) AS held,
      (SELECT json_agg(json_build_array(l.staff_id, ${ms('l.starts_at')}, ${ms('l.ends_at')}))
         FROM span JOIN staff_leave l ON l.starts_at < span.ends AND l.ends_at > span.starts) AS leave,
      (SELECT json_agg(json_build_array(f.task_id, f.staff_id, f.reason, f.times)) FROM task_refusal f
        WHERE f.task_id = ANY(${value('taskIds')}::text[])) AS refused,
      (SELECT json_agg(json_build_array(c.role, c.active, c.n)) FROM (SELECT role, active, count(*) AS n FROM staff GROUP BY 1, 2) c) AS counts,
      CASE WHEN (SELECT count(*) FROM (SELECT FROM staff LIMIT ${literal(MAX_EXPLAINED)} + 1) few) <= ${literal(MAX_EXPLAINED)}
        THEN (SELECT json_agg(json_build_array(id, role, active)) FROM staff) END AS everybody`,
);

/** Reads the roster for these tasks and times. */
export async function readRoster(db: Db | Tx, request: RosterRequest): Promise<Roster> {
  const { wanted, spans, ownHold = null, exceptTaskId = null } = request;
  const windows = disjoint(spans);
  const rows = await selectRoster(db, {
    roles: [...new Set(wanted.flatMap(({ type }) => ROLES[type]))],
    propertyIds: [...new Set(wanted.map(({ place }) => place.propertyId))],
    regions: [...new Set(wanted.flatMap(({ place }) => place.region ?? []))],
    starts: windows.map(({ startMs }) => iso(startMs)),
    ends: windows.map(({ endMs }) => iso(endMs)),
    taskIds: wanted.map(({ taskId }) => taskId),
    exceptTaskId,
    ownHold,
  });
  return rosterOf(required(rows[0], 'the roster'));
}

/** Unless the task that came of it lives: then its own booking stands for it. */
export const holdCounts = sql`NOT EXISTS (SELECT FROM task u WHERE u.id = h.used_by AND u.status IN ('ASSIGNED', 'IN_PROGRESS'))`;

function rosterOf(row: RosterRow): Roster {
  const bookings = new Map<string, Booking[]>();
  const shiftSets = (row.shifts ?? []).map((shifts) => ({ shifts: shifts && mergedShifts(shifts) }));
  for (const [staffId, startMs, endMs, location] of [...bookedRows(row), ...(row.held ?? [])]) {
    listOf(bookings, staffId).push({ startMs, endMs, location });
  }
  const leave = new Map<string, Span[]>();
  for (const [staffId, startMs, endMs] of row.leave ?? []) listOf(leave, staffId).push({ startMs, endMs });
  const refused = row.refused ?? [];
  return {
    nowMs: row.now_ms,
    rules: rulesOf(row.rules),
    refusals: refusalsOf(refused),
    lastRefusals: refusalsOf(refused.filter(([, , reason, times]) => reason === 'DECLINED' || times >= MAX_ASKED)),
    unanswered: new Set(refused.flatMap(([taskId, , reason]) => (reason === 'NO_ANSWER' ? [taskId] : []))),
    census: {
      counts: (row.counts ?? []).map(([role, active, n]) => ({ role, active, n })),
      everybody: row.everybody?.map(([id, role, active]) => ({ id, role, active })) ?? null,
    },
    people: (row.people ?? []).map(
      ([id, role, skills, home, propertyIds, region, shiftSet, capMinutes, lastJobMs, counted]) => ({
        id,
        role,
        skills,
        home,
        propertyIds,
        region,
        shifts: required(shiftSets[shiftSet], 'a set of shifts').shifts,
        capMinutes,
        lastJobMs,
        counted,
        bookings: bookings.get(id) ?? [],
        leave: leave.get(id) ?? [],
      }),
    ),
  };
}

/** Plain text: as JSON, the many bookings would take most of the time of the whole statement. */
const bookedRows = ({ booked, places }: RosterRow): readonly BookingRow[] =>
  (booked === null ? [] : booked.split(',')).map((line) => {
    const [staffId = '', startMs, endMs, propertyId = ''] = line.split(' ');
    return [staffId, Number(startMs), Number(endMs), places?.[propertyId] ?? null];
  });

function refusalsOf(refused: NonNullable<RosterRow['refused']>): ReadonlyMap<string, ReadonlySet<string>> {
  const refusals = new Map<string, Set<string>>();
  for (const [taskId, staffId] of refused) {
    refusals.set(taskId, (refusals.get(taskId) ?? new Set()).add(staffId));
  }
  return refusals;
}

function listOf<T>(lists: Map<string, T[]>, key: string): T[] {
  const known = lists.get(key) ?? [];
  lists.set(key, known);
  return known;
}

const rulesOf = (row: RosterRow['rules']): AssignmentRules => {
  const rule = (name: string): number => Number(required(row[name], name));
  const time = (name: string): string => String(required(row[name], name));
  return {
    workloadPercent: rule('workload_percent'),
    proximityPercent: rule('proximity_percent'),
    primaryPercent: rule('primary_percent'),
    fairnessPercent: rule('fairness_percent'),
    maxKm: rule('max_km'),
    speedKmh: rule('speed_kmh'),
    dayMinutes: rule('day_minutes'),
    fairnessHours: rule('fairness_hours'),
    holdMinutes: rule('hold_minutes'),
    emergencyAcceptMinutes: rule('emergency_accept_minutes'),
    acceptQuiet: { from: time('accept_quiet_from'), to: time('accept_quiet_to') },
  };
};

/** Work may go on from one shift into the next when nothing lies between. */
export function mergedShifts(shifts: readonly Shift[]): readonly ShiftSpan[] {
  const spans = shifts
    // A zone that nobody can compute with is no time of work, and no reason for anybody else to get none.
    .filter(({ zone }) => isTimeZone(zone))
    .map(({ weekday, zone, from, to }) => ({ weekday, zone, fromMinute: minuteOf(from), toMinute: minuteOf(to) }))
    .sort((a, b) => a.fromMinute - b.fromMinute);
  const merged: { weekday: number; zone: string; fromMinute: number; toMinute: number }[] = [];
  for (const span of spans) {
    const before = merged.find(
      ({ weekday, zone, toMinute }) => weekday === span.weekday && zone === span.zone && toMinute >= span.fromMinute,
    );
    if (before) before.toMinute = Math.max(before.toMinute, span.toMinute);
    else merged.push(span);
  }
  return merged;
}
const minuteOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));

/** The time whose bookings decide about starts between the two: whole days, for the caps, and the ways around them. */
export function spanAround(place: Place, firstMs: number, lastMs: number, durationMs: number): Span {
  return {
    startMs: localMoment(firstMs, place.timeZone).dayStartMs - MAX_TRAVEL_MS,
    endMs: localMoment(lastMs + durationMs, place.timeZone).dayEndMs + MAX_TRAVEL_MS,
  };
}

/** The same moments, in order, none of them twice. */
export function disjoint(spans: readonly Span[]): readonly Span[] {
  const merged: { startMs: number; endMs: number }[] = [];
  for (const { startMs, endMs } of spans.toSorted((a, b) => a.startMs - b.startMs)) {
    const last = merged.at(-1);
    if (last && startMs <= last.endMs) last.endMs = Math.max(last.endMs, endMs);
    else merged.push({ startMs, endMs });
  }
  return merged;
}

const iso = (atMs: number): string => new Date(atMs).toISOString();
