import { type QueryCreator, type RawBuilder, type SqlBool, sql } from 'kysely';
import type { FusedDatabase, ValueRefs } from '../../../db/fused.ts';
import { literal, literals } from '../../../db/literal.ts';
import { statusLiterals } from '../transitions.ts';
import { leavesBefore, mayTakeTurnover, movedTurnover, priorityUnlessSet } from '../turnover.ts';
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
  'merged_into_task_id',
  'created_by_saga',
  'effect_key',
] as const;

/** `task.status` may stay as it is for these; all others are being worked on, or over. */
const OPEN = sql`(${sql.join(statusLiterals('settle'))})`;

/** `output`: under which name the saga's data will show the task's id. */
export const ensureTask =
  <Name extends string>(output: Name) =>
  (db: QueryCreator<FusedDatabase>, value: ValueRefs<TaskValues>) =>
    insertTask(db, value, output, false);

/** With those whose cleaning for the next guest goes into this one, so that they can be told: `absorbNextCleaning`. */
export const ensurePostDepartureCleaning =
  <Name extends string>(output: Name) =>
  (db: QueryCreator<FusedDatabase>, value: ValueRefs<TaskValues>) =>
    insertTask(db, value, output, false).returning(displaced.as('displaced'));

/**
 * On a same-day turnover the night before is occupied: the cleaning is merged into the departing stay's, which it
 * must not outlast (domain.md 10).
 */
export const ensurePreArrivalCleaning =
  <Name extends string>(output: Name) =>
  (db: QueryCreator<FusedDatabase>, value: ValueRefs<TaskValues>) =>
    insertTask(db, value, output, true);

function insertTask<Name extends string>(
  db: QueryCreator<FusedDatabase>,
  value: ValueRefs<TaskValues>,
  output: Name,
  mayMerge: boolean,
) {
  const turnover = mayMerge ? previousCleaning(value.instant('mustFinishBy')) : sql<string | null>`NULL::text`;
  return db
    .insertInto('task')
    .columns([...COLUMNS])
    .expression((eb) =>
      eb
        .selectFrom('guard')
        .innerJoin('reservation as r', 'r.id', 'guard.subject_id')
        .leftJoin('guest as g', 'g.id', 'r.guest_id')
        .leftJoin(sql<{ id: string | null }>`LATERAL (SELECT ${turnover} AS id)`.as('turnover'), (join) =>
          join.onTrue(),
        )
        .select([
          value.text('taskId').as('id'),
          'guard.subject_id',
          'r.property_id',
          value.text('type').as('type'),
          value.text('occurrence').as('occurrence'),
          titleOf(value.text('occurrence')).as('title'),
          sql`CASE WHEN turnover.id IS NULL THEN 'UNASSIGNED' ELSE 'MERGED' END`.as('status'),
          // A start that is already past is urgent; compared with the time of the request, which is frozen.
          sql`CASE WHEN ${value.instant('scheduledAt')} < guard.requested_at THEN 'URGENT'
                WHEN ${value.instant('mustFinishBy')} IS NOT NULL AND ${value.text('occurrence')} = 'POST_DEPARTURE' THEN 'HIGH'
                ELSE 'NORMAL' END`.as('priority'),
          value.instant('scheduledAt').as('scheduled_at'),
          value.instant('endsAt').as('ends_at'),
          value.instant('mustFinishBy').as('must_finish_by'),
          value.text('localRule').as('local_rule'),
          'turnover.id as merged_into_task_id',
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
}

const retimed = (column: 'scheduled_at' | 'ends_at') =>
  sql<Date>`CASE WHEN task.status IN ${OPEN} AND NOT 'scheduledDate' = ANY(task.manual_fields)
    THEN excluded.${sql.ref(column)} ELSE task.${sql.ref(column)} END`;

/** The live cleaning after the stay that leaves, or has left, on the day when `r` arrives; if it will be done by then. */
const previousCleaning = (arrival: RawBuilder<unknown>) => sql<string | null>`(SELECT t.id
  FROM reservation p JOIN task t ON t.reservation_id = p.id WHERE ${leavesBefore('p', 'r')}
    AND t.type = 'CLEANING' AND t.occurrence = 'POST_DEPARTURE' AND t.status IN ${OPEN} AND ${mayTakeTurnover('t', arrival)}
  ORDER BY p.id LIMIT 1)`;

/** The departing stay's cleaning now has to be ready for the next guest. */
export const setDeadlineOfPrevious = (db: QueryCreator<FusedDatabase>, value: ValueRefs<TaskValues>) =>
  db
    .updateTable('task')
    .from('guard')
    .innerJoin('reservation as r', 'r.id', 'guard.subject_id')
    .where('task.id', '=', previousCleaning(value.instant('mustFinishBy')))
    .set((eb) => ({
      must_finish_by: value.instant('mustFinishBy'),
      ...movedTurnover('task', value.instant('mustFinishBy')),
      priority: priorityUnlessSet('task', 'HIGH'),
      version: eb('task.version', '+', 1),
    }))
    .returning(['task.id']);

/** As the statement finds them: its own updates are not seen yet. */
const displaced = sql<readonly { readonly taskId: string; readonly assigneeId: string }[]>`(SELECT
    coalesce(jsonb_agg(jsonb_build_object('taskId', t.id, 'assigneeId', t.assignee_id) ORDER BY t.id), '[]')
  FROM reservation o JOIN reservation n ON n.property_id = o.property_id AND n.check_in_date = o.check_out_date
  JOIN task t ON t.reservation_id = n.id
  WHERE o.id = task.reservation_id AND n.status IN ('CONFIRMED', 'CHECKED_IN') AND t.type = 'CLEANING' AND t.occurrence = 'PRE_ARRIVAL'
    AND t.status = 'ASSIGNED')`;

/** The next guest's pre-arrival cleaning, made earlier, goes into this one. */
export const absorbNextCleaning = (db: QueryCreator<FusedDatabase>, value: ValueRefs<TaskValues>) =>
  db
    .updateTable('task')
    .from('guard')
    .innerJoin('reservation as r', 'r.id', 'guard.subject_id')
    .innerJoin('reservation as n', (join) =>
      join.onRef('n.property_id', '=', 'r.property_id').onRef('n.check_in_date', '=', 'r.check_out_date'),
    )
    .where('n.status', 'in', literals(['CONFIRMED', 'CHECKED_IN']))
    .whereRef('task.reservation_id', '=', 'n.id')
    .where('task.type', '=', literal('CLEANING'))
    .where('task.occurrence', '=', 'PRE_ARRIVAL')
    .where('task.status', 'in', statusLiterals('merge'))
    .where(sql<SqlBool>`NOT EXISTS (SELECT FROM task own WHERE own.reservation_id = r.id AND own.type = 'CLEANING'
      AND own.occurrence = 'POST_DEPARTURE' AND own.status <> 'CANCELLED')`)
    .set((eb) => ({
      status: 'MERGED',
      assignee_id: sql<null>`NULL::text`,
      merged_into_task_id: value.text('taskId'),
      version: eb('task.version', '+', 1),
    }))
    .returning(['task.id']);

/**
 * Two stays that follow each other on one day may be confirmed at once, and neither sees the other's cleaning while it
 * makes its own. A later step of both, when each has committed its cleanings, brings them together: whichever comes
 * second finds them. What `settleTurnovers` does of two stays whose cleanings are new and nobody's, as a lean statement: every
 * confirmation runs it, and nearly always it finds nothing.
 */
export const settleNewTurnovers = (db: QueryCreator<FusedDatabase>) => {
  const moved = movedTurnover('task', sql`pair.must_finish_by`);
  const isNext = sql<boolean>`(task.id = pair.next_id)`;
  return db
    .updateTable('task')
    .from(
      sql<Pair>`(SELECT before.id AS previous_id, after.id AS next_id, after.must_finish_by
        FROM "guard" AS guard JOIN reservation r ON r.id = guard.subject_id
        JOIN reservation o ON o.property_id = r.property_id AND o.id <> r.id
         AND (coalesce(o.departure_date, o.check_out_date) = r.check_in_date OR o.check_in_date = coalesce(r.departure_date, r.check_out_date))
        JOIN task before ON before.reservation_id = CASE WHEN o.check_in_date < r.check_in_date THEN o.id ELSE r.id END
         AND before.occurrence = 'POST_DEPARTURE' AND before.status IN ${OPEN}
        JOIN task after ON after.reservation_id = CASE WHEN o.check_in_date < r.check_in_date THEN r.id ELSE o.id END
         AND after.occurrence = 'PRE_ARRIVAL'
       WHERE o.status IN ('CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT') AND NOT isempty(o.stay) AND NOT isempty(r.stay)
         AND ${mayTakeTurnover('before', sql`after.must_finish_by`)}
         AND (after.status = 'UNASSIGNED' OR after.merged_into_task_id = before.id AND before.must_finish_by IS NULL))`.as(
        'pair',
      ),
    )
    .where(sql<SqlBool>`task.id IN (pair.previous_id, pair.next_id)`)
    .set((eb) => ({
      status: sql`CASE WHEN ${isNext} THEN 'MERGED' ELSE task.status END`,
      merged_into_task_id: sql`CASE WHEN ${isNext} THEN pair.previous_id ELSE task.merged_into_task_id END`,
      next_assign_at: sql`CASE WHEN ${isNext} THEN NULL ELSE task.next_assign_at END`,
      must_finish_by: sql`pair.must_finish_by`,
      ...moved,
      priority: sql`CASE WHEN ${isNext} THEN task.priority ELSE ${priorityUnlessSet('task', 'HIGH')} END`,
      version: eb('task.version', '+', 1),
    }))
    .returning(['task.id']);
};
interface Pair {
  readonly previous_id: string;
  readonly next_id: string;
  readonly must_finish_by: Date | null;
}

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
