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

export const CONVERSION_GROUPS = COMMON_GROUPS;

export interface Conversion {
  /** Stays that were entered in the period, without those that still wait and are younger than 24 hours. */
  readonly created: number;
  /** Of these, the ones that were confirmed at any time since; a later cancellation does not undo it. */
  readonly confirmed: number;
  /** confirmed / created; null: there is none. */
  readonly rate: number | null;
}

/** How many of the stays that were entered in the period were confirmed: by when they were entered (domain.md 15). */
export function conversion(
  db: Db,
  asked: Asked,
  groupBy: (typeof CONVERSION_GROUPS)[number] | undefined,
): Promise<Measured<Conversion>> {
  const key =
    groupBy === undefined ? ungrouped : commonGroups(sql`r.created_at`, sql`r.property_id`, asked.zone)[groupBy];
  const isConfirmed = sql`count(*) FILTER (WHERE confirmed)`;
  return measured(
    db,
    // Found by the time first: by whose they are, they would be those of all years.
    sql`SELECT ${key} AS key, r.confirmed_at IS NOT NULL AS confirmed
          FROM (SELECT id, property_id, created_at, confirmed_at, status, kind FROM reservation
                 WHERE ${within(sql`created_at`, asked)} OFFSET 0) r JOIN property p ON p.id = r.property_id
         WHERE r.kind = 'STAY' AND ${seenAt(asked)} AND NOT (r.status = 'PENDING' AND r.created_at > now() - interval '24 hours')`,
    sql`count(*)::int AS created, ${isConfirmed}::int AS confirmed, ${rateOf(isConfirmed, sql`count(*)`)} AS rate`,
  );
}
