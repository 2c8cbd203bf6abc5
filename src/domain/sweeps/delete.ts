import { type RawBuilder, sql } from 'kysely';
import { type BatchSweep, type Scope, sweepBatch } from './isolate.ts';

export interface DeletingSweep extends Pick<BatchSweep, 'db' | 'sweep' | 'limit'> {
  /** The rows to be deleted within the scope, each with its `id` as text. */
  readonly old: (scope: Scope) => RawBuilder<{ readonly id: string }>;
  /** The statement that deletes the rows of `old` and returns their `id`. */
  readonly remove: (old: RawBuilder<unknown>) => RawBuilder<{ readonly id: string }>;
}

/** Deletes one batch, as `sweepBatch` does its work; answers how many rows went. */
export async function sweepDelete({ db, sweep, limit, old, remove }: DeletingSweep): Promise<number> {
  let deleted = 0;
  const idsOf = async (query: RawBuilder<{ readonly id: string }>): Promise<readonly string[]> =>
    (await query.execute(db)).rows.map(({ id }) => id);
  await sweepBatch({
    db,
    sweep,
    limit,
    run: async (scope) => {
      const ids = await idsOf(remove(sql`(${old(scope)})`));
      deleted += ids.length;
      return ids;
    },
    due: (some) => idsOf(old({ limit: some, ids: null })),
  });
  return deleted;
}
