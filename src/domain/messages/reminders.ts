import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { NotificationStatus, ReservationStatus } from '../../db/schema.ts';
import { newId } from '../../kernel/ids.ts';
import { skipPlanned } from '../notifications/store/move.ts';
import { upsertPlanned } from '../notifications/store/order.ts';
import { propertyClockOf, stayDatesOf } from '../reservations/stay-plan.ts';
import { markReminded } from '../reservations/store.ts';
import { isNotSetAside } from '../sweeps/failures.ts';
import { inScope, type Scope, sweepBatch } from '../sweeps/isolate.ts';
import { messageOf } from './catalogue/index.ts';
import {
  isCorrection,
  NAMES_A_TIME,
  type PlannedReminder,
  planCorrection,
  planReminders,
  REMINDERS,
  reminderKeyOf,
  type StayToRemind,
} from './reminder-plan.ts';
import { type MessageRules, readMessageRules } from './rules.ts';

/**
 * Keeps the reminders of stays as their plan says: a stay whose version differs from the one that was planned for is
 * looked at. So whatever changes a stay (a confirmation, a cancellation, an early departure, another time at the
 * property) moves its reminders, and a lost wake-up costs nothing.
 */

/** Plans for at most `limit` stays and answers how many; zero: none is left. Safe in any number of workers at once. */
export const planDueReminders = (db: Db, limit: number): Promise<number> =>
  sweepBatch({
    db,
    sweep: 'reminders',
    limit,
    run: (scope) => db.transaction().execute((tx) => plan(tx, scope)),
    due: async (some) => {
      const { rows } = await sql<{ id: string }>`
        SELECT m.reservation_id AS id FROM reminder_mark m WHERE ${isUnplanned} ORDER BY m.reservation_id LIMIT ${some}::int`.execute(
        db,
      );
      return rows.map(({ id }) => id);
    },
  });

/** SQL over `m`, a mark: the stay is not set aside. Marks are kept by the database, one for each stay whose version is another than the planned one. */
export const isUnplanned = isNotSetAside('reminders', sql`m.reservation_id`);

/** SQL: whether a stay's reminders are not as they should be. */
export const remindersDue = sql<boolean>`EXISTS (SELECT FROM reminder_mark m WHERE ${isUnplanned})`;

async function plan(tx: Tx, scope: Scope): Promise<readonly string[]> {
  const stays = await lockStays(tx, scope);
  if (stays.length === 0) return [];
  const rules = await readMessageRules(tx);
  const ids = stays.map(({ id }) => id);
  const planned = await plannedAlready(tx, ids);
  const changes = stays.map((stay) => changesOf(stay, rules, planned.get(stay.id) ?? []));
  await order(
    tx,
    changes.flatMap(({ ordered }) => ordered),
  );
  await skipPlanned(
    tx,
    changes.flatMap(({ dropped }) => dropped),
  );
  await markReminded(tx, ids);
  return ids;
}

type LockedStay = Awaited<ReturnType<typeof lockStays>>[number];

/** So many more are looked at than are planned, as somebody else may be at work on some. */
const SPARE = 200;

/**
 * Those that somebody else is at work on are left for the next look, so this never waits. Marks are read first: joined with them, stays
 * in their order would be read from the first on.
 */
const lockStays = (tx: Tx, scope: Scope) =>
  selectStays(tx)
    .where(
      sql<boolean>`r.id = ANY(ARRAY(SELECT m.reservation_id FROM reminder_mark m WHERE ${isUnplanned}
        AND ${inScope(scope, sql`m.reservation_id`)} ORDER BY m.reservation_id LIMIT ${scope.limit + SPARE}::int))`,
    )
    .orderBy('r.id')
    .limit(scope.limit)
    .forUpdate('r')
    .skipLocked()
    .execute();

/** Stays `r` with the columns of property and guest that `stayToRemind` needs; the caller adds which. */
export const selectStays = (db: Db | Tx) =>
  db
    .selectFrom('reservation as r')
    .innerJoin('property as p', 'p.id', 'r.property_id')
    .leftJoin('guest as g', 'g.id', 'r.guest_id')
    .select([
      'r.id',
      'r.kind',
      'r.status',
      'r.guest_id',
      'r.check_in_date',
      'r.check_out_date',
      'r.planned_arrival',
      'r.planned_departure',
      'r.total_minor',
      'r.confirmed_at',
      'r.actual_check_out_at',
      'p.time_zone',
      'p.check_in_time',
      'p.check_out_time',
      'p.cleaning_minutes',
      'p.check_in_reminder_time',
      'p.check_out_reminder_time',
      'p.payment_due_days',
      'g.time_zone as guest_time_zone',
      sql<boolean>`coalesce(g.phone, '') <> ''`.as('guest_has_phone'),
      sql<Date>`now()`.as('now'),
    ]);

/** A stay as `planReminders` takes it, with the status that it has, or would have. */
export const stayToRemind = (
  row: LockedStay,
  as: { readonly status: ReservationStatus; readonly confirmedAt: Date; readonly checkedOutAt: Date | null },
): StayToRemind => ({
  ...as,
  ...stayDatesOf(row),
  clock: propertyClockOf(row),
  checkInReminderTime: row.check_in_reminder_time,
  checkOutReminderTime: row.check_out_reminder_time,
  // Nobody is asked to pay nothing.
  paymentDueDays: row.total_minor === 0 ? null : row.payment_due_days,
  guest: { hasPhone: row.guest_has_phone, timeZone: row.guest_time_zone },
});

interface PlannedRow {
  readonly id: string;
  readonly key: string;
  readonly dueAt: Date;
  /** The time of the rule, without what moved it. */
  readonly rule: string;
  readonly waiting: boolean;
  /** It was too late for it when it was planned. */
  readonly missed: boolean;
  /** The time that it would have named. */
  readonly notAfter: Date | null;
  /** The time that was sent to the recipient; null: nothing was sent yet. */
  readonly sentTime: Date | null;
}

/** Also what is being sent now: its text is made already. */
const WAS_SENT: ReadonlySet<NotificationStatus> = new Set(['SENDING', 'SENT', 'DELIVERED']);

async function plannedAlready(
  tx: Tx,
  reservationIds: readonly string[],
): Promise<ReadonlyMap<string, readonly PlannedRow[]>> {
  const rows = await tx
    .selectFrom('notification')
    .where('reservation_id', '=', sql<string>`ANY(${reservationIds})`)
    .where('event', 'in', REMINDERS)
    .where('resend_of', 'is', null)
    .select(['id', 'reservation_id', 'effect_key', 'due_at', 'due_rule', 'not_after', 'status', 'reason'])
    .execute();
  const byStay = new Map<string, PlannedRow[]>();
  for (const row of rows) {
    const known = byStay.get(row.reservation_id ?? '') ?? [];
    known.push({
      id: row.id,
      key: row.effect_key,
      dueAt: row.due_at,
      rule: row.due_rule ?? '',
      waiting: row.status === 'QUEUED',
      missed: row.status === 'SKIPPED' && row.reason === 'TOO_LATE',
      notAfter: row.not_after,
      sentTime: WAS_SENT.has(row.status) ? row.not_after : null,
    });
    byStay.set(row.reservation_id ?? '', known);
  }
  return byStay;
}

interface OrderedReminder extends PlannedReminder {
  readonly reservationId: string;
  readonly guestId: string;
  readonly key: string;
}
interface Changes {
  readonly ordered: readonly OrderedReminder[];
  readonly dropped: readonly { readonly id: string; readonly reason: string }[];
}

/** The reason with which a waiting reminder is dropped. */
const DROPPED: Readonly<Partial<Record<ReservationStatus, string>>> = {
  PENDING: 'ROLLED_BACK',
  CANCELLED: 'RESERVATION_CANCELLED',
};

function changesOf(stay: LockedStay, rules: MessageRules, known: readonly PlannedRow[]): Changes {
  const { guest_id: guestId, confirmed_at: confirmedAt } = stay;
  const isRemindable = stay.kind === 'STAY' && guestId !== null && confirmedAt !== null;
  const facts = isRemindable
    ? stayToRemind(stay, { status: stay.status, confirmedAt, checkedOutAt: stay.actual_check_out_at })
    : null;
  const plan = facts === null ? [] : planReminders(facts, rules, facts.confirmedAt);
  const byKey = new Map(known.map((row) => [row.key, row]));
  const ordered = plan.map((reminder): OrderedReminder => {
    const occurrence = occurrenceOf(stay, reminder, byKey);
    const key = reminderKeyOf(stay.id, reminder, occurrence);
    const before = byKey.get(key);
    byKey.delete(key);
    const again = facts === null ? reminder : planAgain(facts, rules, stay.now, { reminder, occurrence, before });
    const isOver = again.skipped === null && again.notAfter <= stay.now;
    return { ...again, ...(isOver && { skipped: 'TOO_LATE' }), reservationId: stay.id, guestId: guestId ?? '', key };
  });
  const reason = DROPPED[stay.status] ?? 'NOT_DUE_ANY_MORE';
  const dropped = [...byKey.values()].filter(({ waiting }) => waiting).map(({ id }) => ({ id, reason }));
  return { ordered, dropped };
}

/** The next one where the last that was sent named another time; else the last, which stays as it is once it was sent. */
function occurrenceOf(stay: LockedStay, reminder: PlannedReminder, known: ReadonlyMap<string, PlannedRow>): number {
  if (!NAMES_A_TIME.has(reminder.event)) return 1;
  for (let occurrence = 1; ; occurrence += 1) {
    const last = known.get(reminderKeyOf(stay.id, reminder, occurrence))?.sentTime ?? null;
    const next = known.get(reminderKeyOf(stay.id, reminder, occurrence + 1))?.sentTime ?? null;
    if (last === null) return occurrence;
    if (next === null) return last.getTime() === reminder.notAfter.getTime() ? occurrence : occurrence + 1;
  }
}

interface Known {
  readonly reminder: PlannedReminder;
  readonly occurrence: number;
  readonly before: PlannedRow | undefined;
}
function planAgain(
  stay: StayToRemind,
  rules: MessageRules,
  now: Date,
  { reminder, occurrence, before }: Known,
): PlannedReminder {
  if (occurrence > 1 || knowsAnotherTime(stay, reminder, before)) return planCorrection(stay, rules, now, reminder);
  // One that moves into the past is treated as one that was booked too late: it never goes off at once.
  const moved = before !== undefined && !reminder.rule.startsWith(ruleTime(before.rule));
  return moved && reminder.dueAt < now ? replanned(stay, rules, now, reminder) : reminder;
}

/**
 * A guest who came when it was too late to be reminded knows the departure from the welcome: another one is sent like one
 * that differs from a reminder.
 */
function knowsAnotherTime(stay: StayToRemind, reminder: PlannedReminder, before: PlannedRow | undefined): boolean {
  if (stay.status !== 'CHECKED_IN' || reminder.skipped !== 'TOO_LATE' || before === undefined) return false;
  const isOther = before.notAfter?.getTime() !== reminder.notAfter.getTime();
  return (before.missed && isOther) || (before.waiting && isCorrection(before));
}

const replanned = (stay: StayToRemind, rules: MessageRules, asOf: Date, like: PlannedReminder): PlannedReminder =>
  planReminders(stay, rules, asOf).find(({ event, channel }) => event === like.event && channel === like.channel) ??
  like;

/** `2027-05-31T10:00[Asia/Dubai]` of a rule. */
const ruleTime = (rule: string): string => rule.slice(0, rule.indexOf(']') + 1);

/** A reminder has one text, whatever it goes by. */
function textOf(event: PlannedReminder['event']): string {
  const [key] = Object.keys(messageOf(event)?.texts ?? {});
  if (key === undefined) throw new TypeError(`${event} has no text`);
  return key;
}

/** A row that was attempted stays as it is. One that was skipped before its time comes back when the stay does. */
async function order(tx: Tx, reminders: readonly OrderedReminder[]): Promise<void> {
  if (reminders.length === 0) return;
  const items = reminders.map((reminder) => ({
    event: reminder.event,
    template: textOf(reminder.event),
    channel: reminder.channel,
    recipientType: 'GUEST',
    recipientId: reminder.guestId,
    id: newId('notification'),
    key: reminder.key,
    reservationId: reminder.reservationId,
    dueAt: reminder.dueAt.toISOString(),
    notAfter: reminder.notAfter.toISOString(),
    rule: reminder.rule,
    status: reminder.skipped === null ? 'QUEUED' : 'SKIPPED',
    reason: reminder.skipped,
  }));
  await upsertPlanned(tx, items);
}
