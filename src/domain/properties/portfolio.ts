import { type Expression, type RawBuilder, type SqlBool, sql } from 'kysely';

/** The properties that an agent looks after: the condition goes into the WHERE of every query, never after it (security.md Z1, Z4). */
export const inPortfolio = (propertyId: RawBuilder<unknown>, agentId: string | null): RawBuilder<SqlBool> =>
  agentId === null
    ? sql`true`
    : sql`EXISTS (SELECT FROM property x WHERE x.id = ${propertyId} AND ${agentId}::text = ANY(x.agent_ids))`;

/** Rows of a list with the instant that it is ordered by. */
type Listed = Expression<{ readonly id: string; readonly at: Date }>;

/** Whose properties a reader sees: an agent's portfolio, or an owner's own; null: all. */
export type Holder = { readonly agentId: string } | { readonly ownerId: string } | null;

/** Of a property, or of the name that it has in a query. */
export function isHeldBy(holder: Holder, property = 'property'): RawBuilder<SqlBool> {
  if (holder === null) return sql`true`;
  return 'ownerId' in holder
    ? sql`${sql.ref(`${property}.owner_id`)} = ${holder.ownerId}`
    : sql`${holder.agentId}::text = ANY(${sql.ref(`${property}.agent_ids`)})`;
}

export interface PortfolioPage {
  readonly holder: NonNullable<Holder>;
  /** The rows of one property that fit, newest first, `limit` at the most. */
  readonly at: (propertyId: RawBuilder<string>) => Listed;
  /** Rows that the agent sees wherever they are: the same of them. */
  readonly own?: Listed;
  readonly limit: number;
}

/**
 * The ids of the newest rows of a portfolio, as an array: the newest of each of its properties, by an index of the
 * property, and of these the newest. A condition on each row of a list would read everybody's history to find the
 * few that are an agent's.
 */
export const newestInPortfolio = ({ holder, at, own, limit }: PortfolioPage): RawBuilder<string[]> =>
  sql`ARRAY(SELECT newest.id FROM (
      SELECT few.id, few.at FROM property place CROSS JOIN LATERAL ${at(sql`place.id`)} few WHERE ${isHeldBy(holder, 'place')}
      UNION ${own ?? sql`SELECT NULL::text, NULL::timestamptz WHERE false`}) newest
    ORDER BY newest.at DESC, newest.id DESC LIMIT ${limit}::int)`;

/**
 * The moment of the last row of a page, by the moments alone, for rows whose ids are not in the index of their property: only at
 * rows since then need be looked. `moments`: those of one property's rows that come after the page before for certain, newest
 * first, `limit` at the most. Where there are fewer than `limit` in all: before everything.
 */
export const momentOfLast = ({
  holder,
  moments,
  limit,
}: {
  readonly holder: NonNullable<Holder>;
  readonly moments: (propertyId: RawBuilder<string>) => Expression<{ readonly at: Date }>;
  readonly limit: number;
}): RawBuilder<Date> =>
  sql`(SELECT CASE WHEN count(*) = ${limit}::int THEN min(newest.at) ELSE '-infinity' END FROM (
      SELECT few.at FROM property place CROSS JOIN LATERAL ${moments(sql`place.id`)} few WHERE ${isHeldBy(holder, 'place')}
       ORDER BY few.at DESC LIMIT ${limit}::int) newest)`;

/** A statement for `rows` of each property of a portfolio: its columns are theirs. */
export const eachInPortfolio = (
  agentId: string,
  rows: (propertyId: RawBuilder<string>) => Expression<unknown>,
): RawBuilder<unknown> =>
  sql`SELECT few.* FROM property place CROSS JOIN LATERAL ${rows(sql`place.id`)} few WHERE ${agentId}::text = ANY(place.agent_ids)`;
