import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';

const PRUNED_AT_ONCE = 5_000;

/**
 * Deletes Idempotency-Keys that are 30 days old, those of sagas 30 days after their end and never before (guarantees.md
 * 2.6); answers how many. A bounded number at a time: the next run goes on.
 */
export async function pruneKeys(db: Db): Promise<number> {
  const { numAffectedRows } = await sql`
    DELETE FROM idempotency_key WHERE (principal, key) IN (
      SELECT k.principal, k.key FROM idempotency_key k LEFT JOIN saga s ON s.id = k.saga_id
       WHERE k.created_at < now() - interval '30 days'
         AND (k.saga_id IS NULL OR s.finished_at < now() - interval '30 days')
       ORDER BY k.created_at LIMIT ${PRUNED_AT_ONCE}::int)`.execute(db);
  return Number(numAffectedRows ?? 0n);
}
