import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { newId } from '../../kernel/ids.ts';
import { holdAlternativesWithin } from '../assignment/holds.ts';
import { OPEN_TASK, type OpenTask } from '../assignment/open-task.ts';
import type { NewTask } from '../tasks/resource.ts';
import { placeOf, taskOrchestrator } from './task-orchestrator.ts';

/** Tasks made by hand for which somebody must be found at once. */

const nowMs = async (db: Tx): Promise<number> => {
  const { rows } = await sql<{ at: number }>`SELECT (extract(epoch FROM now()) * 1000)::bigint AS at`.execute(db);
  return rows[0]?.at ?? 0;
};

/**
 * Assigns a task in the transaction that made it, and notifies the assignee. `holdId`: a hold whose times are free for it; null:
 * none. Throws `NO_STAFF_AVAILABLE` with the brief's body, and `TASK_NOT_FOUND`.
 */
export async function assignMade(tx: Tx, taskId: string, holdId: string | null): Promise<void> {
  const { rows } = await sql<OpenTask>`
    SELECT ${OPEN_TASK} FROM task t JOIN property p ON p.id = t.property_id WHERE t.id = ${taskId}`.execute(tx);
  const [task] = rows;
  if (!task) throw new RoomyError('TASK_NOT_FOUND');
  await taskOrchestrator.assignNow(tx, task, { nowMs: await nowMs(tx), holdId, notifies: true });
}

/** The refusal with its times held, in a transaction after the one that would have made the task and was rolled back. */
export async function holdForTask(db: Tx, task: NewTask, holdId: string | undefined): Promise<RoomyError> {
  const place = await placeOf(db, task.propertyId);
  const start = new Date(task.scheduledDate);
  const open: OpenTask = {
    id: task.id ?? newId('task'),
    type: task.type,
    reservation_id: null,
    occurrence: 'MANUAL',
    scheduled_at: start,
    ends_at: new Date(start.getTime() + (task.durationMinutes ?? 60) * 60_000),
    must_finish_by: null,
    not_before: null,
    slot_start: null,
    slot_end: null,
    manual_fields: [],
    required_skills: task.requiredSkills ?? [],
    priority: task.priority ?? 'NORMAL',
    assign_attempts: 0,
    alert_level: 0,
    ...place,
  };
  return holdAlternativesWithin(db, open, { nowMs: await nowMs(db), holdId: holdId ?? newId('hold') });
}
