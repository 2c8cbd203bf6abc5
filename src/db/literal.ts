import { type RawBuilder, sql } from 'kysely';

/**
 * Constants of the code as literals of a statement. Statements are planned once, without their parameters (`client.ts`),
 * so the planner cannot see that `status = $1` implies the predicate of an index that is partial on `status`, and reads
 * the whole table. A constant that is compared with such a column therefore belongs into the statement's text.
 *
 * Only constants: the type parameter refuses `string` and `number`, so no value that came from outside as one can be
 * passed. A member of a closed union may be a filter that was validated against it: as many statements as members.
 */
type Constant<T> = string extends T ? never : number extends T ? never : unknown;
type Primitive = string | number | boolean;

/** What a constant of this code looks like: a name, a flag or a number. */
const HARMLESS = /^[A-Za-z0-9_.:-]+$/;

/** Throws a `TypeError` for what no constant looks like, should a cast have passed the types by. */
export function literal<const T extends Primitive>(value: T & Constant<T>): RawBuilder<T> {
  if (!HARMLESS.test(String(value))) throw new TypeError('not a constant of the code');
  return sql.lit<T>(value);
}

/** For `in` and `not in`. */
export const literals = <const T extends Primitive>(values: readonly (T & Constant<T>)[]): RawBuilder<T>[] =>
  values.map((value) => literal<T>(value));

const MAX_LIMIT = 10_000;

/**
 * The size of a sweep's batch, for `limit`. As a parameter it would be unknown to the plan, which is made for a tenth of all
 * rows then. There are few sizes, and so few texts. Throws a `TypeError` for what is no size of a batch.
 */
export function batchLimit(rows: number): RawBuilder<number> {
  if (!Number.isSafeInteger(rows) || rows < 0 || rows > MAX_LIMIT) throw new TypeError('not the size of a batch');
  return sql.lit(rows);
}
