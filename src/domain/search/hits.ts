import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Holder } from '../properties/portfolio.ts';

/** What a search is asked, and what it finds. */

/** In the order in which they are answered. */
export const SEARCH_KINDS = [
  'RESERVATION',
  'GUEST',
  'PROPERTY',
  'OWNER',
  'STAFF',
  'SAGA',
  'TRANSACTION',
  'PAYMENT',
  'TASK',
  'MESSAGE',
  'INCIDENT',
  'REQUEST',
  'TEXT',
] as const;
export type SearchKind = (typeof SEARCH_KINDS)[number];

/** The readings of the typed text: as an id, a code, a day, or the beginning of a word. */
export interface Wanted {
  readonly text: string;
  /** It may be an id, a reference, a code or whoever acts: it has no blank. Null: it cannot. */
  readonly id: string | null;
  /** As a code, in the spellings that codes have. */
  readonly codes: readonly string[];
  /** As a number to call, without the noughts before it. */
  readonly digits: string | null;
  /** As a day, with its ends on the clock of whoever asks. */
  readonly day: { readonly date: string; readonly from: string; readonly to: string } | null;
}

export interface Asked extends Wanted {
  /** ISO instants: from inclusive, to exclusive. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** On whose clock the ends of the period fall on a day of a stay. */
  readonly zone: string;
  /** Only what is of this property; the reader may see it. */
  readonly propertyId?: string | undefined;
  /** Hits of one kind, at the most. */
  readonly limit: number;
}

/** Whose records the reader sees. */
export interface Scope {
  readonly holder: Holder;
  /** An agent's portfolio; null: all. */
  readonly agentId: string | null;
}

export interface Hit {
  readonly kind: SearchKind;
  readonly id: string;
  /** What to call it: a name, a type, a code. */
  readonly title: string;
  /** One thing more about it: an address, a reference, an error, who did it. */
  readonly detail: string | null;
  readonly state: string | null;
  /** ISO instant. */
  readonly at: string | null;
  readonly reservationId: string | null;
  readonly propertyId: string | null;
  /** Of a stay. */
  readonly checkInDate: string | null;
  readonly checkOutDate: string | null;
  /** Of money, in major units. */
  readonly amount: number | null;
  readonly currency: string | null;
}
const NOTHING_MORE = {
  detail: null,
  state: null,
  at: null,
  reservationId: null,
  propertyId: null,
  checkInDate: null,
  checkOutDate: null,
  amount: null,
  currency: null,
};
/** A hit without what its kind does not have. */
export const hitOf = (hit: Pick<Hit, 'kind' | 'id' | 'title'> & Partial<Hit>): Hit => ({ ...NOTHING_MORE, ...hit });

export interface Found<Row = Hit> {
  readonly hits: readonly Row[];
  readonly hasMore: boolean;
}
export const NOTHING: Found<never> = { hits: [], hasMore: false };

/** One row more than `limit` was asked for. */
export const cut = <Row, Shown>(rows: readonly Row[], limit: number, show: (row: Row) => Shown): Found<Shown> => ({
  hits: rows.slice(0, limit).map(show),
  hasMore: rows.length > limit,
});

/**
 * Of what has no index for the part that the reader sees, so many of the newest are looked through: what everybody did is not read to
 * find the little that is of one portfolio.
 */
export const LOOKED_AT = 500;

/** The ids of all these statements together, each of which has a bound and an index of its own. */
export const idsOf = (statements: readonly RawBuilder<unknown>[]): RawBuilder<SqlBool> =>
  statements.length === 0
    ? sql`NULL::text[]`
    : sql`ARRAY(${sql.join(
        statements.map((statement) => sql`(${statement})`),
        sql` UNION `,
      )})`;

/** Whether a moment lies in the period that is asked for. */
export function inPeriod(column: string, { from, to }: Pick<Asked, 'from' | 'to'>): RawBuilder<SqlBool> {
  const at = sql.ref(column);
  return sql`${from === undefined ? sql`true` : sql`${at} >= ${from}::timestamptz`} AND ${to === undefined ? sql`true` : sql`${at} < ${to}::timestamptz`}`;
}

/** Of the property that is asked for. */
export const ofProperty = (column: string, { propertyId }: Pick<Asked, 'propertyId'>): RawBuilder<SqlBool> =>
  propertyId === undefined ? sql`true` : sql`${sql.ref(column)} = ${propertyId}`;
