import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { retryContention } from '../../db/errors.ts';
import { countBookings } from '../people/staff.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { inScope, sweepBatch } from '../sweeps/isolate.ts';
import { type Alternative, findAlternatives, type HeldTimes, noStaff } from './alternatives.ts';
import type { OpenTask } from './open-task.ts';
import { holdCounts } from './staffing.ts';

/**
 * Times kept free for a few minutes, for the next request with the hold's id. A hold is written in a
 * transaction of its own, after the refused request was rolled back.
 */

const MAX_TRIES = 10;

/**
 * Finds times for the task and holds them, each with the one who can; answers the refusal that names them. A repeat with
 * the same id replaces what was held for the same occasion and keeps the rest, which the request still needs.
 */
export async function holdAlternatives(
  db: Db,
  task: OpenTask,
  options: { readonly nowMs: number; readonly holdId: string },
) {
  return holdBy((work) => retryContention(() => db.transaction().execute(work)), task, options);
}

/** `holdAlternatives` in the caller's transaction. */
export const holdAlternativesWithin = (
  tx: Tx,
  task: OpenTask,
  options: { readonly nowMs: number; readonly holdId: string },
) => holdBy((work) => work(tx), task, options);

async function holdBy(
  run: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>,
  task: OpenTask,
  { nowMs, holdId }: { readonly nowMs: number; readonly holdId: string },
) {
  for (let attempt = 1; ; attempt += 1) {
    const held = await run((tx) => tryHold(tx, task, { nowMs, holdId }));
    if (held.until !== null || held.alternatives.length === 0 || attempt === MAX_TRIES) {
      const times: HeldTimes | undefined = held.until === null ? undefined : { holdId, heldUntil: held.until };
      return noStaff(task, held.alternatives, times);
    }
  }
}

async function tryHold(
  tx: Tx,
  task: OpenTask,
  { nowMs, holdId }: { readonly nowMs: number; readonly holdId: string },
): Promise<{ readonly alternatives: readonly Alternative[]; readonly until: string | null }> {
  const { alternatives, roster, durationMs } = await findAlternatives(tx, task, { nowMs, ownHold: holdId });
  if (alternatives.length === 0) return { alternatives, until: null };
  const counted = new Map(roster.people.map((person) => [person.id, person.counted]));
  const wanted = Object.fromEntries(alternatives.map(({ assigneeId }) => [assigneeId, counted.get(assigneeId)]));
  // A plan that was made with these people before is made anew.
  const mine = await countBookings(tx, wanted);
  if (mine.length < Object.keys(wanted).length) return { alternatives, until: null };
  await tx.deleteFrom('staff_hold').where('id', '=', holdId).where('occasion', '=', task.occurrence).execute();
  const minutes = roster.rules.holdMinutes;
  const expires = sql<Date>`now() + ${minutes}::int * interval '1 minute'`;
  const made = await tx
    .insertInto('staff_hold')
    .values(
      alternatives.map(({ start, assigneeId }) => ({
        id: holdId,
        occasion: task.occurrence,
        staff_id: assigneeId,
        property_id: task.property_id,
        starts_at: start,
        ends_at: new Date(Date.parse(start) + durationMs).toISOString(),
        expires_at: expires,
      })),
    )
    .returning('expires_at')
    .execute();
  await tx.updateTable('staff_hold').set({ expires_at: expires }).where('id', '=', holdId).execute();
  return { alternatives, until: made[0]?.expires_at.toISOString() ?? null };
}

/** Marks the times held for this occasion as used by the task: they are not kept any more while the task exists. */
export async function useHold(tx: Tx, holdId: string, occasion: string, taskId: string): Promise<void> {
  await tx
    .updateTable('staff_hold')
    .set({ used_by: taskId })
    .where('id', '=', holdId)
    .where('occasion', '=', occasion)
    .execute();
}

/** Whether the person's time is kept for somebody else; to be asked under the lock of the person's row. */
export async function isHeld(
  tx: Tx,
  staffId: string,
  { start, end, ownHold = null }: { readonly start: string; readonly end: string; readonly ownHold?: string | null },
): Promise<boolean> {
  const { rows } = await sql`
    SELECT 1 FROM staff_hold h WHERE h.staff_id = ${staffId} AND h.expires_at > clock_timestamp() AND h.id IS DISTINCT FROM ${ownHold}::text
       AND h.starts_at < ${end}::timestamptz AND h.ends_at > ${start}::timestamptz AND ${holdCounts} LIMIT 1`.execute(
    tx,
  );
  return rows.length > 0;
}

const HOLD_ID = sql`concat_ws(' ', h.id, h.occasion, h.staff_id, extract(epoch FROM h.starts_at)::bigint)`;
const isOver = sql<boolean>`h.expires_at < now() - interval '1 hour' AND ${isNotSetAside('holds', HOLD_ID)}`;

/** SQL: whether a hold is to be forgotten. */
export const holdsOver = sql<boolean>`EXISTS (SELECT FROM staff_hold h WHERE ${isOver})`;

const MAX_FORGOTTEN = 1_000;

/** Holds are nothing once they have run out; this only keeps the table small. Answers how many of `limit` were deleted. */
export const forgetHolds = (db: Db, limit = MAX_FORGOTTEN): Promise<number> =>
  sweepBatch({
    db,
    sweep: 'holds',
    limit,
    run: async (scope) => {
      const { rows } = await sql<{ id: string }>`
        WITH over AS (SELECT h.ctid FROM staff_hold h WHERE ${isOver} AND ${inScope(scope, HOLD_ID)}
          ORDER BY h.expires_at LIMIT ${scope.limit}::int FOR UPDATE SKIP LOCKED)
        DELETE FROM staff_hold h USING over WHERE h.ctid = over.ctid RETURNING ${HOLD_ID} AS id`.execute(db);
      return rows.map(({ id }) => id);
    },
    due: async (some) => {
      const { rows } = await sql<{ id: string }>`
        SELECT ${HOLD_ID} AS id FROM staff_hold h WHERE ${isOver} ORDER BY h.expires_at LIMIT ${some}::int`.execute(db);
      return rows.map(({ id }) => id);
    },
  });
