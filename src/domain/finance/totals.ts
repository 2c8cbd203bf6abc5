import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../db/client.ts';

/**
 * Sums of all ledger entries, by kind of account, owner, currency, purpose and kind of journal (migration 0020). They are
 * kept by a trigger in the transaction that posts, so they equal the ledger in every snapshot, and cost the same after
 * years; `ledger_part` is what has been posted since the last sweep.
 */
export const LEDGER_TOTALS: RawBuilder<unknown> = sql`(SELECT account_kind, party_id, currency, purpose, kind, amount FROM ledger_total
  UNION ALL SELECT account_kind, party_id, currency, purpose, kind, amount FROM ledger_part)`;

const PARTS_AT_ONCE = 5_000;

/** Adds parts to their totals and answers how many they were. Safe in any number of workers at once. */
export async function addUpLedger(db: Db): Promise<number> {
  const { rows } = await sql<{ parts: number }>`
    WITH taken AS (DELETE FROM ledger_part WHERE id IN (SELECT id FROM ledger_part ORDER BY id LIMIT ${PARTS_AT_ONCE}::int FOR UPDATE SKIP LOCKED)
      RETURNING account_kind, party_id, currency, purpose, kind, amount),
    added AS (INSERT INTO ledger_total AS t (account_kind, party_id, currency, purpose, kind, amount)
      SELECT account_kind, party_id, currency, purpose, kind, sum(amount) FROM taken
       GROUP BY account_kind, party_id, currency, purpose, kind ORDER BY account_kind, party_id, currency, purpose, kind
      ON CONFLICT (account_kind, party_id, currency, purpose, kind) DO UPDATE SET amount = t.amount + excluded.amount)
    SELECT count(*)::int AS parts FROM taken`.execute(db);
  return rows[0]?.parts ?? 0;
}
