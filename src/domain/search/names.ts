import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { isGuestOf, isOwnerOf, isStaffOf } from '../people/reach.ts';
import { isHeldBy } from '../properties/portfolio.ts';
import { type Asked, cut, type Found, hitOf, idsOf, NOTHING, ofProperty, type Scope } from './hits.ts';

/**
 * People and places by the beginning of a word of their name, an address or a number, or by their id. The prefix is a range: a pattern
 * that is a parameter has no index in a plan that is made without it.
 */

/** No text that begins with the prefix comes after it. */
const LAST = sql`chr(1114111)`;
const TEXT = (typed: string) => sql`search_text(${typed})`;
const ADDRESS = (typed: string) => sql`left(lower(${typed} COLLATE pg_c_utf8), 120)`;

/** The ranges of words that may be meant. */
function ranges({ text, digits }: Asked): readonly RawBuilder<unknown>[] {
  const within = (prefix: RawBuilder<unknown>) =>
    sql`word >= ${prefix} AND word < ${prefix} || ${LAST} AND ${prefix} <> ''`;
  return [
    within(TEXT(text)),
    ...(text.includes('@') || text.includes('.') ? [within(ADDRESS(text))] : []),
    ...(digits === null ? [] : [within(sql`${digits}::text`)]),
  ];
}

interface PersonRow {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly phone: string | null;
}
const ALL_NAMES = 2_000;

/** An agent finds the guests of the portfolio, and whom the agent has added. */
export async function findGuests(db: Db, asked: Asked, { agentId }: Scope): Promise<Found> {
  const many = asked.limit + 1;
  const at = (place: RawBuilder<unknown>, range: RawBuilder<unknown>) =>
    sql`SELECT guest_id AS id FROM guest_word WHERE place = ${place} AND ${range} ORDER BY word, guest_id LIMIT ${many}::int`;
  const placesOf = (range: RawBuilder<unknown>): readonly RawBuilder<unknown>[] => {
    if (asked.propertyId !== undefined) return [at(sql`${`at ${asked.propertyId}`}`, range)];
    if (agentId === null) return [at(sql`''`, range)];
    return [
      sql`SELECT few.id FROM property place CROSS JOIN LATERAL (${at(sql`'at ' || place.id`, range)}) few
           WHERE ${isHeldBy({ agentId }, 'place')}`,
      at(sql`${`by ${agentId}`}`, range),
    ];
  };
  const byId = asked.id === null || asked.propertyId !== undefined ? [] : [sql`SELECT ${asked.id}::text`];
  const { rows } = await sql<PersonRow>`
    SELECT guest.id, guest.name, guest.email, guest.phone FROM guest
     WHERE guest.id = ANY(${idsOf([...ranges(asked).flatMap(placesOf), ...byId])}) AND ${isGuestOf(agentId)}
     ORDER BY guest.name, guest.id LIMIT ${many}::int`.execute(db);
  return cut(rows, asked.limit, personHit('GUEST'));
}

const personHit =
  (kind: 'GUEST' | 'OWNER' | 'STAFF') =>
  ({ id, name, email, phone }: PersonRow) =>
    hitOf({ kind, id, title: name, detail: [email, ...(phone === null ? [] : [phone])].join(' · ') });

const named = (kind: 'PROPERTY' | 'OWNER' | 'STAFF', asked: Asked) =>
  idsOf([
    ...ranges(asked).map(
      (range) => sql`SELECT id FROM name_word WHERE kind = ${literal(kind)} AND ${range} LIMIT ${ALL_NAMES}::int`,
    ),
    ...(asked.id === null ? [] : [sql`SELECT ${asked.id}::text`]),
  ]);

/** An agent finds the owners of the portfolio. */
export async function findOwners(db: Db, asked: Asked, { agentId }: Scope): Promise<Found> {
  if (asked.propertyId !== undefined) return NOTHING;
  const { rows } = await sql<PersonRow>`
    SELECT owner.id, owner.name, owner.email, owner.phone FROM owner
     WHERE owner.id = ANY(${named('OWNER', asked)}) AND ${isOwnerOf(agentId)}
     ORDER BY owner.name, owner.id LIMIT ${asked.limit + 1}::int`.execute(db);
  return cut(rows, asked.limit, personHit('OWNER'));
}

/** An agent finds who can work in the portfolio. */
export async function findStaff(db: Db, asked: Asked, { agentId }: Scope): Promise<Found> {
  if (asked.propertyId !== undefined) return NOTHING;
  const { rows } = await sql<PersonRow & { role: string; active: boolean }>`
    SELECT staff.id, staff.name, staff.email, staff.phone, staff.role, staff.active FROM staff
     WHERE staff.id = ANY(${named('STAFF', asked)}) AND ${isStaffOf(agentId)}
     ORDER BY staff.name, staff.id LIMIT ${asked.limit + 1}::int`.execute(db);
  return cut(rows, asked.limit, (row) => ({
    ...personHit('STAFF')(row),
    state: row.active ? row.role : 'INACTIVE',
  }));
}

/** Those that the holder has. */
export async function findProperties(db: Db, asked: Asked, { holder }: Scope): Promise<Found> {
  const { rows } = await sql<{ id: string; name: string; address: string | null; readiness: string }>`
    SELECT property.id, property.name, property.address, property.readiness FROM property
     WHERE property.id = ANY(${named('PROPERTY', asked)}) AND ${isHeldBy(holder)} AND ${ofProperty('property.id', asked)}
     ORDER BY property.name, property.id LIMIT ${asked.limit + 1}::int`.execute(db);
  return cut(rows, asked.limit, ({ id, name, address, readiness }) =>
    hitOf({ kind: 'PROPERTY', id, title: name, detail: address, state: readiness, propertyId: id }),
  );
}
