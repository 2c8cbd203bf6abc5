import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { RefusalReason, TaskTable } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, recordChange } from '../audit/record.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { inScope, type Scope, sweepBatch } from '../sweeps/isolate.ts';
import { acceptOffer, type Released, releaseTasks } from '../tasks/store/assign.ts';
import { type TaskView, taskView } from '../tasks/view.ts';
import { alertAboutPerson } from './postpone.ts';
import { notifyReleased } from './release.ts';

/**
 * An assignment is an offer where the property asks for an answer within some minutes, and of emergencies always. A person who
 * declines a task is not offered it again. One who does not answer is asked once more when nobody else is left.
 */

/** `assigneeId` null: an administrator answers for the assignee. To anybody else the task is absent (security.md Z5). */
export interface Answering {
  readonly taskId: string;
  readonly assigneeId: string | null;
}

/**
 * A second time changes nothing. Throws `OFFER_EXPIRED` for an answer of the assignee's own that comes too late; an
 * administrator may still note what was said by telephone.
 */
export async function acceptTask(tx: Tx, answering: Answering, author: Author): Promise<TaskView> {
  const before = await lockOffered(tx, answering, 'accept');
  if (before.accepted_at !== null) return taskView(before);
  if (answering.assigneeId !== null && before.is_late) {
    throw new RoomyError('OFFER_EXPIRED', { details: { acceptBy: before.accept_by?.toISOString() ?? null } });
  }
  const row = await acceptOffer(tx, before.id, before.version + 1);
  await recordAnswer(tx, author, 'TASK_ACCEPTED', before, row);
  return taskView(row);
}

/**
 * The assignee declines the task: somebody else is looked for at once, and operations are alerted. Throws `TASK_NOT_FOUND` and
 * `INVALID_STATE_TRANSITION`.
 */
export async function declineTask(tx: Tx, answering: Answering, note: string, author: Author): Promise<TaskView> {
  const before = await lockOffered(tx, answering, 'decline');
  const [released] = await releaseTasks(tx, [before.id]);
  if (!released) throw new RoomyError('TASK_NOT_FOUND');
  await noteRefusals(tx, [released], 'DECLINED', note);
  await alertAboutPerson(tx, released, 'TASK_DECLINED');
  const row = await tx.selectFrom('task').selectAll().where('id', '=', before.id).executeTakeFirstOrThrow();
  await recordAnswer(tx, author, 'TASK_DECLINED', before, row);
  return taskView(row);
}

async function lockOffered(tx: Tx, { taskId, assigneeId }: Answering, action: string) {
  const row = await tx
    .selectFrom('task')
    .selectAll()
    .select(sql<boolean>`coalesce(accept_by <= now(), false)`.as('is_late'))
    .where('id', '=', taskId)
    .forUpdate()
    .executeTakeFirst();
  if (!row || (assigneeId !== null && row.assignee_id !== assigneeId)) throw new RoomyError('TASK_NOT_FOUND');
  if (row.status !== 'ASSIGNED') {
    throw new RoomyError('INVALID_STATE_TRANSITION', { details: { currentStatus: row.status, action } });
  }
  return row;
}

type TaskRow = Selectable<TaskTable>;
const recordAnswer = (tx: Tx, author: Author, event: string, before: TaskRow, row: TaskRow): Promise<void> =>
  recordChange(tx, author, {
    noun: 'task',
    id: row.id,
    event,
    fields: ['acceptedAt'],
    changes: changesOf('task', before, row),
    version: row.version,
    reservationId: row.reservation_id,
  });

async function noteRefusals(
  tx: Tx,
  released: readonly Released[],
  reason: RefusalReason,
  note: string | null,
): Promise<void> {
  await tx
    .insertInto('task_refusal')
    .values(released.map(({ id, assigneeId }) => ({ task_id: id, staff_id: assigneeId, reason, note })))
    .onConflict((conflict) =>
      conflict
        .columns(['task_id', 'staff_id'])
        .doUpdateSet({ reason, note, at: sql<Date>`now()`, times: sql<number>`task_refusal.times + 1` }),
    )
    .execute();
}

/** Takes tasks from those who did not answer in time; answers how many. Safe to run at once in any number of workers. */
export const reassignUnanswered = (db: Db, limit: number): Promise<number> =>
  sweepBatch({
    db,
    sweep: 'offers',
    limit,
    run: (scope) => db.transaction().execute((tx) => reassign(tx, scope)),
    due: async (some) => {
      const { rows } = await sql<{ id: string }>`
        SELECT t.id FROM task t WHERE ${isUnanswered} ORDER BY t.accept_by LIMIT ${some}::int`.execute(db);
      return rows.map(({ id }) => id);
    },
  });

export const isUnanswered = sql<boolean>`t.status = 'ASSIGNED' AND t.accept_by IS NOT NULL AND t.accepted_at IS NULL AND t.accept_by <= now()
  AND ${isNotSetAside('offers', sql`t.id`)} AND coalesce((SELECT s.status FROM saga s WHERE s.id = t.created_by_saga), 'completed') = 'completed'`;

/** SQL: whether somebody has not answered in time. */
export const answersOverdue = sql<boolean>`EXISTS (SELECT FROM task t WHERE ${isUnanswered})`;

async function reassign(tx: Tx, scope: Scope): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT t.id FROM task t WHERE ${isUnanswered} AND ${inScope(scope, sql`t.id`)}
     ORDER BY t.accept_by LIMIT ${scope.limit}::int FOR UPDATE OF t SKIP LOCKED`.execute(tx);
  const released = await releaseTasks(
    tx,
    rows.map(({ id }) => id),
  );
  if (released.length === 0) return [];
  await noteRefusals(tx, released, 'NO_ANSWER', null);
  await notifyReleased(tx, released);
  for (const task of released) await alertAboutPerson(tx, task, 'TASK_NOT_ANSWERED');
  return released.map(({ id }) => id);
}
