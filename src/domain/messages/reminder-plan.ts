import type { Channel, ReservationStatus } from '../../db/schema.ts';
import { localInstant } from '../../kernel/local-time.ts';
import { savedZone } from '../../kernel/time-zone.ts';
import { type PropertyClock, planStay, type StayDates } from '../reservations/stay-plan.ts';
import { outsideQuietHours, type QuietHours } from './quiet-hours.ts';

/**
 * Which reminders a stay has, and when each is due (domain.md 12). Pure: the sweep turns the plan into rows, and the
 * forecast shows it.
 */

export const REMINDERS = ['CHECK_IN_REMINDER', 'CHECK_OUT_REMINDER', 'PAYMENT_DUE', 'REVIEW_REQUEST'] as const;
export type ReminderEvent = (typeof REMINDERS)[number];

export interface StayToRemind extends StayDates {
  readonly status: ReservationStatus;
  readonly clock: PropertyClock;
  /** Local `HH:MM`. */
  readonly checkInReminderTime: string;
  readonly checkOutReminderTime: string;
  /** Days before the arrival; null: nobody is reminded to pay. */
  readonly paymentDueDays: number | null;
  readonly confirmedAt: Date;
  readonly checkedOutAt: Date | null;
  readonly guest: { readonly hasPhone: boolean; readonly timeZone: string | null };
}
export interface ReminderRules {
  readonly quiet: QuietHours;
  readonly reviewDelayHours: number;
}

export interface PlannedReminder {
  readonly event: ReminderEvent;
  readonly channel: Channel;
  /** The local day that it is about: another day makes another reminder. */
  readonly about: string;
  readonly dueAt: Date;
  /** When it is worth nothing any more. */
  readonly notAfter: Date;
  /** How `dueAt` came about: a local time with its zone, and what moved it. */
  readonly rule: string;
  /** Why it is not to be sent; null: it is. */
  readonly skipped: 'TOO_LATE' | 'QUIET_HOURS' | null;
}

/** A guest who books after the reminder's time is reminded so long after the booking. */
const AFTER_BOOKING_MS = 30 * 60_000;
/** As long as so much time is left until the arrival. */
const LEFT_BEFORE_ARRIVAL_MS = 2 * 3_600_000;
const REVIEW_TIME = '10:00';
const PAYMENT_DUE_TIME = '10:00';
/** A review is asked for within so many days, or not at all. */
const REVIEW_WITHIN_DAYS = 14;

/** `asOf`: from when on reminders may be due; the booking, or the change that moved them. */
export function planReminders(stay: StayToRemind, rules: ReminderRules, asOf: Date): readonly PlannedReminder[] {
  if (stay.status === 'CHECKED_OUT')
    return stay.checkedOutAt === null ? [] : [reviewRequest(stay, stay.checkedOutAt, rules)];
  if (stay.status !== 'CONFIRMED' && stay.status !== 'CHECKED_IN') return [];
  const { arrival, departure } = instantsOf(stay);
  const eve = dayBefore(stay.checkOutDate, 1);
  const checkOut = {
    event: 'CHECK_OUT_REMINDER',
    about: stay.checkOutDate,
    day: eve,
    time: stay.checkOutReminderTime,
    notAfter: departure,
    afterBooking: false,
  } as const;
  if (stay.status === 'CHECKED_IN') return toGuest(stay, rules, asOf, checkOut);
  const checkIn = {
    event: 'CHECK_IN_REMINDER',
    about: stay.checkInDate,
    day: dayBefore(stay.checkInDate, 1),
    time: stay.checkInReminderTime,
    notAfter: arrival,
    afterBooking: true,
  } as const;
  const due = stay.paymentDueDays;
  return [
    ...(due === null ? [] : [paymentDue(stay, due, arrival, asOf)]),
    ...toGuest(stay, rules, asOf, checkIn),
    ...toGuest(stay, rules, asOf, checkOut),
  ];
}

interface Reminder {
  readonly event: ReminderEvent;
  readonly about: string;
  /** Local day and `HH:MM` at the property. */
  readonly day: string;
  readonly time: string;
  readonly notAfter: Date;
  /** Goes half an hour after the booking where that was later than its own time. */
  readonly afterBooking: boolean;
}

const toGuest = (
  stay: StayToRemind,
  rules: ReminderRules,
  asOf: Date,
  reminder: Reminder,
): readonly PlannedReminder[] =>
  (stay.guest.hasPhone ? (['EMAIL', 'SMS'] as const) : (['EMAIL'] as const)).map((channel) =>
    plan(stay, rules, asOf, reminder, channel),
  );

function plan(
  { clock, guest }: StayToRemind,
  { quiet }: ReminderRules,
  asOf: Date,
  { event, about, day, time, notAfter, afterBooking }: Reminder,
  channel: Channel,
): PlannedReminder {
  const own = new Date(localInstant(day, time, clock.timeZone));
  const base = { event, channel, about, notAfter, rule: `${day}T${time}[${clock.timeZone}]` };
  const isPast = own < asOf;
  const leaves = afterBooking && notAfter.getTime() - asOf.getTime() >= LEFT_BEFORE_ARRIVAL_MS;
  if (isPast && !leaves) return { ...base, dueAt: own, skipped: 'TOO_LATE' };
  const due = isPast ? new Date(asOf.getTime() + AFTER_BOOKING_MS) : own;
  const late = isPast ? `${base.rule} is past: 30 minutes after the booking` : base.rule;
  const timeZone = guest.timeZone ?? clock.timeZone;
  const dueAt = outsideQuietHours(due, quiet, { channel, timeZone, notBefore: asOf, notAfter });
  if (dueAt === null) return { ...base, rule: late, dueAt: due, skipped: 'QUIET_HOURS' };
  const moved = dueAt.getTime() === due.getTime() ? '' : `, outside the quiet hours in ${timeZone}`;
  return { ...base, rule: `${late}${moved}`, dueAt, skipped: null };
}

/** By mail only, so many days before the arrival; whether something is still due is looked at when it is sent. */
function paymentDue(stay: StayToRemind, days: number, arrival: Date, asOf: Date): PlannedReminder {
  const day = dayBefore(stay.checkInDate, days);
  const dueAt = new Date(localInstant(day, PAYMENT_DUE_TIME, stay.clock.timeZone));
  return {
    event: 'PAYMENT_DUE',
    channel: 'EMAIL',
    about: stay.checkInDate,
    dueAt,
    notAfter: arrival,
    rule: `${day}T${PAYMENT_DUE_TIME}[${stay.clock.timeZone}]`,
    skipped: dueAt < asOf ? 'TOO_LATE' : null,
  };
}

/** The first 10:00 at the property that is so many hours after the departure as it really was. */
function reviewRequest(stay: StayToRemind, left: Date, { reviewDelayHours }: ReminderRules): PlannedReminder {
  const { timeZone } = stay.clock;
  const earliest = Temporal.Instant.fromEpochMilliseconds(left.getTime() + reviewDelayHours * 3_600_000);
  const local = earliest.toZonedDateTimeISO(savedZone(timeZone));
  const time = Temporal.PlainTime.from(REVIEW_TIME);
  const isLater = Temporal.PlainTime.compare(local.toPlainTime(), time) > 0;
  const day = (isLater ? local.toPlainDate().add({ days: 1 }) : local.toPlainDate()).toString();
  const last = Temporal.PlainDate.from(day).add({ days: REVIEW_WITHIN_DAYS }).toString();
  return {
    event: 'REVIEW_REQUEST',
    channel: 'EMAIL',
    about: stay.checkOutDate,
    dueAt: new Date(localInstant(day, REVIEW_TIME, timeZone)),
    notAfter: new Date(localInstant(last, REVIEW_TIME, timeZone)),
    rule: `${day}T${REVIEW_TIME}[${timeZone}], ${reviewDelayHours} hours or more after the departure`,
    skipped: null,
  };
}

function instantsOf(stay: StayToRemind): { readonly arrival: Date; readonly departure: Date } {
  const { checkIn, checkOut } = planStay(stay, stay.clock);
  return { arrival: new Date(checkIn.scheduledAt), departure: new Date(checkOut.scheduledAt) };
}

const dayBefore = (date: string, days: number): string => Temporal.PlainDate.from(date).subtract({ days }).toString();

/** These name a time, which is their `notAfter`. */
export const NAMES_A_TIME: ReadonlySet<ReminderEvent> = new Set(['CHECK_IN_REMINDER', 'CHECK_OUT_REMINDER']);

const CORRECTED = '; another time was told before';
/** Whether the reminder repeats one that named another time (`planCorrection`). */
export const isCorrection = ({ rule }: Pick<PlannedReminder, 'rule'>): boolean => rule.endsWith(CORRECTED);

/**
 * Another time was agreed after a reminder had named one: it goes again at once, but for the quiet hours (domain.md 12:
 * only what has changed is said again).
 */
export function planCorrection(
  { clock, guest }: StayToRemind,
  { quiet }: ReminderRules,
  asOf: Date,
  reminder: PlannedReminder,
): PlannedReminder {
  const { channel, notAfter } = reminder;
  const timeZone = guest.timeZone ?? clock.timeZone;
  const dueAt = outsideQuietHours(asOf, quiet, { channel, timeZone, notBefore: asOf, notAfter });
  const rule = `${reminder.rule}${CORRECTED}`;
  return dueAt === null
    ? { ...reminder, rule, dueAt: asOf, skipped: 'QUIET_HOURS' }
    : { ...reminder, rule, dueAt, skipped: null };
}

/**
 * The key of its message: the same for every look, and another one for another day. `occurrence`: the number of the message
 * among those about that day, from 1 on.
 */
export const reminderKeyOf = (
  reservationId: string,
  { event, about, channel }: Pick<PlannedReminder, 'event' | 'about' | 'channel'>,
  occurrence = 1,
): string => `${reservationId}-${event}-${about}-${channel}${occurrence === 1 ? '' : `-${occurrence}`}`;
