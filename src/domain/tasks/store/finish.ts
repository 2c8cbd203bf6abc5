import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../../db/client.ts';
import type { Completion, TaskStatus, TaskType } from '../../../db/schema.ts';
import { statusLiterals } from '../transitions.ts';
import { KEPT_SLOT } from './assign.ts';

/** How tasks begin, and how they end: completed, cancelled, withdrawn or overtaken; and how that is undone. */

/** The row must be locked; `version` is the new one. */
export const startTaskRow = (
  tx: Tx,
  id: string,
  { startedAt, version }: { readonly startedAt: RawBuilder<Date> | Date; readonly version: number },
) =>
  tx
    .updateTable('task')
    .set({ status: 'IN_PROGRESS', started_at: startedAt, version })
    .where('id', '=', id)
    .where('status', 'in', statusLiterals('start'))
    .returningAll()
    .executeTakeFirstOrThrow();

/** The row must be locked; `version` is the new one. */
export const completeTaskRow = (
  tx: Tx,
  id: string,
  done: {
    readonly assigneeId: string | null;
    readonly completedAt: Date;
    readonly completedBy: string;
    readonly completion: Completion;
    readonly version: number;
  },
) =>
  tx
    .updateTable('task')
    .set({
      status: 'COMPLETED',
      assignee_id: done.assigneeId,
      completed_at: done.completedAt,
      completed_by: done.completedBy,
      completion: JSON.stringify(done.completion),
      next_assign_at: null,
      version: done.version,
    })
    .where('id', '=', id)
    .where('status', 'in', statusLiterals('complete'))
    .returningAll()
    .executeTakeFirstOrThrow();

/** Completes the task of this key; changes nothing when it is over already. */
export const completeTaskByKey = (db: Db | Tx, effectKey: string) =>
  db
    .updateTable('task')
    .set((eb) => ({ status: 'COMPLETED', completed_at: sql<Date>`now()`, version: eb('version', '+', 1) }))
    .where('effect_key', '=', effectKey)
    .where('status', 'in', statusLiterals('complete'))
    .execute();

/** They are cancelled and not withdrawn: no tombstone, so what they belong to still shows them. */
export async function cancelTasks(tx: Tx, taskIds: readonly string[]): Promise<void> {
  if (taskIds.length === 0) return;
  await tx
    .updateTable('task')
    .set((eb) => ({
      status: 'CANCELLED',
      merged_into_task_id: null,
      next_assign_at: null,
      version: eb('version', '+', 1),
    }))
    .where('id', 'in', taskIds)
    .where('status', 'in', statusLiterals('cancel'))
    .execute();
}

/** The owner has said no to a repair: it is called off. The row must be locked; `version` is the new one. */
export async function declineTask(tx: Tx, id: string, version: number): Promise<void> {
  await tx
    .updateTable('task')
    .set({ approval: 'DECLINED', status: 'CANCELLED', next_assign_at: null, version })
    .where('id', '=', id)
    .where('status', 'in', statusLiterals('cancel'))
    .execute();
}

/** A cancelled task as it is to be again. */
export interface ReopenedAs {
  readonly status: TaskStatus;
  readonly assignee_id: string | null;
  readonly merged_into_task_id: string | null;
}

/**
 * A cancelled task is open again, unless another hand has changed it since (`version`) or the stay has another one of its
 * kind by now. Refused by `no_double_shift` when the assignee has other work at that time.
 */
export const reopenTask = (tx: Tx, task: { readonly id: string; readonly version: number }, as: ReopenedAs) =>
  tx
    .updateTable('task')
    .set((eb) => ({ ...as, next_assign_at: sql<Date>`now()`, version: eb('version', '+', 1) }))
    .where('id', '=', task.id)
    .where('status', 'in', statusLiterals('reopen'))
    .where('version', '=', task.version)
    .where(
      sql<SqlBool>`NOT EXISTS (SELECT FROM task o WHERE o.reservation_id = task.reservation_id AND o.type = task.type
          AND o.occurrence = task.occurrence AND o.status <> 'CANCELLED')`,
    )
    .execute();

/** Takes back a task that a step has made, by the step's key: a tombstone (domain.md T12). A completed task stays. Answers whose it was. */
export const withdrawTaskByKey = (tx: Tx, effectKey: string) =>
  tx
    .updateTable('task')
    .set((eb) => ({
      status: 'CANCELLED',
      merged_into_task_id: null,
      deleted_at: sql<Date>`now()`,
      version: eb('version', '+', 1),
    }))
    .where('effect_key', '=', effectKey)
    .where('status', 'in', statusLiterals('withdraw'))
    .returning(['id', 'assignee_id'])
    .execute();

/** A task as it was before it was overtaken; times are Postgres's own text, which loses nothing. */
export type EndedTask = {
  readonly taskId: string;
  readonly assigneeId: string | null;
  readonly slotStart: string | null;
  readonly slotEnd: string | null;
  readonly acceptBy: string | null;
  readonly acceptedAt: string | null;
  readonly nextAssignAt: string | null;
  readonly assignAttempts: number;
  /** The row's since, by which a later change of it is found. */
  readonly version: number;
};

/** Those of `which`, a condition on `task`, are nobody's from now on. Answers them as they were, in the order of their ids. */
export async function overtakeTasks(
  tx: Tx,
  which: RawBuilder<SqlBool>,
): Promise<readonly (EndedTask & { readonly type: TaskType; readonly reservationId: string | null })[]> {
  const { rows } = await sql<EndedTask & { readonly type: TaskType; readonly reservationId: string | null }>`
    WITH before AS MATERIALIZED (
      SELECT * FROM task WHERE status IN (${sql.join(statusLiterals('overtake'))}) AND ${which} ORDER BY id FOR UPDATE)
    UPDATE task t SET status = 'OVERTAKEN', assignee_id = NULL, accept_by = NULL, accepted_at = NULL, next_assign_at = NULL,
           ${KEPT_SLOT}, version = t.version + 1
      FROM before WHERE before.id = t.id
    RETURNING t.id AS "taskId", before.assignee_id AS "assigneeId", before.slot_start::text AS "slotStart", before.slot_end::text AS "slotEnd",
           before.accept_by::text AS "acceptBy", before.accepted_at::text AS "acceptedAt", before.next_assign_at::text AS "nextAssignAt",
           before.assign_attempts AS "assignAttempts", t.version, t.type, t.reservation_id AS "reservationId"`.execute(
    tx,
  );
  return rows.toSorted((a, b) => (a.taskId < b.taskId ? -1 : 1));
}

/** Of these, which nobody has, those whose stay `r` is in the state of `when`; answers their ids. */
export async function overtakeUnassigned(
  tx: Tx,
  taskIds: readonly string[],
  when: RawBuilder<SqlBool>,
): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ id: string }>`
    UPDATE task t SET status = 'OVERTAKEN', next_assign_at = NULL, version = t.version + 1 FROM reservation r
     WHERE t.id = ANY(${taskIds}::text[]) AND t.status IN (${sql.join(statusLiterals('overtake'))}) AND t.assignee_id IS NULL
       AND r.id = t.reservation_id AND ${when}
    RETURNING t.id`.execute(tx);
  return new Set(rows.map(({ id }) => id));
}

/** As it was before it was overtaken. Refused by `no_double_shift` when the assignee has other work at that time. */
export const resumeTask = (tx: Tx, task: EndedTask) =>
  sql`
    UPDATE task SET status = CASE WHEN ${task.assigneeId}::text IS NULL THEN 'UNASSIGNED' ELSE 'ASSIGNED' END,
           assignee_id = ${task.assigneeId}, slot_start = ${task.slotStart}::timestamptz, slot_end = ${task.slotEnd}::timestamptz,
           accept_by = ${task.acceptBy}::timestamptz, accepted_at = ${task.acceptedAt}::timestamptz,
           next_assign_at = ${task.nextAssignAt}::timestamptz, assign_attempts = ${task.assignAttempts}, version = version + 1
     WHERE id = ${task.taskId} AND ${mayResume} AND version = ${task.version}`.execute(tx);

/** The same as nobody's, as who had it cannot come any more; answers the rows that changed. */
export async function resumeAsNobodys(tx: Tx, task: EndedTask) {
  const { rows } = await sql<{ id: string; type: TaskType; reservationId: string | null; version: number }>`
    UPDATE task SET status = 'UNASSIGNED', next_assign_at = now(), version = version + 1
     WHERE id = ${task.taskId} AND ${mayResume} AND version = ${task.version}
    RETURNING id, type, reservation_id AS "reservationId", version`.execute(tx);
  return rows;
}

const mayResume = sql<boolean>`status IN (${sql.join(statusLiterals('resume'))})`;
