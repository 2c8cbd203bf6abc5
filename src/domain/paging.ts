import { type RawBuilder, sql } from 'kysely';

/** A place in a list that runs from newest to oldest. */
export interface Position {
  /** Postgres's own text of the instant: a JavaScript date would lose the microseconds, and with them rows. */
  readonly at: string;
  readonly id: string;
}
export interface PageRequest {
  readonly after: Position | null;
  readonly limit: number;
}
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: Position | null;
}

/** The instant of a row as a `Position` needs it. */
export const exactInstant = (column: string): RawBuilder<string> => sql<string>`${sql.ref(column)}::text`;

/** Rows after a position; new rows come before every position, so a walk meets each row once however many are added. */
export const isAfter = (atColumn: string, idColumn: string, after: Position): RawBuilder<boolean> =>
  sql<boolean>`(${sql.ref(atColumn)}, ${sql.ref(idColumn)}) < (${after.at}::timestamptz, ${after.id}::text)`;

/** Takes one row more than `limit` to know whether there is a next page. */
export function cutPage<Row extends { readonly id: string; readonly position_at: string }, View>(
  rows: readonly Row[],
  limit: number,
  view: (row: Row) => View,
): Page<View> {
  const kept = rows.slice(0, limit);
  const last = rows.length > limit ? kept.at(-1) : undefined;
  return { items: kept.map(view), next: last ? { at: last.position_at, id: last.id } : null };
}
