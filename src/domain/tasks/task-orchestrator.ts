import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { classifyDbError } from '../../db/errors.ts';
import type { TaskStatus, TaskType } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { type TaskValues, titleOf } from './ensure.ts';
import { alternativesFor, candidatesFor, type Slot } from './staffing.ts';

/** The brief's TaskOrchestrator: finds people for tasks, within the saga that makes them or, in `assign-sweep.ts`, after it. */

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
  const candidates = await candidatesFor(tx, [slot]);
  for (const assigneeId of candidates.get(slot.taskId) ?? []) {
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
      ${titleOf(sql`${made.occurrence}::text`)},
      ${as.status}, ${as.assigneeId}, ${made.scheduledAt}::timestamptz, ${made.endsAt}::timestamptz, ${made.mustFinishBy}::timestamptz,
      ${made.localRule}, ${as.mergedInto}, ${saga.sagaId}, ${saga.key}
      FROM reservation r LEFT JOIN guest g ON g.id = r.guest_id WHERE r.id = ${saga.subjectId}`.execute(tx);
}

/** False when somebody else was given the person's time meanwhile; the transaction stays usable. */
export async function assignUnlessTaken(tx: Tx, write: () => Promise<unknown>): Promise<boolean> {
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
