import { type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { unlessRefused } from '../../db/savepoint.ts';
import type { TaskPriority, TaskStatus } from '../../db/schema.ts';
import { newId } from '../../kernel/ids.ts';
import { taskWithdrawnMessage } from '../messages/catalogue/task-withdrawn.ts';
import { insertWithdrawal } from '../notifications/store/order.ts';
import { mayTakeTurnover, movedTurnover, priorityUnlessSet } from '../tasks/turnover.ts';

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
  const released = await releaseFrom(tx, ids);
  const cancelled = open.map((task) => ({
    taskId: task.id,
    status: task.status,
    assigneeId: task.assignee_id,
    mergedInto: task.merged_into_task_id,
    version: task.version + 1,
  }));
  const relaxed = await relax(tx, cancelled.flatMap(targetOf));
  await tx
    .updateTable('task')
    .set((eb) => ({
      status: 'CANCELLED',
      merged_into_task_id: null,
      next_assign_at: null,
      version: eb('version', '+', 1),
    }))
    .where('id', 'in', ids)
    .execute();
  return { cancelled, ...left, released, relaxed };
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

/** Cleanings that were merged into these stand on their own again. */
export async function releaseFrom(tx: Tx, taskIds: readonly string[]): Promise<CancelledTasks['released']> {
  const { rows } = await sql<{ taskId: string; mergedInto: string }>`
    UPDATE task t SET status = 'UNASSIGNED', merged_into_task_id = NULL, next_assign_at = now(), version = t.version + 1
      FROM task before WHERE before.id = t.id AND t.merged_into_task_id = ANY(${taskIds}::text[])
    RETURNING t.id AS "taskId", before.merged_into_task_id AS "mergedInto"`.execute(tx);
  return rows;
}

/** The departing stay's cleaning will not be done when the next guest comes: theirs stands on its own again. */
export async function partTurnover(tx: Tx, cleaningId: string): Promise<void> {
  await releaseFrom(tx, [cleaningId]);
  await relax(tx, [cleaningId]);
}

/** A departing stay's cleaning need not be ready for this guest any more. */
async function relax(tx: Tx, taskIds: readonly string[]): Promise<CancelledTasks['relaxed']> {
  if (taskIds.length === 0) return [];
  const usual = movedTurnover('t', null);
  const { rows } = await sql<{ id: string; must_finish_by: Date | null; priority: TaskPriority }>`
    UPDATE task t SET must_finish_by = NULL, version = t.version + 1,
           scheduled_at = ${usual.scheduled_at}, ends_at = ${usual.ends_at}, local_rule = ${usual.local_rule},
           priority = ${priorityUnlessSet('t', 'NORMAL')}
      FROM task before WHERE before.id = t.id AND t.id = ANY(${taskIds}::text[]) AND t.status IN ('UNASSIGNED', 'ASSIGNED')
    RETURNING t.id, before.must_finish_by, before.priority`.execute(tx);
  return rows.map((row) => ({
    taskId: row.id,
    mustFinishBy: row.must_finish_by?.toISOString() ?? null,
    priority: row.priority,
  }));
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
    if (reopened && task.assigneeId !== null) await tellWithdrawn(tx, task.taskId, task.assigneeId);
  }
  for (const { taskId, mergedInto } of released) await mergeAgain(tx, taskId, mergedInto);
  for (const { taskId, mustFinishBy, priority } of relaxed) {
    const hurried = movedTurnover('task', sql`${mustFinishBy}::timestamptz`);
    await sql`
      UPDATE task SET scheduled_at = ${hurried.scheduled_at}, ends_at = ${hurried.ends_at}, local_rule = ${hurried.local_rule}, must_finish_by = ${mustFinishBy}::timestamptz, version = version + 1,
             priority = CASE WHEN 'priority' = ANY(manual_fields) THEN priority ELSE ${priority} END
       WHERE id = ${taskId} AND status IN ('UNASSIGNED', 'ASSIGNED') AND must_finish_by IS NULL
         AND (${mustFinishBy}::timestamptz IS NOT NULL OR priority <> ${priority})`.execute(tx);
  }
}

const targetOf = ({ mergedInto }: { readonly mergedInto: string | null }): string[] =>
  mergedInto === null ? [] : [mergedInto];

async function lockTasks(tx: Tx, ids: readonly string[]): Promise<void> {
  await sql`SELECT id FROM task WHERE id = ANY(${ids}::text[]) ORDER BY id FOR UPDATE`.execute(tx);
}

interface Reopened {
  readonly status: TaskStatus;
  readonly assignee_id: string | null;
  readonly merged_into_task_id: string | null;
}
const NOBODYS: Reopened = { status: 'UNASSIGNED', assignee_id: null, merged_into_task_id: null };

/** A cleaning that was merged into one which is cancelled by now would never be done. */
async function asItWas(tx: Tx, task: CancelledTasks['cancelled'][number]): Promise<Reopened> {
  if (task.mergedInto !== null) {
    const into = await tx.selectFrom('task').select('status').where('id', '=', task.mergedInto).executeTakeFirst();
    if (into === undefined || into.status === 'CANCELLED') return NOBODYS;
  }
  return { status: task.status, assignee_id: task.assigneeId, merged_into_task_id: task.mergedInto };
}

/** False when the assignee has other work at that time by now; the transaction stays usable. */
function reopen(tx: Tx, task: CancelledTasks['cancelled'][number], as: Reopened): Promise<boolean> {
  return unlessRefused(tx, 'no_double_shift', () =>
    tx
      .updateTable('task')
      .set((eb) => ({ ...as, next_assign_at: sql<Date>`now()`, version: eb('version', '+', 1) }))
      .where('id', '=', task.taskId)
      .where('status', '=', literal('CANCELLED'))
      .where('version', '=', task.version)
      .where(
        sql<SqlBool>`NOT EXISTS (SELECT FROM task o WHERE o.reservation_id = task.reservation_id AND o.type = task.type
          AND o.occurrence = task.occurrence AND o.status <> 'CANCELLED')`,
      )
      .execute(),
  );
}

/** Only while both are still open; whoever was given the released cleaning meanwhile is told not to come. */
async function mergeAgain(tx: Tx, taskId: string, into: string): Promise<void> {
  const { rows } = await sql<{ assignee_id: string | null }>`
    UPDATE task t SET status = 'MERGED', assignee_id = NULL, merged_into_task_id = post.id, version = t.version + 1
      FROM task before, task post
     WHERE t.id = ${taskId} AND before.id = t.id AND t.status IN ('UNASSIGNED', 'ASSIGNED')
       AND post.id = ${into} AND post.status IN ('UNASSIGNED', 'ASSIGNED') AND ${mayTakeTurnover('post', sql`t.must_finish_by`)}
    RETURNING before.assignee_id`.execute(tx);
  const displaced = rows[0]?.assignee_id ?? null;
  if (displaced !== null) await tellWithdrawn(tx, taskId, displaced);
}

/** Keyed by the task's version: a person may be given the same task, and lose it, more than once. */
async function tellWithdrawn(tx: Tx, taskId: string, assigneeId: string): Promise<void> {
  await insertWithdrawal(tx, { ...taskWithdrawnMessage(assigneeId, taskId), id: newId('notification'), taskId });
}
