import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { StaffRole, TaskType } from '../../db/schema.ts';

/** Who may do a task, and when somebody can: role, place, shift, and no other task at the time (domain.md 11). */

export const ROLES: Readonly<Record<TaskType, readonly StaffRole[]>> = {
  CLEANING: ['CLEANER'],
  CHECK_IN: ['AGENT'],
  CHECK_OUT: ['AGENT'],
  INSPECTION: ['AGENT', 'MAINTENANCE_STAFF'],
  MAINTENANCE: ['MAINTENANCE_STAFF'],
  EMERGENCY: ['MAINTENANCE_STAFF'],
  FINANCE: [],
};

export interface Slot {
  readonly taskId: string;
  readonly type: TaskType;
  readonly propertyId: string;
  /** ISO instants. */
  readonly scheduledAt: string;
  readonly endsAt: string;
}

const MAX_CANDIDATES = 3;

/** Works here, is on shift for the whole of `span`, and has nothing else then. `s`: staff, `p`: property. */
const feasible = (from: ReturnType<typeof sql>, to: ReturnType<typeof sql>) => sql`
  s.active AND (s.property_ids IS NULL OR p.id = ANY(s.property_ids)) AND (s.region IS NULL OR s.region = p.region)
  AND (s.shifts IS NULL OR EXISTS (
    SELECT FROM jsonb_to_recordset(s.shifts) AS h(weekday int, "from" time, "to" time, zone text)
     WHERE h.weekday = extract(isodow FROM ${from} AT TIME ZONE h.zone) AND (${from} AT TIME ZONE h.zone)::time >= h."from"
       AND (${to} AT TIME ZONE h.zone)::date = (${from} AT TIME ZONE h.zone)::date AND (${to} AT TIME ZONE h.zone)::time <= h."to"))
  AND NOT EXISTS (SELECT FROM task o WHERE o.assignee_id = s.id AND o.status IN ('ASSIGNED', 'IN_PROGRESS')
    AND tstzrange(o.scheduled_at, o.ends_at, '[)') && tstzrange(${from}, ${to}, '[)'))`;

/**
 * For each slot some who can do it, in an order that differs from task to task but not from try to try, so that work
 * spreads without being counted; feasibility is looked at one person at a time, and only until enough are found.
 */
export async function candidatesFor(
  db: Db | Tx,
  slots: readonly Slot[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const asked = slots.map((slot) => ({ ...slot, roles: ROLES[slot.type] }));
  const from = sql`(i ->> 'scheduledAt')::timestamptz`;
  const to = sql`(i ->> 'endsAt')::timestamptz`;
  const { rows } = await sql<{ task_id: string; candidates: readonly string[] }>`
    SELECT i ->> 'taskId' AS task_id, ARRAY(
      SELECT s.id FROM (SELECT * FROM staff WHERE active AND i -> 'roles' ? role
                         ORDER BY hashtext(id || (i ->> 'taskId')), id OFFSET 0) s JOIN property p ON p.id = i ->> 'propertyId'
       WHERE ${feasible(from, to)} LIMIT ${MAX_CANDIDATES}::int) AS candidates
      FROM few_items(${JSON.stringify(asked)}::jsonb) AS i`.execute(db);
  return new Map(rows.map((row) => [row.task_id, row.candidates]));
}

export interface Alternative {
  readonly start: string;
  readonly assigneeId: string;
  /** Later than the task may be finished. */
  readonly outsideWindow: boolean;
}

const SEARCH_DAYS = 7;
const MAX_ALTERNATIVES = 3;

/** Starts, half an hour apart, at which somebody could do the task; the legal window first because it comes first. */
export async function alternativesFor(
  db: Db | Tx,
  slot: Slot,
  mustFinishBy: string | null,
): Promise<readonly Alternative[]> {
  const duration = sql`(${slot.endsAt}::timestamptz - ${slot.scheduledAt}::timestamptz)`;
  const { rows } = await sql<{ start: Date; assignee_id: string; outside: boolean }>`
    SELECT slot.start, who.id AS assignee_id, coalesce(slot.start + ${duration} > ${mustFinishBy}::timestamptz, false) AS outside
      FROM generate_series(${slot.scheduledAt}::timestamptz + interval '30 minutes',
             ${slot.scheduledAt}::timestamptz + ${SEARCH_DAYS}::int * interval '1 day', interval '30 minutes') AS slot(start)
      CROSS JOIN LATERAL (SELECT s.id FROM staff s JOIN property p ON p.id = ${slot.propertyId}
        WHERE s.role = ANY(${[...ROLES[slot.type]]}::text[]) AND ${feasible(sql`slot.start`, sql`(slot.start + ${duration})`)}
        ORDER BY s.id LIMIT 1) who
     ORDER BY slot.start LIMIT ${MAX_ALTERNATIVES}::int`.execute(db);
  return rows.map((row) => ({
    start: row.start.toISOString(),
    assigneeId: row.assignee_id,
    outsideWindow: row.outside,
  }));
}
