import { type RawBuilder, sql } from 'kysely';

/** SQL: a dispute about one of a stay's charges is open. */
export const isStayDisputed = (stay: RawBuilder<unknown>): RawBuilder<boolean> =>
  sql<boolean>`EXISTS (SELECT FROM transaction d WHERE d.reservation_id = ${stay} AND d.type = 'DISPUTE' AND d.status IN ('PENDING', 'PROCESSING'))`;

/**
 * SQL: the payouts of a stay are held, while a dispute about one of its charges is open or an event about one waits to be booked.
 * `stay`: SQL of the stay's id; null is never held.
 */
export const isStayHeld = (stay: RawBuilder<unknown>): RawBuilder<boolean> => sql<boolean>`(
  ${isStayDisputed(stay)}
  OR EXISTS (SELECT FROM gateway_event g WHERE g.reservation_id = ${stay} AND g.processed_at IS NULL AND g.payment_id IS NOT NULL))`;
