import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { required } from '../../kernel/errors.ts';
import type { PlannedTask } from '../reservations/stay-plan.ts';
import { isTurnoverTooShort, movedTurnover } from './turnover.ts';

/** A cleaning after a departure as it is planned, before there is a row of it. */
export interface PlannedTurnover {
  readonly cleaning: PlannedTask;
  /** The usual two hours after the departure would end too late for the next guest. */
  readonly isTooShort: boolean;
}

/**
 * The cleaning after a departure with the deadline and the time that the next guest's arrival gives it (domain.md 10). The
 * database derives both by the expressions that settle the rows, so that the rule exists once. `nextArrival`: ISO instant;
 * null, for which nothing is asked: nobody arrives on that day.
 */
export async function planTurnover(
  db: Db | Tx,
  cleaning: PlannedTask,
  nextArrival: string | null,
): Promise<PlannedTurnover> {
  if (nextArrival === null) return { cleaning, isTooShort: false };
  const arrival = sql`${nextArrival}::timestamptz`;
  const moved = movedTurnover('t', arrival);
  const { rows } = await sql<Moved>`
    SELECT ${moved.scheduled_at} AS scheduled_at, ${moved.ends_at} AS ends_at, ${moved.local_rule} AS local_rule,
           ${isTurnoverTooShort('t', arrival)} AS too_short
      FROM (SELECT 'UNASSIGNED' AS status, 'POST_DEPARTURE' AS occurrence, '{}'::text[] AS manual_fields,
                   ${cleaning.scheduledAt}::timestamptz AS scheduled_at, ${cleaning.endsAt}::timestamptz AS ends_at,
                   ${cleaning.localRule}::text AS local_rule) t`.execute(db);
  const { scheduled_at, ends_at, local_rule, too_short } = required(rows[0], 'a planned turnover');
  return {
    cleaning: {
      ...cleaning,
      scheduledAt: scheduled_at.toISOString(),
      endsAt: ends_at.toISOString(),
      mustFinishBy: nextArrival,
      localRule: local_rule,
    },
    isTooShort: too_short,
  };
}

interface Moved {
  readonly scheduled_at: Date;
  readonly ends_at: Date;
  readonly local_rule: string;
  readonly too_short: boolean;
}
