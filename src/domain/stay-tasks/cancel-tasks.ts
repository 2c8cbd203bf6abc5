import { type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { unlessRefused } from '../../db/savepoint.ts';
import type { TaskStatus } from '../../db/schema.ts';
import { NOTIFICATION, newId } from '../../kernel/ids.ts';
import { settleAround } from '../assignment/turnovers.ts';
import { taskWithdrawnMessage } from '../messages/catalogue/task-withdrawn.ts';
import { insertWithdrawal } from '../notifications/store/order.ts';
import { lookAgainFor } from '../tasks/store/assign.ts';
import { cancelTasks, type ReopenedAs, reopenTask } from '../tasks/store/finish.ts';
import type { FormerDeadline } from '../tasks/store/turnover.ts';

/** The tasks that a cancellation has changed: the output of its step, from which it is undone. */
export type CancelledTasks = {
  /** As they were. `version` is the row's afterwards, by which a later change of it is found. */
  readonly cancelled: readonly {
    readonly taskId: string;
    readonly status: TaskStatus;
    readonly assigneeId: string | null;
    readonly mergedInto: string | null;
    readonly version: number;
  }[];
  /** Already being worked on, so not cancelled. */
  readonly inProgress: readonly string[];
  /** The people at work on those, who get a message. */
  readonly working: readonly { readonly taskId: string; readonly assigneeId: string }[];
  /** Cleanings of other stays that had been merged into one of these and stand on their own again. */
  readonly released: readonly { readonly taskId: string; readonly mergedInto: string }[];
  /** Cleanings of departing stays that had to be ready for this one's guest, as they were. */
  readonly relaxed: readonly { readonly [Field in keyof FormerDeadline]: FormerDeadline[Field] }[];
};

/** Open tasks of a stay that end with it, in the order of the work. */
export const openTasksOf = (db: Db | Tx, reservationId: string) =>
  db
    .selectFrom('task')
    .select(['id', 'status', 'assignee_id', 'merged_into_task_id', 'version'])
    .where('reservation_id', '=', reservationId)
    // As constants: by parameters Postgres could not tell that the index of live tasks holds all of them.
    .where(sql<SqlBool>`status <> 'CANCELLED' AND status <> 'COMPLETED' AND status <> 'OVERTAKEN'`)
    // Money that is owed or disputed stays so without the stay.
    .where('type', '<>', literal('FINANCE'))
    .orderBy('scheduled_at')
    .orderBy('id')
    .execute();

/**
 * Cancels the open tasks of a stay (domain.md 10). Completed tasks stay; of a task that is being worked on, people decide.
 * They are cancelled and not withdrawn: no tombstone, so a cancelled stay still shows them. A cleaning of another stay that
 * was merged into one of these stands on its own again. Locks the tasks of both stays.
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
  await lookAgainFor(
    tx,
    cancelled.flatMap(({ assigneeId }) => assigneeId ?? []),
  );
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
 * Undoes `cancelTasksOf`: opens each task again as it was, and settles the turnovers around the stay anew. A person who has
 * other work at that time by now does not get the task back, and somebody else is looked for. A task that another act has
 * changed meanwhile stays; a second run changes nothing.
 */
export async function reopenTasks(
  tx: Tx,
  reservationId: string,
  { cancelled, released, relaxed }: CancelledTasks,
): Promise<void> {
  const targets = cancelled.flatMap(targetOf);
  const own = cancelled.map(({ taskId }) => taskId);
  const around = [...released, ...relaxed].map(({ taskId }) => taskId);
  await lockTasks(tx, [...own, ...around, ...targets]);
  for (const task of cancelled) {
    const back = await asItWas(tx, task);
    if (await reopen(tx, task, back)) continue;
    const reopened = await reopen(tx, task, NOBODYS);
    if (reopened && task.assigneeId !== null) await notifyWithdrawn(tx, task.taskId, task.assigneeId);
  }
  await settleAround(tx, reservationId, ...(await staysOf(tx, targets)));
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
  await insertWithdrawal(tx, { ...taskWithdrawnMessage(assigneeId, taskId), id: newId(NOTIFICATION), taskId });
}
