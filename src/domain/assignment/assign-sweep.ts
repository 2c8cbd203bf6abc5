import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { compiledOver } from '../../db/compiled-once.ts';
import { classifyDbError } from '../../db/errors.ts';
import { literal } from '../../db/literal.ts';
import { localMoment } from '../../kernel/local-day.ts';
import { forgetFailures, isNotSetAside, wasSetAside } from '../sweeps/failures.ts';
import { type Scope, sweepBatch } from '../sweeps/isolate.ts';
import { book } from './book.ts';
import { displaceFor, mayDisplace } from './displace.ts';
import { OPEN_TASK, type OpenTask, wantedOf } from './open-task.ts';
import { overtake } from './overtaken.ts';
import { type Asked, planTasks, type Unplanned } from './plan.ts';
import { postpone, postponeForNobody } from './postpone.ts';
import { readRoster, spanAround } from './staffing.ts';
import { settleAround } from './turnovers.ts';

/**
 * Assigns what is due to be assigned; answers how many tasks it looked at. Tasks of a saga that has not completed are
 * left alone, so that no message is sent about work that may be undone. Any number of sweeps may run at once: who has been
 * given something since a sweep looked gets nothing from it, and those tasks are looked at again.
 */
export const assignDueTasks = (db: Db, limit: number): Promise<number> =>
  sweepBatch({
    db,
    sweep: 'assignment',
    limit,
    run: (scope) => sweep(db, scope),
    due: (some) => dueIds(db, some),
    forgets: true,
  });

async function sweep(db: Db, scope: Scope): Promise<readonly string[]> {
  try {
    return await db.transaction().execute(async (tx) => {
      const due = await takeDue(tx, scope);
      const [first] = due;
      if (!first) return [];
      const overtaken = await overtake(tx, due);
      const live = due.filter(({ id }) => !overtaken.has(id));
      const changed = await settleBefore(tx, live);
      const nowMs = first.now_ms;
      const open = live.filter(({ id }) => !changed.has(id)).map((task) => ({ task, wanted: wantedOf(task, nowMs) }));
      await assign(tx, open);
      await forgetFailures(
        tx,
        'assignment',
        due.flatMap(({ id, was_set_aside }) => (was_set_aside ? [id] : [])),
      );
      return due.map(({ id }) => id);
    });
  } catch (error) {
    const failure = classifyDbError(error);
    const isTaken = failure.kind === 'constraint' && failure.constraint === 'no_double_shift';
    // Somebody was given other work meanwhile: no fault of the task's, which the next sweep looks at again.
    if (isTaken && scope.ids?.length === 1) return [];
    throw error;
  }
}

export const isToAssign = sql<boolean>`t.status = 'UNASSIGNED' AND t.next_assign_at <= now() AND ${isNotSetAside('assignment', sql`t.id`)}
  AND coalesce((SELECT s.status FROM saga s WHERE s.id = t.created_by_saga), 'completed') = 'completed'`;

/** A task waits this long before a worker is asked to run the sweep, so that tasks of the same moment are planned in one round. */
const GATHERED_SECONDS = 2;
/** SQL: whether a task has been due to be assigned for a moment. */
export const assignmentsDue = sql<boolean>`EXISTS (SELECT FROM task t
  WHERE t.next_assign_at <= now() - ${literal(GATHERED_SECONDS)} * interval '1 second' AND ${isToAssign})`;

async function dueIds(db: Db, limit: number): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT t.id FROM task t WHERE ${isToAssign} ORDER BY t.next_assign_at LIMIT ${limit}::int`.execute(db);
  return rows.map(({ id }) => id);
}

type DueTask = OpenTask & { readonly now_ms: number; readonly was_set_aside: boolean };

const takeDue = (tx: Tx, scope: Scope): Promise<readonly DueTask[]> =>
  (scope.ids === null ? takeAny : takeThese)(tx, scope);

const selectDue = (ids: Scope['ids']) =>
  compiledOver<Scope, DueTask>(
    (value) => sql`
    SELECT ${OPEN_TASK}, t.version, (date_part('epoch', now()) * 1000)::bigint AS now_ms, ${wasSetAside('assignment', sql`t.id`)} AS was_set_aside
      FROM task t JOIN property p ON p.id = t.property_id
     WHERE ${isToAssign} AND ${ids === null ? sql`true` : sql`t.id = ANY(${value('ids')}::text[])`}
     ORDER BY t.next_assign_at LIMIT ${value('limit')}::int FOR UPDATE OF t SKIP LOCKED`,
  );
const takeAny = selectDue(null);
const takeThese = selectDue([]);

/**
 * Settles the turnovers around cleanings of stays before anybody is given one, so that a turnover which two concurrent acts
 * have both missed is found here. Answers the tasks that are not as they were read; the next sweep looks at those.
 */
async function settleBefore(tx: Tx, due: readonly OpenTask[]): Promise<ReadonlySet<string>> {
  const stays = new Set(
    due.flatMap(({ type, reservation_id }) => (type === 'CLEANING' && reservation_id !== null ? [reservation_id] : [])),
  );
  if (stays.size === 0) return new Set();
  const { merged, parted, cleared, awaited } = await settleAround(tx, ...stays);
  return new Set([
    ...merged.flatMap(({ taskId, into }) => [taskId, into]),
    ...[...parted, ...cleared].map(({ taskId }) => taskId),
    ...awaited,
  ]);
}

type Open = Pick<Asked, 'task' | 'wanted'>;

/**
 * On the day of the first possible start, which nearly always will do; only what is left is looked at in its whole window,
 * and only for what is left then are those asked once more who have not answered.
 */
async function assign(tx: Tx, open: readonly Open[]): Promise<void> {
  const left: Unplanned[] = [];
  const emergencies = open.filter(({ task }) => mayDisplace(task));
  // One after the other: each sees whose time the one before has taken.
  for (const one of emergencies) {
    const displacement = await displaceFor(tx, { ...one, untilMs: firstDay(one) }, { notifies: true });
    if (displacement.kind === 'busy') await postpone(tx, [one.task]);
    else if (displacement.kind === 'free') left.push(...(await attempt(tx, [one], firstDay)));
  }
  const rest = open.filter((one) => !emergencies.includes(one));
  left.push(...(await attempt(tx, rest, firstDay)));
  const later = left.filter(
    ({ wanted: { window, place } }) => window.lastMs >= localMoment(window.firstMs, place.timeZone).dayEndMs,
  );
  const never = left.filter((one) => !later.includes(one));
  const nobody = [...never, ...(await attempt(tx, later, ({ wanted }) => wanted.window.lastMs))];
  const silent = nobody.filter(({ mayAskAgain }) => mayAskAgain);
  const asked = await attempt(tx, silent, ({ wanted }) => wanted.window.lastMs, true);
  await postponeForNobody(tx, [...nobody.filter((one) => !silent.includes(one)), ...asked]);
}

const firstDay = ({ wanted: { window, place } }: Open): number =>
  Math.min(window.lastMs, localMoment(window.firstMs, place.timeZone).dayEndMs - 1);

/** Those whom nobody can take until `until`. */
async function attempt(
  tx: Tx,
  open: readonly Open[],
  until: (one: Open) => number,
  again = false,
): Promise<readonly Unplanned[]> {
  if (open.length === 0) return [];
  const asked = open.map((one) => ({ ...one, untilMs: until(one), again }));
  const spans = asked.map(({ wanted: { place, window }, untilMs }) =>
    spanAround(place, window.firstMs, untilMs, window.durationMs),
  );
  const roster = await readRoster(tx, { wanted: open.map(({ wanted }) => wanted), spans });
  const { planned, unplanned } = planTasks(asked, roster);
  const booked = await book(tx, planned, { notifies: true });
  // The people planned for these were given other work in between: the next sweep looks again.
  await postpone(
    tx,
    planned.filter(({ task }) => !booked.has(task.id)).map(({ task }) => task),
  );
  return unplanned;
}
