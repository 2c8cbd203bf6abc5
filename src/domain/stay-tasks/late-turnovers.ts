import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { firstFeasible } from '../assignment/candidates.ts';
import { wantedOf } from '../assignment/open-task.ts';
import { type AssignedTask, assignedTask, notifyReleased } from '../assignment/release.ts';
import { readRoster, spanAround } from '../assignment/staffing.ts';
import { settleAround } from '../assignment/turnovers.ts';
import { taskChangedMessage } from '../messages/catalogue/task-changed.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import type { StayOccurrence } from '../reservations/stay-plan.ts';
import { AFTER_CHECK_OUT } from '../reservations/stay-plan.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { inScope, type Scope, sweepBatch } from '../sweeps/isolate.ts';
import { planTurnover } from '../tasks/planned-turnover.ts';
import { agreeOnTime, releaseTasks } from '../tasks/store/assign.ts';
import { isTimedByHand } from '../tasks/turnover.ts';
import { retimeStayTasks } from './stay-task.ts';

interface LateCleaning {
  readonly id: string;
  readonly reservation_id: string;
  readonly occurrence: StayOccurrence;
  readonly scheduled_at: Date;
  readonly ends_at: Date;
  readonly must_finish_by: Date;
  readonly local_rule: string;
  readonly now_ms: number;
}

/**
 * Cleanings that somebody has already, and that a guest who comes sooner than was known wants done earlier. Two hours after
 * the departure may leave no time for them: then they begin with it (domain.md 10). Or they were agreed for later than they
 * need have been. Assignees keep them if they can come in time, and get a message either way. A cleaning that nobody could
 * begin in time any more stays as it was agreed. Answers how many were looked at.
 */
export const advanceLateCleanings = (db: Db, limit: number): Promise<number> =>
  sweepBatch({
    db,
    sweep: 'turnovers',
    limit,
    run: (scope) => db.transaction().execute((tx) => advance(tx, scope)),
    due: async (some) => {
      const { rows } = await sql<{ id: string }>`
        SELECT t.id FROM task t WHERE ${isLate} ORDER BY t.id LIMIT ${some}::int`.execute(db);
      return rows.map(({ id }) => id);
    },
  });

const isLate = sql<boolean>`t.status = 'ASSIGNED' AND t.must_finish_by < coalesce(t.slot_end, t.ends_at) AND t.type = 'CLEANING'
  AND t.reservation_id IS NOT NULL
  AND CASE WHEN t.must_finish_by < t.ends_at THEN t.occurrence = 'POST_DEPARTURE' AND t.local_rule LIKE ${`%${AFTER_CHECK_OUT}`}
           ELSE t.must_finish_by - (t.ends_at - t.scheduled_at) >= now() END
  AND NOT ${isTimedByHand('t')} AND ${isNotSetAside('turnovers', sql`t.id`)}`;

/** SQL: whether such a cleaning is there. */
export const cleaningsLate = sql<boolean>`EXISTS (SELECT FROM task t WHERE ${isLate})`;

async function advance(tx: Tx, scope: Scope): Promise<readonly string[]> {
  const { rows } = await sql<LateCleaning>`
    SELECT t.id, t.reservation_id, t.occurrence, t.scheduled_at, t.ends_at, t.must_finish_by, t.local_rule,
           (extract(epoch FROM now()) * 1000)::bigint AS now_ms FROM task t
     WHERE ${isLate} AND ${inScope(scope, sql`t.id`)} ORDER BY t.id LIMIT ${scope.limit}::int FOR UPDATE SKIP LOCKED`.execute(
    tx,
  );
  for (const row of rows) {
    if (row.must_finish_by < row.ends_at) await beginWithDeparture(tx, row);
    else await agreeInTime(tx, row);
  }
  const stays = new Set(rows.map((row) => row.reservation_id));
  if (stays.size > 0) await settleAround(tx, ...stays);
  return rows.map(({ id }) => id);
}

async function beginWithDeparture(tx: Tx, row: LateCleaning): Promise<void> {
  const cleaning = {
    type: 'CLEANING' as const,
    occurrence: row.occurrence,
    scheduledAt: row.scheduled_at.toISOString(),
    endsAt: row.ends_at.toISOString(),
    mustFinishBy: null,
    localRule: row.local_rule,
  };
  const turnover = await planTurnover(tx, cleaning, row.must_finish_by.toISOString());
  await retimeStayTasks(tx, row.reservation_id, [turnover.cleaning]);
}

/** The rule's time would do, the agreed one does not: the same person comes sooner, or another is looked for. */
async function agreeInTime(tx: Tx, { id, must_finish_by, now_ms }: LateCleaning): Promise<void> {
  const task = await assignedTask(tx, id);
  if (!task) return;
  await sql`SELECT id FROM staff WHERE id = ${task.assignee_id} FOR NO KEY UPDATE`.execute(tx);
  const wanted = wantedOf(task, now_ms);
  const { firstMs, durationMs, isOverdue } = wanted.window;
  const span = { fromMs: firstMs, toMs: must_finish_by.getTime() - durationMs };
  const around = spanAround(wanted.place, firstMs, span.toMs, durationMs);
  const roster = await readRoster(tx, { wanted: [wanted], spans: [around], exceptTaskId: id });
  const asking = { ...wanted, refusedBy: roster.refusals.get(id) ?? wanted.refusedBy };
  const same = roster.people.filter((person) => person.id === task.assignee_id);
  const sooner = firstFeasible(same, asking, span, roster);
  if (sooner.ranked.length > 0) return agreeOn(tx, task, sooner.startMs, durationMs);
  // An overdue task goes to the first person who can come, however late: released, it would only come back to this one.
  if (isOverdue && firstFeasible(roster.people, asking, span, roster).ranked.length === 0) return;
  await notifyReleased(tx, await releaseTasks(tx, [id]));
}

async function agreeOn(tx: Tx, task: AssignedTask, startMs: number, durationMs: number): Promise<void> {
  const start = new Date(startMs).toISOString();
  const end = new Date(startMs + durationMs).toISOString();
  const wasAt = task.slot_start ?? task.scheduled_at;
  const version = await agreeOnTime(tx, task.id, { start, end });
  const message = taskChangedMessage(task.assignee_id, task.id, wasAt);
  const about = { sagaId: null, reservationId: task.reservation_id };
  await enqueueInTransaction(tx, `${task.id}-sooner-v${version}`, [message], about);
}
