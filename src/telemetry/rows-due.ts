import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../db/client.ts';
import { batchLimit, literal } from '../db/literal.ts';
import type { SystemReader } from '../domain/incidents/overview.ts';
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

interface Due {
  readonly kind: DueKindName;
  readonly n: number;
  readonly oldest: number | null;
}
/** Depth and oldest age of every kind, in one statement. */
async function readDue(db: Db): Promise<readonly Due[]> {
  const parts = DUE_KINDS.map(statementOf);
  const { rows } = await sql<Due>`${sql.join(parts, sql` UNION ALL `)}`.execute(db);
  return rows;
}

/** The same for metrics. */
export async function rowsDue(db: Db): Promise<readonly Sample[]> {
  return (await readDue(db)).flatMap(({ kind, n, oldest }) => [
    sample('roomy_due_rows', n, { kind }),
    ...(dueKind(kind).since ? [sample('roomy_due_oldest_seconds', Math.max(0, oldest ?? 0), { kind })] : []),
  ]);
}

/** The same for people. */
export const dueReader =
  (db: Db): SystemReader['due'] =>
  async () =>
    (await readDue(db)).map(({ kind, n, oldest }) => {
      const { what, lateAfterMinutes } = dueKind(kind);
      return { what, count: n, oldestSeconds: oldest === null ? null : Math.max(0, oldest), lateAfterMinutes };
    });
