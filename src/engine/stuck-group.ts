import { type RawBuilder, sql } from 'kysely';

/** Sagas that stand still at one step for one reason. */
export interface StuckGroup {
  /** Else they back off. */
  readonly isParked: boolean;
  readonly name: string;
  readonly step: string;
  readonly code: string;
  readonly isUndoing: boolean;
}

/** As incidents name a group. */
export const groupSubject = ({ name, step, code, isUndoing }: Omit<StuckGroup, 'isParked'>): string =>
  `${name}.${step}${isUndoing ? ' (undoing)' : ''}: ${code}`;

/** The group that `groupSubject` has named; null: it is about something else. */
export function groupOf(subject: string, isParked: boolean): StuckGroup | null {
  const [, name, step, undoing, code] = /^(\w+)\.(\w+)( \(undoing\))?: (\S+)$/.exec(subject) ?? [];
  if (name === undefined || step === undefined || code === undefined) return null;
  return { isParked, name, step, code, isUndoing: undoing !== undefined };
}

/** More are not tried again together. */
const MOST_OF_GROUP = 10_000;

/** The sagas of the group, `id` and `since`, those that have stood longest first. What waits for an approval is in none. */
export const sagasOfGroup = ({ isParked, name, step, code, isUndoing }: StuckGroup): RawBuilder<unknown> =>
  isParked
    ? sql`SELECT s.id, s.updated_at AS since FROM saga s LEFT JOIN LATERAL (
             SELECT x.name, x.direction, x.error FROM saga_step x
              WHERE x.saga_id = s.id AND x.step_no = s.current_step AND x.status = 'failed' ORDER BY x.direction LIMIT 1) st ON true
       WHERE s.finished_at IS NULL AND s.status = 'parked' AND s.name = ${name} AND s.error_code IS DISTINCT FROM 'APPROVAL_REQUIRED'
         AND coalesce(st.name, s.current_step::text) = ${step} AND coalesce(st.direction = 'C', false) = ${isUndoing}::boolean
         AND coalesce(st.error ->> 'code', s.error_code, 'UNKNOWN') = ${code}
       ORDER BY s.updated_at, s.id LIMIT ${MOST_OF_GROUP}::int`
    : sql`SELECT s.id, coalesce(st.started_at, s.updated_at) AS since FROM saga s
        JOIN saga_step st ON st.saga_id = s.id AND st.step_no = s.current_step
         AND st.direction = CASE s.status WHEN 'compensating' THEN 'C' ELSE 'F' END
       WHERE s.finished_at IS NULL AND s.status <> 'parked' AND s.name = ${name} AND st.error IS NOT NULL AND st.status = 'pending'
         AND st.name = ${step} AND (st.direction = 'C') = ${isUndoing}::boolean AND coalesce(st.error ->> 'code', 'UNKNOWN') = ${code}
       ORDER BY coalesce(st.started_at, s.updated_at), s.id LIMIT ${MOST_OF_GROUP}::int`;
