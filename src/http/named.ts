import { type RawBuilder, type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../db/client.ts';
import { RoomyError } from '../kernel/errors.ts';
import type { AnyContext } from './context.ts';
import { workScopeOf } from './own-task.ts';

/**
 * The answer of a GET when its query names a record by id (`propertyId`, `ownerId`, ...) that does not exist, or that the
 * caller may not see. Both are always one answer, so that they cannot be distinguished (security.md Z1, Z13):
 *
 * - a list, and the feed of events, is filtered by it, and nothing passes: 200 with an empty page;
 * - a report about it (statistics, sums, how far a saga is) has nothing to report about: 404, because zeros would look like an
 *   answer;
 * - a gateway is not a record but a value of a closed list, like a status: 422 `GATEWAY_UNKNOWN` with the known values,
 *   unless there is something in the list from when it was one.
 *
 * `test/http/named-records.test.ts` walks every route by this rule.
 */

/** Whether the caller may know of a `property` (security.md Z1, Z4): an agent and who does the work also of one where they have a task. */
export function isSeenBy(c: AnyContext): RawBuilder<SqlBool> {
  const scope = workScopeOf(c);
  // The tasks that are FINANCE's may be anywhere.
  if (scope.kind === 'ALL' || scope.kind === 'TYPE') return sql`true`;
  if (scope.kind === 'OWNER') return sql`property.owner_id = ${scope.ownerId}`;
  const staffId = scope.kind === 'OWN' ? scope.staffId : scope.agentId;
  const works = sql<SqlBool>`EXISTS (SELECT FROM task t WHERE t.property_id = property.id AND t.assignee_id = ${staffId})`;
  return scope.kind === 'OWN' ? works : sql`(${staffId}::text = ANY(property.agent_ids) OR ${works})`;
}

/** For reports about work. Throws `NOT_FOUND` for a property that is absent or foreign. */
export async function assertSeenProperty(c: AnyContext, db: Db | Tx, propertyId: string | undefined): Promise<void> {
  if (propertyId === undefined) return;
  const seen = await db
    .selectFrom('property')
    .select('id')
    .where('id', '=', propertyId)
    .where(isSeenBy(c))
    .executeTakeFirst();
  if (!seen) throw new RoomyError('NOT_FOUND');
}
