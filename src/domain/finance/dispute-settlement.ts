import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { Target } from './settlement.ts';

/** Banks decide within months; older disputes have long been settled, and are not added up again every night. */
const DECIDED_WITHIN_DAYS = 730;

interface Due {
  readonly id: string;
  readonly provider_id: string;
  readonly currency: string;
  readonly payment_id: string;
  readonly reservation_id: string;
  readonly net: number;
  readonly fee: number;
}

/**
 * The settlements that disputes of a gateway should have, in minor units. A gateway takes disputed money, and its fee, at once out
 * of the money that it would hand over, and gives it back in the same way, so everything that is booked of a dispute from its
 * record (`disputes.ts`) has left clearing. Only disputes whose settled sum differs from the booked one.
 */
export async function disputeTargets(tx: Tx, gatewayId: string): Promise<readonly Target[]> {
  const { rows } = await sql<Due>`
    SELECT d.id, d.provider_id, d.currency::text AS currency, d.payment_id, d.reservation_id, booked.net, booked.fee
      FROM transaction d,
           LATERAL (SELECT coalesce(sum(e.amount), 0)::bigint AS net,
                           coalesce(-sum(e.amount) FILTER (WHERE coalesce(o.kind, x.kind) = 'DISPUTE_FEE'), 0)::bigint AS fee
                      FROM ledger_tx x JOIN ledger_entry e ON e.tx_id = x.id JOIN ledger_account a ON a.id = e.account_id
                      LEFT JOIN ledger_tx o ON o.id = x.reverses
                     WHERE x.reservation_id = d.reservation_id AND a.kind = 'GATEWAY_CLEARING' AND coalesce(o.kind, x.kind) IN ('DISPUTE', 'DISPUTE_FEE')
                       AND (x.transaction_id = d.id OR x.transaction_id IN (SELECT f.id FROM transaction f WHERE f.parent_id = d.id))) booked
     WHERE d.gateway_id = ${gatewayId} AND d.type = 'DISPUTE' AND d.created_at > now() - ${DECIDED_WITHIN_DAYS}::int * interval '1 day'
       AND booked.net <> coalesce((SELECT sum(s.net_minor) FROM settlement s WHERE s.transaction_id = d.id AND s.movement = 'DISPUTE'), 0)
     ORDER BY d.id`.execute(tx);
  return rows.map(({ id, net, fee, ...row }) => ({
    movement: 'DISPUTE',
    subject: `ours:${id}`,
    providerId: row.provider_id,
    currency: row.currency,
    amountMinor: -net - fee,
    saidFeeMinor: fee,
    feeMinor: fee,
    netMinor: net,
    transactionId: id,
    reservationId: row.reservation_id,
    paymentId: row.payment_id,
  }));
}
