import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import type { ReservationStatus } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { isAboutStay } from '../messages/about-stay.ts';
import { messageOf } from '../messages/catalogue/index.ts';
import type { StayOutlook } from '../messages/catalogue/outlook.ts';
import { type Expected, expectedOf, type ForecastMessage } from '../messages/expected.ts';
import { mayDecline } from '../messages/matrix-table.ts';
import { type PlannedReminder, planReminders, reminderKeyOf } from '../messages/reminder-plan.ts';
import { selectStays, stayToRemind } from '../messages/reminders.ts';
import { type MessageRules, readMessageRules } from '../messages/rules.ts';
import { type PlannedTask, planStay, type StayOccurrence } from '../reservations/stay-plan.ts';
import { statusLiterals } from '../tasks/transitions.ts';
import { leavesBefore, mayTakeTurnover } from '../tasks/turnover.ts';
import { assertConfirmable } from './confirmable.ts';
import { readVisitTimes } from './visit.ts';

/**
 * Every message and task that a booking will cause, and why: what there is already, and what follows
 * when it is confirmed, paid in one sum, used, cleaned and paid out as planned. The same pure plans that make the rows
 * make the forecast.
 */

export interface ForecastTask {
  readonly type: string;
  readonly occurrence: string;
  readonly scheduledAt: string;
  readonly endsAt: string;
  readonly mustFinishBy: string | null;
  readonly why: string;
  readonly status: string;
  readonly assigneeId: string | null;
  readonly taskId: string | null;
}
export interface Forecast {
  readonly reservationId: string;
  readonly status: ReservationStatus;
  readonly timeZone: string;
  /** The code with which a confirmation would be refused now. */
  readonly wouldBeRefused: string | null;
  readonly messages: readonly ForecastMessage[];
  readonly tasks: readonly ForecastTask[];
}

/** Throws `RESERVATION_NOT_FOUND`. */
export async function forecastStay(db: Db, reservationId: string): Promise<Forecast> {
  const stay = await readStay(db, reservationId);
  const [rules, existing, tasks, unwanted] = await Promise.all([
    readMessageRules(db),
    existingMessages(db, reservationId),
    existingTasks(db, reservationId),
    readUnwanted(db),
  ]);
  const isPending = stay.status === 'PENDING';
  const refusal = isPending ? await refusalOf(db, reservationId, stay.now) : null;
  const planned = isPending && tasks.length === 0 ? await plannedTasks(db, stay) : tasks;
  const reminders = remindersAhead(stay, rules, new Set(existing.map(({ key }) => key)));
  const expected = expectedOf(outlookOf(stay, planned, reminders));
  return {
    reservationId,
    status: stay.status,
    timeZone: stay.time_zone,
    wouldBeRefused: refusal,
    messages: [
      ...existing.map(({ key: _, ...message }) => message),
      ...expected.map((message) => asPreferred(message, unwanted)),
    ],
    tasks: planned,
  };
}

type Stay = Awaited<ReturnType<typeof readStay>>;

async function readStay(db: Db, id: string) {
  const row = await selectStays(db)
    .where('r.id', '=', id)
    .select((eb) => [
      'p.owner_id',
      'p.agent_ids',
      'p.amenity_device',
      'p.inspection_required',
      'r.payment_status',
      eb
        .exists(
          eb
            .selectFrom('transaction as x')
            .select('x.id')
            .whereRef('x.reservation_id', '=', 'r.id')
            .where('x.type', '=', literal('OWNER_PAYOUT'))
            .where('x.status', 'in', literals(['PENDING', 'PROCESSING'])),
        )
        .$castTo<boolean>()
        .as('has_open_payout'),
    ])
    .executeTakeFirst();
  if (!row) throw new RoomyError('RESERVATION_NOT_FOUND', { details: { id } });
  return row;
}

async function refusalOf(db: Db, reservationId: string, now: Date): Promise<string | null> {
  try {
    await assertConfirmable({ db, reservationId, requestedAt: now });
    return null;
  } catch (error) {
    if (error instanceof RoomyError && error.kind === 'refusal') return error.code;
    throw error;
  }
}

async function existingMessages(db: Db, reservationId: string) {
  const rows = await db
    .selectFrom('notification')
    .selectAll()
    .where(isAboutStay(reservationId))
    .orderBy('due_at')
    .orderBy('id')
    .execute();
  return rows.map((row) => ({
    key: row.effect_key,
    event: row.event,
    channel: row.channel,
    recipientType: row.recipient_type,
    recipientId: row.recipient_id,
    on: messageOf(row.event)?.isPlanned ? ('TIME' as const) : null,
    at: (row.sent_at ?? row.due_at).toISOString(),
    why: row.due_rule ?? (row.resend_of === null ? 'it was caused' : 'somebody asked for it again'),
    status: row.status,
    reason: row.reason,
    notificationId: row.id,
    taskId: row.task_id,
  }));
}

async function existingTasks(db: Db, reservationId: string): Promise<readonly ForecastTask[]> {
  const rows = await db
    .selectFrom('task')
    .selectAll()
    .where('reservation_id', '=', reservationId)
    .where('deleted_at', 'is', null)
    .orderBy('scheduled_at')
    .orderBy('id')
    .execute();
  return rows.map((row) => ({
    type: row.type,
    occurrence: row.occurrence,
    scheduledAt: row.scheduled_at.toISOString(),
    endsAt: row.ends_at.toISOString(),
    mustFinishBy: row.must_finish_by?.toISOString() ?? null,
    why: row.local_rule ?? 'somebody made it',
    status: row.status,
    assigneeId: row.assignee_id,
    taskId: row.id,
  }));
}

const OCCURRENCES = {
  PRE_ARRIVAL: 'preArrivalCleaning',
  ARRIVAL: 'checkIn',
  DEPARTURE: 'checkOut',
  POST_DEPARTURE: 'postDepartureCleaning',
} as const satisfies Record<StayOccurrence, string>;

/** As the confirmation would make them; a cleaning that another stay's does as well is merged into that. */
async function plannedTasks(db: Db, stay: Stay): Promise<readonly ForecastTask[]> {
  const times = await readVisitTimes(db, stay.id);
  if (times === null) return [];
  const { plan } = times;
  const merged = await hasTurnover(db, stay, plan.preArrivalCleaning.mustFinishBy);
  const taskOf = (planned: PlannedTask, status: string): ForecastTask => ({
    type: planned.type,
    occurrence: planned.occurrence,
    scheduledAt: planned.scheduledAt,
    endsAt: planned.endsAt,
    mustFinishBy: planned.mustFinishBy,
    why: planned.localRule,
    status,
    assigneeId: null,
    taskId: null,
  });
  return Object.values(OCCURRENCES).map((key) =>
    taskOf(plan[key], key === 'preArrivalCleaning' && merged ? 'MERGED' : 'EXPECTED'),
  );
}

async function hasTurnover(db: Db, stay: Stay, arrival: string | null): Promise<boolean> {
  const found = await db
    .selectFrom('reservation as o')
    .innerJoin('reservation as r', (join) => join.on('r.id', '=', stay.id))
    .innerJoin('task as t', 't.reservation_id', 'o.id')
    .where(leavesBefore('o', 'r'))
    .where(mayTakeTurnover('t', sql`${arrival}::timestamptz`))
    .where('t.occurrence', '=', 'POST_DEPARTURE')
    .where('t.status', 'in', statusLiterals('settle'))
    .select('t.id')
    .limit(1)
    .executeTakeFirst();
  return found !== undefined;
}

const remindable = (stay: Stay, status: ReservationStatus) =>
  stayToRemind(stay, {
    status,
    confirmedAt: stay.confirmed_at ?? stay.now,
    checkedOutAt: stay.actual_check_out_at,
  });

const IS_AHEAD: ReadonlySet<ReservationStatus> = new Set(['PENDING', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT']);

function outlookOf(stay: Stay, tasks: readonly ForecastTask[], reminders: readonly PlannedReminder[]): StayOutlook {
  const isOwed = stay.total_minor > 0 && (stay.payment_status === 'UNPAID' || stay.payment_status === 'PARTIALLY_PAID');
  return {
    guestId: stay.guest_id,
    guestHasPhone: stay.guest_has_phone,
    ownerId: stay.owner_id,
    status: stay.status,
    willBePaid: isOwed && IS_AHEAD.has(stay.status) && stay.guest_id !== null,
    isPayoutOpen: stay.has_open_payout,
    hasDevice: stay.amenity_device !== null,
    agentIds: stay.agent_ids,
    isInspected: stay.inspection_required,
    tasks,
    reminders,
  };
}

/** Reminders that have no row yet, as if the stay went on as planned. */
function remindersAhead(stay: Stay, rules: MessageRules, known: ReadonlySet<string>): readonly PlannedReminder[] {
  if (stay.guest_id === null || stay.kind !== 'STAY' || !IS_AHEAD.has(stay.status)) return [];
  const now = remindable(stay, stay.status === 'PENDING' ? 'CONFIRMED' : stay.status);
  const departure = new Date(planStay(now, now.clock).checkOut.scheduledAt);
  const afterwards =
    stay.status === 'CHECKED_OUT'
      ? []
      : planReminders({ ...now, status: 'CHECKED_OUT', checkedOutAt: departure }, rules, now.confirmedAt);
  return [...planReminders(now, rules, now.confirmedAt), ...afterwards].filter(
    (reminder) => !known.has(reminderKeyOf(stay.id, reminder)),
  );
}

interface Unwanted {
  readonly off: ReadonlySet<string>;
  readonly declined: ReadonlySet<string>;
  /** Recipients who get completed tasks in one mail a day. */
  readonly digested: ReadonlySet<string>;
}

async function readUnwanted(db: Db): Promise<Unwanted> {
  const [settings, optOuts, digested] = await Promise.all([
    db.selectFrom('message_setting').selectAll().where('enabled', '=', false).execute(),
    db.selectFrom('message_opt_out').selectAll().execute(),
    db.selectFrom('staff').select('id').where('digest', '=', true).execute(),
  ]);
  return {
    off: new Set(settings.map((row) => `${row.event} ${row.recipient_type} ${row.channel}`)),
    digested: new Set(digested.map(({ id }) => id)),
    declined: new Set(optOuts.map((row) => `${row.event} ${row.recipient_type} ${row.recipient_id} ${row.channel}`)),
  };
}

function asPreferred(message: Expected, { off, declined, digested }: Unwanted): ForecastMessage {
  if (message.status !== 'EXPECTED') return message;
  const { event, recipientType, recipientId, channel } = message;
  const isOff = off.has(`${event} ${recipientType} ${channel}`);
  const isDeclined =
    mayDecline(event, recipientType, channel) &&
    [event, '*'].some((what) => declined.has(`${what} ${recipientType} ${recipientId} ${channel}`));
  const isDigested = messageOf(event)?.digest !== undefined && recipientId !== null && digested.has(recipientId);
  if (!isOff && !isDeclined && !isDigested) return message;
  return { ...message, status: 'SKIPPED', reason: isOff ? 'SWITCHED_OFF' : isDeclined ? 'OPTED_OUT' : 'IN_DIGEST' };
}
