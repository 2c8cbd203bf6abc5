import { type Selectable, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import { unlessRefused } from '../../db/savepoint.ts';
import type { TaskStatus, TaskTable } from '../../db/schema.ts';
import { newId } from '../../kernel/ids.ts';
import { releaseTasks, releaseUnlessFree, tellReleased } from '../assignment/release.ts';
import { taskChangedMessage } from '../messages/catalogue/task-changed.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import type { PlannedTask } from '../reservations/stay-plan.ts';
import { endsTooLateByHand, hurry, isHeldTooLate, isTurnoverTooShort } from '../tasks/turnover.ts';
import { partTurnover } from './cancel-tasks.ts';
import { titleOf } from './ensure.ts';

/** The step that ensures the task, and the stay that it belongs to. */
export interface StayStep {
  readonly reservationId: string;
  readonly sagaId: string | null;
  /** The effect's key: the same on every attempt. */
  readonly key: string;
}
export type EnsuredTask = {
  readonly taskId: string;
  readonly status: TaskStatus;
  readonly assignee: string | null;
  /** A person has set the time, so it stays although the stay says another (domain.md 10). */
  readonly kept: boolean;
};

/**
 * Makes a stay's task, or moves the one that is there to its time: there is never a second one (domain.md T2). Work
 * that is under way or over stays as it is. Who was to do it keeps it if free at the new time, and is told either way.
 */
export async function ensureStayTask(tx: Tx, step: StayStep, planned: PlannedTask): Promise<EnsuredTask> {
  const task = await lockStayTask(tx, step.reservationId, planned);
  return task ? moveTask(tx, step, task, planned) : insertStayTask(tx, step, planned);
}

/**
 * The same for tasks that must be there already; one that was taken away stays away. `kept`: a person's time was; `late`:
 * and it ends after the work had to be done.
 */
export async function retimeStayTasks(
  tx: Tx,
  reservationId: string,
  plan: readonly PlannedTask[],
): Promise<{ readonly kept: boolean; readonly late: boolean }> {
  let kept = false;
  let late = false;
  for (const planned of plan) {
    const task = await lockStayTask(tx, reservationId, planned);
    if (!task) continue;
    const moved = await moveTask(tx, { reservationId, sagaId: null, key: `${task.id}-moved` }, task, planned);
    kept ||= moved.kept;
    late ||= ['UNASSIGNED', 'ASSIGNED'].includes(task.status) && endsTooLateByHand(task, dateOf(planned.mustFinishBy));
  }
  return { kept, late };
}

/**
 * The guest comes at another time: the departing stay's cleaning, if theirs was merged into it, must be done by then. True when
 * that leaves it too little time.
 */
export async function retimeTurnoverBefore(tx: Tx, arriving: string): Promise<boolean> {
  const { rows } = await sql<Selectable<TaskTable> & { arrival: Date | null; too_short: boolean }>`
    SELECT post.*, pre.must_finish_by AS arrival, ${isTurnoverTooShort('post', sql`pre.must_finish_by`)} AS too_short
      FROM task pre JOIN task post ON post.id = pre.merged_into_task_id
     WHERE pre.reservation_id = ${arriving} AND pre.occurrence = 'PRE_ARRIVAL' AND pre.status = 'MERGED'
       AND post.status IN ('UNASSIGNED', 'ASSIGNED') FOR UPDATE OF post`.execute(tx);
  const [cleaning] = rows;
  if (!cleaning) return false;
  const isApart = isHeldTooLate(cleaning, cleaning.arrival);
  if (isApart) await partTurnover(tx, cleaning.id);
  else await hurry(tx, cleaning.id, cleaning.arrival);
  return isApart || cleaning.too_short;
}

const dateOf = (instant: string | null): Date | null => (instant === null ? null : new Date(instant));

const lockStayTask = (tx: Tx, reservationId: string, { type, occurrence }: PlannedTask) =>
  tx
    .selectFrom('task')
    .selectAll()
    .where('reservation_id', '=', reservationId)
    .where('type', '=', literal(type))
    .where('occurrence', '=', occurrence)
    .where('status', '<>', literal('CANCELLED'))
    .forUpdate()
    .executeTakeFirst();

async function moveTask(
  tx: Tx,
  step: StayStep,
  task: Selectable<TaskTable>,
  planned: PlannedTask,
): Promise<EnsuredTask> {
  const asItIs = { taskId: task.id, status: task.status, assignee: task.assignee_id, kept: false };
  if (!['UNASSIGNED', 'ASSIGNED', 'MERGED'].includes(task.status)) return asItIs;
  const moves =
    task.scheduled_at.toISOString() !== planned.scheduledAt || task.ends_at.toISOString() !== planned.endsAt;
  const kept = moves && task.manual_fields.includes('scheduledDate');
  const isApart = isHeldTooLate(task, dateOf(planned.mustFinishBy));
  const write = () =>
    tx
      .updateTable('task')
      .set((eb) => ({
        must_finish_by: isApart ? null : planned.mustFinishBy,
        ...(moves && !kept
          ? {
              scheduled_at: planned.scheduledAt,
              ends_at: planned.endsAt,
              local_rule: planned.localRule,
              ...(task.status === 'ASSIGNED' && agreedFrom(planned)),
            }
          : {}),
        version: eb('version', '+', 1),
      }))
      .where('id', '=', task.id)
      .execute();
  if (!moves || kept || task.assignee_id === null || task.status !== 'ASSIGNED') {
    await write();
    if (isApart) await partTurnover(tx, task.id);
    return { ...asItIs, kept };
  }
  if (await keepsAssignee(tx, task.id, write)) {
    const told = taskChangedMessage(task.assignee_id, task.id, task.scheduled_at);
    await enqueueInTransaction(tx, `${step.key}-v${task.version}`, [told], step);
    return asItIs;
  }
  return { taskId: task.id, status: 'UNASSIGNED', assignee: null, kept: false };
}

/** Nobody works in the past: what was due before now is done from the next half hour on (domain.md 10, effectiveStart). */
function agreedFrom({ scheduledAt, endsAt }: PlannedTask) {
  const start = sql<Date | null>`CASE WHEN ${scheduledAt}::timestamptz < now() THEN ${scheduledAt}::timestamptz
    + ceil(extract(epoch FROM now() - ${scheduledAt}::timestamptz) / 1800) * interval '30 minutes' END`;
  return {
    slot_start: start,
    slot_end: sql<Date | null>`${start} + (${endsAt}::timestamptz - ${scheduledAt}::timestamptz)`,
  };
}

/** False when they cannot come at the new time: then they have been told so, and somebody else is looked for. */
async function keepsAssignee(tx: Tx, taskId: string, move: () => Promise<unknown>): Promise<boolean> {
  if (await unlessRefused(tx, 'no_double_shift', move)) return (await releaseUnlessFree(tx, [taskId])).length === 0;
  const released = await releaseTasks(tx, [taskId]);
  await move();
  await tellReleased(tx, released);
  return false;
}

async function insertStayTask(tx: Tx, step: StayStep, planned: PlannedTask): Promise<EnsuredTask> {
  const taskId = newId('task');
  await sql`
    INSERT INTO task (id, reservation_id, property_id, type, occurrence, title, status, priority, scheduled_at, ends_at, must_finish_by,
      local_rule, created_by_saga, effect_key)
    SELECT ${taskId}, r.id, r.property_id, ${planned.type}, ${planned.occurrence}, ${titleOf(sql`${planned.occurrence}::text`)}, 'UNASSIGNED',
           CASE WHEN ${planned.scheduledAt}::timestamptz < now() THEN 'URGENT' WHEN ${planned.mustFinishBy}::timestamptz IS NULL THEN 'NORMAL'
                ELSE 'HIGH' END,
           ${planned.scheduledAt}::timestamptz, ${planned.endsAt}::timestamptz, ${planned.mustFinishBy}::timestamptz, ${planned.localRule},
           ${step.sagaId}, ${step.key}
      FROM reservation r LEFT JOIN guest g ON g.id = r.guest_id WHERE r.id = ${step.reservationId}`.execute(tx);
  return { taskId, status: 'UNASSIGNED', assignee: null, kept: false };
}

/** Takes back a task that this step has made; one that was there before stays. */
export const withdrawStayTask = (tx: Tx, forwardKey: string) =>
  tx
    .updateTable('task')
    .set((eb) => ({
      status: 'CANCELLED',
      merged_into_task_id: null,
      deleted_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('effect_key', '=', forwardKey)
    .where('status', 'not in', literals(['CANCELLED', 'COMPLETED']))
    .execute();

/** A meeting that was planned for later would have been now. */
export const meetNow = (tx: Tx, reservationId: string, occurrence: 'ARRIVAL' | 'DEPARTURE', at: string) =>
  sql`UPDATE task SET scheduled_at = ${at}::timestamptz, ends_at = ${at}::timestamptz + (ends_at - scheduled_at), version = version + 1
       WHERE reservation_id = ${reservationId} AND occurrence = ${occurrence} AND status IN ('UNASSIGNED','OVERTAKEN') AND scheduled_at > ${at}::timestamptz
         AND NOT 'scheduledDate' = ANY(manual_fields)`.execute(tx);
