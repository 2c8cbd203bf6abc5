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

export const PAYMENT_GROUPS = [...COMMON_GROUPS, 'gateway', 'code'] as const;

export interface PaymentSuccess {
  /** Charges that a gateway took or refused; what it has not decided, and what was withdrawn before, is none. */
  readonly attempts: number;
  /** Taken, whatever became of the money later. */
  readonly completed: number;
  readonly failed: number;
  /** completed / attempts; null: there is none. */
  readonly rate: number | null;
  /** The same of the first attempt for each stay. */
  readonly firstAttempts: number;
  readonly firstCompleted: number;
  readonly firstRate: number | null;
}

const DECIDED = sql`('COMPLETED', 'REVERSED', 'FAILED')`;

/** How many of the payments that were tried in the period succeeded; `code`: why they were refused, null for those that were taken (domain.md 15). */
export function paymentSuccess(
  db: Db,
  asked: Asked,
  groupBy: (typeof PAYMENT_GROUPS)[number] | undefined,
): Promise<Measured<PaymentSuccess>> {
  const keys = {
    ...commonGroups(sql`y.created_at`, sql`r.property_id`, asked.zone),
    gateway: sql`y.gateway_id`,
    code: sql`CASE WHEN y.status = 'FAILED' THEN coalesce(y.error_code, 'UNKNOWN') END`,
  };
  const taken = sql`count(*) FILTER (WHERE taken)`;
  const firsts = sql`count(*) FILTER (WHERE first)`;
  const firstTaken = sql`count(*) FILTER (WHERE first AND taken)`;
  return measured(
    db,
    sql`SELECT ${groupBy === undefined ? ungrouped : keys[groupBy]} AS key, y.status <> 'FAILED' AS taken,
               NOT EXISTS (SELECT FROM payment b WHERE b.reservation_id = y.reservation_id AND b.status IN ${DECIDED}
                              AND (b.created_at, b.id) < (y.created_at, y.id)) AS first
          FROM (SELECT * FROM payment WHERE ${within(sql`created_at`, asked)} OFFSET 0) y
          JOIN reservation r ON r.id = y.reservation_id JOIN property p ON p.id = r.property_id
         WHERE y.status IN ${DECIDED} AND ${seenAt(asked)}`,
    sql`count(*)::int AS attempts, ${taken}::int AS completed, (count(*) - ${taken})::int AS failed,
        ${rateOf(taken, sql`count(*)`)} AS rate, ${firsts}::int AS "firstAttempts", ${firstTaken}::int AS "firstCompleted",
        ${rateOf(firstTaken, firsts)} AS "firstRate"`,
  );
}
