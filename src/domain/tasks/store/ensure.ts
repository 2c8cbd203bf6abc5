import { type QueryCreator, type SqlBool, sql } from 'kysely';
import type { Tx } from '../../../db/client.ts';
import { type FusedDatabase, type GuardTable, type ValueRefs, valueRefs } from '../../../db/fused.ts';
import { statusLiterals } from '../transitions.ts';
import { titleOf } from './insert.ts';

/**
 * The tasks of a stay are ensured by `(reservation, type, occurrence)`: whichever saga comes first makes the row, a
 * later one re-times it, and a stay ends with exactly four (domain.md T2).
 */
export interface TaskValues {
  readonly taskId: string;
  readonly type: string;
  readonly occurrence: string;
  readonly scheduledAt: string;
  readonly endsAt: string;
  readonly mustFinishBy: string | null;
  readonly localRule: string;
}

const COLUMNS = [
  'id',
  'reservation_id',
  'property_id',
  'type',
  'occurrence',
  'title',
  'status',
  'priority',
  'scheduled_at',
  'ends_at',
  'must_finish_by',
  'local_rule',
  'created_by_saga',
  'effect_key',
] as const;

/** The others are being worked on, or over: their times stay. */
const OPEN = sql`(${sql.join(statusLiterals('settle'))})`;

/**
 * The one statement that makes a task of a stay, over `guard`: UNASSIGNED, by its own plan. Turnovers are settled
 * afterwards (`settleTurnovers`). Where the task is there already, its times are changed while it may still move and
 * no person has set them. `output`: under which name the saga's data shows the task's id. A start that was past when the
 * request was accepted makes it URGENT, and a next guest who waits for the cleaning HIGH (domain.md 10).
 */
export const ensureTask =
  <Name extends string>(output: Name) =>
  (db: QueryCreator<FusedDatabase>, value: ValueRefs<TaskValues>) =>
    db
      .insertInto('task')
      .columns([...COLUMNS])
      .expression((eb) =>
        eb
          .selectFrom('guard')
          .innerJoin('reservation as r', 'r.id', 'guard.subject_id')
          .leftJoin('guest as g', 'g.id', 'r.guest_id')
          .select([
            value.text('taskId').as('id'),
            'guard.subject_id',
            'r.property_id',
            value.text('type').as('type'),
            value.text('occurrence').as('occurrence'),
            titleOf(value.text('occurrence')).as('title'),
            sql`'UNASSIGNED'`.as('status'),
            sql`CASE WHEN ${value.instant('scheduledAt')} < guard.requested_at THEN 'URGENT'
                WHEN ${value.instant('mustFinishBy')} IS NOT NULL AND ${value.text('occurrence')} = 'POST_DEPARTURE' THEN 'HIGH'
                ELSE 'NORMAL' END`.as('priority'),
            value.instant('scheduledAt').as('scheduled_at'),
            value.instant('endsAt').as('ends_at'),
            value.instant('mustFinishBy').as('must_finish_by'),
            value.text('localRule').as('local_rule'),
            'guard.saga_id',
            'guard.effect_key',
          ]),
      )
      .onConflict((conflict) =>
        conflict
          .columns(['reservation_id', 'type', 'occurrence'])
          .where(sql<SqlBool>`status <> 'CANCELLED'`)
          .doUpdateSet({
            scheduled_at: retimed('scheduled_at'),
            ends_at: retimed('ends_at'),
            must_finish_by: sql`CASE WHEN task.status IN ${OPEN} THEN excluded.must_finish_by ELSE task.must_finish_by END`,
            version: sql`task.version + 1`,
          }),
      )
      .returning([
        sql<string>`reservation_id`.as('subject_id'),
        sql<string>`id`.as(output),
        'status',
        'assignee_id as assignee',
      ]);

/** The step that makes a task in a transaction of its own, after its guard. */
export interface TaskStep {
  readonly reservationId: string;
  readonly sagaId: string | null;
  /** The effect's key: the same on every attempt. */
  readonly key: string;
  /** Null: now. */
  readonly requestedAt: Date | null;
}

/** `ensureTask` in the transaction of such a step. Answers the task as it is afterwards. */
export const ensureTaskIn = (tx: Tx, step: TaskStep, value: TaskValues) => {
  const guard = sql<GuardTable>`(SELECT ${step.sagaId}::text AS saga_id, ${step.reservationId}::text AS subject_id,
    ${step.key}::text AS effect_key, ${step.key}::text AS forward_key,
    coalesce(${step.requestedAt}::timestamptz, now()) AS requested_at, ${JSON.stringify(value)}::jsonb AS vals)`;
  return ensureTask('taskId')(
    tx.withTables<{ guard: GuardTable }>().with('guard', () => guard),
    valueRefs<TaskValues>(),
  ).executeTakeFirstOrThrow();
};

const retimed = (column: 'scheduled_at' | 'ends_at') =>
  sql<Date>`CASE WHEN task.status IN ${OPEN} AND NOT 'scheduledDate' = ANY(task.manual_fields)
    THEN excluded.${sql.ref(column)} ELSE task.${sql.ref(column)} END`;

/** Takes back what the step made: a tombstone, hidden from default lists (domain.md T12). */
export const withdrawTask = (db: QueryCreator<FusedDatabase>) =>
  db
    .updateTable('task')
    .from('guard')
    .whereRef('task.effect_key', '=', 'guard.forward_key')
    .where('task.status', 'in', statusLiterals('withdraw'))
    .set((eb) => ({
      status: 'CANCELLED',
      merged_into_task_id: sql<null>`NULL::text`,
      deleted_at: sql<Date>`now()`,
      version: eb('task.version', '+', 1),
    }))
    .returning([sql<string>`task.reservation_id`.as('subject_id')]);
