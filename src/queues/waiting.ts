import { type RawBuilder, sql } from 'kysely';
import { isNotSetAside } from '../domain/sweeps/failures.ts';

/** A kind of row that something has to take up soon after it is due. */
export interface Waiting {
  /** In plain words, plural. */
  readonly what: string;
  /** SQL: since when the one that has waited longest is due; null: none is. */
  readonly since: RawBuilder<Date | null>;
  /** Due for so long, it is late. */
  readonly lateAfterMs: number;
}

const SAGAS_LATE_MS = 90_000;
const ORDERS_LATE_MS = 60_000;

/** What the relay and the reconciler have to take up. An order that could not be published is put off, so that when it was made counts. */
export const ENGINE_WAITS: readonly Waiting[] = [
  {
    what: 'sagas that nobody moves',
    since: sql`(SELECT x.next_check_at FROM saga x WHERE x.finished_at IS NULL AND x.status <> 'parked' AND x.next_check_at <= now()
      AND ${isNotSetAside('sagas', sql`x.id`)} ORDER BY x.next_check_at LIMIT 1)`,
    lateAfterMs: SAGAS_LATE_MS,
  },
  {
    what: 'jobs to put into the queues',
    since: sql`(SELECT min(o.created_at) FROM (SELECT x.created_at FROM outbox x WHERE x.published_at IS NULL
      AND ${isNotSetAside('orders', sql`x.id::text`)} ORDER BY x.available_at, x.id LIMIT 100) o)`,
    lateAfterMs: ORDERS_LATE_MS,
  },
];
