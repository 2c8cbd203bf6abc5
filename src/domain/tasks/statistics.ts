import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { type WorkScope, withinScope } from './work.ts';

export interface StatisticsFilter {
  /** ISO instants; from inclusive, to exclusive: by when a task had to be done. */
  readonly from: string;
  readonly to: string;
  readonly propertyId?: string | undefined;
}
/** domain.md 15. Counts are of tasks whose deadline lies in the time, withdrawn ones left out. */
export interface TaskStatistics {
  readonly from: string;
  readonly to: string;
  readonly total: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly byType: Readonly<Record<string, number>>;
  readonly byAssignee: readonly {
    readonly assigneeId: string | null;
    readonly total: number;
    readonly completed: number;
  }[];
  /** Open, and past the deadline by now. */
  readonly overdue: number;
  /** Of the completed ones that have them; null: none has. */
  readonly averageMinutes: number | null;
  /**
   * On time / due: due is what is completed, or past its deadline by now, as what may still be done in time is not late.
   * CANCELLED, MERGED and OVERTAKEN tasks are nobody's to do. Null: nothing was due.
   */
  readonly completionRate: { readonly onTime: number; readonly due: number; readonly rate: number | null };
}

interface Row {
  readonly by_status: Readonly<Record<string, number>> | null;
  readonly by_type: Readonly<Record<string, number>> | null;
  readonly by_assignee: TaskStatistics['byAssignee'] | null;
  readonly total: number;
  readonly overdue: number;
  readonly minutes: number | null;
  readonly on_time: number;
  readonly due: number;
}
/** A task's deadline: by when it must be done, or else its own end. */
const DEADLINE = sql`coalesce(t.must_finish_by, t.ends_at)`;
const MAX_ASSIGNEES = 500;

/** The figures of the tasks that the scope may see and whose deadline lies in `[from, to)`; `byAssignee` has 500 people at the most. */
export async function taskStatistics(db: Db, scope: WorkScope, filter: StatisticsFilter): Promise<TaskStatistics> {
  const at = filter.propertyId === undefined ? sql`true` : sql`t.property_id = ${filter.propertyId}`;
  // Found by the time first: by whose they are, they would be those of all years.
  const { rows } = await sql<Row>`
    WITH due AS MATERIALIZED (
      SELECT t.status, t.type, t.assignee_id, ${DEADLINE} AS deadline, t.completed_at, (t.completion ->> 'minutes')::numeric AS minutes
        FROM (SELECT * FROM task t WHERE ${DEADLINE} >= ${filter.from}::timestamptz AND ${DEADLINE} < ${filter.to}::timestamptz
                 AND t.deleted_at IS NULL OFFSET 0) t JOIN property p ON p.id = t.property_id
       WHERE ${at} AND ${withinScope(scope)}),
    live AS (SELECT * FROM due WHERE status NOT IN ('CANCELLED', 'MERGED', 'OVERTAKEN'))
    SELECT (SELECT jsonb_object_agg(status, n) FROM (SELECT status, count(*) AS n FROM due GROUP BY status) s) AS by_status,
           (SELECT jsonb_object_agg(type, n) FROM (SELECT type, count(*) AS n FROM due GROUP BY type) s) AS by_type,
           (SELECT jsonb_agg(jsonb_build_object('assigneeId', assignee_id, 'total', n, 'completed', completed) ORDER BY n DESC, assignee_id)
              FROM (SELECT assignee_id, count(*) AS n, count(*) FILTER (WHERE status = 'COMPLETED') AS completed FROM live
                     GROUP BY assignee_id ORDER BY count(*) DESC, assignee_id LIMIT ${MAX_ASSIGNEES}::int) s) AS by_assignee,
           (SELECT count(*) FROM due)::int AS total,
           (SELECT count(*) FROM live WHERE status <> 'COMPLETED' AND deadline < now())::int AS overdue,
           (SELECT round(avg(minutes), 1) FROM live WHERE status = 'COMPLETED')::float8 AS minutes,
           (SELECT count(*) FROM live WHERE status = 'COMPLETED' AND completed_at <= deadline)::int AS on_time,
           (SELECT count(*) FROM live WHERE status = 'COMPLETED' OR deadline < now())::int AS due`.execute(db);
  const row = rows[0];
  const onTime = row?.on_time ?? 0;
  const due = row?.due ?? 0;
  return {
    from: filter.from,
    to: filter.to,
    total: row?.total ?? 0,
    byStatus: row?.by_status ?? {},
    byType: row?.by_type ?? {},
    byAssignee: row?.by_assignee ?? [],
    overdue: row?.overdue ?? 0,
    averageMinutes: row?.minutes ?? null,
    completionRate: { onTime, due, rate: due === 0 ? null : Math.round((onTime / due) * 10_000) / 10_000 },
  };
}
