import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { TaskType } from '../../db/schema.ts';
import { taskWithdrawnMessage } from '../messages/catalogue/task-withdrawn.ts';
import { deliveryKey, enqueueInTransaction } from '../notifications/enqueue.ts';
import { postponeUntilGiven } from '../notifications/store/move.ts';
import { obstacleAt, type Span, standingObstacle } from './candidates.ts';
import { OPEN_TASK, type OpenTask, wantedOf } from './open-task.ts';
import { readRoster, spanAround } from './staffing.ts';

/** Taking tasks from people again, so that somebody else is looked for at once. */
export interface Released {
  readonly id: string;
  readonly type: TaskType;
  readonly assigneeId: string;
  readonly reservationId: string | null;
  readonly version: number;
}

/**
 * ASSIGNED tasks among these go back to UNASSIGNED; what is under way or over stays. The agreed time goes with the
 * person, unless a person had set it.
 */
export async function releaseTasks(tx: Tx, taskIds: readonly string[]): Promise<readonly Released[]> {
  if (taskIds.length === 0) return [];
  const { rows } = await sql<Released>`
    UPDATE task t SET status = 'UNASSIGNED', assignee_id = NULL, accept_by = NULL, accepted_at = NULL, version = t.version + 1,
           slot_start = CASE WHEN 'scheduledDate' = ANY(t.manual_fields) THEN t.slot_start END,
           slot_end = CASE WHEN 'scheduledDate' = ANY(t.manual_fields) THEN t.slot_end END,
           next_assign_at = CASE WHEN t.type <> 'FINANCE' THEN now() END, assign_attempts = 0
      FROM task before WHERE before.id = t.id AND t.id = ANY(${taskIds}::text[]) AND t.status = 'ASSIGNED'
    RETURNING t.id, t.type, before.assignee_id AS "assigneeId", t.reservation_id AS "reservationId", t.version`.execute(
    tx,
  );
  return rows;
}

/** To those who need not come any more; keyed by the task's version, as a person may lose the same task more than once. */
export async function tellReleased(tx: Tx, released: readonly Released[]): Promise<void> {
  for (const { id, assigneeId, reservationId, version } of released) {
    const told = [taskWithdrawnMessage(assigneeId, id)];
    await enqueueInTransaction(tx, `${id}${WITHDRAWN}${version}`, told, { sagaId: null, reservationId });
  }
  // Held back for a moment: a person who gets the task again at another time is told only of the new time (`book`).
  const keys = released.map(({ id, version, assigneeId }) =>
    deliveryKey(`${id}${WITHDRAWN}${version}`, taskWithdrawnMessage(assigneeId, id)),
  );
  await postponeUntilGiven(tx, keys, WITHHELD_SECONDS);
}

const WITHHELD_SECONDS = 10;
/** Between the id and the version of a task in the effect key of such a message. */
export const WITHDRAWN = '-withdrawn-';

/**
 * For tasks whose time has changed: those whose people cannot come at the new time any more are released, and they are
 * told. What overlaps other work cannot get here, as the database refuses it: such a move asks `canCome` first.
 */
export async function releaseUnlessFree(tx: Tx, taskIds: readonly string[]): Promise<readonly Released[]> {
  const busy: string[] = [];
  for (const id of taskIds) {
    const task = await assignedTask(tx, id);
    if (task && !(await canCome(tx, task, agreedSpan(task)))) busy.push(id);
  }
  const released = await releaseTasks(tx, busy);
  await tellReleased(tx, released);
  return released;
}

export type AssignedTask = OpenTask & { readonly assignee_id: string };

const agreedSpan = (task: OpenTask): Span => ({
  startMs: (task.slot_start ?? task.scheduled_at).getTime(),
  endMs: (task.slot_end ?? task.ends_at).getTime(),
});

/** Undefined when nobody has it. */
export async function assignedTask(tx: Tx, taskId: string): Promise<AssignedTask | undefined> {
  const { rows } = await sql<AssignedTask>`
    SELECT ${OPEN_TASK}, t.assignee_id FROM task t JOIN property p ON p.id = t.property_id WHERE t.id = ${taskId} AND t.status = 'ASSIGNED'`.execute(
    tx,
  );
  return rows[0];
}

/**
 * Whether its assignee can do the task at that time, by the same filters as an assignment: shift, leave, other work with
 * the way to it, the day's cap. Holds the person's row, so that it stays true until the transaction ends.
 */
export async function canCome(tx: Tx, task: AssignedTask, { startMs, endMs }: Span): Promise<boolean> {
  await sql`SELECT id FROM staff WHERE id = ${task.assignee_id} FOR NO KEY UPDATE`.execute(tx);
  // Whether they can come then, not whether that is too late.
  const wanted = wantedOf(task, startMs, true);
  const asking = { ...wanted, window: { ...wanted.window, firstMs: startMs, durationMs: endMs - startMs } };
  const span = spanAround(asking.place, startMs, startMs, endMs - startMs);
  const roster = await readRoster(tx, { wanted: [asking], spans: [span], exceptTaskId: task.id });
  const person = roster.people.find(({ id }) => id === task.assignee_id);
  if (!person) return false;
  return standingObstacle(person, asking) === null && obstacleAt(person, asking, startMs, roster.rules) === null;
}
