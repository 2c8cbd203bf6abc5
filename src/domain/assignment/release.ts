import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { taskWithdrawnMessage } from '../messages/catalogue/task-withdrawn.ts';
import { deliveryKey, enqueueInTransaction } from '../notifications/enqueue.ts';
import { postponeUntilGiven } from '../notifications/store/move.ts';
import { WITHDRAWN } from '../notifications/store/order.ts';
import { type Released, releaseTasks } from '../tasks/store/assign.ts';
import { obstacleAt, type Span, standingObstacle } from './candidates.ts';
import { OPEN_TASK, type OpenTask, wantedOf } from './open-task.ts';
import { readRoster, spanAround } from './staffing.ts';

/** Taking tasks from people again, so that somebody else is looked for at once. */

/** To those who need not come any more; keyed by the task's version, as a person may lose the same task more than once. */
export async function notifyReleased(tx: Tx, released: readonly Released[]): Promise<void> {
  for (const { id, assigneeId, reservationId, version } of released) {
    const messages = [taskWithdrawnMessage(assigneeId, id)];
    await enqueueInTransaction(tx, `${id}${WITHDRAWN}${version}`, messages, { sagaId: null, reservationId });
  }
  // Held back for a moment: a person who gets the task again at another time gets a message about the new time alone (`book`).
  const keys = released.map(({ id, version, assigneeId }) =>
    deliveryKey(`${id}${WITHDRAWN}${version}`, taskWithdrawnMessage(assigneeId, id)),
  );
  await postponeUntilGiven(tx, keys, WITHHELD_SECONDS);
}

const WITHHELD_SECONDS = 10;

/**
 * For tasks whose time has changed: those whose people cannot come at the new time any more are released, and get a
 * message. Work that overlaps other work cannot get here, as the database refuses it: such a move asks `canCome` first.
 */
export async function releaseUnlessFree(tx: Tx, taskIds: readonly string[]): Promise<readonly Released[]> {
  const busy: string[] = [];
  for (const id of taskIds) {
    const task = await assignedTask(tx, id);
    if (task && !(await canCome(tx, task, agreedSpan(task)))) busy.push(id);
  }
  const released = await releaseTasks(tx, busy);
  await notifyReleased(tx, released);
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
