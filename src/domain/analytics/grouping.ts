import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { type Holder, isHeldBy } from '../properties/portfolio.ts';

/** Figures of a period, as a whole and by group: each metric names its rows and its sums, and this makes the statement. */

/** What every metric is asked with. */
export interface Asked {
  /** ISO instants; from inclusive, to exclusive. */
  readonly from: string;
  readonly to: string;
  readonly propertyId: string | undefined;
  /** Whose properties the reader sees. */
  readonly holder: Holder;
  /** IANA zone whose days and months the groups are. */
  readonly zone: string;
}

/** A group's figures; `key`: a day, a month, an id or a code, or null for what has none. */
export type Group<Figures> = { readonly key: string | null } & Figures;
export interface Measured<Figures> {
  readonly total: Figures;
  /** In the order of their keys; the first thousand. */
  readonly groups: readonly Group<Figures>[];
}

const MAX_GROUPS = 1_000;

/**
 * `rows`: a SELECT of the rows that count, each with its group as `key`, a text. `figures`: the sums over them, by name, as the statement
 * answers them. The whole is one more set of the same statement, so that it never disagrees with its parts.
 */
export async function measured<Figures>(
  db: Db,
  rows: RawBuilder<unknown>,
  figures: RawBuilder<unknown>,
): Promise<Measured<Figures>> {
  const { rows: found } = await sql<{ readonly whole: boolean } & Group<Figures>>`
    WITH counted AS MATERIALIZED (${rows})
    SELECT GROUPING(key) = 1 AS whole, key, ${figures} FROM counted
     GROUP BY GROUPING SETS ((), (key)) ORDER BY whole DESC, key LIMIT ${MAX_GROUPS + 1}::int`.execute(db);
  const [total, ...groups] = found.map(({ whole: _whole, ...group }) => group);
  if (!total) throw new Error('a statement without its whole');
  const { key: _key, ...sums } = total;
  return { total: sums as unknown as Figures, groups: groups as readonly Group<Figures>[] };
}

/** The groups that metrics have in common. `at`: the instant of a row; `propertyId`: its property. */
export const commonGroups = (
  at: RawBuilder<unknown>,
  propertyId: RawBuilder<unknown>,
  zone: string,
): Readonly<Record<CommonGroup, RawBuilder<unknown>>> => ({
  day: sql`to_char(${at} AT TIME ZONE ${zone}, 'YYYY-MM-DD')`,
  month: sql`to_char(${at} AT TIME ZONE ${zone}, 'YYYY-MM')`,
  property: propertyId,
});
export const COMMON_GROUPS = ['day', 'month', 'property'] as const;
export type CommonGroup = (typeof COMMON_GROUPS)[number];

/** The key of rows that are not grouped. */
export const ungrouped: RawBuilder<unknown> = sql`NULL::text`;

/** Of the property that is asked for, named `p`, and of the reader's. */
export const seenAt = ({ propertyId, holder }: Asked): RawBuilder<unknown> =>
  propertyId === undefined ? isHeldBy(holder, 'p') : sql`p.id = ${propertyId} AND ${isHeldBy(holder, 'p')}`;

/** `column` lies in the period. */
export const within = (column: RawBuilder<unknown>, { from, to }: Asked): RawBuilder<unknown> =>
  sql`${column} >= ${from}::timestamptz AND ${column} < ${to}::timestamptz`;

/** A part of a whole, as a number of four digits; null: of nothing. */
export const rateOf = (part: RawBuilder<unknown>, whole: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`round(${part}::numeric / nullif(${whole}, 0), 4)::float8`;
