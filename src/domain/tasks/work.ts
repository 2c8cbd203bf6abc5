import { type RawBuilder, type Selectable, type SqlBool, sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { PropertyTable, ReservationStatus, TaskTable, TaskType } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';

/** Whose tasks somebody may see and do. It goes into the WHERE of every query, never after it (security.md Z1, Z5). */
export type WorkScope =
  | { readonly kind: 'ALL' }
  /** An agent: the properties of its portfolio, and its own tasks. */
  | { readonly kind: 'PORTFOLIO'; readonly agentId: string }
  /** An owner: the owner's properties. */
  | { readonly kind: 'OWNER'; readonly ownerId: string }
  /** The tasks of one kind, wherever they are. */
  | { readonly kind: 'TYPE'; readonly type: TaskType }
  /** A member of staff: the person's own tasks; where types are named, of those alone. */
  | { readonly kind: 'OWN'; readonly staffId: string; readonly types: readonly TaskType[] | null };

/** A task, named `t`, at a property, named `p`, that lies within the scope. */
export function withinScope(scope: WorkScope): RawBuilder<SqlBool> {
  switch (scope.kind) {
    case 'ALL':
      return sql`true`;
    case 'PORTFOLIO':
      return sql`(${scope.agentId}::text = ANY(p.agent_ids) OR t.assignee_id = ${scope.agentId})`;
    case 'OWNER':
      return sql`p.owner_id = ${scope.ownerId}`;
    case 'TYPE':
      return sql`t.type = ${literal(scope.type)}`;
    case 'OWN':
      return scope.types === null
        ? sql`t.assignee_id = ${scope.staffId}`
        : sql`(t.assignee_id = ${scope.staffId} AND t.type = ANY(${scope.types}::text[]))`;
  }
}

export interface WorkItem {
  readonly task: Selectable<TaskTable>;
  readonly property: Selectable<PropertyTable>;
  readonly reservationStatus: ReservationStatus | null;
}

/** Throws `TASK_NOT_FOUND` for a task that is absent or foreign: one refusal for both, so that the answer does not show which it is. */
export async function assertOwnTask(db: Db | Tx, taskId: string, scope: WorkScope): Promise<void> {
  const row = await db
    .selectFrom('task as t')
    .innerJoin('property as p', 'p.id', 't.property_id')
    .select('t.id')
    .where('t.id', '=', taskId)
    .where(withinScope(scope))
    .executeTakeFirst();
  if (!row) throw new RoomyError('TASK_NOT_FOUND');
}

/** The same, decided on the locked task: it is nobody else's until the transaction has ended (security.md Z11). */
export async function lockOwnTask(tx: Tx, taskId: string, scope: WorkScope): Promise<void> {
  await tx.selectFrom('task').select('id').where('id', '=', taskId).forUpdate().execute();
  await assertOwnTask(tx, taskId, scope);
}

/** The task with what its completion touches, locked until the end of the transaction. Throws `TASK_NOT_FOUND`. */
export async function lockWork(tx: Tx, taskId: string, scope: WorkScope): Promise<WorkItem> {
  const task = await tx
    .selectFrom('task')
    .selectAll()
    .where('id', '=', taskId)
    .where('deleted_at', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  if (!task) throw new RoomyError('TASK_NOT_FOUND');
  const property = await tx
    .selectFrom('property')
    .selectAll()
    .where('id', '=', task.property_id)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
  // Only now: another hand may have given the task or the property to somebody else while this one waited for it.
  await assertOwnTask(tx, taskId, scope);
  const stay =
    task.reservation_id === null
      ? null
      : await tx
          .selectFrom('reservation')
          .select('status')
          .where('id', '=', task.reservation_id)
          .executeTakeFirstOrThrow();
  return { task, property, reservationStatus: stay?.status ?? null };
}
