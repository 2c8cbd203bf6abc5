import { type RawBuilder, sql } from 'kysely';

/** SQL: a dispute about one of a stay's charges is open. */
const isStayDisputed = (stay: RawBuilder<unknown>): RawBuilder<boolean> =>
  sql<boolean>`EXISTS (SELECT FROM transaction d WHERE d.reservation_id = ${stay} AND d.type = 'DISPUTE' AND d.status IN ('PENDING', 'PROCESSING'))`;

/** SQL: a refund of the stay waits for a second person, or is being made after the answer: its saga has not ended. */
const isRefundAsked = (stay: RawBuilder<unknown>): RawBuilder<boolean> => sql<boolean>`EXISTS (
  SELECT FROM approval q JOIN saga w ON w.id = q.saga_id
   WHERE q.reservation_id = ${stay} AND q.kind IN ('REFUND_OVERRIDE', 'GOODWILL') AND w.finished_at IS NULL)`;

/** SQL: an event about one of a stay's charges waits to be booked. */
const isNewsWaiting = (stay: RawBuilder<unknown>): RawBuilder<boolean> => sql<boolean>`EXISTS (
  SELECT FROM gateway_event g WHERE g.reservation_id = ${stay} AND g.processed_at IS NULL AND g.payment_id IS NOT NULL)`;

/** SQL: the payouts of a stay are held, whatever asks for them: `whyStayIsHeld`. `stay`: SQL of its id; null is never held. */
export const isStayHeld = (stay: RawBuilder<unknown>): RawBuilder<boolean> => sql<boolean>`(
  ${isStayDisputed(stay)} OR ${isRefundAsked(stay)} OR ${isNewsWaiting(stay)})`;

/** SQL: why the payouts of a stay are held; null: they are not. */
export const whyStayIsHeld = (stay: RawBuilder<unknown>): RawBuilder<string | null> => sql<string | null>`CASE
  WHEN ${isStayDisputed(stay)} THEN 'DISPUTED' WHEN ${isRefundAsked(stay)} THEN 'REFUND_WAITS'
  WHEN ${isNewsWaiting(stay)} THEN 'GATEWAY_NEWS_WAITING' END`;
