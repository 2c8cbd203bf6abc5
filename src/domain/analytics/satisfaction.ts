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

export const SATISFACTION_GROUPS = COMMON_GROUPS;

export interface Satisfaction {
  /** Stays whose guests left in the period. */
  readonly stays: number;
  readonly ratings: number;
  /** Mean of 1 to 5; null: nobody has rated. */
  readonly mean: number | null;
  /** ratings / stays; null: there is none. */
  readonly responseRate: number | null;
}

/** What the guests who left in the period think of their stays, whenever they said it (domain.md 15). */
export function satisfaction(
  db: Db,
  asked: Asked,
  groupBy: (typeof SATISFACTION_GROUPS)[number] | undefined,
): Promise<Measured<Satisfaction>> {
  const keys = commonGroups(sql`r.actual_check_out_at`, sql`r.property_id`, asked.zone);
  return measured(
    db,
    sql`SELECT ${groupBy === undefined ? ungrouped : keys[groupBy]} AS key, g.score
          FROM (SELECT id, property_id, actual_check_out_at, status, kind FROM reservation
                 WHERE ${within(sql`actual_check_out_at`, asked)} OFFSET 0) r
          JOIN property p ON p.id = r.property_id LEFT JOIN rating g ON g.reservation_id = r.id
         WHERE r.status = 'CHECKED_OUT' AND r.kind = 'STAY' AND ${seenAt(asked)}`,
    sql`count(*)::int AS stays, count(score)::int AS ratings, round(avg(score), 2)::float8 AS mean,
        ${rateOf(sql`count(score)`, sql`count(*)`)} AS "responseRate"`,
  );
}
