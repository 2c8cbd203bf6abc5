import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { ChecklistItem, Checklists, GeoPoint, TaskPriority, TaskStatus, TaskType } from '../../db/schema.ts';
import { wallClock } from '../../kernel/local-time.ts';
import { cutPage, type Page, type PageRequest } from '../paging.ts';
import { checklistOf } from './checklist.ts';
import { neutralTitle } from './view.ts';

/**
 * The tasks of one person, for that person. Nothing about guests and no money (security.md Z5): the title of a
 * meeting has the guest's name, so only agents, who meet guests, get titles.
 */
export interface MyTaskFilter {
  /** ISO instants, by the agreed start; from inclusive, to exclusive. Without them: all that is open and late, what was done today and began within two days, and a week from today. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly status?: TaskStatus | undefined;
}
export interface Worker {
  readonly staffId: string;
  readonly seesTitles: boolean;
}

interface Row {
  readonly id: string;
  readonly type: TaskType;
  readonly occurrence: string;
  readonly title: string;
  readonly description: string | null;
  readonly status: TaskStatus;
  readonly priority: TaskPriority;
  readonly starts_at: Date;
  readonly ends_at: Date;
  readonly position_at: string;
  readonly must_finish_by: Date | null;
  readonly accept_by: Date | null;
  readonly accepted_at: Date | null;
  readonly started_at: Date | null;
  readonly completed_at: Date | null;
  readonly checklist: readonly ChecklistItem[] | null;
  readonly version: number;
  readonly property_id: string;
  readonly name: string;
  readonly region: string | null;
  readonly location: GeoPoint | null;
  readonly time_zone: string;
  readonly checklists: Checklists;
}
export type MyTask = ReturnType<typeof viewOf>;

const START = sql`coalesce(t.slot_start, t.scheduled_at)`;
const COLUMNS = sql`t.id, t.type, t.occurrence, t.title, t.description, t.status, t.priority, ${START} AS starts_at,
  coalesce(t.slot_end, t.ends_at) AS ends_at, ${START}::text AS position_at, t.must_finish_by, t.accept_by, t.accepted_at, t.started_at,
  t.completed_at, t.checklist, t.version, t.property_id, p.name, p.region, p.location, p.time_zone, p.checklists`;

/** In the order of the work. */
export async function myTasks(db: Db, worker: Worker, filter: MyTaskFilter, page: PageRequest): Promise<Page<MyTask>> {
  const after = page.after
    ? sql`(${START}, t.id) > (${page.after.at}::timestamptz, ${page.after.id}::text)`
    : sql`true`;
  const status = (task: 't' | 'n') =>
    filter.status === undefined
      ? sql`${sql.ref(`${task}.status`)} NOT IN ('CANCELLED', 'MERGED') AND ${sql.ref(`${task}.status`)} <> 'OVERTAKEN'`
      : sql`${sql.ref(`${task}.status`)} = ${literal(filter.status)}`;
  const { rows } = await sql<Row>`
    SELECT ${COLUMNS} FROM task t JOIN property p ON p.id = t.property_id
     WHERE t.assignee_id = ${worker.staffId} AND t.deleted_at IS NULL AND ${status('t')} AND ${within(worker.staffId, filter, status('n'))} AND ${after}
     ORDER BY ${START}, t.id LIMIT ${page.limit + 1}::int`.execute(db);
  return cutPage(rows, page.limit, (row) => viewOf(row, worker));
}

/** `status`: of tasks `n`, without which none of them is looked for. */
function within(staffId: string, { from, to }: MyTaskFilter, status: RawBuilder<unknown>): RawBuilder<unknown> {
  if (from !== undefined || to !== undefined) {
    const begins = from === undefined ? sql`true` : sql`${START} >= ${from}::timestamptz`;
    return to === undefined ? begins : sql`${begins} AND ${START} < ${to}::timestamptz`;
  }
  const today = sql`((now() AT TIME ZONE p.time_zone)::date::timestamp AT TIME ZONE p.time_zone)`;
  // The days around, whatever the zone, and what is open: each by an index, so that years of done work are not read.
  return sql`${START} < ${today} + interval '8 days' AND (${START} >= ${today} OR t.status IN ('ASSIGNED', 'IN_PROGRESS') OR t.completed_at >= ${today})
    AND t.id = ANY(ARRAY(
      SELECT n.id FROM task n WHERE n.assignee_id = ${staffId} AND n.deleted_at IS NULL AND ${status}
        AND coalesce(n.slot_start, n.scheduled_at) >= now() - interval '2 days'
        AND coalesce(n.slot_start, n.scheduled_at) < now() + interval '10 days'
      UNION SELECT o.id FROM task o WHERE o.assignee_id = ${staffId} AND o.status IN ('ASSIGNED', 'IN_PROGRESS')))`;
}

const IN_CALENDAR = sql`${START} >= now() - interval '30 days' AND ${START} < now() + interval '90 days'`;

/** For the calendar of somebody: also what was cancelled, so that it disappears from there. */
export async function calendarTasks(db: Db, staffId: string): Promise<readonly MyTask[]> {
  const { rows } = await sql<Row>`
    SELECT ${COLUMNS} FROM task t JOIN property p ON p.id = t.property_id
     WHERE t.assignee_id = ${staffId} AND (t.deleted_at IS NULL AND t.status NOT IN ('CANCELLED', 'MERGED') AND ${IN_CALENDAR}
           OR (t.deleted_at IS NOT NULL OR t.status IN ('CANCELLED', 'MERGED')) AND t.status <> 'MERGED' AND ${IN_CALENDAR})
     ORDER BY ${START}, t.id LIMIT ${MAX_EVENTS}::int`.execute(db);
  return rows.map((row) => viewOf(row, { staffId, seesTitles: false }));
}
const MAX_EVENTS = 2_000;

function viewOf(row: Row, { seesTitles }: Worker) {
  return {
    id: row.id,
    type: row.type,
    title: seesTitles ? row.title : neutralTitle(row),
    description: row.description,
    status: row.status,
    priority: row.priority,
    startsAt: row.starts_at.toISOString(),
    endsAt: row.ends_at.toISOString(),
    mustFinishBy: row.must_finish_by?.toISOString() ?? null,
    local: {
      date: wallClock(row.starts_at, row.time_zone).slice(0, 10),
      from: wallClock(row.starts_at, row.time_zone).slice(11),
      to: wallClock(row.ends_at, row.time_zone).slice(11),
      timeZone: row.time_zone,
    },
    property: { id: row.property_id, name: row.name, region: row.region, location: row.location },
    checklist: checklistOf(row.checklist, row.checklists, row.type),
    acceptBy: row.accept_by?.toISOString() ?? null,
    acceptedAt: row.accepted_at?.toISOString() ?? null,
    startedAt: row.started_at?.toISOString() ?? null,
    completedAt: row.completed_at?.toISOString() ?? null,
    version: row.version,
  };
}
