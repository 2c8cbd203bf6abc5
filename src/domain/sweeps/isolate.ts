import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { classifyDbError, retryContention } from '../../db/errors.ts';
import { forgetFailures, type RowFailure, recordFailures } from './failures.ts';
import type { SweepName } from './names.ts';

/**
 * The one way in which sweeps deal with a row that makes them throw: the batch runs as one; only when it throws is it run
 * again by halves, until what fails stands alone. That is recorded and set aside, and everything else is done. While all is
 * well this costs one statement for a batch, and none for a row.
 */

/** What one run of a batch may look at. */
export interface Scope {
  readonly limit: number;
  /** Null: whatever is due. */
  readonly ids: readonly string[] | null;
}

export interface BatchSweep {
  readonly db: Db;
  readonly sweep: SweepName;
  readonly limit: number;
  /** Works on what is due within the scope, all or nothing, and answers which rows it had. May run again after a throw. */
  readonly run: (scope: Scope) => Promise<readonly string[]>;
  /** Which rows are due. Asked after a throw only; it computes nothing that a row could make fail. */
  readonly due: (limit: number) => Promise<readonly string[]>;
}

/** Answers how many rows were looked at. Throws when the database is away or the statement itself is wrong. */
export async function sweepBatch({ db, sweep, limit, run, due }: BatchSweep): Promise<number> {
  const once = (scope: Scope) => retryContention(() => run(scope));
  try {
    const done = await once({ limit, ids: null });
    await forgetFailures(db, sweep, done);
    return done.length;
  } catch (error) {
    if (!isOfRow(error)) throw error;
  }
  const ids = await due(limit);
  const done: string[] = [];
  const failures = await byHalves(ids, async (some) => {
    done.push(...(await once({ limit, ids: some })));
  });
  await forgetFailures(db, sweep, done);
  await recordFailures(
    db,
    sweep,
    failures.map(({ item, error }) => ({ id: item, error })),
  );
  return ids.length;
}

/** Conditions of a sweep's statement: the rows of the scope. `rowId` is text. */
export const inScope = ({ ids }: Scope, rowId: RawBuilder<unknown>): RawBuilder<boolean> =>
  ids === null ? sql<boolean>`true` : sql<boolean>`${rowId} = ANY(${ids}::text[])`;

/**
 * Does `work` with all items at once, and where that throws with each half, down to single ones; answers those that it
 * fails with, in order. `work` leaves nothing behind when it throws, or may be done again.
 */
export async function byHalves<T>(
  items: readonly T[],
  work: (some: readonly T[]) => Promise<void>,
): Promise<readonly { readonly item: T; readonly error: unknown }[]> {
  if (items.length === 0) return [];
  try {
    await work(items);
    return [];
  } catch (error) {
    if (!isOfRow(error)) throw error;
    const [item] = items;
    if (items.length === 1 && item !== undefined) return [{ item, error }];
  }
  const middle = Math.ceil(items.length / 2);
  return [...(await byHalves(items.slice(0, middle), work)), ...(await byHalves(items.slice(middle), work))];
}

/** For rows that are worked on one by one: false when it failed, which is recorded. */
export async function attemptRow(db: Db, sweep: SweepName, id: string, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!isOfRow(error)) throw error;
    await recordFailures(db, sweep, [{ id, error }]);
    return false;
  }
}

/** The same for many, one after the other; answers which were done. */
export async function attemptEach<T>(
  db: Db,
  sweep: SweepName,
  items: readonly T[],
  of: { readonly id: (item: T) => string; readonly work: (item: T) => Promise<unknown> },
): Promise<readonly T[]> {
  const done: T[] = [];
  const failures: RowFailure[] = [];
  for (const item of items) {
    try {
      await of.work(item);
      done.push(item);
    } catch (error) {
      if (!isOfRow(error)) throw error;
      failures.push({ id: of.id(item), error });
    }
  }
  await forgetFailures(db, sweep, done.map(of.id));
  await recordFailures(db, sweep, failures);
  return done;
}

/** Wrong SQL, a table that is not there, a right that is missing: the same for every row. */
const OF_STATEMENT = /^(?:42|0A|XX|58)/;

/** Whether a throw can be one row's fault. A database that is away, or busy, is away for all of them. */
export function isOfRow(error: unknown): boolean {
  const { kind } = classifyDbError(error);
  if (kind === 'unreachable' || kind === 'contention') return false;
  const code = error instanceof Error ? (error as { readonly code?: unknown }).code : undefined;
  return !(typeof code === 'string' && code.length === 5 && OF_STATEMENT.test(code));
}
