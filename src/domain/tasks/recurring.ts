import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { ChecklistItem, RecurrenceEvery, TaskStatus } from '../../db/schema.ts';
import { newId } from '../../kernel/ids.ts';
import { raiseSystemAlert } from '../notifications/alerts.ts';
import { enqueueInTransaction } from '../notifications/enqueue.ts';
import {
  emergencyAlertMessage,
  inspectionMessage,
  maintenancePlannedMessage,
  taskWithdrawnMessage,
} from '../notifications/matrix.ts';
import {
  type DuePeriods,
  duePeriods,
  duePeriodsByUse,
  firstFreeSlot,
  isByUse,
  isFree,
  type Occupied,
  type Period,
  type Slot,
} from './recurrence.ts';
import { localDate } from './schedule.ts';

interface Rule {
  readonly id: string;
  readonly property_id: string;
  readonly owner_id: string;
  readonly type: 'INSPECTION' | 'MAINTENANCE';
  readonly title: string;
  readonly description: string | null;
  readonly checklist: readonly string[] | null;
  readonly every: RecurrenceEvery;
  readonly anchor_date: string;
  readonly local_time: string;
  readonly duration_minutes: number;
  readonly next_period: number;
  readonly time_zone: string;
}
interface MadeTask {
  readonly id: string;
  readonly status: TaskStatus;
  readonly assignee_id: string | null;
  readonly version: number;
  readonly scheduled_at: Date;
  readonly last_date: string;
}

const LOOK_EVERY_MINUTES = 10;
/** Stays that end later than this are of no concern to a task of the horizon. */
const MAX_STAYS = 1_000;

/**
 * Makes what recurring rules ask for by `now`, and moves what a stay has overtaken; answers how many rules it looked
 * at. Any number of sweeps may run at once: a rule is looked at by one of them, and a task is one row by its key.
 */
export function sweepRecurrences(db: Db, now: Date, limit: number): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const rules = await takeRules(tx, now, limit);
    for (const rule of rules) await lookAt(tx, rule, now);
    return rules.length;
  });
}

async function takeRules(tx: Tx, now: Date, limit: number): Promise<readonly Rule[]> {
  const { rows } = await sql<Rule>`
    UPDATE recurrence r SET next_look_at = ${now}::timestamptz + ${LOOK_EVERY_MINUTES}::int * interval '1 minute'
      FROM (SELECT id FROM recurrence WHERE active AND next_look_at <= ${now}::timestamptz
             ORDER BY next_look_at LIMIT ${limit}::int FOR UPDATE SKIP LOCKED) AS due, property p
     WHERE r.id = due.id AND p.id = r.property_id
    RETURNING r.id, r.property_id, p.owner_id, r.type, r.title, r.description, r.checklist, r.every, r.anchor_date, r.local_time,
              r.duration_minutes, r.next_period, p.time_zone`.execute(tx);
  return rows;
}

async function lookAt(tx: Tx, rule: Rule, now: Date): Promise<void> {
  const today = localDate(now, rule.time_zone);
  const slot: Slot = { localTime: rule.local_time, minutes: rule.duration_minutes, timeZone: rule.time_zone };
  const stays = await staysFrom(tx, rule.property_id, today);
  await moveOvertaken(tx, rule, slot, stays, now);
  const { make, skip } = await dueOf(tx, rule, today);
  if (skip.length > 0) await recordSkipped(tx, rule, skip);
  let next = Math.max(rule.next_period, (skip.at(-1)?.period ?? -1) + 1);
  for (const period of make) {
    const found = firstFreeSlot(period.dueDate, period.lastDate, slot, stays, now);
    if (!found) {
      await alertNoFreeDay(tx, rule);
      break;
    }
    await makeTask(tx, rule, period, found);
    next = period.period + 1;
  }
  if (next > rule.next_period) {
    await tx.updateTable('recurrence').set({ next_period: next }).where('id', '=', rule.id).execute();
  }
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

/** A planned departure may be later than the property's own time. */
async function staysFrom(tx: Tx, propertyId: string, today: string): Promise<readonly Occupied[]> {
  const { rows } = await sql<Occupied>`
    SELECT r.check_in_date AS "from", coalesce(r.departure_date, r.check_out_date) AS "to",
           coalesce(right(r.planned_departure, 5), p.check_out_time) AS "leavesAt"
      FROM reservation r JOIN property p ON p.id = r.property_id
     WHERE r.property_id = ${propertyId} AND r.status IN ('CONFIRMED', 'CHECKED_IN')
       AND coalesce(r.departure_date, r.check_out_date) >= ${today}::date
     ORDER BY r.check_in_date LIMIT ${MAX_STAYS}::int`.execute(tx);
  return rows;
}

async function makeTask(
  tx: Tx,
  rule: Rule,
  period: Period,
  slot: { readonly scheduledAt: string; readonly endsAt: string; readonly localRule: string },
): Promise<void> {
  const made = await tx
    .insertInto('task')
    .values({
      id: newId('task'),
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
    })
    .onConflict((conflict) => conflict.column('effect_key').doNothing())
    .returning('id')
    .executeTakeFirst();
  if (!made) return;
  await tx
    .insertInto('recurrence_period')
    .values({ ...columnsOf(rule, period), status: 'MADE', task_id: made.id })
    .execute();
  await tellOwner(tx, rule, made.id, 1);
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

async function tellOwner(tx: Tx, rule: Rule, taskId: string, version: number): Promise<void> {
  const { type, owner_id: ownerId } = rule;
  const message =
    type === 'INSPECTION' ? inspectionMessage(ownerId, taskId) : maintenancePlannedMessage(ownerId, taskId);
  await enqueueInTransaction(tx, `${taskId}-planned-${version}`, [message], { sagaId: null, reservationId: null });
}

const alertNoFreeDay = (tx: Tx, rule: Rule) =>
  raiseSystemAlert(tx, `recurrence-${rule.id}`, {
    sagaName: 'RecurringWork',
    step: rule.type,
    code: 'NO_FREE_DAY',
    sagaId: rule.id,
  });

/** What has not begun and was not timed by a person gives way to a stay that was confirmed later. The row is the same. */
async function moveOvertaken(tx: Tx, rule: Rule, slot: Slot, stays: readonly Occupied[], now: Date): Promise<void> {
  const { rows } = await sql<MadeTask>`
    SELECT t.id, t.status, t.assignee_id, t.version, t.scheduled_at, p.last_date
      FROM recurrence_period p JOIN task t ON t.id = p.task_id
     WHERE p.recurrence_id = ${rule.id} AND t.status IN ('UNASSIGNED', 'ASSIGNED') AND t.scheduled_at >= ${now}::timestamptz
       AND NOT 'scheduledDate' = ANY(t.manual_fields)
       FOR UPDATE OF t`.execute(tx);
  for (const task of rows) {
    const date = localDate(task.scheduled_at, rule.time_zone);
    if (isFree(date, slot, stays)) continue;
    const found = firstFreeSlot(date, task.last_date, slot, stays, now);
    if (!found) {
      await alertNoFreeDay(tx, rule);
      continue;
    }
    const version = task.version + 1;
    await tx
      .updateTable('task')
      .set({
        scheduled_at: found.scheduledAt,
        ends_at: found.endsAt,
        local_rule: found.localRule,
        status: 'UNASSIGNED',
        assignee_id: null,
        slot_start: null,
        slot_end: null,
        accept_by: null,
        accepted_at: null,
        alert_level: 0,
        assign_attempts: 0,
        next_assign_at: sql<Date>`now()`,
        version,
      })
      .where('id', '=', task.id)
      .execute();
    await tellOwner(tx, rule, task.id, version);
    if (task.assignee_id !== null) {
      const about = { sagaId: null, reservationId: null };
      await enqueueInTransaction(
        tx,
        `${task.id}-moved-${version}`,
        [taskWithdrawnMessage(task.assignee_id, task.id)],
        about,
      );
    }
  }
}

const ESCALATE_AFTER_MINUTES = [15, 60] as const;
const MAX_ESCALATIONS = 100;

/** Emergencies that nobody has begun with: ops are told after 15 minutes, and once more after 60. */
export async function escalateEmergencies(db: Db, now: Date): Promise<number> {
  let told = 0;
  for (const minutes of ESCALATE_AFTER_MINUTES) {
    const { rows } = await sql<{ id: string }>`
      SELECT t.id FROM task t
       WHERE t.type = 'EMERGENCY' AND t.status IN ('UNASSIGNED', 'ASSIGNED')
         AND t.created_at <= ${now}::timestamptz - ${minutes}::int * interval '1 minute'
         AND NOT EXISTS (SELECT FROM notification n WHERE n.effect_key = t.id || '-waits-' || ${minutes}::int || '-EMAIL-OPS-' || t.id)
       ORDER BY t.created_at LIMIT ${MAX_ESCALATIONS}::int`.execute(db);
    await db.transaction().execute(async (tx) => {
      for (const { id } of rows) {
        const message = emergencyAlertMessage(id, minutes);
        await enqueueInTransaction(tx, `${id}-waits-${minutes}`, [message], { sagaId: null, reservationId: null });
      }
    });
    told += rows.length;
  }
  return told;
}
