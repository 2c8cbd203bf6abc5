import { sql } from 'kysely';
import type { Tx } from '../../../db/client.ts';
import type { TaskPriority } from '../../../db/schema.ts';
import { statusLiterals } from '../transitions.ts';
import { leavesBefore, mayTakeTurnover, movedTurnover, priorityUnlessSet } from '../turnover.ts';
import { KEPT_SLOT } from './assign.ts';

/** Cleanings that are merged where two stays meet on one day, and what that asks of the one that is left (domain.md 10). */

/** A merged cleaning `t` is nobody's, and nothing is agreed or asked about it. */
const NOBODYS = sql`assignee_id = NULL, ${KEPT_SLOT}, accept_by = NULL, accepted_at = NULL, next_assign_at = NULL`;

/** These go into another cleaning. */
export async function mergeTasks(tx: Tx, taskIds: readonly string[], into: string): Promise<void> {
  if (taskIds.length === 0) return;
  await sql`
    UPDATE task t SET status = 'MERGED', ${NOBODYS}, merged_into_task_id = ${into}, version = t.version + 1
     WHERE t.id = ANY(${taskIds}::text[]) AND t.status IN (${sql.join(statusLiterals('merge'))})`.execute(tx);
}

/** Once more into the same, while both are open and it will be done in time; answers who had it meanwhile. */
export async function mergeAgain(tx: Tx, taskId: string, into: string): Promise<string | null> {
  const { rows } = await sql<{ assignee_id: string | null }>`
    UPDATE task t SET status = 'MERGED', ${NOBODYS}, merged_into_task_id = post.id, version = t.version + 1
      FROM task before, task post
     WHERE t.id = ${taskId} AND before.id = t.id AND t.status IN (${sql.join(statusLiterals('merge'))})
       AND post.id = ${into} AND post.status IN (${sql.join(statusLiterals('settle'))}) AND ${mayTakeTurnover('post', sql`t.must_finish_by`)}
    RETURNING before.assignee_id`.execute(tx);
  return rows[0]?.assignee_id ?? null;
}

/** Of cleanings before an arrival, those that the departing stay's does for as well go into it; answers the pairs. */
export async function mergeIntoPrevious(tx: Tx, taskIds: readonly string[]) {
  const { rows } = await sql<{ id: string; into: string }>`
    UPDATE task t SET status = 'MERGED', ${NOBODYS}, merged_into_task_id = post.id, version = t.version + 1
      FROM reservation r JOIN reservation p ON ${leavesBefore('p', 'r')}
      JOIN task post ON post.reservation_id = p.id AND post.occurrence = 'POST_DEPARTURE' AND post.status IN (${sql.join(statusLiterals('settle'))})
     WHERE t.id = ANY(${taskIds}::text[]) AND t.status IN (${sql.join(statusLiterals('merge'))}) AND r.id = t.reservation_id
       AND ${mayTakeTurnover('post', sql`t.must_finish_by`)}
    RETURNING t.id, post.id AS into`.execute(tx);
  return rows;
}

/** What was merged into these stands on its own again, and somebody is looked for. */
export async function partTasks(
  tx: Tx,
  taskIds: readonly string[],
): Promise<readonly { readonly taskId: string; readonly mergedInto: string }[]> {
  const { rows } = await sql<{ taskId: string; mergedInto: string }>`
    UPDATE task t SET status = 'UNASSIGNED', merged_into_task_id = NULL, next_assign_at = now(), version = t.version + 1
      FROM task before WHERE before.id = t.id AND t.merged_into_task_id = ANY(${taskIds}::text[]) AND t.status IN (${sql.join(statusLiterals('part'))})
    RETURNING t.id AS "taskId", before.merged_into_task_id AS "mergedInto"`.execute(tx);
  return rows;
}

/** The departing stay's cleaning has to be ready for the next guest by then; null: for nobody. */
export async function setDeadline(tx: Tx, taskId: string, mustFinishBy: Date | string | null): Promise<void> {
  const by = mustFinishBy instanceof Date ? mustFinishBy.toISOString() : mustFinishBy;
  const moved = movedTurnover('task', sql`${by}::timestamptz`);
  await sql`
    UPDATE task SET must_finish_by = ${by}::timestamptz, version = version + 1,
           scheduled_at = ${moved.scheduled_at}, ends_at = ${moved.ends_at}, local_rule = ${moved.local_rule},
           priority = ${priorityUnlessSet('task', 'HIGH')}
     WHERE id = ${taskId} AND status IN (${sql.join(statusLiterals('settle'))})`.execute(tx);
}

/** A departing stay's cleaning, as it was before nobody waited for it any more. */
export interface FormerDeadline {
  readonly taskId: string;
  /** ISO instant. */
  readonly mustFinishBy: string | null;
  readonly priority: TaskPriority;
}

/** Nobody waits for these any more. Answers what they were. */
export async function clearDeadlines(tx: Tx, taskIds: readonly string[]): Promise<readonly FormerDeadline[]> {
  if (taskIds.length === 0) return [];
  const usual = movedTurnover('t', null);
  const { rows } = await sql<{ id: string; must_finish_by: Date | null; priority: TaskPriority }>`
    UPDATE task t SET must_finish_by = NULL, version = t.version + 1,
           scheduled_at = ${usual.scheduled_at}, ends_at = ${usual.ends_at}, local_rule = ${usual.local_rule},
           priority = ${priorityUnlessSet('t', 'NORMAL')}
      FROM task before WHERE before.id = t.id AND t.id = ANY(${taskIds}::text[]) AND t.status IN (${sql.join(statusLiterals('settle'))})
    RETURNING t.id, before.must_finish_by, before.priority`.execute(tx);
  return rows.map((row) => ({
    taskId: row.id,
    mustFinishBy: row.must_finish_by?.toISOString() ?? null,
    priority: row.priority,
  }));
}

/** Takes `clearDeadlines` back, where nobody has set another one since. */
export async function restoreDeadline(tx: Tx, { taskId, mustFinishBy, priority }: FormerDeadline): Promise<void> {
  const moved = movedTurnover('task', sql`${mustFinishBy}::timestamptz`);
  await sql`
    UPDATE task SET scheduled_at = ${moved.scheduled_at}, ends_at = ${moved.ends_at}, local_rule = ${moved.local_rule}, must_finish_by = ${mustFinishBy}::timestamptz, version = version + 1,
           priority = CASE WHEN 'priority' = ANY(manual_fields) THEN priority ELSE ${priority} END
     WHERE id = ${taskId} AND status IN (${sql.join(statusLiterals('settle'))}) AND must_finish_by IS NULL
       AND (${mustFinishBy}::timestamptz IS NOT NULL OR priority <> ${priority})`.execute(tx);
}

/** Those that something was merged into have to be done by when that had to be. */
export async function takeDeadlinesOfMerged(tx: Tx, mergedIds: readonly string[]): Promise<void> {
  if (mergedIds.length === 0) return;
  const moved = movedTurnover('post', sql`t.must_finish_by`);
  await sql`
    UPDATE task post SET priority = ${priorityUnlessSet('post', 'HIGH')}, must_finish_by = t.must_finish_by, version = post.version + 1,
           scheduled_at = ${moved.scheduled_at}, ends_at = ${moved.ends_at}, local_rule = ${moved.local_rule}
      FROM task t WHERE t.id = ANY(${mergedIds}::text[]) AND post.id = t.merged_into_task_id AND post.status IN (${sql.join(statusLiterals('settle'))})`.execute(
    tx,
  );
}
