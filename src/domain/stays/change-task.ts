import { type Selectable, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { TaskPriority, TaskTable, TaskType } from '../../db/schema.ts';
import { RoomyError, required } from '../../kernel/errors.ts';
import { answerDeadline } from '../assignment/answer-deadline.ts';
import { mayDo, ROLES } from '../assignment/candidates.ts';
import { isHeld } from '../assignment/holds.ts';
import { assignedTask, canCome, notifyReleased } from '../assignment/release.ts';
import { settleAround } from '../assignment/turnovers.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';
import { taskAssignedMessage } from '../messages/catalogue/task-assigned.ts';
import { taskChangedMessage } from '../messages/catalogue/task-changed.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { askAnew } from '../tasks/approvals.ts';
import { releaseTasks } from '../tasks/store/assign.ts';
import { changeTaskRow } from '../tasks/store/retime.ts';
import { mayBe } from '../tasks/transitions.ts';
import { type TaskView, taskView } from '../tasks/view.ts';
import { assertVersion, type ExpectedVersions } from '../versions.ts';

export interface TaskChange {
  readonly title?: string | undefined;
  readonly description?: string | null | undefined;
  readonly priority?: TaskPriority | undefined;
  readonly scheduledDate?: string | undefined;
  readonly durationMinutes?: number | undefined;
  readonly assigneeId?: string | null | undefined;
  readonly requiredSkills?: string[] | undefined;
}
type TaskRow = Selectable<TaskTable>;

/**
 * Changes a task as a person decides, whatever the rules would have chosen. A task that is moved to a time at which its assignee
 * cannot come, or that now asks for a skill that its assignee does not have, goes to another person. Each person who gains or
 * loses a task gets a message. A repair that its owner was asked about is another one with another text: the owner is asked anew, and
 * nobody has it until then. Throws `ASSIGNEE_BUSY` for a person who has other work then or whose time is held for somebody
 * else, `ASSIGNEE_INACTIVE`, `VALIDATION_FAILED` for a person of another role, `REFERENCE_NOT_FOUND`, `TASK_NOT_FOUND`,
 * `INVALID_STATE_TRANSITION`, `APPROVAL_REQUIRED` and `PRECONDITION_FAILED`.
 */
export async function changeTask(
  tx: Tx,
  id: string,
  change: TaskChange,
  expected: ExpectedVersions,
  author: Author,
): Promise<TaskView> {
  const before = await tx.selectFrom('task').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
  if (!before) throw new RoomyError('TASK_NOT_FOUND');
  assertVersion(before.version, expected);
  if (!mayBe(before.status, 'change')) {
    throw new RoomyError('INVALID_STATE_TRANSITION', { details: { currentStatus: before.status, action: 'change' } });
  }
  const asksAnew = isOtherRepair(before, change);
  if ((before.approval === 'PENDING' || asksAnew) && typeof change.assigneeId === 'string') {
    throw new RoomyError('APPROVAL_REQUIRED', { details: { taskId: id } });
  }
  const times = timesAfter(before, change);
  const isMoved = change.scheduledDate !== undefined || change.durationMinutes !== undefined;
  const assignment = asksAnew ? WAITS : await assignmentAfter(tx, before, change, { ...times, isMoved });
  const changed = await changeTaskRow(tx, id, {
    title: change.title,
    description: change.description,
    priority: change.priority,
    required_skills: change.requiredSkills,
    ...(isMoved ? { ...times.rule, ...times.slot } : {}),
    ...assignment,
    // A later saga does not re-time the fields that a person has set (domain.md 10).
    manual_fields: [...new Set([...before.manual_fields, ...fieldsOf(change)])].sort(),
    version: before.version + 1,
  });
  if (asksAnew) await askAnew(tx, id, await payerOf(tx, before.property_id));
  if (await losesSkill(tx, before, change)) await releaseTasks(tx, [id]);
  // A time that is too late for the next guest parts the two cleanings, and one that is not brings them together.
  if (isMoved && changed.type === 'CLEANING' && changed.reservation_id !== null) {
    await settleAround(tx, changed.reservation_id);
  }
  const row = await tx.selectFrom('task').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  await notifyPeople(tx, before, row);
  await recordChange(tx, author, {
    noun: 'task',
    id,
    event: 'TASK_UPDATED',
    fields: fieldsOf(change),
    changes: changesOf('task', before, row),
    version: row.version,
    reservationId: row.reservation_id,
  });
  return taskView(row);
}

/** Whether it is not any more what its owner was asked about, or has said yes to. */
const isOtherRepair = (before: TaskRow, { title, description }: TaskChange): boolean =>
  (before.approval === 'PENDING' || before.approval === 'APPROVED') &&
  ((title !== undefined && title !== before.title) ||
    (description !== undefined && description !== before.description));

/** The property is not sold before the question is put. */
async function payerOf(tx: Tx, propertyId: string): Promise<string> {
  const { owner_id } = await tx
    .selectFrom('property')
    .select('owner_id')
    .where('id', '=', propertyId)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
  return owner_id;
}

/** Whether it now asks for what its assignee does not have, who had all that it asked for until now (as for staff who lose a skill). */
async function losesSkill(tx: Tx, before: TaskRow, { requiredSkills, assigneeId }: TaskChange): Promise<boolean> {
  if (requiredSkills === undefined || assigneeId !== undefined || before.assignee_id === null) return false;
  const person = await tx.selectFrom('staff').select('skills').where('id', '=', before.assignee_id).executeTakeFirst();
  const has = (skill: string): boolean => person?.skills.includes(skill) ?? false;
  return before.required_skills.every(has) && !requiredSkills.every(has);
}

const after = (start: Date, minutes: number): Date => new Date(start.getTime() + Math.round(minutes * 60_000));

/** A new start is the task's own, and agreed; a new length leaves an agreed start as it is. */
function timesAfter(before: TaskRow, change: TaskChange) {
  const minutes = change.durationMinutes ?? (before.ends_at.getTime() - before.scheduled_at.getTime()) / 60_000;
  const ruleStart = change.scheduledDate === undefined ? before.scheduled_at : new Date(change.scheduledDate);
  const slotStart = change.scheduledDate === undefined ? before.slot_start : null;
  const start = slotStart ?? ruleStart;
  return {
    rule: { scheduled_at: ruleStart, ends_at: after(ruleStart, minutes) },
    slot: { slot_start: slotStart, slot_end: slotStart && after(slotStart, minutes) },
    start,
    end: after(start, minutes),
  };
}

interface NewTimes {
  readonly start: Date;
  readonly end: Date;
  readonly isMoved: boolean;
}

async function assignmentAfter(tx: Tx, before: TaskRow, { assigneeId, requiredSkills }: TaskChange, times: NewTimes) {
  const { start, end, isMoved } = times;
  if (assigneeId === null) return NOBODYS;
  if (assigneeId !== undefined) {
    // Holds are looked at under the lock of the person's row.
    await assertMayDo(tx, assigneeId, before.type);
    if (await isHeld(tx, assigneeId, { start: start.toISOString(), end: end.toISOString() })) {
      throw new RoomyError('ASSIGNEE_BUSY', { details: { assigneeId } });
    }
    const asked = assigneeId !== before.assignee_id || isMoved ? await askAgain(tx, before, start) : {};
    return { assignee_id: assigneeId, status: 'ASSIGNED' as const, ...asked };
  }
  // The office's own tasks are offered to nobody.
  const dueAgain = before.next_assign_at === null ? {} : { next_assign_at: sql<Date>`now()`, assign_attempts: 0 };
  if (before.status === 'UNASSIGNED') return isMoved || requiredSkills !== undefined ? dueAgain : {};
  if (!isMoved) return {};
  const task = await assignedTask(tx, before.id);
  const stays = task && (await canCome(tx, task, { startMs: start.getTime(), endMs: end.getTime() }));
  return stays ? await askAgain(tx, before, start) : { ...NOBODYS, ...dueAgain };
}

/** How well somebody can do it is for a person to decide, but not that they still work here, nor what they work as. */
async function assertMayDo(tx: Tx, assigneeId: string, type: TaskType): Promise<void> {
  const person = await tx
    .selectFrom('staff')
    .select(['active', 'role'])
    .where('id', '=', assigneeId)
    .forNoKeyUpdate()
    .executeTakeFirst();
  if (!person) throw new RoomyError('REFERENCE_NOT_FOUND', { details: { field: 'assigneeId' } });
  if (!mayDo(type, person.role)) {
    const issues = [{ path: 'assigneeId', message: `must have the role ${ROLES[type].join(' or ')}` }];
    throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
  }
  if (!person.active) throw new RoomyError('ASSIGNEE_INACTIVE', { details: { assigneeId } });
}

const NOBODYS = { assignee_id: null, status: 'UNASSIGNED', accept_by: null, accepted_at: null } as const;
const WAITS = { ...NOBODYS, approval: 'PENDING', next_assign_at: null } as const;

/** An assignee who has accepted the task at one time has not accepted it at another. */
async function askAgain(tx: Tx, { property_id, type }: TaskRow, start: Date) {
  const { rows } = await sql<Asking>`
    SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms, p.time_zone, p.accept_minutes, r.emergency_accept_minutes,
           r.accept_quiet_from, r.accept_quiet_to FROM property p, assignment_rule r WHERE p.id = ${property_id}`.execute(
    tx,
  );
  const asking = required(rows[0], 'the property of a task');
  const acceptBy = answerDeadline({
    askedMs: asking.now_ms,
    type,
    startMs: start.getTime(),
    timeZone: asking.time_zone,
    acceptMinutes: asking.accept_minutes,
    emergencyAcceptMinutes: asking.emergency_accept_minutes,
    quiet: { from: asking.accept_quiet_from, to: asking.accept_quiet_to },
  });
  return { accepted_at: null, accept_by: acceptBy };
}
interface Asking {
  readonly now_ms: number;
  readonly time_zone: string;
  readonly accept_minutes: number | null;
  readonly emergency_accept_minutes: number;
  readonly accept_quiet_from: string;
  readonly accept_quiet_to: string;
}

/** Messages to the people who gain it, lose it, or keep it at another time. Keyed by the version, as all of it may happen again. */
async function notifyPeople(tx: Tx, before: TaskRow, row: TaskRow): Promise<void> {
  const { id, type, version, reservation_id: reservationId } = row;
  const about = { sagaId: null, reservationId };
  const had = before.status === 'ASSIGNED' ? before.assignee_id : null;
  if (had !== null && had === row.assignee_id) {
    const wasAt = startOf(before);
    if (wasAt.getTime() === startOf(row).getTime()) return;
    await enqueueInTransaction(tx, `${id}-changed-${version}`, [taskChangedMessage(had, id, wasAt)], about);
    return;
  }
  if (had !== null) await notifyReleased(tx, [{ id, type, version, reservationId, assigneeId: had }]);
  if (row.assignee_id === null) return;
  const gained = { ...taskAssignedMessage(row.assignee_id), taskId: id };
  await enqueueInTransaction(tx, `${id}-assigned-${version}`, [gained], about);
}

const startOf = (task: TaskRow): Date => task.slot_start ?? task.scheduled_at;
