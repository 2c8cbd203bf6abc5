import { type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { PAYOUT_BANK } from '../ports.ts';
import type { BookedItem, SettledMovement } from './reconciliation-match.ts';

/** SQL: the fee that is booked for a refund, or for a charge that has been reversed. */
const feesOf = (of: RawBuilder<unknown>) =>
  sql`(SELECT coalesce(sum(f.settled_minor), 0)::bigint FROM transaction f WHERE ${of} AND f.type = 'GATEWAY_FEE' AND f.status = 'COMPLETED')`;

export interface Booked {
  readonly gatewayId: string;
  readonly from: Date;
  readonly to: Date;
}

/**
 * The rows of our books to compare with a gateway's record: those that the movements name, and all that were booked in
 * `[from, to)`. Amounts in minor units.
 */
export async function bookedItems(
  tx: Db | Tx,
  { gatewayId, from, to }: Booked,
  movements: readonly SettledMovement[],
): Promise<readonly BookedItem[]> {
  const named = (kind: SettledMovement['kind'], of: 'reference' | 'providerId'): readonly string[] => [
    ...new Set(movements.filter((movement) => movement.kind === kind).map((movement) => movement[of])),
  ];
  const { rows: charges } = await sql<BookedItem>`
    SELECT 'CHARGE' AS kind, y.gateway_reference AS reference, y.provider_id AS "providerId", y.amount_minor AS "amountMinor",
           CASE y.status WHEN 'COMPLETED' THEN y.fee_minor ELSE ${feesOf(sql`f.reservation_id = y.reservation_id AND f.payment_id = y.id`)} END AS "feeMinor",
           y.currency, y.status, coalesce(y.completed_at, y.created_at) AS at,
           CASE y.status WHEN 'COMPLETED' THEN 'BOOKED' WHEN 'PROCESSING' THEN 'OPEN' ELSE 'TAKEN_BACK' END AS state,
           y.status = 'COMPLETED' AND y.completed_at >= ${from} AND y.completed_at < ${to} AS expected,
           t.id AS "transactionId", y.reservation_id AS "reservationId", y.id AS "paymentId"
      FROM payment y LEFT JOIN LATERAL (
        SELECT t.id FROM transaction t WHERE t.reservation_id = y.reservation_id AND t.payment_id = y.id AND t.type = 'GUEST_PAYMENT'
         ORDER BY t.created_at LIMIT 1) t ON true
     WHERE y.gateway_id = ${gatewayId}
       AND (y.gateway_reference = ANY(${named('CHARGE', 'reference')}::text[]) OR y.provider_id = ANY(${named('CHARGE', 'providerId')}::text[])
            OR (y.completed_at >= ${from} AND y.completed_at < ${to}))
     ORDER BY y.created_at, y.id`.execute(tx);
  // One refund at a gateway may complete several of ours: its amount is their sum.
  const { rows: refunds } = await sql<BookedItem>`
    SELECT 'REFUND' AS kind, t.gateway_reference AS reference, t.provider_id AS "providerId", sum(t.amount_minor)::bigint AS "amountMinor",
           ${feesOf(sql`f.parent_id = min(t.id)`)} AS "feeMinor", t.currency, t.status, max(coalesce(t.completed_at, t.created_at)) AS at,
           CASE WHEN t.status = 'COMPLETED' THEN 'BOOKED' ELSE 'OPEN' END AS state,
           bool_or(t.status = 'COMPLETED' AND t.completed_at >= ${from} AND t.completed_at < ${to}) AS expected,
           min(t.id) AS "transactionId", t.reservation_id AS "reservationId", t.payment_id AS "paymentId"
      FROM transaction t
     WHERE t.type = 'REFUND' AND t.gateway_id = ${gatewayId}
       AND (t.provider_id = ANY(${named('REFUND', 'providerId')}::text[]) OR t.gateway_reference = ANY(${named('REFUND', 'reference')}::text[])
            OR (t.completed_at >= ${from} AND t.completed_at < ${to}))
     GROUP BY t.gateway_reference, t.provider_id, t.currency, t.status, t.reservation_id, t.payment_id,
              CASE WHEN t.status = 'COMPLETED' AND t.provider_id IS NOT NULL THEN '' ELSE t.id END
     ORDER BY min(t.created_at), min(t.id)`.execute(tx);
  // One instruction to a bank pays several payouts: its amount is their sum.
  const { rows: payouts } = await sql<BookedItem>`
    SELECT 'PAYOUT' AS kind, t.provider_id AS reference, t.provider_id AS "providerId", sum(t.settled_minor)::bigint AS "amountMinor",
           0 AS "feeMinor", t.currency, 'COMPLETED' AS status, max(t.completed_at) AS at, 'BOOKED' AS state,
           bool_or(coalesce(t.gateway_id, ${PAYOUT_BANK}) = ${gatewayId} AND t.completed_at >= ${from} AND t.completed_at < ${to}) AS expected,
           min(t.id) AS "transactionId", min(t.reservation_id) AS "reservationId", min(t.payment_id) AS "paymentId"
      FROM transaction t
     WHERE t.type = 'OWNER_PAYOUT' AND t.status = 'COMPLETED' AND t.provider_id IS NOT NULL AND t.settled_minor > 0 AND coalesce(t.gateway_id, ${gatewayId}) = ${gatewayId}
       AND (t.provider_id = ANY(${named('PAYOUT', 'providerId')}::text[])
            OR (coalesce(t.gateway_id, ${PAYOUT_BANK}) = ${gatewayId} AND t.completed_at >= ${from} AND t.completed_at < ${to}))
     GROUP BY t.provider_id, t.currency ORDER BY t.provider_id`.execute(tx);
  return [...charges, ...refunds, ...payouts];
}
