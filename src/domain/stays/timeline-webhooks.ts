import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';

/**
 * How far the delivery of an event is, from where each endpoint stands in the feed: attempts are kept by endpoint, and are read there
 * (`GET webhook-endpoints/:id/deliveries`).
 */

export interface DeliveryView {
  readonly endpointId: string;
  /** `PASSED`: taken, or left out by a person's replay. `RETRYING`: was tried in vain. */
  readonly status: 'PASSED' | 'RETRYING' | 'WAITING' | 'DISABLED';
  /** Failed attempts by now. */
  readonly failedAttempts: number;
  readonly nextAttemptAt: string | null;
}
interface Numbered {
  readonly type: string;
  readonly at: Date;
  readonly seq: number | null;
}

/** How far each endpoint is, for events one by one. An endpoint is told of what happens from its creation on. */
export async function readDeliveries(db: Db): Promise<(event: Numbered) => readonly DeliveryView[]> {
  const endpoints = await db
    .selectFrom('webhook_endpoint as w')
    .select(['w.id', 'w.types', 'w.status', 'w.next_seq', 'w.attempt', 'w.next_attempt_at', 'w.created_at'])
    .select(LAST_TRIED.as('tried_seq'))
    .orderBy('w.id')
    .limit(MAX_ENDPOINTS)
    .execute();
  return ({ type, at, seq }) =>
    endpoints
      .filter(({ types, created_at: since }) => since <= at && isChosen(types, type))
      .map(({ id, status, next_seq: next, attempt, next_attempt_at: nextAt, tried_seq: tried }) => {
        const isPassed = seq !== null && next > seq;
        const isNext = seq !== null && seq === tried && attempt > 0 && !isPassed;
        const waits = status === 'ACTIVE' ? (isNext ? 'RETRYING' : 'WAITING') : 'DISABLED';
        return {
          endpointId: id,
          status: isPassed ? 'PASSED' : waits,
          failedAttempts: isNext ? attempt : 0,
          nextAttemptAt: isNext && status === 'ACTIVE' ? nextAt.toISOString() : null,
        };
      });
}
const MAX_ENDPOINTS = 100;
/** The event that an endpoint was last called with; between its place and that one lie events that it does not want. */
const LAST_TRIED = sql<
  number | null
>`(SELECT a.seq FROM webhook_attempt a WHERE a.endpoint_id = w.id ORDER BY a.id DESC LIMIT 1)`;

/** None chosen: all are. */
const isChosen = (types: readonly string[], type: string): boolean =>
  types.length === 0 || types.includes(type) || types.includes(`${type.split('.')[0]}.*`);
