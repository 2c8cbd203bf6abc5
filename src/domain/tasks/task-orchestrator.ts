import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { classifyDbError } from '../../db/errors.ts';
import type { TaskStatus, TaskType } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { systemAlertMessage, taskAssignedMessage } from '../notifications/matrix.ts';
import type { TaskValues } from './ensure.ts';
import { alternativesFor, candidatesFor, type Slot } from './staffing.ts';

/** The brief's TaskOrchestrator: finds people for tasks, after the saga that made them or within it. */

/** A confirmation that requires staff: the task is assigned in its step, or the step refuses with the brief's body. */
export async function ensureAssignedTask(
  tx: Tx,
  made: { readonly propertyId: string } & TaskValues,
  saga: { readonly sagaId: string; readonly subjectId: string; readonly key: string },
): Promise<{ status: TaskStatus; assignee: string | null }> {
  const merged = made.occurrence === 'PRE_ARRIVAL' ? await cleaningToMergeInto(tx, saga.subjectId) : null;
  const slot: Slot = {
    taskId: made.taskId,
    type: made.type as TaskType,
    propertyId: made.propertyId,
    scheduledAt: made.scheduledAt,
    endsAt: made.endsAt,
  };
  if (merged) {
    await insertStayTask(tx, made, saga, { status: 'MERGED', mergedInto: merged, assigneeId: null });
    return { status: 'MERGED', assignee: null };
  }
  for (const assigneeId of await candidatesFor(tx, slot)) {
    if (
      await assignUnlessTaken(tx, () =>
        insertStayTask(tx, made, saga, { status: 'ASSIGNED', mergedInto: null, assigneeId }),
      )
    ) {
      return { status: 'ASSIGNED', assignee: assigneeId };
    }
  }
  const alternatives = await alternativesFor(tx, slot, made.mustFinishBy);
  throw new RoomyError('NO_STAFF_AVAILABLE', {
    details: {
      taskType: made.type,
      scheduledDate: made.scheduledAt,
      suggestedAlternatives: alternatives.map((alternative) => alternative.start),
      alternatives,
    },
  });
}

async function cleaningToMergeInto(tx: Tx, reservationId: string): Promise<string | null> {
  const row = await tx
    .selectFrom('reservation as r')
    .innerJoin('reservation as p', (join) =>
      join.onRef('p.property_id', '=', 'r.property_id').onRef('p.check_out_date', '=', 'r.check_in_date'),
    )
    .innerJoin('task as t', 't.reservation_id', 'p.id')
    .where('r.id', '=', reservationId)
    .where('p.status', 'in', ['CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT'])
    .where('t.occurrence', '=', 'POST_DEPARTURE')
    .where('t.status', 'in', ['UNASSIGNED', 'ASSIGNED'])
    .select('t.id')
    .orderBy('p.id')
    .executeTakeFirst();
  return row?.id ?? null;
}

async function insertStayTask(
  tx: Tx,
  made: TaskValues & { readonly propertyId: string },
  saga: { readonly sagaId: string; readonly subjectId: string; readonly key: string },
  as: { readonly status: TaskStatus; readonly mergedInto: string | null; readonly assigneeId: string | null },
): Promise<void> {
  await sql`
    INSERT INTO task (id, reservation_id, property_id, type, occurrence, title, status, assignee_id, scheduled_at, ends_at, must_finish_by,
      local_rule, merged_into_task_id, created_by_saga, effect_key)
    SELECT ${made.taskId}, r.id, r.property_id, ${made.type}, ${made.occurrence},
      CASE ${made.occurrence}::text WHEN 'PRE_ARRIVAL' THEN 'Pre-arrival cleaning' WHEN 'POST_DEPARTURE' THEN 'Post-departure cleaning'
        WHEN 'ARRIVAL' THEN 'Check-in for ' || coalesce(g.name, 'guest') ELSE 'Check-out for ' || coalesce(g.name, 'guest') END,
      ${as.status}, ${as.assigneeId}, ${made.scheduledAt}::timestamptz, ${made.endsAt}::timestamptz, ${made.mustFinishBy}::timestamptz,
      ${made.localRule}, ${as.mergedInto}, ${saga.sagaId}, ${saga.key}
      FROM reservation r LEFT JOIN guest g ON g.id = r.guest_id WHERE r.id = ${saga.subjectId}`.execute(tx);
}

/** False when somebody else was given the person's time meanwhile; the transaction stays usable. */
async function assignUnlessTaken(tx: Tx, write: () => Promise<void>): Promise<boolean> {
  await sql`SAVEPOINT candidate`.execute(tx);
  try {
    await write();
    await sql`RELEASE SAVEPOINT candidate`.execute(tx);
    return true;
  } catch (error) {
    const failure = classifyDbError(error);
    if (failure.kind !== 'constraint' || failure.constraint !== 'no_double_shift') throw error;
    await sql`ROLLBACK TO SAVEPOINT candidate`.execute(tx);
    return false;
  }
}

/** Minutes until the next try, by the number of tries so far; then hourly (domain.md 11). */
const RETRY_MINUTES = [5, 15, 60];
/** The alert goes out once, when the first try found nobody. */
const ALERT_ATTEMPT = 1;

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
 * left alone, so that nobody is told of work that may be taken back. Any number of sweeps may run at once.
 */
export function assignDueTasks(db: Db, limit: number): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const { rows } = await sql<OpenTask>`
      SELECT t.id, t.type, t.property_id, t.reservation_id, t.occurrence, t.scheduled_at, t.ends_at, t.assign_attempts FROM task t
       WHERE t.status = 'UNASSIGNED' AND t.next_assign_at <= now()
         AND coalesce((SELECT s.status FROM saga s WHERE s.id = t.created_by_saga), 'completed') = 'completed'
       ORDER BY t.next_assign_at LIMIT ${limit}::int FOR UPDATE OF t SKIP LOCKED`.execute(tx);
    for (const task of rows) await assignOne(tx, task);
    return rows.length;
  });
}

async function assignOne(tx: Tx, task: OpenTask): Promise<void> {
  if (
    task.occurrence === 'PRE_ARRIVAL' &&
    task.reservation_id !== null &&
    (await mergeTurnover(tx, task.id, task.reservation_id))
  )
    return;
  const slot = {
    taskId: task.id,
    type: task.type,
    propertyId: task.property_id,
    scheduledAt: task.scheduled_at.toISOString(),
    endsAt: task.ends_at.toISOString(),
  };
  for (const assigneeId of await candidatesFor(tx, slot)) {
    const assigned = await assignUnlessTaken(tx, async () => {
      await tx
        .updateTable('task')
        .set((eb) => ({
          status: 'ASSIGNED',
          assignee_id: assigneeId,
          assign_attempts: eb('assign_attempts', '+', 1),
          version: eb('version', '+', 1),
        }))
        .where('id', '=', task.id)
        .execute();
    });
    if (assigned) return tellAssignee(tx, task, assigneeId);
  }
  const attempts = task.assign_attempts + 1;
  const minutes = RETRY_MINUTES[attempts - 1] ?? 60;
  await tx
    .updateTable('task')
    .set({ assign_attempts: attempts, next_assign_at: sql`now() + ${minutes}::int * interval '1 minute'` })
    .where('id', '=', task.id)
    .execute();
  if (attempts === ALERT_ATTEMPT) await alertUnassigned(tx, task);
}

/** Two stays that were confirmed at the same moment did not see each other; here the turnover is found. */
async function mergeTurnover(tx: Tx, taskId: string, reservationId: string): Promise<boolean> {
  const into = await cleaningToMergeInto(tx, reservationId);
  if (into === null) return false;
  const merged = await tx
    .updateTable('task')
    .set((eb) => ({ status: 'MERGED', merged_into_task_id: into, version: eb('version', '+', 1) }))
    .where('id', '=', taskId)
    .returning('must_finish_by')
    .executeTakeFirst();
  await tx
    .updateTable('task')
    .set((eb) => ({ priority: 'HIGH', must_finish_by: merged?.must_finish_by ?? null, version: eb('version', '+', 1) }))
    .where('id', '=', into)
    .execute();
  return true;
}

async function tellAssignee(tx: Tx, task: OpenTask, assigneeId: string): Promise<void> {
  const { event, template, channel, recipientType, recipientId } = taskAssignedMessage(assigneeId);
  await tx
    .insertInto('notification')
    .values({
      id: newId('notification'),
      effect_key: `${task.id}-assigned-${assigneeId}-${task.assign_attempts + 1}`,
      reservation_id: task.reservation_id,
      task_id: task.id,
      event,
      template,
      channel,
      recipient_type: recipientType,
      recipient_id: recipientId,
    })
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .execute();
}

/** One System Alert for all tasks of a kind that found nobody within the hour. */
async function alertUnassigned(tx: Tx, task: OpenTask): Promise<void> {
  const { event, template, channel, recipientType, recipientId } = systemAlertMessage();
  const params = { sagaName: 'TaskOrchestrator', step: task.type, code: 'NO_STAFF_AVAILABLE', sagaId: task.id };
  await tx
    .insertInto('notification')
    .values({
      id: newId('notification'),
      effect_key: sql<string>`${`alert-unassigned-${task.type}-`}::text || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDDHH24')`,
      event,
      template,
      channel,
      recipient_type: recipientType,
      recipient_id: recipientId,
      params: JSON.stringify(params),
    })
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .execute();
}
