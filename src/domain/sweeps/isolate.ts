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
  /** `run` itself forgets the failures of what it has done, in its own transaction. */
  readonly forgets?: boolean;
}

/** Answers how many rows were looked at. Throws when the database is away or the statement itself is wrong. */
export async function sweepBatch({ db, sweep, limit, run, due, forgets = false }: BatchSweep): Promise<number> {
  const forget = (ids: readonly string[]) => forgetFailures(db, sweep, forgets ? [] : ids);
  const once = (scope: Scope) => retryContention(() => run(scope));
  try {
    const done = await once({ limit, ids: null });
    await forget(done);
    return done.length;
  } catch (error) {
    if (blameOf(error) === 'nobody') throw error;
  }
  const ids = await due(limit);
  const done: string[] = [];
  const failures = await byHalves(ids, async (some) => {
    done.push(...(await once({ limit, ids: some })));
  });
  await forget(done);
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
 * fails with, in order. `work` leaves nothing behind when it throws, or may be done again. Throws what can be the fault of
 * the statement as well as of a row when it fails with every one of them, of `outOf` where the others are through already.
 */
export async function byHalves<T>(
  items: readonly T[],
  work: (some: readonly T[]) => Promise<void>,
  outOf = items.length,
): Promise<readonly ItemFailure<T>[]> {
  const failures: ItemFailure<T>[] = [];
  await halve(items, work, failures, { hasDone: outOf > items.length, waited: 0 });
  throwIfOfAll(outOf, failures);
  return failures;
}

interface ItemFailure<T> {
  readonly item: T;
  readonly error: unknown;
}

/** So many rows on end that cannot be had at all are a table that is locked: each costs the time limit of a lock. */
const MAX_WAITED = 3;

async function halve<T>(
  items: readonly T[],
  work: (some: readonly T[]) => Promise<void>,
  failures: ItemFailure<T>[],
  seen: { hasDone: boolean; waited: number },
): Promise<void> {
  if (items.length === 0) return;
  try {
    await work(items);
    seen.hasDone = true;
    return;
  } catch (error) {
    if (blameOf(error) === 'nobody') throw error;
    const [item] = items;
    if (items.length === 1 && item !== undefined) {
      failures.push({ item, error });
      if (classifyDbError(error).kind === 'contention') seen.waited += 1;
      if (!seen.hasDone && seen.waited >= MAX_WAITED) throw error;
      return;
    }
  }
  const middle = Math.ceil(items.length / 2);
  await halve(items.slice(0, middle), work, failures, seen);
  await halve(items.slice(middle), work, failures, seen);
}

/** What fails with every single one may be the statement's own fault; nobody is set aside for that. */
function throwIfOfAll(count: number, failures: readonly { readonly error: unknown }[]): void {
  if (failures.length < count) return;
  const doubtful = failures.find(({ error }) => blameOf(error) === 'row or statement');
  if (doubtful) throw doubtful.error;
}

export interface EachRow<T> {
  readonly id: (item: T) => string;
  readonly work: (item: T) => Promise<unknown>;
  /** So many at once. */
  readonly lanes?: number;
}

/** For rows that are worked on one by one, and not in a batch: what fails is recorded, and costs none of the others; answers which were done. */
export async function attemptEach<T>(
  db: Db,
  sweep: SweepName,
  items: readonly T[],
  { id, work, lanes = 1 }: EachRow<T>,
): Promise<readonly T[]> {
  const done: T[] = [];
  const failures: RowFailure[] = [];
  const attempt = async (item: T): Promise<void> => {
    try {
      await work(item);
      done.push(item);
    } catch (error) {
      if (blameOf(error) === 'nobody') throw error;
      failures.push({ id: id(item), error });
    }
  };
  const left = items.values();
  const lane = async (): Promise<void> => {
    for (const item of left) await attempt(item);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
  throwIfOfAll(items.length, failures);
  await forgetFailures(db, sweep, done.map(id));
  await recordFailures(db, sweep, failures);
  return done;
}

/**
 * Wrong SQL, a table that is not there, a right that is missing: mostly the same for every row, but a trigger of one row
 * may say so too, and one that cannot be read any more (XX001, `missing chunk number 0 for toast value`).
 */
const OF_STATEMENT = /^(?:42|0A|XX|58)/;

/**
 * Whose fault a throw can be: a row's for certain, a row's or the statement's, which the other rows show, or no row's at
 * all: a database that is away, is away for all of them. A lock that was not to be had is one row's or the whole table's.
 */
function blameOf(error: unknown): 'row' | 'row or statement' | 'nobody' {
  const { kind } = classifyDbError(error);
  if (kind === 'unreachable') return 'nobody';
  if (kind === 'contention') return 'row or statement';
  const code = error instanceof Error ? (error as { readonly code?: unknown }).code : undefined;
  return typeof code === 'string' && code.length === 5 && OF_STATEMENT.test(code) ? 'row or statement' : 'row';
}

/** Whether a throw is one row's fault for certain, where there are no others to compare it with. */
export const isOfRow = (error: unknown): boolean => blameOf(error) === 'row';

/** Whether it can be one row's fault. */
export const canBeOfRow = (error: unknown): boolean => blameOf(error) !== 'nobody';
