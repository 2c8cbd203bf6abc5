import { sql } from 'kysely';

/** The sum that gateways have captured of a stay's balance, in minor units, without overpayments. */
export const capturedOf = (reservationId: string) =>
  sql<number>`(SELECT coalesce(sum(y.amount_minor - y.excess_minor), 0)::bigint FROM payment y
    WHERE y.reservation_id = ${sql.ref(reservationId)} AND y.status = 'COMPLETED')`;
/** The sum that has gone back to the guest of a stay, in minor units: what is on its way does not count yet. */
export const refundedOf = (reservationId: string) =>
  sql<number>`(SELECT coalesce(sum(x.amount_minor), 0)::bigint FROM transaction x
    WHERE x.reservation_id = ${sql.ref(reservationId)} AND x.type = 'REFUND' AND x.status = 'COMPLETED')`;
/** The part of a stay's amount due that is not paid, in minor units; the whole price while nothing has been asked for. `stay`: a table of reservations, or its alias. */
export const amountOutstandingOf = (stay: string) =>
  sql<number>`coalesce((SELECT x.outstanding_minor FROM transaction x WHERE x.reservation_id = ${sql.ref(`${stay}.id`)}
    AND x.type = 'GUEST_PAYMENT' AND x.parent_id IS NULL AND x.status NOT IN ('FAILED', 'CANCELLED', 'REVERSED')), ${sql.ref(`${stay}.total_minor`)})`;

export const REFUND_STATUSES = ['NONE', 'PENDING', 'MANUAL_REQUIRED', 'COMPLETED'] as const;
export type RefundStatus = (typeof REFUND_STATUSES)[number];
/** Of refunds `x`, all of them together. */
export const STATUS_OF_REFUNDS = sql<RefundStatus>`CASE WHEN bool_or(x.status = 'MANUAL_REQUIRED') THEN 'MANUAL_REQUIRED'
  WHEN bool_or(x.status IN ('PENDING', 'PROCESSING')) THEN 'PENDING' WHEN count(*) > 0 THEN 'COMPLETED' ELSE 'NONE' END`;
/** How far the refunds of a stay have come, all of them together: what waits for a person counts first, then what is on its way. */
export const refundStatusOf = (reservationId: string) =>
  sql<RefundStatus>`(SELECT ${STATUS_OF_REFUNDS}
    FROM transaction x WHERE x.reservation_id = ${sql.ref(reservationId)} AND x.type = 'REFUND'
     AND x.status IN ('PENDING', 'PROCESSING', 'MANUAL_REQUIRED', 'COMPLETED'))`;
/** SQL: what gateways have taken of a payment for disputes that are not decided yet, in minor units. `payment`: its table or alias. */
export const disputedOf = (payment: string) =>
  sql<number>`coalesce((SELECT sum(d.settled_minor) FROM transaction d WHERE d.reservation_id = ${sql.ref(`${payment}.reservation_id`)}
    AND d.payment_id = ${sql.ref(`${payment}.id`)} AND d.type = 'DISPUTE' AND d.status = 'PROCESSING'), 0)::bigint`;
/** SQL: the money captured for a stay less its refunds and disputes, in minor units. Overpaid money is included. */
export const refundableOfStay = (reservationId: string) =>
  sql<number>`(SELECT coalesce(sum(greatest(0, y.amount_minor - y.refunded_minor - ${disputedOf('y')})), 0)::bigint FROM payment y
    WHERE y.reservation_id = ${sql.ref(reservationId)} AND y.status = 'COMPLETED')`;
