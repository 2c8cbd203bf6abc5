import type { Selectable } from 'kysely';
import type { Db, Tx } from '../../db/client.ts';
import type { AssignmentRuleTable } from '../../db/schema.ts';
import { RoomyError } from '../../kernel/errors.ts';
import { changesOf } from '../audit/changes.ts';
import { type Author, fieldsOf, recordChange } from '../audit/record.ts';

/** How candidates are weighed (domain.md 11). One row; every assignment reads it, so a change holds from the next one on. */
export interface RuleChange {
  /** Percent; all four sum to 100. */
  readonly workloadPercent?: number | undefined;
  readonly proximityPercent?: number | undefined;
  readonly primaryPercent?: number | undefined;
  readonly fairnessPercent?: number | undefined;
  readonly maxKm?: number | undefined;
  readonly speedKmh?: number | undefined;
  readonly dayMinutes?: number | undefined;
  readonly fairnessHours?: number | undefined;
  readonly holdMinutes?: number | undefined;
  readonly emergencyAcceptMinutes?: number | undefined;
  /** Local `HH:MM` at the property: minutes in between do not count for `acceptMinutes`. */
  readonly acceptQuietFrom?: string | undefined;
  readonly acceptQuietTo?: string | undefined;
}

const ruleView = (row: Selectable<AssignmentRuleTable>) => ({
  workloadPercent: row.workload_percent,
  proximityPercent: row.proximity_percent,
  primaryPercent: row.primary_percent,
  fairnessPercent: row.fairness_percent,
  maxKm: row.max_km,
  speedKmh: row.speed_kmh,
  dayMinutes: row.day_minutes,
  fairnessHours: row.fairness_hours,
  holdMinutes: row.hold_minutes,
  emergencyAcceptMinutes: row.emergency_accept_minutes,
  acceptQuietFrom: row.accept_quiet_from,
  acceptQuietTo: row.accept_quiet_to,
});
export type RuleView = ReturnType<typeof ruleView>;

/** The rules in force: weights in percent, distances in km, times in minutes or hours as their names say. */
export const readRules = async (db: Db | Tx): Promise<RuleView> =>
  ruleView(await db.selectFrom('assignment_rule').selectAll().executeTakeFirstOrThrow());

/** Throws `VALIDATION_FAILED` when the weights would not sum to 100, and for a night that leaves less than an hour of the day. */
export async function changeRules(tx: Tx, change: RuleChange, author: Author): Promise<RuleView> {
  const rowBefore = await tx.selectFrom('assignment_rule').selectAll().forUpdate().executeTakeFirstOrThrow();
  const before = ruleView(rowBefore);
  const sum =
    (change.workloadPercent ?? before.workloadPercent) +
    (change.proximityPercent ?? before.proximityPercent) +
    (change.primaryPercent ?? before.primaryPercent) +
    (change.fairnessPercent ?? before.fairnessPercent);
  if (sum !== 100) {
    const issues = [{ path: 'workloadPercent', message: `the four weights must sum to 100, not to ${sum}` }];
    throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
  }
  const quietFrom = change.acceptQuietFrom ?? before.acceptQuietFrom;
  const quietTo = change.acceptQuietTo ?? before.acceptQuietTo;
  if (minutesBetween(quietFrom, quietTo) > MAX_QUIET_MINUTES) {
    const issues = [{ path: 'acceptQuietTo', message: 'must leave an hour of the day in which people can answer' }];
    throw new RoomyError('VALIDATION_FAILED', { details: { issues } });
  }
  const row = await tx
    .updateTable('assignment_rule')
    .set({
      workload_percent: change.workloadPercent,
      proximity_percent: change.proximityPercent,
      primary_percent: change.primaryPercent,
      fairness_percent: change.fairnessPercent,
      max_km: change.maxKm,
      speed_kmh: change.speedKmh,
      day_minutes: change.dayMinutes,
      fairness_hours: change.fairnessHours,
      hold_minutes: change.holdMinutes,
      emergency_accept_minutes: change.emergencyAcceptMinutes,
      accept_quiet_from: change.acceptQuietFrom,
      accept_quiet_to: change.acceptQuietTo,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordChange(tx, author, {
    noun: 'assignment-rules',
    id: 'assignment-rules',
    event: 'ASSIGNMENT_RULES_UPDATED',
    fields: fieldsOf(change),
    changes: changesOf('assignment_rule', rowBefore, row),
    version: 1,
  });
  return ruleView(row);
}

const MAX_QUIET_MINUTES = 23 * 60;
const minuteOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));
/** Over midnight where `to` is the earlier; the same twice: none. */
const minutesBetween = (from: string, to: string): number => (minuteOf(to) - minuteOf(from) + 1440) % 1440;
