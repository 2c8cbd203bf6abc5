import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import {
  type Asked,
  COMMON_GROUPS,
  commonGroups,
  type Measured,
  measured,
  rateOf,
  seenAt,
  ungrouped,
  within,
} from './grouping.ts';

export const WORK_GROUPS = [...COMMON_GROUPS, 'type', 'assignee'] as const;

export interface OnTimeWork {
  /** Tasks whose deadline lies in the period, and that are done or past it; withdrawn and merged ones are nobody's to do. */
  readonly due: number;
  readonly onTime: number;
  /** Done after the deadline. */
  readonly late: number;
  /** Not done, and past the deadline. */
  readonly open: number;
  /** onTime / due; null: nothing was due. */
  readonly rate: number | null;
}

const DEADLINE = sql`coalesce(must_finish_by, ends_at)`;

/** How much of the work that was due in the period was done in time (domain.md 15): the rate of `taskStatistics`, in groups. */
export function onTimeWork(
  db: Db,
  asked: Asked,
  groupBy: (typeof WORK_GROUPS)[number] | undefined,
): Promise<Measured<OnTimeWork>> {
  const keys = {
    ...commonGroups(sql`t.deadline`, sql`t.property_id`, asked.zone),
    type: sql`t.type`,
    assignee: sql`t.assignee_id`,
  };
  const onTime = sql`count(*) FILTER (WHERE done_at <= deadline)`;
  return measured(
    db,
    sql`SELECT ${groupBy === undefined ? ungrouped : keys[groupBy]} AS key, t.deadline, t.completed_at AS done_at
          FROM (SELECT property_id, type, assignee_id, status, completed_at, ${DEADLINE} AS deadline FROM task
                 WHERE ${within(DEADLINE, asked)} AND deleted_at IS NULL OFFSET 0) t JOIN property p ON p.id = t.property_id
         WHERE t.status NOT IN ('CANCELLED', 'MERGED', 'OVERTAKEN') AND (t.status = 'COMPLETED' OR t.deadline < now()) AND ${seenAt(asked)}`,
    sql`count(*)::int AS due, ${onTime}::int AS "onTime", count(*) FILTER (WHERE done_at > deadline)::int AS late,
        count(*) FILTER (WHERE done_at IS NULL)::int AS open, ${rateOf(onTime, sql`count(*)`)} AS rate`,
  );
}
