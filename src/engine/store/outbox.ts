import { type RawBuilder, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { compiledOnce } from '../../db/compiled-once.ts';
import { batchLimit } from '../../db/literal.ts';
import { inEachPartition } from '../../db/partitions.ts';
import type { Direction } from '../../db/schema.ts';
import { required } from '../../kernel/errors.ts';
import type { AlertPayload, FlowOrder } from '../flow-order.ts';
import type { SagaState } from '../state.ts';

/** The rows of `outbox`: orders and alerts in the commit that makes them due, and their way to the queues. */

/**
 * The relay leaves a new row to the process that wrote it for this long. Longer than that process takes to publish and to
 * mark, so that the relay acts only when it has died.
 */
export const RELAY_GRACE_SECONDS = 5;

/** The end of the key is the generation; `leaseOrders` reads it. */
export const flowDedupeKey = (sagaId: string, direction: Direction, generation: number): string =>
  `${sagaId}-${direction}-${generation}`;

/** Orders the flow of the saga's new generation, in the caller's transaction. */
export async function orderFlow(
  tx: Tx | Db,
  saga: Pick<SagaState, 'id' | 'name' | 'definitionVersion'>,
  next: Pick<FlowOrder, 'direction' | 'generation' | 'steps' | 'again'>,
): Promise<FlowOrder> {
  const row = await tx
    .insertInto('outbox')
    .values({
      kind: next.direction === 'F' ? 'FLOW_F' : 'FLOW_C',
      dedupe_key: flowDedupeKey(saga.id, next.direction, next.generation),
      saga_id: saga.id,
      payload: '{}',
      available_at: sql`now() + ${RELAY_GRACE_SECONDS}::int * interval '1 second'`,
    })
    .returning('id')
    .executeTakeFirst();
  return {
    outboxId: required(row, 'outbox row').id,
    sagaId: saga.id,
    name: saga.name,
    version: saga.definitionVersion,
    ...next,
  };
}

/** Raises an alert in the caller's transaction, once for each occasion; the relay makes a System Alert of it. */
export async function orderAlert(
  tx: Tx | Db,
  sagaId: string,
  occasion: number | 'stuck',
  alert: AlertPayload,
): Promise<void> {
  await tx
    .insertInto('outbox')
    .values({ kind: 'ALERT', dedupe_key: `${sagaId}-A-${occasion}`, saga_id: sagaId, payload: JSON.stringify(alert) })
    .onConflict((conflict) => conflict.column('dedupe_key').doNothing())
    .execute();
}

/** Which rows a batch may take. */
export interface OrderSelection {
  /** False while Redis is away: only alerts can go anywhere then, and the orders stay due. */
  readonly withOrders: boolean;
  /** A further condition over `x`, an outbox row. */
  readonly where: RawBuilder<unknown>;
  /** Rows, at the most. */
  readonly limit: number;
}

const isDue = ({ withOrders, where }: OrderSelection) =>
  sql<boolean>`x.published_at IS NULL AND x.available_at <= now() AND (${withOrders}::boolean OR x.kind = 'ALERT') AND ${where}`;

/**
 * In how many milliseconds the next row is due, of those that are there; at most 0: now. Null: there is none. A row that was
 * committed after this looked is not due before the grace of the relay is over, unless it is an alert.
 */
export async function nextOrderInMs(
  db: Db,
  { withOrders, where }: Pick<OrderSelection, 'withOrders' | 'where'>,
): Promise<number | null> {
  const { rows } = await sql<{ ms: number }>`
    SELECT (extract(epoch FROM x.available_at - now()) * 1000)::float8 AS ms FROM outbox x
     WHERE x.published_at IS NULL AND (${withOrders}::boolean OR x.kind = 'ALERT') AND ${where}
     ORDER BY x.available_at, x.id LIMIT 1`.execute(db);
  return rows[0]?.ms ?? null;
}

/** The ids of the rows that are due, oldest first. */
export async function dueOrders(db: Db, selection: OrderSelection): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT x.id::text AS id FROM outbox x WHERE ${isDue(selection)} ORDER BY x.available_at, x.id LIMIT ${selection.limit}::int`.execute(
    db,
  );
  return rows.map(({ id }) => id);
}

export interface LeasedOrder {
  readonly id: string;
  readonly kind: string;
  readonly saga_id: string | null;
  readonly payload: unknown;
  readonly attempts: number;
  readonly name: string | null;
  readonly definition_ver: number | null;
  readonly dedupe_key: string;
  /** The steps that remain in the order's direction, in the order in which they run. */
  readonly steps: readonly number[] | null;
  /** False: of an earlier generation, or of a saga that is not open any more; there is nothing to carry. */
  readonly current: boolean | null;
}

/** Takes due rows for `leaseSeconds`; a relay that dies with them leaves them to the others after that. */
export async function leaseOrders<Extra>(
  db: Db,
  selection: OrderSelection,
  leaseSeconds: number,
  /** Further columns over `due`, the leased row. */
  columns: RawBuilder<Extra>,
): Promise<readonly (LeasedOrder & Extra)[]> {
  const { rows } = await sql<LeasedOrder & Extra>`
    WITH due AS (
      UPDATE outbox SET available_at = now() + ${leaseSeconds}::int * interval '1 second', attempts = attempts + 1
       WHERE id IN (SELECT x.id FROM outbox x WHERE ${isDue(selection)}
                     ORDER BY x.available_at, x.id LIMIT ${selection.limit}::int FOR UPDATE SKIP LOCKED) RETURNING *)
    SELECT due.id::text AS id, due.kind, due.saga_id, due.payload, due.attempts, due.dedupe_key, s.name, s.definition_ver,
      due.dedupe_key LIKE '%-' || s.generation AND s.status IN ('pending', 'running', 'compensating') AS current,
      ${columns},
      CASE due.kind
        WHEN 'FLOW_F' THEN (SELECT array_agg(n ORDER BY n) FROM generate_series(s.current_step, s.total_steps) n)
        WHEN 'FLOW_C' THEN (SELECT array_agg(t.step_no ORDER BY t.step_no DESC) FROM saga_step t
                             WHERE t.saga_id = ${inEachPartition(sql`s.id`)} AND t.direction = 'C' AND t.status NOT IN ('done', 'skipped')) END AS steps
      FROM due LEFT JOIN saga s ON s.id = due.saga_id ORDER BY due.id`.execute(db);
  return rows;
}

const mark = compiledOnce((db, ids: RawBuilder<readonly string[]>) =>
  db
    .updateTable('outbox')
    .set({ published_at: sql`now()` })
    .where(sql<boolean>`id = ANY(${ids}::bigint[])`)
    .where('published_at', 'is', null)
    .compile(),
);

/** Notes that orders have been handed to the queue; those that are marked already stay as they are. */
export async function markPublished(db: Db, ids: readonly string[]): Promise<void> {
  await mark(db, ids);
}

const MAX_BACKOFF_SECONDS = 5;

/** A row that could not be carried is due again after a while, longer with each attempt. */
export async function postponeOrder(db: Db, id: string, reason: string): Promise<void> {
  await db
    .updateTable('outbox')
    .set({
      available_at: sql`now() + least(${MAX_BACKOFF_SECONDS}::float8, 0.25 * 2 ^ least(attempts, 8)) * interval '1 second'`,
      last_error: reason,
    })
    .where('id', '=', Number(id))
    .execute();
}

/** One batch of an archiving. */
export interface Archived {
  /** Rows that were moved. */
  readonly moved: number;
  /** The last id that was looked at; null: there are no more of that age. */
  readonly lastId: number | null;
}

/**
 * Moves orders and alerts that went out so many days ago, of sagas that ended so many days ago, to `archived_outbox`: of the
 * next `limit` ids behind `afterId`, in one statement. Their keys stay taken: a trigger refuses an order that has one of
 * them, and a saga that has ended orders nothing.
 */
export async function archiveOrders(
  db: Db,
  { afterId, days, limit }: { readonly afterId: number; readonly days: number; readonly limit: number },
): Promise<Archived> {
  const before = sql`now() - ${days}::int * interval '1 day'`;
  const { rows } = await sql<{ moved: number; last: number | null }>`
    WITH few AS MATERIALIZED (
      SELECT id, saga_id FROM outbox WHERE id > ${afterId} AND created_at < ${before} ORDER BY id LIMIT ${batchLimit(limit)}),
    old AS (
      DELETE FROM outbox o USING few LEFT JOIN saga s ON s.id = few.saga_id
       WHERE o.id = few.id AND o.published_at < ${before} AND (few.saga_id IS NULL OR s.finished_at < ${before}) RETURNING o.*),
    moved AS (
      INSERT INTO archived_outbox (dedupe_key, id, kind, saga_id, payload, available_at, created_at, attempts, last_error, published_at)
      SELECT dedupe_key, id, kind, saga_id, payload, available_at, created_at, attempts, last_error, published_at FROM old RETURNING id)
    SELECT (SELECT count(*) FROM moved)::int AS moved, (SELECT max(id) FROM few) AS last`.execute(db);
  return { moved: rows[0]?.moved ?? 0, lastId: rows[0]?.last ?? null };
}
