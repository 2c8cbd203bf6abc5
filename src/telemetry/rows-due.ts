import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../db/client.ts';
import { batchLimit, literal } from '../db/literal.ts';
import { type Sample, sample } from '../kernel/telemetry/measure.ts';
import { DUE_KINDS, type DueKindName, dueKind } from '../queues/due-rows.ts';

/** How much work waits in Postgres, and since when: by the very conditions by which the sweeps find it. */

/** More are not counted. */
const MAX_ROWS = 10_000;

function statementOf(kind: DueKindName): RawBuilder<unknown> {
  const { rows, since } = dueKind(kind);
  return sql`
  SELECT ${literal<DueKindName>(kind)} AS kind, count(*)::int AS n, extract(epoch FROM now() - min(due.at))::float8 AS oldest
    FROM (SELECT ${since ?? sql`NULL::timestamptz`} AS at ${rows} ${since ? sql`ORDER BY ${since}` : sql``} LIMIT ${batchLimit(MAX_ROWS)}) due`;
}

/** Reads depth and oldest age of every kind, in one statement. */
export async function rowsDue(db: Db): Promise<readonly Sample[]> {
  const parts = DUE_KINDS.map(statementOf);
  const { rows } = await sql<{ kind: DueKindName; n: number; oldest: number | null }>`${sql.join(
    parts,
    sql` UNION ALL `,
  )}`.execute(db);
  return rows.flatMap(({ kind, n, oldest }) => [
    sample('roomy_due_rows', n, { kind }),
    ...(dueKind(kind).since ? [sample('roomy_due_oldest_seconds', Math.max(0, oldest ?? 0), { kind })] : []),
  ]);
}
