import type { Selectable } from 'kysely';
import type { TaskTable, TaskType } from '../../db/schema.ts';
import { toMajor } from '../../kernel/money.ts';

export type TaskView = ReturnType<typeof taskView>;

/** A task as the API shows it. */
export const taskView = (row: Selectable<TaskTable>) => ({
  id: row.id,
  type: row.type,
  occurrence: row.occurrence,
  title: row.title,
  description: row.description,
  status: row.status,
  priority: row.priority,
  assigneeId: row.assignee_id,
  scheduledDate: row.scheduled_at.toISOString(),
  /** As agreed, where that differs from the rule, which `scheduledDate` stays. */
  startsAt: (row.slot_start ?? row.scheduled_at).toISOString(),
  endsAt: (row.slot_end ?? row.ends_at).toISOString(),
  mustFinishBy: row.must_finish_by?.toISOString() ?? null,
  mergedIntoTaskId: row.merged_into_task_id,
  reservationId: row.reservation_id,
  propertyId: row.property_id,
  manualFields: row.manual_fields,
  createdBySaga: row.created_by_saga,
  deletedAt: row.deleted_at?.toISOString() ?? null,
  version: row.version,
  createdAt: row.created_at.toISOString(),
  blockId: row.block_id,
  checklist: row.checklist,
  startedAt: row.started_at?.toISOString() ?? null,
  completedAt: row.completed_at?.toISOString() ?? null,
  completedBy: row.completed_by,
  completion: row.completion,
  requiredSkills: row.required_skills,
  acceptBy: row.accept_by?.toISOString() ?? null,
  acceptedAt: row.accepted_at?.toISOString() ?? null,
  estimate: amountView(row.estimate_minor, row.estimate_currency),
  approval: row.approval,
});

const WORK: Readonly<Record<TaskType, string>> = {
  CLEANING: 'Cleaning',
  CHECK_IN: 'Check-in meeting',
  CHECK_OUT: 'Check-out meeting',
  INSPECTION: 'Inspection',
  MAINTENANCE: 'Maintenance',
  EMERGENCY: 'Emergency repair',
  FINANCE: 'Finance',
};
const OCCASIONS: Readonly<Record<string, string>> = {
  PRE_ARRIVAL: 'Pre-arrival cleaning',
  POST_DEPARTURE: 'Post-departure cleaning',
};
/** The titles of other types were written by people, for the person who does the work. */
const OF_STAYS: ReadonlySet<TaskType> = new Set(['CHECK_IN', 'CHECK_OUT', 'FINANCE']);

export interface Titled {
  readonly type: TaskType;
  readonly occurrence: string;
  readonly title: string;
}
/** Whether it is about a guest, so that what people write about it may name the guest. */
export const isOfStay = ({ type }: Titled): boolean => OF_STAYS.has(type);

/** The title without a guest's name, for the person who does the work. */
export const neutralTitle = ({ type, occurrence, title }: Titled): string =>
  OCCASIONS[occurrence] ?? (OF_STAYS.has(type) ? WORK[type] : title);

/** An amount in major units; null where there is none. */
export const amountView = (amountMinor: number | null, currency: string | null) =>
  amountMinor === null || currency === null ? null : { amount: toMajor({ amountMinor, currency }), currency };
