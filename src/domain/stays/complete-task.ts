import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Completion, TaskType } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { settleAround } from '../assignment/turnovers.ts';
import { type Author, recordAudit } from '../audit/record.ts';
import { setReadiness } from '../properties/store.ts';
import { assertChecked, checklistOf } from '../tasks/checklist.ts';
import { assertPhotos } from '../tasks/photos.ts';
import { completeTaskRow, startTaskRow } from '../tasks/store/finish.ts';
import { mayBe } from '../tasks/transitions.ts';
import { type TaskView, taskView } from '../tasks/view.ts';
import { lockWork, type WorkItem, type WorkScope } from '../tasks/work.ts';
import { followUp, type NextAction, type StartVisit } from './follow-up-actions.ts';

export interface CompleteTask {
  readonly taskId: string;
  readonly scope: WorkScope;
  readonly completion: Completion;
  /** ISO instant; null: now. A phone that was offline reports the real time later. */
  readonly completedAt: string | null;
  readonly onBehalfOf: string | null;
  readonly startVisit: StartVisit;
}
export type CompletedTask = TaskView & { readonly nextActions: readonly NextAction[] };

/** Phones have clocks of their own. */
const CLOCK_SKEW_MS = 5 * 60_000;

/**
 * Records that a task was done, settles the turnovers around its stay, and does the follow-up actions, in one commit. Throws `TASK_NOT_FOUND`,
 * `TASK_ALREADY_COMPLETED`, `TASK_NOT_COMPLETABLE`, `CHECKLIST_INCOMPLETE`, `VALIDATION_FAILED`, `REFERENCE_NOT_FOUND`.
 */
export async function completeTask(tx: Tx, order: CompleteTask, author: Author): Promise<CompletedTask> {
  const { completion } = order;
  const work = await lockWork(tx, order.taskId, order.scope);
  const { task, property } = work;
  assertCompletable(work);
  await assertVacated(tx, work);
  assertOutcome(task.type, completion);
  assertChecked(checklistOf(task.checklist, property.checklists, task.type), completion.checklist ?? []);
  await assertPhotos(tx, task.id, photosOf(completion));
  const completedAt = await timeOf(tx, order.completedAt, task.created_at);
  const assignee = task.assignee_id ?? (await staffIdOf(tx, author.actor));
  const minutes = completion.minutes ?? minutesBetween(task.started_at, completedAt);
  const row = await completeTaskRow(tx, task.id, {
    assigneeId: assignee,
    completedAt,
    completedBy: author.actor,
    completion: { ...completion, ...(minutes === null ? {} : { minutes }) },
    version: task.version + 1,
  });
  // First: a cleaning that was merged into this one may be parted from it, and what follows depends on that.
  if (row.type === 'CLEANING' && row.reservation_id !== null) await settleAround(tx, row.reservation_id);
  const nextActions = await followUp(tx, {
    ...work,
    task: row,
    completion,
    completedAt,
    startVisit: order.startVisit,
    author,
  });
  await recordAudit(tx, {
    streamId: `task:${task.id}`,
    event: 'TASK_COMPLETED',
    ...author,
    reservationId: task.reservation_id,
    body: {
      outcome: 'success',
      reservationId: task.reservation_id,
      onBehalfOf: order.onBehalfOf,
      details: {
        id: task.id,
        type: task.type,
        outcome: completion.outcome ?? null,
        findings: completion.findings?.length ?? 0,
        actions: nextActions.map(({ action }) => action),
        version: row.version,
      },
    },
  });
  return { ...taskView(row), nextActions };
}

export interface StartTask {
  readonly taskId: string;
  readonly scope: WorkScope;
  /** ISO instant; null: now. A phone that was offline reports the real time later. */
  readonly startedAt: string | null;
}

/** ASSIGNED to IN_PROGRESS. Throws `TASK_NOT_FOUND`, `TASK_NOT_COMPLETABLE` and `INVALID_STATE_TRANSITION`; started twice is started once. */
export async function startTask(tx: Tx, { taskId, scope, startedAt }: StartTask, author: Author): Promise<TaskView> {
  const work = await lockWork(tx, taskId, scope);
  const { task, property } = work;
  if (task.status === 'IN_PROGRESS') return taskView(task);
  if (!mayBe(task.status, 'start')) {
    throw new RoomyError('INVALID_STATE_TRANSITION', { details: { currentStatus: task.status, action: 'start' } });
  }
  await assertVacated(tx, work);
  const row = await startTaskRow(tx, task.id, {
    startedAt: possibleStart(work, startedAt),
    version: task.version + 1,
  });
  if (task.type === 'CLEANING') await setReadiness(tx, property.id, 'CLEANING');
  await recordAudit(tx, {
    streamId: `task:${task.id}`,
    event: 'TASK_STARTED',
    ...author,
    reservationId: task.reservation_id,
    body: {
      outcome: 'success',
      reservationId: task.reservation_id,
      // The start that the phone reported; `started_at` may be another, bounded one.
      details: { id: task.id, version: row.version, ...(startedAt !== null && { reportedStart: startedAt }) },
    },
  });
  return taskView(row);
}

/**
 * The start that a phone reports, brought to the nearest possible time: a clock that is wrong is no reason to refuse the work.
 * A start is impossible before the task was made, while the guests are still there, and half a day before the agreed time.
 */
const possibleStart = ({ task }: WorkItem, said: string | null) =>
  said === null
    ? sql<Date>`now()`
    : sql<Date>`least(now(), greatest(${said}::timestamptz, created_at,
        coalesce(slot_start, scheduled_at) - ${EARLY_HOURS}::int * interval '1 hour', CASE WHEN occurrence = 'POST_DEPARTURE' THEN
          coalesce((SELECT r.actual_check_out_at FROM reservation r WHERE r.id = ${task.reservation_id}),
            (SELECT m.completed_at FROM task m WHERE m.reservation_id = ${task.reservation_id} AND m.occurrence = 'DEPARTURE'
                AND m.status = 'COMPLETED')) END))`;
const EARLY_HOURS = 12;

function assertCompletable({ task }: WorkItem): void {
  if (task.status === 'COMPLETED') {
    throw new RoomyError('TASK_ALREADY_COMPLETED', {
      details: { completedAt: task.completed_at?.toISOString() ?? null, completedBy: task.completed_by },
    });
  }
  // The owner has not said yet whether it is to be done.
  const isAsked = task.approval === 'PENDING';
  // Money that a person must see to is settled where the money is.
  if (!mayBe(task.status, 'complete') || task.type === 'FINANCE' || isAsked) {
    throw new RoomyError('TASK_NOT_COMPLETABLE', {
      details: { currentStatus: task.status, mergedIntoTaskId: task.merged_into_task_id, approval: task.approval },
    });
  }
}

/**
 * The cleaning after a departure is locked until the guest has left: the check-out says so, or the meeting before it
 * (domain.md 14). Throws `TASK_NOT_COMPLETABLE`.
 */
async function assertVacated(tx: Tx, { task, reservationStatus }: WorkItem): Promise<void> {
  if (task.occurrence !== 'POST_DEPARTURE') return;
  if (reservationStatus !== 'CONFIRMED' && reservationStatus !== 'CHECKED_IN') return;
  const met = await tx
    .selectFrom('task')
    .select('id')
    .where('reservation_id', '=', task.reservation_id)
    .where('occurrence', '=', 'DEPARTURE')
    .where('status', '=', literal('COMPLETED'))
    .executeTakeFirst();
  if (met) return;
  throw new RoomyError('TASK_NOT_COMPLETABLE', { details: { currentStatus: task.status, reservationStatus } });
}

/** An inspection ends in a yes or a no; nothing else does. */
function assertOutcome(type: TaskType, { outcome, findings = [] }: Completion): void {
  if (outcome === 'FAILED' && findings.length === 0) {
    const issues = [{ path: 'findings', message: 'say what failed: each becomes a maintenance task' }];
    throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
  }
  if ((type === 'INSPECTION') === (outcome !== undefined)) return;
  const message = type === 'INSPECTION' ? 'is required for an inspection' : 'belongs to inspections only';
  throw new RoomyError('VALIDATION_FAILED', { details: { issues: [{ path: 'outcome', message }] } });
}

const photosOf = ({ photos = [], checklist = [], findings = [] }: Completion): readonly string[] => [
  ...photos,
  ...checklist.flatMap((item) => item.photoIds ?? []),
  ...findings.flatMap((finding) => finding.photoIds ?? []),
];

async function timeOf(tx: Tx, given: string | null, createdAt: Date): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`SELECT clock_timestamp() AS now`.execute(tx);
  const now = rows[0]?.now ?? new Date();
  if (given === null) return now;
  const at = new Date(given);
  const message = at.getTime() > now.getTime() + CLOCK_SKEW_MS ? 'must not be in the future' : null;
  const tooEarly = at < createdAt ? 'must not be before the task was made' : null;
  const problem = message ?? tooEarly;
  if (problem === null) return at;
  throw new RoomyError('VALIDATION_FAILED', { details: { issues: [{ path: 'completedAt', message: problem }] } });
}

async function staffIdOf(tx: Tx, actor: string): Promise<string | null> {
  const row = await tx.selectFrom('staff').select('id').where('id', '=', actor).executeTakeFirst();
  return row?.id ?? null;
}

/** Null where the work was over before its start was reported: how long it took is not known then, and not nothing. */
const minutesBetween = (start: Date | null, end: Date): number | null =>
  start === null || end < start ? null : Math.round((end.getTime() - start.getTime()) / 60_000);
