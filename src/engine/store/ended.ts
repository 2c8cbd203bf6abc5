import { type RawBuilder, sql } from 'kysely';
import { literal } from '../../db/literal.ts';

/** The channel of Postgres on which processes hear of sagas that have an answer: ids, with commas between them. */
export const ENDED_CHANNEL = 'roomy_saga_ended';

/**
 * Part of a statement that ends sagas: notifies all processes of the `saga_id`s of `from`, once it is committed. In the same
 * commit, since a notification alone would be a transaction of its own, with a flush of its own.
 */
export const notifyEnded = (from: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`SELECT pg_notify(${literal(ENDED_CHANNEL)}, string_agg(saga_id, ',')) FROM ${from} HAVING count(*) > 0`;
