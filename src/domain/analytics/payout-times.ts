import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import {
  type Asked,
  COMMON_GROUPS,
  commonGroups,
  type Measured,
  measured,
  seenAt,
  ungrouped,
  within,
} from './grouping.ts';

export const PAYOUT_GROUPS = [...COMMON_GROUPS, 'owner'] as const;

export interface PayoutTimes {
  /** Payouts that reached their owner in the period. */
  readonly payouts: number;
  /** Hours from the guest's payment to the payout; null: there is none. */
  readonly medianHours: number | null;
  readonly p95Hours: number | null;
  /** Hours from when it was promised; below zero: before. */
  readonly medianLatenessHours: number | null;
  readonly p95LatenessHours: number | null;
}

/** How long owners waited for their money, against what they were promised (domain.md 15). */
export function payoutTimes(
  db: Db,
  asked: Asked,
  groupBy: (typeof PAYOUT_GROUPS)[number] | undefined,
): Promise<Measured<PayoutTimes>> {
  const keys = {
    ...commonGroups(sql`t.completed_at`, sql`p.id`, asked.zone),
    owner: sql`t.owner_id`,
  };
  return measured(
    db,
    sql`SELECT ${groupBy === undefined ? ungrouped : keys[groupBy]} AS key,
               extract(epoch FROM t.completed_at - y.completed_at) / 3600 AS hours,
               extract(epoch FROM t.completed_at - t.scheduled_for) / 3600 AS lateness
          FROM (SELECT * FROM transaction WHERE type = 'OWNER_PAYOUT' AND ${within(sql`completed_at`, asked)} OFFSET 0) t
          LEFT JOIN payment y ON y.id = t.payment_id
          LEFT JOIN reservation r ON r.id = t.reservation_id
          JOIN property p ON p.id = coalesce(t.property_id, r.property_id)
         WHERE t.status = 'COMPLETED' AND ${seenAt(asked)}`,
    sql`count(*)::int AS payouts, ${median(sql`hours`)} AS "medianHours", ${p95(sql`hours`)} AS "p95Hours",
        ${median(sql`lateness`)} AS "medianLatenessHours", ${p95(sql`lateness`)} AS "p95LatenessHours"`,
  );
}

const median = (hours: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`round((percentile_cont(0.5) WITHIN GROUP (ORDER BY ${hours}))::numeric, 2)::float8`;
const p95 = (hours: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`round((percentile_cont(0.95) WITHIN GROUP (ORDER BY ${hours}))::numeric, 2)::float8`;
