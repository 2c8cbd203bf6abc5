import { type RawBuilder, type Selectable, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { batchLimit } from '../../db/literal.ts';
import type { DomainEventTable } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { inScope, type Scope, sweepBatch } from '../sweeps/isolate.ts';
import { eventData } from './stored.ts';

/**
 * The feed of what happened: dense, in one order for everybody, and without gaps. Triggers write events in the
 * transaction of the change (`sources.ts`); here the committed ones get their place, in a table of its own: an event is
 * written once. A later change of a record is made by a later id and commits later, so the order of one record's events is
 * that of its changes.
 */

export type EventView = ReturnType<typeof eventView>;

/** The public form of an event row; times are ISO instants, `seq` is the position in the feed. */
export const eventView = (row: Selectable<DomainEventTable> & { readonly seq: number }) => ({
  seq: row.seq,
  id: eventId(row.id),
  type: row.type,
  at: row.at.toISOString(),
  resource: { type: row.resource, id: row.resource_id },
  reservationId: row.reservation_id,
  data: eventData(row.resource, row.data),
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
  const { rows: looks } = await sql<{ last: number; newest: number; some: boolean; moves: boolean }>`
    SELECT f.last_seq AS last, n.newest, EXISTS (${unnumbered({ limit: 1, ids: null })}) AS some,
           ${canMoveOn} AS moves
      FROM event_feed f, (SELECT coalesce(max(e.id), 0) AS newest FROM domain_event e) n`.execute(db);
  const [look] = looks;
  if (!look?.some) {
    if (look?.moves) await db.transaction().execute((tx) => moveOn(tx, look.newest));
    return look?.last ?? 0;
  }
  let { last } = look;
  await sweepBatch({
    db,
    sweep: 'events',
    limit: NUMBERED_AT_ONCE,
    run: (scope) =>
      db.transaction().execute(async (tx) => {
        const numbered = await numberSome(tx, scope);
        await moveOn(tx, look.newest);
        last = numbered.last;
        return numbered.ids;
      }),
    due: async (limit) => {
      const { rows } = await sql<{ id: string }>`
        SELECT e.id::text AS id FROM event_feed f, LATERAL (${unnumbered({ limit, ids: null })}) e`.execute(db);
      return rows.map(({ id }) => id);
    },
  });
  return last;
}

/**
 * SQL: the place of the event with this id, null where it has none. A row of `event_run` holds a run of events whose ids follow
 * each other, as their places do: `events` of them from `event_id` and `seq` on.
 */
export const placeOf = (id: RawBuilder<unknown>): RawBuilder<number | null> =>
  sql`(SELECT CASE WHEN ${id} < run.event_id + run.events THEN run.seq + (${id} - run.event_id) END
      FROM event_run run WHERE run.event_id <= ${id} ORDER BY run.event_id DESC LIMIT 1)`;
const hasNoPlace = sql<boolean>`${placeOf(sql`e.id`)} IS NULL`;

/**
 * The ids of committed events without a place, from the oldest: those from where `f`, the row of `event_feed`, says on, and
 * those before that could not get one.
 */
const unnumbered = (scope: Scope) => {
  const mayGetOne = sql<boolean>`${hasNoPlace} AND ${isNotSetAside('events', sql`e.id::text`)} AND ${inScope(scope, sql`e.id::text`)}`;
  return sql`
  SELECT e.id FROM (
      (SELECT e.id FROM domain_event e WHERE e.id >= f.from_id AND ${mayGetOne} ORDER BY e.id LIMIT ${scope.limit}::int)
      UNION SELECT e.id FROM unnest(f.left_ids) AS left_one (id) JOIN domain_event e ON e.id = left_one.id WHERE ${mayGetOne}) e
   ORDER BY e.id LIMIT ${scope.limit}::int`;
};

async function numberSome(tx: Tx, scope: Scope): Promise<{ readonly last: number; readonly ids: readonly string[] }> {
  const feed = await tx.selectFrom('event_feed').select('last_seq').forUpdate().executeTakeFirstOrThrow();
  // A statement of its own, so that it sees what was committed while this one waited for the row.
  const { rows } = await sql<{ seq: number; id: string }>`
    WITH placed AS MATERIALIZED (
      SELECT f.last_seq + row_number() OVER (ORDER BY e.id) AS seq, e.id FROM event_feed f, LATERAL (${unnumbered(scope)}) e),
    runs AS (INSERT INTO event_run (seq, event_id, events) SELECT min(seq), min(id), count(*) FROM placed GROUP BY id - seq)
    SELECT seq, id::text AS id FROM placed`.execute(tx);
  const last = Math.max(feed.last_seq, ...rows.map(({ seq }) => seq));
  if (rows.length > 0) await tx.updateTable('event_feed').set({ last_seq: last }).execute();
  return { last, ids: rows.map(({ id }) => id) };
}

/**
 * Whether every transaction that may have taken an id below `next_id` has ended. One that is still to come is of another
 * server, from which the rows were restored: none of its transactions goes on.
 */
const isSettled = sql<boolean>`(f.next_xid <= pg_snapshot_xmin(pg_current_snapshot()) OR f.next_xid > pg_snapshot_xmax(pg_current_snapshot()))`;

/** Whether the look for events without a place may begin further on: until it does, each look costs what was numbered last. */
const canMoveOn = sql<boolean>`(${isSettled} AND (f.next_id > f.from_id OR (SELECT max(e.id) FROM domain_event e) >= f.from_id) IS TRUE)`;

/** SQL: whether `numberEvents` has anything to do. */
export const eventsUnnumbered = sql<boolean>`EXISTS (SELECT FROM event_feed f WHERE EXISTS (${unnumbered({ limit: 1, ids: null })}) OR ${canMoveOn})`;

/**
 * Moves the place from which events without one are looked for, so that a look costs what is new, and not what there is: no
 * further than the first event that has no place yet, and than the ids of which every transaction has ended. Events that are
 * noted as failed stay behind in `left_ids`. `newest` is the largest id that was to be seen before this transaction began:
 * who took a smaller one had a number before (the change that makes an event comes first), so a smaller number than ours.
 */
async function moveOn(tx: Tx, newest: number): Promise<void> {
  await tx.selectFrom('event_feed').select('last_seq').forUpdate().execute();
  const isNoted = sql<boolean>`EXISTS (SELECT FROM sweep_failure a WHERE a.sweep = 'events' AND a.row_id = e.id::text)`;
  const from = sql<number>`least(f.next_id, open.first)`;
  // Nobody else changes the row between the two: a statement that locks rows chooses no partitions of events (`inEachPartition`).
  const { rows } = await sql<{ from: number; next: number; left: readonly string[] }>`
    WITH open AS MATERIALIZED (
      SELECT (SELECT e.id FROM domain_event e WHERE e.id >= feed.from_id AND ${hasNoPlace} AND NOT ${isNoted} ORDER BY e.id LIMIT 1) AS first
        FROM event_feed feed)
    SELECT ${from} AS "from", greatest(${newest}::bigint + 1, ${from}) AS next,
           ARRAY(SELECT e.id::text FROM unnest(f.left_ids) AS left_one (id) JOIN domain_event e ON e.id = left_one.id WHERE ${hasNoPlace}
             UNION SELECT e.id::text FROM domain_event e WHERE e.id >= f.from_id AND e.id < ${from} AND ${hasNoPlace}) AS left
      FROM event_feed f, open WHERE ${isSettled}`.execute(tx);
  const [place] = rows;
  if (!place) return;
  await sql`
    UPDATE event_feed SET from_id = ${place.from}::bigint, next_id = ${place.next}::bigint, next_xid = pg_current_xact_id(),
           left_ids = ${place.left}::text[]::bigint[]`.execute(tx);
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
  await assertKept(db, after, newest);
  // Where types are chosen, few may fit: a consumer is told how far was looked, and nobody reads years in one request.
  const until = filter.types?.length ? Math.min(newest, after + LOOKED_AT_ONCE) : newest;
  const rows = await matching(db, filter, { from: after + 1, until, limit: limit + 1 });
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

/** Places from `from` to `until`, and how many events of them at the most. */
export interface Span {
  readonly from: number;
  readonly until: number;
  readonly limit: number;
}

/**
 * The numbered events of a filter in the order of their places, the first that fit; a type `noun.*` stands for every event of that
 * noun. The runs of places come first, and the events of each are looked for by their keys; of one stay it is the other way round.
 */
export async function matching(
  db: Db,
  { types = [], reservationId }: EventFilter,
  { from, until, limit }: Span,
): Promise<readonly (Selectable<DomainEventTable> & { readonly seq: number })[]> {
  const isOfType =
    types.length === 0
      ? sql`true`
      : sql`(e.type = ANY(${types}::text[]) OR split_part(e.type, '.', 1) || '.*' = ANY(${types}::text[]))`;
  const events =
    reservationId === undefined
      ? sql`SELECT event.*, run.seq + (event.id - run.event_id) AS seq
        FROM event_run run CROSS JOIN LATERAL (SELECT e.* FROM domain_event e
          WHERE e.id >= run.event_id + greatest(${from}::bigint - run.seq, 0)
            AND e.id < run.event_id + least(${until}::bigint + 1 - run.seq, run.events) AND ${isOfType}
          ORDER BY e.id LIMIT ${limit}::int) event
       WHERE run.seq >= coalesce((SELECT max(r.seq) FROM event_run r WHERE r.seq <= ${from}::bigint), 0) AND run.seq <= ${until}::bigint
       ORDER BY run.seq, event.id LIMIT ${limit}::int`
      : sql`SELECT * FROM (SELECT e.*, ${placeOf(sql`e.id`)} AS seq FROM domain_event e
          WHERE e.reservation_id = ${reservationId} AND ${isOfType} OFFSET 0) event
       WHERE seq >= ${from}::bigint AND seq <= ${until}::bigint ORDER BY seq LIMIT ${limit}::int`;
  const { rows } = await sql<Selectable<DomainEventTable> & { seq: number }>`${events}`.execute(db);
  return rows;
}

/** An event goes with its place, or, with all of its partition, a little before it. */
async function assertKept(db: Db, after: number, newest: number): Promise<void> {
  const [next] = await matching(db, {}, { from: after + 1, until: newest, limit: 1 });
  if (next?.seq === after + 1) return;
  throw new RoomyError('EVENTS_EXPIRED', { details: { oldest: next?.seq ?? null } });
}

const FORGOTTEN_AT_ONCE = 5_000;
/** Of one call; the next one goes on. */
const MAX_ROUNDS = 100;

const firstToKeep = (days: number) => sql`now() - make_interval(days => ${days}::int)`;
/** The first place that some endpoint has not got yet. */
const FIRST_TO_SEND = sql`coalesce((SELECT min(next_seq) FROM webhook_endpoint WHERE status = 'ACTIVE'), 9223372036854775807)`;

/** Ids of events, from `low` on (null: from the first) and before `high`. */
export interface EventRange {
  readonly low: string | null;
  readonly high: string;
}
const within = (id: RawBuilder<unknown>, { low, high }: EventRange) =>
  sql<boolean>`${id} >= ${low ?? '0'}::bigint AND ${id} < ${high}::bigint`;

/** The runs `p` of places that hold ids of a range; the first may begin before it. */
const touches = ({ low, high }: EventRange) =>
  sql<boolean>`p.event_id < ${high}::bigint AND p.event_id + p.events > ${low ?? '0'}::bigint
    AND p.event_id >= coalesce((SELECT max(first.event_id) FROM event_run first WHERE first.event_id <= ${low ?? '0'}::bigint), 0)`;

/**
 * Whether no more events will come into a range, and none of those that are there has to be kept: they are older than so many
 * days, have had their place, and every endpoint has got them.
 */
export async function mayForgetAll(db: Db, range: EventRange, days: number): Promise<boolean> {
  const { rows } = await sql<{ may: boolean }>`
    SELECT f.from_id >= ${range.high}::bigint
       AND NOT EXISTS (SELECT FROM domain_event e WHERE ${within(sql`e.id`, range)} AND e.at >= ${firstToKeep(days)})
       AND NOT EXISTS (SELECT FROM unnest(f.left_ids) AS left_one (id) WHERE ${within(sql`left_one.id`, range)})
       AND NOT EXISTS (SELECT FROM event_run p WHERE ${touches(range)} AND p.seq + p.events > ${FIRST_TO_SEND}) AS may
      FROM event_feed f`.execute(db);
  return rows[0]?.may ?? false;
}

/**
 * Deletes places of such a range, from the oldest, at most so many runs; answers how many. A run that goes on after the range stays
 * with its later events. Who asks for them is told that they have expired.
 */
export async function forgetPlaces(db: Db, range: EventRange, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    DELETE FROM event_run WHERE event_id IN (
      SELECT p.event_id FROM event_run p WHERE ${touches(range)} AND p.event_id + p.events <= ${range.high}::bigint
       ORDER BY p.event_id LIMIT ${batchLimit(limit)})`.execute(db);
  return Number(numAffectedRows ?? 0);
}

/** Deletes events that are older than so many days and that every endpoint has got, with their places; answers how many. */
export async function forgetEvents(db: Db, days: number): Promise<number> {
  const chooseOld = async (limit: number): Promise<readonly string[]> => {
    // Events have an index of their ids only, and the older one has the smaller id, but for the length of a transaction.
    const { rows } = await sql<{ id: string }>`
      SELECT e.id::text AS id
        FROM (SELECT e.id, e.at FROM domain_event e
               WHERE (SELECT first.at FROM domain_event first ORDER BY first.id LIMIT 1) < ${firstToKeep(days)}
                 AND ${isNotSetAside('event-retention', sql`e.id::text`)} ORDER BY e.id LIMIT ${limit}::int) e
       WHERE e.at < ${firstToKeep(days)} AND ${placeOf(sql`e.id`)} < ${FIRST_TO_SEND} ORDER BY e.id`.execute(db);
    return rows.map(({ id }) => id);
  };
  let forgotten = 0;
  const round = () =>
    sweepBatch({
      db,
      sweep: 'event-retention',
      limit: FORGOTTEN_AT_ONCE,
      run: async ({ limit, ids }) => {
        // A statement that locks rows chooses no partitions of events while it runs (`inEachPartition`).
        const chosen = ids ?? (await chooseOld(limit));
        if (chosen.length === 0) return [];
        const gone = await db.transaction().execute((tx) => deleteEvents(tx, chosen));
        forgotten += gone.length;
        return gone;
      },
      due: chooseOld,
    });
  for (let n = 0; n < MAX_ROUNDS && (await round()) === FORGOTTEN_AT_ONCE; n += 1);
  return forgotten;
}

/** A run of places goes with the last of its events. */
async function deleteEvents(tx: Tx, ids: readonly string[]): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    DELETE FROM domain_event WHERE id = ANY (${ids}::bigint[]) RETURNING id::text AS id`.execute(tx);
  const { rows: runs } = await sql<{ id: string }>`
    SELECT run.event_id::text AS id FROM (SELECT DISTINCT (SELECT p.event_id FROM event_run p WHERE p.event_id <= gone.id
        ORDER BY p.event_id DESC LIMIT 1) AS event_id FROM unnest(${ids}::bigint[]) AS gone (id)) first
      JOIN event_run run ON run.event_id = first.event_id
     WHERE (SELECT e.id FROM domain_event e WHERE e.id >= run.event_id AND e.id < run.event_id + run.events ORDER BY e.id LIMIT 1) IS NULL`.execute(
    tx,
  );
  await sql`DELETE FROM event_run WHERE event_id = ANY (${runs.map(({ id }) => id)}::bigint[])`.execute(tx);
  return rows.map(({ id }) => id);
}
