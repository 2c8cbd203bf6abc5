import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { classifyDbError } from '../../db/errors.ts';
import type { TaskType } from '../../db/schema.ts';
import { newId } from '../../kernel/ids.ts';
import { raiseSystemAlert } from '../notifications/alerts.ts';
import { taskAssignedMessage } from '../notifications/matrix.ts';
import { candidatesFor } from './staffing.ts';

/** Minutes until the next try, by the number of tries so far; then hourly (domain.md 11). */
const RETRY_MINUTES = [5, 15, 60];

interface OpenTask {
  readonly id: string;
  readonly type: TaskType;
  readonly property_id: string;
  readonly reservation_id: string | null;
  readonly occurrence: string;
  readonly scheduled_at: Date;
  readonly ends_at: Date;
  readonly assign_attempts: number;
}

/**
 * Assigns what is due to be assigned; answers how many tasks it looked at. Tasks of a saga that has not completed are
 * left alone, so that nobody is told of work that may be taken back. Any number of sweeps may run at once: when two of
 * them want the same person at the same hour, the database refuses one, which then goes on task by task.
 */
export async function assignDueTasks(db: Db, limit: number): Promise<number> {
  try {
    return await sweep(db, limit);
  } catch (error) {
    const failure = classifyDbError(error);
    if (failure.kind !== 'constraint' || failure.constraint !== 'no_double_shift' || limit === 1) throw error;
    return sweep(db, 1);
  }
}

function sweep(db: Db, limit: number): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const due = await takeDue(tx, limit);
    const merged = await mergeTurnovers(tx, due);
    const open = due.filter(({ id }) => !merged.has(id));
    if (open.length > 0) await assign(tx, open);
    return due.length;
  });
}

async function takeDue(tx: Tx, limit: number): Promise<readonly OpenTask[]> {
  const { rows } = await sql<OpenTask>`
    SELECT t.id, t.type, t.property_id, t.reservation_id, t.occurrence, t.scheduled_at, t.ends_at, t.assign_attempts FROM task t
     WHERE t.status = 'UNASSIGNED' AND t.next_assign_at <= now()
       AND coalesce((SELECT s.status FROM saga s WHERE s.id = t.created_by_saga), 'completed') = 'completed'
     ORDER BY t.next_assign_at LIMIT ${limit}::int FOR UPDATE OF t SKIP LOCKED`.execute(tx);
  return rows;
}

/** Two stays that were confirmed at the same moment did not see each other; here their turnover is found. */
async function mergeTurnovers(tx: Tx, due: readonly OpenTask[]): Promise<ReadonlySet<string>> {
  const ids = due.filter(({ occurrence }) => occurrence === 'PRE_ARRIVAL').map(({ id }) => id);
  if (ids.length === 0) return new Set();
  const { rows } = await sql<{ id: string; into: string }>`
    UPDATE task t SET status = 'MERGED', merged_into_task_id = post.id, version = t.version + 1
      FROM reservation r JOIN reservation p ON p.property_id = r.property_id AND p.check_out_date = r.check_in_date
      JOIN task post ON post.reservation_id = p.id AND post.occurrence = 'POST_DEPARTURE' AND post.status IN ('UNASSIGNED', 'ASSIGNED')
     WHERE t.id = ANY(${ids}::text[]) AND r.id = t.reservation_id AND p.status IN ('CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT')
    RETURNING t.id, post.id AS into`.execute(tx);
  if (rows.length > 0) {
    await sql`
      UPDATE task post SET priority = 'HIGH', must_finish_by = t.must_finish_by, version = post.version + 1
        FROM task t WHERE t.id = ANY(${rows.map((row) => row.id)}::text[]) AND post.id = t.merged_into_task_id`.execute(
      tx,
    );
  }
  return new Set(rows.map((row) => row.id));
}

async function assign(tx: Tx, open: readonly OpenTask[]): Promise<void> {
  const slots = open.map((task) => ({
    taskId: task.id,
    type: task.type,
    propertyId: task.property_id,
    scheduledAt: task.scheduled_at.toISOString(),
    endsAt: task.ends_at.toISOString(),
  }));
  const candidates = await candidatesFor(tx, slots);
  const given = new Map<string, OpenTask[]>();
  const assigned: { readonly task: OpenTask; readonly assigneeId: string }[] = [];
  const left: OpenTask[] = [];
  for (const task of open) {
    const free = (id: string): boolean => !(given.get(id) ?? []).some((other) => overlaps(task, other));
    const assigneeId = (candidates.get(task.id) ?? []).find(free);
    if (assigneeId === undefined) {
      left.push(task);
      continue;
    }
    given.set(assigneeId, [...(given.get(assigneeId) ?? []), task]);
    assigned.push({ task, assigneeId });
  }
  if (assigned.length > 0) await recordAssigned(tx, assigned);
  // Somebody could, but was given other work in this very sweep: the next one looks again.
  const taken = left.filter(({ id }) => (candidates.get(id) ?? []).length > 0);
  if (taken.length > 0) await postpone(tx, taken, 0);
  const nobody = left.filter(({ id }) => (candidates.get(id) ?? []).length === 0);
  if (nobody.length > 0) await postpone(tx, nobody, 1);
  const first = nobody.filter(({ assign_attempts }) => assign_attempts === 0);
  for (const type of new Set(first.map((task) => task.type))) {
    const taskId = first.find((task) => task.type === type)?.id ?? '';
    const params = { sagaName: 'TaskOrchestrator', step: type, code: 'NO_STAFF_AVAILABLE', sagaId: taskId };
    await raiseSystemAlert(tx, `unassigned-${type}`, params);
  }
}

const overlaps = (a: OpenTask, b: OpenTask): boolean => a.scheduled_at < b.ends_at && b.scheduled_at < a.ends_at;

async function recordAssigned(
  tx: Tx,
  assigned: readonly { readonly task: OpenTask; readonly assigneeId: string }[],
): Promise<void> {
  const rows = assigned.map(({ task, assigneeId }) => ({ id: task.id, assigneeId }));
  await sql`
    UPDATE task t SET status = 'ASSIGNED', assignee_id = i ->> 'assigneeId', assign_attempts = t.assign_attempts + 1, version = t.version + 1
      FROM few_items(${JSON.stringify(rows)}::jsonb) AS i WHERE t.id = i ->> 'id'`.execute(tx);
  await tx
    .insertInto('notification')
    .values(
      assigned.map(({ task, assigneeId }) => {
        const { event, template, channel, recipientType, recipientId } = taskAssignedMessage(assigneeId);
        return {
          id: newId('notification'),
          effect_key: `${task.id}-assigned-${assigneeId}-${task.assign_attempts + 1}`,
          reservation_id: task.reservation_id,
          task_id: task.id,
          event,
          template,
          channel,
          recipient_type: recipientType,
          recipient_id: recipientId,
        };
      }),
    )
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .execute();
}

/** `tries` 0: it was not this task's fault, and it is due again in a second. */
async function postpone(tx: Tx, tasks: readonly OpenTask[], tries: 0 | 1): Promise<void> {
  const rows = tasks.map(({ id, assign_attempts }) => ({
    id,
    seconds: tries === 0 ? 1 : (RETRY_MINUTES[assign_attempts] ?? 60) * 60,
  }));
  await sql`
    UPDATE task t SET assign_attempts = t.assign_attempts + ${tries}::int, next_assign_at = now() + (i ->> 'seconds')::int * interval '1 second'
      FROM few_items(${JSON.stringify(rows)}::jsonb) AS i WHERE t.id = i ->> 'id'`.execute(tx);
}
