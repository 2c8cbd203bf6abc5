import { type RawBuilder, sql } from 'kysely';

/**
 * A `notification` that is about a stay: its own, and what was said of the bank instruction that its payout went out with,
 * which may be for several stays and so names none.
 */
export const isAboutStay = (reservationId: string): RawBuilder<boolean> =>
  // By ids, as no index serves an OR across tables; in an array, which is planned for few.
  sql<boolean>`notification.id = ANY(ARRAY(SELECT n.id FROM notification n WHERE n.reservation_id = ${reservationId}
    UNION SELECT n.id FROM transaction x JOIN notification n ON n.saga_id = x.payout_saga AND n.reservation_id IS NULL WHERE x.reservation_id = ${reservationId}))`;
