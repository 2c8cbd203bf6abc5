import { sql } from 'kysely';
import { createDb, createPool, type Tx } from '../../src/db/client.ts';
import { type InRange, ROW_CHECKS } from '../../src/domain/finance/integrity-checks.ts';
import { rangesOf } from '../../src/domain/finance/integrity-ranges.ts';

/** The statement that read most: its check, and how many blocks. */
export interface Largest {
  readonly check: string;
  readonly blocks: number;
}

/** Tables that the checks of integrity join. */
const JOINED = [
  'transaction',
  'ledger_tx',
  'ledger_entry',
  'ledger_account',
  'payment',
  'reservation',
  'saga',
] as const;

/**
 * A database that has just been restored, or that grows faster than autovacuum looks, has statistics of some tables and
 * none of others, and a plan made from them must not read everything for each row. Each check is asked for its first
 * range of ids while none of the tables has any, and while one alone has.
 */
export async function largestByStatistics(databaseUrl: string): Promise<Readonly<Record<string, Largest>>> {
  const db = createDb(createPool({ connectionString: databaseUrl, max: 1, applicationName: 'history' }));
  const found: Record<string, Largest> = {};
  try {
    for (const analyzed of [null, ...JOINED]) {
      const tx = await db.startTransaction().execute();
      if (analyzed !== null) await sql`ANALYZE ${sql.table(analyzed)}`.execute(tx);
      found[analyzed ?? 'none'] = await largest(tx);
      await tx.rollback().execute();
    }
  } finally {
    await db.destroy();
  }
  return found;
}

async function largest(tx: Tx): Promise<Largest> {
  let most: Largest = { check: 'none', blocks: 0 };
  for (const { name, inRangesOf, differences } of ROW_CHECKS) {
    const [first] = await rangesOf(tx, inRangesOf);
    if (!first) continue;
    const inRange: InRange = (column) =>
      sql`(${sql.ref(column)} > ${first.after} AND ${sql.ref(column)} <= ${first.until})`;
    const { rows } = await sql<{
      'QUERY PLAN': readonly [{ readonly Plan: Readonly<Record<string, number>> }];
    }>`EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ${differences(inRange)}`.execute(tx);
    const { Plan: plan = {} } = rows[0]?.['QUERY PLAN'][0] ?? {};
    const blocks = (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0);
    if (blocks > most.blocks) most = { check: name, blocks };
  }
  return most;
}
