import { type InsertObject, type Selectable, sql, type UpdateObject } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { Database, WebhookEndpointTable } from '../../db/schema.ts';
import { eventsUnnumbered } from '../events/feed.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { inScope, type Scope } from '../sweeps/isolate.ts';

/** The only statements that write `webhook_endpoint` and `webhook_attempt`. */

export type Endpoint = Selectable<WebhookEndpointTable>;
/** An endpoint as a worker holds it: another claim, or a replay, counts the fence up and ends that hold. */
export type HeldEndpoint = Pick<Endpoint, 'id' | 'fence'>;

/** Inserts an endpoint and answers its row. */
export const insertEndpoint = (tx: Tx, row: InsertObject<Database, 'webhook_endpoint'>): Promise<Endpoint> =>
  tx.insertInto('webhook_endpoint').values(row).returningAll().executeTakeFirstOrThrow();

type SetEndpoint = Omit<UpdateObject<Database, 'webhook_endpoint'>, 'id' | 'version'>;

/** A person's change, which counts the version up; answers the row after it. Undefined columns keep their values. */
export const updateEndpoint = (tx: Tx, id: string, change: SetEndpoint): Promise<Endpoint> =>
  tx
    .updateTable('webhook_endpoint')
    .set((eb) => ({ ...change, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();

/** A person's change that sends events again, from the place after `afterSeq` on, and ends the hold of a worker. Never forward. */
export const rewindEndpoint = (tx: Tx, id: string, afterSeq: number): Promise<Endpoint> =>
  tx
    .updateTable('webhook_endpoint')
    .set((eb) => ({
      next_seq: sql<number>`least(next_seq, ${afterSeq + 1}::bigint)`,
      attempt: 0,
      next_attempt_at: sql<Date>`now()`,
      lease_until: null,
      fence: sql<number>`fence + 1`,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();

/** Deletes an endpoint, with its attempts. */
export async function removeEndpoint(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('webhook_endpoint').where('id', '=', id).execute();
}

export const isFree = sql<boolean>`w.status = 'ACTIVE' AND w.next_attempt_at <= now() AND (w.lease_until IS NULL OR w.lease_until <= now())
  AND ${isNotSetAside('webhooks', sql`w.id`)}`;

/** SQL: whether there is something for an endpoint that nobody holds. */
export const endpointsDue = sql<boolean>`EXISTS (SELECT FROM webhook_endpoint w WHERE ${isFree}
  AND (w.next_seq <= (SELECT f.last_seq FROM event_feed f) OR ${eventsUnnumbered}))`;

/** Query of the ids of endpoints that nobody holds and for which there is something up to `newest`, a place in the feed. */
export const dueEndpoints = (db: Db, newest: number, scope: Scope) =>
  db
    .selectFrom('webhook_endpoint as w')
    .select('w.id')
    .where(isFree)
    .where('w.next_seq', '<=', newest)
    .where(inScope(scope, sql`w.id`))
    .orderBy('w.next_attempt_at')
    .limit(scope.limit);

/** Takes due endpoints for so many seconds, each under a new fence. */
export const claimEndpoints = (
  db: Db,
  newest: number,
  scope: Scope,
  leaseSeconds: number,
): Promise<readonly Endpoint[]> =>
  db
    .updateTable('webhook_endpoint')
    .set((eb) => ({
      lease_until: sql<Date>`now() + make_interval(secs => ${leaseSeconds})`,
      fence: eb('fence', '+', 1),
    }))
    .where('id', 'in', dueEndpoints(db, newest, scope).forUpdate().skipLocked())
    .returningAll()
    .execute();

/** What came of one request: the place after the event; or how often it was tried, and when again, in milliseconds. */
export type Delivered =
  | { readonly nextSeq: number }
  | {
      readonly attempt: number;
      readonly delayMs: number;
      /** The endpoint gets nothing more, for this reason; null: it stays active. */
      readonly disabledReason: string | null;
    };

/** Books what came of a request, and answers the row; undefined when the hold was lost or the endpoint is not active. */
export const moveEndpoint = (
  tx: Tx,
  { id, fence }: HeldEndpoint,
  delivered: Delivered,
): Promise<Endpoint | undefined> =>
  tx
    .updateTable('webhook_endpoint')
    .set(
      'nextSeq' in delivered
        ? { next_seq: delivered.nextSeq, attempt: 0, next_attempt_at: sql<Date>`now()` }
        : {
            attempt: delivered.attempt,
            lease_until: null,
            next_attempt_at: sql<Date>`now() + make_interval(secs => ${delivered.delayMs / 1_000}::float8)`,
            ...(delivered.disabledReason !== null && {
              status: 'DISABLED' as const,
              disabled_reason: delivered.disabledReason,
            }),
          },
    )
    .where('id', '=', id)
    .where('fence', '=', fence)
    .where('status', '=', literal('ACTIVE'))
    .returningAll()
    .executeTakeFirst();

/** Nothing before the place `nextSeq` is for this endpoint. Null when the hold was lost. */
export async function advanceEndpoint(db: Db, { id, fence }: HeldEndpoint, nextSeq: number): Promise<Endpoint | null> {
  const row = await db
    .updateTable('webhook_endpoint')
    .set({ next_seq: nextSeq, attempt: 0 })
    .where('id', '=', id)
    .where('fence', '=', fence)
    .returningAll()
    .executeTakeFirst();
  return row ?? null;
}

/** Lets go of an endpoint, unless the hold was lost already. */
export async function releaseEndpoint(db: Db, { id, fence }: HeldEndpoint): Promise<void> {
  await db
    .updateTable('webhook_endpoint')
    .set({ lease_until: null })
    .where('id', '=', id)
    .where('fence', '=', fence)
    .execute();
}

/** Notes one request to an endpoint. */
export async function insertAttempt(tx: Tx, row: InsertObject<Database, 'webhook_attempt'>): Promise<void> {
  await tx.insertInto('webhook_attempt').values(row).execute();
}

/** Deletes some calls that are so many days old, the oldest first; answers how many. */
export async function pruneAttempts(db: Db, days: number, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    DELETE FROM webhook_attempt WHERE id IN (
      SELECT a.id FROM (SELECT id, at FROM webhook_attempt ORDER BY id LIMIT ${limit}::int) a
       WHERE a.at < now() - ${days}::int * interval '1 day')`.execute(db);
  return Number(numAffectedRows ?? 0n);
}
