import { sql } from 'kysely';
import type { Tx } from '../../db/client.ts';
import type { RangedTable } from './integrity-checks.ts';

/** Ids greater than `after`, up to and including `until`. */
export interface Range {
  readonly after: string;
  readonly until: string;
}

/** Ids of one statement; with the rows that belong to each it stays far below the time limit of a statement. */
export const IDS_AT_ONCE = 2_000;

/** A table's ids, in ranges that together hold every one of them; the last may be short. */
export async function rangesOf(tx: Tx, table: RangedTable): Promise<readonly Range[]> {
  const ranges: Range[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const until: string | null = await rangeEnd(tx, table, after);
    if (until !== null) ranges.push({ after, until });
    after = until;
  }
  return ranges;
}

/** Null: no id is left. */
async function rangeEnd(tx: Tx, table: RangedTable, after: string): Promise<string | null> {
  const { rows } = await sql<{ until: string | null }>`
    SELECT max(id) AS until FROM (SELECT id FROM ${sql.table(table)} WHERE id > ${after} ORDER BY id LIMIT ${IDS_AT_ONCE}::int) few`.execute(
    tx,
  );
  return rows[0]?.until ?? null;
}
