import { sql } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import { allocate, exponentOf, formatMajor, type Money } from '../../kernel/money.ts';
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
      .leftJoin('amenity_grant as a', (join) =>
        join.onRef('a.reservation_id', '=', 'n.reservation_id').on('a.status', '=', 'ACTIVE'),
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
        // What is still to be paid now, for a message that was ordered weeks ago.
        sql<number | null>`CASE WHEN n.event = 'PAYMENT_DUE' THEN (SELECT x.outstanding_minor FROM transaction x
          WHERE x.reservation_id = n.reservation_id AND x.type = 'GUEST_PAYMENT' AND x.parent_id IS NULL
            AND x.status NOT IN ('FAILED','CANCELLED','REVERSED')) END`.as('outstandingMinor'),
      ])
      .execute()
  );
}

/** A value, or null where the notification has none; a template decides what it cannot do without. */
export function valuesOf(facts: Facts, textLocale = 'en'): Readonly<Record<VariableName, string | null>> {
  const locale = formatLocaleOf(textLocale, facts.locale);
  const words = languageOf(textLocale) === 'ar' ? ARABIC_WORDS : ENGLISH_WORDS;
  const { timeZone } = facts;
  const day = (date: string | null) => (date === null ? null : formatDay(date, locale));
  // The wall clock at the property, with the name of its zone: a guest reads it far away.
  const wallClock = (time: string | null) => (time === null || timeZone === null ? null : `${time} (${timeZone})`);
  const moment = (at: Date | null) =>
    at === null || timeZone === null ? null : `${formatMoment(at, locale, timeZone)} (${timeZone})`;
  return {
    guestName: facts.guestName,
    recipientName: facts.recipientName,
    reservationId: facts.reservationId,
    propertyName: facts.propertyName,
    checkInDate: day(facts.checkInDate),
    checkInTime: wallClock(facts.checkInTime),
    checkOutDate: day(facts.checkOutDate),
    checkOutTime: wallClock(facts.checkOutTime),
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
    previousStart: moment(instant(facts.params, 'previousStart')),
    accessCode: facts.accessCode,
    scheduledFor: moment(instant(facts.params, 'scheduledFor')),
    failureReason: failureReason(code(facts.params, 'code'), words),
    sagaName: code(facts.params, 'sagaName'),
    step: code(facts.params, 'step'),
    code: code(facts.params, 'code'),
    sagaId: code(facts.params, 'sagaId'),
  };
}

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

/** `AED 1000.00` by our own ISO exponents; with the digits and the order of another language in that. */
function formatMoney({ amountMinor, currency }: Money, locale: string): string {
  const amount = formatMajor({ amountMinor, currency });
  if (languageOf(locale) === 'en') return `${currency} ${amount}`;
  const digits = exponentOf(currency);
  const known = `${locale} ${digits}`;
  const format =
    amounts.get(known) ??
    new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false });
  amounts.set(known, format);
  // As decimal text: nothing goes through floating point.
  return `${format.format(amount as Intl.StringNumericLiteral)} ${currency}`;
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
  const made = new Intl.DateTimeFormat(locale, { ...options, timeZone });
  if (formatters.size < 2_000) formatters.set(key, made);
  return made;
}

/** `date` is a calendar day at the property, not an instant: formatted without moving it through a zone. */
const formatDay = (date: string, locale: string): string =>
  formatter(locale, 'UTC', { dateStyle: 'long' }).format(new Date(`${date}T00:00:00Z`));
const formatMoment = (at: Date, locale: string, timeZone: string): string =>
  formatter(locale, timeZone, { dateStyle: 'full', timeStyle: 'short' }).format(at);
