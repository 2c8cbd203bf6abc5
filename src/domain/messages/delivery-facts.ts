import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { literal } from '../../db/literal.ts';
import type { SagaStatus, TaskType } from '../../db/schema.ts';
import { allocate, exponentOf, formatMajor, type Money } from '../../kernel/money.ts';
import { savedZone } from '../../kernel/time-zone.ts';
import { amountOutstandingOf } from '../reservations/payment-status.ts';
import { type LocalMoment, stayTimes } from '../reservations/stay-plan.ts';
import { confirmationColumns, contactOf, IS_CONFIRMATION, refundTermsOf, zoneName } from './confirmation-facts.ts';
import { formatLocaleOf, languageOf } from './locales.ts';
import type { VariableName } from './templates.ts';
import { ARABIC_WORDS, ENGLISH_WORDS, type Words } from './words.ts';

/**
 * What a message needs to know, read when it is sent: its row holds only ids, so a name that has changed or a stay
 * that was cancelled meanwhile is seen.
 */
export type Facts = Awaited<ReturnType<typeof loadFacts>>[number];

/** One row per id that exists; everything that the notification does not point at is null. */
export function loadFacts(db: Db | Tx, notificationIds: readonly string[]) {
  return (
    db
      .selectFrom('notification as n')
      .leftJoin('guest as g', (join) => join.onRef('g.id', '=', 'n.recipient_id').on('n.recipient_type', '=', 'GUEST'))
      .leftJoin('owner as o', (join) => join.onRef('o.id', '=', 'n.recipient_id').on('n.recipient_type', '=', 'OWNER'))
      .leftJoin('staff as s', (join) => join.onRef('s.id', '=', 'n.recipient_id').on('n.recipient_type', '=', 'STAFF'))
      .leftJoin('reservation as r', 'r.id', 'n.reservation_id')
      .leftJoin('guest as rg', 'rg.id', 'r.guest_id')
      .leftJoin('income_distribution as d', 'd.version', 'r.distribution_version')
      .leftJoin('task as t', 't.id', 'n.task_id')
      .leftJoin('repair_approval as ra', (join) =>
        join
          .onRef('ra.task_id', '=', 'n.task_id')
          .onRef('ra.owner_id', '=', 'n.recipient_id')
          .on('n.recipient_type', '=', 'OWNER'),
      )
      .leftJoin('task_offer as f', (join) =>
        join
          .onRef('f.task_id', '=', 'n.task_id')
          .onRef('f.staff_id', '=', 'n.recipient_id')
          .onRef('f.staff_id', '=', 't.assignee_id')
          .onRef('f.accept_by', '=', 't.accept_by')
          .on('n.recipient_type', '=', 'STAFF'),
      )
      .leftJoin('amenity_grant as a', (join) =>
        join.onRef('a.reservation_id', '=', 'n.reservation_id').on('a.status', '=', literal('ACTIVE')),
      )
      .leftJoin('property as p', (join) =>
        join.on((eb) => eb('p.id', '=', eb.fn.coalesce('r.property_id', 't.property_id'))),
      )
      // An array parameter: the statement has one text, and one plan, whatever the number of ids.
      .where('n.id', '=', sql<string>`ANY(${notificationIds})`)
      .select((eb) => [
        'n.id',
        'n.params',
        eb.fn.coalesce('g.name', 'o.name', 's.name').as('recipientName'),
        eb.fn.coalesce('g.email', 'o.email', 's.email').as('email'),
        eb.fn.coalesce('g.phone', 'o.phone', 's.phone').as('phone'),
        eb.fn.coalesce('g.locale', 'o.locale').as('locale'),
        'rg.name as guestName',
        'r.id as reservationId',
        'r.status as reservationStatus',
        'r.check_in_date as checkInDate',
        'r.check_out_date as checkOutDate',
        'r.planned_arrival as plannedArrival',
        'r.planned_departure as plannedDeparture',
        'r.total_minor as totalMinor',
        'r.currency',
        'd.owner_bp as ownerBp',
        'd.agency_bp as agencyBp',
        'd.referrer_bp as referrerBp',
        'p.name as propertyName',
        'p.require_translation as requireTranslation',
        'n.created_at as orderedAt',
        'n.due_at as dueAt',
        'p.time_zone as timeZone',
        'p.check_in_time as checkInTime',
        'p.check_out_time as checkOutTime',
        't.title as taskTitle',
        't.id as taskId',
        't.type as taskType',
        // What an inspection found, in the order in which it was written down.
        sql<string | null>`(SELECT string_agg(f.value ->> 'description', '; ' ORDER BY f.ordinality)
          FROM jsonb_array_elements(t.completion -> 'findings') WITH ORDINALITY AS f)`.as('findings'),
        't.status as taskStatus',
        't.assignee_id as taskAssigneeId',
        // As agreed with the assignee, where that differs from the rule.
        eb.fn.coalesce('t.slot_start', 't.scheduled_at').as('taskStartAt'),
        eb.fn.coalesce('t.slot_end', 't.ends_at').as('taskEndAt'),
        'a.access_code as accessCode',
        // While a change is on its way to the device, the door may already be at either of the two times.
        sql<Date | null>`CASE WHEN EXISTS (SELECT FROM saga s WHERE s.subject_type = 'amenity_grant' AND s.subject_id = a.reservation_id
          AND s.finished_at IS NULL) THEN least(a.valid_until, a.asked_until) ELSE a.valid_until END`.as('accessUntil'),
        accessChange.as('accessChange'),
        // All findings of one visit; a repair's own otherwise.
        sql<
          number | null
        >`coalesce(t.estimate_minor, (SELECT sum((f.value -> 'estimate' ->> 'amountMinor')::bigint)::bigint
          FROM jsonb_array_elements(t.completion -> 'findings') AS f(value) HAVING count(DISTINCT f.value -> 'estimate' ->> 'currency') = 1))`.as(
          'estimateMinor',
        ),
        sql<string | null>`coalesce(t.estimate_currency, (SELECT max(f.value -> 'estimate' ->> 'currency')
          FROM jsonb_array_elements(t.completion -> 'findings') AS f(value)))`.as('estimateCurrency'),
        't.approval as approval',
        'ra.token as approvalToken',
        't.accept_by as acceptBy',
        't.accepted_at as acceptedAt',
        'f.token as offerToken',
        sql<boolean>`EXISTS (SELECT FROM task_refusal u WHERE u.task_id = n.task_id AND u.staff_id = n.recipient_id
          AND u.reason = 'NO_ANSWER')`.as('askedBefore'),
        toldStart.as('toldStart'),
        isToldOtherwise.as('isToldOtherwise'),
        isBeingTold.as('isBeingTold'),
        doneTasks.as('doneTasks'),
        displacedTasks.as('displacedTasks'),
        payoutStays.as('payoutStays'),
        calendar.as('calendar'),
        't.completion as completion',
        // What is still to be paid now, for a message that was ordered weeks ago.
        sql<number | null>`CASE WHEN n.event = 'PAYMENT_DUE' THEN (SELECT x.outstanding_minor FROM transaction x
          WHERE x.reservation_id = n.reservation_id AND x.type = 'GUEST_PAYMENT' AND x.parent_id IS NULL
            AND x.status NOT IN ('FAILED','CANCELLED','REVERSED'))
          WHEN ${IS_CONFIRMATION} THEN ${amountOutstandingOf('r')} END`.as('outstandingMinor'),
        ...confirmationColumns,
      ])
      .execute()
  );
}

/** How far the last change of the guest's access is; `due`: it is still to be asked for. Null: there was none. */
const accessChange = sql<
  SagaStatus | 'due' | null
>`CASE WHEN a.wanted_until IS DISTINCT FROM a.asked_until THEN 'due' ELSE (
  SELECT s.status FROM saga s WHERE s.subject_type = 'amenity_grant' AND s.subject_id = n.reservation_id
   ORDER BY s.requested_at DESC LIMIT 1) END`;

/** When the recipient believed that the task was to begin: what it was moved to, and they were not told, was not theirs. */
const toldStart = sql<string | null>`CASE WHEN n.event IN ('TASK_WITHDRAWN', 'TASK_CHANGED') THEN (
  SELECT b.params ->> 'toldStart' FROM notification b WHERE b.task_id = n.task_id AND b.recipient_id = n.recipient_id AND b.status = 'SENT'
     AND b.event IN ('TASK_ASSIGNED', 'TASK_CHANGED') AND (n.event = 'TASK_CHANGED' OR b.created_at <= n.created_at)
   ORDER BY b.sent_at DESC, b.created_at DESC LIMIT 1) END`;

/** Another message says the same of the task's time, as each says how it is when it is sent: a later change, or the first word. */
const isToldOtherwise = sql<boolean>`(n.event = 'TASK_CHANGED' AND EXISTS (
  SELECT FROM notification b WHERE b.task_id = n.task_id AND b.recipient_id = n.recipient_id AND b.id <> n.id AND b.status IN ('QUEUED', 'SENDING')
     AND (b.event = 'TASK_CHANGED' AND (b.created_at, b.id) > (n.created_at, n.id)
       OR b.event = 'TASK_ASSIGNED' AND b.created_at <= n.created_at AND b.status = 'QUEUED')))`;
/** An earlier one is being sent, with the time of a moment ago perhaps. */
const isBeingTold = sql<boolean>`(n.event = 'TASK_CHANGED' AND EXISTS (
  SELECT FROM notification b WHERE b.task_id = n.task_id AND b.recipient_id = n.recipient_id AND b.id <> n.id AND b.status = 'SENDING'
     AND b.event IN ('TASK_ASSIGNED', 'TASK_CHANGED') AND (b.created_at, b.id) < (n.created_at, n.id)))`;

/** Of a digest, in the order in which they were completed. */
const doneTasks = sql<
  readonly { readonly property: string; readonly type: TaskType }[] | null
>`CASE WHEN n.template = 'task-digest.staff@1' THEN (
  SELECT json_agg(json_build_object('property', dp.name, 'type', d.type) ORDER BY d.completed_at, d.id)
    FROM notification i JOIN task d ON d.id = i.task_id JOIN property dp ON dp.id = d.property_id WHERE i.digest_id = n.id) END`;
/** What gave way to an emergency: when it is to begin now, if it is the recipient's still. */
interface DisplacedTask {
  readonly title: string;
  readonly property: string;
  readonly timeZone: string;
  /** ISO instant; null: somebody else is to do it, or nobody yet. */
  readonly startsAt: string | null;
}
const displacedTasks = sql<
  readonly DisplacedTask[] | null
>`CASE WHEN n.template = 'task-assigned-instead.staff@1' THEN (
  SELECT json_agg(json_build_object('title', d.title, 'property', dp.name, 'timeZone', dp.time_zone,
           'startsAt', CASE WHEN d.assignee_id = n.recipient_id AND d.status IN ('ASSIGNED','IN_PROGRESS') THEN coalesce(d.slot_start, d.scheduled_at) END)
           ORDER BY d.scheduled_at, d.id)
    FROM task d JOIN property dp ON dp.id = d.property_id WHERE d.displaced_by = n.task_id) END`;
const MAX_DIGEST_LINES = 100;

/** So many stays of a bank instruction are named. */
const MAX_PAYOUT_LINES = 40;
interface PayoutStay {
  readonly property: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly paid: number;
  readonly kept: number;
}
const payoutStays = sql<readonly PayoutStay[] | null>`CASE WHEN n.event = 'PAYOUT_PROCESSED' THEN (
  SELECT json_agg(json_build_object('property', sp.name, 'from', sr.check_in_date::text, 'to', sr.check_out_date::text,
           'paid', x.settled_minor, 'kept', x.amount_minor - x.settled_minor) ORDER BY sr.check_in_date, x.id)
    FROM transaction x LEFT JOIN reservation sr ON sr.id = x.reservation_id LEFT JOIN property sp ON sp.id = sr.property_id
   WHERE x.payout_saga = n.params ->> 'sagaId' AND x.type = 'OWNER_PAYOUT' AND x.status = 'COMPLETED') END`;

interface CalendarFacts {
  readonly from: string | null;
  readonly to: string | null;
  readonly nextArrival: string | null;
}
/** What an alert about a property means for its guests: nights that are taken, and who comes next. */
const calendar = sql<CalendarFacts | null>`CASE WHEN n.event = 'MAINTENANCE_ALERT' AND t.id IS NOT NULL THEN (
  SELECT json_build_object(
    'from', (SELECT b.check_in_date::text FROM reservation b WHERE b.id = t.block_id),
    'to', (SELECT b.check_out_date::text FROM reservation b WHERE b.id = t.block_id),
    'nextArrival', (SELECT min(c.check_in_date)::text FROM reservation c WHERE c.property_id = p.id AND c.kind <> 'MAINTENANCE_BLOCK'
       AND c.status = 'CONFIRMED' AND c.check_in_date >= (now() AT TIME ZONE p.time_zone)::date))) END`;

/** A value, or null where the notification has none; a template decides what it cannot do without. */
export function valuesOf(
  facts: Facts,
  textLocale = 'en',
  /** Of the API, as people reach it; null: links are not known. */
  publicUrl: string | null = null,
): Readonly<Record<VariableName, string | null>> {
  const locale = formatLocaleOf(textLocale, facts.locale);
  const words = languageOf(textLocale) === 'ar' ? ARABIC_WORDS : ENGLISH_WORDS;
  const { timeZone } = facts;
  const day = (date: string | null) => (date === null ? null : formatDay(date, locale));
  const times = timesOf(facts);
  // The wall clock at the property, with the name of its zone: a guest reads it far away. With its day where that is not
  // the one that the text names beside it.
  const wallClock = (at: LocalMoment | undefined, beside: string | null, zone = timeZone) =>
    at && `${at.date === beside ? '' : `${day(at.date)}, `}${at.time} (${zone})`;
  // By the name that people call it by, in the words of their language, where there is room for that.
  const zoneAt = (at: string) => (timeZone === null ? null : zoneName(at, locale, timeZone));
  const spoken = (at: LocalMoment | undefined, beside: string | null) =>
    (at && wallClock(at, beside, zoneAt(at.instant))) ?? null;
  const moment = (at: Date | null) =>
    at === null || timeZone === null ? null : `${formatMoment(at, locale, timeZone)} (${timeZone})`;
  return {
    guestName: facts.guestName,
    recipientName: facts.recipientName,
    reservationId: facts.reservationId,
    propertyName: facts.propertyName,
    checkInDate: day(facts.checkInDate),
    checkInTime: wallClock(times?.arrival, facts.checkInDate) ?? null,
    checkOutDate: day(facts.checkOutDate),
    checkOutTime: wallClock(times?.departure, facts.checkOutDate) ?? null,
    arrivalTime: spoken(times?.arrival, facts.checkInDate),
    departureTime: spoken(times?.departure, facts.checkOutDate),
    address: facts.address,
    price: amountOf(facts.totalMinor, facts.currency, locale),
    paid: amountOf(facts.paidMinor, facts.currency, locale),
    refundTerms: refundTermsOf(facts, words, { locale, day: (date) => formatDay(date, locale) }),
    contact: contactOf(facts),
    ownerShare: ownerShare(facts, locale),
    taskTitle: facts.taskTitle,
    taskWork: facts.taskType === null ? null : words.work[facts.taskType],
    taskId: facts.taskId,
    taskStart: moment(facts.taskStartAt),
    taskEnd: moment(facts.taskEndAt),
    findings: facts.findings,
    amount: money(facts.params, 'amountMinor', locale),
    outstanding: money(outstandingOf(facts), 'outstandingMinor', locale),
    refundPercent: code(facts.params, 'percent'),
    previousStart: moment(previousStart(facts)),
    accessCode: facts.accessCode,
    scheduledFor: moment(instant(facts.params, 'scheduledFor')),
    failureReason: failureReason(code(facts.params, 'code'), words),
    sagaName: code(facts.params, 'sagaName'),
    step: code(facts.params, 'step'),
    code: code(facts.params, 'code'),
    sagaId: code(facts.params, 'sagaId'),
    receiptId: code(facts.params, 'receiptId'),
    payoutStays: stayLines(facts, locale),
    payoutDeductions: deductions(facts, locale),
    charged: chargedOf(facts, locale),
    doneTasks: doneLines(facts, words),
    doneCount: facts.doneTasks && String(facts.doneTasks.length),
    displacedTasks: displacedLines(facts, words, locale),
    estimate: amountOf(facts.estimateMinor, facts.estimateCurrency, locale),
    approvalUrl:
      publicUrl === null || facts.approvalToken === null ? null : `${publicUrl}/approvals/${facts.approvalToken}`,
    acceptBy: moment(facts.acceptBy),
    answerUrl: publicUrl === null || facts.offerToken === null ? null : `${publicUrl}/offers/${facts.offerToken}`,
    severity: severityOf(facts),
    calendarImpact: calendarImpact(facts, locale),
  };
}

/** As agreed with the guest. Null: it is about no stay. */
export function timesOf(facts: Facts): ReturnType<typeof stayTimes> | null {
  const { checkInDate, checkOutDate, timeZone, checkInTime, checkOutTime } = facts;
  if (checkInDate === null || checkOutDate === null) return null;
  if (timeZone === null || checkInTime === null || checkOutTime === null) return null;
  return stayTimes({ ...facts, checkInDate, checkOutDate }, { timeZone, checkInTime, checkOutTime });
}

function displacedLines({ displacedTasks }: Facts, { newTime, notYours }: Words, locale: string): string | null {
  const lines = displacedTasks?.map(({ title, property, timeZone, startsAt }) => {
    const at = startsAt && `${newTime} ${formatMoment(new Date(startsAt), locale, timeZone)} (${timeZone})`;
    return `${title}, ${property}: ${at ?? notYours}`;
  });
  return lines === undefined || lines.length === 0 ? null : lines.join('; ');
}

const previousStart = ({ params, toldStart, taskStartAt }: Facts): Date | null =>
  toldStart === null ? (instant(params, 'previousStart') ?? taskStartAt) : new Date(toldStart);

const code = (params: Facts['params'], name: string): string | null => {
  const value = Object.hasOwn(params, name) ? params[name] : null;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null;
};

function money(params: Facts['params'], name: string, locale: string): string | null {
  const amountMinor = Object.hasOwn(params, name) ? params[name] : null;
  const currency = code(params, 'currency');
  if (typeof amountMinor !== 'number' || currency === null) return null;
  return formatMoney({ amountMinor, currency }, locale);
}

/** `AED 1,000.00` by our own ISO exponents; with the digits and the order of another language in that. */
export function formatMoney({ amountMinor, currency }: Money, locale: string): string {
  const digits = exponentOf(currency);
  const known = `${locale} ${digits}`;
  const format =
    amounts.get(known) ??
    new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  amounts.set(known, format);
  // As decimal text: nothing goes through floating point.
  const amount = format.format(formatMajor({ amountMinor, currency }) as Intl.StringNumericLiteral);
  return languageOf(locale) === 'en' ? `${currency} ${amount}` : `${amount} ${currency}`;
}
const amounts = new Map<string, Intl.NumberFormat>();

const outstandingOf = ({ params, outstandingMinor, currency }: Facts): Facts['params'] =>
  outstandingMinor === null || currency === null ? params : { outstandingMinor, currency };

function instant(params: Facts['params'], name: string): Date | null {
  const text = code(params, name);
  return text === null ? null : new Date(text);
}

/** A gateway's codes in plain words; one that we have no words for says nothing of itself. */
const failureReason = (known: string | null, { reasons, otherReason }: Words): string | null =>
  known === null ? null : (reasons.get(known) ?? otherReason);

function stayLines({ payoutStays, params }: Facts, locale: string): string | null {
  const currency = code(params, 'currency');
  if (!payoutStays || currency === null) return null;
  const lines = payoutStays.slice(0, MAX_PAYOUT_LINES).map(({ property, from, to, paid, kept }) => {
    const nights = from === null || to === null ? '' : `, ${formatDay(from, locale)} – ${formatDay(to, locale)}`;
    return `${property ?? '-'}${nights}: ${formatMoney({ amountMinor: paid + kept, currency }, locale)}`;
  });
  const more = payoutStays.length - lines.length;
  return [...lines, ...(more > 0 ? [`+${more}`] : [])].join('; ');
}

/** Null when nothing was kept back. */
function deductions({ payoutStays, params }: Facts, locale: string): string | null {
  const currency = code(params, 'currency');
  const keptMinor = (payoutStays ?? []).reduce((sum, { kept }) => sum + kept, 0);
  return keptMinor === 0 || currency === null ? null : formatMoney({ amountMinor: keptMinor, currency }, locale);
}

function chargedOf({ completion }: Facts, locale: string): string | null {
  const cost = completion?.cost;
  return cost?.chargeOwner && cost.amountMinor > 0 ? formatMoney(cost, locale) : null;
}

function doneLines({ doneTasks }: Facts, words: Words): string | null {
  if (!doneTasks) return null;
  const lines = doneTasks.slice(0, MAX_DIGEST_LINES).map(({ property, type }) => `${property}: ${words.work[type]}`);
  const more = doneTasks.length - lines.length;
  return [...lines, ...(more > 0 ? [`+${more}`] : [])].join('; ');
}

const amountOf = (amountMinor: number | null, currency: string | null, locale: string): string | null =>
  amountMinor === null || currency === null ? null : formatMoney({ amountMinor, currency }, locale);

/** Only operations are told, in English. */
function severityOf({ taskType, completion }: Facts): string | null {
  const findings = completion?.findings ?? [];
  if (findings.length === 0) return taskType === 'EMERGENCY' ? 'emergency' : null;
  return findings.some(({ severity }) => severity === 'SEVERE') ? 'severe' : 'minor';
}

function calendarImpact({ calendar }: Facts, locale: string): string | null {
  if (calendar === null) return null;
  const { from, to, nextArrival } = calendar;
  return [
    ...(from !== null && to !== null
      ? [`nights are taken from ${formatDay(from, locale)} to ${formatDay(to, locale)}`]
      : []),
    nextArrival === null ? 'nobody is expected' : `the next guest arrives on ${formatDay(nextArrival, locale)}`,
  ].join('; ');
}

function ownerShare({ totalMinor, currency, ownerBp, agencyBp, referrerBp }: Facts, locale: string): string | null {
  if (totalMinor === null || currency === null || ownerBp === null || agencyBp === null || referrerBp === null)
    return null;
  const [amountMinor = 0] = allocate(totalMinor, [ownerBp, agencyBp, referrerBp]);
  return formatMoney({ amountMinor, currency }, locale);
}

/** Building a formatter costs a hundred times its use. Bounded by the zones and English locales that exist. */
const formatters = new Map<string, Intl.DateTimeFormat>();
function formatter(locale: string, timeZone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale} ${timeZone} ${options.timeStyle ?? ''}`;
  const known = formatters.get(key);
  if (known) return known;
  const made = new Intl.DateTimeFormat(locale, { ...options, timeZone: savedZone(timeZone) });
  if (formatters.size < 2_000) formatters.set(key, made);
  return made;
}

/** `date` is a calendar day at the property, not an instant: formatted without moving it through a zone. */
const formatDay = (date: string, locale: string): string =>
  formatter(locale, 'UTC', { dateStyle: 'long' }).format(new Date(`${date}T00:00:00Z`));
const formatMoment = (at: Date, locale: string, timeZone: string): string =>
  formatter(locale, timeZone, { dateStyle: 'full', timeStyle: 'short' }).format(at);
