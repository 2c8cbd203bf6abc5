import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { StayOccurrence } from './schedule.ts';
import { AFTER_CHECK_OUT, planTurnover } from './schedule.ts';
import { retimeStayTasks } from './stay-task.ts';

interface LateCleaning {
  readonly reservation_id: string;
  readonly occurrence: StayOccurrence;
  readonly scheduled_at: Date;
  readonly ends_at: Date;
  readonly must_finish_by: Date;
  readonly local_rule: string;
}

/**
 * Cleanings that somebody has already, and that a stay which was confirmed later wants done sooner than two hours after
 * the departure leaves time for: they begin with the departure (domain.md 10). Whoever has them keeps them if they can
 * come then, and is told either way. Answers how many there were.
 */
export function hurryLateTurnovers(db: Db, limit: number): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const { rows } = await sql<LateCleaning>`
      SELECT t.reservation_id, t.occurrence, t.scheduled_at, t.ends_at, t.must_finish_by, t.local_rule FROM task t
       WHERE t.status = 'ASSIGNED' AND t.must_finish_by < t.ends_at AND t.occurrence = 'POST_DEPARTURE' AND t.reservation_id IS NOT NULL
         AND t.local_rule LIKE ${`%${AFTER_CHECK_OUT}`} AND NOT 'scheduledDate' = ANY(t.manual_fields)
       ORDER BY t.id LIMIT ${limit}::int FOR UPDATE SKIP LOCKED`.execute(tx);
    for (const row of rows) {
      const cleaning = {
        type: 'CLEANING' as const,
        occurrence: row.occurrence,
        scheduledAt: row.scheduled_at.toISOString(),
        endsAt: row.ends_at.toISOString(),
        mustFinishBy: null,
        localRule: row.local_rule,
      };
      await retimeStayTasks(tx, row.reservation_id, [planTurnover(cleaning, row.must_finish_by.toISOString())]);
    }
    return rows.length;
  });
}
