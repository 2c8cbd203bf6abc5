import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { TaskType } from '../../db/schema.ts';
import { toMajor } from '../../kernel/money.ts';
import { propertyTimesOf, stayDatesOf, stayTimes } from '../reservations/stay-plan.ts';
import {
  type DayAsked,
  type DayStayRow,
  type DayTaskRow,
  MAX_STAYS_OF_DAY,
  namesOfStaff,
  readDayStays,
  readDayTasks,
} from './day-rows.ts';

/** What the office has before it on one day: who comes, who goes, who is in the house, and what is not as it should be. */

export type DayPart = 'ARRIVAL' | 'DEPARTURE' | 'IN_HOUSE';
/** `NOT_ARRIVED`, `NOT_LEFT`, `NOT_READY`: by the agreed time. `TASK_LATE`: past its end. `UNASSIGNED`: a task that nobody has. */
export const DAY_WARNINGS = ['NOT_ARRIVED', 'NOT_LEFT', 'NOT_READY', 'TASK_LATE', 'UNASSIGNED'] as const;
export type DayWarning = (typeof DAY_WARNINGS)[number];

export interface DayTask {
  readonly id: string;
  readonly type: TaskType;
  readonly occurrence: string;
  readonly status: string;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly assigneeId: string | null;
  /** Null: nobody, or somebody whom the reader does not know. */
  readonly assigneeName: string | null;
  readonly mergedIntoTaskId: string | null;
  readonly isLate: boolean;
}
export interface DayStay {
  readonly reservationId: string;
  /** Both, where a guest leaves on the day of the arrival. */
  readonly parts: readonly DayPart[];
  readonly status: string;
  /** When it is expected, or when it happened. */
  readonly arrivesAt: string;
  readonly leavesAt: string;
  readonly checkInDate: string;
  readonly checkOutDate: string;
  readonly guestId: string | null;
  readonly guestName: string | null;
  readonly guestCount: number | null;
  readonly paymentStatus: string;
  /** Major units. */
  readonly balanceDue: number | null;
  readonly currency: string;
  /** The cleaning before the arrival is done; null: there is none, or the reader sees no tasks. */
  readonly isCleaned: boolean | null;
  readonly tasks: readonly DayTask[];
  readonly warnings: readonly DayWarning[];
}
export interface DayProperty {
  readonly propertyId: string;
  readonly name: string;
  readonly timeZone: string;
  /** As it is now. */
  readonly readiness: string;
  readonly isReady: boolean;
  /** Somebody leaves and somebody else arrives. */
  readonly isTurnover: boolean;
  readonly stays: readonly DayStay[];
}
export interface Day {
  readonly date: string;
  readonly counts: {
    readonly arrivals: number;
    readonly departures: number;
    readonly inHouse: number;
    readonly turnovers: number;
    readonly toConfirm: number;
    readonly late: number;
    /** Null: the reader sees no tasks. */
    readonly unassigned: number | null;
    readonly notReady: number;
  };
  /** False: there are more stays than one answer has; ask for one property at a time. */
  readonly complete: boolean;
  readonly properties: readonly DayProperty[];
  /** The property behind which the rest begins; null: there is none. */
  readonly nextAfter: string | null;
}
export interface DayReader {
  readonly agentId: string | null;
  readonly seesTasks: boolean;
  readonly onlyTaskType: TaskType | undefined;
  readonly seesStaff: boolean;
}

/** Properties by name, their stays by time. What is late is so by `asked.now`. */
export async function readDay(db: Db, asked: DayAsked, reader: DayReader): Promise<Day> {
  const found = await readDayStays(db, asked);
  const rows = found.slice(0, MAX_STAYS_OF_DAY);
  const tasks = reader.seesTasks ? await readDayTasks(db, asked.date, rows, reader.onlyTaskType) : [];
  const people = [...new Set(tasks.flatMap(({ assignee_id: id }) => (id === null ? [] : [id])))];
  const names = reader.seesStaff ? await namesOfStaff(db, people, reader.agentId) : new Map<string, string>();
  const tasksOf = Map.groupBy(tasks, ({ reservation_id: stay }) => stay);
  const clockOf = rememberedTimes();
  const properties = [...Map.groupBy(rows, ({ property_id: id }) => id).values()].map((stays) =>
    propertyView(stays, (stay) => tasksOf.get(stay.id) ?? [], names, clockOf, asked.now),
  );
  const { shown, nextAfter } = pageOf(properties, await beginOf(db, properties, asked), asked.limit);
  return {
    date: asked.date,
    counts: countsOf(properties, reader.seesTasks),
    complete: found.length === rows.length,
    properties: shown,
    nextAfter,
  };
}

/** Many stays have the same days and hours, and a clock with a time zone is slow: each is read once. */
function rememberedTimes(): typeof stayTimes {
  const known = new Map<string, ReturnType<typeof stayTimes>>();
  return (stay, clock) => {
    const key = JSON.stringify([stay, clock]);
    const times = known.get(key) ?? stayTimes(stay, clock);
    known.set(key, times);
    return times;
  };
}

/** Where a page begins: behind the property that is named, though nothing is left at it that day. */
async function beginOf(db: Db, properties: readonly DayProperty[], { after }: DayAsked): Promise<number> {
  if (after === undefined) return 0;
  const place = properties.findIndex(({ propertyId }) => propertyId === after);
  if (place >= 0) return place + 1;
  const { rows } = await sql<{
    id: string;
  }>`SELECT p.id FROM property gone JOIN property p ON (p.name, p.id) > (gone.name, gone.id)
     WHERE gone.id = ${after} AND p.id = ANY(${properties.map(({ propertyId }) => propertyId)}::text[]) ORDER BY p.name, p.id LIMIT 1`.execute(
    db,
  );
  const next = properties.findIndex(({ propertyId }) => propertyId === rows[0]?.id);
  return next >= 0 ? next : properties.length;
}

/** Of all properties of the day so many. */
function pageOf(
  properties: readonly DayProperty[],
  from: number,
  limit: number | undefined,
): { readonly shown: readonly DayProperty[]; readonly nextAfter: string | null } {
  if (limit === undefined) return { shown: properties, nextAfter: null };
  const shown = properties.slice(from, from + limit);
  return { shown, nextAfter: from + limit < properties.length ? (shown.at(-1)?.propertyId ?? null) : null };
}

type TasksOf = (stay: DayStayRow) => readonly DayTaskRow[];

function propertyView(
  rows: readonly DayStayRow[],
  tasksOf: TasksOf,
  names: ReadonlyMap<string, string>,
  clockOf: typeof stayTimes,
  now: Date,
): DayProperty {
  const [first] = rows;
  if (!first) throw new RangeError('a property without stays');
  const isReady = first.readiness === 'INSPECTED' || (first.readiness === 'CLEAN' && !first.inspection_required);
  const isOccupied = (row: DayStayRow) => rows.some((other) => other.id !== row.id && other.status === 'CHECKED_IN');
  const stays = rows.map((row) =>
    stayView(
      row,
      tasksOf(row),
      names,
      clockOf(stayDatesOf(row), propertyTimesOf(row)),
      now,
      isReady && !isOccupied(row),
    ),
  );
  const taken = rows.filter(({ status }) => status !== 'PENDING');
  const arriving = taken.find(({ arrives }) => arrives);
  return {
    propertyId: first.property_id,
    name: first.property,
    timeZone: first.time_zone,
    readiness: first.readiness,
    isReady,
    isTurnover: arriving !== undefined && taken.some(({ departs, id }) => departs && id !== arriving.id),
    stays: stays.toSorted(byTime),
  };
}

/** ISO instants compare as texts. */
const momentOf = ({ parts, arrivesAt, leavesAt }: DayStay): string =>
  parts.includes('ARRIVAL') ? arrivesAt : parts.includes('DEPARTURE') ? leavesAt : '';
const byTime = (one: DayStay, other: DayStay): number => {
  const [a, b] = [`${momentOf(one)} ${one.reservationId}`, `${momentOf(other)} ${other.reservationId}`];
  return a < b ? -1 : a > b ? 1 : 0;
};

function stayView(
  row: DayStayRow,
  rows: readonly DayTaskRow[],
  names: ReadonlyMap<string, string>,
  { arrival, departure }: ReturnType<typeof stayTimes>,
  now: Date,
  isReady: boolean,
): DayStay {
  const arrivesAt = row.actual_check_in_at?.toISOString() ?? arrival.instant;
  const leavesAt = row.actual_check_out_at?.toISOString() ?? departure.instant;
  const tasks = rows.filter((task) => isOfThisDay(row, task)).map((task) => taskView(task, names, now));
  const before = rows.find(({ occurrence }) => occurrence === 'PRE_ARRIVAL');
  const isAwaited = row.status === 'CONFIRMED' && arrival.instant < now.toISOString();
  const warnings: Readonly<Record<DayWarning, boolean>> = {
    NOT_ARRIVED: isAwaited,
    NOT_LEFT: row.status === 'CHECKED_IN' && departure.instant < now.toISOString(),
    NOT_READY: isAwaited && !isReady,
    TASK_LATE: tasks.some((task) => task.isLate),
    UNASSIGNED: tasks.some(({ status }) => status === 'UNASSIGNED'),
  };
  return {
    reservationId: row.id,
    parts: partsOf(row),
    status: row.status,
    arrivesAt,
    leavesAt,
    checkInDate: row.check_in_date,
    checkOutDate: row.check_out_date,
    guestId: row.guest_id,
    guestName: row.guest_name,
    guestCount: row.guest_count,
    paymentStatus: row.payment_status,
    balanceDue: toMajor({ amountMinor: row.outstanding_minor, currency: row.currency }),
    currency: row.currency,
    isCleaned: before === undefined ? null : before.status === 'COMPLETED',
    tasks,
    warnings: DAY_WARNINGS.filter((warning) => warnings[warning]),
  };
}

function partsOf({ arrives, departs }: DayStayRow): readonly DayPart[] {
  if (!arrives && !departs) return ['IN_HOUSE'];
  return [...(arrives ? (['ARRIVAL'] as const) : []), ...(departs ? (['DEPARTURE'] as const) : [])];
}

const OF_ARRIVAL: ReadonlySet<string> = new Set(['PRE_ARRIVAL', 'ARRIVAL']);
const OF_DEPARTURE: ReadonlySet<string> = new Set(['DEPARTURE', 'POST_DEPARTURE']);
/** What the arrival or the departure of the day needs, whenever that is done, and whatever else begins on the day. */
const isOfThisDay = ({ arrives, departs }: DayStayRow, { occurrence, is_of_day }: DayTaskRow): boolean =>
  is_of_day || (arrives && OF_ARRIVAL.has(occurrence)) || (departs && OF_DEPARTURE.has(occurrence));

function taskView(task: DayTaskRow, names: ReadonlyMap<string, string>, now: Date): DayTask {
  return {
    id: task.id,
    type: task.type,
    occurrence: task.occurrence,
    status: task.status,
    startsAt: task.starts_at.toISOString(),
    endsAt: task.ends_at.toISOString(),
    assigneeId: task.assignee_id,
    assigneeName: task.assignee_id === null ? null : (names.get(task.assignee_id) ?? null),
    mergedIntoTaskId: task.merged_into,
    isLate: IS_OPEN.has(task.status) && task.deadline < now,
  };
}
const IS_OPEN: ReadonlySet<string> = new Set(['UNASSIGNED', 'ASSIGNED', 'IN_PROGRESS']);

function countsOf(properties: readonly DayProperty[], seesTasks: boolean): Day['counts'] {
  const stays = properties.flatMap((property) => property.stays);
  const taken = stays.filter(({ status }) => status !== 'PENDING');
  const count = (fits: (stay: DayStay) => boolean): number => taken.filter(fits).length;
  const warned = (...any: readonly DayWarning[]) =>
    count(({ warnings }) => any.some((warning) => warnings.includes(warning)));
  return {
    arrivals: count(({ parts }) => parts.includes('ARRIVAL')),
    departures: count(({ parts }) => parts.includes('DEPARTURE')),
    inHouse: count(({ parts }) => parts.includes('IN_HOUSE')),
    turnovers: properties.filter(({ isTurnover }) => isTurnover).length,
    toConfirm: stays.length - taken.length,
    late: warned('NOT_ARRIVED', 'NOT_LEFT', 'NOT_READY', 'TASK_LATE'),
    unassigned: seesTasks ? warned('UNASSIGNED') : null,
    notReady: warned('NOT_READY'),
  };
}
