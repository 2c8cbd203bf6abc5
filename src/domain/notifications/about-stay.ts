import { type RawBuilder, sql } from 'kysely';

/**
 * A `notification` that is about a stay: its own, and what was said of the bank instruction that its payout went out with,
 * which may be for several stays and so names none.
 */
export const isAboutStay = (reservationId: string): RawBuilder<boolean> =>
  sql<boolean>`(notification.reservation_id = ${reservationId} OR notification.saga_id IN (SELECT x.payout_saga FROM transaction x
    WHERE x.reservation_id = ${reservationId} AND x.payout_saga IS NOT NULL))`;
