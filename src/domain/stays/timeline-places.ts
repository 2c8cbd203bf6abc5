import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import type { Page, PageRequest, Position } from '../paging.ts';

/**
 * The places of a timeline: which records happened when, oldest first, from several sources that are read as one list. A source gives
 * one kind of entries; of each no more rows are taken than a page has, and of these the oldest are the page.
 */

/** In the order in which entries of one instant stand: what causes others comes first. An event stands where its transaction began, a moment before what made it was done. */
export const TIMELINE_KINDS = [
  'request',
  'saga',
  'step',
  'outcome',
  'reservation',
  'state',
  'task',
  'transaction',
  'payment',
  'approval',
  'access',
  'message',
  'event',
  'change',
] as const;
export type TimelineKind = (typeof TIMELINE_KINDS)[number];

/** An entry by its name in the list: no two have both in common. */
export interface EntryName {
  readonly kind: TimelineKind;
  readonly id: string;
}
export interface Place extends EntryName {
  /** ISO 8601 in UTC, with microseconds: such texts compare as the instants do. */
  readonly at: string;
}

export interface TimelineSource {
  readonly kind: TimelineKind;
  /** A query of `at`, an instant, and `id`, a text that is unique in it. Of each property of the agent, where there is one. */
  readonly rows: RawBuilder<unknown>;
  /** The rows are those of one property, `place.id`, and each of this agent's is asked for. */
  readonly ofAgent?: string | null;
}
export interface TimelineSources {
  /** Common table expressions that the sources read, `WITH` included; may be empty. */
  readonly common: RawBuilder<unknown>;
  readonly sources: readonly TimelineSource[];
}

/** A page of the places, oldest first. */
export async function readPlaces(
  db: Db,
  { common, sources }: TimelineSources,
  { after, limit }: PageRequest,
): Promise<Page<Place>> {
  if (sources.length === 0) return { items: [], next: null };
  const few = sources.map((source) => firstOf(source, after, limit + 1));
  const { rows } = await sql<Place>`${common}
    SELECT to_char(p.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, p.kind, p.id
      FROM (${sql.join(few, sql` UNION ALL `)}) p ORDER BY p.at, p.rank, p.id LIMIT ${limit + 1}::int`.execute(db);
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return { items, next: last ? positionOf(last) : null };
}

/** Those of the names that are in the list. */
export async function namesInList(
  db: Db,
  { common, sources }: TimelineSources,
  names: readonly EntryName[],
): Promise<readonly EntryName[]> {
  const asked = sources.flatMap((source) => {
    const ids = [...new Set(names.filter(({ kind }) => kind === source.kind).map(({ id }) => id))];
    if (ids.length === 0) return [];
    const known = sql`SELECT a.id FROM (${source.rows}) a WHERE a.id = ANY(${ids}::text[])`;
    return [sql`(SELECT ${source.kind}::text AS kind, f.id FROM (${eachPlace(source, known)}) f)`];
  });
  if (asked.length === 0) return [];
  const { rows } = await sql<EntryName>`${common} ${sql.join(asked, sql` UNION ALL `)}`.execute(db);
  return rows;
}

function firstOf(source: TimelineSource, after: Position | null, limit: number): RawBuilder<unknown> {
  const first = sql`SELECT a.at, a.id FROM (${source.rows}) a WHERE ${isBeyond(source.kind, after)} ORDER BY a.at, a.id LIMIT ${limit}::int`;
  return sql`(SELECT f.at, ${rankOf(source.kind)}::int AS rank, ${source.kind}::text AS kind, f.id
    FROM (${eachPlace(source, first)}) f ORDER BY f.at, f.id LIMIT ${limit}::int)`;
}

/** A condition on each row of a list would read everybody's history to find the few rows that are an agent's. */
const eachPlace = ({ ofAgent }: TimelineSource, rows: RawBuilder<unknown>): RawBuilder<unknown> =>
  typeof ofAgent === 'string'
    ? sql`SELECT own.* FROM property place CROSS JOIN LATERAL (${rows}) own WHERE ${ofAgent}::text = ANY(place.agent_ids)`
    : rows;

/** Whether row `a` of a kind stands after a place. */
function isBeyond(kind: TimelineKind, after: Position | null): RawBuilder<SqlBool> {
  if (after === null) return sql`true`;
  const place = placeOf(after);
  const at = sql`${place.at}::timestamptz`;
  const [own, other] = [rankOf(kind), rankOf(place.kind)];
  if (own === other) return sql`(a.at, a.id) > (${at}, ${place.id}::text)`;
  return own > other ? sql`a.at >= ${at}` : sql`a.at > ${at}`;
}

const rankOf = (kind: TimelineKind): number => TIMELINE_KINDS.indexOf(kind);

const positionOf = ({ at, kind, id }: Place): Position => ({ at, id: `${kind} ${id}` });

/** A cursor opens only as it was sealed, so it names a kind; one of an earlier build may be gone by now, and begins with the instant. */
function placeOf({ at, id }: Position): Place {
  const space = id.indexOf(' ');
  const kind = TIMELINE_KINDS.find((known) => known === id.slice(0, space)) ?? 'request';
  return { at, kind, id: id.slice(space + 1) };
}
