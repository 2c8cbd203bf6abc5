import type { Selectable } from 'kysely';
import type { TaskTable } from '../../db/schema.ts';
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

export const amountView = (amountMinor: number | null, currency: string | null) =>
  amountMinor === null || currency === null ? null : { amount: toMajor({ amountMinor, currency }), currency };
