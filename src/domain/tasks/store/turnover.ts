import { type QueryCreator, type RawBuilder, sql } from 'kysely';
import type { Tx } from '../../../db/client.ts';
import type { FusedDatabase, GuardTable } from '../../../db/fused.ts';
import { literal } from '../../../db/literal.ts';
import type { TaskPriority, TaskStatus, TaskType } from '../../../db/schema.ts';
import { statusLiterals } from '../transitions.ts';
import { isTimedByHand, mayTakeTurnover, meetsOnOneDay, movedTurnover, priorityUnlessSet } from '../turnover.ts';
import type { Released } from './assign.ts';

/** Cleanings that are merged where two stays meet on one day, and the deadline and time of the other one (domain.md 10). */

const MAY_MERGE = sql.join(statusLiterals('merge'));
const MAY_PART = sql.join(statusLiterals('part'));
const MAY_SETTLE = sql.join(statusLiterals('settle'));

/** A departing stay's cleaning, as it was before nobody waited for it any more. */
export interface FormerDeadline {
  readonly taskId: string;
  /** ISO instant. */
  readonly mustFinishBy: string | null;
  readonly priority: TaskPriority;
}

/** The changes of one settling. */
export interface Settled {
  /** Cleanings that went into another one. */
  readonly merged: readonly { readonly taskId: string; readonly into: string }[];
  /** Of those, the ones that somebody had, with the person to notify. */
  readonly displaced: readonly Released[];
  /** Cleanings that stand on their own again, and somebody is looked for. */
  readonly parted: readonly { readonly taskId: string; readonly mergedInto: string }[];
  /** Cleanings that nobody waits for any more. */
  readonly cleared: readonly FormerDeadline[];
  /** Cleanings that another guest waits for, or the same one by another time. */
  readonly awaited: readonly string[];
}

/**
 * The one rule for turnovers (domain.md 10): derives the merges, deadlines and times of the cleanings around these stays from
 * the stays, and writes only the differences. Every act on a stay or on its cleanings calls it.
 *
 * Where one guest leaves on the day when the next one comes, the cleaning after the first is also the one before the second:
 * that one is MERGED into it, and it must be done when the next guest comes, so it is HIGH, and begins with the departure where
 * two hours later would be too late. They stay two where a person wants the first at a time that ends too late, or has begun
 * it.
 *
 * Locks the rows that it changes, in the order of their ids; a row whose status another transaction has changed meanwhile is
 * left to that one.
 */
export async function settleTurnovers(tx: Tx, reservationIds: readonly string[]): Promise<Settled> {
  const rows = await settling(tx.withTables<{ guard: GuardTable }>(), sql`SELECT unnest(${reservationIds}::text[])`, {
    merges: ANY_CLEANING,
  })
    .returning([
      't.id',
      't.type',
      't.reservation_id',
      't.version',
      'change.part',
      'change.previous_id',
      'change.arrival',
    ])
    .returning(['change.assignee_id', 'change.merged_into', 'change.must_finish_by', 'change.priority'])
    .execute();
  return settledOf(rows.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
}

/**
 * `settleTurnovers` around the subjects of `guard`, in a fused statement. Two stays that meet may be confirmed at once, and
 * neither sees the other's cleanings before both are committed: so it belongs behind the steps that make them. It leaves a
 * cleaning with the person whom a saga that is still under way has given it to. `notifyDisplaced` sends its messages.
 */
export const settleTurnoversOfGuard = (db: QueryCreator<FusedDatabase>) =>
  settling(db, STAYS_OF_GUARD, { merges: NOT_IN_THE_MAKING }).returning([
    't.id',
    't.version',
    't.reservation_id',
    'change.part',
    'change.assignee_id',
  ]);

/** The rows of `settleTurnoversOfGuard` from which a person lost a cleaning: `id`, `version`, `reservation_id`, `assignee_id`. */
export const displacedOf = (rows: RawBuilder<unknown>) =>
  sql`SELECT id, version, reservation_id, assignee_id FROM ${rows} WHERE part = 'MERGED' AND assignee_id IS NOT NULL`;

/**
 * `settleTurnovers` in the fused statement that withdraws a task of the saga, as if that task were gone already. It sends no
 * messages, and so takes no cleaning from anybody.
 */
export const settleTurnoversWithout = (db: QueryCreator<FusedDatabase>) =>
  settling(db, STAYS_OF_GUARD, { merges: NOBODYS_YET, isGone: isTakenBack }).returning(['t.id']);

const STAYS_OF_GUARD = sql`SELECT subject_id FROM "guard" AS guard`;

const isTakenBack = (task: string) =>
  sql<boolean>`(coalesce(${sql.ref(`${task}.effect_key`)}, '') IN (SELECT forward_key FROM "guard" AS guard))`;

interface Settling {
  /** Which cleanings before an arrival may be merged. */
  readonly merges: RawBuilder<boolean>;
  readonly isGone?: (task: string) => RawBuilder<boolean>;
}
const ANY_CLEANING = sql<boolean>`true`;
const NOBODYS_YET = sql<boolean>`pre.assignee_id IS NULL`;
const NOT_IN_THE_MAKING = sql<boolean>`(pre.assignee_id IS NULL
  OR coalesce((SELECT s.status FROM saga s WHERE s.id = pre.created_by_saga), 'completed') = 'completed')`;

function settling(
  db: QueryCreator<FusedDatabase>,
  stays: RawBuilder<unknown>,
  { merges, isGone = () => sql`false` }: Settling,
) {
  const moved = movedTurnover('t', sql`change.arrival`);
  const unlessPrevious = <T>(column: string, otherwise: RawBuilder<T>) =>
    sql<T>`CASE WHEN change.part = 'PREVIOUS' THEN ${sql.ref(`t.${column}`)} ELSE ${otherwise} END`;
  const ofPrevious = <T>(column: string, value: RawBuilder<T>) =>
    sql<T>`CASE WHEN change.part = 'PREVIOUS' THEN ${value} ELSE ${sql.ref(`t.${column}`)} END`;
  const nothing = sql<null>`NULL`;
  const keptByHand = (column: string) =>
    sql<Date | null>`CASE WHEN ${isTimedByHand('t')} THEN ${sql.ref(`t.${column}`)} END`;
  return db
    .updateTable('task as t')
    .from(sql<Change>`(${changes(stays, merges, isGone)})`.as('change'))
    .whereRef('t.id', '=', 'change.id')
    .set((eb) => ({
      status: sql<TaskStatus>`CASE change.part WHEN 'MERGED' THEN 'MERGED' WHEN 'PARTED' THEN 'UNASSIGNED' ELSE t.status END`,
      merged_into_task_id: unlessPrevious('merged_into_task_id', sql<string | null>`change.previous_id`),
      assignee_id: unlessPrevious('assignee_id', nothing),
      accept_by: unlessPrevious('accept_by', nothing),
      accepted_at: unlessPrevious('accepted_at', nothing),
      slot_start: unlessPrevious('slot_start', keptByHand('slot_start')),
      slot_end: unlessPrevious('slot_end', keptByHand('slot_end')),
      next_assign_at: unlessPrevious('next_assign_at', sql<Date | null>`CASE change.part WHEN 'PARTED' THEN now() END`),
      must_finish_by: ofPrevious('must_finish_by', sql<Date | null>`change.arrival`),
      scheduled_at: ofPrevious('scheduled_at', moved.scheduled_at),
      ends_at: ofPrevious('ends_at', moved.ends_at),
      local_rule: ofPrevious('local_rule', moved.local_rule),
      priority: ofPrevious(
        'priority',
        sql<TaskPriority>`CASE WHEN change.arrival IS NULL THEN ${priorityUnlessSet('t', 'NORMAL')} ELSE ${priorityUnlessSet('t', 'HIGH')} END`,
      ),
      version: eb('t.version', '+', 1),
    }));
}

/** One row for each cleaning that is not as the stays make it; the last columns are as they were. */
interface Change {
  readonly id: string;
  readonly part: 'PREVIOUS' | 'MERGED' | 'PARTED';
  readonly previous_id: string | null;
  readonly arrival: Date | null;
  readonly assignee_id: string | null;
  readonly merged_into: string | null;
  readonly must_finish_by: Date | null;
  readonly priority: TaskPriority;
}

/** Days between a departure and an arrival that may still share a cleaning (`meetsOnOneDay`), and one more for its zone. */
const NEAR_DAYS = 2;
const LEFT_NEAR = (o: string, r: string) =>
  sql`coalesce(${sql.ref(`${o}.departure_date`)}, ${sql.ref(`${o}.check_out_date`)}) BETWEEN ${sql.ref(`${r}.check_in_date`)} - ${NEAR_DAYS}::int AND ${sql.ref(`${r}.check_in_date`)}`;
const ARRIVES_NEAR = (r: string, o: string) =>
  sql`${sql.ref(`${r}.check_in_date`)} = ANY(ARRAY[coalesce(${sql.ref(`${o}.departure_date`)}, ${sql.ref(`${o}.check_out_date`)}), ${sql.ref(`${o}.check_out_date`)}])`;

/** Rows of a table for each row before it, by an index, whatever the planner thinks of their number. */
const each = (table: 'task' | 'reservation', as: string, where: RawBuilder<unknown>) =>
  sql`CROSS JOIN LATERAL (SELECT * FROM ${sql.ref(table)} ${sql.ref(as)} WHERE ${where} OFFSET 0) ${sql.ref(as)}`;
const cleaning = (as: string, occurrence: 'PRE_ARRIVAL' | 'POST_DEPARTURE', stay: RawBuilder<unknown>) =>
  each(
    'task',
    as,
    sql`${sql.ref(`${as}.reservation_id`)} = ${stay} AND ${sql.ref(`${as}.type`)} = 'CLEANING' AND ${sql.ref(`${as}.occurrence`)} = ${literal(occurrence)}`,
  );
const byId = (table: 'task' | 'reservation', as: string, id: RawBuilder<unknown>) =>
  each(table, as, sql`${sql.ref(`${as}.id`)} = ${id}`);
const leavesNear = (o: string, r: string) =>
  each(
    'reservation',
    o,
    sql`${sql.ref(`${o}.property_id`)} = ${sql.ref(`${r}.property_id`)} AND ${LEFT_NEAR(o, r)} AND ${sql.ref(`${o}.id`)} <> ${sql.ref(`${r}.id`)}`,
  );
const arrivesNear = (r: string, o: string) =>
  each(
    'reservation',
    r,
    sql`${sql.ref(`${r}.property_id`)} = ${sql.ref(`${o}.property_id`)} AND ${ARRIVES_NEAR(r, o)} AND ${sql.ref(`${r}.id`)} <> ${sql.ref(`${o}.id`)}`,
  );

/** `leaving`, `arriving`: the stays whose last, or first, cleaning is looked at; each with all that it meets. */
const changes = (
  stays: RawBuilder<unknown>,
  merges: RawBuilder<boolean>,
  isGone: (task: string) => RawBuilder<boolean>,
) => sql`
    WITH stay AS MATERIALIZED (SELECT s.* FROM (${stays}) AS given (id) ${byId('reservation', 's', sql`given.id`)}),
    leaving AS MATERIALIZED (
      SELECT s.id FROM stay s
      UNION SELECT o.id FROM stay s ${leavesNear('o', 's')}
      UNION SELECT post.reservation_id FROM stay s ${cleaning('pre', 'PRE_ARRIVAL', sql`s.id`)} ${byId('task', 'post', sql`pre.merged_into_task_id`)}),
    arriving AS MATERIALIZED (
      SELECT s.id FROM stay s
      UNION SELECT r.id FROM stay s ${arrivesNear('r', 's')}
      UNION SELECT pre.reservation_id FROM stay s ${cleaning('post', 'POST_DEPARTURE', sql`s.id`)} ${each('task', 'pre', sql`pre.merged_into_task_id = post.id`)}),
    meeting AS MATERIALIZED (
      SELECT o.id AS leaves, r.id AS arrives FROM leaving l ${byId('reservation', 'o', sql`l.id`)} ${arrivesNear('r', 'o')}
      UNION SELECT o.id, r.id FROM arriving a ${byId('reservation', 'r', sql`a.id`)} ${leavesNear('o', 'r')}),
    pair AS MATERIALIZED (
      SELECT DISTINCT ON (pre.id) post.id AS previous_id, pre.id AS next_id, pre.status AS next_status, pre.must_finish_by AS arrival,
             r.status = 'CONFIRMED' AND pre.status IN (${MAY_MERGE}, ${MAY_PART}) AND ${merges} AS merges, pre.merged_into_task_id AS merged_into
        FROM meeting m ${byId('reservation', 'r', sql`m.arrives`)} ${byId('reservation', 'o', sql`m.leaves`)}
             ${cleaning('pre', 'PRE_ARRIVAL', sql`r.id`)} ${cleaning('post', 'POST_DEPARTURE', sql`o.id`)}
       WHERE pre.status <> 'CANCELLED' AND NOT ${isGone('pre')} AND post.status IN (${MAY_SETTLE}) AND NOT ${isGone('post')}
         AND r.status IN ('CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT') AND NOT isempty(r.stay) AND ${meetsOnOneDay('o', 'r', sql`pre.scheduled_at`)}
         AND ${mayTakeTurnover('post', sql`pre.must_finish_by`)}
       ORDER BY pre.id, o.check_in_date DESC),
    wanted AS MATERIALIZED (
      SELECT post.id, post.status, 'PREVIOUS' AS part, pair.previous_id, pair.arrival
        FROM leaving l ${cleaning('post', 'POST_DEPARTURE', sql`l.id`)} LEFT JOIN pair ON pair.previous_id = post.id
       WHERE post.status IN (${MAY_SETTLE}) AND NOT ${isGone('post')} AND post.must_finish_by IS DISTINCT FROM pair.arrival
      UNION ALL
      SELECT pair.next_id, pair.next_status, 'MERGED', pair.previous_id, NULL FROM pair
       WHERE pair.merges AND pair.merged_into IS DISTINCT FROM pair.previous_id
      UNION ALL
      SELECT pre.id, pre.status, 'PARTED', NULL, NULL
        FROM arriving a ${cleaning('pre', 'PRE_ARRIVAL', sql`a.id`)} ${byId('task', 'into_task', sql`pre.merged_into_task_id`)}
             ${byId('reservation', 'r', sql`a.id`)} ${byId('reservation', 'o', sql`into_task.reservation_id`)}
       WHERE pre.status IN (${MAY_PART}) AND NOT ${isGone('pre')}
         AND CASE WHEN ${isGone('into_task')} OR into_task.status IN (${MAY_SETTLE}, 'CANCELLED') THEN NOT EXISTS (SELECT FROM pair WHERE pair.next_id = pre.id)
             -- Done, or under way, when that guest had left earlier than was booked: there are nights in between.
             ELSE r.status = 'CONFIRMED' AND o.status = 'CHECKED_OUT' AND NOT ${meetsOnOneDay('o', 'r', sql`pre.scheduled_at`)} END)
    SELECT b.id, i ->> 'part' AS part, i ->> 'previous_id' AS previous_id, (i ->> 'arrival')::timestamptz AS arrival, b.assignee_id,
           b.merged_into_task_id AS merged_into, b.must_finish_by, b.priority
      FROM few_items((SELECT jsonb_agg(w) FROM wanted w)) AS i JOIN task b ON b.id = i ->> 'id'
     WHERE CASE WHEN i ->> 'part' = 'PREVIOUS' THEN b.status IN (${MAY_SETTLE}) ELSE b.status = i ->> 'status' END
     ORDER BY b.id FOR UPDATE OF b`;

type SettledRow = Change & {
  readonly type: TaskType;
  readonly reservation_id: string | null;
  readonly version: number;
};

const settledOf = (rows: readonly SettledRow[]): Settled => ({
  merged: rows.flatMap(({ id, part, previous_id: into }) =>
    part === 'MERGED' && into !== null ? [{ taskId: id, into }] : [],
  ),
  displaced: rows.flatMap(({ id, type, reservation_id: reservationId, version, part, assignee_id: assigneeId }) =>
    part === 'MERGED' && assigneeId !== null ? [{ id, type, reservationId, version, assigneeId }] : [],
  ),
  parted: rows.flatMap(({ id, part, merged_into: mergedInto }) =>
    part === 'PARTED' && mergedInto !== null ? [{ taskId: id, mergedInto }] : [],
  ),
  awaited: rows.flatMap(({ id, part, arrival }) => (part === 'PREVIOUS' && arrival !== null ? [id] : [])),
  cleared: rows.flatMap(({ id, part, arrival, must_finish_by: by, priority }) =>
    part === 'PREVIOUS' && arrival === null ? [{ taskId: id, mustFinishBy: by?.toISOString() ?? null, priority }] : [],
  ),
});
