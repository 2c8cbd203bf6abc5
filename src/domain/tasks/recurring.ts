import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { ChecklistItem, TaskStatus } from '../../db/schema.ts';
import { newId } from '../../kernel/ids.ts';
import { localDate } from '../../kernel/local-time.ts';
import { emergencyAlertMessage } from '../messages/catalogue/maintenance-alert.ts';
import { maintenancePlannedMessage } from '../messages/catalogue/maintenance-required.ts';
import { inspectionMessage } from '../messages/catalogue/property-inspection.ts';
import { taskWithdrawnMessage } from '../messages/catalogue/task-withdrawn.ts';
import { raiseAlert } from '../notifications/alerts.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import { propertyTimesOf, type StayTimeRow, stayDatesOf, stayTimes } from '../reservations/stay-plan.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { inScope, type Scope, sweepBatch } from '../sweeps/isolate.ts';
import {
  type DuePeriods,
  duePeriods,
  duePeriodsByUse,
  firstFreeSlot,
  isByUse,
  isFree,
  type Occupied,
  type Period,
  periodDueOn,
  type Slot,
} from './recurrence.ts';
import { type Rule, setNextPeriod, takeRecurrences } from './recurrence-store.ts';
import { cancelTasks } from './store/finish.ts';
import { insertTaskOnce } from './store/insert.ts';
import { rescheduleTask } from './store/retime.ts';

interface MadeTask {
  readonly id: string;
  readonly period: number;
  readonly status: TaskStatus;
  readonly assignee_id: string | null;
  readonly version: number;
  readonly scheduled_at: Date;
  readonly last_date: string;
}

/** Stays that end later than this are of no concern to a task of the horizon. */
const MAX_STAYS = 1_000;

/**
 * Makes what recurring rules ask for by `now`, and moves what a stay has overtaken; answers how many rules it looked
 * at. Any number of sweeps may run at once: a rule is looked at by one of them, and a task is one row by its key.
 */
export const sweepRecurrences = (db: Db, now: Date, limit: number): Promise<number> =>
  sweepBatch({
    db,
    sweep: 'recurrences',
    limit,
    run: (scope) =>
      db.transaction().execute(async (tx) => {
        const rules = await takeRecurrences(
          tx,
          now,
          sql<boolean>`${isDue(now)} AND ${inScope(scope, sql`r.id`)}`,
          scope.limit,
        );
        for (const rule of rules) await lookAt(tx, rule, now);
        return rules.map(({ id }) => id);
      }),
    due: async (some) => {
      const { rows } = await sql<{ id: string }>`
        SELECT r.id FROM recurrence r WHERE ${isDue(now)} ORDER BY r.next_look_at LIMIT ${some}::int`.execute(db);
      return rows.map(({ id }) => id);
    },
  });

const isDue = (now: Date) =>
  sql<boolean>`r.active AND r.next_look_at <= ${now}::timestamptz AND ${isNotSetAside('recurrences', sql`r.id`)}`;

async function lookAt(tx: Tx, rule: Rule, now: Date): Promise<void> {
  const today = localDate(now, rule.time_zone);
  const slot: Slot = { localTime: rule.local_time, minutes: rule.duration_minutes, timeZone: rule.time_zone };
  const stays = await staysFrom(tx, rule.property_id, today);
  const days = await daysOf(tx, rule, today);
  await moveOvertaken(tx, rule, { slot, stays, now, days });
  const { make, skip } = await dueOf(tx, rule, today);
  if (skip.length > 0) await recordSkipped(tx, rule, skip);
  let next = Math.max(rule.next_period, (skip.at(-1)?.period ?? -1) + 1);
  for (const period of make) {
    const found = firstFreeSlot(period.dueDate, period.lastDate, slot, stays, now);
    if (!found) {
      await alertNoFreeDay(tx, rule);
      break;
    }
    if (isAnothers(rule, period.period, found.date, days)) await recordSkipped(tx, rule, [period]);
    else days.set(await makeTask(tx, rule, period, found), found.date);
    next = period.period + 1;
  }
  if (next > rule.next_period) {
    await setNextPeriod(tx, rule.id, next);
  }
}

/** The days on which tasks of the rule stand, from yesterday on, by task. */
async function daysOf(tx: Tx, rule: Rule, today: string): Promise<Map<string, string>> {
  const rows = await tx
    .selectFrom('recurrence_period as p')
    .innerJoin('task as t', 't.id', 'p.task_id')
    .select(['t.id', 't.scheduled_at'])
    .where('p.recurrence_id', '=', rule.id)
    .where('t.status', '<>', literal('CANCELLED'))
    .where('t.scheduled_at', '>=', sql<Date>`${today}::timestamptz - interval '1 day'`)
    .execute();
  return new Map(rows.map(({ id, scheduled_at }) => [id, localDate(scheduled_at, rule.time_zone)]));
}

/**
 * Nobody does the same work twice on one day: a period that stays have pushed onto the day of another one is as good as
 * done with it. The day when a later one is due is that one's, made or not.
 */
function isAnothers(rule: Rule, period: number, date: string, days: ReadonlyMap<string, string>): boolean {
  const dueThen = periodDueOn(rule.every, rule.anchor_date, date);
  return (dueThen !== null && dueThen > period) || [...days.values()].includes(date);
}

async function dueOf(tx: Tx, rule: Rule, today: string): Promise<DuePeriods> {
  const { every } = rule;
  if (!isByUse(every)) return duePeriods(every, rule.anchor_date, rule.next_period, today);
  const { rows } = await sql<{ stays: number; nights: number }>`
    SELECT count(*)::int AS stays, coalesce(sum(coalesce(departure_date, check_out_date) - check_in_date), 0)::int AS nights
      FROM reservation WHERE property_id = ${rule.property_id} AND kind = 'STAY' AND status = 'CHECKED_OUT'
       AND coalesce(departure_date, check_out_date) >= ${rule.anchor_date}::date`.execute(tx);
  const used = 'stays' in every ? rows[0]?.stays : rows[0]?.nights;
  return duePeriodsByUse(every, used ?? 0, rule.next_period, today);
}

/** An agreed departure may be later than the property's own time. */
async function staysFrom(tx: Tx, propertyId: string, today: string): Promise<readonly Occupied[]> {
  const { rows } = await sql<StayTimeRow>`
    SELECT r.check_in_date, coalesce(r.departure_date, r.check_out_date) AS check_out_date, r.planned_arrival, r.planned_departure,
           p.time_zone, p.check_in_time, p.check_out_time
      FROM reservation r JOIN property p ON p.id = r.property_id
     WHERE r.property_id = ${propertyId} AND r.status IN ('CONFIRMED', 'CHECKED_IN')
       AND coalesce(r.departure_date, r.check_out_date) >= ${today}::date
     ORDER BY r.check_in_date LIMIT ${MAX_STAYS}::int`.execute(tx);
  return rows.map((row) => {
    const { departure } = stayTimes(stayDatesOf(row), propertyTimesOf(row));
    return { from: row.check_in_date, to: departure.date, leavesAt: departure.time };
  });
}

async function makeTask(
  tx: Tx,
  rule: Rule,
  period: Period,
  slot: { readonly scheduledAt: string; readonly endsAt: string; readonly localRule: string },
): Promise<string> {
  const id = newId('task');
  const made = await insertTaskOnce(tx, {
    id,
    type: rule.type,
    occurrence: 'RECURRING',
    title: rule.title,
    description: rule.description,
    checklist: rule.checklist && JSON.stringify(rule.checklist.map(itemOf)),
    property_id: rule.property_id,
    status: 'UNASSIGNED',
    scheduled_at: slot.scheduledAt,
    ends_at: slot.endsAt,
    local_rule: slot.localRule,
    effect_key: `${rule.id}-${period.period}`,
  });
  if (made === null) return id;
  await tx
    .insertInto('recurrence_period')
    .values({ ...columnsOf(rule, period), status: 'MADE', task_id: made })
    .execute();
  await notifyOwner(tx, rule, made, 1);
  return id;
}

const itemOf = (label: string, n: number): ChecklistItem => ({ id: `item-${n + 1}`, label, required: true });

const columnsOf = (rule: Rule, { period, dueDate, lastDate }: Period) => ({
  recurrence_id: rule.id,
  period,
  due_date: dueDate,
  last_date: lastDate,
});

const recordSkipped = (tx: Tx, rule: Rule, periods: readonly Period[]) =>
  tx
    .insertInto('recurrence_period')
    .values(periods.map((period) => ({ ...columnsOf(rule, period), status: 'SKIPPED' as const })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();

async function notifyOwner(tx: Tx, rule: Rule, taskId: string, version: number): Promise<void> {
  const { type, owner_id: ownerId } = rule;
  const message =
    type === 'INSPECTION' ? inspectionMessage(ownerId, taskId) : maintenancePlannedMessage(ownerId, taskId);
  await enqueueInTransaction(tx, `${taskId}-planned-${version}`, [message], { sagaId: null, reservationId: null });
}

const alertNoFreeDay = (tx: Tx, rule: Rule) =>
  raiseAlert(tx, {
    about: 'rule',
    id: rule.id,
    source: 'RecurringWork',
    step: rule.type,
    code: 'NO_FREE_DAY',
    group: `recurrence-${rule.id}`,
  });

interface Calendar {
  readonly slot: Slot;
  readonly stays: readonly Occupied[];
  readonly now: Date;
  /** `daysOf`; kept true while tasks move. */
  readonly days: Map<string, string>;
}

/**
 * A task that has not begun, and whose time no person has set, gives way to a stay that was confirmed later. It keeps its
 * row; where another task of the rule stands on the day that is left, it is cancelled.
 */
async function moveOvertaken(tx: Tx, rule: Rule, { slot, stays, now, days }: Calendar): Promise<void> {
  const { rows } = await sql<MadeTask>`
    SELECT t.id, p.period, t.status, t.assignee_id, t.version, t.scheduled_at, p.last_date
      FROM recurrence_period p JOIN task t ON t.id = p.task_id
     WHERE p.recurrence_id = ${rule.id} AND t.status IN ('UNASSIGNED', 'ASSIGNED') AND t.scheduled_at >= ${now}::timestamptz
       AND NOT 'scheduledDate' = ANY(t.manual_fields)
     ORDER BY t.scheduled_at, p.period FOR UPDATE OF t`.execute(tx);
  const overtaken = rows
    .map((task) => ({ ...task, date: localDate(task.scheduled_at, rule.time_zone) }))
    .filter(({ date }) => !isFree(date, slot, stays));
  for (const { date, ...task } of overtaken) {
    const found = firstFreeSlot(date, task.last_date, slot, stays, now);
    if (!found) {
      await alertNoFreeDay(tx, rule);
      continue;
    }
    if (isAnothers(rule, task.period, found.date, days)) {
      await callOff(tx, rule, task);
      days.delete(task.id);
      continue;
    }
    days.set(task.id, found.date);
    const version = task.version + 1;
    await rescheduleTask(tx, task.id, found, version);
    await notifyOwner(tx, rule, task.id, version);
    await notifyWithdrawn(tx, task, `${task.id}-moved-${version}`);
  }
}

async function callOff(tx: Tx, rule: Rule, task: MadeTask): Promise<void> {
  const version = task.version + 1;
  await cancelTasks(tx, [task.id]);
  await tx
    .updateTable('recurrence_period')
    .set({ status: 'SKIPPED', task_id: null })
    .where('recurrence_id', '=', rule.id)
    .where('period', '=', task.period)
    .execute();
  await notifyWithdrawn(tx, task, `${task.id}-skipped-${version}`);
}

async function notifyWithdrawn(tx: Tx, { id, assignee_id }: MadeTask, key: string): Promise<void> {
  if (assignee_id === null) return;
  await enqueueInTransaction(tx, key, [taskWithdrawnMessage(assignee_id, id)], { sagaId: null, reservationId: null });
}

const ESCALATE_AFTER_MINUTES = [15, 60] as const;
const MAX_ESCALATIONS = 100;

/** Alerts operations of emergencies that nobody has begun, after 15 minutes and again after 60. Answers the number of messages. */
export async function escalateEmergencies(db: Db, now: Date): Promise<number> {
  let alerts = 0;
  for (const minutes of ESCALATE_AFTER_MINUTES) {
    alerts += await sweepBatch({
      db,
      sweep: 'emergencies',
      limit: MAX_ESCALATIONS,
      run: (scope) =>
        db.transaction().execute(async (tx) => {
          const ids = await waiting(tx, now, minutes, scope);
          for (const id of ids) {
            const message = emergencyAlertMessage(id, minutes);
            await enqueueInTransaction(tx, `${id}-waits-${minutes}`, [message], { sagaId: null, reservationId: null });
          }
          return ids;
        }),
      due: (limit) => waiting(db, now, minutes, { limit, ids: null }),
    });
  }
  return alerts;
}

async function waiting(db: Db | Tx, now: Date, minutes: number, scope: Scope): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    SELECT t.id FROM task t
     WHERE t.type = 'EMERGENCY' AND t.status IN ('UNASSIGNED', 'ASSIGNED') AND ${inScope(scope, sql`t.id`)}
       AND t.created_at <= ${now}::timestamptz - ${minutes}::int * interval '1 minute' AND ${isNotSetAside('emergencies', sql`t.id`)}
       AND NOT EXISTS (SELECT FROM notification n WHERE n.effect_key = t.id || '-waits-' || ${minutes}::int || '-EMAIL-OPS-' || t.id)
     ORDER BY t.created_at LIMIT ${scope.limit}::int`.execute(db);
  return rows.map(({ id }) => id);
}
