import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { disputedOf } from '../reservations/payment-status.ts';

/** The receipts of a stay as the split counts them, in minor units: without money that was paid over the balance. */
export interface Receipts {
  readonly capturedMinor: number;
  readonly refundedMinor: number;
  /** The parts of the refunds that one party bears alone. */
  readonly borneByAgencyMinor: number;
  readonly borneByOwnerMinor: number;
}

/** With the guest's credit and the money in dispute. */
export interface StayReceipts extends Receipts {
  /** Paid over the balance, and not refunded yet. */
  readonly excessMinor: number;
  /** Taken by gateways for disputes that are not decided. */
  readonly disputedMinor: number;
}

/** Sums the payments and refunds of a stay, in minor units, as the split counts them (domain.md 6). */
export async function receiptsOf(db: Db | Tx, reservationId: string): Promise<StayReceipts> {
  // The excess is the guest's own money: a refund of its charge gives it back first, and it is no part of the split.
  const { rows } = await sql<ReceiptsRow>`
    SELECT m.captured, m.refunded, m.excess, m.captured - m.refunded + m.excess - m.refundable AS disputed, b.agency, b.owner
      FROM (SELECT coalesce(sum(amount_minor - excess_minor), 0)::bigint AS captured,
                   coalesce(sum(greatest(0, refunded_minor - excess_minor)), 0)::bigint AS refunded,
                   coalesce(sum(least(refundable, greatest(0, excess_minor - refunded_minor))), 0)::bigint AS excess,
                   coalesce(sum(refundable), 0)::bigint AS refundable
              FROM (SELECT y.*, greatest(0, y.amount_minor - y.refunded_minor - ${disputedOf('y')}) AS refundable FROM payment y
                     WHERE y.reservation_id = ${reservationId} AND y.status = 'COMPLETED') p) m,
           (SELECT ${borneBy('AGENCY')} AS agency, ${borneBy('OWNER')} AS owner
              FROM transaction t WHERE t.reservation_id = ${reservationId} AND ${IS_LIVE_REFUND}) b`.execute(db);
  const { captured, refunded, excess, disputed, agency, owner } = rows[0] ?? NOTHING;
  return {
    capturedMinor: captured,
    refundedMinor: refunded,
    excessMinor: excess,
    disputedMinor: disputed,
    borneByAgencyMinor: agency,
    borneByOwnerMinor: owner,
  };
}
interface ReceiptsRow {
  readonly captured: number;
  readonly refunded: number;
  readonly excess: number;
  readonly disputed: number;
  readonly agency: number;
  readonly owner: number;
}
const NOTHING: ReceiptsRow = { captured: 0, refunded: 0, excess: 0, disputed: 0, agency: 0, owner: 0 };

/** SQL: the part of refunds `t` that a party bears alone, in minor units. */
export const borneBy = (bearer: 'AGENCY' | 'OWNER') =>
  sql<number>`coalesce(sum(t.borne_minor) FILTER (WHERE t.borne_by = ${literal(bearer)}), 0)::bigint`;
/** SQL: transaction `t` is a refund that is owed or paid. */
export const IS_LIVE_REFUND = sql<boolean>`t.type = 'REFUND' AND t.status NOT IN ('FAILED', 'CANCELLED', 'REVERSED')`;
