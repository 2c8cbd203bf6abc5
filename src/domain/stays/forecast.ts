import { sql } from 'kysely';
import type { Db } from '../../db/client.ts';
import { literal, literals } from '../../db/literal.ts';
import type { Channel, RecipientType, ReservationStatus } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { isAboutStay } from '../messages/about-stay.ts';
import { confirmationMessages, type Delivery, thankYouMessages, welcomeMessages } from '../messages/matrix.ts';
import { mayDecline } from '../messages/matrix-table.ts';
import { type PlannedReminder, planReminders, REMINDERS, reminderKeyOf } from '../messages/reminder-plan.ts';
import { selectStays, stayToRemind } from '../messages/reminders.ts';
import { type MessageRules, readMessageRules } from '../messages/rules.ts';
import type { NotificationEvent } from '../messages/templates.ts';
import { type PlannedTask, planStay, type StayOccurrence } from '../reservations/stay-plan.ts';
import { leavesBefore, mayTakeTurnover } from '../tasks/turnover.ts';
import { assertConfirmable } from './confirmable.ts';
import { readVisitTimes } from './visit.ts';

/**
 * Every message and task that a booking will cause, and why (features BEY-10): what there is already, and what follows
 * when it is confirmed, paid in one sum, used, cleaned and paid out as planned. The same pure plans that make the rows
 * make the forecast.
 */

/** What causes a message; `TIME`: its hour comes. */
export type Cause = 'CONFIRM' | 'ASSIGN' | 'PAYMENT' | 'TIME' | 'CHECK_IN' | 'CHECK_OUT' | 'TASK_COMPLETION' | 'PAYOUT';

export interface ForecastMessage {
  readonly event: string;
  readonly channel: Channel;
  readonly recipientType: RecipientType;
  /** Null: whoever it will be. */
  readonly recipientId: string | null;
  readonly on: Cause | null;
  /** ISO instant; null: as soon as it is caused. */
  readonly at: string | null;
  readonly why: string;
  /** `EXPECTED`, or the state of the message that there is. */
  readonly status: string;
  readonly reason: string | null;
  readonly notificationId: string | null;
  readonly taskId: string | null;
}
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

const WHY: Readonly<Record<Exclude<Cause, 'TIME'>, string>> = {
  CONFIRM: 'when the reservation is confirmed',
  ASSIGN: 'when somebody is given the task',
  PAYMENT: 'when the guest pays; here in one sum',
  CHECK_IN: 'when the guest is checked in',
  CHECK_OUT: 'when the guest is checked out',
  TASK_COMPLETION: 'when the task is completed',
  PAYOUT: 'when the owner is paid out',
};

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
  const expected = [
    ...onConfirmation(stay, planned),
    ...onPayment(stay),
    ...onVisits(stay),
    ...atTheirTime(stay, rules, new Set(existing.map(({ key }) => key))),
    ...onCompletion(stay, planned),
  ];
  return {
    reservationId,
    status: stay.status,
    timeZone: stay.time_zone,
    wouldBeRefused: refusal,
    messages: [
      ...existing.map(({ key: _, ...message }) => message),
      ...expected.map((message) => wished(message, unwanted)),
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
    on: REMINDERS.some((event) => event === row.event) ? ('TIME' as const) : null,
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
    .where('t.status', 'in', literals(['UNASSIGNED', 'ASSIGNED']))
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

const partiesOf = (stay: Stay) => ({
  guestId: stay.guest_id,
  guestHasPhone: stay.guest_has_phone,
  ownerId: stay.owner_id,
});

type Expected = ForecastMessage & { readonly event: NotificationEvent };

const expect = (
  on: Exclude<Cause, 'TIME'>,
  delivery: Omit<Delivery, 'template' | 'recipientId'> & { readonly recipientId: string | null },
): Expected => ({
  event: delivery.event,
  channel: delivery.channel,
  recipientType: delivery.recipientType,
  recipientId: delivery.recipientId,
  on,
  at: null,
  why: WHY[on],
  status: 'EXPECTED',
  reason: null,
  notificationId: null,
  taskId: delivery.taskId ?? null,
});

/** Tasks that nobody has yet are still to be given to somebody. */
function onConfirmation(stay: Stay, tasks: readonly ForecastTask[]): readonly Expected[] {
  const confirmed = stay.status === 'PENDING' ? confirmationMessages(partiesOf(stay)) : [];
  const toStaff = { event: 'TASK_ASSIGNED', channel: 'EMAIL', recipientType: 'STAFF', recipientId: null } as const;
  const assigned = tasks
    .filter(({ status }) => status === 'EXPECTED' || status === 'UNASSIGNED')
    .map(({ taskId }) => expect('ASSIGN', { ...toStaff, ...(taskId !== null && { taskId }) }));
  return [...confirmed.map((message) => expect('CONFIRM', message)), ...assigned];
}

const IS_AHEAD: ReadonlySet<ReservationStatus> = new Set(['PENDING', 'CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT']);

function onPayment(stay: Stay): readonly Expected[] {
  const owner = { recipientType: 'OWNER', recipientId: stay.owner_id, channel: 'EMAIL' } as const;
  if (!IS_AHEAD.has(stay.status) || stay.guest_id === null) {
    // What a cancelled stay leaves to the owner is still paid out.
    return stay.has_open_payout ? [expect('PAYOUT', { ...owner, event: 'PAYOUT_PROCESSED' })] : [];
  }
  const isOpen = stay.total_minor > 0 && (stay.payment_status === 'UNPAID' || stay.payment_status === 'PARTIALLY_PAID');
  const channels = stay.guest_has_phone ? (['EMAIL', 'SMS'] as const) : (['EMAIL'] as const);
  const guest = { event: 'PAYMENT_CONFIRMED', recipientType: 'GUEST', recipientId: stay.guest_id } as const;
  return [
    ...(isOpen ? channels.map((channel) => expect('PAYMENT', { ...guest, channel })) : []),
    ...(isOpen ? [expect('PAYMENT', { ...owner, event: 'PAYOUT_SCHEDULED' })] : []),
    ...(isOpen || stay.has_open_payout ? [expect('PAYOUT', { ...owner, event: 'PAYOUT_PROCESSED' })] : []),
  ];
}

function onVisits(stay: Stay): readonly Expected[] {
  const parties = partiesOf(stay);
  const welcome = welcomeMessages(parties, stay.amenity_device !== null).map((message) => expect('CHECK_IN', message));
  const thanks = thankYouMessages(parties).map((message) => expect('CHECK_OUT', message));
  if (stay.status === 'PENDING' || stay.status === 'CONFIRMED') return [...welcome, ...thanks];
  return stay.status === 'CHECKED_IN' ? thanks : [];
}

/** Reminders that have no row yet, as if the stay went on as planned. */
function atTheirTime(stay: Stay, rules: MessageRules, known: ReadonlySet<string>): readonly Expected[] {
  if (stay.guest_id === null || stay.kind !== 'STAY' || !IS_AHEAD.has(stay.status)) return [];
  const now = remindable(stay, stay.status === 'PENDING' ? 'CONFIRMED' : stay.status);
  const departure = new Date(planStay(now, now.clock).checkOut.scheduledAt);
  const afterwards =
    stay.status === 'CHECKED_OUT'
      ? []
      : planReminders({ ...now, status: 'CHECKED_OUT', checkedOutAt: departure }, rules, now.confirmedAt);
  return [...planReminders(now, rules, now.confirmedAt), ...afterwards]
    .filter((reminder) => !known.has(reminderKeyOf(stay.id, reminder)))
    .map((reminder) => expectedReminder(stay.guest_id, reminder));
}

const expectedReminder = (guestId: string | null, reminder: PlannedReminder): Expected => ({
  event: reminder.event,
  channel: reminder.channel,
  recipientType: 'GUEST',
  recipientId: guestId,
  on: 'TIME',
  at: reminder.dueAt.toISOString(),
  why: reminder.rule,
  status: reminder.skipped === null ? 'EXPECTED' : 'SKIPPED',
  reason: reminder.skipped,
  notificationId: null,
  taskId: null,
});

/** The agents of the property hear of every task that is done, and operations where there is none. */
function onCompletion(stay: Stay, tasks: readonly ForecastTask[]): readonly Expected[] {
  const open = tasks.filter(({ status }) => ['EXPECTED', 'UNASSIGNED', 'ASSIGNED', 'IN_PROGRESS'].includes(status));
  const told = (event: NotificationEvent, taskId: string | null, staff: readonly (string | null)[]) => {
    const message = { event, channel: 'EMAIL' as const, ...(taskId !== null && { taskId }) };
    return staff.length === 0
      ? [expect('TASK_COMPLETION', { ...message, recipientType: 'OPS', recipientId: 'ops' })]
      : staff.map((recipientId) => expect('TASK_COMPLETION', { ...message, recipientType: 'STAFF', recipientId }));
  };
  return open.flatMap((task) => [
    ...told('TASK_COMPLETED', task.taskId, stay.agent_ids),
    // The agent who meets the guest hears that the place is ready.
    ...(task.occurrence === 'PRE_ARRIVAL' && !stay.inspection_required
      ? told('PROPERTY_READY', task.taskId, [null])
      : []),
  ]);
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

function wished(message: Expected, { off, declined, digested }: Unwanted): ForecastMessage {
  if (message.status !== 'EXPECTED') return message;
  const { event, recipientType, recipientId, channel } = message;
  const isOff = off.has(`${event} ${recipientType} ${channel}`);
  const isDeclined =
    mayDecline(event, recipientType, channel) &&
    [event, '*'].some((what) => declined.has(`${what} ${recipientType} ${recipientId} ${channel}`));
  const isDigested = event === 'TASK_COMPLETED' && recipientId !== null && digested.has(recipientId);
  if (!isOff && !isDeclined && !isDigested) return message;
  return { ...message, status: 'SKIPPED', reason: isOff ? 'SWITCHED_OFF' : isDeclined ? 'OPTED_OUT' : 'IN_DIGEST' };
}
