import { sql } from 'kysely';
import type { SagaStatus } from '../../../db/schema.ts';
import { type Variable, variable } from './variable.ts';

/** The door of the stay: the active `amenity_grant` `a` of a notification `n`. */

export const accessColumns = [
  sql<string | null>`a.access_code`.as('accessCode'),
  // While a change is on its way to the device, the door may already be at either of the two times.
  sql<Date | null>`CASE WHEN EXISTS (SELECT FROM saga s WHERE s.subject_type = 'amenity_grant' AND s.subject_id = a.reservation_id
          AND s.finished_at IS NULL) THEN least(a.valid_until, a.asked_until) ELSE a.valid_until END`.as('accessUntil'),
  // How far the last change of the guest's access is; `due`: it is still to be asked for. Null: there was none.
  sql<SagaStatus | 'due' | null>`CASE WHEN a.wanted_until IS DISTINCT FROM a.asked_until THEN 'due' ELSE (
  SELECT s.status FROM saga s WHERE s.subject_type = 'amenity_grant' AND s.subject_id = n.reservation_id
   ORDER BY s.requested_at DESC LIMIT 1) END`.as('accessChange'),
] as const;

export const ACCESS = {
  accessCode: variable('secret', '4711', ({ accessCode }) => accessCode),
} as const satisfies Readonly<Record<string, Variable>>;

/** Values that come late: a text waits a while for them. */
export const LATE_VARIABLES: ReadonlySet<string> = new Set(['accessCode']);
