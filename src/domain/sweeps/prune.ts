import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import { sweepDelete } from './delete.ts';
import { deleteFailures, isNotSetAside } from './failures.ts';
import { inScope } from './isolate.ts';

const PRUNED_AT_ONCE = 1_000;
/** A row that is still due is tried again every six hours at the latest, which moves `last_at`. */
const UNTRIED_DAYS = 2;
/** A message that was lost can be sent again for so long (`notifications/resend-lost.ts`). */
export const LOST_DAYS = 30;

const ROW_ID = sql`f.sweep || ':' || f.row_id`;
/** Ended, and neither sent again nor too old for it: an operator may still ask for that. */
const IS_LOST_MESSAGE = sql`(f.sweep = ${literal('messages')} AND f.last_at > now() - ${LOST_DAYS}::int * interval '1 day'
  AND EXISTS (SELECT FROM notification n WHERE n.id = f.row_id AND n.status = 'FAILED'
    AND NOT EXISTS (SELECT FROM notification a WHERE a.resend_of = n.id)))`;

/**
 * Forgets rows that their sweep has not come back to: they are gone, or done in another way. Should the sweep itself have
 * stood still, a row that fails again is noted anew. Answers how many; a bounded number at a time: the next run goes on.
 */
export const pruneFailures = (db: Db): Promise<number> =>
  sweepDelete({
    db,
    sweep: 'failures',
    limit: PRUNED_AT_ONCE,
    old: (scope) => sql`
      SELECT f.sweep, f.row_id, ${ROW_ID} AS id FROM sweep_failure f
       WHERE f.last_at < now() - ${UNTRIED_DAYS}::int * interval '1 day' AND NOT ${IS_LOST_MESSAGE}
         AND ${isNotSetAside('failures', ROW_ID)} AND ${inScope(scope, ROW_ID)}
       ORDER BY f.last_at, f.sweep, f.row_id LIMIT ${scope.limit}::int`,
    remove: deleteFailures,
  });
