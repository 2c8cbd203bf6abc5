import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { inScope, type Scope, sweepBatch } from '../sweeps/isolate.ts';

/**
 * Sums of all ledger entries, by kind of account, owner, currency, purpose and kind of journal (migration 0020). They are
 * kept by a trigger in the transaction that posts, so they equal the ledger in every snapshot, and cost the same after
 * years; `ledger_part` has the postings since the last sweep.
 */
export const LEDGER_TOTALS: RawBuilder<unknown> = sql`(SELECT account_kind, party_id, currency, purpose, kind, amount FROM ledger_total
  UNION ALL SELECT account_kind, party_id, currency, purpose, kind, amount FROM ledger_part)`;

/**
 * The same sums by the property of the stay and the owner of the transaction, '' where there is none (migration 0049). Of a
 * stay that was given another property they are at the new one, as its journals are.
 */
export const PROPERTY_TOTALS: RawBuilder<unknown> = sql`(SELECT property_id, owner_id, account_kind, party_id, currency, purpose, kind, amount FROM ledger_property_total
  UNION ALL SELECT property_id, owner_id, account_kind, party_id, currency, purpose, kind, amount FROM ledger_part)`;

const PARTS_AT_ONCE = 5_000;

/** Adds parts to their totals and answers how many they were. Safe in any number of workers at once. */
export const addUpLedger = (db: Db): Promise<number> =>
  sweepBatch({
    db,
    sweep: 'totals',
    limit: PARTS_AT_ONCE,
    run: (scope) => addUp(db, scope),
    due: async (limit) => {
      const { rows } = await sql<{ id: string }>`
        SELECT x.id::text AS id FROM ledger_part x WHERE ${isDue} ORDER BY x.id LIMIT ${limit}::int`.execute(db);
      return rows.map(({ id }) => id);
    },
  });

/** A part that cannot be added stays one, and counts all the same. */
const isDue = isNotSetAside('totals', sql`x.id::text`);

async function addUp(db: Db, scope: Scope): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    WITH taken AS (DELETE FROM ledger_part WHERE id IN (SELECT x.id FROM ledger_part x WHERE ${isDue} AND ${inScope(scope, sql`x.id::text`)}
        ORDER BY x.id LIMIT ${scope.limit}::int FOR UPDATE SKIP LOCKED)
      RETURNING id, property_id, owner_id, account_kind, party_id, currency, purpose, kind, amount),
    added AS (INSERT INTO ledger_total AS t (account_kind, party_id, currency, purpose, kind, amount)
      SELECT account_kind, party_id, currency, purpose, kind, sum(amount) FROM taken
       GROUP BY account_kind, party_id, currency, purpose, kind ORDER BY account_kind, party_id, currency, purpose, kind
      ON CONFLICT (account_kind, party_id, currency, purpose, kind) DO UPDATE SET amount = t.amount + excluded.amount),
    placed AS (INSERT INTO ledger_property_total AS t (property_id, owner_id, account_kind, party_id, currency, purpose, kind, amount)
      SELECT property_id, owner_id, account_kind, party_id, currency, purpose, kind, sum(amount) FROM taken
       GROUP BY property_id, owner_id, account_kind, party_id, currency, purpose, kind
       ORDER BY property_id, owner_id, account_kind, party_id, currency, purpose, kind
      ON CONFLICT (property_id, owner_id, account_kind, party_id, currency, purpose, kind) DO UPDATE SET amount = t.amount + excluded.amount)
    SELECT id::text AS id FROM taken`.execute(db);
  return rows.map(({ id }) => id);
}
