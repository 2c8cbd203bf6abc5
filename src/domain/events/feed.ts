import { type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { DomainEventTable } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { inScope, type Scope, sweepBatch } from '../sweeps/isolate.ts';

/**
 * The feed of what happened: dense, in one order for everybody, and without gaps. Triggers write events in the
 * transaction of the change (`sources.ts`); here the committed ones get their place. A later change of a record is
 * made by a later id and commits later, so the order of one record's events is that of its changes.
 */

export type EventView = ReturnType<typeof eventView>;

/** The public form of an event row; times are ISO instants, `seq` is the position in the feed. */
export const eventView = (row: Selectable<DomainEventTable>) => ({
  seq: row.seq ?? 0,
  id: eventId(row.id),
  type: row.type,
  at: row.at.toISOString(),
  resource: { type: row.resource, id: row.resource_id },
  reservationId: row.reservation_id,
  data: row.data,
});
/** The same on every delivery. */
export const eventId = (id: number): string => `event-${id}`;

export interface EventFilter {
  /** `task.assigned`, or `task.*`. */
  readonly types?: readonly string[] | undefined;
  readonly reservationId?: string | undefined;
}
export interface FeedPage {
  readonly events: readonly EventView[];
  /** Where to go on: everything up to there has been looked at. */
  readonly last: number;
  /** There is more by now. */
  readonly more: boolean;
}

const NUMBERED_AT_ONCE = 5_000;

/** Gives committed events their places, and answers the last one given. One at a time; the others wait for it. */
export async function numberEvents(db: Db): Promise<number> {
  const { rows: waiting } = await sql<{ last: number; some: boolean }>`
    SELECT last_seq AS last, EXISTS (SELECT FROM domain_event WHERE seq IS NULL) AS some FROM event_feed`.execute(db);
  if (!waiting[0]?.some) return waiting[0]?.last ?? 0;
  let last = waiting[0].last;
  await sweepBatch({
    db,
    sweep: 'events',
    limit: NUMBERED_AT_ONCE,
    run: (scope) =>
      db.transaction().execute(async (tx) => {
        const numbered = await numberSome(tx, scope);
        last = numbered.last;
        return numbered.ids;
      }),
    due: async (limit) => {
      const { rows } = await sql<{ id: string }>`
        SELECT e.id::text AS id FROM domain_event e WHERE ${isUnnumbered} ORDER BY e.id LIMIT ${limit}::int`.execute(
        db,
      );
      return rows.map(({ id }) => id);
    },
  });
  return last;
}

const isUnnumbered = sql<boolean>`e.seq IS NULL AND ${isNotSetAside('events', sql`e.id::text`)}`;

/** SQL: whether a committed event has no place yet. */
export const eventsUnnumbered = sql<boolean>`EXISTS (SELECT FROM domain_event e WHERE ${isUnnumbered})`;

async function numberSome(tx: Tx, scope: Scope): Promise<{ readonly last: number; readonly ids: readonly string[] }> {
  const feed = await tx.selectFrom('event_feed').select('last_seq').forUpdate().executeTakeFirstOrThrow();
  // A statement of its own, so that it sees what was committed while this one waited for the row.
  const { rows } = await sql<{ seq: number; id: string }>`
    WITH next AS (SELECT id, ${feed.last_seq}::bigint + row_number() OVER (ORDER BY id) AS seq
      FROM (SELECT e.id FROM domain_event e WHERE ${isUnnumbered} AND ${inScope(scope, sql`e.id::text`)}
             ORDER BY e.id LIMIT ${scope.limit}::int) AS few)
    UPDATE domain_event e SET seq = next.seq FROM next WHERE e.id = next.id RETURNING e.seq, e.id::text AS id`.execute(
    tx,
  );
  const last = Math.max(feed.last_seq, ...rows.map(({ seq }) => seq));
  if (rows.length > 0) await tx.updateTable('event_feed').set({ last_seq: last }).execute();
  return { last, ids: rows.map(({ id }) => id) };
}

const LOOKED_AT_ONCE = 5_000;

/**
 * Events after `after`, at most `limit`. Throws `EVENTS_EXPIRED` where the next one has been deleted by its age, and
 * `EVENTS_NOT_REACHED` for a place that the feed has never given: as of a consumer that is ahead of a restored database.
 */
export async function readEvents(db: Db, after: number, limit: number, filter: EventFilter = {}): Promise<FeedPage> {
  const newest = await numberEvents(db);
  assertReached(after, newest);
  if (after === newest) return { events: [], last: after, more: false };
  await assertKept(db, after);
  // Where types are chosen, few may fit: a consumer is told how far was looked, and nobody reads years in one request.
  const until = filter.types?.length ? Math.min(newest, after + LOOKED_AT_ONCE) : newest;
  const rows = await matching(db, filter)
    .where('seq', '>', after)
    .where('seq', '<=', until)
    .orderBy('seq')
    .limit(limit + 1)
    .execute();
  const kept = rows.slice(0, limit);
  const full = rows.length > limit;
  return {
    events: kept.map(eventView),
    last: full ? (kept.at(-1)?.seq ?? after) : until,
    more: full || until < newest,
  };
}

/** Throws `EVENTS_NOT_REACHED` with the last place that there is. */
export function assertReached(place: number, last: number): void {
  if (place > last) throw new RoomyError('EVENTS_NOT_REACHED', { details: { asked: place, last } });
}

/** Query of the numbered events of a filter; a type `noun.*` stands for every event of that noun. */
export function matching(db: Db, { types = [], reservationId }: EventFilter) {
  let query = db.selectFrom('domain_event').selectAll().where('seq', 'is not', null);
  if (types.length > 0) {
    query = query.where(
      sql<boolean>`(type = ANY(${types}::text[]) OR split_part(type, '.', 1) || '.*' = ANY(${types}::text[]))`,
    );
  }
  if (reservationId !== undefined) query = query.where('reservation_id', '=', reservationId);
  return query;
}

async function assertKept(db: Db, after: number): Promise<void> {
  const next = await db
    .selectFrom('domain_event')
    .select('seq')
    .where('seq', '=', after + 1)
    .executeTakeFirst();
  if (next) return;
  const oldest = await db
    .selectFrom('domain_event')
    .select('seq')
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(1)
    .executeTakeFirst();
  throw new RoomyError('EVENTS_EXPIRED', { details: { oldest: oldest?.seq ?? null } });
}

const FORGOTTEN_AT_ONCE = 5_000;
/** Of one call; the next one goes on. */
const MAX_ROUNDS = 100;

/** Deletes events that are older than so many days and that every endpoint has got; answers how many. */
export async function forgetEvents(db: Db, days: number): Promise<number> {
  const isOld = sql<boolean>`e.at < now() - make_interval(days => ${days}::int) AND e.seq IS NOT NULL
    AND e.seq < coalesce((SELECT min(next_seq) FROM webhook_endpoint WHERE status = 'ACTIVE'), 9223372036854775807)
    AND ${isNotSetAside('event-retention', sql`e.id::text`)}`;
  const few = (limit: number) => sql`SELECT e.id FROM domain_event e WHERE ${isOld} ORDER BY e.at LIMIT ${limit}::int`;
  let forgotten = 0;
  const round = () =>
    sweepBatch({
      db,
      sweep: 'event-retention',
      limit: FORGOTTEN_AT_ONCE,
      run: async ({ limit, ids }) => {
        const chosen = ids === null ? few(limit) : sql`SELECT unnest(${ids}::bigint[])`;
        const { rows } = await sql<{ id: string }>`
          DELETE FROM domain_event WHERE id IN (${chosen}) RETURNING id::text AS id`.execute(db);
        forgotten += rows.length;
        return rows.map(({ id }) => id);
      },
      due: async (limit) => (await sql<{ id: number }>`${few(limit)}`.execute(db)).rows.map(({ id }) => String(id)),
    });
  for (let n = 0; n < MAX_ROUNDS && (await round()) === FORGOTTEN_AT_ONCE; n += 1);
  return forgotten;
}
