import { type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { unlessRefused } from '../../db/savepoint.ts';
import type { TaskPriority, TaskStatus } from '../../db/schema.ts';
import { newId } from '../../kernel/ids.ts';
import { settleAround } from '../assignment/turnovers.ts';
import { taskWithdrawnMessage } from '../messages/catalogue/task-withdrawn.ts';
import { insertWithdrawal } from '../notifications/store/order.ts';
import { cancelTasks, type ReopenedAs, reopenTask } from '../tasks/store/finish.ts';
import { mergeAgain, restoreDeadline } from '../tasks/store/turnover.ts';

/** What a cancellation did to the tasks of a stay, and around them; enough to undo it exactly. */
export type CancelledTasks = {
  /** As they were; `version` is the row's since, so that what another hand did to it afterwards is seen. */
  readonly cancelled: readonly {
    readonly taskId: string;
    readonly status: TaskStatus;
    readonly assigneeId: string | null;
    readonly mergedInto: string | null;
    readonly version: number;
  }[];
  /** Already being worked on: left alone. */
  readonly inProgress: readonly string[];
  /** Who is at work on those, and is to be told. */
  readonly working: readonly { readonly taskId: string; readonly assigneeId: string }[];
  /** Cleanings of other stays that had been merged into one of these and stand on their own again. */
  readonly released: readonly { readonly taskId: string; readonly mergedInto: string }[];
  /** Cleanings of departing stays that had to be ready for this one's guest, as they were. */
  readonly relaxed: readonly {
    readonly taskId: string;
    readonly mustFinishBy: string | null;
    readonly priority: TaskPriority;
  }[];
};

/** Open tasks of a stay that end with it, in the order of the work. */
export const openTasksOf = (db: Db | Tx, reservationId: string) =>
  db
    .selectFrom('task')
    .select(['id', 'status', 'assignee_id', 'merged_into_task_id', 'version'])
    .where('reservation_id', '=', reservationId)
    // As constants: by parameters Postgres could not tell that the index of live tasks holds all of them.
    .where(sql<SqlBool>`status <> 'CANCELLED' AND status <> 'COMPLETED' AND status <> 'OVERTAKEN'`)
    // Money that is owed or disputed is so without the stay: who has to see to it, has to.
    .where('type', '<>', literal('FINANCE'))
    .orderBy('scheduled_at')
    .orderBy('id')
    .execute();

/**
 * Cancels the open tasks of a stay (domain.md 10). What is completed stays; what is being worked on is for people to
 * decide. They are cancelled and not withdrawn: no tombstone, so a cancelled stay still shows them. A cleaning that
 * was shared with another stay does not get lost: the other's stands on its own again.
 */
export async function cancelTasksOf(tx: Tx, reservationId: string): Promise<CancelledTasks> {
  await lockTasksAround(tx, reservationId);
  const tasks = await openTasksOf(tx, reservationId);
  const open = tasks.filter((task) => task.status !== 'IN_PROGRESS');
  const busy = tasks.filter((task) => task.status === 'IN_PROGRESS');
  const left = {
    inProgress: busy.map((task) => task.id),
    working: busy.flatMap(({ id, assignee_id }) =>
      assignee_id === null ? [] : [{ taskId: id, assigneeId: assignee_id }],
    ),
  };
  if (open.length === 0) return { cancelled: [], ...left, released: [], relaxed: [] };

  const ids = open.map((task) => task.id);
  const cancelled = open.map((task) => ({
    taskId: task.id,
    status: task.status,
    assigneeId: task.assignee_id,
    mergedInto: task.merged_into_task_id,
    version: task.version + 1,
  }));
  await cancelTasks(tx, ids);
  const { parted, cleared } = await settleAround(
    tx,
    reservationId,
    ...(await staysOf(tx, cancelled.flatMap(targetOf))),
  );
  return { cancelled, ...left, released: parted, relaxed: cleared };
}

/** Those that shared a cleaning with it do not meet it by their tasks any more. */
async function staysOf(tx: Tx, taskIds: readonly string[]): Promise<readonly string[]> {
  if (taskIds.length === 0) return [];
  const rows = await tx.selectFrom('task').select('reservation_id').where('id', 'in', taskIds).execute();
  return rows.flatMap(({ reservation_id: id }) => (id === null ? [] : [id]));
}

/** The stay's tasks and those that share a cleaning with them, in one order, so that two neighbours do not deadlock. */
async function lockTasksAround(tx: Tx, reservationId: string): Promise<void> {
  await sql`
    WITH own AS (SELECT id, merged_into_task_id FROM task WHERE reservation_id = ${reservationId} AND status <> 'CANCELLED')
    SELECT id FROM task WHERE id IN (
      SELECT id FROM own UNION SELECT merged_into_task_id FROM own
      UNION SELECT t.id FROM task t JOIN own ON t.merged_into_task_id = own.id)
     ORDER BY id FOR UPDATE`.execute(tx);
}

/**
 * Takes the cancellation back: each task as it was. Who has found other work at that time meanwhile does not get it
 * back, and somebody else is looked for. What another hand changed in between is left alone; a second run finds
 * nothing to do.
 */
export async function reopenTasks(tx: Tx, { cancelled, released, relaxed }: CancelledTasks): Promise<void> {
  await lockTasks(
    tx,
    [...cancelled, ...released, ...relaxed].map(({ taskId }) => taskId).concat(cancelled.flatMap(targetOf)),
  );
  for (const task of cancelled) {
    const back = await asItWas(tx, task);
    if (await reopen(tx, task, back)) continue;
    const reopened = await reopen(tx, task, NOBODYS);
    if (reopened && task.assigneeId !== null) await notifyWithdrawn(tx, task.taskId, task.assigneeId);
  }
  for (const { taskId, mergedInto } of released) {
    const displaced = await mergeAgain(tx, taskId, mergedInto);
    // The person who was given the task in the meantime is notified that it is withdrawn.
    if (displaced !== null) await notifyWithdrawn(tx, taskId, displaced);
  }
  for (const former of relaxed) await restoreDeadline(tx, former);
}

const targetOf = ({ mergedInto }: { readonly mergedInto: string | null }): string[] =>
  mergedInto === null ? [] : [mergedInto];

async function lockTasks(tx: Tx, ids: readonly string[]): Promise<void> {
  await sql`SELECT id FROM task WHERE id = ANY(${ids}::text[]) ORDER BY id FOR UPDATE`.execute(tx);
}

const NOBODYS: ReopenedAs = { status: 'UNASSIGNED', assignee_id: null, merged_into_task_id: null };

/** A cleaning that was merged into one which is cancelled by now would never be done. */
async function asItWas(tx: Tx, task: CancelledTasks['cancelled'][number]): Promise<ReopenedAs> {
  if (task.mergedInto !== null) {
    const into = await tx.selectFrom('task').select('status').where('id', '=', task.mergedInto).executeTakeFirst();
    if (into === undefined || into.status === 'CANCELLED') return NOBODYS;
  }
  return { status: task.status, assignee_id: task.assigneeId, merged_into_task_id: task.mergedInto };
}

/** False when the assignee has other work at that time by now; the transaction stays usable. */
function reopen(tx: Tx, task: CancelledTasks['cancelled'][number], as: ReopenedAs): Promise<boolean> {
  return unlessRefused(tx, 'no_double_shift', () => reopenTask(tx, { id: task.taskId, version: task.version }, as));
}

/** Keyed by the task's version: a person may be given the same task, and lose it, more than once. */
async function notifyWithdrawn(tx: Tx, taskId: string, assigneeId: string): Promise<void> {
  await insertWithdrawal(tx, { ...taskWithdrawnMessage(assigneeId, taskId), id: newId('notification'), taskId });
}
