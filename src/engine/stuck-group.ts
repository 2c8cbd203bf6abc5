import { type RawBuilder, type SqlBool, sql } from 'kysely';
import { PAYOUT_BANK } from '../domain/ports.ts';

/** Open sagas that do not come on, and what they have in common: the one definition, for the watchdog, for lists, and for those who try them again. */

/** Sagas that stand still at one step for one reason. */
export interface StepGroup {
  /** Else they back off. */
  readonly isParked: boolean;
  readonly name: string;
  readonly step: string;
  readonly code: string;
  readonly isUndoing: boolean;
}

/** Sagas that an outage of one system keeps from coming on: parked ones and ones that back off, at any step, forward and undoing. */
export interface CircuitGroup {
  /** Of a payment gateway, a bank or a device. */
  readonly circuit: string;
}

export type StuckGroup = StepGroup | CircuitGroup;
/** Whether it is all that a circuit has stopped. */
export const isOfCircuit = (group: StuckGroup): group is CircuitGroup => 'circuit' in group;

/** As incidents name a group. */
export const groupSubject = ({ name, step, code, isUndoing }: Omit<StepGroup, 'isParked'>): string =>
  `${name}.${step}${isUndoing ? ' (undoing)' : ''}: ${code}`;

/** The group that `groupSubject` has named; null: it is about something else. */
export function groupOf(subject: string, isParked: boolean): StepGroup | null {
  const [, name, step, undoing, code] = /^(\w+)\.(\w+)( \(undoing\))?: (\S+)$/.exec(subject) ?? [];
  if (name === undefined || step === undefined || code === undefined) return null;
  return { isParked, name, step, code, isUndoing: undoing !== undefined };
}

/** Refunds and payouts are found with their stay. */
const STAY = sql`CASE s.subject_type WHEN 'transaction' THEN (SELECT t.reservation_id FROM transaction t WHERE t.id = s.subject_id) ELSE s.subject_id END`;
const DEVICE = sql`(SELECT p.amenity_device FROM property p WHERE p.id = s.property_id)`;
const GATEWAY = sql`CASE s.subject_type WHEN 'transaction' THEN (SELECT coalesce(t.gateway_id, ${PAYOUT_BANK}) FROM transaction t WHERE t.id = s.subject_id)
  ELSE s.input ->> 'gatewayId' END`;
const REFERENCE = sql`CASE s.subject_type WHEN 'transaction' THEN (SELECT t.gateway_reference FROM transaction t WHERE t.id = s.subject_id)
  ELSE s.input ->> 'gatewayReference' END`;

/**
 * One row for each open saga that is parked, or whose step has failed and is tried again; what waits for an approval is none of them, as it
 * goes on by the answer to its question alone. `system`: to blame, where one is; `is_outage`: it did not answer, as opposed to refused.
 * Read from open sagas alone, whatever has ended before.
 */
export const STUCK_SAGAS = sql`
  SELECT s.id, s.name, s.property_id, s.requested_at, s.status = 'parked' AS is_parked, coalesce(st.name, s.current_step::text) AS step,
         coalesce(st.direction = 'C', false) AS is_undoing, st.attempt,
         coalesce(st.error ->> 'code', CASE s.status WHEN 'parked' THEN s.error_code END, 'UNKNOWN') AS code,
         CASE s.status WHEN 'parked' THEN s.updated_at ELSE coalesce(st.started_at, s.updated_at) END AS since,
         coalesce(st.finished_at, (SELECT max(a.ended_at) FROM step_attempt a
            WHERE a.saga_id = s.id AND a.step_no = st.step_no AND a.direction = st.direction), s.updated_at) AS last,
         ${STAY} AS stay,
         CASE WHEN st.error ->> 'code' IN ('AMENITIES_UNAVAILABLE', 'AMENITIES_REFUSED') THEN ${DEVICE}
              WHEN st.error ->> 'code' = 'GATEWAY_UNAVAILABLE' THEN ${GATEWAY}
              WHEN st.error ->> 'code' = 'STEP_TIMEOUT' AND st.kind = 'EXTERNAL' THEN coalesce(${GATEWAY}, ${DEVICE}) END AS system,
         ${REFERENCE} AS reference,
         coalesce(st.error ->> 'code' IN ('AMENITIES_UNAVAILABLE', 'GATEWAY_UNAVAILABLE')
           OR st.error ->> 'code' = 'STEP_TIMEOUT' AND st.kind = 'EXTERNAL', false) AS is_outage
    FROM saga s LEFT JOIN LATERAL (
         SELECT x.step_no, x.name, x.direction, x.kind, x.attempt, x.error, x.started_at, x.finished_at FROM saga_step x
          WHERE x.saga_id = s.id AND x.step_no = s.current_step
            AND CASE s.status WHEN 'parked' THEN x.status = 'failed'
                ELSE x.status IN ('pending', 'running') AND x.error IS NOT NULL
                 AND x.direction = CASE s.status WHEN 'compensating' THEN 'C' ELSE 'F' END END
          ORDER BY x.direction LIMIT 1) st ON true
   WHERE s.finished_at IS NULL
     AND CASE s.status WHEN 'parked' THEN s.error_code IS DISTINCT FROM 'APPROVAL_REQUIRED' ELSE st.name IS NOT NULL END`;

/** Whether a row `stuck` of them stands before a circuit of this name. */
export const isAtCircuit = (circuit: RawBuilder<unknown>): RawBuilder<SqlBool> =>
  sql`(stuck.is_outage AND ${circuit} IN (stuck.system, stuck.system || '/' || stuck.reference))`;

const isOfGroup = (group: StuckGroup): RawBuilder<SqlBool> =>
  isOfCircuit(group)
    ? isAtCircuit(sql`${group.circuit}::text`)
    : sql`stuck.is_parked = ${group.isParked}::boolean AND stuck.name = ${group.name} AND stuck.step = ${group.step}
        AND stuck.is_undoing = ${group.isUndoing}::boolean AND stuck.code = ${group.code}`;

/** More are not tried again together. */
const MOST_OF_GROUP = 10_000;

/** The sagas of the group, `id`, `since`, `is_parked` and `is_undoing`, those that have stood longest first. */
export const sagasOfGroup = (group: StuckGroup): RawBuilder<unknown> =>
  sql`SELECT stuck.id, stuck.since, stuck.is_parked, stuck.is_undoing FROM (${STUCK_SAGAS}) stuck WHERE ${isOfGroup(group)}
       ORDER BY stuck.since, stuck.id LIMIT ${MOST_OF_GROUP}::int`;

/** Some of the sagas that stand still. */
export interface StuckFilter {
  readonly step?: string | undefined;
  readonly errorCode?: string | undefined;
  readonly isUndoing?: boolean | undefined;
  readonly isParked?: boolean | undefined;
  readonly system?: string | undefined;
}

/** Whether a row `stuck` fits; null: nothing is asked. */
export function fitsStuck({ step, errorCode, isUndoing, isParked, system }: StuckFilter): RawBuilder<SqlBool> | null {
  const asked = [
    ...(step === undefined ? [] : [sql`stuck.step = ${step}`]),
    ...(errorCode === undefined ? [] : [sql`stuck.code = ${errorCode}`]),
    ...(isUndoing === undefined ? [] : [sql`stuck.is_undoing = ${isUndoing}::boolean`]),
    ...(isParked === undefined ? [] : [sql`stuck.is_parked = ${isParked}::boolean`]),
    ...(system === undefined ? [] : [sql`stuck.system = ${system}`]),
  ];
  return asked.length === 0 ? null : sql<SqlBool>`(${sql.join(asked, sql` AND `)})`;
}
