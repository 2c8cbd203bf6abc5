import { sql } from 'kysely';
import type { GeoPoint, TaskPriority, TaskType } from '../../db/schema.ts';
import { afterDeparture } from '../tasks/turnover.ts';
import type { Wanted } from './candidates.ts';
import { type TaskTimes, windowOf } from './window.ts';

/** A task that somebody is looked for, with what its property says about it. */
export interface OpenTask {
  readonly id: string;
  readonly type: TaskType;
  readonly property_id: string;
  readonly reservation_id: string | null;
  readonly occurrence: string;
  readonly scheduled_at: Date;
  readonly ends_at: Date;
  readonly must_finish_by: Date | null;
  /** When the guests who leave that day are gone; null: there are none. */
  readonly not_before: Date | null;
  readonly slot_start: Date | null;
  readonly slot_end: Date | null;
  readonly manual_fields: readonly string[];
  readonly required_skills: readonly string[];
  readonly priority: TaskPriority;
  readonly assign_attempts: number;
  readonly alert_level: number;
  readonly region: string | null;
  readonly time_zone: string;
  readonly location: GeoPoint | null;
  readonly primary_staff_ids: readonly string[];
  readonly accept_minutes: number | null;
  /** Where it was read under the lock of its row. */
  readonly version?: number;
}

/** Of `task t JOIN property p`. */
export const OPEN_TASK = sql`t.id, t.type, t.property_id, t.reservation_id, t.occurrence, t.scheduled_at, t.ends_at, t.must_finish_by,
  t.slot_start, t.slot_end, t.manual_fields, t.required_skills, t.priority, t.assign_attempts, t.alert_level,
  CASE WHEN t.occurrence = 'PRE_ARRIVAL' THEN ${afterDeparture(sql`t.reservation_id`, { mustFinishBy: sql`t.must_finish_by`, duration: sql`(t.ends_at - t.scheduled_at)` })} END AS not_before,
  p.region, p.time_zone, p.location, p.primary_staff_ids, p.accept_minutes`;

/** `exact`: at the task's own time or not at all, unless that has passed. */
export const wantedOf = (task: OpenTask, nowMs: number, exact = false): Wanted => ({
  taskId: task.id,
  type: task.type,
  skills: task.required_skills,
  place: {
    propertyId: task.property_id,
    region: task.region,
    timeZone: task.time_zone,
    location: task.location,
    primaryIds: task.primary_staff_ids,
  },
  window: windowOf(timesOf(task), nowMs, exact),
  refusedBy: new Set(),
});

/** A time that was agreed with a person stays when the assignee changes; any other goes back to the rule's. */
function timesOf(task: OpenTask): TaskTimes {
  const isManual = task.manual_fields.includes('scheduledDate');
  const agreed = isManual && task.slot_start !== null && task.slot_end !== null;
  const start = agreed && task.slot_start ? task.slot_start : task.scheduled_at;
  const end = agreed && task.slot_end ? task.slot_end : task.ends_at;
  return {
    startMs: Math.max(start.getTime(), isManual ? 0 : (task.not_before?.getTime() ?? 0)),
    durationMs: end.getTime() - start.getTime(),
    mustFinishByMs: task.must_finish_by?.getTime() ?? null,
    isManual,
  };
}
