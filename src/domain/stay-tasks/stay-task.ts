import { type Selectable, sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { unlessRefused } from '../../db/savepoint.ts';
import type { TaskStatus, TaskTable } from '../../db/schema.ts';
import { newId } from '../../kernel/ids.ts';
import { notifyReleased, releaseUnlessFree } from '../assignment/release.ts';
import { taskChangedMessage } from '../messages/catalogue/task-changed.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import type { PlannedTask } from '../reservations/stay-plan.ts';
import { releaseTasks } from '../tasks/store/assign.ts';
import { ensureTaskIn } from '../tasks/store/ensure.ts';
import { retimeTask } from '../tasks/store/retime.ts';
import { mayBe, statusLiterals } from '../tasks/transitions.ts';
import { endsTooLateByHand, isTurnoverTooShort, mayTakeTurnover } from '../tasks/turnover.ts';

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
 * that is under way or over stays as it is. The assignee keeps it if free at the new time, and gets a message either way.
 */
export async function ensureStayTask(tx: Tx, step: StayStep, planned: PlannedTask): Promise<EnsuredTask> {
  const task = await lockStayTask(tx, step.reservationId, planned);
  return task ? moveTask(tx, step, task, planned) : insertStayTask(tx, step, planned);
}

/**
 * `ensureStayTask` for tasks that are there already; one that was cancelled is not made again. `kept`: a time that a person
 * has set stayed; `late`: such a time ends after the work had to be done.
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
    late ||= mayBe(task.status, 'settle') && endsTooLateByHand(task, dateOf(planned.mustFinishBy));
  }
  return { kept, late };
}

/** Whether the cleaning that is also the one before this stay has too little time, or is wanted by a person for too late. */
export async function isTurnoverBeforeLate(tx: Tx, arriving: string): Promise<boolean> {
  const { rows } = await sql<{ late: boolean }>`
    SELECT ${isTurnoverTooShort('post', sql`pre.must_finish_by`)} OR NOT ${mayTakeTurnover('post', sql`pre.must_finish_by`)} AS late
      FROM task pre JOIN task post ON post.id = pre.merged_into_task_id
     WHERE pre.reservation_id = ${arriving} AND pre.occurrence = 'PRE_ARRIVAL' AND pre.status = 'MERGED'
       AND post.status IN (${sql.join(statusLiterals('settle'))})`.execute(tx);
  return rows[0]?.late === true;
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
  if (!mayBe(task.status, 'retime')) return asItIs;
  const moves =
    task.scheduled_at.toISOString() !== planned.scheduledAt || task.ends_at.toISOString() !== planned.endsAt;
  const kept = moves && task.manual_fields.includes('scheduledDate');
  const write = () =>
    retimeTask(tx, task.id, {
      mustFinishBy: planned.mustFinishBy,
      time: moves && !kept ? planned : null,
      agreesAgain: task.status === 'ASSIGNED',
    });
  if (!moves || kept || task.assignee_id === null || task.status !== 'ASSIGNED') {
    await write();
    return { ...asItIs, kept };
  }
  if (await keepsAssignee(tx, task.id, write)) {
    const message = taskChangedMessage(task.assignee_id, task.id, task.scheduled_at);
    await enqueueInTransaction(tx, `${step.key}-v${task.version}`, [message], step);
    return asItIs;
  }
  return { taskId: task.id, status: 'UNASSIGNED', assignee: null, kept: false };
}

/** False when the assignee cannot come at the new time: then a message says so, and somebody else is looked for. */
async function keepsAssignee(tx: Tx, taskId: string, move: () => Promise<unknown>): Promise<boolean> {
  if (await unlessRefused(tx, 'no_double_shift', move)) return (await releaseUnlessFree(tx, [taskId])).length === 0;
  const released = await releaseTasks(tx, [taskId]);
  await move();
  await notifyReleased(tx, released);
  return false;
}

async function insertStayTask(
  tx: Tx,
  { reservationId, sagaId, key }: StayStep,
  planned: PlannedTask,
): Promise<EnsuredTask> {
  const step = { reservationId, sagaId, key, requestedAt: null };
  const { taskId, status, assignee } = await ensureTaskIn(tx, step, { taskId: newId('task'), ...planned });
  return { taskId, status, assignee, kept: false };
}
