import { type RawBuilder, sql } from 'kysely';
import { literal } from '../../db/literal.ts';
import type { TaskPriority } from '../../db/schema.ts';
import { AFTER_CHECK_OUT, AFTER_CHECK_OUT_SECONDS } from '../reservations/stay-plan.ts';

/**
 * Two stays meet on one day, and the cleaning after the first is also the one before the second (domain.md 10). Expressions
 * of the rule that several statements share; their arguments are names of tables within the statement.
 */

/** The stay `leaving` leaves, or has left, on the day when `arriving` arrives. */
export const leavesBefore = (leaving: string, arriving: string): RawBuilder<boolean> => {
  const o = columnsOf(leaving);
  const r = columnsOf(arriving);
  return sql<boolean>`(${o('property_id')} = ${r('property_id')} AND ${o('id')} <> ${r('id')}
    AND coalesce(${o('departure_date')}, ${o('check_out_date')}) = ${r('check_in_date')} AND NOT isempty(${o('stay')})
    AND ${o('status')} IN ('CONFIRMED', 'CHECKED_IN', 'CHECKED_OUT'))`;
};

/**
 * The same, and also a stay that was left early, but when the time had come to clean for the guest who arrives on its last
 * day: `cleanFrom`, the start of that cleaning, on the day before.
 */
export const meetsOnOneDay = (
  leaving: string,
  arriving: string,
  cleanFrom: RawBuilder<unknown>,
): RawBuilder<boolean> => {
  const o = columnsOf(leaving);
  const r = columnsOf(arriving);
  return sql<boolean>`(${leavesBefore(leaving, arriving)} OR ${o('property_id')} = ${r('property_id')} AND ${o('id')} <> ${r('id')}
    AND ${o('status')} = 'CHECKED_OUT' AND ${o('departure_date')} IS NOT NULL AND ${o('check_out_date')} = ${r('check_in_date')}
    AND NOT isempty(${o('stay')}) AND ${o('actual_check_out_at')} > ${cleanFrom})`;
};

/**
 * A cleaning that a person wants at a time which ends after `arrival` is not done when the next guest comes, so it does not
 * stand for theirs. A time that was agreed with an assignee only is no obstacle: another is found (`late-turnovers.ts`).
 */
export const mayTakeTurnover = (cleaning: string, arrival: RawBuilder<unknown>): RawBuilder<boolean> => {
  const t = columnsOf(cleaning);
  return sql<boolean>`((${isTimedByHand(cleaning)} AND coalesce(${t('slot_end')}, ${t('ends_at')}) > ${arrival}) IS NOT TRUE)`;
};

/** Whether a person has set a time that ends after `by`. */
export const endsTooLateByHand = ({ manual_fields, slot_end, ends_at }: Timed, by: Date | null): boolean =>
  manual_fields.includes('scheduledDate') && by !== null && (slot_end ?? ends_at) > by;

interface Timed {
  readonly manual_fields: readonly string[];
  readonly slot_end: Date | null;
  readonly ends_at: Date;
}

/** Whether a person has set the time of the task. */
export const isTimedByHand = (task: string): RawBuilder<boolean> =>
  sql<boolean>`('scheduledDate' = ANY(${columnsOf(task)('manual_fields')}))`;

/** A priority that a person has set stays, and so does URGENT. */
export const priorityUnlessSet = (task: string, usual: 'HIGH' | 'NORMAL'): RawBuilder<TaskPriority> => {
  const t = columnsOf(task);
  return sql<TaskPriority>`CASE WHEN 'priority' = ANY(${t('manual_fields')}) OR ${t('priority')} = 'URGENT' THEN ${t('priority')}
    ELSE ${literal(usual)} END`;
};

/** Whether the usual two hours after the departure would end after `arrival`, also of a cleaning that was moved up already. */
export const isTurnoverTooShort = (cleaning: string, arrival: RawBuilder<unknown>): RawBuilder<boolean> => {
  const t = columnsOf(cleaning);
  return sql<boolean>`coalesce(${t('ends_at')} + CASE WHEN ${isMovedUp(cleaning)} THEN ${OFFSET} ELSE interval '0' END > ${arrival}, false)`;
};

/**
 * A cleaning that nobody has been given yet may be moved freely: to the departure itself when two hours after it would be
 * too late for `arrival`, and back.
 */
export const movedTurnover = (cleaning: string, arrival: RawBuilder<unknown> | null) => {
  const t = columnsOf(cleaning);
  const late = arrival === null ? sql`false` : isTurnoverTooShort(cleaning, arrival);
  const early = isMovedUp(cleaning);
  const free = sql`${t('status')} = 'UNASSIGNED' AND ${t('occurrence')} = 'POST_DEPARTURE' AND NOT ${isTimedByHand(cleaning)}`;
  const time = (name: string) => sql<Date>`CASE WHEN ${free} AND ${late} AND NOT ${early} THEN ${t(name)} - ${OFFSET}
    WHEN ${free} AND NOT ${late} AND ${early} THEN ${t(name)} + ${OFFSET} ELSE ${t(name)} END`;
  return {
    scheduled_at: time('scheduled_at'),
    ends_at: time('ends_at'),
    local_rule: sql<
      string | null
    >`CASE WHEN ${free} AND ${late} AND NOT ${early} THEN replace(${t('local_rule')}, ${AFTER_CHECK_OUT}, '')
      WHEN ${free} AND NOT ${late} AND ${early} THEN ${t('local_rule')} || ${AFTER_CHECK_OUT} ELSE ${t('local_rule')} END`,
  };
};

/**
 * A cleaning before an arrival that stands on its own although somebody leaves that day begins after their departure, with
 * the usual two hours between if there is time. Null: nobody leaves that day.
 */
export const afterDeparture = (
  arriving: RawBuilder<unknown>,
  { mustFinishBy, duration }: { readonly mustFinishBy: RawBuilder<unknown>; readonly duration: RawBuilder<unknown> },
): RawBuilder<Date | null> => sql<Date | null>`(
  SELECT max(greatest(d.at, least(d.at + ${OFFSET}, ${mustFinishBy} - ${duration})))
    FROM reservation r JOIN reservation o ON ${leavesBefore('o', 'r')}
    CROSS JOIN LATERAL (SELECT coalesce(o.actual_check_out_at, (SELECT max(m.scheduled_at) FROM task m
      WHERE m.reservation_id = o.id AND m.occurrence = 'DEPARTURE' AND m.status <> 'CANCELLED')) AS at) d
   WHERE r.id = ${arriving})`;

const isMovedUp = (cleaning: string) => sql`(${columnsOf(cleaning)('local_rule')} NOT LIKE ${`%${AFTER_CHECK_OUT}`})`;
const OFFSET = sql`${AFTER_CHECK_OUT_SECONDS}::int * interval '1 second'`;
const columnsOf = (table: string) => (column: string) => sql.ref(`${table}.${column}`);
