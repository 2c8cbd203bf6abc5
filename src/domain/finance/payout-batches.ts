import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { PayoutTerms } from '../../db/schema.ts';
import { openField } from '../../db/sealed-fields.ts';
import type { Ports } from '../ports.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { type Position, positionOf } from './payout-amount.ts';
import { isStayHeld } from './payout-hold.ts';

/** Due payouts of one owner and currency, to be paid by one instruction. */
export interface DueBatch {
  readonly ownerId: string;
  readonly currency: string;
  readonly payoutIds: readonly string[];
  /** The owner's working capital, minor units. */
  readonly keepMinor: number;
}
const MAX_IN_BATCH = 50;

/** SQL of transaction `t`, its owner `o` and the saga `s` that made it, if any: a payout that may be paid, and is due. */
export const isPayoutDue = sql<boolean>`t.type = 'OWNER_PAYOUT' AND t.status = 'PENDING' AND t.scheduled_for <= now() AND t.amount_minor > 0
       AND o.payout_account IS NOT NULL AND coalesce(o.payout_account_from, '-infinity') <= now() AND coalesce(o.payout_terms ->> 'hold', 'false') <> 'true'
       AND (s.id IS NULL OR s.finished_at IS NOT NULL) AND NOT ${isStayHeld(sql`t.reservation_id`)}
       AND NOT EXISTS (SELECT FROM saga w WHERE w.subject_type = 'transaction' AND w.subject_id = t.id AND w.finished_at IS NULL)
       AND ${isNotSetAside('payouts', sql`(t.owner_id || ' ' || t.currency)`)}`;

/**
 * The payouts that the sweep may pay, by owner and currency, at most `limit` groups, the longest due first. Held owners and stays,
 * and accounts that were changed of late, are left for another time (domain.md 8).
 */
export async function dueBatches(db: Db, limit: number): Promise<readonly DuePayouts[]> {
  const { rows } = await sql<DuePayouts>`
    SELECT t.owner_id, t.currency, o.payout_account, o.payout_terms, jsonb_agg(jsonb_build_object('id', t.id, 'amount', t.amount_minor) ORDER BY t.created_at, t.id) AS payouts
      FROM transaction t JOIN owner o ON o.id = t.owner_id LEFT JOIN saga s ON s.id = t.created_by_saga
     WHERE ${isPayoutDue}
     GROUP BY t.owner_id, t.currency, o.payout_account, o.payout_terms
       -- A rest that the provider could not pay goes with the owner's next payout.
       HAVING NOT bool_and(coalesce(t.details ? 'carriedFrom', false))
     ORDER BY min(t.scheduled_for), t.owner_id, t.currency LIMIT ${limit}`.execute(db);
  return rows;
}

/** The due payouts of one owner in one currency, in minor units. */
export interface DuePayouts {
  readonly owner_id: string;
  readonly currency: string;
  /** As it is stored. */
  readonly payout_account: string;
  readonly payouts: readonly { readonly id: string; readonly amount: number }[];
  readonly payout_terms: PayoutTerms | null;
}

/**
 * The payouts of a group that the owner's balance covers, less the working capital. Null: none can be paid now, as the sum is below
 * the owner's minimum or the provider's least amount, the owner owes more than is due, or is erased.
 */
export async function batchOf(db: Db, ports: Pick<Ports, 'amountStep'>, due: DuePayouts): Promise<DueBatch | null> {
  const { owner_id: ownerId, currency } = due;
  const account = await openField(db, 'owner.payout_account', ownerId, due.payout_account);
  if (account === null) return null;
  const keepMinor = due.payout_terms?.workingCapitalMinor?.[currency] ?? 0;
  const position = await positionOf(db, { ownerId, currency });
  const leastMinor = Math.max(ports.amountStep({ account }, currency), due.payout_terms?.minimumMinor?.[currency] ?? 0);
  const payoutIds = affordable(due.payouts.slice(0, MAX_IN_BATCH), position, { keepMinor, leastMinor });
  return payoutIds.length > 0 ? { ownerId, currency, payoutIds, keepMinor } : null;
}

function affordable(
  payouts: readonly { readonly id: string; readonly amount: number }[],
  { availableMinor, debtMinor }: Position,
  { keepMinor, leastMinor }: { readonly keepMinor: number; readonly leastMinor: number },
): readonly string[] {
  const spendableMinor = availableMinor - keepMinor;
  const chosen: string[] = [];
  let grossMinor = 0;
  for (const payout of payouts) {
    if (grossMinor + payout.amount - debtMinor > spendableMinor) break;
    grossMinor += payout.amount;
    chosen.push(payout.id);
  }
  const netMinor = Math.min(grossMinor, spendableMinor);
  return netMinor > 0 && netMinor >= leastMinor ? chosen : [];
}
