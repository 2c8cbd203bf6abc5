import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { sweepDelete } from '../sweeps/delete.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { inScope } from '../sweeps/isolate.ts';
import { deleteKeys } from './store.ts';

/** Those of sagas, so long after their end. */
export const KEYS_KEPT_DAYS = 30;
const PRUNED_AT_ONCE = 5_000;

/** A caller chose the key, so it is not shown: `SELECT ... WHERE md5(principal || ' ' || key) = ...` finds it. */
const ROW_ID = sql`md5(k.principal || ' ' || k.key)`;

/**
 * Deletes Idempotency-Keys that are 30 days old, those of sagas 30 days after their end and never before (guarantees.md
 * 2.6); answers how many. A bounded number at a time: the next run goes on.
 */
export const pruneKeys = (db: Db): Promise<number> =>
  sweepDelete({
    db,
    sweep: 'idempotency-keys',
    limit: PRUNED_AT_ONCE,
    old: (scope) => sql`
      SELECT k.principal, k.key, ${ROW_ID} AS id FROM idempotency_key k LEFT JOIN saga s ON s.id = k.saga_id
       WHERE k.created_at < now() - ${KEYS_KEPT_DAYS}::int * interval '1 day'
         AND (k.saga_id IS NULL OR s.finished_at < now() - ${KEYS_KEPT_DAYS}::int * interval '1 day')
         AND ${isNotSetAside('idempotency-keys', ROW_ID)} AND ${inScope(scope, ROW_ID)}
       ORDER BY k.created_at LIMIT ${scope.limit}::int`,
    remove: deleteKeys,
  });
